"""A mesh over the source picture with slits at eyes and mouth, moved by landmarks and drawn as source positions of pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from baselines.landmark_warp.shape import BROWS, CONTOUR, EYES, NOSE, OPENINGS, OUTER_LIPS, Opening, Points, measures
from baselines.landmark_warp.transfer import HEAD, Moved, Pose, fit_pose
from toonbench.types import LANDMARKS

Reals: TypeAlias = "NDArray[np.float64]"
STEPS = 4  # points of a curve for each of its landmarks
SLIT = 0.012  # of the face's height: the least distance of lids and of lips in the mesh of the source
SPACING = 1 / 12  # of the face's height, between vertices
MOST_VERTICES = 40  # along a side of the picture
HEAD_AXES = 0.62, 1.15  # half axes of the head's outline above the eyes, in the face's width and height
STIFF = 12.0  # how fast motion fades away from landmarks, in heights of the face


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A smooth curve through landmarks: its points are `matrix` (points, 70) times the landmarks."""

    matrix: Reals

    def __call__(self, points: Points) -> Points:
        """The curve's points."""
        return self.matrix @ points


def curve(landmarks: tuple[int, ...] | range, *, ends: tuple[int, int] | None = None) -> Curve:
    """The Catmull-Rom curve through landmarks. It comes from and leaves for the landmarks `ends`; without them its ends are straight."""
    points = [_one(at) for at in landmarks]
    before, after = (_one(at) for at in ends) if ends else (2 * points[0] - points[1], 2 * points[-1] - points[-2])
    points = [before, *points, after]
    rows: list[Reals] = []
    for k in range(len(landmarks) - 1):
        for f in np.arange(STEPS) / STEPS:
            weights = (
                f * (-0.5 + f * (1 - 0.5 * f)),
                1 + f * f * (-2.5 + 1.5 * f),
                f * (0.5 + f * (2 - 1.5 * f)),
                f * f * (-0.5 + 0.5 * f),
            )
            rows.append(sum((w * p for w, p in zip(weights, points[k : k + 4], strict=True)), np.zeros(LANDMARKS)))
    return Curve(matrix=np.array([*rows, points[-2]]))


def _one(landmark: int) -> Reals:
    return np.eye(LANDMARKS)[landmark]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """The two curves of an opening."""

    upper: Curve
    lower: Curve

    def apart(self, points: Points, *, down: complex, least: float) -> tuple[Points, Points]:
        """The points of both curves; where the lower one is less than `least` below the upper one, both are moved apart."""
        upper, lower = self.upper(points), self.lower(points)
        below = ((lower - upper) / down).real
        move = np.maximum(least - below, 0) / 2 * down
        move[[0, -1]] = 0
        return upper - move, lower + move


def edges(opening: Opening, *, rounded: bool) -> Edges:
    """The curves of an opening; `rounded` ones have no angle at the corners, so that a round eye lies inside."""
    upper, lower = opening.upper, opening.lower
    return Edges(
        upper=curve(upper, ends=(lower[1], lower[-2]) if rounded else None),
        lower=curve(lower, ends=(upper[1], upper[-2]) if rounded else None),
    )


EDGES = tuple(edges(opening, rounded=opening in EYES) for opening in OPENINGS)
LINES = (curve(CONTOUR), curve(BROWS[0]), curve(BROWS[1]), curve(OUTER_LIPS))


class Mesh:
    """The mesh of one source. `height` and `width` are the picture's, `points` the source's landmarks."""

    def __init__(self, height: int, width: int, points: Points) -> None:
        self._points, self._size = points, (height, width)
        face = measures(points)
        self._down = face.right * 1j
        self._slit = SLIT * face.height
        moving = self._moving(points, self._slit)
        head, fixed = _around(height, width, points)
        self._head = head
        controls = np.concatenate([moving, head, fixed])
        spacing = max(face.height * SPACING, max(height, width) / MOST_VERTICES)
        self.vertices = np.concatenate([controls, _grid(height, width, spacing, controls)])
        self.triangles, solid = _triangles(self.vertices, self._holes(points, self._slit), centre=face.centre)
        self._spread = _spread(self.vertices, self.triangles[solid], len(controls), stiff=STIFF / face.height)
        self._spread = self._spread[:, : len(moving) + len(head)]
        self._moving_start = moving

    def _moving(self, points: Points, least: float) -> Points:
        """The control points that follow landmarks."""
        parts = [line(points) for line in LINES]
        parts[-1] = parts[-1][:-1]  # the lips' curve is closed
        parts.append(points[list(NOSE)])
        for edge in EDGES:
            upper, lower = edge.apart(points, down=self._down, least=least)
            parts += [upper, lower[1:-1]]
        return np.concatenate(parts)

    def _holes(self, points: Points, least: float) -> list[Points]:
        return [outline(edge.apart(points, down=self._down, least=least)) for edge in EDGES]

    def move(self, moved: Moved) -> Points:
        """The vertices' positions in one frame."""
        points = moved.points
        skull = skull_pose(self._points, points)
        change = np.concatenate([self._moving(points, 0.0) - self._moving_start, skull(self._head) - self._head])
        return self.vertices + self._spread @ change

    def draw(self, moved: Moved, loops: Any) -> Reals:
        """The source position of every pixel of one frame, (height, width, 2)."""
        height, width = self._size
        across, down = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        back = moved.pose.inverse(across + 1j * down)  # where nothing is drawn
        places = np.stack([back.real, back.imag], axis=2)
        loops.raster(places, pairs(self.move(moved)), self.triangles, pairs(self.vertices))
        return places


