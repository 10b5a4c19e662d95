"""Features of frames by the Inception network of FID, as pytorch-fid computes them; `fid` and `kid` use them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from toonbench.networks import inception
from toonbench.networks.running import measuring, picture_batch
from toonbench.types import Frames, Metric, Need, Rows, Sample

WIDTH = 2048
BATCH = 8  # frames: more are no faster on a CPU, and what a batch holds must not depend on the machine


class InceptionFeatures(Metric):
    """A distribution of Inception's last pooled features; `network` is pytorch_fid's `InceptionV3`, by default with fetched weights.

    pytorch-fid 0.3.0: RGB / 255, bilinear resize to 299 x 299 without antialiasing, 2x - 1, `pool3`: 2048 values of 0
    and more. Values of other packages (torch-fidelity, clean-fid) differ in the third digit, because they resize differently.
    """

    needs: frozenset[Need] = frozenset({"reference"})
    aggregate = "corpus"
    features = "inception@1"
    weights = ("inception-fid",)
    packages: Mapping[str, str] = {"pytorch_fid": "pytorch-fid==0.3.0"}

    def __init__(self, *, network: Any = None, device: str = "cpu") -> None:
        self.device = device
        self._network = network

    @classmethod
    def with_test_weights(cls) -> Self:
        """With deterministic test weights: for tests and goldens, without any download."""
        return cls(network=inception.with_test_weights())

    def extract_features(self, frames: Frames) -> Rows:
        """(frames, 2048) float32."""
        rows = np.empty((len(frames), WIDTH), np.float32)
        with measuring(self.device):
            for start in range(0, len(frames), BATCH):
                batch = picture_batch(frames[start : start + BATCH], device=self.device) / 255
                rows[start : start + BATCH] = self._loaded()(batch)[0].flatten(1).cpu().numpy()
        return rows

    def measure(self, sample: Sample) -> Rows:
        """(frames, 2048) float32: the features of the generated frames."""
        return self.extract_features(sample.generated)

    def _loaded(self) -> Any:
        if self._network is None:
            from toonbench import weights

            self._network = inception.from_file(weights.path(self.weights[0]))
        return self._network.to(self.device)
