"""All parts of a puppet except its skin: eyeballs, lashes, brows, teeth, mouth cavity, hair, ears, clothes.

Each part is a `Part`: a mesh with colours, and a function that gives its points for a frame. A part follows the head,
the jaw, the gaze of an eye, or the skin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toonbench.puppets.body.head import Field, Head, Index, Points, bump, ramp, turn_jaw
from toonbench.puppets.look import Colour, Look, Shape
from toonbench.puppets.rig import INDEX

Place = Callable[[Points, NDArray[np.float32]], Points]  # (skin points, one frame's rig) -> this part's points


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A mesh with colours. `body` is 1 for vertices that stay with the body, 0 for those that move with the head."""

    name: str
    quads: Index
    colour: NDArray[np.float64]  # (vertices, 3) sRGB
    place: Place
    specular: float = 0.05
    gloss: float = 20.0
    unlit: float = 0.0  # 1 shows the colour independent of the light
    scatter: float = 0.0
    body: Field | float = 0.0
    still: bool = False  # moves only rigidly, with head or body


def fixed(points: Points) -> Place:
    """Place a part that only moves rigidly with head or body."""

    def place(skin: Points, rig: NDArray[np.float32]) -> Points:
        del skin, rig
        return points

    return place


def sheet_quads(rows: int, cols: int, *, ring: bool = False) -> Index:
    """Join a (rows, cols) sheet of vertices into quads; `ring` closes it sideways."""
    ids = np.arange(rows * cols).reshape(rows, cols)
    right = np.roll(ids, -1, axis=1) if ring else ids[:, 1:]
    left = ids if ring else ids[:, :-1]
    return np.stack([left[:-1], left[1:], right[1:], right[:-1]], axis=-1).reshape(-1, 4)


def _paint(count: int, colour: Colour) -> NDArray[np.float64]:
    return np.tile(np.asarray(colour, dtype=np.float64), (count, 1))


def eyeball(head: Head, which: int) -> Part:
    """Build an eyeball whose pole looks along the gaze: pupil, iris with a dark rim, white."""
    look, eye = head.look, head.eyes[which]
    shape, radius = look.shape, look.shape.eyeball_radius
    iris = np.arcsin(shape.iris_radius / radius)
    pupil = iris * shape.pupil
    e = 0.02
    angles = np.array([0, pupil - e, pupil + e, 0.55 * pupil + 0.45 * iris, 0.8 * iris + 0.2 * pupil, iris - 2.4 * e, iris - 0.6 * e,
                       iris + e, 0.7, 0.95, 1.2, 1.57, 1.9])  # fmt: skip
    angles = np.sort(np.clip(angles, 0, 1.9))
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    local = radius * np.stack(
        [
            np.outer(np.sin(angles), np.cos(turn)),
            np.outer(np.sin(angles), np.sin(turn)),
            np.outer(np.cos(angles), np.ones(40)),
        ],
        axis=-1,
    ).reshape(-1, 3)
    colour = _eye_colour(look, angles=np.repeat(angles, 40), turn=np.tile(turn, len(angles)), iris=iris, pupil=pupil)

    def place(skin: Points, rig: NDArray[np.float32]) -> Points:
        del skin
        yaw = np.radians(21) * float(rig[INDEX["gaze_x"]])
        pitch = np.radians(14) * float(rig[INDEX["gaze_y"]])
        turned = local @ rotation(yaw=yaw, pitch=pitch, roll=0.0).T
        return turned + eye.centre

    return Part(name="eyeball", quads=sheet_quads(len(angles), 40, ring=True), colour=colour, place=place,
                specular=0.25, gloss=60.0, unlit=0.3)  # fmt: skip


