"""Accessories of a puppet: glasses, earrings, headbands, bows, flowers and hats. All of them move with the head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from toonbench.puppets.body.head import BROW_ROWS, CROWN_ROWS, Field, Head, Index, Points, columns, ramp
from toonbench.puppets.body.locks import Scalp, outward, tube
from toonbench.puppets.body.parts import Part, fixed, sheet_quads
from toonbench.puppets.look import Colour

HATS = frozenset({"cap", "beanie", "brim"})
Piece = tuple[Points, Index, NDArray[np.float64]]  # points, quads, sRGB colours


def worn_parts(head: Head, scalp: Scalp | None) -> list[Part]:
    """Return the accessories of a look; ornaments are placed on `scalp`, which is None for a bald head."""
    worn, parts = head.look.worn, list[Part]()
    if worn.glasses:
        parts.append(glasses(head))
    if worn.earrings:
        parts.append(earrings(head))
    if worn.top in HATS:
        parts.append(hat(head))
    elif worn.top and scalp is not None:
        parts.append({"headband": headband, "bow": bow, "flower": flower}[worn.top](head, scalp))
    return parts


def _join(name: str, pieces: list[Piece], *, specular: float = 0.05, gloss: float = 20.0) -> Part:
    starts = np.cumsum([0, *(len(points) for points, _, _ in pieces)])
    return Part(
        name=name, quads=np.concatenate([q + n for (_, q, _), n in zip(pieces, starts[:-1], strict=True)]),
        colour=np.clip(np.concatenate([c for _, _, c in pieces]), 0, 1), still=True, specular=specular, gloss=gloss,
        place=fixed(np.concatenate([p for p, _, _ in pieces])),
    )  # fmt: skip


def _painted(mesh: tuple[Points, Index], colour: Colour, *, shade: Field | float = 1.0) -> Piece:
    points, quads = mesh
    tone = np.broadcast_to(np.asarray(shade, dtype=np.float64), (len(points),))
    return points, quads, np.asarray(colour) * tone[:, None]


def _ball(centre: Points, size: Points | float, *, rows: int = 8, cols: int = 12) -> tuple[Points, Index]:
    """Build an ellipsoid with half axes `size`."""
    a, b = np.linspace(0, np.pi, rows)[:, None], np.linspace(0, 2 * np.pi, cols, endpoint=False)[None]
    ball = np.stack(np.broadcast_arrays(np.sin(a) * np.cos(b), np.cos(a), np.sin(a) * np.sin(b)), -1)
    return (ball.reshape(-1, 3) * size + centre), sheet_quads(rows, cols, ring=True)


def glasses(head: Head) -> Part:
    """Build a frame of two rims, a bridge and two temples that reach the ears; no lenses, so the eyes stay clear."""
    shape, worn = head.look.shape, head.look.worn
    wide = min(max(worn.glasses_width, 1.12 * shape.eye_half_width), shape.eye_x - 0.055)
    tall = max(wide * (0.92 if worn.glasses == "round" else 0.7), 0.62 * (shape.eye_up + shape.eye_down) + 0.03)
    power = 1.0 if worn.glasses == "round" else 0.45  # of the rim's superellipse
    thick = 0.013 if head.look.domain == "real" else 0.02
    turn = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    cosine, sine = np.cos(turn), np.sin(turn)
    x = shape.eye_x + wide * np.sign(cosine) * np.abs(cosine) ** power
    y = 0.5 * (shape.eye_up - shape.eye_down) + tall * np.sign(sine) * np.abs(sine) ** power
    z0 = _clearance(head, x, y)
    bend = 0.16

    def place(side: float, px: Field, py: Field) -> Points:
        return np.stack([side * px, py, z0 - bend * px**2], -1)

    inner, outer = shape.eye_x - wide, shape.eye_x + wide
    pieces = [
        _painted(tube(place(s, x, y), np.full(36, thick), around=6, closed=True), worn.frame) for s in (-1.0, 1.0)
    ]
    across = np.linspace(-1, 1, 9)
    arch = place(1.0, inner * across, 0.045 + 0.03 * (1 - across**2)) + np.array([0, 0, 0.02])
    pieces.append(_painted(tube(arch, np.full(9, thick), around=6), worn.frame))
    pieces += [
        _temple(head, s, start=place(1.0, np.array([outer]), np.array([0.06]))[0], thick=thick) for s in (-1.0, 1.0)
    ]
    return _join("glasses", pieces, specular=0.3, gloss=40.0)


def _clearance(head: Head, x: Field, y: Field) -> float:
    """Return the distance of the glasses' plane in front of the middle of the face at which it touches neither skin nor eyes."""
    from scipy.spatial import KDTree

    rest, shape = head.rest, head.look.shape
    front = np.flatnonzero((rest[:, 2] > 0.2) & (rest[:, 1] > -0.4) & (rest[:, 1] < 0.4))
    _, near = KDTree(rest[front, :2]).query(np.stack([x, y], -1))
    skin = rest[front[near], 2] + 0.16 * x**2
    pole = head.eyes[1].centre[2] + 1.06 * shape.eyeball_radius + 0.16 * shape.eye_x**2
    nose = rest[front[np.argmin(np.abs(rest[front, 0]) + np.abs(rest[front, 1] - 0.05))], 2]
    return float(max(np.quantile(skin, 0.85), pole, nose)) + 0.03


