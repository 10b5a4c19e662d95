"""A puppet ready to be drawn: skin and parts in one mesh of constant topology, posed by a rig, with 3D landmarks.

Landmarks are the 68 points of the iBUG convention (jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, mouth 48-67, each
counted from the left of the picture) and the two pupils (68 on the left of the picture, 69 on the right).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonbench.puppets.hair import hair_parts, hairline
from toonbench.puppets.head import Field, Head, Index, Points, build_head, bump, lip_reach, pose_head, ramp
from toonbench.puppets.look import Look
from toonbench.puppets.parts import (
    Part,
    brow,
    brow_line,
    catchlight,
    ear,
    eyeball,
    lash,
    mouth_cavity,
    rotation,
    teeth,
    tongue,
    torso,
)
from toonbench.puppets.rig import INDEX

LANDMARKS = 70
PIVOT = np.array([0.0, -0.72, -0.2])  # the head turns about this point of the neck


@dataclass(frozen=True, slots=True, kw_only=True)
class Puppet:
    """A look's mesh: everything that stays the same from frame to frame."""

    look: Look
    head: Head
    parts: tuple[Part, ...]
    names: tuple[str, ...]  # of the parts, in their order; pairs such as ears come twice
    part: Index  # (vertices,) the part that each vertex belongs to, so that outlines can be drawn between parts
    quads: Index  # (quads, 4) of all parts
    colour: NDArray[np.float64]  # (vertices, 3) linear light
    body: Field  # 1 stays with the body, 0 moves with the head
    specular: Field
    gloss: Field
    unlit: Field
    scatter: Field
    landmarks: Index  # (70,) vertices
    adjacency: Any  # sparse (vertices, quads), sums the normals of the quads at each vertex


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """One frame of a puppet in world coordinates."""

    points: NDArray[np.float64]  # (vertices, 3)
    normals: NDArray[np.float64]  # (vertices, 3), unit length


def build_puppet(look: Look) -> Puppet:
    """Build the mesh of a look."""
    from scipy.sparse import coo_matrix

    head = build_head(look)
    skin = Part(name="skin", quads=head.quads, colour=skin_colour(head), place=_skin_itself,
                specular=look.shading.specular, gloss=look.shading.gloss, scatter=look.shading.scatter,
                body=1 - head.weight)  # fmt: skip
    parts = [skin, *(ear(head, s) for s in (-1, 1)), torso(head), mouth_cavity(head), teeth(head, upper=True),
             teeth(head, upper=False), tongue(head)]  # fmt: skip
    for which, side in ((0, -1), (1, 1)):
        parts += [eyeball(head, which), catchlight(head, which), lash(head, which), brow(head, side)]
    parts += hair_parts(head)
    counts = [len(part.colour) for part in parts]
    starts = np.concatenate([[0], np.cumsum(counts)])
    neutral = np.zeros(len(INDEX), dtype=np.float32)
    quads = np.concatenate([
        _outward(part.quads, part.place(head.rest, neutral), flat=part.name in ("brow", "lash", "teeth", "cavity")) + start
        for part, start in zip(parts, starts[:-1], strict=True)
    ])  # fmt: skip

    def spread(values: list[float]) -> Field:
        return np.repeat(np.asarray(values, dtype=np.float64), counts)

    corner = np.repeat(np.arange(len(quads)), 4)
    adjacency = coo_matrix((np.ones(len(corner)), (quads.reshape(-1), corner)), shape=(starts[-1], len(quads))).tocsr()
    eyes = [int(starts[i]) for i, part in enumerate(parts) if part.name == "eyeball"]
    return Puppet(
        look=look, head=head, parts=tuple(parts), quads=quads,
        names=tuple(part.name for part in parts), part=np.repeat(np.arange(len(parts)), counts),
        colour=np.concatenate([part.colour for part in parts]) ** 2.2,
        body=np.concatenate([np.broadcast_to(part.body, n) for part, n in zip(parts, counts, strict=True)]),
        specular=spread([p.specular for p in parts]), gloss=spread([p.gloss for p in parts]),
        unlit=spread([p.unlit for p in parts]), scatter=spread([p.scatter for p in parts]),
        landmarks=np.concatenate([landmark_vertices(head), eyes]), adjacency=adjacency,
    )  # fmt: skip


def _skin_itself(skin: Points, rig: NDArray[np.float32]) -> Points:
    del rig
    return skin


