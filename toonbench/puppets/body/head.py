"""The skin of a puppet: skull, face and neck as one sheet with slits for eyes and mouth, deformed by the rig.

The sheet is a stack of rounded cross-sections (rows, crown to collar) by directions round the head (columns); nose,
lips, sockets and chin are displacement fields on it. The row at eye height and the row at mouth height exist twice,
so that lids and lips can open there. All positions are in the head's own frame; see `toonbench.puppets.look` for units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toonbench.puppets.body.dents import dents
from toonbench.puppets.look import Look, Shape
from toonbench.puppets.rig import INDEX

Points = NDArray[np.float64]  # (vertices, 3)
Index = NDArray[np.int64]
Field = NDArray[np.float64]

CROWN_ROWS, BROW_ROWS, NOSE_ROWS, CHIN_ROWS, UNDER_ROWS, NECK_ROWS = 11, 25, 43, 22, 6, 7
JAW_HINGE = (-0.15, 0.0)  # y, z
JAW_DEGREES = 15.0


def bump(value: Field, width: float) -> Field:
    """Return a Gaussian bump, 1 at 0."""
    return np.exp(-((value / width) ** 2))


def ramp(value: Field, low: float, high: float) -> Field:
    """Rise smoothly from 0 at `low` to 1 at `high` (which may be the lower one)."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


@dataclass(frozen=True, slots=True, kw_only=True)
class Eye:
    """One eye's slit and the skin round it. Upper and lower rims run from -x to +x."""

    side: int  # +1 is at +x, the puppet's own left
    centre: Points  # (3,) of the eyeball
    upper: Index
    lower: Index
    near: Index  # skin vertices that the lids move
    across: Field  # of `near`: -1 at the inner to 1 at the outer corner
    lid: Field  # of `near`: the share of the rim's movement; > 0 upper lid, < 0 lower lid
    ball: Index  # skin vertices that must stay outside the eyeball


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """An expression at full strength: the vertices that it moves, and how far."""

    at: Index
    by: Points  # (len(at), 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The rest mesh of the skin and all its properties that are equal in all frames."""

    look: Look
    rest: Points
    quads: Index  # (quads, 4)
    lon: Field  # direction round the head, radians, 0 in front
    weight: Field  # 1 moves with the head, 0 with the body
    jaw: Field  # share of the jaw's rotation
    eyes: tuple[Eye, Eye]
    lip_upper: Index  # rim vertices from -x to +x
    lip_lower: Index
    chin_row: Index  # vertices of the jaw's edge, by direction
    moves: dict[str, Move]  # by channel
    jaw_at: Index  # vertices with a share of the jaw's rotation
    grid: Points  # (rows, columns, 3) of the rest sheet before it was cut, for hair


def _profile(y: Field, keys: list[tuple[float, float]]) -> Field:
    """Interpolate smoothly through (height, value) keys, without overshoot."""
    from scipy.interpolate import PchipInterpolator

    keys = sorted(keys)
    curve = PchipInterpolator([k[0] for k in keys], [k[1] for k in keys], extrapolate=False)
    return np.asarray(curve(np.clip(y, keys[0][0], keys[-1][0])))


def columns() -> Field:
    """Return the directions round the head in radians: dense in front, sparse behind."""
    front = np.linspace(-40, 40, 69)
    cheek = 40 + 40 * np.linspace(0, 1, 19)[1:] ** 1.2
    back = 80 + 100 * np.linspace(0, 1, 14)[1:] ** 1.1
    side = np.concatenate([cheek, back])
    return np.radians(np.concatenate([-side[-2::-1], front, side]))


def _toward(start: float, stop: float, count: int, *, power: float) -> Field:
    """Return `count` heights from `start` to before `stop`, closer together near `stop`."""
    return stop + (start - stop) * (1 - np.linspace(0, 1, count, endpoint=False)) ** power


