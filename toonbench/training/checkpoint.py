"""Checkpoints of a training run: written whole, read without running code, and refused for another configuration."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from toonbench.store import remove_leftovers, writing
from toonbench.types import ToonbenchError
from toonbench.weights.tensors import UnreadableTensors, first_line, read_content

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

CHECKPOINT = "checkpoint.pt"
PREVIOUS = "checkpoint-previous.pt"
CONFIG = "config"
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
        write_content(temporary, {CONFIG: json.dumps(dataclasses.asdict(config)), **content})
        if path.name == CHECKPOINT and path.is_file():
            _keep(path)


def write_content(path: Path, content: Mapping[str, Any]) -> None:
    """Write state dicts, tensors and numbers completely. Raises OSError where the file cannot be written.

    At the end of a file that could not be written, PyTorch raises a RuntimeError of its own.
    """
    with path.open("wb") as file:
        try:
            torch.save(_unshared(dict(content)), file)
        except RuntimeError as error:
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
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


def remove_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of an earlier run, before a run starts again from the first step."""
    for name in (CHECKPOINT, PREVIOUS):
        (folder / name).unlink(missing_ok=True)


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
    given = _flat(_plain(config))
    saved = _flat(_plain(type(config)())) | _flat(_saved_config(content, path=path))
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
