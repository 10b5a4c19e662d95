"""Hair as a thick cap over the skull: hairline, volume, parting, fringe, locks and an optional bun."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toonbench.puppets.head import Field, Head, Points, bump, columns, ramp
from toonbench.puppets.look import Hair
from toonbench.puppets.parts import Part, fixed, sheet_quads

ROWS = 30


def hairline(hair: Hair, lon: Field) -> Field:
    """Return the height at which the hair ends in each direction (radians)."""
    a = np.degrees(np.abs(lon))
    front = hair.front - 0.06 * ramp(a, 30, 46) - hair.fringe * ramp(a, 62, 40) + hair.recede * bump(a - 27, 15.0)
    if hair.parting:
        front = front + 0.08 * bump(np.degrees(lon) - 45 * hair.parting, 14.0)
    temple = hair.temple + (front - hair.temple) * ramp(a, 66, 44)
    side = hair.side + (temple - hair.side) * ramp(a, 84, 68)
    return hair.back + (side - hair.back) * ramp(a, 125, 88)


def cap(head: Head) -> Part:
    """Build the hair's mesh; its last row tucks in under the edge."""
    hair, lon = head.look.hair, columns()[::1]
    edge = hairline(hair, lon)
    crown = head.look.shape.crown_y
    points = np.empty((ROWS + 1, len(lon), 3))
    hang = -0.02  # below this height long hair falls straight instead of following the jaw
    t = np.linspace(0, 1, ROWS) ** 0.9
    phase = np.random.default_rng(head.look.scene.background_seed).uniform(0, 2 * np.pi, 3)
    for column, angle in enumerate(lon):
        line = head.grid[::-1, column]  # rising heights
        cut = int(np.argmax(line[:, 1] > -1.0))
        height, reach = line[cut:, 1], np.hypot(line[cut:, 0], line[cut:, 2])
        arc = np.linspace(np.pi / 2, 0, ROWS)
        y = edge[column] + (crown - edge[column]) * np.where(
            edge[column] < 0.3, 1 - t, np.sin(arc) * 0.5 + (1 - t) * 0.5
        )
        radius = np.interp(np.maximum(y, min(hang, 0.0) if edge[column] < -0.7 else -1.0), height, reach)
        radius[0] = 0.0
        thick = _thickness(hair, y=y, edge=float(edge[column]), angle=float(angle), crown=crown)
        loose = ramp(y - edge[column], -0.05, 0.2)
        thick = thick + hair.curl * (0.25 + 0.75 * loose) * _locks(hair, y=y, angle=float(angle), phase=phase)
        radius = radius + thick * ramp(crown + 0.02 - y, 0, 0.5) + hair.flare * ramp(-y, 0.2, 1.2)
        wave = 1 + hair.sweep * ramp(crown - y, 0.0, 0.3) * np.sin(angle - 0.6 * np.sign(hair.sweep or 1.0)) * ramp(
            np.asarray(np.cos(angle)), -0.2, 0.6
        )
        lift = (thick + hair.top * wave) * ramp(y, 0.3, crown - 0.12) * (0.75 + 0.25 * ramp(y, 0.6, crown))
        radius = radius + hair.quiff * ramp(np.asarray(np.cos(angle)), 0.2, 0.9) * bump(y - 0.8, 0.16)
        points[:ROWS, column] = np.stack([radius * np.sin(angle), y + lift, radius * np.cos(angle)], -1)
        points[ROWS, column] = points[ROWS - 1, column] * np.array([0.9, 1.0, 0.9]) + np.array([0, 0.03, 0])
    flat = points.reshape(-1, 3)
    body = 0.75 * ramp(-flat[:, 1], 0.7, 1.6)
    return Part(name="hair", quads=sheet_quads(ROWS + 1, len(lon), ring=True), colour=_colour(head, points, lon=lon),
                place=fixed(flat), specular=0.14, gloss=12.0, body=body)  # fmt: skip


def _thickness(hair: Hair, *, y: Field, edge: float, angle: float, crown: float) -> Field:
    """Return the hair's thickness down one direction: thin at the hairline, full above."""
    away = ramp(y - edge, -0.02, 0.28 if edge > 0.2 else 0.12)
    floor = 0.35 if hair.fringe > 0.12 and edge > 0.2 else 0.08
    full = hair.volume * (floor + (1 - floor) * away)
    if hair.parting:
        full = full * (1 - 0.55 * bump(np.degrees(np.asarray(angle)) - 45 * hair.parting, 9.0) * ramp(y, 0.4, 0.8))
    return full + 0 * crown


def _locks(hair: Hair, *, y: Field, angle: float, phase: NDArray[np.float64]) -> Field:
    wave = np.sin(hair.locks * angle + 2.5 * y + phase[0]) + 0.5 * np.sin(1.7 * hair.locks * angle - 4 * y + phase[1])
    if hair.curl > 0.03:
        wave = wave * np.sin(14 * y + 2.2 * np.sin(hair.locks * 0.5 * angle + phase[2]))
    return wave


def _colour(head: Head, points: Points, *, lon: Field) -> NDArray[np.float64]:
    """Return streaked hair colour, darker at the roots' edge, with a soft band of sheen."""
    rng = np.random.default_rng(head.look.scene.background_seed + 1)
    streak = 1 + 0.13 * np.convolve(rng.normal(size=len(lon) + 4), [0.25, 0.5, 0.25], mode="same")[2:-2]
    height = points[..., 1]
    sheen = 1 + 0.35 * bump(height - 0.78, 0.13) + 0.12 * bump(height + 0.5, 0.3)
    shade = streak[None] * sheen * (1 - 0.35 * ramp(-height, 0.5, 1.6))
    shade[-1] *= 0.4
    return np.clip(np.asarray(head.look.palette.hair) * shade[..., None], 0, 1).reshape(-1, 3)


def bun(head: Head) -> Part:
    """Build a ball of hair on the back of the crown."""
    hair, rows, cols = head.look.hair, 14, 22
    a, b = np.linspace(0, np.pi, rows)[:, None], np.linspace(0, 2 * np.pi, cols, endpoint=False)[None]
    radius = hair.bun * (1 + 0.05 * np.sin(5 * b + 4 * a))
    centre = np.array([0.0, head.look.shape.crown_y + 0.14, -0.28])
    rest = np.stack(
        np.broadcast_arrays(radius * np.sin(a) * np.cos(b), radius * np.cos(a), radius * np.sin(a) * np.sin(b)), -1
    )
    flat = (rest + centre).reshape(-1, 3)
    shade = (0.85 + 0.25 * bump(a - 0.9, 0.4) + 0 * b).reshape(-1, 1)
    colour = np.clip(np.asarray(head.look.palette.hair) * shade, 0, 1)
    quads = sheet_quads(rows, cols, ring=True)
    return Part(name="bun", quads=quads, colour=colour, place=fixed(flat), specular=0.14, gloss=12.0)


def hair_parts(head: Head) -> list[Part]:
    """Return the hair of a look, nothing for a bald one."""
    if head.look.hair.bald:
        return []
    return [cap(head)] + ([bun(head)] if head.look.hair.bun else [])
