"""Paired training: two models that know what ToonTalker must find out without help, to measure what pairs are worth. Neither is ToonTalker.

`labels`: motion codes are rigs, read by encoders that learned from the ground-truth motion of both domains. `pairs`: ToonTalker's network,
which learned from targets across the domains.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import ClassVar, Self

from toonbench.types import CHANNELS
from toonbench.weights import WeightsMissing

from .config import Paired
from .method import ToonTalker

TEST = "deterministic test weights"


class _Paired(ToonTalker):
    """What both have in common."""

    @classmethod
    def included(cls) -> Path:
        """Nothing is included. Raises WeightsMissing, with what to do."""
        raise WeightsMissing(
            f"{cls.name} has no weights: train some on puppets with `toonbench train --method {cls.name} --data DIR --out OUT`, then "
            "give --checkpoint OUT/weights.safetensors"
        )

    @classmethod
    def with_test_weights(cls, *, device: str = "cpu") -> Self:
        """The method with a small network of deterministic test weights, for tests."""
        from .weights_io import export, network_for_tests

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "test.safetensors"
            export(
                network_for_tests(rig=len(CHANNELS) if cls.paired == "labels" else 0),
                path,
                notes={"training": {"paired": cls.paired}},
            )
            method = cls(checkpoint=path, device=device)
        method.revision, method.checkpoint = "test", {"variant": TEST}
        return method


class PairedLabels(_Paired):
    """Paired training with labels: rigs read by supervised encoders drive ToonTalker's generator. Learns on puppets only. Has no weights.

    The arguments are those of `ToonTalker`.
    """

    name: ClassVar[str] = "paired-labels"
    paired: ClassVar[Paired] = "labels"


class PairedTargets(_Paired):
    """Paired training with targets: ToonTalker's network, trained on targets across the domains. Learns on puppets only. Has no weights.

    The arguments are those of `ToonTalker`.
    """

    name: ClassVar[str] = "paired-pairs"
    paired: ClassVar[Paired] = "pairs"
