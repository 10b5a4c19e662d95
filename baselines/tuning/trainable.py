"""What `toonbench train` calls of a method that its package's `train` trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:  # imported where training begins, because they need torch
    from toonbench.training.clips import ClipNeeds, TrainingClips


class Trainable:
    """A method whose package `training` has `config.CONFIGS`, its configurations by name, and `train.train`."""

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
        """See `train.train` of the package `training`."""
        return _module(cls.training, "train").train(
            clips, out, config=config, device=device, checkpoint=checkpoint, overrides=overrides, resume=resume, on_progress=on_progress,
        )  # fmt: skip


def _module(package: str, name: str) -> Any:
    return import_module(f"{package}.{name}")
