"""Checkpoints of a training run: written whole, read without running code, and refused for another configuration."""

from __future__ import annotations

import dataclasses
import json
import operator
import os
import shutil
import sys
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from toonbench.store import folder_lock, remove_leftovers, writing
from toonbench.training.grids import SAMPLES
from toonbench.training.log import trim_log
from toonbench.training.processes import leading
from toonbench.types import ToonbenchError
from toonbench.weights.tensors import UnreadableTensors, first_line, read_content

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

CHECKPOINT = "checkpoint.pt"
PREVIOUS = "checkpoint-previous.pt"
CONFIG = "config"
KIND = "kind"  # of the configuration: every training has its own class of them
WEIGHTS = "weights.safetensors"
BEST = "best.safetensors"
STEPS = 10**12  # more cannot have been done
Content = dict[str, Any]


def open_folder(folder: Path) -> None:
    """Make the folder of a training run, and remove the partial files that killed processes left in it."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)


def save_checkpoint(path: Path, content: Mapping[str, Any], *, config: DataclassInstance) -> None:
    """Write `content` (state dicts and numbers) with the configuration, by rename: a killed process leaves the old file.

    The file that CHECKPOINT was before is kept as PREVIOUS, so the newest two exist. Raises ToonbenchError where the file cannot be
    written; both are then as they were.
    """
    with writing(path) as temporary:
        write_content(
            temporary, {CONFIG: json.dumps(dataclasses.asdict(config)), KIND: type(config).__name__, **content}
        )
        if path.name == CHECKPOINT and path.is_file():
            _keep(path)


def write_content(path: Path, content: Mapping[str, Any]) -> None:
    """Write state dicts, tensors and numbers completely. Raises OSError where the file cannot be written.

    At the end of a file that was not written to its end, PyTorch raises a RuntimeError of its own, also where Ctrl-C or SIGTERM stopped
    it; what stopped it is raised instead.
    """
    with path.open("wb") as file:
        try:
            torch.save(_unshared(dict(content)), file)
        except RuntimeError as error:
            if error.__context__ is None or isinstance(error.__context__, RuntimeError):
                raise
            raise error.__context__ from None
        file.flush()
        os.fsync(file.fileno())


def _unshared(value: Any) -> Any:
    """The same content without objects that appear twice, of which pickle writes the second one as a reference.

    Which values are the same object depends on whether the run was resumed; the bytes of the file must not.
    """
    if type(value) is dict:
        return {_unshared(key): _unshared(item) for key, item in cast("Content", value).items()}
    if type(value) in (list, tuple):
        return type(value)([_unshared(item) for item in cast("list[Any]", value)])
    return sys.intern(value) if type(value) is str else value


def newest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint that a run in `folder` resumes from: CHECKPOINT, or PREVIOUS where a user removed a damaged one."""
    return next((path for name in (CHECKPOINT, PREVIOUS) if (path := folder / name).is_file()), None)


@contextmanager
def run_folder(folder: Path, *, resume: bool) -> Generator[None]:
    """Open the folder of a training run, which this run has alone while the block runs.

    Raises ToonbenchError where another run is in it, and, with `resume`, where it has the weights of a training whose checkpoint is gone:
    a run would replace them.
    """
    open_folder(folder)
    if not leading():
        yield
        return
    busy = f"another training runs in {folder}: wait until it has ended, or choose another --out"
    with folder_lock(folder, alone=True, busy=busy):
        if resume and (folder / WEIGHTS).is_file() and newest_checkpoint(folder) is None:
            raise ToonbenchError(
                f"{folder} has {WEIGHTS} but no {CHECKPOINT} of their training: choose another folder, or replace them with --fresh"
            )
        yield


def begin_run(folder: Path, *, resumes: bool, step: int) -> None:
    """Cut the log back to `step`. A run that does not resume also removes what an earlier one left: checkpoints, weights and pictures."""
    trim_log(folder, step=step)
    if resumes:
        return
    pictures = [path for path in (folder / SAMPLES).glob("*.png") if path.stem.isdecimal()]
    for path in (*(folder / name for name in (CHECKPOINT, PREVIOUS, WEIGHTS, BEST)), *pictures):
        path.unlink(missing_ok=True)