def skull_pose(before: Points, after: Points) -> Pose:
    """The motion of the head's outline. The front of the face turns more, so its position is that of the ears (landmarks 0 and 16)."""
    turn = fit_pose(before[HEAD], after[HEAD]).turn
    grown = max(abs((after[i] - after[j]) / (before[i] - before[j])) for i, j in ((0, 16), (27, 33)))
    turn *= grown / abs(turn)
    ears = [0, 1, 15, 16]
    return Pose(turn=turn, shift=complex(after[ears].mean() - turn * before[ears].mean()))


def outline(sides: tuple[Points, Points]) -> Points:
    """The polygon between an upper and a lower curve."""
    return np.concatenate([sides[0], sides[1][-2:0:-1]])


def pairs(points: Points) -> Reals:
    """Complex points as (points, 2) x and y."""
    return np.ascontiguousarray(np.stack([points.real, points.imag], axis=1))


def _around(height: int, width: int, points: Points) -> tuple[Points, Points]:
    """Points of the head's outline, which follow the head, and points of the picture's border, which do not move."""
    face = measures(points)
    eyes = complex(points[[36, 39, 42, 45]].mean())
    axes = complex(HEAD_AXES[0] * face.width, HEAD_AXES[1] * face.height)
    angles = np.radians(np.linspace(-10, 190, 15))
    ring = eyes + (axes.real * np.cos(angles) - 1j * axes.imag * np.sin(angles)) * face.right
    inside = (ring.real > 1) & (ring.real < width - 1) & (ring.imag > 1) & (ring.imag < height - 1)
    border = _border(height, width)
    place = (border - eyes) / face.right
    covered = ((place.real / axes.real) ** 2 + (place.imag / axes.imag) ** 2 < 1) & (place.imag < 0.2 * face.height)
    return np.concatenate([ring[inside], border[covered]]), border[~covered]


def _border(height: int, width: int) -> Points:
    count = 16
    along = np.arange(count) / count
    sides = [along * width, width + 1j * along * height, width * (1 - along) + 1j * height, 1j * (1 - along) * height]
    return np.concatenate([side.astype(np.complex128) for side in sides])


def _grid(height: int, width: int, spacing: float, controls: Points) -> Points:
    """A triangular grid of points, without those that are close to `controls`."""
    from scipy.spatial import KDTree

    rows = max(2, round(height / spacing))
    columns = max(2, round(width / spacing))
    y, x = np.meshgrid((np.arange(rows) + 0.5) / rows, np.arange(columns), indexing="ij")
    x = (x + 0.25 + 0.5 * (np.arange(rows) % 2)[:, None]) / columns
    grid = (x * width + 1j * y * height).ravel()
    distance, _ = KDTree(pairs(controls)).query(pairs(grid))
    return grid[distance > 0.5 * spacing]


def _triangles(
    vertices: Points, holes: list[Points], *, centre: complex
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Delaunay triangles in drawing order, and which of them are not in a hole: holes first, then from far to near the centre."""
    from scipy.spatial import Delaunay

    triangles = Delaunay(pairs(vertices)).simplices.astype(np.int64)
    middle = vertices[triangles].mean(axis=1)
    hole = np.any([_within(middle, polygon) for polygon in holes], axis=0)
    order = np.lexsort((-np.abs(middle - centre), ~hole))
    return triangles[order], ~hole[order]


def _within(points: Points, polygon: Points) -> NDArray[np.bool_]:
    """Which points lie in a polygon (even-odd rule)."""
    start, end = polygon[None], np.roll(polygon, -1)[None]
    y = points.imag[:, None]
    crosses = (start.imag > y) != (end.imag > y)
    rise = np.where(crosses, end.imag - start.imag, 1.0)
    left = points.real[:, None] < start.real + (y - start.imag) / rise * (end.real - start.real)
    return (crosses & left).sum(axis=1) % 2 == 1


def _spread(vertices: Points, triangles: NDArray[np.int64], controls: int, *, stiff: float) -> Reals:
    """(vertices, controls) weights of the smoothest motion of the mesh that moves its first vertices as given.

    Smooth is: least squared Laplacian (of cotangents; Botsch and Sorkine 2008, "On linear variational surface deformation
    methods") plus `stiff` squared times the squared gradient.
    """
    from scipy import sparse
    from scipy.sparse.linalg import splu

    laplacian, mass = _laplacian(vertices, triangles)
    energy = (laplacian @ sparse.diags(1 / mass) @ laplacian + stiff**2 * laplacian).tocsc()
    energy += sparse.identity(len(vertices)) * 1e-9 * energy.diagonal().mean()
    free = slice(controls, None)
    solved = splu(energy[free, free].tocsc()).solve(-energy[free, :controls].toarray())
    return np.concatenate([np.eye(controls), solved])


def _laplacian(vertices: Points, triangles: NDArray[np.int64]) -> tuple[Any, Reals]:
    """The cotangent Laplacian of a mesh, sparse, and a third of the triangles' area at every vertex."""
    from scipy import sparse

    count = len(vertices)
    total = sparse.csr_matrix((count, count))
    mass = np.zeros(count)
    for k in range(3):
        a, b, c = (triangles[:, (k + n) % 3] for n in range(3))
        first, second = vertices[b] - vertices[a], vertices[c] - vertices[a]
        area = np.abs((np.conj(first) * second).imag)
        cotangent = (np.conj(first) * second).real / np.maximum(area, 1e-9) / 2
        total += sparse.csr_matrix((np.concatenate([-cotangent, -cotangent, cotangent, cotangent]),
                                    (np.concatenate([b, c, b, c]), np.concatenate([c, b, b, c]))), (count, count))  # fmt: skip
        np.add.at(mass, a, area / 6)
    return total, np.maximum(mass, 1e-9 + mass.mean() * 1e-3)