def _temple(head: Head, side: float, *, start: Points, thick: float) -> Piece:
    """Build one temple from the rim, along the side of the head, to behind the ear."""
    lon = columns()
    row = head.grid[CROWN_ROWS + BROW_ROWS - 4]
    flank = (lon > 0.5) & (lon < 2.2)
    order = np.argsort(row[flank, 2])
    t = np.linspace(0, 1, 14)
    z = start[2] - 0.02 + (-0.2 - start[2]) * t
    skin = np.interp(z, row[flank, 2][order], row[flank, 0][order])
    x = np.maximum(skin + 0.025, start[0] * ramp(t, 0.5, 0.0))
    x[0] = start[0]
    y = start[1] - 0.02 * t - 0.12 * ramp(t, 0.85, 1.0)
    return _painted(tube(np.stack([side * x, y, z], -1), np.full(14, thick), around=6), head.look.worn.frame)


def earrings(head: Head) -> Part:
    """Build a stud or a hoop on each lobe."""
    shape, worn = head.look.shape, head.look.worn
    lobe = np.array([0.5 * (shape.skull_width + shape.cheek_width) + 0.055, -0.08 - 0.86 * shape.ear, -0.06])
    pieces: list[Piece] = []
    for side in (-1.0, 1.0):
        at = lobe * np.array([side, 1, 1])
        if worn.earrings == "stud":
            pieces.append(_painted(_ball(at + np.array([0.01 * side, 0, 0.02]), 0.032, rows=7, cols=10), worn.metal))
            continue
        turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        ring = np.stack([0.065 * side * np.cos(turn), 0.085 * np.sin(turn) - 0.08, 0.05 * np.cos(turn)], -1)
        pieces.append(_painted(tube(at + ring, np.full(20, 0.012), around=6, closed=True), worn.metal))
    return _join("earring", pieces, specular=0.6, gloss=30.0)


def headband(head: Head, scalp: Scalp) -> Part:
    """Build a band over the hair from ear to ear."""
    u = np.linspace(-1, 1, 33)
    path = scalp.at(np.where(u < 0, -1.0, 1.0) * 1.25, np.abs(u) * 0.86)
    path += outward(path) * 0.035
    path[np.abs(u) < 0.3, 2] = np.interp(u, u[[10, 22]], path[[10, 22], 2])[np.abs(u) < 0.3]
    return _join("headpiece", [_painted(tube(path, np.full(33, 0.05), around=8), head.look.worn.colour)])


