"""The parts of an animal's or a monster's head: ears, nose pad, whiskers, tufts, horns, and the markings of its coat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toonbench.puppets.body.head import Field, Head, Points, bump, ramp
from toonbench.puppets.body.locks import ALONG, lock_mesh, tube
from toonbench.puppets.body.parts import Part, fixed, rotation, sheet_quads
from toonbench.puppets.look import Colour, Creature
from toonbench.puppets.rig import INDEX

Colours = NDArray[np.float64]
ROWS, RING = 16, 28  # vertices of an ear


def creature_parts(head: Head, creature: Creature) -> list[Part]:
    """Return the parts that replace human ears and hair on a creature."""
    parts: list[Part] = []
    if creature.ears:
        parts += [animal_ear(head, creature, side=side) for side in (-1, 1)]
    if creature.pad:
        parts.append(nose_pad(head, creature))
    if creature.whiskers:
        parts.append(whisker_hairs(head, creature))
    if creature.cheeks or creature.tuft:
        parts.append(tufts(head, creature))
    if creature.horns:
        parts += [horn(head, creature, side=side) for side in (-1, 1)]
    return parts


def _root(head: Head, elevation: float) -> Points:
    """Return a point (3,) on the right half of the skull at an elevation in degrees, a little inside."""
    shape, a = head.look.shape, np.radians(elevation)
    return np.array(
        [0.93 * shape.skull_width * np.cos(a) ** 0.9, 0.45 + (shape.crown_y - 0.45) * np.sin(a) - 0.06, -0.02]
    )


def _outline(creature: Creature, t: Field) -> Field:
    """Return the half width of an ear from root (0) to tip (1)."""
    shapes = {
        "cat": (1 - t**1.25) ** 0.85,
        "fox": (1 - t**1.15) ** 0.9 * (1 + 0.12 * np.sin(np.pi * t)),
        "bear": np.sqrt(np.clip(1 - ((t - 0.42) / 0.58) ** 2, 0, 1)),
        "mouse": np.sqrt(np.clip(1 - ((t - 0.48) / 0.52) ** 2, 0, 1)),
        "dog": (0.62 + 0.42 * np.sin(np.pi * t**0.9)) * np.sqrt(np.clip(1 - t**5, 0, 1)),
        "rabbit": (0.55 + 0.5 * np.sin(np.pi * t**0.85)) * np.sqrt(np.clip(1 - t**4, 0, 1)),
        "fin": (1 - t) ** 0.6 * (1 + 0.25 * np.abs(np.sin(4 * np.pi * t))),
    }
    return creature.ear_width * np.maximum(shapes[creature.ears], 0.02)


def animal_ear(head: Head, creature: Creature, *, side: int) -> Part:
    """Build an ear as a bowl that opens to the front; it rises with the brow of its side and turns back with a frown."""
    t, b = np.linspace(0, 1, ROWS), np.linspace(0, 2 * np.pi, RING, endpoint=False)
    lean = np.radians(creature.ear_tilt + creature.ear_droop * ramp(t, 0.05, 0.6))
    step = creature.ear_length / (ROWS - 1)
    along = np.stack([np.sin(lean), np.cos(lean), 0 * lean], -1)
    path = np.concatenate([np.zeros((1, 3)), np.cumsum(along[:-1] * step, axis=0)])
    across = np.stack([np.cos(lean), -np.sin(lean), 0 * lean], -1)
    wide = _outline(creature, t)[:, None]
    front = np.sin(b)[None] > 0
    deep = np.where(front, -0.30 * wide, -(0.42 * wide + 0.05)) * np.abs(np.sin(b))[None]
    local = path[:, None] + across[:, None] * (wide * np.cos(b)[None])[..., None]
    local[..., 2] += deep
    turn = rotation(yaw=np.radians(14.0), pitch=0.0, roll=0.0)
    root, flip = _root(head, creature.ear_at), np.array([side, 1.0, 1.0])
    local = local.reshape(-1, 3) @ turn.T
    own = INDEX["brow_up_left" if side > 0 else "brow_up_right"]

    def place(skin: Points, rig: NDArray[np.float32]) -> Points:
        del skin
        lift = 9.0 * float(rig[own]) - 7.0 * float(rig[INDEX["brow_furrow"]]) - 6.0 * float(rig[INDEX["frown"]])
        return (local @ rotation(yaw=0.0, pitch=0.0, roll=-np.radians(lift)).T + root) * flip

    bowl = ramp(np.abs(np.cos(b)), 0.86, 0.66)[None] * front * ramp(t, 0.93, 0.78)[:, None]
    colour = _tint(np.asarray(head.look.palette.skin), creature.inner, bowl.reshape(-1))
    colour *= (1 - 0.25 * bowl * ramp(t, 0.35, 0.0)[:, None]).reshape(-1, 1)
    if creature.ear_tip:
        colour = _tint(
            colour, creature.mark, np.broadcast_to(ramp(t, 0.58, 0.74)[:, None] * (1 - bowl), (ROWS, RING)).reshape(-1)
        )
    return Part(name="ear", quads=sheet_quads(ROWS, RING, ring=True), colour=colour, place=place, scatter=0.4)


def _tint(colour: Colours, other: Colour, amount: Field) -> Colours:
    share = np.clip(amount, 0, 1)[:, None]
    return colour * (1 - share) + np.asarray(other) * share


def _front_vertex(head: Head, x: float, y: float) -> int:
    """Return the skin vertex in front nearest to (x, y)."""
    away = np.hypot(head.rest[:, 0] - x, head.rest[:, 1] - y) + 9.0 * (head.rest[:, 2] < 0.3)
    return int(np.argmin(away))


def nose_pad(head: Head, creature: Creature) -> Part:
    """Build the pad on the tip of the nose, broad above and narrow below, which moves with the skin."""
    rows, cols = 9, 24
    a, b = np.linspace(0, np.pi, rows)[:, None], np.linspace(0, 2 * np.pi, cols, endpoint=False)[None]
    high = np.cos(a) + 0 * b
    wide = creature.pad * np.sin(a) * (1 + 0.32 * high)
    local = np.stack(
        np.broadcast_arrays(wide * np.cos(b), 0.66 * creature.pad * high, 0.085 * np.sin(a) * np.sin(b)), -1
    ).reshape(-1, 3)
    tip = _front_vertex(head, 0.0, head.look.shape.nose_y + 0.07)
    slot = (
        bump(np.abs(local[:, 0]) - 0.5 * creature.pad, 0.2 * creature.pad)
        * bump(local[:, 1] + 0.18 * creature.pad, 0.2 * creature.pad)
        * (local[:, 2] > 0)
    )
    colour = (
        np.asarray(creature.nose) * (1 - 0.55 * slot + 0.25 * bump(local[:, 1] - 0.4 * creature.pad, 0.03))[:, None]
    )

    def place(skin: Points, rig: NDArray[np.float32]) -> Points:
        del rig
        return skin[tip] + local + np.array([0.0, 0.0, -0.015])

    return Part(name="pad", quads=sheet_quads(rows, cols, ring=True), colour=np.clip(colour, 0, 1), place=place,
                specular=0.35, gloss=24.0)  # fmt: skip


def whisker_hairs(head: Head, creature: Creature) -> Part:
    """Build three whiskers on each side of the muzzle, as thin strips."""
    shape, along = head.look.shape, 8
    s = np.linspace(0, 1, along)
    strips: list[Points] = []
    bound: list[int] = []
    for side in (-1, 1):
        for k in (-1, 0, 1):
            bound.append(_front_vertex(head, side * 0.24, 0.5 * (shape.mouth_y + shape.nose_y) + 0.01 + 0.045 * k))
            half = 0.009 * (1 - 0.85 * s)
            x, y, z = side * 0.62 * s, (0.11 * k + 0.03) * s - 0.16 * s**2, 0.02 + 0.05 * s - 0.22 * s**2
            strips.append(np.stack([np.stack([x, y + half, z], -1), np.stack([x, y - half, z], -1)]))
    local, roots = np.concatenate([strip.reshape(-1, 3) for strip in strips]), np.repeat(bound, 2 * along)
    one = sheet_quads(2, along)
    quads = (one[None] + (np.arange(len(strips)) * 2 * along)[:, None, None]).reshape(-1, 4)
    tone = 0.5 * np.asarray(creature.pale) + 0.5 if sum(head.look.palette.skin) < 1.6 else np.asarray(creature.mark)

    def place(skin: Points, rig: NDArray[np.float32]) -> Points:
        del rig
        return skin[roots] + local

    return Part(name="whiskers", quads=quads, colour=np.tile(tone, (len(local), 1)), place=place, unlit=0.4)


def tufts(head: Head, creature: Creature) -> Part:
    """Build pointed locks at the cheeks and on the crown."""
    shape, rng = head.look.shape, np.random.default_rng(head.look.scene.background_seed + 17)
    t = np.linspace(0, 1, ALONG)[None, :, None]
    centres: list[Points] = []
    widths: list[Field] = []
    tones: list[Colours] = []
    if creature.cheeks:
        y = np.tile(np.array([-0.12, -0.28, -0.44, -0.60]), 2) + rng.normal(0, 0.02, 8)
        side = np.repeat([-1.0, 1.0], 4)
        reach = np.interp(-y, [0.0, 0.3, 0.65], [shape.cheek_width, 0.98 * shape.cheek_width, shape.jaw_width])
        root = np.stack([side * reach * 0.72, y + 0.08, np.full(8, 0.22)], -1)
        out = np.stack([side, -0.45 - 0.5 * np.tile([0.0, 0.3, 0.6, 0.9], 2), np.full(8, 0.0)], -1)
        size = 0.2 + creature.cheeks * np.tile([0.6, 1.0, 0.9, 0.6], 2)
        bend = np.stack([0 * side, np.full(8, -0.12), np.full(8, -0.05)], -1)
        centres.append(root[:, None] + t * (size[:, None] * out)[:, None] + t**2 * bend[:, None])
        widths.append(np.full(8, 0.34))
        tones.append(np.tile(creature.pale, (8, 1)))
    if creature.tuft:
        x = np.array([-0.14, -0.05, 0.05, 0.14, 0.0])
        root = np.stack([x, np.full(5, shape.crown_y - 0.05), np.array([0.3, 0.34, 0.34, 0.3, 0.15])], -1)
        out = np.stack([1.6 * x + rng.normal(0, 0.15, 5), np.full(5, 0.75), np.array([0.5, 0.6, 0.6, 0.5, 0.1])], -1)
        bend = np.stack([0.8 * x, np.full(5, -0.25), np.full(5, 0.22)], -1) * creature.tuft
        centres.append(root[:, None] + t * creature.tuft * out[:, None] + t**2 * bend[:, None])
        widths.append(rng.uniform(0.13, 0.20, 5))
        tones.append(np.tile(np.asarray(head.look.palette.hair), (5, 1)))
    points, quads = lock_mesh(np.concatenate(centres), np.concatenate(widths))
    shade = np.tile(np.array([0.86, 1.03, 1.0, 0.86]), len(points) // 4)[:, None]
    colour = np.repeat(np.concatenate(tones), len(points) // sum(map(len, tones)), axis=0) * shade
    return Part(name="tuft", quads=quads, colour=np.clip(colour, 0, 1), place=fixed(points), still=True)


def horn(head: Head, creature: Creature, *, side: int) -> Part:
    """Build a horn, a curled horn, or an antenna with a ball at its end."""
    t, flip = np.linspace(0, 1, 22), np.array([side, 1.0, 1.0])
    root = _root(head, 62.0 if creature.horns != "curls" else 38.0) + np.array([0.0, 0.0, 0.22])
    if creature.horns == "antennae":
        bend = np.stack([0.34 * t**1.6, 0.62 * t - 0.08 * t**3, 0.16 * t], -1)
        ball = np.sqrt(np.clip(1 - ((t - 0.86) / 0.14) ** 2, 0, 1)) * (t > 0.72)
        radius = np.maximum(0.032 - 0.008 * t, 0.095 * ball) * np.where(t > 0.995, 0.05, 1)
        tone = np.where((t > 0.74)[:, None], np.asarray(creature.mark), 0.85 * np.asarray(head.look.palette.skin))
    elif creature.horns == "curls":
        angle = 4.6 * t
        bend = np.stack([0.10 + 0.24 * t, 0.19 * np.sin(angle) + 0.06 * t, -0.24 * (1 - np.cos(angle)) + 0.12 * t], -1)
        radius, tone = (
            0.135 * (1 - 0.85 * t) + 0.008,
            np.asarray(creature.mark) * (0.85 + 0.15 * np.sin(46 * t))[:, None],
        )
    else:
        bend = np.stack([0.22 * np.sin(2.2 * t), 0.46 * t, -0.02 * t], -1)
        radius, tone = (
            0.115 * (1 - t) ** 0.8 + 0.008,
            np.asarray(creature.mark) * (0.86 + 0.14 * np.sin(34 * t))[:, None],
        )
    points, quads = tube((root + bend - [0, 0.04, 0]) * flip, radius, around=14)
    colour = np.repeat(np.clip(tone, 0, 1), 14, axis=0)
    return Part(name="horn", quads=quads, colour=colour, place=fixed(points), still=True, specular=0.15, gloss=20.0)


def coat(head: Head, colour: Colours, *, creature: Creature) -> Colours:
    """Paint a creature's markings over the colours (vertices, 3) of its skin."""
    shape = head.look.shape
    x, y, z = head.rest.T
    ax, front = np.abs(x), (z > 0.0).astype(np.float64)
    if creature.face:
        top = shape.brow_y + 0.24 - 0.10 * bump(x, 0.13)  # a heart, with a dip in the middle of the forehead
        reach = np.hypot(ax / 0.66, (y + 0.2) / np.where(y > -0.2, top + 0.2, 0.95))
        colour = _tint(colour, creature.pale, creature.face * ramp(reach, 1.06, 0.92) * front)
    colour = _mark(head, colour, creature)
    if creature.muzzle_width:
        wide, middle = creature.muzzle_width, 0.55 * shape.mouth_y + 0.45 * shape.nose_y
        reach = np.hypot(ax / wide, (y - middle) / np.where(y > middle, 0.30, 0.44))
        throat = ramp(ax, 0.36, 0.26) * ramp(y, shape.mouth_y, shape.mouth_y - 0.15)
        colour = _tint(colour, creature.pale, np.maximum(ramp(reach, 1.08, 0.9), throat) * front)
    if creature.cheeks:
        cheek = ramp(ax + 0.35 * (y + 0.25), 0.40, 0.52) * ramp(y - 0.3 * (ax - 0.6), 0.04, -0.22) * ramp(z, -0.15, 0.1)
        colour = _tint(colour, creature.pale, 0.9 * cheek)
    if creature.pad:
        philtrum = bump(x, 0.017) * ramp(y, shape.mouth_y - 0.005, shape.mouth_y + 0.02) * (y < shape.nose_y)
        colour = _tint(colour, creature.nose, 0.7 * philtrum * front)
    if creature.whiskers:
        for k in (-1, 0, 1):
            dot = np.hypot(ax - 0.19 - 0.02 * abs(k), y - 0.5 * (shape.mouth_y + shape.nose_y) - 0.055 * k)
            colour = _tint(colour, creature.nose, 0.5 * ramp(dot, 0.026, 0.012) * front)
    return np.clip(colour, 0, 1)


