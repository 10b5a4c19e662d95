"""The squares that are cropped from the frames of a track: one around all its boxes, or one that follows the face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from toonbench.prepare.tracks import FaceTrack

Square = tuple[int, int, int]  # left, top, side in pixels of the boxes; it may leave the picture
Rule = Literal["union", "smoothed"]
ENLARGE = 0.1  # of the longer side, at each end, as in the crops of the first-order motion model
LEAST_CHANGE = 0.75  # pixels between a smooth value and the whole number for it, from which the number changes
CUT_OFF = 4.0  # standard deviations at which the Gaussian filter ends


def squares_of(track: FaceTrack, rule: Rule, *, margin: float = ENLARGE) -> list[Square]:
    """One square ("union"), or one for each frame of [first, last) ("smoothed"), in pixels of the track's boxes.

    `margin` is the room at each side, as a share of the longer side of what the boxes cover.

    "smoothed": the box's centre and longer side, linear between detections, are filtered by a Gaussian whose standard deviation is
    the usual time between two detections, with the ends repeated. Raises ValueError for a track without a face.
    """
    frames = np.arange(track.first, track.last)
    boxes = np.array([track.box_at(int(frame)) for frame in frames]).reshape(-1, 4)
    if rule == "union":
        return [square_around(boxes, margin=margin)]
    return _smoothed(boxes, spacing=_spacing(track), margin=margin)


def square_around(boxes: Sequence[Sequence[float]] | NDArray[np.float64], *, margin: float = ENLARGE) -> Square:
    """The square around all boxes, (k, 4), with their centre: its side is the longer one of what they cover, and twice the margin."""
    array = np.asarray(boxes, np.float64)
    left, top, right, bottom = (*array[:, :2].min(axis=0), *array[:, 2:].max(axis=0))
    side = max(1, int((1 + 2 * margin) * max(right - left, bottom - top)))
    return int(np.floor((left + right - side) / 2)), int(np.floor((top + bottom - side) / 2)), side


def _spacing(track: FaceTrack) -> float:
    return float(np.median(np.diff(track.at))) if len(track.at) > 1 else 1.0


def _smoothed(boxes: NDArray[np.float64], *, spacing: float, margin: float) -> list[Square]:
    from scipy.ndimage import gaussian_filter1d

    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True)
    values = gaussian_filter1d(
        np.hstack([centres, (1 + 2 * margin) * sides]), spacing, axis=0, mode="nearest", truncate=CUT_OFF
    )
    side = _steady(values[:, 2])
    left, top = (_steady(values[:, edge] - side / 2) for edge in (0, 1))
    return [(int(x), int(y), max(1, int(s))) for x, y, s in zip(left, top, side, strict=True)]


def _steady(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole numbers that follow smooth values and do not alternate between two neighbours."""
    held = float(np.floor(values[0]))
    numbers: list[float] = []
    for value in values:
        if abs(value - held) >= LEAST_CHANGE:
            held = float(np.rint(value))
        numbers.append(held)
    return np.asarray(numbers, np.int64)
