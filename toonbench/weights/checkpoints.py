"""Checkpoints of methods: which method a file belongs to, its parts, and whether their tensors fit a network.

Every message names the file and says in one line what is wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from toonbench.types import ToonbenchError
from toonbench.weights.tensors import UnreadableTensors, first_line, read_content, unwrapped, without_prefixes

if TYPE_CHECKING:
    from torch import Size, Tensor

# What a network's constructor may raise for sizes that a damaged or foreign file states.
BUILDING = (KeyError, ValueError, TypeError, AttributeError, IndexError, ArithmeticError, RuntimeError, AssertionError)
OF_A_RUN = frozenset({"config", "step", "network", "average", "optimiser"})  # in what a training resumes from
_DEPTH = 3  # of dicts in a checkpoint whose names are looked at

# A part of the names of each method's tensors, the most special ones first.
FAMILIES = (
    ("generator.decoder.", "DaGAN's SPADE generator"),
    ("generator.src_first.", "DaGAN"),
    ("generator.dense_motion_network.", "FOMM"),
    ("dense_motion_network.", "a generator of FOMM or DaGAN alone"),
    ("dec.transformerlayer_0.", "ToonTalker"),
    ("enc.net_app.", "LIA"),
    ("encoder.layer1.", "DaGAN's depth encoder"),
    ("decoder.13.conv.", "DaGAN's depth decoder"),
)


def file_digest(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_checkpoint(path: Path, *, what: str) -> Any:
    """The content of a checkpoint file, `what` for a message (`an official FOMM checkpoint, vox-cpk.pth.tar`).

    Raises ToonbenchError for a missing, damaged, cut off or hostile file, a Git LFS pointer, a web page, and what a training resumes from.
    """
    if not path.is_file():
        raise ToonbenchError(f"{path}: no such checkpoint; give {what}")
    try:
        content = read_content(path)
    except UnreadableTensors as error:
        raise ToonbenchError(f"{path}: {error.with_advice('get the file again, or its .safetensors form')}") from error
    if isinstance(content, dict) and content.keys() >= OF_A_RUN:
        raise ToonbenchError(
            f"{path}: it is the state of a training of toonbench, which resumes from it; give weights.safetensors or best.safetensors "
            "of its folder, which state the training clips"
        )
    return content


def family(content: Any) -> str:
    """The method that a checkpoint's content belongs to, by the names in it; empty if it is none of those known."""
    names = list(_names(content, ""))
    return next((who for mark, who in FAMILIES if any(_carries(name, mark) for name in names)), "")


def _carries(name: str, mark: str) -> bool:
    return name.startswith(mark) or f".{mark}" in name


def _names(content: Any, prefix: str, depth: int = 0) -> list[str]:
    if not isinstance(content, dict) or depth > _DEPTH:
        return [prefix]
    held = without_prefixes(cast("dict[str, Any]", content))
    return [
        name for key, value in held.items() for name in _names(value, f"{prefix}.{key}" if prefix else key, depth + 1)
    ]


def parts(content: Any, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The state dicts called `names` in a checkpoint: as dicts of their own, or as prefixes of the names of one.

    What trainers put around them is dropped. A part that is missing is an empty dict.
    """
    found = unwrapped(content, until=names[0])
    if not isinstance(found, dict):
        return {name: {} for name in names}
    held = without_prefixes(cast("dict[str, Any]", found))
    return {name: _part(held, name) for name in names}


def _part(held: Mapping[str, Any], name: str) -> dict[str, Any]:
    own = unwrapped(held[name]) if name in held else None
    if isinstance(own, dict):
        return without_prefixes(cast("dict[str, Any]", own))
    prefix = f"{name}."
    return {key.removeprefix(prefix): value for key, value in held.items() if str(key).startswith(prefix)}


def check_state(state: Mapping[str, Any], expected: Mapping[str, Size], *, path: Path, part: str, network: str) -> None:
    """Raise ToonbenchError unless a state has the names and shapes of the network `network`, and finite numbers."""
    import torch

    missing, extra = sorted(set(expected) - set(state)), sorted(set(state) - set(expected), key=str)
    tensors = {key: value for key, value in state.items() if isinstance(value, torch.Tensor)}
    wrong = [key for key in expected if key in state and (key not in tensors or tensors[key].shape != expected[key])]
    if missing or extra or wrong:
        first = (missing or extra or wrong)[0]
        raise ToonbenchError(
            f"{path}: {part} does not fit the network: {len(missing)} keys missing, {len(extra)} unknown, {len(wrong)} of "
            f"another shape, the first {first}; give a {network} checkpoint"
        )
    bad = [key for key, value in tensors.items() if not _plain(key, value)]
    if bad:
        raise ToonbenchError(
            f"{path}: {part} has {len(bad)} tensors that are not finite numbers, the first {bad[0]}; get it again"
        )


def _plain(key: str, value: Tensor) -> bool:
    """Whether a tensor holds finite numbers; only a normalisation's count of batches may be a whole number."""
    if key.endswith(".num_batches_tracked"):
        return not value.is_complex()
    return value.is_floating_point() and bool(value.float().isfinite().all())


def foreign(content: Any, *, path: Path, expected: str, error: BaseException | None = None) -> ToonbenchError:
    """The error for a file that is no checkpoint of `expected`: whose it is, or what it holds."""
    whose = family(content)
    if whose and whose != expected:
        return ToonbenchError(f"{path}: it is a checkpoint of {whose}, not of {expected}; give one of {expected}")
    held = (
        ", ".join(str(key)[:40] for key in list(cast("dict[Any, Any]", content))[:4])
        if isinstance(content, dict)
        else ""
    )
    found = f"found {held}" if held else f"found a {type(content).__name__}"
    reason = f", {first_line(error)}" if error else ""
    return ToonbenchError(f"{path}: it is no {expected} checkpoint ({found}{reason}); give one of {expected}")
