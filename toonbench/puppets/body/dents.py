"""Marks of hands on a surface: shallow dents and a few fingerprints, as on a clay head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PRINTS, RIDGE = 12, 0.062  # fingerprints on a head, and the distance between their ridges in lengths


def dents(points: NDArray[np.float64], *, seed: int) -> NDArray[np.float64]:
    """Return displacements (rows, columns, 3) of surface points (rows, columns, 3), outwards and about 1 at most."""
    rng = np.random.default_rng(seed + 13)
    waves, phase = rng.normal(0, 1, (8, 3)), rng.uniform(0, 2 * np.pi, 8)
    waves *= rng.uniform(3.0, 7.0, (8, 1)) / np.linalg.norm(waves, axis=1, keepdims=True)
    height = 0.28 * np.sin(points @ waves.T + phase).sum(-1)
    away = points / np.maximum(np.linalg.norm(points, axis=-1, keepdims=True), 1e-9)
    for _ in range(PRINTS):
        lon, lat = rng.uniform(-1.3, 1.3), rng.uniform(-0.85, 0.7)
        core = np.array([np.sin(lon) * np.cos(lat), np.sin(lat), np.cos(lon) * np.cos(lat)]) * 0.9
        middle = core + rng.normal(0, 0.05, 3)  # whorls are not in the middle of the thumb's mark
        near = np.exp(-(((points - core) ** 2).sum(-1) / 0.022))
        ridges = np.sin(np.linalg.norm(points - middle, axis=-1) * 2 * np.pi / RIDGE)
        height = height + near * (0.42 * ridges - 0.5)
    return height[..., None] * away