def base_sheet(shape: Shape) -> tuple[Points, Field, int, int]:
    """Build the head without features: (rows, columns, 3), head weight per row, row of the eye line and of the mouth."""
    lon = columns()
    top = 0.45
    angle = np.linspace(np.pi / 2, 0, CROWN_ROWS, endpoint=False)
    u = np.linspace(0, 1, NOSE_ROWS, endpoint=False)
    heights = np.concatenate(
        [
            top + (shape.crown_y - top) * np.sin(angle),
            _toward(top, 0.0, BROW_ROWS, power=1.3),
            shape.mouth_y * (u - 0.36 * np.sin(2 * np.pi * u) / (2 * np.pi)),  # lids and lips need the most rows
            shape.mouth_y + (shape.chin_y - shape.mouth_y) * np.linspace(0, 1, CHIN_ROWS) ** 1.25,
        ]
    )
    shrink = np.ones_like(heights)
    shrink[:CROWN_ROWS] = np.cos(angle) ** 0.9
    rise = 0.40 * ramp(np.abs(lon), np.radians(10), np.radians(96))
    lift = ramp(heights, shape.mouth_y + 0.2, shape.chin_y - 0.02)
    y = heights[:, None] + lift[:, None] * rise[None]
    width = shrink[:, None] * _profile(y, [
        (top, shape.skull_width), (0.05, 0.5 * (shape.skull_width + shape.cheek_width)), (-0.2, shape.cheek_width),
        (shape.mouth_y, shape.jaw_width), (shape.chin_y + 0.12, 0.5 * (shape.chin_width + shape.jaw_width) * 0.94),
        (shape.chin_y, shape.chin_width),
    ])  # fmt: skip
    front = shrink * _profile(heights, [
        (top, shape.forehead_z * 0.95), (0.2, shape.forehead_z), (-0.1, shape.face_z), (shape.mouth_y, shape.face_z),
        (shape.chin_y + 0.15, shape.chin_z), (shape.chin_y, shape.chin_z - 0.09),
    ])  # fmt: skip
    back = shrink * _profile(heights, [
        (top, shape.back_z), (0.0, shape.back_z * 0.96), (-0.35, shape.back_z * 0.78), (shape.chin_y, shape.back_z * 0.62),
    ])  # fmt: skip
    sine, cosine = np.sin(lon)[None], np.cos(lon)[None]
    depth = np.where(cosine > 0, front[:, None], back[:, None])
    n = shape.roundness
    radius = (np.abs(sine / np.maximum(width, 1e-6)) ** n + np.abs(cosine / np.maximum(depth, 1e-6)) ** n) ** (-1 / n)
    sheet = np.stack([radius * sine, y, radius * cosine], axis=-1)
    neck = _neck(sheet[-1], shape)
    weight = np.concatenate([np.ones(len(heights) + UNDER_ROWS), np.linspace(0.9, 0.0, NECK_ROWS)])
    return np.concatenate([sheet, neck]), weight, CROWN_ROWS + BROW_ROWS, CROWN_ROWS + BROW_ROWS + NOSE_ROWS


def _neck(edge: Points, shape: Shape) -> Points:
    """Continue the sheet from the jaw's edge (columns, 3) under the jaw and down the neck."""
    lon = columns()
    radius = shape.neck_width
    ring = np.stack([radius * np.sin(lon), edge[:, 1] - 0.1, radius * 0.95 * np.cos(lon) - 0.2], axis=-1)
    rows = []
    for u in np.linspace(0, 1, UNDER_ROWS + 1)[1:]:
        row = edge + (ring - edge) * u**1.35
        row[:, 1] = edge[:, 1] - 0.1 * np.sin(u * np.pi / 2)
        rows.append(row)
    for u in np.linspace(0, 1, NECK_ROWS + 1)[1:]:
        row = ring.copy()
        row[:, 1] = ring[:, 1] + (-1.85 - ring[:, 1]) * u
        row[:, [0, 2]] *= 1 + 0.12 * u * u
        rows.append(row)
    return np.stack(rows)


def feature_depth(x: Field, y: Field, shape: Shape) -> Field:
    """Return the height of the features above the base sheet at (x, y), towards the camera."""
    ax, ex, ym, yn = np.abs(x), shape.eye_x, shape.mouth_y, shape.nose_y
    out = 0.03 * bump(y - shape.brow_y, 0.09) * bump(x, 0.42)
    spread_x, spread_y = 0.15 + 0.25 * shape.eye_half_width, 0.08 + 0.9 * shape.eye_up
    out -= shape.socket * bump(ax - ex * 0.98, spread_x) * bump(y, spread_y)
    t = np.clip((0.1 - y) / (0.1 - (yn + 0.05)), 0, 1)  # 0 at the bridge's root, 1 at the tip
    ridge = (shape.nose_bridge + (shape.nose_out * 0.62 - shape.nose_bridge) * t**1.3) * np.where(y > yn + 0.03, 1, 0)
    ridge = np.where(y > 0.1, shape.nose_bridge * bump(y - 0.1, 0.09), ridge * ramp(y, yn - 0.015, yn + 0.06))
    out += ridge * bump(x, 0.062 + 0.035 * float(shape.nose_width / 0.125))
    ball = shape.nose_out * 0.55
    out += (
        ball
        * bump(x, shape.nose_ball * 1.05)
        * np.where(y > yn + 0.06, bump(y - yn - 0.06, 0.1), bump(y - yn - 0.06, 0.062))
    )
    wing_y = np.where(y > yn + 0.045, bump(y - yn - 0.045, 0.075), bump(y - yn - 0.045, 0.05))
    out += 0.36 * shape.nose_out * bump(ax - shape.nose_width * 0.82, 0.052) * wing_y
    out += 0.06 * bump(x, 0.34) * bump(y - ym, 0.2) + shape.chin_out * bump(x, 0.15) * bump(
        y - shape.chin_y - 0.14, 0.1
    )
    out -= 0.035 * bump(x, 0.2) * bump(y - (ym - 0.17), 0.055)
    out += shape.cheek_puff * bump(ax - 0.43, 0.2) * bump(y + 0.28, 0.2)
    out += shape.muzzle * bump(x, 0.34) * bump(y - 0.62 * ym - 0.38 * yn, 0.27)
    out -= 0.014 * bump(x, 0.022) * bump(y - 0.5 * (ym + yn), 0.07)
    return out + _lips(x, y, shape)


