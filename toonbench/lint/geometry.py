"""Mistakes in space, found from small pictures: mirrored, turned, cut out of another part of the picture.

Pictures are (height, width, 3) or a batch of them; both sides are aligned in time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toonbench.lint.motion import SIDE, Small

Plane = NDArray[np.float64]  # (SIDE, SIDE)
Offsets = NDArray[np.float64]  # (3,): log of the scale, and the shift in widths to the right and in heights down

TURNS: Mapping[str, Callable[[Small], Small]] = {
    "mirrored": lambda pictures: pictures[:, :, ::-1],
    "turned_90": lambda pictures: np.rot90(pictures, -1, axes=(1, 2)),
    "turned_180": lambda pictures: np.rot90(pictures, 2, axes=(1, 2)),
    "turned_270": lambda pictures: np.rot90(pictures, 1, axes=(1, 2)),
}
"""What was done to pictures, (frames, SIDE, SIDE, 3): turns are clockwise, in degrees."""
_DISTINCT = 0.03  # 1 - correlation of a reference with itself, mirrored or turned: with less the mistake does not show
_LIKE = 0.5  # correlation with the turned reference, below which it does not explain the video
_ALIGNED = 0.985  # correlation of mean pictures, above which no other part of the picture is searched
_NEAR = 0.6  # part of the difference that a fit from no offset must explain, or all offsets are tried
_COARSE = 16  # side of the pictures on which all offsets are tried
_SCALES = np.exp(np.linspace(np.log(0.5), np.log(2.0), 15))
_SHIFTS = np.arange(-6, 7) / _COARSE
_OVERLAP = 0.3  # part of the picture that must be common
_ROUNDS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """Which part of the reference a video shows.

    It shows `scale` of the width (more than 1: more than the reference), its centre shifted by `x` widths to the right and `y`
    heights down. `fit` is the correlation there, `gain` the part of the difference from 1 that it explains.
    """

    scale: float
    x: float
    y: float
    fit: float
    gain: float


def turned(video: Small, reference: Small) -> dict[str, float]:
    """For each of TURNS, -1 (the video is as the reference) to 1 (turned in this way); NaN where it does not show."""
    straight = correlation(video, reference)
    found: dict[str, float] = {}
    for name, turn in TURNS.items():
        other = turn(reference)
        fit, room = correlation(video, other), 1 - correlation(reference, other)
        found[name] = (fit - straight) / room if room >= _DISTINCT and max(fit, straight) >= _LIKE else float("nan")
    return found


def correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Correlation of two arrays of one shape; 0 if one is constant."""
    a, b = (x.astype(np.float64).ravel() - x.mean(dtype=np.float64) for x in (one, other))
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 1e-6 else 0.0


def crop(video: Small, reference: Small) -> Crop:
    """Which part of `reference` the pictures of `video` show, (frames, SIDE, SIDE, 3), from their means over time."""
    shown, whole = (pictures.mean(axis=(0, 3), dtype=np.float64) for pictures in (video, reference))
    straight = correlation(shown, whole)
    if straight >= _ALIGNED or min(shown.std(), whole.std()) < 1:
        return Crop(scale=1.0, x=0.0, y=0.0, fit=straight, gain=0.0)
    offsets, fit = _refined(shown, whole, start=np.zeros(3))
    if _gain(fit, straight) < _NEAR:
        other, other_fit = _refined(shown, whole, start=_tried(shown, whole))
        if other_fit > fit:
            offsets, fit = other, other_fit
    return Crop(
        scale=float(np.exp(offsets[0])), x=float(offsets[1]), y=float(offsets[2]), fit=fit, gain=_gain(fit, straight)
    )


def _gain(fit: float, straight: float) -> float:
    return (fit - straight) / (1 - straight)


