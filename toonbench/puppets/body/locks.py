"""Locks of hair: strips, spikes, curls and tails that lie on a cap of hair and break its outline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toonbench.puppets.body.head import Field, Index, Points, bump, ramp
from toonbench.puppets.body.parts import Part, fixed, sheet_quads
from toonbench.puppets.look import Colour, Hair, Palette

ALONG, ACROSS = 9, 4  # vertices of a lock
FLOOR, CEILING, LEVELS = -1.75, 0.75, 64  # heights of the table of the skin's reach
Colours = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalp:
    """The surface on which locks grow: the cap's sheet, crown to edge by directions, and the skin under it."""

    sheet: Points  # (rows, columns, 3); columns are even steps from -180 degrees
    reach: Field  # (LEVELS, columns): distance of the skin from the axis, FLOOR to CEILING

    def at(self, lon: Field, row: Field) -> Points:
        """Return points (..., 3) at directions (radians) and rows: 0 crown, 1 edge, larger values are lengths below the edge."""
        rows = len(self.sheet) - 1
        on = bilinear(self.sheet, np.minimum(row, 1) * rows, lon)
        y = on[..., 1] - np.maximum(row - 1, 0)
        clear = np.hypot(on[..., 0], on[..., 2]) - self.skin(lon, on[..., 1]) + 0.01
        radius = self.skin(lon, y) + np.clip(clear, 0.03, 0.3)
        below = np.stack([radius * np.sin(lon), y, radius * np.cos(lon)], -1)
        return np.where((row > 1)[..., None], below, on)

    def skin(self, lon: Field, y: Field) -> Field:
        """Return the skin's distance from the axis at directions and heights."""
        level = (np.clip(y, FLOOR, CEILING) - FLOOR) / (CEILING - FLOOR) * (LEVELS - 1)
        return bilinear(self.reach[..., None], level, lon)[..., 0]


def bilinear(table: Points, row: Field, lon: Field) -> Points:
    """Interpolate a (rows, columns, k) table of all directions at rows and directions in radians."""
    rows, columns = table.shape[:2]
    r = np.clip(row, 0, rows - 1)
    c = (lon / (2 * np.pi) + 0.5) % 1.0 * columns
    r0, c0 = np.minimum(r.astype(int), rows - 2), c.astype(int) % columns
    c1, u, v = (c0 + 1) % columns, (r - r0)[..., None], (c - c.astype(int))[..., None]
    top = table[r0, c0] * (1 - v) + table[r0, c1] * v
    return top * (1 - u) + (table[r0 + 1, c0] * (1 - v) + table[r0 + 1, c1] * v) * u


def strands(scalp: Scalp, hair: Hair, rng: np.random.Generator) -> tuple[Points, Field]:
    """Return centre lines (locks, ALONG, 3) and widths (locks,) of locks that lie on the cap and end at its edge."""
    n = hair.strands
    t = np.linspace(0, 1, ALONG)[None]
    lon = np.linspace(-np.pi, np.pi, n, endpoint=False) + rng.uniform(-0.5, 0.5, n) * 2 * np.pi / n
    lon = lon - 0.28 * np.sin(lon)  # more of them in front
    start = rng.uniform(0.04, 0.4, n)
    stop = 1 + rng.uniform(-0.12, 0.02, n) + 0.05 * rng.random(n) * (np.abs(lon) > 0.7)
    drift = rng.normal(0, 0.07, n) + hair.sweep * 0.35 * np.exp(-((lon / 0.9) ** 2))
    if hair.parting:
        middle = np.radians(45 * hair.parting)
        side = np.where(lon > middle, 1.0, -1.0)
        drift = drift + side * 0.5 * np.exp(-(((lon - middle) / 0.7) ** 2))
        start = np.where(np.abs(lon - middle) < 0.7, 0.45, start)
    angle = lon[:, None] + drift[:, None] * (t - 0.6)
    row = start[:, None] + (stop - start)[:, None] * t
    centre = scalp.at(angle, row)
    if hair.wave:
        phase = rng.uniform(0, 2 * np.pi, (n, 1))
        swing = hair.wave * np.sin(9 * centre[..., 1] + phase) * ramp(0.3 - centre[..., 1], 0, 0.6)
        centre[..., 0] += swing * np.cos(angle)
        centre[..., 2] -= swing * np.sin(angle)
    out = outward(centre)
    centre += out * (rng.uniform(0.0, 0.5, n)[:, None] * hair.volume * 0.35 * np.sin(np.pi * t) + 0.004)[..., None]
    return centre, np.minimum(0.16, 3.4 / n) * rng.uniform(0.75, 1.3, n)