def lip_reach(x: Field, y: Field, shape: Shape) -> Field:
    """Return the distance from the mouth line in lip heights: 0 at the line, 1 at the lip's border; large off the lips."""
    q = np.abs(x) / shape.mouth_half_width
    taper = np.clip(1 - q**2, 0, 1) ** 0.75
    bow = 1 - 0.22 * bump(x, 0.035) + 0.10 * bump(np.abs(x) - 0.07, 0.05)
    height = np.where(y >= shape.mouth_y, shape.lip_up * bow, shape.lip_down) * taper
    return np.where(q < 1, np.abs(y - shape.mouth_y) / np.maximum(height, 1e-4), 99.0)


def _lips(x: Field, y: Field, shape: Shape) -> Field:
    reach = lip_reach(x, y, shape)
    taper = np.clip(1 - (np.abs(x) / shape.mouth_half_width) ** 2, 0, 1) ** 0.5
    roll = np.clip(1 - ((reach - 0.42) / 0.85) ** 2, 0, 1)
    full = np.where(y >= shape.mouth_y, 0.85, 1.0)
    line = 0.03 * bump(y - shape.mouth_y, 0.016) * ramp(1.25 - np.abs(x) / shape.mouth_half_width, 0, 0.35)
    return shape.lip_out * roll * taper * full - line


def build_head(look: Look) -> Head:
    """Build the skin of a look at rest: lids closed on the eye line, lips closed on the mouth line."""
    shape = look.shape
    sheet, row_weight, eye_row, mouth_row = base_sheet(shape)
    lon = columns()
    front = ramp(np.abs(lon), np.radians(100), np.radians(60))
    grid = sheet.copy()
    rows_of_face = slice(0, mouth_row + CHIN_ROWS + UNDER_ROWS)
    depth = feature_depth(sheet[rows_of_face, :, 0], sheet[rows_of_face, :, 1], shape) * front
    depth[mouth_row + CHIN_ROWS :] *= np.linspace(0.8, 0, UNDER_ROWS)[:, None]
    grid[rows_of_face, :, 2] += depth
    if shape.dents:
        grid[rows_of_face] += shape.dents * dents(sheet[rows_of_face], seed=look.scene.background_seed)
    order = np.sort(np.concatenate([np.arange(len(sheet)), [eye_row, mouth_row]]))
    upper_eye, upper_mouth = eye_row, mouth_row + 1  # rows in `order`; the lower copy is the next row
    x_eye = np.abs(sheet[eye_row, :, 0])
    eye_slit = (np.abs((x_eye - shape.eye_x) / shape.eye_half_width) < 0.995) & (np.abs(lon) < 1.4)
    mouth_slit = (np.abs(sheet[mouth_row, :, 0]) < shape.mouth_half_width * 0.985) & (np.abs(lon) < 1.2)
    ids = np.arange(len(order) * len(lon)).reshape(len(order), len(lon))
    ids[upper_eye + 1] = np.where(eye_slit, ids[upper_eye + 1], ids[upper_eye])
    ids[upper_mouth + 1] = np.where(mouth_slit, ids[upper_mouth + 1], ids[upper_mouth])
    kept, compact = np.unique(ids, return_inverse=True)
    ids = compact.reshape(ids.shape)
    rest = grid[order].reshape(-1, 3)[kept]
    flat = np.repeat(np.arange(len(order)), len(lon))[kept]
    base = sheet[order].reshape(-1, 3)[kept]
    all_lon = np.tile(lon, len(order))[kept]
    below = flat > upper_mouth
    under = np.interp(flat, [upper_mouth + CHIN_ROWS, upper_mouth + CHIN_ROWS + UNDER_ROWS + 2], [1.0, 0.0])
    jaw = _jaw_share(base, all_lon, below=below, shape=shape) * under
    eyes = tuple(
        _eye(
            side, shape=shape, rest=rest, base=base, flat=flat, row=upper_eye, ids=ids, slit=eye_slit & (lon * side > 0)
        )
        for side in (-1, 1)
    )
    return Head(
        look=look, rest=rest, quads=_quads(ids, skip=(upper_eye, upper_mouth)), lon=all_lon,
        weight=np.repeat(row_weight[order], len(lon))[kept], jaw=jaw, jaw_at=np.flatnonzero(jaw), eyes=(eyes[0], eyes[1]),
        lip_upper=ids[upper_mouth, mouth_slit], lip_lower=ids[upper_mouth + 1, mouth_slit],
        chin_row=ids[upper_mouth + CHIN_ROWS], moves=_moves(base, all_lon, shape=shape, below=below), grid=grid,
    )  # fmt: skip


