"""What `toonbench train` calls of a method that its package's `train` trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:  # imported where training begins, because they need torch
    from toonbench.training.clips import ClipNeeds, TrainingClips


class Trainable:
    """A method whose package `training` has `config.CONFIGS`, its configurations by name, and `train.fit`."""

    training: ClassVar[str]

    @classmethod
    def clip_needs(cls, config: str = "mini", *, overrides: Sequence[str] = ()) -> ClipNeeds:
        """The clips that `train` needs with these arguments."""
        from .config import needs

        return needs(_module(cls.training, "config").CONFIGS, config, overrides=overrides)

    @classmethod
    def train(
        cls,
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
        """Train from new weights, or from those of `checkpoint`; see `baselines.tuning.loop.run` and `train.fit` of the package `training`.

        `config` names the configuration, in which `overrides` (`key=value`) set fields.
        """
        from .config import find_config

        chosen = find_config(_module(cls.training, "config").CONFIGS, config, overrides=overrides)
        return _module(cls.training, "train").fit(
            chosen, clips, out, device=device, checkpoint=checkpoint, resume=resume, on_progress=on_progress
        )


def _module(package: str, name: str) -> Any:
    return import_module(f"{package}.{name}")
