"""MAA as a method of the benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from ..first_order import FirstOrderMethod, Weights
from ..tuning.trainable import Trainable


class MAA(Trainable, FirstOrderMethod):
    """MAA (Xu et al. 2022), a re-implementation from the paper: FOMM's network, trained on both domains without pairs. Has no weights.

    The arguments are those of `FirstOrderMethod`. `weights/README.md` lists the choices that the paper leaves open.
    """

    name: ClassVar[str] = "maa"
    training: ClassVar[str] = "baselines.maa.train"

    @classmethod
    def load(cls, checkpoint: Path | None, *, corners: bool) -> Weights:
        """See `baselines.maa.weights_io.load_weights`."""
        from .weights_io import load_weights

        return load_weights(checkpoint, corners=corners)

    @classmethod
    def with_test_weights(cls, *, device: str = "cpu") -> MAA:
        """The method with a small network of deterministic test weights, for tests."""
        from ..fomm.weights_io import weights_for_tests

        return cls(device=device, weights=weights_for_tests())