def _quads(ids: Index, *, skip: tuple[int, ...]) -> Index:
    """Join neighbouring vertices into quads, outward-facing, closing the ring and leaving out the slits' rows."""
    following = np.roll(ids, -1, axis=1)
    quads = np.stack([ids[:-1], ids[1:], following[1:], following[:-1]], axis=-1)
    return quads[[r for r in range(len(quads)) if r not in skip]].reshape(-1, 4)


def _jaw_share(base: Points, lon: Field, *, below: NDArray[np.bool_], shape: Shape) -> Field:
    """Return the share of the jaw's rotation of each vertex: 1 below the mouth line, 0 above, blended beyond the corners."""
    q = np.abs(base[:, 0]) / shape.mouth_half_width
    away = np.abs(base[:, 1] - shape.mouth_y)
    blend = 0.5 * np.clip(q, 0, 1) ** 2.6 * np.exp(-away / 0.16)
    share = np.where(below, 1 - blend, blend)
    return share * ramp(np.abs(lon), np.radians(88), np.radians(34))


def _eye(
    side: int, *, shape: Shape, rest: Points, base: Points, flat: Index, row: int, ids: Index, slit: NDArray[np.bool_]
) -> Eye:
    """Find the rims of one eye and the skin that is moved by its lids and its ball."""
    across = (base[:, 0] * side - shape.eye_x) / shape.eye_half_width
    up = flat <= row
    reach = np.where(up, 0.9 * shape.brow_y + 0.04, 0.62 * abs(shape.nose_y) + 0.06)
    near = np.flatnonzero((np.abs(across) < 1) & (np.abs(base[:, 1]) < reach))
    share = (1 - np.abs(base[near, 1]) / reach[near]) ** 1.4 * np.where(up[near], 1.0, -1.0)
    at = np.argmin(np.abs(base[:, 0] * side - shape.eye_x) + 10 * np.abs(base[:, 1]) + 10 * (base[:, 2] < 0))
    centre = np.array([side * shape.eye_x, 0.0, base[at, 2] + shape.eyeball_out - shape.eyeball_radius])
    distance = np.hypot(base[:, 0] - centre[0], base[:, 1])
    ball = np.flatnonzero((distance < shape.eyeball_radius * 1.6) & (base[:, 2] > 0))
    del rest
    return Eye(
        side=side, centre=centre, upper=ids[row, slit], lower=ids[row + 1, slit], near=near, across=across[near],
        lid=share, ball=ball,
    )  # fmt: skip


