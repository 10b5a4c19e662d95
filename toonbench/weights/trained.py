"""Weights that `toonbench train` writes: float16 safetensors, with what is known about their training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from toonbench.store import write_bytes
from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from torch import Tensor

METADATA = "toonbench"  # one entry, because several come in random order


def write_trained(path: Path, state: Mapping[str, Tensor], *, about: Mapping[str, Any]) -> None:
    """Write tensors as float16, counts as they are, with `about` (for JSON): the same bytes for the same content."""
    tensors = {key: _stored(value) for key, value in state.items()}
    write_tensors(path, tensors, entry=METADATA, about=about)


def write_tensors(path: Path, tensors: dict[str, Tensor], *, entry: str, about: Mapping[str, Any]) -> None:
    """Write tensors as they are, completely or not at all, with `about` (for JSON) as the entry `entry` of the metadata."""
    from safetensors.torch import save

    write_bytes(path, save(tensors, metadata={entry: json.dumps(about)}))


def read_about(path: Path) -> dict[str, Any]:
    """What `write_trained` stored about the training of the weights in `path`; empty for a file of another origin."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(METADATA, "{}"))
    except (SafetensorError, OSError, ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", about) if isinstance(about, dict) else {}


def trained_size(about: Mapping[str, Any], *, path: Path, default: int) -> int:
    """The side of the pictures of trained weights in pixels; `default` for a file of another origin.

    Raises ToonbenchError for a size that is none.
    """
    size = about.get("size", default)
    if not isinstance(size, int) or isinstance(size, bool) or not 8 <= size <= 4096:
        raise ToonbenchError(f"{path}: its metadata state pictures of {size!r} px; export the weights again")
    return size


def trained_facts(about: Mapping[str, Any]) -> dict[str, str]:
    """What a run stores about trained weights: their kind, where they started from, configuration, supervision."""
    if not about:
        return {}
    found = about.get("training")
    training = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    start, supervised = str(training.get("start", "")), str(training.get("supervised", ""))
    facts = {"kind": "fine-tuned", "started_from": start} if start else {"kind": "own"}
    overrides = training.get("overrides")
    facts |= {"config": str(training.get("name", "")), "supervised": supervised}
    facts |= {"overrides": " ".join(map(str, overrides)) if isinstance(overrides, list) else ""}
    return {key: value for key, value in facts.items() if value}


def _stored(value: Tensor) -> Tensor:
    value = value.detach().cpu()
    return (value.half() if value.is_floating_point() else value).contiguous()