def _eye_colour(look: Look, *, angles: Field, turn: Field, iris: float, pupil: float) -> NDArray[np.float64]:
    white, tone = np.asarray(look.palette.white), np.asarray(look.palette.iris)
    rng = np.random.default_rng(look.scene.background_seed)
    rays = 1 + 0.12 * rng.normal(size=40)[(turn / (2 * np.pi) * 40).astype(int) % 40]
    depth = np.clip((angles - pupil) / (iris - pupil), 0, 1)
    glow = 1.35 - 0.25 * depth - 0.45 * np.sin(turn)  # lighter below, where light leaves the iris
    colour = np.clip(tone[None] * (glow * rays)[:, None], 0, 1)
    colour[depth > 0.82] *= 0.45
    colour[angles <= pupil] = 0.015
    outside = angles > iris
    above = np.sin(angles) * np.sin(turn)
    lid = 1 - 0.42 * look.palette.shadow * ramp(above[outside], 0.1, 0.62)  # the upper lid's shadow
    white = white * (lid * (1 - 0.14 * ramp(angles[outside], iris, 1.1)))[:, None] ** np.array([0.9, 1.05, 1.0])
    corner = 0.35 * look.palette.shadow * ramp(np.abs(np.sin(angles) * np.cos(turn))[outside], 0.55, 0.9)[:, None]
    colour[outside] = white * (1 - corner) + np.array([0.80, 0.55, 0.50]) * corner
    colour[~outside] *= (1 - 0.3 * look.palette.shadow * ramp(above[~outside], 0.1, 0.5))[:, None]
    return colour


def catchlight(head: Head, which: int) -> Part:
    """Build the white reflection of the key light on an eye: one large spot and a small one opposite."""
    look, eye = head.look, head.eyes[which]
    radius = look.shape.eyeball_radius * 1.018
    iris = np.arcsin(look.shape.iris_radius / look.shape.eyeball_radius)
    side = np.sign(look.scene.key_azimuth)
    large = look.shape.catchlight
    spots = [
        ((side * 0.42 * iris, 0.45 * iris), large * iris),
        ((-side * 0.38 * iris, -0.40 * iris), 0.45 * large * iris),
    ]
    turn = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    discs = []
    for (ax, ay), size in spots:
        for ring in (0.0, 1.0):
            bx, by = ax + ring * size * np.cos(turn), ay + ring * size * np.sin(turn)
            discs.append(radius * np.stack([np.sin(bx) * np.cos(by), np.sin(by), np.cos(bx) * np.cos(by)], -1))
    local = np.concatenate(discs)
    one = sheet_quads(2, 14, ring=True)

    def place(skin: Points, rig: NDArray[np.float32]) -> Points:
        del skin
        yaw = np.radians(21) * 0.6 * float(rig[INDEX["gaze_x"]])
        pitch = np.radians(14) * 0.6 * float(rig[INDEX["gaze_y"]])
        return local @ rotation(yaw=yaw, pitch=pitch, roll=0.0).T + eye.centre

    return Part(
        name="catchlight",
        quads=np.concatenate([one, one + 28]),
        colour=_paint(56, (1.0, 1.0, 1.0)),
        place=place,
        unlit=1.0,
    )


def lash(head: Head, which: int) -> Part:
    """Build the dark line of the upper lashes along the lid's rim, with a wing at the outer corner."""
    eye, thick = head.eyes[which], head.look.shape.lash
    count = len(eye.upper)
    t = np.linspace(-1, 1, count) * eye.side  # 1 at the outer corner
    taper = 0.35 + 0.65 * np.clip(1 - t**4, 0, 1)
    wing = thick * 1.3 * np.clip(t - 0.45, 0, 1)
    dark = np.asarray(head.look.palette.brow) * 0.35 + 0.02

    def place(skin: Points, rig: NDArray[np.float32]) -> Points:
        del rig
        rim = skin[eye.upper]
        lift = (rim - eye.centre) / np.linalg.norm(rim - eye.centre, axis=1, keepdims=True)
        top = rim + 0.016 * lift + np.stack([wing * eye.side, thick * taper + 0.5 * wing, 0 * wing], -1)
        low = rim + 0.016 * lift - np.stack([0 * wing, 0.3 * thick * taper, 0 * wing], -1)
        return np.concatenate([top, low])

    return Part(
        name="lash",
        quads=sheet_quads(2, count),
        colour=_paint(2 * count, (dark[0], dark[1], dark[2])),
        place=place,
        unlit=0.6,
    )


def brow_line(shape: Shape, u: Field) -> tuple[Field, Field]:
    """Return the centre line of an eyebrow (distance from the face's middle, height) from its inner (0) to its outer end (1)."""
    wide = shape.eye_half_width - 0.145
    out = shape.eye_x - 0.175 - 0.3 * wide + u * (0.355 + 1.1 * wide)
    return out, shape.brow_y + shape.brow_arch * (1 - ((u - 0.62) / 0.62) ** 2)


