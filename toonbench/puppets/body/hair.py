"""Hair: a thick cap over the skull with a hairline, which may carry locks, curls, spikes, a bun or tails; and beards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from toonbench.puppets.body.head import Field, Head, Points, bump, columns, lip_reach, ramp
from toonbench.puppets.body.locks import (
    CEILING,
    FLOOR,
    LEVELS,
    Scalp,
    bangs,
    curls,
    lock_colour,
    lock_mesh,
    spikes,
    strands,
    tails,
)
from toonbench.puppets.body.parts import Part, fixed, sheet_quads
from toonbench.puppets.look import Hair

ROWS, COLUMNS = 22, 84


def hairline(hair: Hair, lon: Field) -> Field:
    """Return the height at which the hair ends in each direction (radians)."""
    a = np.degrees(np.abs(lon))
    front = hair.front - 0.06 * ramp(a, 30, 46) - hair.fringe * ramp(a, 62, 40) + hair.recede * bump(a - 27, 15.0)
    if hair.parting:
        front = front + 0.05 * bump(np.degrees(lon) - 45 * hair.parting, 14.0)
    temple = hair.temple + (front - hair.temple) * ramp(a, 66, 44)
    side = hair.side + (temple - hair.side) * ramp(a, 84, 68)
    return hair.back + (side - hair.back) * ramp(a, 125, 88)


def hair_parts(head: Head) -> tuple[list[Part], Scalp | None]:
    """Return the hair of a look and the scalp on which it grows; a bald look has no scalp and at most a beard."""
    look, hair = head.look, head.look.hair
    parts = [beard(head)] if hair.beard else []
    if hair.bald:
        return parts, None
    if look.worn.top in ("cap", "beanie", "brim"):
        hair = replace(hair, bangs=0, spikes=0.0, mohawk=0.0)
    rng = np.random.default_rng(look.scene.background_seed + 1)
    scalp, top = cap(head, rng)
    own = [top]
    sets = [grow(scalp, hair, rng) for grow, present in (
        (strands, hair.strands), (bangs, hair.bangs)) if present]  # fmt: skip
    if sets:
        centre, width = np.concatenate([s[0] for s in sets]), np.concatenate([s[1] for s in sets])
        points, quads = lock_mesh(centre, width)
        own.append(Part(name="hair", quads=quads, colour=lock_colour(len(centre), look.palette, rng), place=fixed(points),
                        still=True, specular=0.14, gloss=14.0, body=_hanging(points)))  # fmt: skip
    if hair.spikes or hair.mohawk:
        own.append(spikes(scalp, hair, look.palette, rng))
    if hair.puff:
        own.append(curls(scalp, hair, look.palette, rng))
    if hair.bun:
        own.append(bun(head))
    if hair.tail:
        own += tails(hair, look.palette, width=look.shape.skull_width, crown=look.shape.crown_y)
    return parts + own, scalp


def _hanging(points: Points) -> Field:
    """Return the share of the body's movement in that of long hair, which lies on the shoulders."""
    return 0.75 * ramp(-points[:, 1], 0.7, 1.6)


