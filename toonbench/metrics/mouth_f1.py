"""Openings of the mouth: does it open as often as the target's, and at the same times?"""

from __future__ import annotations

import numpy as np

from toonbench.metrics._motion import MotionMetric, curves, estimate_and_truth, truth_of
from toonbench.metrics.events import counts
from toonbench.types import Rows, Sample

SHUT, OPEN = (
    0.3,
    0.55,
)  # in quick speech the jaw closes to about 0.2 between syllables: a limit there would be arbitrary


class MouthF1(MotionMetric):
    """F1 of the onsets of openings of the mouth, within 100 ms (at least one frame); 0 to 1.

    The mouth opens where `jaw_open` rises above 0.55 after it was below 0.3. Estimated openings are matched one to one
    with the target's; a frame without the character's face counts as a false opening, so that losing frames never helps (proof in
    `toonbench/metrics/events.py`). The counts of all clips are pooled.
    Syllables follow each other in 150 to 350 ms, so a clip that is late by more than the tolerance still matches a third
    to a half of them by chance: the number shows that it is late, but not by how much.
    """

    name = "mouth_f1"
    version = 1
    higher_is_better = True
    aggregate = "events"
    temporal = True
    bounds = (0.0, 1.0)

    def measure(self, sample: Sample) -> Rows:
        """(frames, 3) float32: estimate of `jaw_open`, NaN where that face is not found, truth, frames a second."""
        rows = curves(sample, ("jaw_open",), metric=self.name)
        fps = np.full((len(rows), 1), truth_of(sample, self.name).fps)
        return np.concatenate([rows, fps], axis=1, dtype=np.float32)

    def counts(self, rows: Rows) -> tuple[float, float]:
        """Twice the matched onsets; estimated onsets, missing frames and onsets of the target together."""
        return _counts(rows)


def _counts(rows: Rows) -> tuple[int, int]:
    estimate, rest = estimate_and_truth(rows, width=1)
    if not len(rest):
        return 0, 0
    return counts(estimate[:, 0], rest[:, 0], fps=float(rest[0, 1]), low=SHUT, high=OPEN)
