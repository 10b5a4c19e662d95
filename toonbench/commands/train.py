"""`train`: a method's own training, which its class defines."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from toonbench.commands.shared import Folder, Terminal
from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from toonbench.data import Dataset
    from toonbench.prepare.options import Options
    from toonbench.training.clips import TrainingClips
    from toonbench.types import Clip


def train(
    *,
    data: Annotated[list[str], Parameter(negative="", consume_multiple=True)],
    out: Path,
    method: str = "toontalker",
    config: str = "mini",
    ablation: str = "",
    settings: Annotated[list[str] | None, Parameter(name="--set", negative="", consume_multiple=True)] = None,
    checkpoint: Path | None = None,
    device: str = "auto",
    fresh: Annotated[bool, Parameter(negative="--resume")] = False,
    tensorboard: Annotated[bool, Parameter(negative="")] = False,
    folder: Folder | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Train a method on a data set's training clips.

    Parameters
    ----------
    data
        The folder of a data set (`toonbench make-puppets --split train` makes one), or your own folder with real_videos/ and
        cartoon_videos/, whose faces are cropped first; all its videos are used. Several may be given: people of one, characters of another.
    out
        The folder for checkpoints, sample pictures and the log; a run in it resumes.
    method
        The method to train.
    config
        The method's named configuration: mini, paper, and for fomm, lia and dagan also finetune.
    ablation
        An ablated model of the paper instead of the full one: no-analogy, lambda-0 (or 20, 40, 100), mlp, no-backward or no-sft.
    settings
        Fields of the configuration that are changed, as key=value (docs/training.md), for example `--set steps1=2000 batch1=16`.
    checkpoint
        Weights to begin with, official ones or those of an earlier training; otherwise new weights.
    device
        auto, cpu, cuda or mps.
    fresh
        Start again from the first step instead of resuming.
    tensorboard
        Also write the log and the sample pictures as TensorBoard event files, to OUT/tensorboard (`pip install 'toonbench[tensorboard]'`).
    """
    from toonbench import registry
    from toonbench.environment import pick_device
    from toonbench.hub.fetch import checkpoint_file
    from toonbench.training.processes import leading
    from toonbench.training.tensorboard import mirrored, unchanged

    terminal = terminal or Terminal()
    if not leading():
        terminal = replace(terminal, quiet=True)
    terminal.start()
    cls = registry.load("methods", method)
    if not hasattr(cls, "train"):
        able = [name for name in registry.names("methods") if hasattr(registry.load("methods", name), "train")]
        raise ToonbenchError(f"method '{method}' has no training: methods with training are {', '.join(able)}")
    changes = _given(cls, method, {"ablation": ablation, "overrides": settings or []})
    start = _given(cls, method, {"checkpoint": checkpoint_file(checkpoint)})
    with mirrored(out) if tensorboard and leading() else nullcontext(unchanged) as watched:
        clips = _clips(cls, data, folder or Folder(), config=config, changes=changes, terminal=terminal)
        with terminal.progress(f"training {method}") as on_progress:
            cls.train(
                clips,
                out,
                config=config,
                device=pick_device(device),
                resume=not fresh,
                on_progress=watched(on_progress),
                **changes,
                **start,
            )
    terminal.message(f"trained; see {out}")
    return 0


OPTIONS = {"ablation": "--ablation", "overrides": "--set", "checkpoint": "--checkpoint"}


def _given(cls: Any, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments that the user gave, which not every class's `train` takes."""
    given = {name: value for name, value in arguments.items() if value}
    for name in given:
        if name not in signature(cls.train).parameters:
            raise ToonbenchError(f"the training of method '{method}' takes no {OPTIONS[name]}: leave it out")
    return given


def _clips(
    cls: Any, specs: Sequence[str], folder: Folder, *, config: str, changes: dict[str, Any], terminal: Terminal
) -> TrainingClips:
    """The training clips of the data sets `specs` that the method's class `cls` needs."""
    from toonbench.data import is_plain_folder, locate
    from toonbench.data.open import cache_folder
    from toonbench.data.supervision import supervised
    from toonbench.training.clips import ClipNeeds, few_lines, load_sets, skipped_lines

    needs = cls.clip_needs(config, **changes) if hasattr(cls, "clip_needs") else ClipNeeds()
    opened = [_opened(spec, folder, size=needs.size, terminal=terminal) for spec in specs]
    sets = {data.id: clips for data, clips in opened}
    if len(opened) > 1 and (needs.labels or needs.targets):
        raise ToonbenchError(
            f"--data {' '.join(specs)}: this training reads labels or targets of one data set; give one"
        )
    cache = cache_folder() / "training"
    plain = any(is_plain_folder(locate(spec)) for spec in specs)
    found = load_sets(sets, size=needs.size, domains=needs.domains, alone=plain, cache=cache)
    for line in (*skipped_lines(found), *few_lines(found)):
        terminal.message(line)
    return supervised(found, opened[0][0], needs=needs, cache=cache)


def _options(folder: Folder, size: int) -> Options:
    """How a plain folder is prepared for networks of `size` px."""
    options = folder.options()
    return replace(options, size=max(size, options.size))


def _opened(spec: str, folder: Folder, *, size: int, terminal: Terminal) -> tuple[Dataset, tuple[Clip, ...]]:
    """A data set, and its clips that can be used; all videos of a plain folder are training clips."""
    from toonbench.commands.shared import report_problems
    from toonbench.data import is_plain_folder, locate
    from toonbench.data.open import open_data

    root = locate(spec)
    plain = is_plain_folder(root)
    opened = open_data(spec, options=_options(folder, size), pool=terminal.pool(0)) if plain else open_data(spec)
    report_problems(opened, spec, terminal=terminal, then="and are left out")
    clips = tuple(clip for clip in opened.clips if not clip.problem)  # problems were just reported
    if plain:
        clips = tuple(replace(clip, split="train") for clip in clips if clip.kind == "video")
    videos = [clip for clip in clips if clip.kind == "video"]
    if not any(clip.split == "train" for clip in videos):
        others = (
            f" ({len(videos)} of the splits {', '.join(sorted({clip.split for clip in videos}))})" if videos else ""
        )
        raise ToonbenchError(
            f"{root} has no training videos that can be used{others}: put videos into its folders real_videos and cartoon_videos, or "
            "make some with `toonbench make-puppets --split train --out DIR`"
        )
    return opened, clips
