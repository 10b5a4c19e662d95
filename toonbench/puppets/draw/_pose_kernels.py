"""The loops that pose a puppet, written so that numba can compile each of them alone (see `toonbench.compiled`)."""

import math

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


def move_bodies(
    points: Doubles, body: Doubles, turn: Doubles, follow: Doubles, pivot: Doubles, shift: Doubles, scale: float,
    out: Doubles,
) -> None:  # fmt: skip
    """Rotate points (n, 3) about `pivot`: by `turn` where `body` is 0, by `follow` where it is 1, by a mix between them; then scale."""
    for i in range(points.shape[0]):
        share = body[i]
        x, y, z = points[i, 0] - pivot[0], points[i, 1] - pivot[1], points[i, 2] - pivot[2]
        for k in range(3):
            head = turn[k, 0] * x + turn[k, 1] * y + turn[k, 2] * z
            if share > 0.0:
                head += share * (follow[k, 0] * x + follow[k, 1] * y + follow[k, 2] * z - head)
            out[i, k] = (head + pivot[k]) * scale + shift[k]


def sum_normals(points: Doubles, quads: NDArray[np.int64], out: Doubles) -> None:
    """Write each vertex's unit normal (n, 3): the normalised sum of its quads' normals, each with twice the quad's area as its length."""
    out[:] = 0.0
    for q in range(quads.shape[0]):
        a, b, c, d = quads[q, 0], quads[q, 1], quads[q, 2], quads[q, 3]
        ux, uy, uz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
        vx, vy, vz = points[d, 0] - points[b, 0], points[d, 1] - points[b, 1], points[d, 2] - points[b, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for k in range(4):
            i = quads[q, k]
            out[i, 0] += nx
            out[i, 1] += ny
            out[i, 2] += nz
    for i in range(out.shape[0]):
        length = math.sqrt(out[i, 0] ** 2 + out[i, 1] ** 2 + out[i, 2] ** 2)
        scale = 1.0 / max(length, 1e-12)
        for k in range(3):
            out[i, k] *= scale