def _refined(shown: Plane, whole: Plane, *, start: Offsets) -> tuple[Offsets, float]:
    """The offsets with the greatest correlation near `start` (Gauss-Newton on standardised pictures), and this correlation."""
    best, fit = start, _fit(shown, whole, start)[0]
    for _ in range(_ROUNDS):
        _, residual = _fit(shown, whole, best)
        steps = np.array([0.01, 0.005, 0.005])
        slopes = np.stack([(_fit(shown, whole, best + d)[1] - residual) / d.sum() for d in np.diag(steps)], axis=1)
        move = np.linalg.lstsq(slopes, -residual, rcond=None)[0]
        for part in (1.0, 0.3):
            tried = best + part * np.clip(move, -0.1, 0.1)
            tried_fit = _fit(shown, whole, tried)[0]
            if tried_fit > fit + 1e-5:
                best, fit = tried, tried_fit
                break
        else:
            break
    return best, fit


def _fit(shown: Plane, whole: Plane, offsets: Offsets) -> tuple[float, NDArray[np.float64]]:
    """The correlation of what is common at these offsets, and the standardised differences (0 outside)."""
    sampled, inside = _sampled(whole, offsets)
    if inside.mean() < _OVERLAP:
        return -1.0, np.zeros(shown.size)
    a, b = _standard(shown[inside]), _standard(sampled[inside])
    residual = np.zeros(shown.shape)
    residual[inside] = b - a
    return float((a * b).mean()), residual.ravel()


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = values - values.mean()
    return centred / max(float(centred.std()), 1e-6)


def _sampled(whole: Plane, offsets: Offsets) -> tuple[Plane, NDArray[np.bool_]]:
    """The part of a picture at these offsets, by bilinear interpolation, and where it is inside the picture."""
    side = len(whole)
    at = (np.arange(side) + 0.5) / side - 0.5
    rows, columns = ((np.exp(offsets[0]) * at + 0.5 + shift) * side - 0.5 for shift in (offsets[2], offsets[1]))
    inside = [(axis >= -0.5) & (axis <= side - 0.5) for axis in (rows, columns)]
    return _weights(rows, side) @ whole @ _weights(columns, side).T, inside[0][:, None] & inside[1]


def _weights(at: NDArray[np.float64], side: int) -> Plane:
    """(places, side): the weights of the pixels in a linear interpolation; ends are repeated."""
    return np.maximum(1 - np.abs(np.clip(at, 0, side - 1)[:, None] - np.arange(side)), 0)


def _tried(shown: Plane, whole: Plane) -> Offsets:
    """The offsets with the greatest correlation of all that are tried, on coarse pictures."""
    places, inside, offsets = _table()
    small = [one.reshape(_COARSE, SIDE // _COARSE, _COARSE, -1).mean(axis=(1, 3)).ravel() for one in (shown, whole)]
    b = small[1][places] * inside
    count = inside.sum(axis=1)
    sum_a, sum_b = inside @ small[0], b.sum(axis=1)
    spread_a = inside @ small[0] ** 2 - sum_a**2 / count
    spread_b = (b * b).sum(axis=1) - sum_b**2 / count
    both = b @ small[0] - sum_a * sum_b / count
    return offsets[np.argmax(both / np.sqrt(np.maximum(spread_a * spread_b, 1e-6)))]


@functools.cache
def _table() -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """For all offsets that are tried: the nearest pixel for each pixel, whether it is inside, and the offsets."""
    at = (np.arange(_COARSE) + 0.5) / _COARSE - 0.5
    tried = [(np.log(scale), x, y) for scale in _SCALES for x in _SHIFTS for y in _SHIFTS]
    places, insides, kept = [], [], []
    for offsets in tried:
        rows, columns = (np.floor((np.exp(offsets[0]) * at + 0.5 + s) * _COARSE) for s in (offsets[2], offsets[1]))
        inside = ((rows >= 0) & (rows < _COARSE))[:, None] & ((columns >= 0) & (columns < _COARSE))
        if inside.mean() >= _OVERLAP:
            place = np.clip(rows, 0, _COARSE - 1)[:, None] * _COARSE + np.clip(columns, 0, _COARSE - 1)
            places.append(place.ravel().astype(np.int64))
            insides.append(inside.ravel().astype(np.float64))
            kept.append(offsets)
    return np.stack(places), np.stack(insides), np.array(kept)