def bangs(scalp: Scalp, hair: Hair, rng: np.random.Generator) -> tuple[Points, Field]:
    """Return locks that fall from the crown over the forehead."""
    n = hair.bangs
    t = np.linspace(0, 1, ALONG)[None]
    span = np.radians(52)
    lon = np.linspace(-span, span, n) + rng.uniform(-0.3, 0.3, n) * 2 * span / n
    fall = hair.bangs_length * (rng.uniform(0.72, 1.0, n) + 0.25 * np.abs(lon / span) ** 2)
    if hair.bangs_side:
        fall = fall * (0.55 + 0.45 * ramp(lon * np.sign(hair.bangs_side), -span, 0.7 * span))
    angle = lon[:, None] + hair.bangs_side * 0.75 * (t - 0.25) ** 2 * np.sign(t - 0.25) + rng.normal(0, 0.02, (n, 1))
    row = 0.55 + (0.45 + fall)[:, None] * t
    centre = scalp.at(angle, row)
    centre += outward(centre) * (0.03 * np.sin(np.pi * np.clip(t * 1.1, 0, 1)) + 0.012 + 0 * angle)[..., None]
    return centre, 2.1 / n * 0.62 * rng.uniform(0.8, 1.25, n)


def spikes(scalp: Scalp, hair: Hair, palette: Palette, rng: np.random.Generator) -> Part:
    """Build cones that stand away from the crown, or a crest of them along its middle."""
    t = np.linspace(0, 1, 6)[None]
    if hair.mohawk:
        n = 15
        along = np.linspace(-1.0, 1.0, n)
        lon = np.where(along < 0, 0.0, np.pi) + rng.normal(0, 0.03, n)
        row = np.abs(along) * 0.95
        size = hair.mohawk * (1 - 0.3 * along**2) * rng.uniform(0.9, 1.1, n)
        width, lean = np.full(n, 0.12), np.array([0.0, 0.25, 0.1])
    else:
        n = 46
        lon = (np.arange(n, dtype=np.float64) * 2.399963) % (2 * np.pi) - np.pi
        row = np.minimum(0.05 + 0.85 * np.sqrt(np.arange(n) / n), np.where(np.abs(lon) < 1.0, 0.82, 0.7))
        size = hair.spikes * rng.uniform(0.75, 1.2, n) * (1.1 - 0.35 * row)
        width, lean = rng.uniform(0.09, 0.13, n), np.array([0.35 * hair.sweep, 0.7, 0.3])
    root = scalp.at(lon, row)
    out = outward(root) + lean + rng.normal(0, 0.10, (n, 3))
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    bend = np.array([0.5 * hair.sweep, -0.25, -0.1]) * size[:, None, None] * (t**2)[..., None]
    path = root[:, None] + (1.15 * t - 0.15)[..., None] * (size[:, None] * out)[:, None] + bend
    meshes = [
        tube(p, w * np.array([1.0, 0.95, 0.78, 0.55, 0.3, 0.02]), around=7) for p, w in zip(path, width, strict=True)
    ]
    quads = np.concatenate([q + i * 42 for i, (_, q) in enumerate(meshes)])
    tone = rng.uniform(0.86, 1.12, (n, 1, 1)) * (0.6 + 0.5 * t[..., None]) * (1 + 0.08 * np.cos(np.arange(7) * 2.0))
    base = np.tile(np.asarray(palette.hair), (n, 1))
    if palette.streak is not None:
        base[rng.random(n) < 0.35] = palette.streak
    colour = np.clip(base[:, None, None] * tone[..., None], 0, 1).reshape(-1, 3)
    points = np.concatenate([p for p, _ in meshes])
    return Part(name="hair", quads=quads, colour=colour, place=fixed(points), still=True, specular=0.12, gloss=14.0)