def cap(head: Head, rng: np.random.Generator) -> tuple[Scalp, Part]:
    """Build the hair's mesh, whose last row is folded under its edge, and the scalp that locks need."""
    hair, crown = head.look.hair, head.look.shape.crown_y
    lon = np.linspace(-np.pi, np.pi, COLUMNS, endpoint=False)
    edge = hairline(hair, lon)
    lines = _lines(head, lon)
    t, arc = (np.linspace(0, 1, ROWS) ** 0.9)[:, None], np.linspace(np.pi / 2, 0, ROWS)[:, None]
    y = edge + (crown - edge) * np.where(edge < 0.3, 1 - t, np.sin(arc) * 0.5 + (1 - t) * 0.5)
    below = np.where(edge < -0.7, -0.02, -1.0)  # long hair falls straight instead of following the jaw
    levels = np.linspace(FLOOR, CEILING, LEVELS)
    radius, reach = np.empty((ROWS, COLUMNS)), np.empty((LEVELS, COLUMNS))
    for c in range(COLUMNS):
        line = lines[:, c]
        line = line[int(np.argmax(line[:, 1] > -1.0)) :]
        far = np.hypot(line[:, 0], line[:, 2])
        radius[:, c] = np.interp(np.maximum(y[:, c], below[c]), line[:, 1], far)
        reach[:, c] = np.interp(levels, line[:, 1], far)
    radius[0] = 0.0
    thick = _thickness(hair, y=y, edge=edge, lon=lon) + hair.curl * (
        0.25 + 0.75 * ramp(y - edge, -0.05, 0.2)
    ) * _ripple(hair, y=y, lon=lon, phase=rng.uniform(0, 2 * np.pi, 3))
    radius = radius + thick * ramp(crown + 0.02 - y, 0, 0.5) + hair.flare * ramp(-y, 0.2, 1.2)
    front = np.cos(lon)
    wave = 1 + hair.sweep * ramp(crown - y, 0.0, 0.3) * np.sin(lon - 0.6 * np.sign(hair.sweep or 1.0)) * ramp(
        front, -0.2, 0.6
    )
    lift = (thick + hair.top * wave) * ramp(y, 0.3, crown - 0.12) * (0.75 + 0.25 * ramp(y, 0.6, crown))
    radius = radius + hair.quiff * ramp(front, 0.2, 0.9) * bump(y - 0.8, 0.16)
    points = np.empty((ROWS + 1, COLUMNS, 3))
    points[:ROWS] = np.stack([radius * np.sin(lon), y + lift, radius * np.cos(lon)], -1)
    points[ROWS] = points[ROWS - 1] * np.array([0.9, 1.0, 0.9]) + np.array([0, 0.03, 0])
    flat = points.reshape(-1, 3)
    part = Part(name="hair", quads=sheet_quads(ROWS + 1, COLUMNS, ring=True), colour=_colour(head, points, lon=lon, rng=rng),
                place=fixed(flat), still=True, specular=0.12 if hair.strands else 0.04, gloss=12.0, body=_hanging(flat))  # fmt: skip
    return Scalp(sheet=points[:ROWS], reach=reach), part


def _lines(head: Head, lon: Field) -> Points:
    """Return the skin's lines from neck to crown in directions `lon`: (rows, len(lon), 3), rising."""
    own = columns()
    grid = head.grid[::-1]
    at = np.interp(lon, own, np.arange(len(own)))
    low = np.minimum(at.astype(int), len(own) - 2)
    share = (at - low)[None, :, None]
    return grid[:, low] * (1 - share) + grid[:, low + 1] * share


def _thickness(hair: Hair, *, y: Field, edge: Field, lon: Field) -> Field:
    """Return the hair's thickness, (rows, columns): thin at the hairline, full above, clipped at the sides."""
    away = ramp(y - edge, -0.02, 0.28) * (edge > 0.2) + ramp(y - edge, -0.02, 0.12) * (edge <= 0.2)
    floor = np.where((hair.fringe > 0.12) & (edge > 0.2), 0.35, 0.08)
    full = hair.volume * (floor + (1 - floor) * away)
    if hair.parting:
        full = full * (1 - 0.55 * bump(np.degrees(lon) - 45 * hair.parting, 9.0) * ramp(y, 0.4, 0.8))
    side = hair.fade * ramp(0.62 - y, -0.08, 0.1) * ramp(np.abs(lon), 0.75, 1.05)
    return full * (1 - 0.85 * side)


def _ripple(hair: Hair, *, y: Field, lon: Field, phase: NDArray[np.float64]) -> Field:
    wave = np.sin(hair.locks * lon + 2.5 * y + phase[0]) + 0.5 * np.sin(1.7 * hair.locks * lon - 4 * y + phase[1])
    if hair.curl > 0.03:
        wave = wave * np.sin(14 * y + 2.2 * np.sin(hair.locks * 0.5 * lon + phase[2]))
    if hair.wave:
        wave = wave + 2 * hair.wave / max(hair.curl, 1e-3) * np.sin(9 * y + 3 * lon + phase[2]) * ramp(0.3 - y, 0, 0.6)
    return wave


