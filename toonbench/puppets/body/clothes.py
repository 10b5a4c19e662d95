"""Clothes: shoulders and chest with a pattern, and a collar, tie, hood or scarf round the neck. All follow the body."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toonbench.puppets.body.head import Field, Head, Index, Points, bump, ramp
from toonbench.puppets.body.parts import Part, fixed, sheet_quads
from toonbench.puppets.look import Colour

COLUMNS = 88
HEIGHTS = np.concatenate(
    [np.array([-1.29, -1.30, -1.315, -1.335, -1.36]), np.linspace(-1.39, -1.98, 26), np.array([-2.3, -3.2])]
)
Colours = NDArray[np.float64]


def clothes_parts(head: Head) -> list[Part]:
    """Return the torso of a look and the clothes round its neck."""
    kind = head.look.clothes.kind
    extras = {"shirt": _shirt, "suit": _suit, "hoodie": _hoodie, "turtleneck": _turtleneck, "scarf": _scarf}
    return [torso(head), *(extras[kind](head) if kind in extras else [])]


def _directions() -> Field:
    """Return directions round the body, closer together in front."""
    u = np.linspace(-1, 1, COLUMNS, endpoint=False)
    return np.pi * (0.45 * u + 0.55 * u**3)


def _surface(head: Head, lon: Field, y: Field) -> Points:
    """Return the body's surface at directions and heights (broadcast): a neck that widens to shoulders and chest."""
    wide = head.look.shape.neck_width / 0.42 * 0.4 + 0.6
    keys = np.array([-1.24, -1.32, -1.42, -1.52, -1.66, -1.9, -2.3, -3.2])
    width = np.interp(-y, -keys, np.array([0.47, 0.54, 0.82, 1.22, 1.52, 1.66, 1.72, 1.75])) * wide
    depth = np.interp(-y, -keys, np.array([0.44, 0.48, 0.56, 0.64, 0.74, 0.84, 0.92, 0.98]))
    sine, cosine = np.sin(lon), np.cos(lon)
    drop = 0.15 * bump(lon, 0.75) * ramp(y, -2.2, -1.3)
    return np.stack(np.broadcast_arrays(width * sine, y - drop, depth * cosine - 0.22), -1)


def torso(head: Head) -> Part:
    """Build shoulders and chest; a tank top leaves the shoulders bare."""
    look, lon = head.look, _directions()
    points = _surface(head, lon[None], HEIGHTS[:, None])
    colour = _pattern(head, points)
    if look.clothes.kind == "tank":
        x, y = points[..., 0], points[..., 1]
        colour[:] = look.palette.clothes
        strap = ramp(np.abs(np.abs(x) - 0.62), 0.14, 0.11)
        top = ramp(y + 0.1 * bump(x, 0.4), -1.72, -1.75)
        cover = np.maximum(strap, top)[..., None]
        colour = colour * cover + np.asarray(look.palette.skin) * (0.93, 0.9, 0.89) * (1 - cover)
    elif look.clothes.kind == "suit":
        colour[:] = look.palette.clothes
        x, y = points[..., 0], points[..., 1]
        shirt = (np.abs(x) < 0.34 * ramp(y, -2.25, -1.4) + 0.05) & (points[..., 2] > 0)
        colour[shirt] = (0.93, 0.93, 0.92)
    else:
        colour[:4] = look.palette.trim if look.clothes.kind in ("crew", "scarf") else colour[4:5]
    flat = points.reshape(-1, 3)
    return Part(name="torso", quads=sheet_quads(len(HEIGHTS), COLUMNS, ring=True), colour=colour.reshape(-1, 3),
                place=fixed(flat), still=True, specular=0.03, body=1.0)  # fmt: skip