def _mark(head: Head, colour: Colours, creature: Creature) -> Colours:
    shape, (x, y, z) = head.look.shape, head.rest.T
    ax, front = np.abs(x), ramp(z, -0.1, 0.2)
    eye = np.hypot((ax - shape.eye_x) / (1.45 * shape.eye_half_width), (y - 0.02) / (shape.eye_up + 0.14))
    rng = np.random.default_rng(head.look.scene.background_seed + 19)
    amount = np.zeros_like(x)
    if creature.marking == "tabby":
        crown = np.clip(np.sin(x * 21 + np.pi / 2) - 0.2, 0, 1) * bump(ax, 0.42) * ramp(y, 0.45, 0.62) * front
        cheek = (
            np.clip(np.sin(y * 24 + 2.5 * ax) - 0.2, 0, 1)
            * ramp(ax, 0.5, 0.66)
            * bump(y + 0.18, 0.28)
            * ramp(z, -0.2, 0.1)
        )
        amount = 1.25 * np.maximum(crown, cheek)
    elif creature.marking == "mask":
        amount = ramp(np.hypot(ax / 0.86, (y - 0.05 + 0.22 * ax) / 0.24), 1.05, 0.85) * front
    elif creature.marking == "panda":
        amount = ramp(np.hypot(eye, 0.35 * (y < -0.1)), 1.12, 0.92) * front
    elif creature.marking == "patch":
        own = np.where(x * (1 if rng.random() < 0.5 else -1) > 0, eye, 9.0)
        amount = ramp(own * 0.8, 1.1, 0.9) * front
    elif creature.marking == "blaze":
        away = ax / (0.10 + 0.10 * ramp(y, 0.2, 0.9) + 0.06 * ramp(y, 0.0, -0.3))
        return _tint(colour, creature.pale, ramp(away, 1.15, 0.85) * front)
    elif creature.marking == "spots":
        for _ in range(26):
            lon, height, size = rng.uniform(-2.2, 2.2), rng.uniform(-0.7, 1.0), rng.uniform(0.05, 0.12)
            middle = np.abs(lon) < 0.75 and height < 0.35  # keep eyes and mouth clear
            spot = np.hypot((head.lon - lon) * 0.8, y - height)
            amount = np.maximum(amount, (0.0 if middle else 1.0) * ramp(spot, size * 1.1, size * 0.8))
    return _tint(colour, creature.mark, 0.85 * amount)