def _colour(head: Head, points: Points, *, lon: Field, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return streaked hair colour, darker at the roots' edge, with a soft band of sheen; skin is visible where hair is clipped."""
    palette, hair = head.look.palette, head.look.hair
    streak = 1 + 0.13 * np.convolve(rng.normal(size=len(lon) + 4), [0.25, 0.5, 0.25], mode="same")[2:-2]
    height = points[..., 1]
    sheen = 1 + 0.3 * bump(height - 0.78, 0.13) + 0.12 * bump(height + 0.5, 0.3)
    shade = 0.88 * streak[None] * sheen * (1 - 0.35 * ramp(-height, 0.5, 1.6))
    if not hair.strands and not hair.puff:
        shade *= 1 + 0.16 * rng.uniform(-1, 1, height.shape)  # stubbly, where no locks cover it
    shade[-1] *= 0.4
    colour = np.asarray(palette.hair) * shade[..., None]
    clipped = (0.42 * hair.fade * ramp(0.62 - height, -0.1, 0.5) * ramp(np.abs(lon), 0.75, 1.05)[None])[..., None]
    return np.clip(colour * (1 - clipped) + np.asarray(palette.skin) * 0.85 * clipped, 0, 1).reshape(-1, 3)


def bun(head: Head) -> Part:
    """Build a ball of hair on the back of the crown."""
    hair, rows, cols = head.look.hair, 14, 22
    a, b = np.linspace(0, np.pi, rows)[:, None], np.linspace(0, 2 * np.pi, cols, endpoint=False)[None]
    swirl = np.sin(5 * b + 4 * a)
    radius = hair.bun * (1 + 0.05 * swirl)
    centre = np.array([0.0, head.look.shape.crown_y + 0.14, -0.28])
    rest = np.stack(
        np.broadcast_arrays(radius * np.sin(a) * np.cos(b), radius * np.cos(a), radius * np.sin(a) * np.sin(b)), -1
    )
    flat = (rest + centre).reshape(-1, 3)
    shade = (0.85 + 0.25 * bump(a - 0.9, 0.4) + 0.12 * swirl).reshape(-1, 1)
    colour = np.clip(np.asarray(head.look.palette.hair) * shade, 0, 1)
    quads = sheet_quads(rows, cols, ring=True)
    return Part(name="bun", quads=quads, colour=colour, place=fixed(flat), still=True, specular=0.14, gloss=12.0)


def whiskers(head: Head) -> Field:
    """Return where a beard grows, 0 to 1, on each vertex of the skin: jaw, chin and upper lip, soft towards cheeks."""
    shape = head.look.shape
    x, y, z = head.rest.T
    ax, around = np.abs(x), np.abs(head.lon)
    top = shape.mouth_y + 0.02 + 0.36 * ramp(ax, 0.2, 0.62)  # the cheek line rises to the ear
    jaw = ramp(top - y, -0.02, 0.12) * ramp(around, np.radians(100), np.radians(85)) * ramp(ax, 0.12, 0.28)
    reach = lip_reach(x, y, shape)
    chin = (y < shape.mouth_y) * ramp(reach, 1.3, 1.75) * (z > 0.1) * ramp(ax, 0.42, 0.34)
    chin = chin * (
        1 - 0.6 * bump(ax - 0.45 * shape.mouth_half_width, 0.07) * ramp(reach, 2.6, 1.4)
    )  # bare beside the tuft
    moustache = bump(y - 0.5 * (shape.nose_y + shape.mouth_y) + 0.02, 0.055) * ramp(
        ax, shape.mouth_half_width * 1.1, 0.16
    )
    goatee = ramp(ax, 0.2, 0.24) * bump(ax - shape.mouth_half_width * 1.08, 0.07) * bump(y - shape.mouth_y + 0.04, 0.16)
    hair = np.maximum.reduce([jaw, chin, moustache * (z > 0.3), goatee]) * ramp(reach, 1.0, 1.3)
    return np.clip(hair, 0, 1) * head.weight**8 * (y > shape.chin_y - 0.1)


def beard(head: Head) -> Part:
    """Build a beard that stands out from the skin and moves with it."""
    hair, rest = head.look.hair, head.rest
    grown = whiskers(head)
    inside = grown > 0.25
    quads = head.quads[inside[head.quads].all(axis=1)]
    at, flat = np.unique(quads, return_inverse=True)
    share = ramp(grown[at], 0.25, 0.95)
    rng = np.random.default_rng(head.look.scene.background_seed + 11)
    away = rest[at] * np.array([1.0, 0.0, 1.0])
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    low = ramp(head.look.shape.mouth_y - 0.1 - rest[at, 1], 0, 0.25)
    curl = 1 + 0.35 * np.sin(38 * head.lon[at] + 22 * rest[at, 1]) * np.sin(31 * rest[at, 1])
    shift = (away - np.array([0, 0.5, 0]) * low[:, None]) * (hair.beard * (0.45 + 0.55 * low) * share * curl + 0.004)[
        :, None
    ]
    tone = 0.8 * (0.82 + 0.3 * rng.random(len(at))) * (0.85 + 0.15 * curl)
    colour = np.asarray(head.look.palette.hair) * tone[:, None]

    def place(skin: Points, rig: NDArray[np.float32]) -> Points:
        del rig
        return skin[at] + shift

    return Part(name="beard", quads=flat.reshape(quads.shape), colour=np.clip(colour, 0, 1), place=place, specular=0.04,
                body=1 - head.weight[at])  # fmt: skip
