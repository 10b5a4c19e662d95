"""t-SNE of a few hundred points, computed exactly (van der Maaten and Hinton 2008), without random numbers.

It begins at the first two principal components instead of random places, so that equal points give equal maps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
ITERATIONS, EXAGGERATED = 600, 150  # steps, and those at the beginning that pull near points together
EXAGGERATION = 12.0
SEARCHES = 60  # halvings of the interval of a bandwidth
LEAST = 1e-12


def tsne(points: NDArray[np.floating], *, perplexity: float = 30.0) -> Points:
    """Places (n, 2) of points (n, values). The perplexity is lowered to a third of the points where there are few."""
    x = points.astype(np.float64)
    shared = neighbours(x, perplexity=min(perplexity, max(2.0, (len(x) - 1) / 3)))
    y = _principal(x)
    step, velocity, gains = max(50.0, len(x) / EXAGGERATION), np.zeros_like(y), np.ones_like(y)
    for at in range(ITERATIONS):
        early = at < EXAGGERATED
        slope = _gradient(shared * (EXAGGERATION if early else 1.0), y)
        gains = np.where(np.sign(slope) != np.sign(velocity), gains + 0.2, gains * 0.8).clip(0.01)
        velocity = (0.5 if early else 0.8) * velocity - step * gains * slope
        y = y + velocity
        y -= y.mean(axis=0)
    return y


def neighbours(x: Points, *, perplexity: float) -> Points:
    """The symmetric probabilities (n, n) that two points are neighbours; each row's own has the given perplexity."""
    square = (x**2).sum(axis=1)
    distance = np.maximum(square[:, None] + square[None] - 2 * x @ x.T, 0)
    distance /= max(float(np.median(distance)), LEAST)
    np.fill_diagonal(distance, np.inf)
    distance -= distance.min(axis=1, keepdims=True)
    low, high = np.full(len(x), 1e-6), np.full(len(x), 1e6)
    own = np.zeros_like(distance)
    for _ in range(SEARCHES):
        precision = np.sqrt(low * high)
        own = np.exp(-distance * precision[:, None])
        own /= own.sum(axis=1, keepdims=True)
        entropy = -(own * np.log(np.maximum(own, LEAST))).sum(axis=1)
        wide = entropy > np.log(perplexity)
        low, high = np.where(wide, precision, low), np.where(wide, high, precision)
    return np.maximum((own + own.T) / (2 * len(x)), LEAST)


def _principal(x: Points) -> Points:
    """The first two principal components, small; signs are chosen so that the largest entry of each is positive."""
    centred = x - x.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    y = left[:, :2] * sizes[:2]
    y *= np.sign(y[np.abs(y).argmax(axis=0), [0, 1]])
    return 1e-2 * y / max(float(y[:, 0].std()), LEAST)


def _gradient(shared: Points, y: Points) -> Points:
    square = (y**2).sum(axis=1)
    near = 1 / (1 + np.maximum(square[:, None] + square[None] - 2 * y @ y.T, 0))
    np.fill_diagonal(near, 0)
    pull = (shared - near / near.sum()) * near
    return 4 * (pull.sum(axis=1)[:, None] * y - pull @ y)
