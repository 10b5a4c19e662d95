"""Drawn lines of a puppet: mouth, nose, lids, ears and age lines on the skin, and hair in flat colours."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from toonbench.puppets.body.head import Field, Head, Points
from toonbench.puppets.draw.mesh import Puppet
from toonbench.puppets.look import Shape

INNER = 0.72  # width of the lines inside a figure, as a part of its outline's
NEAR = 0.045  # vertices within this distance store the line; more than the mesh's spacing
MOUTH = {"teeth": (1.0, 0.99, 0.97), "cavity": (0.32, 0.09, 0.11), "tongue": (0.82, 0.40, 0.42)}  # flat colours
Line = list[tuple[float, float]]  # corners (x, y) in the rest pose, on the puppet's left (x > 0)


def drawn_lines(puppet: Puppet) -> Points:
    """Return two lengths for each vertex, (vertices, 2): its signed distance from the nearest line, and that line's half width.

    Both change linearly across a triangle, so that lines may be thinner than the mesh; a half width < 0 draws nothing.
    """
    look = puppet.look
    half = 0.5 * INNER * look.shading.outline * look.scene.view_height
    out = np.tile([0.0, -half], (len(puppet.colour), 1))
    out[: len(puppet.head.rest)] = _skin_lines(puppet.head, half, seed=look.scene.background_seed)
    for number, name in enumerate(puppet.names):
        if name == "ear":
            at = puppet.part == number
            out[at] = _ear_line(puppet.rest[at], half)
    return out


def _skin_lines(head: Head, half: float, *, seed: int) -> Points:
    shape = head.look.shape
    x, y, z = head.rest.T
    ax, front = np.abs(x), (z > 0.1) & (np.abs(head.lon) < 1.4)
    mouth = shape.mouth_half_width * 1.04
    away = y - shape.mouth_y
    width = 0.95 * half * (0.35 + 0.65 * np.clip(1 - (ax / mouth) ** 4, 0, 1)) - 0.5 * np.clip(ax - mouth, 0, None)
    signed, width = away, np.where(np.abs(away) < NEAR, width, -half)
    best = np.abs(away) + np.clip(ax - mouth, 0, None)
    for line, weight in _lines(shape, age=head.look.palette.age, nose=seed % 4):
        distance, across = _distance(ax if line[0][0] >= 0 else x, y, line)
        past = np.sqrt(np.maximum(distance**2 - across**2, 0))  # beyond the line's end, where it becomes thinner
        own = np.where(distance < NEAR, weight * half - 0.6 * past, -half)
        nearer = distance < best
        best, signed, width = (
            np.where(nearer, new, old) for new, old in ((distance, best), (across, signed), (own, width))
        )
    return np.stack([signed, np.where(front, width, -half)], -1)


def _lines(shape: Shape, *, age: float, nose: int) -> list[tuple[Line, float]]:
    """Return the lines of a face and their weights: nose, lids, chin, and the folds of an old face."""
    crease, corner = 0.5 * shape.eye_up + 0.02, shape.eye_half_width
    low = shape.mouth_y - shape.lip_down - 0.055
    lid: Line = [(shape.eye_x + u * corner, crease * (1 - 0.25 * u * u)) for u in (-0.75, -0.3, 0.2, 0.7)]
    lines: list[tuple[Line, float]] = [(_nose(shape, kind=nose), 0.9), (lid, 0.6), ([(-0.05, low), (0.05, low)], 0.5)]
    if age > 0.4:
        wide, bag = shape.mouth_half_width, -shape.eye_down - 0.05
        fold: Line = [
            (shape.nose_width + 0.05, shape.nose_y + 0.06),
            (wide + 0.02, shape.mouth_y + 0.12),
            (wide + 0.04, shape.mouth_y + 0.03),
        ]
        lines += [(fold, 0.6), ([(-0.2, 0.5), (0.0, 0.52), (0.2, 0.5)], 0.5), ([(-0.14, 0.6), (0.14, 0.6)], 0.45)]
        lines.append(([(shape.eye_x - 0.6 * corner, bag), (shape.eye_x + 0.1, bag - 0.02)], 0.45))
    return lines


def _nose(shape: Shape, *, kind: int) -> Line:
    """Return a line of the nose: a short arc under it, nostrils, an arc up to the wings, or its profile on one side."""
    low, wide = shape.nose_y + 0.005, shape.nose_width
    if kind == 0:
        return [(0.0, low - 0.01), (0.45 * wide, low), (0.65 * wide, low + 0.02)]
    if kind == 1:
        return [(0.35 * wide, low), (0.7 * wide, low + 0.01)]
    if kind == 3:
        return [
            (-0.5 * wide, 0.45 * low),
            (-0.75 * wide, low + 0.08),
            (-0.7 * wide, low + 0.02),
            (-0.3 * wide, low - 0.005),
            (0.35 * wide, low),
        ]
    return [(0.3 * wide, low), (0.8 * wide, low + 0.005), (1.05 * wide, low + 0.05), (1.0 * wide, low + 0.09)]


def _distance(x: Field, y: Field, line: Line) -> tuple[Field, Field]:
    """Return the distance of points to a polyline, and their signed distance across its nearest segment."""
    out, across = np.full(len(x), np.inf), np.zeros(len(x))
    for (ax, ay), (bx, by) in pairwise(line):
        dx, dy, length = bx - ax, by - ay, np.hypot(bx - ax, by - ay)
        t = np.clip(((x - ax) * dx + (y - ay) * dy) / length**2, 0, 1)
        far = np.hypot(x - ax - t * dx, y - ay - t * dy)
        side = ((x - ax) * dy - (y - ay) * dx) / length
        inner = np.sign(side) * far  # round a corner, the distance itself
        ends = ((t == 0) & ((ax, ay) == line[0])) | ((t == 1) & ((bx, by) == line[-1]))
        across = np.where(far < out, np.where(ends, side, inner), across)
        out = np.minimum(out, far)
    return out, across


def _ear_line(points: Points, half: float) -> Points:
    """Return the line inside an ear, an arc along its rim, as in `drawn_lines`."""
    low, high = points.min(0), points.max(0)
    middle, size = 0.5 * (low + high), 0.5 * (high - low)
    v, w = (points[:, 1] - middle[1]) / size[1], (points[:, 2] - middle[2]) / size[2]
    return np.stack([(np.hypot(v, w) - 0.58) * size[1], np.where(v - 0.6 * w > -0.35, 0.8 * half, -half)], -1)


def flat_colour(puppet: Puppet) -> Points:
    """Return the puppet's colours, (vertices, 3) linear light, with hair and mouth in flat colours by `shading.flat`."""
    look = puppet.look
    if not look.shading.flat:
        return puppet.colour
    hair = np.asarray(look.palette.hair)
    colours = [hair, hair * 0.58 + 0.357 * np.asarray(look.palette.skin)] if look.hair.fade else [hair]
    colours += [np.asarray(look.palette.streak)] if look.palette.streak is not None else []
    colours += [np.asarray(look.palette.trim)] if look.hair.tail else []
    flat = np.stack(colours) ** 2.2
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
    """Return the depth of each vertex inside the band of light on the hair, (vertices,), in radians; None without a band."""
    look, points = puppet.look, puppet.rest
    if not look.shading.gleam:
        return None
    x, y, z = (points - np.array([0.0, 0.15, 0.0])).T
    up, around = np.arctan2(y, np.hypot(x, z)), np.arctan2(x, z)
    zigzag = np.abs((around * 4.3) % 1.0 - 0.5) * 0.3  # the band has points, as from lock to lock
    middle = np.radians(0.6 * look.scene.key_azimuth)
    band = 0.5 * look.shading.gleam * (1 - (np.abs(around - middle) / 1.0) ** 3) - np.abs(up - 0.8 - zigzag)
    return np.where(_of(puppet, "hair", "bun"), band, -1.0)


def _of(puppet: Puppet, *names: str) -> NDArray[np.bool_]:
    """Return which vertices belong to the parts of these names."""
    return np.array([name in names for name in puppet.names])[puppet.part]
