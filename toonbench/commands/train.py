"""`train`: a method's own training, which its class defines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from toonbench.commands.shared import Terminal
from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from toonbench.training.clips import TrainingClips


def train(
    *,
    data: Path,
    out: Path,
    method: str = "toontalker",
    config: str = "mini",
    device: str = "auto",
    fresh: Annotated[bool, Parameter(negative="--resume")] = False,
    terminal: Terminal | None = None,
) -> int:
    """Train a method on a data set's training clips.

    Parameters
    ----------
    data
        The folder of a data set (`toonbench make-puppets --split train` makes one).
    out
        The folder for checkpoints, sample pictures and the log; a run in it resumes.
    method
        The method to train.
    config
        The method's named configuration; ToonTalker has mini and paper.
    device
        auto, cpu, cuda or mps.
    fresh
        Start again from the first step instead of resuming.
    """
    from toonbench import registry
    from toonbench.environment import pick_device

    terminal = terminal or Terminal()
    terminal.start()
    cls = registry.load("methods", method)
    if not hasattr(cls, "train"):
        able = [name for name in registry.names("methods") if hasattr(registry.load("methods", name), "train")]
        raise ToonbenchError(f"method '{method}' has no training: methods with training are {', '.join(able)}")
    clips = _clips(cls, str(data), config=config)
    with terminal.progress(f"training {method}") as on_progress:
        cls.train(clips, out, config=config, device=pick_device(device), resume=not fresh, on_progress=on_progress)
    terminal.message(f"trained; see {out}")
    return 0


def _clips(cls: Any, data: str, *, config: str) -> TrainingClips:
    """The training clips of the data set `data` that the method's class `cls` needs."""
    from toonbench.data import load, locate
    from toonbench.training.clips import ClipNeeds, load_clips

    root = locate(data)
    clips = load(root).clips
    if not any(clip.kind == "video" and clip.split == "train" for clip in clips):
        raise ToonbenchError(
            f"{root} has no training videos: make some with `toonbench make-puppets --split train --out DIR`"
        )
    needs = cls.clip_needs(config) if hasattr(cls, "clip_needs") else ClipNeeds()
    return load_clips(clips, size=needs.size, domains=needs.domains)