def _moves(base: Points, lon: Field, *, shape: Shape, below: NDArray[np.bool_]) -> dict[str, Move]:
    """Return each expression's displacement, without jaw and lids."""
    x, y = base[:, 0], base[:, 1]
    sign, ax = np.sign(x), np.abs(x)
    front = ramp(np.abs(lon), np.radians(95), np.radians(55))
    q, dy = ax / shape.mouth_half_width, y - shape.mouth_y
    corner = np.where(q < 1, q**1.8, bump(q - 1, 0.62)) * bump(dy, 0.22) * front
    cheek = bump(ax - 0.42, 0.2) * bump(y + 0.3, 0.17) * front
    mouth = np.exp(-((q / 1.35) ** 4)) * bump(dy, 0.2) * front
    lips = bump(q, 0.8) * bump(dy, 0.15) * front
    nothing = np.zeros_like(x)
    part = np.where(below, -1.0, 1.0) * np.clip(1 - q**2, 0, 1) * bump(dy, 0.12) * front
    moves = {
        "smile": np.stack([0.085 * sign * corner, 0.095 * corner + 0.05 * cheek, 0.035 * cheek - 0.05 * corner], -1),
        "frown": np.stack([0.01 * sign * corner, -0.10 * corner + 0.02 * lips, -0.015 * corner], -1),
        "mouth_wide": np.stack([0.075 * sign * corner, 0.012 * part, -0.04 * corner], -1),
        "mouth_pucker": np.stack([-0.42 * x * mouth, 0.022 * part, 0.10 * lips - 0.01 * mouth], -1),
    }
    for name, side in (("brow_up_left", 1), ("brow_up_right", -1)):
        half = ramp(x * side, -0.06, 0.1)
        lift = bump(ax - shape.eye_x, 0.3) * bump(y - shape.brow_y, 0.17) * half * front
        moves[name] = np.stack([nothing, 0.10 * lift, nothing], -1)
    knit = bump(ax - 0.14, 0.15) * bump(y - shape.brow_y, 0.13) * front
    moves["brow_furrow"] = np.stack([-0.035 * sign * knit, -0.07 * knit, 0.02 * knit], -1)
    return {name: _sparse(move) for name, move in moves.items()}


def _sparse(move: Points) -> Move:
    x, y, z = np.abs(move).T > 1e-4
    at = np.flatnonzero(x | y | z)
    return Move(at=at, by=move[at])


def turn_jaw(points: Points, share: Field | float, opening: float) -> Points:
    """Rotate points about the jaw's hinge by `share` of the jaw's opening (0 to 1, or more with gain)."""
    angle = np.radians(JAW_DEGREES) * opening * np.asarray(share)
    y, z = points[:, 1] - JAW_HINGE[0], points[:, 2] - JAW_HINGE[1]
    turned = points.copy()
    turned[:, 1] = JAW_HINGE[0] + y * np.cos(angle) - z * np.sin(angle)
    turned[:, 2] = JAW_HINGE[1] + y * np.sin(angle) + z * np.cos(angle)
    return turned


def pose_head(head: Head, rig: NDArray[np.float32]) -> Points:
    """Deform the skin by one frame's expression channels, (vertices, 3), in the head's own frame."""
    shape = head.look.shape
    points = head.rest.copy()
    opening = float(rig[INDEX["jaw_open"]]) * min(shape.gain, 1.15)
    if opening:
        points[head.jaw_at] = turn_jaw(head.rest[head.jaw_at], head.jaw[head.jaw_at], opening)
    for name, move in head.moves.items():
        strength = float(rig[INDEX[name]]) * shape.gain + (shape.mouth_curve if name == "smile" else 0.0)
        if strength:
            points[move.at] += strength * move.by
    for eye in head.eyes:
        _pose_lids(points, eye, shape=shape, rig=rig)
    return points


def _pose_lids(points: Points, eye: Eye, *, shape: Shape, rig: NDArray[np.float32]) -> None:
    """Open the lids by one frame's blink, and keep the skin round the eye outside the eyeball; changes `points` in place."""
    own = "left" if eye.side > 0 else "right"
    blink = float(rig[INDEX[f"blink_{own}"]])
    raised = float(rig[INDEX[f"brow_up_{own}"]])
    squint = 0.30 * float(rig[INDEX["smile"]]) + 0.15 * float(rig[INDEX["brow_furrow"]])
    look_up = float(rig[INDEX["gaze_y"]])
    t = eye.across
    almond = np.clip(1 - t**2, 0, 1)
    top = shape.eye_up * almond**0.62 * (1 + 0.12 * raised - 0.25 * squint + 0.10 * look_up)
    bottom = -shape.eye_down * almond**0.8 * (1 - squint - 0.1 * look_up)
    shut = -0.72 * shape.eye_down * almond**0.8
    tilt = shape.eye_tilt * t
    top = top + (shut - top) * blink
    bottom = bottom + (shut - bottom) * blink
    rim = np.where(eye.lid > 0, top, bottom) + tilt * np.clip(almond * 4, 0, 1)
    points[eye.near, 1] += rim * np.abs(eye.lid)
    offset = points[eye.ball] - eye.centre
    radius = shape.eyeball_radius * 1.05
    inside = radius**2 - offset[:, 0] ** 2 - offset[:, 1] ** 2
    surface = np.sqrt(np.maximum(inside, 0)) - np.maximum(-inside, 0) * 4
    softness = 0.035
    points[eye.ball, 2] = eye.centre[2] + 0.5 * (
        offset[:, 2] + surface + np.sqrt((offset[:, 2] - surface) ** 2 + softness**2)
    )
