"""`train`: a method's own training, found on its class."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from toonbench.commands.shared import Talk
from toonbench.types import ToonbenchError


def train(
    *,
    data: Path,
    out: Path,
    method: str = "toontalker",
    config: str = "mini",
    device: str = "auto",
    fresh: Annotated[bool, Parameter(negative="--resume")] = False,
    talk: Talk | None = None,
) -> int:
    """Train a method on a data set's training clips.

    Parameters
    ----------
    data
        A data set's folder (`toonbench make-puppets --split train` makes one).
    out
        Checkpoints, sample pictures and the log go here; a run found here goes on.
    method
        The method to train.
    config
        The method's named configuration; ToonTalker has mini and paper.
    device
        auto, cpu, cuda or mps.
    fresh
        Begin anew instead of going on.
    """
    from toonbench import registry
    from toonbench.data import load, locate
    from toonbench.environment import pick_device

    talk = talk or Talk()
    talk.start()
    trainer = getattr(registry.load("methods", method), "train", None)
    if trainer is None:
        able = [name for name in registry.names("methods") if hasattr(registry.load("methods", name), "train")]
        raise ToonbenchError(f"method '{method}' has no training: methods that have are {', '.join(able)}")
    root = locate(str(data))
    usable = [clip for clip in load(root).clips if clip.kind == "video" and clip.split == "train" and not clip.problem]
    if not usable:
        raise ToonbenchError(
            f"{root} has no training videos: make some with `toonbench make-puppets --split train --out DIR`"
        )
    with talk.progress(f"training {method}") as on_progress:
        trainer(root, out, config=config, device=pick_device(device), resume=not fresh, on_progress=on_progress)
    talk.say(f"trained; see {out}")
    return 0
