"""PSNR: peak signal-to-noise ratio to the target frames, in decibels."""

from __future__ import annotations

import numpy as np

from toonbench.metrics.shared import target_of
from toonbench.types import Metric, Need, Rows, Sample

CAP_DB = 100.0


class PSNR(Metric):
    """10 log10(255^2 / MSE) of each frame, MSE over height, width and RGB; 0 to 100 dB.

    Identical frames, whose ratio is infinite, count as 100 dB; at 256 x 256 the only other frames above it differ by
    one level in one value (101 dB). Reduced as the mean over pairs of each
    pair's mean dB, which is at least the dB of the mean MSE (Jensen) and cannot be compared with it.
    """

    name = "psnr"
    version = 1
    higher_is_better = True
    bounds = (0.0, CAP_DB)
    needs: frozenset[Need] = frozenset({"target"})

    def measure(self, sample: Sample) -> Rows:
        """(frames, 1) float32, decibels of each frame."""
        target = target_of(sample, self.name)
        rows = np.empty((len(target), 1), np.float32)
        for index, (generated, expected) in enumerate(zip(sample.generated, target, strict=True)):
            difference = generated.astype(np.int32) - expected
            squares = int(np.square(difference).sum(dtype=np.int64))
            decibels = 10.0 * np.log10(255.0**2 * difference.size / squares) if squares else CAP_DB
            rows[index] = min(decibels, CAP_DB)
        return rows
