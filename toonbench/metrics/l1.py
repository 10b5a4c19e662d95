"""L1: mean absolute difference to the target frames."""

from __future__ import annotations

import numpy as np

from toonbench.metrics.shared import target_of
from toonbench.types import Metric, Need, Rows, Sample


class L1(Metric):
    """Mean over height, width and RGB of |generated - target| / 255 for each frame; 0 (equal) to 1.

    Reduced as the mean over pairs of each pair's mean over frames (LIA, `evaluation.py`; ToonTalker derives from LIA).
    FOMM pools over all frames at once, which is possible with the stored rows, too. Use lossless frames: H.264 at crf 18 alone
    costs 0.006, which is more than the difference of published methods.
    """

    name = "l1"
    version = 1
    higher_is_better = False
    bounds = (0.0, 1.0)
    needs: frozenset[Need] = frozenset({"target"})

    def measure(self, sample: Sample) -> Rows:
        """(frames, 1) float32, one value a frame."""
        target = target_of(sample, self.name)
        rows = np.empty((len(target), 1), np.float32)
        for index, (generated, expected) in enumerate(zip(sample.generated, target, strict=True)):
            difference = generated.astype(np.int16) - expected
            rows[index] = np.abs(difference).sum(dtype=np.int64) / (255.0 * difference.size)
        return rows
