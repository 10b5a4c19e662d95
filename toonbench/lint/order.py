"""Mistakes in the order of frames, found from small pictures: repeated, sorted by name as text, reversed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from toonbench.lint.geometry import correlation
from toonbench.lint.motion import LAGS, MOVES, Small, mean_steps

Order = NDArray[np.int64]  # for each frame, the frame that is shown there
ORDERS = ("text_order", "reversed")
FEWEST_RUNS = 3  # groups of equal frames, below which they are no pattern
_LEAST = 0.02  # grey levels: a smaller change of the reference does not show whether a frame is repeated
_STILL = 0.05  # of the typical change of the reference, and 0.1 of the video's own: a frame is repeated
_STILL_OWN = 0.1
_FEWEST = 7  # frame changes that show an order by their amount alone
_IN_STEP = 0.7  # correlation of the amounts of motion, below which they do not show the order


def repeated(video: Small, reference: Small) -> tuple[float, float]:
    """The share of frames equal to the one before although the reference moves, up to the last change, and the mean length
    of a group of such changes; the share is 0 where they are no regular pattern. Both NaN where the reference does not move."""
    steps, own = mean_steps(reference), mean_steps(video)
    moves = steps >= _LEAST
    if moves.sum() < _FEWEST:
        return float("nan"), float("nan")
    changes = own[own > _STILL * float(np.median(steps[moves]))]
    if not changes.size:
        return 0.0, 0.0
    limit = min(_STILL * float(np.median(steps[moves])), _STILL_OWN * float(np.median(changes)))
    still = own <= limit
    last = int(np.flatnonzero(~still)[-1])
    still = still[:last] & moves[:last]
    starts = np.flatnonzero(np.diff(still.astype(int), prepend=0) == 1)
    if len(starts) < FEWEST_RUNS or (np.abs(np.diff(starts) - np.median(np.diff(starts))) > 1).mean() > 0.25:
        return 0.0, 0.0
    return float(still.sum() / moves[:last].sum()), float(still.sum() / len(starts))


def orders(count: int) -> Mapping[str, tuple[Order, ...]]:
    """For each of ORDERS, the ways to put `count` frames into it: names may be numbered from 0 or 1."""
    by_name = [np.array(sorted(range(count), key=lambda frame, first=first: str(frame + first))) for first in (0, 1)]
    return {"text_order": tuple(by_name), "reversed": (np.arange(count)[::-1],)}


def disordered(video: Small, *, target: Small | None, driving: Small | None, count: int) -> dict[str, float]:
    """For each of ORDERS, -1 (the frames of the video are in order) to 1 (in this order); NaN where it does not show.

    `count` is the length of the clips, of which the pictures may be the first part. The pictures are compared with the target's; if
    there is none, the change in each frame with the driving video's.
    """
    found: dict[str, float] = {}
    for name, ways in orders(count).items():
        if target is not None:
            values = [_by_pictures(video, target, order=way) for way in ways]
            if name == "text_order" and _nearer_late(video, target, ways=ways):
                values = [-1.0]
        elif driving is not None:
            values = [_by_energy(video, driving, order=way) for way in ways]
        else:
            values = []
        finite = [value for value in values if np.isfinite(value)]
        found[name] = max(finite) if finite else float("nan")
    return found


def _by_pictures(video: Small, target: Small, *, order: Order) -> float:
    places = np.arange(len(video))[order[: len(video)] < len(target)]
    moved = places[order[places] != places]
    if not moved.size:
        return float("nan")
    room = _distance(target[moved], target[order[moved]])
    if room < MOVES:
        return float("nan")
    return (_distance(video[moved], target[moved]) - _distance(video[moved], target[order[moved]])) / room


def _nearer_late(video: Small, target: Small, *, ways: Sequence[Order]) -> bool:
    """Whether frames that are late or early explain the video better: short clips sorted as text are late for the most part."""
    at = np.arange(min(len(video), len(target)))
    late = [_distance(video[at], target[np.clip(at - lag, 0, at[-1])]) for lag in LAGS.values()]
    sorted_ = [_distance(video[at], target[np.minimum(way[: len(at)], at[-1])]) for way in ways]
    return min(late) < min(sorted_)


def _by_energy(video: Small, driving: Small, *, order: Order) -> float:
    if len(order) != len(video) or len(video) <= _FEWEST:  # the first part of a long clip
        return float("nan")
    own, steps, other = mean_steps(video), mean_steps(driving), mean_steps(driving[order])
    if steps.mean() < MOVES:
        return float("nan")
    straight, fit, room = correlation(own, steps), correlation(own, other), 1 - correlation(steps, other)
    return (fit - straight) / room if room >= 0.3 and max(fit, straight) >= _IN_STEP else float("nan")


def _distance(one: Small, other: Small) -> float:
    return float(np.abs(one - other).mean(dtype=np.float64))
