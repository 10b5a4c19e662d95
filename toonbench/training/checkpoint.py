"""Checkpoints of a training run: written whole, read without running code, and refused for another configuration."""

from __future__ import annotations

import dataclasses
import json
import os
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
CONFIG = "config"
Content = dict[str, Any]


def open_folder(folder: Path) -> None:
    """Make the folder of a training run, and remove the partial files that killed processes left in it."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)


def save_checkpoint(path: Path, content: Mapping[str, Any], *, config: DataclassInstance) -> None:
    """Write `content` (state dicts and numbers) with the configuration, by rename: a killed process leaves the old file.

    Raises ToonbenchError where the file cannot be written.
    """
    with writing(path) as temporary, temporary.open("wb") as file:
        torch.save({CONFIG: json.dumps(dataclasses.asdict(config)), **content}, file)
        file.flush()
        os.fsync(file.fileno())


def load_checkpoint(
    path: Path,
    *,
    config: DataclassInstance,
    may_change: Collection[str] = (),
    device: str = "cpu",
    upgrade: Callable[[Content], Content] = dict,
) -> Content:
    """The content of a checkpoint. Its configuration must be `config`, except for the fields in `may_change`.

    Every field of the configuration's class must have a default, which stands for a field that the checkpoint's version
    did not have. `upgrade` turns the content that an older version wrote into today's.
    Raises ToonbenchError for a damaged file and for another configuration.
    """
    content = upgrade(_read(path, device=device))
    saved, given = _saved_config(content, path=path), _plain(config)
    saved = _plain(type(config)()) | saved
    for name in sorted(set(saved) | set(given)):
        if name not in may_change and saved.get(name) != given.get(name):
            raise ToonbenchError(
                f"{path} was trained with {name} = {saved.get(name)!r}, but {name} is {given.get(name)!r} now: "
                "choose another folder, or start again with --fresh"
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


def _plain(config: DataclassInstance) -> Content:
    """The fields as JSON has them, in which tuples are lists."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def _read(path: Path, *, device: str) -> Content:
    try:
        content = read_content(path, device=device)
    except UnreadableTensors as error:
        raise ToonbenchError(
            f"{path} cannot be read as a checkpoint ({error}): remove it, and training starts again from the first step"
        ) from error
    if not isinstance(content, dict):
        raise ToonbenchError(f"{path} holds a {type(content).__name__} instead of a checkpoint: remove it")
    return content
