"""Checkpoints that training starts from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toonbench.training.trained_on import KEY, TrainedOn
from toonbench.types import ToonbenchError

from .config import TuneConfig


def check_start(config: TuneConfig, *, path: Path, size: int, found: object, needed: object) -> None:
    """Raise ToonbenchError unless a checkpoint's pictures (`size` px) and network (sizes `found`) are those of the configuration."""
    if size != config.size:
        raise ToonbenchError(
            f"{path} has pictures of {size} px, and --config {config.name} of {config.size} px: choose another configuration"
        )
    if found != needed:
        raise ToonbenchError(
            f"{path} has another network ({found}) than --config {config.name} ({needed}): choose another configuration"
        )


def origin(about: Mapping[str, Any]) -> TrainedOn:
    """The clips that weights were trained on, from what their file states; none for a file of another origin."""
    return TrainedOn.from_dict(about.get(KEY)) or TrainedOn()