def finished_steps(content: Content) -> int:
    """The number of finished steps of a checkpoint. Raises KeyError, TypeError or ValueError for anything else than a number of steps."""
    step = operator.index(content["step"])
    if not 0 <= step <= STEPS:
        raise ValueError(f"{step} finished steps")
    return step


def _keep(path: Path) -> None:
    """Give the present file the name PREVIOUS as well, as a second link where the file system has them."""
    with writing(path.with_name(PREVIOUS)) as temporary:
        temporary.unlink()
        try:
            os.link(path, temporary)
        except OSError:
            shutil.copyfile(path, temporary)


def load_checkpoint(
    path: Path,
    *,
    config: DataclassInstance,
    may_change: Collection[str] | Callable[[Content], Collection[str]] = (),
    device: str = "cpu",
    upgrade: Callable[[Content], Content] = dict,
) -> Content:
    """The content of a checkpoint. Its configuration must be `config`, except for the fields in `may_change`, which may depend on it.

    Every field of the configuration's class must have a default, which stands for a field that the checkpoint's version
    did not have. `upgrade` turns the content that an older version wrote into today's.
    Raises ToonbenchError for a damaged file, and for another configuration, naming all fields that differ (`network.size`).
    """
    content = upgrade(_read(path, device=device))
    kind = content.get(KIND, type(config).__name__)
    if kind != type(config).__name__:
        raise ToonbenchError(
            f"{path} is of the training of another method ({kind}; this one has {type(config).__name__}): choose another folder, or "
            "start again with --fresh"
        )
    given = _flat(_plain(config))
    saved = _flat(_plain(type(config)())) | _flat(_saved_config(content, path=path))
    with filling(path):
        free = may_change(content) if callable(may_change) else may_change
    different = [
        f"{name} = {saved.get(name)!r}, but {name} is {given.get(name)!r} now"
        for name in sorted(saved.keys() | given.keys())
        if name not in free and saved.get(name) != given.get(name)
    ]
    if different:
        raise ToonbenchError(
            f"{path} was trained with {'; '.join(different)}: choose another folder, or start again with --fresh"
        )
    return content


def _saved_config(content: Content, *, path: Path) -> Content:
    try:
        saved = json.loads(content[CONFIG])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ToonbenchError(f"{path} is no checkpoint of this training (no configuration): remove it") from error
    if not isinstance(saved, dict):
        raise ToonbenchError(f"{path} is no checkpoint of this training (no configuration): remove it")
    return cast("Content", saved)


@contextmanager
def filling(path: Path) -> Generator[None]:
    """Raise ToonbenchError, naming the checkpoint, where its content does not fit what is filled from it in the block."""
    try:
        yield
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, RuntimeError) as error:
        raise ToonbenchError(
            f"{path} does not fit this training ({first_line(error)}): remove it, or start again with --fresh"
        ) from error


def _flat(fields: Content, prefix: str = "") -> Content:
    """The fields of nested configurations by dotted name."""
    found: Content = {}
    for name, value in fields.items():
        if isinstance(value, dict):
            found |= _flat(cast("Content", value), f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def _plain(config: DataclassInstance) -> Content:
    """The fields as JSON has them, in which tuples are lists."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def _read(path: Path, *, device: str) -> Content:
    try:
        content = read_content(path, device=device)
    except UnreadableTensors as error:
        older = path.name == CHECKPOINT and path.with_name(PREVIOUS).is_file()
        then = f"resumes from {PREVIOUS}" if older else "starts again from the first step"
        raise ToonbenchError(
            f"{path} cannot be read as a checkpoint ({error}): remove it, and training {then}"
        ) from error
    if not isinstance(content, dict):
        raise ToonbenchError(f"{path} holds a {type(content).__name__} instead of a checkpoint: remove it")
    return content
