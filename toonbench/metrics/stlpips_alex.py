"""ST-LPIPS with AlexNet: learned perceptual distance to the target frames that tolerates small shifts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from toonbench.metrics._lpips import LearnedDistance


class STLPIPSAlex(LearnedDistance):
    """Distance of the features of an AlexNet without aliasing to the target's, weighted by human judgements; 0 is equal.

    ST-LPIPS (Ghildyal and Liu 2022) has the formula of LPIPS. Its AlexNet blurs before each reduction, and it was trained so that a
    shift by a few pixels changes the distance less. Weights of the package `stlpips-pytorch` 0.0.2 (BSD-2), RGB scaled to
    -1 .. 1, at the frames' own size. The package carries the whole network, so `stlpips_alex` runs where `lpips_alex` waits
    for the weights of AlexNet; values of the two cannot be compared. Mean over each clip's frames, then over clips.
    Frames under 21 pixels are not measured.
    """

    name = "stlpips_alex"
    weights = ("stlpips-alex",)
    smallest = 21  # pixels: a shorter side leaves nothing to reflect

    @classmethod
    def with_test_weights(cls) -> Self:
        """With deterministic test weights: it runs without any download and measures nothing."""
        from toonbench.networks import stlpips

        return cls(network=stlpips.with_test_weights())

    def from_file(self, path: Path) -> Any:
        """The network with the package's weights."""
        from toonbench.networks import stlpips

        return stlpips.from_file(path)
