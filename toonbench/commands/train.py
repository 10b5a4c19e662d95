"""`train`: a method's own training, which its class defines."""

from __future__ import annotations

from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from toonbench.commands.shared import Terminal
from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from toonbench.training.clips import TrainingClips


def train(
    *,
    data: str,
    out: Path,
    method: str = "toontalker",
    config: str = "mini",
    checkpoint: Path | None = None,
    device: str = "auto",
    fresh: Annotated[bool, Parameter(negative="--resume")] = False,
    terminal: Terminal | None = None,
) -> int:
    """Train a method on a data set's training clips.

    Parameters
    ----------
    data
        The folder of a data set (`toonbench make-puppets --split train` makes one), or your own folder with real_videos/ and
        cartoon_videos/, whose faces are cropped first; all its videos are used.
    out
        The folder for checkpoints, sample pictures and the log; a run in it resumes.
    method
        The method to train.
    config
        The method's named configuration: mini, paper, and for fomm, lia and dagan also finetune.
    checkpoint
        Weights to begin with, official ones or those of an earlier training (fomm, lia, dagan); otherwise new weights.
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
    start = {} if checkpoint is None else {"checkpoint": checkpoint}
    if start and "checkpoint" not in signature(cls.train).parameters:
        raise ToonbenchError(f"the training of method '{method}' takes no --checkpoint: leave it out")
    clips = _clips(cls, data, config=config, terminal=terminal)
    with terminal.progress(f"training {method}") as on_progress:
        chosen = pick_device(device)
        cls.train(clips, out, config=config, device=chosen, resume=not fresh, on_progress=on_progress, **start)
    terminal.message(f"trained; see {out}")
    return 0


def _clips(cls: Any, data: str, *, config: str, terminal: Terminal) -> TrainingClips:
    """The training clips of the data set `data` that the method's class `cls` needs."""
    from toonbench.commands.shared import report_problems
    from toonbench.data import is_plain_folder, locate
    from toonbench.data.open import open_data
    from toonbench.prepare.options import Options
    from toonbench.training.clips import ClipNeeds, load_clips

    needs = cls.clip_needs(config) if hasattr(cls, "clip_needs") else ClipNeeds()
    root = locate(data)
    plain = is_plain_folder(root)
    options = Options(size=max(needs.size, 256))
    opened = open_data(data, options=options, pool=terminal.pool(0)) if plain else open_data(data)
    report_problems(opened, data, terminal=terminal)
    clips = opened.clips
    if plain:
        clips = tuple(replace(clip, split="train") for clip in clips if clip.kind == "video" and not clip.problem)
    if not any(clip.kind == "video" and clip.split == "train" for clip in clips):
        raise ToonbenchError(
            f"{root} has no training videos that can be used: put videos into its folders real_videos and cartoon_videos, or "
            "make some with `toonbench make-puppets --split train --out DIR`"
        )
    return load_clips(clips, size=needs.size, domains=needs.domains, alone=plain)
