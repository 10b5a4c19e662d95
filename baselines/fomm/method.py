"""FOMM as a method of the benchmark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from toonbench.types import GoldenCheck

from ..first_order import FirstOrderMethod, Weights

if TYPE_CHECKING:
    from toonbench.training.clips import ClipNeeds, TrainingClips


class FOMM(FirstOrderMethod):
    """First-order motion model (Siarohin et al. 2019): key points with local affine motion, 256 px. Needs a checkpoint of its authors.

    The arguments are those of `FirstOrderMethod`. `weights/README.md` has the facts about the weights.
    """

    name: ClassVar[str] = "fomm"

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
    def clip_needs(config: str = "mini", *, overrides: Sequence[str] = ()) -> ClipNeeds:
        """The clips that `train` needs with these arguments."""
        from ..tuning.config import needs
        from .train.config import CONFIGS

        return needs(CONFIGS, config, overrides=overrides)

    @staticmethod
    def train(
        clips: TrainingClips,
        out: Path,
        *,
        config: str = "mini",
        device: str = "cpu",
        checkpoint: Path | None = None,
        overrides: Sequence[str] = (),
        resume: bool = True,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Path:
        """See `baselines.fomm.train.train.train`."""
        from .train.train import train

        return train(
            clips, out, config=config, device=device, checkpoint=checkpoint, overrides=overrides, resume=resume, on_progress=on_progress,
        )  # fmt: skip

    @staticmethod
    def run_goldens(folder: Path, device: str) -> list[GoldenCheck]:
        """See `baselines.fomm.goldens.run_goldens`."""
        from .goldens import run_goldens

        return run_goldens(folder, device)