def outward(points: Points) -> Points:
    """Return the direction (..., 3) away from the middle of the skull."""
    away = points - np.array([0.0, 0.2, -0.05])
    away[..., 1] = np.where(away[..., 1] < 0, 0, away[..., 1])
    return away / np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-9)


def lock_mesh(centre: Points, width: Field, *, thick: float = 0.5) -> tuple[Points, Index]:
    """Build arched strips (locks * ALONG * ACROSS, 3) along centre lines, from a blunt root to a pointed tip."""
    n, t = len(centre), np.linspace(0, 1, ALONG)
    taper = (0.55 + 0.45 * ramp(t, 0, 0.35)) * np.clip(1.02 - t**3, 0.02, 1) ** 0.9
    half = 0.5 * width[:, None] * taper[None]
    out, along = outward(centre), np.gradient(centre, axis=1)
    side = np.cross(along, out)
    side /= np.maximum(np.linalg.norm(side, axis=-1, keepdims=True), 1e-9)
    up = np.cross(side, along)
    up /= np.maximum(np.linalg.norm(up, axis=-1, keepdims=True), 1e-9)
    offsets = np.array([(-1.0, -0.35), (-0.5, thick), (0.5, thick), (1.0, -0.35)])
    points = (
        centre[:, :, None]
        + half[..., None, None] * offsets[None, None, :, :1] * side[:, :, None]
        + half[..., None, None] * offsets[None, None, :, 1:] * up[:, :, None]
    )
    one = sheet_quads(ALONG, ACROSS)
    quads = (one[None] + (np.arange(n) * ALONG * ACROSS)[:, None, None]).reshape(-1, 4)
    return points.reshape(-1, 3), quads


def lock_colour(count: int, palette: Palette, rng: np.random.Generator) -> Colours:
    """Paint locks: each has its own tone, is dark at root and edges and has a band of sheen; some have the streak's colour."""
    t = np.linspace(0, 1, ALONG)[None, :, None]
    tone = rng.uniform(0.86, 1.14, (count, 1, 1))
    across = np.array([0.72, 1.06, 1.0, 0.68])[None, None]
    shade = tone * across * (0.8 + 0.34 * bump(t - 0.45, 0.28) - 0.08 * t)
    base = np.tile(np.asarray(palette.hair), (count, 1))
    if palette.streak is not None:
        base[rng.random(count) < 0.3] = palette.streak
    return np.clip(base[:, None, None] * shade[..., None], 0, 1).reshape(-1, 3)


def curls(scalp: Scalp, hair: Hair, palette: Palette, rng: np.random.Generator) -> Part:
    """Build a head of round curls: knobbly balls over the whole cap."""
    count = int(np.clip(1.5 / hair.puff**2, 70, 230))
    index = np.arange(count) + 0.5
    lon, row = (index * 2.399963) % (2 * np.pi) - np.pi, (index / count) ** 0.62 * 0.99
    visible = (np.abs(lon) < 2.4) | (row < 0.55)
    lon, row, count = lon[visible] + rng.normal(0, 0.03, int(visible.sum())), row[visible], int(visible.sum())
    centre = scalp.at(lon, row) - outward(scalp.at(lon, row)) * 0.35 * hair.puff
    rows, cols = 5, 6
    a, b = np.linspace(0.0, np.pi, rows)[:, None], np.linspace(0, 2 * np.pi, cols, endpoint=False)[None]
    ball = np.stack(np.broadcast_arrays(np.sin(a) * np.cos(b), np.cos(a), np.sin(a) * np.sin(b)), -1).reshape(-1, 3)
    size = hair.puff * rng.uniform(0.85, 1.3, (count, 1, 1)) * (1 - 0.25 * row[:, None, None] ** 4)
    away = outward(centre)[:, None]
    knob = 1 + 0.22 * rng.uniform(-1, 1, (count, len(ball), 1)) * (np.abs(ball[None, :, 1:2]) < 0.99)
    points = centre[:, None] + size * knob * ball[None]
    deep = ((ball[None] * away).sum(-1) + 1) / 2  # dark where balls meet
    shade = rng.uniform(0.88, 1.1, (count, 1)) * (0.45 + 0.6 * deep)
    colour = np.clip(np.asarray(palette.hair) * shade[..., None], 0, 1).reshape(-1, 3)
    one = sheet_quads(rows, cols, ring=True)
    quads = (one[None] + (np.arange(count) * len(ball))[:, None, None]).reshape(-1, 4)
    return Part(name="hair", quads=quads, colour=colour, place=fixed(points.reshape(-1, 3)), still=True, specular=0.08,
                gloss=9.0)  # fmt: skip


