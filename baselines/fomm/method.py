"""FOMM as a method of the benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from toonbench.types import GoldenCheck

from ..first_order import FirstOrderMethod, Weights
from ..tuning.trainable import Trainable


class FOMM(Trainable, FirstOrderMethod):
    """First-order motion model (Siarohin et al. 2019): key points with local affine motion, 256 px. Needs a checkpoint of its authors.

    The arguments are those of `FirstOrderMethod`. `weights/README.md` has the facts about the weights.
    """

    name: ClassVar[str] = "fomm"
    training: ClassVar[str] = "baselines.fomm.train"

    @classmethod
    def load(cls, checkpoint: Path | None, *, corners: bool) -> Weights:
        """See `baselines.fomm.weights_io.load_weights`."""
        from .weights_io import load_weights

        return load_weights(checkpoint, corners=corners)

    @classmethod
    def with_test_weights(cls, *, device: str = "cpu") -> FOMM:
        """The method with a small network of deterministic test weights, for tests."""
        from .weights_io import weights_for_tests

        return cls(device=device, weights=weights_for_tests())

    @staticmethod
    def run_goldens(folder: Path, device: str) -> list[GoldenCheck]:
        """See `baselines.fomm.goldens.run_goldens`."""
        from .goldens import run_goldens

        return run_goldens(folder, device)