def _perch(head: Head, scalp: Scalp, *, lon: float, row: float) -> tuple[Points, Points, Points, Points]:
    """Return a point on the hair and its directions: out of the hair, sideways, up."""
    side = -1.0 if head.look.scene.key_azimuth > 0 else 1.0
    at = scalp.at(np.array([side * lon]), np.array([row]))[0]
    out = outward(at[None])[0] + np.array([0.0, 0.0, 0.5])
    out /= np.linalg.norm(out)
    across = np.cross(np.array([0.0, 1.0, 0.0]), out)
    across /= np.linalg.norm(across)
    return at + 0.05 * out, out, across, np.cross(out, across)


def bow(head: Head, scalp: Scalp) -> Part:
    """Build a bow: two loops and a knot."""
    at, out, across, up = _perch(head, scalp, lon=0.75, row=0.45)
    t = np.linspace(0, 1, 9)
    colour = head.look.worn.colour
    pieces: list[Piece] = []
    for side in (-1, 1):
        path = at + side * (0.02 + 0.25 * t)[:, None] * across + (0.05 * t)[:, None] * up
        points, quads = tube(path, np.maximum(0.035 + 0.10 * t**0.8 * ramp(t, 1.02, 0.9), 0.012), around=12)
        flat = points - at
        flat -= 0.45 * (flat @ out)[:, None] * out
        ridges = np.tile(0.88 + 0.12 * np.cos(np.linspace(0, 8 * np.pi, 12, endpoint=False)), 9)
        pieces.append(_painted((at + flat, quads), colour, shade=ridges))
    pieces.append(_painted(_ball(at + 0.02 * out, 0.055), colour, shade=0.85))
    return _join("headpiece", pieces)


def flower(head: Head, scalp: Scalp) -> Part:
    """Build a flower: six petals round a yellow middle."""
    at, out, across, up = _perch(head, scalp, lon=0.95, row=0.62)
    frame = np.stack([across, up, out])
    pieces: list[Piece] = []
    for angle in np.arange(6) * np.pi / 3:
        points, quads = _ball(np.array([0.095, 0, 0.01]), np.array([0.085, 0.062, 0.022]), rows=7, cols=10)
        c, s = np.cos(angle), np.sin(angle)
        spun = points @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
        reach = np.linalg.norm(spun[:, :2], axis=1)
        pieces.append(_painted((at + spun @ frame, quads), head.look.worn.colour, shade=0.75 + 1.4 * reach))
    pieces.append(_painted(_ball(at + 0.03 * out, 0.05), (0.93, 0.72, 0.2)))
    return _join("headpiece", pieces)


def _dome(head: Head) -> tuple[Points, Points, float]:
    """Return a hat's middle, its half axes (side, up, front, back), and the height of its edge in front."""
    shape = head.look.shape
    axes = np.array([shape.skull_width + 0.075, shape.crown_y - 0.12, shape.forehead_z + 0.06, shape.back_z + 0.07])
    return np.array([0.0, 0.30, -0.03]), axes, max(0.60, shape.brow_y + 0.23)


def _edge(lon: Field, front: float) -> Field:
    return front - 0.12 * (1 - np.cos(lon)) - 0.05 * np.sin(lon) ** 2


def _on_dome(head: Head, lon: Field, level: Field, *, grow: float = 1.0) -> Points:
    """Return points of the dome: level 0 at its edge, 1 on top, below 0 under the edge."""
    centre, axes, front = _dome(head)
    start = np.arcsin((_edge(lon, front) - centre[1]) / axes[1])
    angle = start + (np.pi / 2 - start) * level
    depth = np.where(np.cos(lon) > 0, axes[2], axes[3])
    flat = np.cos(angle) ** 0.8
    return centre + grow * np.stack(
        [axes[0] * np.sin(lon) * flat, axes[1] * np.sin(angle), depth * np.cos(lon) * flat], -1
    )