def tube(path: Points, radius: Field, *, around: int = 10, closed: bool = False) -> tuple[Points, Index]:
    """Build a tube (len(path) * around, 3) along a path (points, 3) with a radius for each of its points.

    A `closed` path continues from its last point to its first.
    """
    along = np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0) if closed else np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    first = np.cross(along, np.array([0.0, 0.25, 1.0]))
    first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-9)
    second = np.cross(along, first)
    turn = np.linspace(0, 2 * np.pi, around, endpoint=False)
    ring = np.cos(turn)[None, :, None] * first[:, None] + np.sin(turn)[None, :, None] * second[:, None]
    points, quads = (
        (path[:, None] + radius[:, None, None] * ring).reshape(-1, 3),
        sheet_quads(len(path), around, ring=True),
    )
    if not closed:
        return points, quads
    last, first_row = np.arange(around) + (len(path) - 1) * around, np.arange(around)
    seam = np.stack([last, first_row, np.roll(first_row, -1), np.roll(last, -1)], -1)
    return points, np.concatenate([quads, seam])


def tails(hair: Hair, palette: Palette, *, width: float, crown: float) -> list[Part]:
    """Build a ponytail at the back, or a pigtail or braid on each side."""
    t = np.linspace(0, 1, 26)
    if hair.tail == "pony":
        x, y = 1.0 * ramp(t, 0.08, 0.62), crown - 0.02 + 0.34 * np.sin(np.pi * np.minimum(1.6 * t, 1)) - 1.95 * t**1.9
        path = np.stack([x, y, -0.5 - 0.2 * np.sin(2.6 * t) + 0.35 * ramp(t, 0.5, 1.0)], -1)
        return [_tail(path, 0.2 * (0.5 + 0.6 * np.sin(np.pi * t**0.8)) * ramp(t, 1.04, 0.7), palette, braid=False)]
    parts: list[Part] = []
    braid = hair.tail == "braids"
    for side in (-1, 1):
        if braid:
            x, y, z = width + 0.02 + 0.10 * ramp(t, 0, 0.3), -0.12 - 1.35 * t, -0.2 + 0.5 * ramp(t, 0.0, 0.7)
            radius = 0.115 * (1 - 0.3 * t) * (1 + 0.2 * np.abs(np.sin(7.5 * np.pi * t)) - 0.1)
            radius = np.where(t > 0.93, radius * 0.8, radius)
        else:
            x, y, z = width + 0.05 + 0.42 * np.sin(1.9 * t), 0.22 + 0.25 * t - 1.5 * t**1.8, -0.25 + 0.0 * t
            radius = 0.19 * (0.35 + 0.75 * np.sin(np.pi * t**0.75)) * ramp(t, 1.04, 0.7)
        parts.append(_tail(np.stack([side * x, y, z], -1), radius, palette, braid=braid))
    return parts


def _tail(path: Points, radius: Field, palette: Palette, *, braid: bool) -> Part:
    points, quads = tube(path, np.maximum(radius, 0.012), around=12)
    t, turn = np.linspace(0, 1, len(path))[:, None], np.linspace(0, 2 * np.pi, 12, endpoint=False)[None]
    wave = np.abs(np.sin(7.5 * np.pi * t + (turn if braid else 0.0))) if braid else 0.5 + 0.5 * np.sin(5 * turn + 3 * t)
    colour = np.asarray(palette.hair)[None, None] * (0.72 + 0.36 * wave)[..., None]
    tie: Colour = palette.trim
    colour[(t[:, 0] > (0.89 if braid else 2)) & (t[:, 0] < 0.94)] = tie
    if not braid:
        colour[:2] = tie
    body = 0.55 * ramp(-points[:, 1], 0.75, 1.5)
    return Part(name="hair", quads=quads, colour=np.clip(colour, 0, 1).reshape(-1, 3), place=fixed(points), still=True,
                specular=0.12, gloss=12.0, body=body)  # fmt: skip
