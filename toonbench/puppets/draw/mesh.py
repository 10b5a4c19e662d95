"""A puppet ready to be drawn: skin and parts in one mesh of constant topology, posed by a rig, with 3D landmarks.

Landmarks are the 68 points of the iBUG convention (jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, mouth 48-67, each
counted from the left of the picture) and the two pupils (68 on the left of the picture, 69 on the right).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toonbench.compiled import compile_loops
from toonbench.puppets.body.accessories import under_hat, worn_parts
from toonbench.puppets.body.clothes import clothes_parts
from toonbench.puppets.body.creature_parts import creature_parts
from toonbench.puppets.body.hair import hair_parts
from toonbench.puppets.body.head import Field, Head, Index, Points, build_head, pose_head
from toonbench.puppets.body.parts import (
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
)
from toonbench.puppets.body.skin import skin_colour
from toonbench.puppets.look import Look
from toonbench.puppets.rig import INDEX

LANDMARKS = 70
FLAT = frozenset({"brow", "lash", "teeth", "cavity", "tie"})  # strips, whose front is towards the camera
PIVOT = np.array([0.0, -0.72, -0.2])  # the head turns about this point of the neck


@dataclass(frozen=True, slots=True, kw_only=True)
class Puppet:
    """A look's mesh: everything that is equal in all frames."""

    look: Look
    head: Head
    parts: tuple[Part, ...]
    names: tuple[str, ...]  # of the parts, in their order; pairs such as ears come twice
    part: Index  # (vertices,) the part that each vertex belongs to, so that outlines can be drawn between parts
    quads: Index  # (quads, 4) of all parts
    colour: NDArray[np.float64]  # (vertices, 3) linear light
    body: Field  # 1: stays with the body, 0: moves with the head
    specular: Field
    gloss: Field
    unlit: Field
    scatter: Field
    landmarks: Index  # (70,) vertices
    rest: Points  # (vertices, 3) before head and body move
    moving: tuple[tuple[Part, int], ...]  # parts that are placed in every frame, and their first vertices


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """One frame of a puppet in world coordinates."""

    points: NDArray[np.float64]  # (vertices, 3)
    normals: NDArray[np.float64]  # (vertices, 3), unit length


def build_puppet(look: Look) -> Puppet:
    """Build the mesh of a look."""
    head = build_head(look)
    skin = Part(name="skin", quads=head.quads, colour=skin_colour(head), place=_skin_itself,
                specular=look.shading.specular, gloss=look.shading.gloss, scatter=look.shading.scatter,
                body=1 - head.weight)  # fmt: skip
    ears = [] if look.creature else [ear(head, s) for s in (-1, 1)]
    parts = [skin, *ears, *clothes_parts(head), mouth_cavity(head), teeth(head, upper=True), teeth(head, upper=False),
             tongue(head)]  # fmt: skip
    for which, side in ((0, -1), (1, 1)):
        parts += [eyeball(head, which), catchlight(head, which), lash(head, which), brow(head, side)]
    neutral, scalp = np.zeros(len(INDEX), dtype=np.float32), None
    if look.creature:
        parts += creature_parts(head, look.creature)
    else:
        hair, scalp = hair_parts(head)
        parts += [under_hat(head, p, p.place(head.rest, neutral)) if p.still else p for p in hair]
    parts += worn_parts(head, scalp)
    counts = [len(part.colour) for part in parts]
    starts = np.concatenate([[0], np.cumsum(counts)])
    rests = [part.place(head.rest, neutral) for part in parts]
    quads = np.concatenate([
        _outward(part.quads, rest, flat=part.name in FLAT) + start
        for part, rest, start in zip(parts, rests, starts[:-1], strict=True)
    ])  # fmt: skip

    def spread(values: list[float]) -> Field:
        return np.repeat(np.asarray(values, dtype=np.float64), counts)

    eyes = [int(starts[i]) for i, part in enumerate(parts) if part.name == "eyeball"]
    return Puppet(
        look=look, head=head, parts=tuple(parts), quads=quads,
        names=tuple(part.name for part in parts), part=np.repeat(np.arange(len(parts)), counts),
        colour=np.concatenate([part.colour for part in parts]) ** 2.2,
        body=np.concatenate([np.broadcast_to(part.body, n) for part, n in zip(parts, counts, strict=True)]),
        specular=spread([p.specular for p in parts]), gloss=spread([p.gloss for p in parts]),
        unlit=spread([p.unlit for p in parts]), scatter=spread([p.scatter for p in parts]),
        landmarks=np.concatenate([landmark_vertices(head), eyes]), rest=np.concatenate(rests),
        moving=tuple((p, int(n)) for p, n in zip(parts[1:], starts[1:-1], strict=True) if not p.still),
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
    loops = compile_loops("toonbench.puppets.draw._pose_kernels")
    skin = pose_head(puppet.head, rig)
    points = puppet.rest.copy()
    points[: len(skin)] = skin
    for part, start in puppet.moving:
        points[start : start + len(part.colour)] = part.place(skin, rig)
    value = {name: float(rig[i]) for name, i in INDEX.items()}
    turn = rotation(yaw=np.radians(value["yaw"]), pitch=np.radians(value["pitch"]), roll=np.radians(value["roll"]))
    follow = rotation(yaw=np.radians(0.15 * value["yaw"]), pitch=0.0, roll=np.radians(0.1 * value["roll"]))
    shift, placed, normals = np.array([value["tx"], value["ty"], 0.0]), np.empty_like(points), np.empty_like(points)
    loops.move_bodies(points, puppet.body, turn, follow, PIVOT, shift, 2.0 ** value["scale"], placed)
    loops.sum_normals(placed, puppet.quads, normals)
    return Pose(points=placed, normals=normals)


def landmark_vertices(head: Head) -> Index:
    """Return the 68 skin vertices of the iBUG convention, counted from the left of the picture."""
    from scipy.spatial import KDTree

    shape, rest = head.look.shape, head.rest
    front = np.flatnonzero((head.weight == 1) & (np.abs(head.lon) < 1.5))
    tree = KDTree(rest[front, :2])

    def at(points: list[tuple[float, float]]) -> list[int]:
        return [int(front[i]) for i in np.atleast_1d(tree.query(np.asarray(points))[1])]

    edge = head.lon[head.chin_row]
    jaw = [int(head.chin_row[np.argmin(np.abs(edge - np.radians(a)))]) for a in np.linspace(-74, 74, 11)]
    side = np.flatnonzero(np.abs(np.abs(head.lon) - np.radians(76)) < 0.06)
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
