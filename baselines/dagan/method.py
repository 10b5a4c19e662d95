"""DaGAN as a method of the benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from toonbench.types import GoldenCheck

from ..first_order import FirstOrderMethod, Weights
from ..tuning.trainable import Trainable


class DaGAN(Trainable, FirstOrderMethod):
    """Depth-aware talking heads (Hong et al. 2022): FOMM with the face's depth, 256 px. Needs three files of its authors.

    The arguments are those of `FirstOrderMethod`. `encoder.pth` and `depth.pth` of the depth network are searched beside the
    checkpoint and in the weights folder. `weights/README.md` has the facts about the weights.
    """

    name: ClassVar[str] = "dagan"
    training: ClassVar[str] = "baselines.dagan.train"

    @classmethod
    def load(cls, checkpoint: Path | None, *, corners: bool) -> Weights:
        """See `baselines.dagan.weights_io.load_weights`."""
        from .weights_io import load_weights

        return load_weights(checkpoint, corners=corners)

    @classmethod
    def with_test_weights(cls, *, device: str = "cpu") -> DaGAN:
        """The method with a small network of deterministic test weights, for tests."""
        from .weights_io import weights_for_tests

        return cls(device=device, weights=weights_for_tests())

    @staticmethod
    def run_goldens(folder: Path, device: str) -> list[GoldenCheck]:
        """See `baselines.dagan.goldens.run_goldens`."""
        from .goldens import run_goldens

        return run_goldens(folder, device)