def _pattern(head: Head, points: Points) -> Colours:
    """Paint cloth: plain, or with stripes, dots or checks in the trim's colour."""
    look = head.look
    colour = np.tile(np.asarray(look.palette.clothes), (*points.shape[:2], 1))
    rows, cols = np.indices(points.shape[:2])  # along the mesh, so that edges stay sharp
    kind = look.clothes.pattern
    if kind == "stripes":
        on = rows % 5 < 2
    elif kind == "dots":
        on = (rows % 4 == 1) & ((cols + 2 * (rows // 4 % 2)) % 4 == 0)
    elif kind == "checks":
        on = (cols // 3 + rows // 3) % 2 == 0
    else:
        return colour
    soft = 0.5 if kind == "checks" else 0.9
    colour[on] = (1 - soft) * colour[on] + soft * np.asarray(look.palette.trim)
    return colour


def _part(name: str, pieces: list[tuple[Points, Index, Colours]]) -> Part:
    starts = np.cumsum([0, *(len(p) for p, _, _ in pieces)])
    return Part(
        name=name, quads=np.concatenate([q + n for (_, q, _), n in zip(pieces, starts[:-1], strict=True)]),
        colour=np.clip(np.concatenate([c for _, _, c in pieces]), 0, 1), still=True, specular=0.03, body=1.0,
        place=fixed(np.concatenate([p for p, _, _ in pieces])),
    )  # fmt: skip


def _band(
    points: Points, colour: Colour, *, shade: Field | float = 1.0, ring: bool = True
) -> tuple[Points, Index, Colours]:
    """Make a painted sheet of (rows, columns, 3) points."""
    rows, cols = points.shape[:2]
    paint = np.broadcast_to(np.asarray(colour) * np.asarray(shade)[..., None], (rows, cols, 3))
    return points.reshape(-1, 3), sheet_quads(rows, cols, ring=ring), paint.reshape(-1, 3).astype(np.float64)


def _collar_ring(head: Head, *, heights: list[float], out: list[float], tilt: float, columns: int = 40) -> Points:
    """Return rings round the neck, (rows, columns, 3): `out` beyond the neck, `tilt` lower in front than behind."""
    lon = np.linspace(-np.pi, np.pi, columns, endpoint=False)
    radius = head.look.shape.neck_width * 1.06 + np.asarray(out)[:, None]
    y = np.asarray(heights)[:, None] - tilt * np.cos(lon)[None]
    return np.stack(np.broadcast_arrays(radius * np.sin(lon), y, radius * 0.97 * np.cos(lon) - 0.21), -1)


def _flaps(head: Head, colour: Colour, *, length: float, gap: float) -> list[tuple[Points, Index, Colours]]:
    """Build the two wings of a shirt's collar: a band that folds down, longest at the front corners."""
    u, v = np.linspace(0, 1, 26)[None], np.linspace(0, 1, 5)[:, None]
    pieces: list[tuple[Points, Index, Colours]] = []
    for side in (-1, 1):
        lon = gap + (np.pi - gap) * u
        reach = length * (0.55 + 0.45 * bump(u, 0.22))
        radius = head.look.shape.neck_width * 1.04 + 0.035 + 0.75 * reach * v
        y = -1.22 - 0.17 * np.cos(lon) - 0.8 * reach * v + 0.02 * np.sin(np.pi * v)
        x = side * (radius * np.sin(lon) + 0.3 * reach * v * bump(u, 0.2))
        z = radius * np.cos(lon) - 0.20 + 0.05
        points = np.stack(np.broadcast_arrays(x, y, z), -1)
        shade = np.broadcast_to(0.86 + 0.14 * v, points.shape[:2])
        pieces.append(_band(points[:, ::-side] if side > 0 else points, colour, shade=shade, ring=False))
    return pieces


def _shirt(head: Head) -> list[Part]:
    pieces = _flaps(head, head.look.palette.trim, length=0.2, gap=0.07)
    y = np.linspace(-1.42, -2.0, 8)[:, None]
    x = np.array([-0.04, 0.0, 0.04])[None]
    front = _surface(head, np.zeros(1)[None], y)
    strip = np.stack(np.broadcast_arrays(x, front[..., 1], front[..., 2] + 0.02), -1)
    return [_part("collar", [*pieces, _band(strip, head.look.palette.trim, shade=np.full((8, 3), 0.92), ring=False)])]


def _suit(head: Head) -> list[Part]:
    palette = head.look.palette
    collar = _part("collar", _flaps(head, (0.95, 0.95, 0.94), length=0.17, gap=0.05))
    y = np.concatenate([[-1.385, -1.43, -1.49, -1.50], np.linspace(-1.53, -2.05, 7)])[:, None]
    half = np.concatenate([[0.075, 0.085, 0.05, 0.045], np.linspace(0.06, 0.12, 7)])[:, None]
    u = np.linspace(-1, 1, 5)[None]
    front = _surface(head, np.zeros(1)[None], y)
    tie = np.stack(np.broadcast_arrays(half * u, y, front[..., 2] + 0.06 - 0.03 * u**2), -1)
    stripe = np.broadcast_to(np.where(np.sin(y * 60 + 3 * u) > 0.4, 1.25, 0.95), tie.shape[:2])
    pieces = [_band(tie, palette.trim, shade=stripe, ring=False)]
    v, w = np.linspace(0, 1, 12)[:, None], np.linspace(0, 1, 4)[None]
    for side in (-1, 1):  # lapels
        inner = 0.36 * (1 - v) + 0.05 * v
        outer = inner + 0.05 + 0.22 * np.sin(np.pi * np.clip(v * 1.25 + 0.12, 0, 1)) ** 0.8
        x = inner + (outer - inner) * w
        height = -1.33 - 0.85 * v + 0 * w
        lon = np.arcsin(np.clip(x / 1.6, -1, 1))
        z = _surface(head, lon, height - 0.02)[..., 2]
        points = np.stack(np.broadcast_arrays(side * x, height, z + 0.06), -1)
        pieces.append(
            _band(
                points[:, ::side], palette.clothes, shade=np.broadcast_to(0.78 + 0.1 * w, points.shape[:2]), ring=False
            )
        )
    return [collar, _part("tie", pieces)]


def _hoodie(head: Head) -> list[Part]:
    palette = head.look.palette
    turn = np.linspace(0, 2 * np.pi, 9, endpoint=True)[:, None]
    lon = np.linspace(-np.pi, np.pi, 40, endpoint=False)[None]
    thick = 0.10 + 0.07 * (1 - np.cos(lon)) / 2
    radius = head.look.shape.neck_width * 1.08 + 0.10 + thick * np.cos(turn)
    y = -1.30 - 0.17 * np.cos(lon) + 0.08 * (1 - np.cos(lon)) / 2 - thick * np.sin(turn)
    roll = np.stack(np.broadcast_arrays(radius * np.sin(lon), y, radius * np.cos(lon) - 0.2), -1)
    shade = 0.80 + 0.12 * np.sin(9 * lon) * np.sin(turn) + 0 * turn
    pieces = [_band(roll, palette.clothes, shade=shade)]
    v = np.linspace(0, 1, 6)[:, None]
    for side in (-1, 1):  # cords
        around = np.linspace(0, 2 * np.pi, 6, endpoint=False)[None]
        y = -1.50 - 0.36 * v
        z = _surface(head, np.full((1, 1), 0.1), y)[..., 2] + 0.05
        cord = np.stack(
            np.broadcast_arrays(side * (0.15 + 0.02 * v) + 0.018 * np.cos(around), y, z + 0.018 * np.sin(around)), -1
        )
        pieces.append(_band(cord, palette.trim))
    return [_part("hood", pieces)]


def _turtleneck(head: Head) -> list[Part]:
    rings = _collar_ring(head, heights=[-1.10, -1.075, -1.08, -1.14, -1.2, -1.26, -1.38], out=[0.0, 0.02, 0.05, 0.065, 0.06, 0.06, 0.10],
                         tilt=0.12)  # fmt: skip
    ribs = 0.92 + 0.08 * np.sin(np.linspace(-np.pi, np.pi, 40, endpoint=False) * 20 + 0.8)[None]
    return [_part("collar", [_band(rings, head.look.palette.clothes, shade=np.broadcast_to(ribs, rings.shape[:2]))])]


def _scarf(head: Head) -> list[Part]:
    colour = head.look.palette.trim
    turn = np.linspace(0, 2 * np.pi, 9)[:, None]
    lon = np.linspace(-np.pi, np.pi, 44, endpoint=False)[None]
    pieces: list[tuple[Points, Index, Colours]] = []
    for level, grow in ((-1.20, 0.02), (-1.34, 0.08)):
        fold = 0.075 + 0.015 * np.sin(3 * lon + 9 * level)
        radius = head.look.shape.neck_width * 1.08 + 0.05 + grow + fold * np.cos(turn)
        y = level - 0.11 * np.cos(lon) + 0.03 * np.sin(2 * lon + level) - 1.25 * fold * np.sin(turn)
        loop = np.stack(np.broadcast_arrays(radius * np.sin(lon), y, radius * np.cos(lon) - 0.2), -1)
        stripe = 0.9 + 0.22 * np.sign(np.sin(11 * lon)) * (np.abs(np.sin(11 * lon)) > 0.8) + 0 * turn
        pieces.append(_band(loop, colour, shade=stripe))
    u, v = np.linspace(-1, 1, 6)[None], np.linspace(0, 1, 8)[:, None]
    y = -1.45 - 0.6 * v + 0 * u
    end = np.stack(
        np.broadcast_arrays(
            0.2 + 0.13 * u + 0.04 * v, y, _surface(head, np.full((1, 1), 0.15), y[:, :1])[..., 2] + 0.12 - 0.04 * u**2
        ),
        -1,
    )
    pieces.append(_band(end, colour, shade=0.9 + 0.12 * np.sign(np.sin(v * 26)) + 0 * u, ring=False))
    return [_part("scarf", pieces)]