def _outward(quads: Index, points: Points, *, flat: bool) -> Index:
    """Order each part's quads so that their normals point out of the part (towards the camera for strips)."""
    corners = points[quads]
    normal = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    away = np.array([0.0, 0.0, 1.0]) if flat else corners.mean(1) - points.mean(0)
    return quads if float((normal * away).sum()) > 0 else quads[:, ::-1]


def pose_puppet(puppet: Puppet, rig: NDArray[np.float32]) -> Pose:
    """Move a puppet by one frame of the rig, (channels,)."""
    skin = pose_head(puppet.head, rig)
    points = np.concatenate([part.place(skin, rig) for part in puppet.parts])
    value = {name: float(rig[i]) for name, i in INDEX.items()}
    turn = rotation(yaw=np.radians(value["yaw"]), pitch=np.radians(value["pitch"]), roll=np.radians(value["roll"]))
    follow = rotation(yaw=np.radians(0.15 * value["yaw"]), pitch=0.0, roll=np.radians(0.1 * value["roll"]))
    turned = (points - PIVOT) @ turn.T + PIVOT
    still = (points - PIVOT) @ follow.T + PIVOT
    body = puppet.body[:, None]
    points = turned * (1 - body) + still * body
    points = points * 2.0 ** value["scale"] + np.array([value["tx"], value["ty"], 0.0])
    corners = points[puppet.quads]
    facets = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    normals = np.asarray(puppet.adjacency @ facets)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return Pose(points=points, normals=normals)


def skin_colour(head: Head) -> NDArray[np.float64]:
    """Paint the skin: lips, blush, freckles, stubble, scalp, and the shade in sockets, nostrils and under the jaw."""
    look, shape, palette = head.look, head.look.shape, head.look.palette
    x, y, z = head.rest.T
    ax = np.abs(x)
    front = (z > 0.25) & (np.abs(head.lon) < 1.4)
    rng = np.random.default_rng(look.scene.background_seed + 7)
    colour = np.tile(np.asarray(palette.skin), (len(x), 1)) * (
        1 + palette.mottle * rng.normal(size=(len(x), 1)) * (front & (head.weight == 1) & (y < 0.42))[:, None]
    )
    blush = 0.55 * bump(ax - 0.42, 0.17) * bump(y + 0.27, 0.13) + 0.5 * bump(x, 0.09) * bump(
        y - shape.nose_y - 0.05, 0.09
    )
    colour = _mix(colour, palette.blush, blush * front)
    if palette.freckles:
        spots = (rng.random(len(x)) < 0.12) * bump(y + 0.2, 0.14) * (ax < 0.55) * front
        colour = _mix(colour, tuple(0.72 * c for c in palette.skin), palette.freckles * spots)
    brow_shade = bump(ax - shape.eye_x, shape.eye_half_width * 1.1) * bump(y - 0.03, 0.09)
    shade = 1 - 0.16 * brow_shade * front
    nostril = bump(ax - 0.62 * shape.nose_width, 0.03) * bump(y - shape.nose_y - 0.002, 0.016) * front
    shade *= (1 - 0.72 * nostril) * (1 - 0.12 * bump(x, 0.16) * bump(y - shape.nose_y + 0.035, 0.03) * front)
    shade *= 1 - 0.18 * bump(x, 0.18) * bump(y - shape.mouth_y + 0.15, 0.035) * front
    neck = ramp(-y - 0.14 * np.cos(head.lon), 0.72, 1.0) * (
        1 - bump(z - shape.chin_z, 0.22) * (y > shape.chin_y - 0.03)
    )
    shade *= 1 - 0.34 * neck
    whiskers = _whiskers(head)
    grit = 0.75 + 0.25 * rng.random(len(x))
    amount = np.clip(whiskers * max(palette.beard, 0.45 * palette.stubble) * grit, 0, 1)
    colour = _mix(colour, tuple(0.8 * c for c in palette.hair), amount)
    reach = lip_reach(x, y, shape)
    colour = _mix(colour, palette.lip, ramp(reach, 1.18, 0.86) * front)
    shade *= 1 - 0.45 * bump(y - shape.mouth_y, 0.012) * (ax < shape.mouth_half_width * 1.02) * front
    if not look.hair.bald:
        scalp = ramp(y - hairline(look.hair, head.lon), -0.03, 0.05)
        colour = _mix(colour, tuple(0.85 * c for c in palette.hair), scalp)
    return np.clip(colour * shade[:, None], 0.004, 1)


