"""SSIM: structural similarity to the target frames."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from toonbench.metrics.shared import target_of
from toonbench.types import Metric, Need, Rows, Sample

WINDOW = 11  # pixels: a Gaussian of sigma 1.5 cut at 3.5 sigma


class SSIM(Metric):
    """Structural similarity (Wang, Bovik, Sheikh, Simoncelli 2004) of each frame; -1 to 1, 1 is equal.

    The settings of that paper: Gaussian window of sigma 1.5 (11 pixels), population covariances, K1 = 0.01,
    K2 = 0.03, range 255, mean of the map without the border of half a window. Computed on R, G and B separately
    and averaged over the three. The paper uses luma only, so write "RGB" beside the number. No downsampling.
    """

    name = "ssim"
    version = 1
    higher_is_better = True
    bounds = (-1.0, 1.0)
    needs: frozenset[Need] = frozenset({"target"})

    def measure(self, sample: Sample) -> Rows:
        """(frames, 1) float32; NaN where the frame is smaller than the window."""
        target = target_of(sample, self.name)
        rows = np.full((len(target), 1), np.nan, np.float32)
        if min(target.shape[1:3]) < WINDOW:
            return rows
        metrics: Any = importlib.import_module("skimage.metrics")
        for index, (generated, expected) in enumerate(zip(sample.generated, target, strict=True)):
            rows[index] = metrics.structural_similarity(
                expected,
                generated,
                channel_axis=-1,
                data_range=255,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
        return rows
