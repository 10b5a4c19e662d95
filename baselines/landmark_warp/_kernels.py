"""Loops over pixels, compiled by `toonbench.compiled`. Positions are pixels: x right, y down, centres at .5."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Picture = NDArray[np.float32]


def raster(places: Reals, vertices: Reals, triangles: NDArray[np.int64], source: Reals) -> None:
    """Write the source positions of triangles into `places` (height, width, 2); later triangles cover earlier ones."""
    height, width = places.shape[:2]
    for k in range(triangles.shape[0]):
        a, b, c = triangles[k, 0], triangles[k, 1], triangles[k, 2]
        ax, ay = vertices[a, 0], vertices[a, 1]
        bx, by = vertices[b, 0] - ax, vertices[b, 1] - ay
        cx, cy = vertices[c, 0] - ax, vertices[c, 1] - ay
        area = bx * cy - by * cx
        if abs(area) < 1e-9:
            continue
        top = max(0, math.ceil(min(ay, ay + by, ay + cy) - 0.5))
        bottom = min(height - 1, math.floor(max(ay, ay + by, ay + cy) - 0.5))
        left = max(0, math.ceil(min(ax, ax + bx, ax + cx) - 0.5))
        right = min(width - 1, math.floor(max(ax, ax + bx, ax + cx) - 0.5))
        for y in range(top, bottom + 1):
            py = y + 0.5 - ay
            for x in range(left, right + 1):
                px = x + 0.5 - ax
                s = (px * cy - py * cx) / area
                t = (bx * py - by * px) / area
                if s >= -1e-6 and t >= -1e-6 and s + t <= 1 + 1e-6:
                    r = 1 - s - t
                    places[y, x, 0] = r * source[a, 0] + s * source[b, 0] + t * source[c, 0]
                    places[y, x, 1] = r * source[a, 1] + s * source[b, 1] + t * source[c, 1]


def sample(picture: Picture, places: Reals, out: Picture) -> None:
    """The picture (height, width, 3) float32 at `places` (rows, columns, 2) into `out`, by Catmull-Rom; edges are repeated."""
    height, width = picture.shape[:2]
    wx, wy = np.empty(4), np.empty(4)
    for i in range(places.shape[0]):
        for j in range(places.shape[1]):
            x, y = places[i, j, 0] - 0.5, places[i, j, 1] - 0.5
            x, y = min(max(x, -1.0), width + 0.0), min(max(y, -1.0), height + 0.0)
            left, top = math.floor(x), math.floor(y)
            for weights, f in ((wx, x - left), (wy, y - top)):
                weights[0] = f * (-0.5 + f * (1.0 - 0.5 * f))
                weights[1] = 1.0 + f * f * (-2.5 + 1.5 * f)
                weights[2] = f * (0.5 + f * (2.0 - 1.5 * f))
                weights[3] = f * f * (-0.5 + 0.5 * f)
            for channel in range(3):
                total = 0.0
                for v in range(4):
                    row = min(max(top - 1 + v, 0), height - 1)
                    line = 0.0
                    for h in range(4):
                        line += wx[h] * picture[row, min(max(left - 1 + h, 0), width - 1), channel]
                    total += wy[v] * line
                out[i, j, channel] = total


def cover(mask: Picture, polygon: Reals, left: int, top: int) -> None:
    """The share of each pixel inside a polygon (points, 2) into `mask`, whose corner is at left, top; 4 x 4 samples a pixel."""
    n = polygon.shape[0]
    for i in range(mask.shape[0]):
        for j in range(mask.shape[1]):
            count = 0
            for v in range(4):
                y = top + i + (v + 0.5) / 4
                for h in range(4):
                    x = left + j + (h + 0.5) / 4
                    inside = False
                    for k in range(n):
                        x0, y0 = polygon[k, 0], polygon[k, 1]
                        x1, y1 = polygon[(k + 1) % n, 0], polygon[(k + 1) % n, 1]
                        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
                            inside = not inside
                    if inside:
                        count += 1
            mask[i, j] = count / 16
