"""Strips of several pictures in one frame: the source or the driving video beside the result."""

from __future__ import annotations

import numpy as np

from toonbench.lint.geometry import correlation
from toonbench.lint.motion import Small, small
from toonbench.types import Frames

MOST = 4
_LIKE = 0.15  # of the distance of source and driving frame: a panel nearer than this shows one of them
_SAME = 0.97  # and its correlation with it: parts of dark or smooth pictures are near without being the same
_APART = 3.0  # grey levels between source and driving frame, below which panels cannot be assigned


def panels(frames: Frames, *, source: Small, driving: Small | None) -> tuple[float, float]:
    """How many panels the frames have beside each other (negative: above each other; 0: none), and which one is the result.

    `source` is one picture, `driving` has one for each frame. The result is counted from 1; NaN if no single panel remains.
    """
    if not len(frames):
        return float("nan"), float("nan")
    if any(_assigned([small(frames)], source, driving)):  # a pasted video, and no strip
        return 0.0, float("nan")
    for count in range(2, MOST + 1):
        for axis, sign in ((2, 1), (1, -1)):
            if frames.shape[axis] < 2 * count:
                continue
            rest = _rest([small(part) for part in np.array_split(frames, count, axis=axis)], source, driving)
            if rest is not None:
                return float(sign * count), float(rest[0] + 1) if len(rest) == 1 else float("nan")
    return 0.0, float("nan")


def _rest(parts: list[Small], source: Small, driving: Small | None) -> list[int] | None:
    """The panels that show neither the source nor the driving frame, if the panels are such a strip.

    Of two panels one must be assigned, of more at least two.
    """
    assigned = _assigned(parts, source, driving)
    if sum(assigned) < min(2, len(parts) - 1):
        return None
    return [index for index, one in enumerate(assigned) if not one]


def _assigned(parts: list[Small], source: Small, driving: Small | None) -> list[bool]:
    """Whether each panel shows the source or the driving frame."""
    given = [source] if driving is None else [source, driving]
    apart = _distance(given[0], given[-1])
    if apart < _APART:
        apart = float(source.std())
    return [
        any(_distance(part, one) < _LIKE * apart and correlation(part, one) >= _SAME for one in given) for part in parts
    ]


def _distance(one: Small, other: Small) -> float:
    return float(np.abs(one - other).mean(dtype=np.float64))
