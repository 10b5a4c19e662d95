"""Rig correlation: do the channels rise and fall at the same times as the target's?"""

from __future__ import annotations

import numpy as np

from toonbench.metrics._motion import MotionMetric, curves, estimate_and_truth
from toonbench.motion.agreement import correlation
from toonbench.networks.face_motion import LIMITS
from toonbench.types import CHANNELS, Rows, Sample

MOVES = 0.15  # of a channel's range: a channel whose ground truth moves less in a clip is not measured


class RigCorr(MotionMetric):
    """Gini correlation of each channel's curve with the ground truth, over all pairs of frames; -1 (reversed) to 1 (same order).

        sum_{i<j} |b_i - b_j| sign(a_i - a_j) sign(b_i - b_j) / sum_{i<j} |b_i - b_j|,   a estimate, b truth

    This is the Gini correlation of the ground truth with the ranks of the estimate. It is Kendall's tau, weighted by how much
    the ground truth moves (Schechtman and Yitzhaki 1987, "A measure of association based on Gini's mean difference"). It does not
    depend on offset and scale: any rising function of the truth has 1, a frozen or unrelated curve 0 on average. A pair of
    frames of which one lacks the character's face counts -1, so that losing a frame can never help. No such rule exists for Pearson's
    correlation, which rises when frames that fit badly are left out, with any substitute for them. Mean over
    the channels whose truth moves by at least 0.15 of their range, then over pairs.
    """

    name = "rig_corr"
    version = 1
    higher_is_better = True
    temporal = True
    bounds = (-1.0, 1.0)

    def measure(self, sample: Sample) -> Rows:
        """(frames, 36) float32: the 18 channels' estimates, NaN where that face is not found, then their truths."""
        return curves(sample, CHANNELS, metric=self.name)

    def value(self, rows: Rows) -> float:
        """Mean over the channels that move; NaN if none does."""
        found = gini_correlations(rows)
        return float(np.mean(list(found.values()))) if found else float("nan")


def gini_correlations(rows: Rows) -> dict[str, float]:
    """The Gini correlation of every channel that moves in one clip, by name."""
    estimate, truth = estimate_and_truth(rows, width=len(CHANNELS))
    if len(truth) < 2:
        return {}
    moves = np.ptp(truth, axis=0) >= MOVES * (LIMITS[:, 1] - LIMITS[:, 0])
    return {name: correlation(truth[:, i], estimate[:, i]) for i, name in enumerate(CHANNELS) if moves[i]}
