"""Events in a curve, found with hysteresis and matched in time; `blink_f1` and `mouth_f1` use them.

An event is an onset: the frame at which a curve rises above `high` after it was below `low`, with only values
between the two in the frames between. A frame that was not measured makes the state unknown, as it is before the first frame.

    F1 = 2 * matched / (estimated + missing frames + true)

Losing detections never helps: the frames from an onset's last low frame to its first high one are its span; spans are
disjoint, and an onset is lost exactly if a frame of its span is, while none is ever gained. So losing one frame takes
at most one onset from `estimated`, and with it at most one from `matched`, and adds one to `missing`: the numerator
never grows, the denominator never shrinks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
TOLERANCE = 0.1  # seconds


def onsets(curve: Values, *, low: float, high: float) -> list[int]:
    """Frames at which an event begins in a curve (frames,); NaN where it was not measured."""
    found: list[int] = []
    was_low = False
    for frame, value in enumerate(curve.tolist()):
        if value < low:
            was_low = True
        elif value > high:
            if was_low:
                found.append(frame)
            was_low = False
        elif np.isnan(value):
            was_low = False
    return found


def matched(estimated: Sequence[int], true: Sequence[int], *, reach: int) -> int:
    """The most pairs of onsets at most `reach` frames apart, each onset used once; both in rising order."""
    count, at = 0, 0
    for one in estimated:
        while at < len(true) and true[at] < one - reach:
            at += 1
        if at < len(true) and true[at] <= one + reach:
            count, at = count + 1, at + 1
    return count


def counts(estimate: Values, truth: Values, *, fps: float, low: float, high: float) -> tuple[int, int]:
    """Twice the matched onsets, and what they are divided by, of one clip's curves (frames,)."""
    reach = max(1, int(TOLERANCE * fps + 1e-6))
    estimated, true = onsets(estimate, low=low, high=high), onsets(truth, low=low, high=high)
    missing = int(np.isnan(estimate).sum())
    return 2 * matched(estimated, true, reach=reach), len(estimated) + missing + len(true)


def f1(clips: Sequence[tuple[int, int]]) -> float:
    """The F1 of all clips together; NaN where there is no true event, no estimated event, and no missing frame."""
    whole = sum(below for _, below in clips)
    return sum(above for above, _ in clips) / whole if whole else float("nan")
