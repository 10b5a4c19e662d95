"""What a pen draws on a puppet: lines of mouth, nose, lids, ears and age on the skin, and hair in flat colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toonbench.puppets.head import Field, Head
from toonbench.puppets.look import Shape
from toonbench.puppets.mesh import Puppet

INNER = 0.72  # width of the lines inside a figure, parts of its outline's
NONE = -1.0  # no line here: a length outside
MOUTH = {"teeth": (1.0, 0.99, 0.97), "cavity": (0.32, 0.09, 0.11), "tongue": (0.82, 0.40, 0.42)}  # flat colours
Line = list[tuple[float, float]]  # corners (x, y) in the rest pose, on the puppet's left (x > 0)


def drawn_lines(puppet: Puppet) -> Field:
    """Return how far inside a drawn line each vertex lies, in lengths, (vertices,); below 0 outside of all lines."""
    look = puppet.look
    half = 0.5 * INNER * look.shading.outline * look.scene.view_height
    out = np.full(len(puppet.colour), NONE)
    out[: len(puppet.head.rest)] = _skin_lines(puppet.head, half, seed=look.scene.background_seed)
    for number, name in enumerate(puppet.names):
        if name == "ear":
            at = puppet.part == number
            out[at] = _ear_line(puppet.rest[at], half)
    return out


def _skin_lines(head: Head, half: float, *, seed: int) -> Field:
    shape, age = head.look.shape, head.look.palette.age
    x, y, z = head.rest.T
    ax, front = np.abs(x), (z > 0.1) & (np.abs(head.lon) < 1.4)
    mouth = shape.mouth_half_width * 1.04
    taper = np.clip(1.0 - (ax / mouth) ** 4, 0, 1)
    out = np.where(ax < mouth, 0.95 * half * (0.35 + 0.65 * taper) - np.abs(y - shape.mouth_y), NONE)
    lines = [(_nose(shape, kind=seed % 4), 0.9)]
    crease = 0.5 * shape.eye_up + 0.02
    corner = shape.eye_half_width
    lid: Line = [(shape.eye_x + u * corner, crease * (1 - 0.25 * u * u)) for u in (-0.75, -0.3, 0.2, 0.7)]
    lines.append((lid, 0.75))
    lines.append(([(-0.05, shape.mouth_y - shape.lip_down - 0.055), (0.05, shape.mouth_y - shape.lip_down - 0.055)], 0.5))
    if age > 0.4:
        wing = (shape.nose_width + 0.05, shape.nose_y + 0.06)
        fold: Line = [wing, (shape.mouth_half_width + 0.02, shape.mouth_y + 0.12), (shape.mouth_half_width + 0.04, shape.mouth_y + 0.03)]
        lines += [(fold, 0.6), ([(-0.2, 0.5), (0.0, 0.52), (0.2, 0.5)], 0.5), ([(-0.14, 0.6), (0.14, 0.6)], 0.45)]
        bag = -shape.eye_down - 0.05
        lines.append(([(shape.eye_x - 0.6 * corner, bag), (shape.eye_x + 0.1, bag - 0.02)], 0.45))
    for line, weight in lines:
        out = np.maximum(out, weight * half - _distance(ax, y, line) if line[0][0] >= 0 else weight * half - _distance(x, y, line))
    return np.where(front, out, NONE)


def _nose(shape: Shape, *, kind: int) -> Line:
    """Return a line of the nose: a short arc under it, nostrils, an arc up to the wings, or its profile on one side."""
    low, wide = shape.nose_y + 0.005, shape.nose_width
    if kind == 0:
        return [(0.0, low - 0.01), (0.45 * wide, low), (0.65 * wide, low + 0.02)]
    if kind == 1:
        return [(0.35 * wide, low), (0.7 * wide, low + 0.01)]
    if kind == 3:
        return [(-0.5 * wide, 0.45 * low), (-0.75 * wide, low + 0.08), (-0.7 * wide, low + 0.02), (-0.3 * wide, low - 0.005), (0.35 * wide, low)]
    return [(0.3 * wide, low), (0.8 * wide, low + 0.005), (1.05 * wide, low + 0.05), (1.0 * wide, low + 0.09)]


def _distance(x: Field, y: Field, line: Line) -> Field:
    """Return the distance of points to a broken line."""
    out = np.full(len(x), np.inf)
    for (ax, ay), (bx, by) in zip(line[:-1], line[1:], strict=True):
        dx, dy = bx - ax, by - ay
        t = np.clip(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy), 0, 1)
        out = np.minimum(out, np.hypot(x - ax - t * dx, y - ay - t * dy))
    return out


def _ear_line(points: NDArray[np.float64], half: float) -> Field:
    """Return the line inside an ear, an arc along its rim."""
    low, high = points.min(0), points.max(0)
    middle, size = 0.5 * (low + high), 0.5 * (high - low)
    v, w = (points[:, 1] - middle[1]) / size[1], (points[:, 2] - middle[2]) / size[2]
    rim = np.hypot(v, w)
    return np.where(v - 0.6 * w > -0.35, 0.8 * half - np.abs(rim - 0.58) * size[1], NONE)


def flat_colour(puppet: Puppet) -> NDArray[np.float64]:
    """Return the puppet's colours, (vertices, 3) linear light, with hair and mouth in flat colours as far as its shading asks."""
    look = puppet.look
    if not look.shading.flat:
        return puppet.colour
    hair = np.asarray(look.palette.hair)
    known = [hair, hair * 0.58 + 0.357 * np.asarray(look.palette.skin)] if look.hair.fade else [hair]
    known += [np.asarray(look.palette.streak)] if look.palette.streak is not None else []
    known += [np.asarray(look.palette.trim)] if look.hair.tail else []
    flat = np.stack(known) ** 2.2
    colour = puppet.colour.copy()
    for name, plain in MOUTH.items():
        inside = _of(puppet, name)
        colour[inside] += look.shading.flat * (np.asarray(plain) ** 2.2 - colour[inside])
    hairy = _of(puppet, "hair", "bun", "beard")
    own = colour[hairy]
    tone = own / np.linalg.norm(own, axis=1, keepdims=True).clip(1e-6)
    hue = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    gap = np.linalg.norm(own[:, None] - flat[None], axis=2) + np.linalg.norm(tone[:, None] - hue[None], axis=2)
    colour[hairy] += look.shading.flat * (flat[gap.argmin(1)] - own)
    return colour


def hair_gleam(puppet: Puppet) -> Field | None:
    """Return how far inside the band of light on the hair each vertex lies, in radians, (vertices,); None for no band."""
    look, points = puppet.look, puppet.rest
    if not look.shading.gleam:
        return None
    x, y, z = (points - np.array([0.0, 0.15, 0.0])).T
    up, around = np.arctan2(y, np.hypot(x, z)), np.arctan2(x, z)
    zigzag = np.abs((around * 4.3) % 1.0 - 0.5) * 0.3  # the band runs in points, as from lock to lock
    middle = np.radians(0.6 * look.scene.key_azimuth)
    band = 0.5 * look.shading.gleam * (1 - (np.abs(around - middle) / 1.0) ** 3) - np.abs(up - 0.8 - zigzag)
    return np.where(_of(puppet, "hair", "bun"), band, NONE)


def _of(puppet: Puppet, *names: str) -> NDArray[np.bool_]:
    """Return which vertices belong to the parts of these names."""
    return np.array([name in names for name in puppet.names])[puppet.part]
