"""Rig error: how far expression and pose are from the target's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from toonbench.metrics._motion import MotionMetric, curves, estimate_and_truth
from toonbench.networks.face_motion import LIMITS
from toonbench.types import CHANNELS, Rows, Sample

Values = NDArray[np.float64]


class RigError(MotionMetric):
    """Mean over the 18 channels of |estimate - truth| / the channel's range; 0 to 1.

    Estimates come from the landmark network and are within the channels' limits, as the ground truth is. A frame
    without the character's face
    counts as the largest possible error in every channel: max(truth - low, high - truth) / range. `breakdown` gives the
    channels one by one. Error of the network itself, per style: `weights/landmarks.md`.
    """

    name = "rig_error"
    version = 1
    higher_is_better = False
    bounds = (0.0, 1.0)

    def measure(self, sample: Sample) -> Rows:
        """(frames, 36) float32: the 18 channels' estimates, NaN where that face is not found, then their truths."""
        return curves(sample, CHANNELS, metric=self.name)

    def value(self, rows: Rows) -> float:
        """Mean over channels of each channel's mean over frames; NaN if the ground truth is unknown in all frames."""
        return float(np.mean(list(breakdown([rows]).values())))


def breakdown(rows: Sequence[Rows]) -> dict[str, float]:
    """Each channel's error, mean of pair means; NaN if nothing was measured."""
    pairs = [errors(one) for one in rows]
    means = [one.mean(axis=0) for one in pairs if len(one)]
    values = np.mean(means, axis=0) if means else np.full(len(CHANNELS), np.nan)
    return dict(zip(CHANNELS, values.tolist(), strict=True))


def errors(rows: Rows) -> Values:
    """(frames, channels) errors in parts of a channel's range, without frames of unknown truth."""
    estimate, truth = estimate_and_truth(rows, width=len(CHANNELS))
    low, high = LIMITS.T
    worst = np.maximum(truth - low, high - truth)
    return np.where(np.isfinite(estimate), np.abs(estimate - truth), worst) / (high - low)