def brow(head: Head, side: int) -> Part:
    """Build an eyebrow as a curved strip that moves with the skin."""
    from scipy.spatial import KDTree

    shape, count, rows = head.look.shape, 30, 6
    soft = shape.brow_hair
    rng = np.random.default_rng(head.look.scene.background_seed + 5)
    u = np.linspace(0, 1, count)
    out, middle = brow_line(shape, u)
    x = side * out
    half = 0.5 * shape.brow_thickness * (np.clip(u / 0.12, 0.45, 1) * np.clip((1.06 - u) / 0.6, 0, 1) ** 0.8)
    v = np.linspace(-1, 1, rows)
    ragged = 1 + soft * np.where(v[:, None] > 0, 0.5, 0.3) * rng.uniform(-0.7, 0.7, (rows, count))
    y = middle[None] + half[None] * v[:, None] * ragged
    plane = np.stack([np.broadcast_to(x, y.shape), y], -1).reshape(-1, 2)
    rest = head.rest
    front = np.flatnonzero((rest[:, 2] > 0.2) & (np.abs(rest[:, 1] - shape.brow_y) < 0.25) & (side * rest[:, 0] > -0.1))
    tree = KDTree(head.rest[front, :2])
    distance, near = tree.query(plane, k=4)
    share = 1 / (distance + 1e-3) ** 2
    share /= share.sum(axis=1, keepdims=True)
    bound = front[near]
    puff = shape.brow_out * np.sqrt(np.clip(1 - v**2, 0, 1))[:, None] * np.ones(count) + 0.012
    shift = plane - (head.rest[bound, :2] * share[..., None]).sum(1)
    thin = soft * (0.62 * np.abs(v[:, None]) ** 3 + 0.35 * ramp(u, 0.75, 1.0)[None] + 0.3 * ramp(u, 0.15, 0.0)[None])
    thin = np.clip(thin + 0.22 * soft * rng.uniform(-1, 1, (rows, count)), 0, 0.85).reshape(-1, 1)
    colour = (
        _paint(rows * count, head.look.palette.brow) * (1 - thin) + 0.85 * np.asarray(head.look.palette.skin) * thin
    )

    def place(skin: Points, rig: NDArray[np.float32]) -> Points:
        del rig
        points = (skin[bound] * share[..., None]).sum(1)
        points[:, :2] += shift
        points[:, 2] += puff.reshape(-1)
        return points

    return Part(name="brow", quads=sheet_quads(rows, count), colour=colour, place=place, specular=0.02,
                unlit=0.15)  # fmt: skip


def mouth_cavity(head: Head) -> Part:
    """Build the dark mouth cavity, joined to both lip rims so that there is no visible gap."""
    count, rows = len(head.lip_upper), 9
    f = np.linspace(0, 1, rows)[:, None, None]
    back = 0.34 * np.sin(np.pi * f[..., 0]) ** 0.5
    colour = np.tile(np.array([0.20, 0.05, 0.05]), (rows * count, 1))
    dim = (0.35 + 0.65 * np.abs(2 * f[:, 0, 0] - 1) ** 2)[:, None] * np.ones(count)
    colour *= dim.reshape(-1, 1)

    def place(skin: Points, rig: NDArray[np.float32]) -> Points:
        del rig
        points = skin[head.lip_upper][None] * (1 - f) + skin[head.lip_lower][None] * f
        points[..., 2] -= back
        return points.reshape(-1, 3)

    return Part(name="cavity", quads=sheet_quads(rows, count), colour=colour, place=place, specular=0.0, unlit=0.5)


