"""Mistakes in time, found from small pictures: shifted, pasted, frozen.

All pictures are 32 x 32 means of areas, so that noise, blur and codecs count little, and frames of any size compare.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toonbench.types import Frames

SIDE = 32
LAGS = {"late_1": 1, "late_2": 2, "early_1": -1, "early_2": -2}
MOVES = 0.5  # grey levels: a reference that changes less from frame to frame shows no motion
APART = 3.0  # grey levels between two clips, below which a video cannot be assigned to one of them
STILL = 0.05  # of the reference's change over a clip: a video that moves less does not move
_STILL_STEP = 0.02  # the same from one frame to the next, which codecs may leave out where little moves
_FLAT = 2.0  # standard deviation in grey levels of a frame that shows nothing
_REACH = max(LAGS.values())
_LEAST_STEPS = 2 * _REACH + 3  # fewer frame changes than this cannot show a shift
_LIKE = 0.5  # correlation of the motion at the best shift, below which pictures do not show the shift
_IN_STEP = 0.7  # the same for the mere amount of motion
_DISTINCT = (
    0.3  # 1 - correlation of the reference with itself, shifted: with less there is too little motion to find a shift
)

Small = NDArray[np.float32]  # (frames, SIDE, SIDE, 3), 0 to 255
Steps = NDArray[np.float32] | NDArray[np.float64]  # (frames, ...), the changes from frame to frame
Shift = dict[str, float]
BLOCK = 256  # frames


def small(frames: Frames) -> Small:
    """Every frame as (SIDE, SIDE, 3) means of areas; of pictures smaller than that, nearest pixels."""
    _, height, width, _ = frames.shape
    rows, columns = (np.arange(SIDE) * side // SIDE for side in (height, width))
    tall, wide = (np.maximum(np.diff(at, append=side), 1) for at, side in ((rows, height), (columns, width)))
    area = (tall[:, None] * wide)[..., None].astype(np.float32)
    made = np.empty((len(frames), SIDE, SIDE, 3), np.float32)
    for index, frame in enumerate(frames):
        sums = np.add.reduceat(frame, rows, axis=0, dtype=np.uint32)
        made[index] = np.add.reduceat(sums, columns, axis=1) / area
    return made


def shift(video: Small, *, target: Small | None, driving: Small | None) -> tuple[Shift, bool]:
    """How much better the motion fits at each of LAGS (-1 to 1), NaN where it cannot be measured; and whether by energy only.

    Changes from frame to frame of the video correlate with those of the target; (c_k - c_0) / (1 - a_k), with c_k the
    correlation at lag k and a_k that of the target with itself, is -1 for a video in time and 1 for one that is k frames off,
    also if it moves little. Where the pictures are too different, or there is no target, the amount of change in each frame is
    compared instead, with the driving video if there is no target.
    """
    if target is not None:
        found = _fit(np.diff(video, axis=0), np.diff(target, axis=0), like=_LIKE)
        if found:
            return found, False
    other = driving if target is None else target
    if other is None:
        return dict.fromkeys(LAGS, float("nan")), True
    found = _fit(mean_steps(video)[:, None], mean_steps(other)[:, None], like=_IN_STEP, centred=True)
    return found or dict.fromkeys(LAGS, float("nan")), True


def to_source(video: Small, source: Small, *, target: Small | None, driving: Small | None) -> float:
    """Mean distance to the source over that of the target, or over the driving video's distance from its first frame."""
    moved = float("nan")
    if target is not None:
        moved = _mean(target - source)
    elif driving is not None:
        moved = _mean(driving - driving[:1])
    return _mean(video - source) / moved if moved >= MOVES else float("nan")


def to_driving(video: Small, driving: Small, *, other: Small) -> float:
    """Mean distance to the driving video over that of the target (or the source), NaN where these are too similar."""
    apart = _mean(other - driving)
    return _mean(video - driving) / apart if apart >= APART else float("nan")


def stillness(video: Small, reference: Small) -> tuple[float, float]:
    """The change from frame to frame over the reference's, and the share of changes at the end that are missing.

    Both NaN where the reference does not move, or there is one frame.
    """
    if len(video) < 2 or (steps := mean_steps(reference)).mean() < MOVES:
        return float("nan"), float("nan")
    own = mean_steps(video)
    moving = np.flatnonzero(~((own < _STILL_STEP * steps) | (steps < MOVES)))
    start = int(moving[-1]) + 1 if moving.size else 0
    tail = int((steps[start:] >= MOVES).sum())
    return float(own.mean() / steps.mean()), tail / int((steps >= MOVES).sum()) if tail else 0.0


def flatness(video: Small, reference: Small) -> float:
    """The share of frames that show one flat colour, NaN if the reference does so anywhere."""
    if (_spread(reference) < 2 * _FLAT).any():
        return float("nan")
    return float((_spread(video) < _FLAT).mean())


def _fit(video: Steps, other: Steps, *, like: float, centred: bool = False) -> Shift:
    """The gain of each lag over none; empty where motion is too short, too different or too uniform."""
    count = len(other)
    if count < _LEAST_STEPS:
        return {}
    middle = other[_REACH : count - _REACH]
    windows = {lag: slice(_REACH + lag, count - _REACH + lag) for lag in (0, *LAGS.values())}
    fits = {lag: _correlation(video[at], middle, centred=centred) for lag, at in windows.items()}
    own = {lag: _correlation(other[at], middle, centred=centred) for lag, at in windows.items()}
    if max(fits.values()) < like or max(own[lag] for lag in LAGS.values()) > 1 - _DISTINCT:
        return {}
    return {name: (fits[lag] - fits[0]) / (1 - own[lag]) for name, lag in LAGS.items()}


def _correlation(one: Steps, other: Steps, *, centred: bool) -> float:
    if centred:
        one, other = one - one.mean(), other - other.mean()
    sums = np.sum([_products(one[at], other[at]) for at in _blocks(one)], axis=0)
    size = float(np.sqrt(sums[0] * sums[1]))
    return float(sums[2]) / size if size > 1e-6 else 0.0


def _products(one: Steps, other: Steps) -> tuple[float, float, float]:
    """The sums of squares of both, and of their products."""
    a, b = (steps.reshape(len(steps), -1).astype(np.float64) for steps in (one, other))
    return (a * a).sum(), (b * b).sum(), (a * b).sum()


def _blocks(frames: Steps) -> list[slice]:
    """Parts of at most BLOCK frames, which bound the memory of double precision."""
    return [slice(start, start + BLOCK) for start in range(0, len(frames), BLOCK)]


def mean_steps(pictures: Small) -> NDArray[np.float64]:
    """(frames - 1,) mean absolute change."""
    starts = range(0, max(len(pictures) - 1, 0), BLOCK)
    parts = [np.abs(np.diff(pictures[start : start + BLOCK + 1], axis=0)) for start in starts]
    return np.concatenate([np.zeros(0), *(part.mean(axis=(1, 2, 3), dtype=np.float64) for part in parts)])


def _spread(pictures: Small) -> NDArray[np.float64]:
    """(frames,) standard deviation over the places, the greatest of the channels."""
    parts = [pictures[at].std(axis=(1, 2), dtype=np.float64).max(axis=1) for at in _blocks(pictures)]
    return np.concatenate([np.zeros(0), *parts])


def _mean(difference: Small) -> float:
    return float(np.abs(difference).mean(dtype=np.float64))
