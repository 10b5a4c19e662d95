"""Blinks: does the generated face blink as often as the target, and at the same times?"""

from __future__ import annotations

import numpy as np

from toonbench.metrics._motion import MotionMetric, curves, estimate_and_truth, truth_of
from toonbench.metrics.events import counts
from toonbench.types import Rows, Sample

OPEN, SHUT = 0.35, 0.6


class BlinkF1(MotionMetric):
    """F1 of the onsets of blinks, within 100 ms (at least one frame); 0 to 1.

    A blink begins where the mean of both eyes' `blink` rises above 0.6 after it was below 0.35: a wink, 0.5, is not a blink.
    Estimated blinks are matched one to one with the target's; a frame without the character's face counts as a false blink, so that
    losing frames never helps (proof in `toonbench/metrics/events.py`). The counts of all clips are pooled.
    """

    name = "blink_f1"
    version = 1
    higher_is_better = True
    aggregate = "events"
    temporal = True
    bounds = (0.0, 1.0)

    def measure(self, sample: Sample) -> Rows:
        """(frames, 5) float32: estimates of the left and right eye, NaN where that face is not found, truths, frames a second."""
        rows = curves(sample, ("blink_left", "blink_right"), metric=self.name)
        fps = np.full((len(rows), 1), truth_of(sample, self.name).fps)
        return np.concatenate([rows, fps], axis=1, dtype=np.float32)

    def counts(self, rows: Rows) -> tuple[float, float]:
        """Twice the matched onsets; estimated onsets, missing frames and onsets of the target together."""
        return _counts(rows)


def _counts(rows: Rows) -> tuple[int, int]:
    estimate, rest = estimate_and_truth(rows, width=2)
    if not len(rest):
        return 0, 0
    return counts(estimate.mean(axis=1), rest[:, :2].mean(axis=1), fps=float(rest[0, 2]), low=OPEN, high=SHUT)