def hat(head: Head) -> Part:
    """Build a baseball cap, a knitted beanie or a hat with a brim round the whole head."""
    kind, colour, trim = head.look.worn.top, head.look.worn.colour, head.look.palette.trim
    lon = np.linspace(-np.pi, np.pi, 60, endpoint=False)
    level = np.linspace(0, 1, 14)[:, None]
    quads = sheet_quads(14, 60, ring=True)
    knit = 0.9 + 0.1 * np.cos(20 * lon)[None] * np.ones((14, 1)) if kind == "beanie" else np.ones((14, 60))
    if kind == "cap":
        knit = 1 - 0.14 * (np.abs(np.sin(3 * lon)) < 0.09)[None] * np.ones((14, 1))  # seams
    dome = _on_dome(head, lon[None], level, grow=1.0)
    if kind == "brim":
        dome[..., 1] -= 0.07 * ramp(level[:, :1] + 0 * lon, 0.75, 1.0)  # a dent on top
    pieces = [_painted((dome.reshape(-1, 3), quads), colour, shade=knit.reshape(-1))]
    if kind == "beanie":
        fold = np.linspace(0, 1, 7)[:, None]
        swell = 1.0 + 0.075 * np.sin(np.pi * np.clip(fold, 0.06, 0.94)) ** 0.5
        roll = _on_dome(head, lon[None], -0.02 + 0.24 * fold)
        roll = (roll - _dome(head)[0]) * swell[..., None] + _dome(head)[0]
        ribs = 0.88 + 0.12 * np.cos(30 * lon)[None] * np.ones((7, 1))
        pieces.append(_painted((roll.reshape(-1, 3), sheet_quads(7, 60, ring=True)), trim, shade=ribs.reshape(-1)))
        top = _on_dome(head, np.zeros(1), np.ones(1))[0]
        pieces.append(_painted(_ball(top + np.array([0, 0.08, 0]), 0.13, rows=9, cols=14), trim))
    else:
        pieces += _brim(head, kind, colour=colour, band=trim)
    return _join("hat", pieces)


def _brim(head: Head, kind: str, *, colour: Colour, band: Colour) -> list[Piece]:
    """Build a cap's peak, or a brim with a band."""
    out = np.linspace(0, 1, 6)[:, None]
    if kind == "cap":
        lon = np.linspace(-1.0, 1.0, 25)[None]
        edge = _on_dome(head, lon, np.zeros((1, 1)))
        reach = 0.42 * np.cos(lon * np.pi / 2 * 0.97) ** 0.6
        shift = np.stack(
            np.broadcast_arrays(
                0.12 * np.sin(lon) * out, -0.03 * out - 0.15 * out**2 - 0.06 * lon**2 * out, reach * out
            ),
            -1,
        )
        points = edge + shift
        return [_painted((points.reshape(-1, 3), sheet_quads(6, 25)[:, ::-1]), band, shade=0.95)]
    lon = np.linspace(-np.pi, np.pi, 60, endpoint=False)[None]
    edge = _on_dome(head, lon, np.zeros((1, 1)), grow=1.0)
    away = np.stack([np.sin(lon), 0 * lon, np.cos(lon)], -1)
    points = edge + 0.34 * out[..., None] * away
    points[..., 1] += 0.05 * out - 0.07 * out**2 + 0.06 * out * np.sin(lon) ** 2
    ribbon = _on_dome(head, lon, np.linspace(0.01, 0.16, 3)[:, None], grow=1.015)
    return [
        _painted((points.reshape(-1, 3), sheet_quads(6, 60, ring=True)), colour, shade=0.93),
        _painted((ribbon.reshape(-1, 3), sheet_quads(3, 60, ring=True)), band),
    ]


def under_hat(head: Head, part: Part, points: Points) -> Part:
    """Move hair under the hat where it would stick through; `points` are those of the part."""
    if head.look.worn.top not in HATS:
        return part
    centre, axes, front = _dome(head)
    away = points - centre
    depth = np.where(away[:, 2] > 0, axes[2], axes[3])
    level = np.sqrt((away[:, 0] / axes[0]) ** 2 + (away[:, 1] / axes[1]) ** 2 + (away[:, 2] / depth) ** 2)
    over = points[:, 1] > _edge(np.arctan2(points[:, 0], points[:, 2]), front) - 0.03
    squeeze = np.where(over & (level > 0.94), 0.94 / np.maximum(level, 1e-6), 1.0)
    return replace(part, place=fixed(centre + away * squeeze[:, None]))