def _whiskers(head: Head) -> Field:
    """Return where a beard grows, 0 to 1: jaw, chin and upper lip, soft towards cheeks and neck."""
    shape = head.look.shape
    x, y, z = head.rest.T
    ax, around = np.abs(x), np.abs(head.lon)
    top = shape.mouth_y + 0.02 + 0.36 * ramp(ax, 0.2, 0.62)  # the cheek line rises to the ear
    jaw = ramp(top - y, -0.02, 0.12) * ramp(around, np.radians(100), np.radians(85)) * ramp(ax, 0.12, 0.28)
    chin = ramp(shape.mouth_y - 0.12 - y, 0.0, 0.05) * (z > 0.1)
    moustache = bump(y - 0.5 * (shape.nose_y + shape.mouth_y) + 0.02, 0.055) * ramp(
        ax, shape.mouth_half_width * 1.1, 0.16
    )
    goatee = ramp(ax, 0.2, 0.24) * bump(ax - shape.mouth_half_width * 1.08, 0.07) * bump(y - shape.mouth_y + 0.04, 0.16)
    hair = np.maximum.reduce([jaw, chin, moustache * (z > 0.3), goatee])
    return np.clip(hair, 0, 1) * head.weight**8 * (y > shape.chin_y - 0.1)


def _mix(colour: NDArray[np.float64], other: tuple[float, ...], amount: Field) -> NDArray[np.float64]:
    share = np.clip(amount, 0, 1)[:, None]
    return colour * (1 - share) + np.asarray(other) * share


def landmark_vertices(head: Head) -> Index:
    """Return the 68 skin vertices of the iBUG convention, counted from the left of the picture."""
    from scipy.spatial import KDTree

    shape, rest = head.look.shape, head.rest
    front = np.flatnonzero((head.weight == 1) & (np.abs(head.lon) < 1.5))
    tree = KDTree(rest[front, :2])

    def at(points: list[tuple[float, float]]) -> list[int]:
        return [int(front[i]) for i in np.atleast_1d(tree.query(np.asarray(points))[1])]

    edge = head.lon[head.chin_row]
    jaw = [int(head.chin_row[np.argmin(np.abs(edge - np.radians(a)))]) for a in np.linspace(-80, 80, 11)]
    side = np.flatnonzero(np.abs(np.abs(head.lon) - np.radians(82)) < 0.06)
    ends: dict[int, list[int]] = {-1: [], 1: []}
    for s, y in ((s, y) for s in (-1, 1) for y in (-0.05, -0.22, -0.4)):
        own = side[head.lon[side] * s > 0]
        ends[s].append(int(own[np.argmin(np.abs(rest[own, 1] - y))]))
    out, height = brow_line(shape, np.linspace(0, 1, 5))
    right = at(list(zip(out, height, strict=True)))
    left = at(list(zip(-out[::-1], height[::-1], strict=True)))
    bridge = at([(0.0, 0.03 + (shape.nose_y + 0.06 - 0.03) * u) for u in (0.0, 0.36, 0.7, 1.0)])
    base = at([(u * shape.nose_width, shape.nose_y + 0.01) for u in (-1, -0.5, 0, 0.5, 1)])
    eyes = [vertex for eye in head.eyes for vertex in _eye_points(eye.upper, eye.lower)]
    mouth = _mouth_points(head, at)
    return np.array([*ends[-1], *jaw, *ends[1][::-1], *left, *right, *bridge, *base, *eyes, *mouth])


def _eye_points(upper: Index, lower: Index) -> list[int]:
    n = len(upper) - 1
    third, two = round(n / 3), round(2 * n / 3)
    return [int(v) for v in (upper[0], upper[third], upper[two], upper[n], lower[two], lower[third])]


def _mouth_points(head: Head, at: Callable[[list[tuple[float, float]]], list[int]]) -> list[int]:
    shape, rim = head.look.shape, head.lip_upper
    wide, middle = shape.mouth_half_width, shape.mouth_y
    border = [(u, (1 - u * u) ** 0.75 * (0.8 if u == 0 else 1.0)) for u in (-0.62, -0.26, 0.0, 0.26, 0.62)]
    top = [(u * wide, middle + shape.lip_up * high) for u, high in border]
    low = [(-u * wide, middle - shape.lip_down * (1 - u * u) ** 0.75) for u, _ in border]
    n = len(rim) - 1
    inner = [int(head.lip_upper[round(n * f)]) for f in (0.25, 0.5, 0.75)]
    under = [int(head.lip_lower[round(n * f)]) for f in (0.75, 0.5, 0.25)]
    left, right = int(rim[0]), int(rim[n])
    return [left, *at(top), right, *at(low), left, *inner, right, *under]