def teeth(head: Head, *, upper: bool) -> Part:
    """Build a row of teeth behind the lips; the lower row moves with the jaw."""
    shape, count, rows = head.look.shape, 31, 4
    rim = head.rest[head.lip_upper]
    x = np.linspace(-0.92, 0.92, count) * shape.mouth_half_width
    z = np.interp(x, rim[:, 0], rim[:, 2]) - 0.055 - 0.35 * (x / shape.mouth_half_width) ** 4 * 0.15
    y = np.linspace(0.06, -shape.teeth, rows) if upper else np.linspace(-0.004, -0.09, rows)
    rest = np.stack(np.broadcast_arrays(x[None], shape.mouth_y + y[:, None], z[None]), -1).reshape(-1, 3).copy()
    gaps = 1 - 0.10 * (np.cos(np.arange(count) * 2 * np.pi / 3) > 0.9)
    fade = (1 - 0.45 * np.abs(x / x[-1]) ** 2) * gaps * (0.97 if upper else 0.85)
    colour = _paint(rows * count, (0.95, 0.93, 0.88)) * np.tile(fade, rows)[:, None]

    def place(skin: Points, rig: NDArray[np.float32]) -> Points:
        del skin
        points = rest if upper else turn_jaw(rest, 0.97, float(rig[INDEX["jaw_open"]]) * min(shape.gain, 1.15))
        smile, wide = (
            float(rig[INDEX["smile"]]) * shape.gain + shape.mouth_curve,
            float(rig[INDEX["mouth_wide"]]) * shape.gain,
        )
        pucker = min(1.0, float(rig[INDEX["mouth_pucker"]]) * shape.gain)
        stretch = (1 - 0.45 * pucker) * (1 + 0.2 * smile + 0.16 * wide)
        arc = (
            (0.075 if upper else 0.05) * smile * (rest[:, 0] / shape.mouth_half_width) ** 2
        )  # smiles show an arc of teeth
        points = points * np.array([stretch, 1.0, 1.0])
        points[:, 1] += arc
        points[:, 2] -= 0.6 * arc
        if not upper:  # behind a lower lip that is stretched wide
            points[:, 2] -= 0.1 * (smile + wide) * (rest[:, 0] / shape.mouth_half_width) ** 2
        return points

    return Part(name="teeth", quads=sheet_quads(rows, count), colour=colour, place=place, specular=0.1, unlit=0.35)


def tongue(head: Head) -> Part:
    """Build the tongue, lying on the jaw."""
    shape, rows, cols = head.look.shape, 7, 14
    a, b = np.linspace(0.05, np.pi / 2, rows)[:, None], np.linspace(0, 2 * np.pi, cols, endpoint=False)[None]
    z = float(head.rest[head.lip_upper, 2].max()) - 0.30
    groove = 1 - 0.25 * bump(np.sin(a) * np.cos(b), 0.12)
    rest = np.stack(np.broadcast_arrays(
        0.62 * shape.mouth_half_width * np.sin(a) * np.cos(b), shape.mouth_y - 0.095 + 0.08 * np.cos(a) * groove,
        z + 0.03 + 0.2 * np.sin(a) * np.sin(b),
    ), -1).reshape(-1, 3).copy()  # fmt: skip

    def place(skin: Points, rig: NDArray[np.float32]) -> Points:
        del skin
        return turn_jaw(rest, 0.9, float(rig[INDEX["jaw_open"]]) * min(shape.gain, 1.15))

    return Part(name="tongue", quads=sheet_quads(rows, cols, ring=True), colour=_paint(rows * cols, (0.66, 0.27, 0.27)),
                place=place, specular=0.15, unlit=0.2)  # fmt: skip


def ear(head: Head, side: int) -> Part:
    """Build an ear: a flat shell with a raised rim and a bowl."""
    shape = head.look.shape
    rows, cols = 9, 20
    r, b = np.linspace(0, 1, rows)[:, None], np.linspace(0, 2 * np.pi, cols, endpoint=False)[None]
    lobe = 1 - 0.28 * ramp(-np.sin(b), 0.2, 1.0)
    along = r * np.cos(b) * 0.56 * shape.ear * lobe
    high = r * np.sin(b) * shape.ear
    height = 0.035 * bump(r - 0.85, 0.16) - 0.05 * bump(r - 0.35, 0.3) * (np.cos(b) > -2) - 0.12 * ramp(r, 0.9, 1.0)
    width = 0.5 * (shape.skull_width + shape.cheek_width)
    root = np.array([width * 0.985, -0.08, -0.10])
    swing = 0.5 + shape.ear_out * 2
    x = root[0] + 0.045 + height + (-along) * swing * 0.8 + 0 * b
    rest = np.stack(np.broadcast_arrays(side * x, root[1] + high, root[2] + along), -1).reshape(-1, 3).copy()
    tint = (1 - 0.22 * bump(r - 0.35, 0.25) + 0 * b).reshape(-1, 1) * np.array([1.0, 0.93, 0.91])
    colour = _paint(rows * cols, head.look.palette.skin) * tint
    quads = sheet_quads(rows, cols, ring=True)
    return Part(name="ear", quads=quads, colour=colour, place=fixed(rest), still=True, scatter=0.5)


def rotation(*, yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Return the (3, 3) rotation for angles in radians: yaw to the right, pitch up, roll to the right."""
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    tip = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
    return tip @ turn @ nod
