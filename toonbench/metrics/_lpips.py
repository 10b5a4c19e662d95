"""Learned distances of frames: what `lpips_alex`, `lpips_vgg` and `stlpips_alex` share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from toonbench import weights
from toonbench.metrics.shared import target_of
from toonbench.networks import lpips
from toonbench.networks.running import measuring, picture_batch
from toonbench.types import Frames, Metric, Need, Rows, Sample

PIXELS = 2**18  # of a batch: four pairs of 256 x 256, which takes vgg 0.6 GB


class LearnedDistance(Metric):
    """What these metrics share; `network` is built like an `lpips.LPIPS`, by default the one with fetched weights.

    Frames with a side under `smallest` pixels leave it nothing to see.
    """

    smallest: int
    name: str
    weights: tuple[str, ...]
    version = 1
    higher_is_better = False
    needs: frozenset[Need] = frozenset({"target"})
    bounds = (0.0, np.inf)

    def __init__(self, *, network: Any = None, device: str = "cpu") -> None:
        self.device = device
        self._network = network

    def measure(self, sample: Sample) -> Rows:
        """(frames, 1) float32; NaN where the frame is smaller than the network can see."""
        return self.distances(sample.generated, target_of(sample, self.name))

    def distances(self, frames: Frames, others: Frames) -> Rows:
        """(frames, 1) float32 between frames of one shape; exactly 0 where they are equal."""
        rows = np.zeros((len(frames), 1), np.float32)
        if min(frames.shape[1:3]) < self.smallest:
            rows[:] = np.nan
            return rows
        different = [at for at in range(len(frames)) if not np.array_equal(frames[at], others[at])]
        size = max(1, PIXELS // (frames.shape[1] * frames.shape[2]))
        with measuring(self.device):
            for start in range(0, len(different), size):
                chosen = different[start : start + size]
                pair = [picture_batch(one[chosen], device=self.device) for one in (frames, others)]
                rows[chosen, 0] = lpips.distances(self._loaded(), *pair).cpu().numpy()
        return rows

    def _loaded(self) -> Any:
        if self._network is None:
            self._network = self.from_file(weights.path(self.weights[0]))
        return self._network.to(self.device)

    def from_file(self, path: Path) -> Any:
        """The network with the weights of a file."""
        raise NotImplementedError


class LPIPS(LearnedDistance):
    """What `lpips_alex` and `lpips_vgg` share: the package's network and linear layers."""

    net: lpips.Net
    packages: Mapping[str, str] = {"lpips": "lpips==0.1.4"}

    @classmethod
    def with_test_weights(cls) -> Self:
        """With a backbone of deterministic test weights: for tests and goldens, without any download."""
        return cls(network=lpips.with_test_weights(cls.net))

    def from_file(self, path: Path) -> Any:
        """The network with torchvision's weights."""
        return lpips.from_file(self.net, path)
