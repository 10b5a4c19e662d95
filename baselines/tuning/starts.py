"""Checkpoints that training starts from."""

from __future__ import annotations

from pathlib import Path

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
