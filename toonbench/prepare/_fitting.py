"""Fit one clip's small pictures to another's, and measure how unlike they are then.

One shift and one scale in width, height and time for all pictures are found by a few steps of least squares (Lucas and Kanade,
1981): another crop, or ends that are a few frames off, cost little then.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STEPS = 6
EARLY = 2  # steps after which a pair that does not begin to agree is given up
HOPELESS = 0.2  # agreement of the changes over time, below which it does not
FARTHEST = 0.25  # the largest shift and change of scale, in half pictures
MARGIN = 3  # pixels at the edge that are not compared: another crop shows other things there
STILL = 0.7  # grey levels of change over time, below which a clip shows one picture
LIKE, LIKE_STILL = 0.2, 0.08  # 1 - correlation of the details of two clips, or of two still ones, at unlikeness 1
FAINT = 2.0  # grey levels: the contrast of a picture below which it is not raised

Pictures = NDArray[np.floating]  # (moments, side, side)
Cells = NDArray[np.floating]


def unlikeness(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """How unlike two clips' (moments, side, side) uint8 pictures are after the better fit of one to the other: 0 equal, over 1 different.

    The worse of two parts counts: the details of the mean picture, and the changes over time. A still clip has only the first.
    """
    pair = one.astype(np.float32), other.astype(np.float32)
    return min(_fitted_unlikeness(*pair), _fitted_unlikeness(*reversed(pair)))


def _fitted_unlikeness(fixed: Pictures, moved: Pictures) -> float:
    sharp, soft = _normal(_blurred(fixed)), _normal(_blurred(moved))
    fit = np.zeros(6)
    for step in range(STEPS):
        fit = _improved(fit, sharp, soft)
        if step == EARLY and _changes_agree(fixed, _warped(moved, fit)) < HOPELESS:
            break
    warped = _inner(_warped(moved, fit))
    fixed = _inner(fixed)
    details = 1 - _correlation(_details(fixed.mean(axis=0)), _details(warped.mean(axis=0)))
    if max(_changes(fixed).std(), _changes(warped).std()) < STILL:
        return details / LIKE_STILL
    return max(details, 1 - _correlation(_changes(fixed), _changes(warped))) / LIKE


def _changes_agree(fixed: Pictures, warped: Pictures) -> float:
    """The correlation of the changes over time; 1 for still clips."""
    one, other = _changes(_inner(fixed)), _changes(_inner(warped))
    return 1.0 if max(one.std(), other.std()) < STILL else _correlation(one, other)


def _improved(fit: NDArray[np.float64], fixed: Pictures, moved: Pictures) -> NDArray[np.float64]:
    """One step of least squares from the fit (shift and scale in time, height, width)."""
    warped = _warped(moved, fit)
    slopes: list[Cells] = []
    for axis, slope in enumerate(np.gradient(warped)):
        half = warped.shape[axis] / 2
        shape = [-1 if axis == each else 1 for each in range(3)]
        slopes += [slope * half, slope * half * _places(warped.shape[axis]).reshape(shape)]
    design = np.stack([_inner(slope).ravel() for slope in slopes])
    square = (design @ design.T).astype(np.float64)
    square[np.diag_indices(6)] *= 1.01  # steadier where a direction shows little
    square[np.diag_indices(6)] += 1e-3
    step = np.linalg.solve(square, (design @ _inner(fixed - warped).ravel()).astype(np.float64))
    return np.clip(fit + step, -FARTHEST, FARTHEST)


def _places(count: int) -> Cells:
    """The places of `count` cells, from about -1 to 1."""
    return ((np.arange(count) - (count - 1) / 2) / (count / 2)).astype(np.float32)


def _warped(pictures: Pictures, fit: NDArray[np.float64]) -> Pictures:
    """The pictures after the fit; cells from outside repeat the edge."""
    for axis in range(3):
        count = pictures.shape[axis]
        shift, scale = fit[2 * axis : 2 * axis + 2]
        at = (_places(count) * (1 + scale) + shift) * (count / 2) + (count - 1) / 2
        pictures = _resampled(pictures, np.clip(at, 0, count - 1), axis)
    return pictures


def _resampled(pictures: Pictures, at: NDArray[np.float64], axis: int) -> Pictures:
    before = np.minimum(np.floor(at).astype(int), pictures.shape[axis] - 2)
    shape = [-1 if axis == each else 1 for each in range(3)]
    share = (at - before).astype(np.float32).reshape(shape)
    return np.take(pictures, before, axis) * (1 - share) + np.take(pictures, before + 1, axis) * share


def _inner(pictures: Pictures) -> Pictures:
    return pictures[:, MARGIN:-MARGIN, MARGIN:-MARGIN]


def _normal(pictures: Pictures) -> Pictures:
    centred = pictures - pictures.mean(axis=(1, 2), keepdims=True)
    return centred / np.maximum(centred.std(axis=(1, 2), keepdims=True), FAINT)


def _blurred(pictures: Pictures) -> Pictures:
    """Means of 3x3 cells with weights 1 2 1."""
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    return (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 4


def _changes(pictures: Pictures) -> Pictures:
    return pictures - pictures.mean(axis=0)


def _details(picture: Cells) -> Cells:
    return picture - _blurred(_blurred(picture[None]))[0]


def _correlation(one: Cells, other: Cells) -> float:
    """Pearson's correlation; 1 for two flat ones and 0 for one of them."""
    a, b = one - one.mean(), other - other.mean()
    sizes = float((a * a).mean()), float((b * b).mean())
    if min(sizes) < 1e-2:
        return float(max(sizes) < 1e-2)
    return float((a * b).mean()) / (sizes[0] * sizes[1]) ** 0.5
