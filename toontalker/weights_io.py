"""Weights on disk: official checkpoints (.pt, .pth) and our own safetensors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from toonbench.types import ToonbenchError
from toonbench.weights.tensors import (
    UnreadableTensors,
    first_line,
    named_tensors,
    read_content,
    unwrapped,
    without_prefixes,
)

from .config import NetworkConfig
from .model import DomainNetwork, ToonTalkerNetwork, infer_config

MINI = Path(__file__).parent / "weights" / "toontalker_mini.safetensors"
FORMAT = "toontalker-1"
METADATA = "toontalker"
SHARED = ("dec.transformerlayer_0.", "dec.transformerlayer_1.")
BUILDING = (KeyError, ValueError, TypeError, AttributeError, IndexError, ArithmeticError, RuntimeError, AssertionError)
CONSTANT = (".kernel", ".noise.weight")  # filters and unused noise strengths: the same in every network


def export(network: ToonTalkerNetwork, path: Path, *, notes: Mapping[str, Any]) -> None:
    """Write both domains as float16 safetensors, the shared query transformers once; `notes` go into the metadata."""
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}
    for name in ("real", "cartoon"):
        for key, value in network.domain(name).state_dict().items():
            if key.endswith(CONSTANT) or (name == "cartoon" and key.startswith(SHARED)):
                continue
            tensors[f"{name}.{key}"] = value.detach().half().cpu().contiguous()
    about = {"format": FORMAT, "config": network.domain("real").config.to_dict(), **notes}
    content = save(tensors, metadata={METADATA: json.dumps(about)})  # one entry: several come in random order
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)


def load_network(path: Path) -> ToonTalkerNetwork:
    """The network of a weights file, in eval mode on the CPU.

    An official in-domain checkpoint ("gen" alone) serves both domains; of a cross-domain one, "gen" is the cartoon
    network and "gen_real" the real one. Raises ToonbenchError, naming the file, for anything else.
    """
    if not path.is_file():
        raise ToonbenchError(f"{path}: no such checkpoint; give an official .pt/.pth or a ToonTalker .safetensors file")
    content = _content(path)
    about = _about(path)
    state = without_prefixes(cast("dict[str, Tensor]", content)) if isinstance(content, dict) else {}
    named = bool(state) and all(isinstance(value, Tensor) for value in state.values())
    own = about or (path.suffix == ".safetensors" and named and not _is_state(state))
    network = _own(path, state, about) if own else _official(path, content)
    return network.eval().requires_grad_(False)


def file_digest(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _content(path: Path) -> Any:
    try:
        return read_content(path)
    except UnreadableTensors as error:
        raise ToonbenchError(f"{path}: {error.with_advice('get it again, or as .safetensors')}") from error


def _about(path: Path) -> dict[str, Any]:
    """The metadata of a safetensors file that `export` wrote; empty for any other file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(METADATA, "{}"))
    except (SafetensorError, OSError, ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", about) if isinstance(about, dict) else {}


def _own(path: Path, tensors: dict[str, Tensor], about: Mapping[str, Any]) -> ToonTalkerNetwork:
    if about.get("format") != FORMAT:
        found = about.get("format", "none")
        raise ToonbenchError(f"{path}: format {found}, expected {FORMAT}; give weights that `toonbench train` exported")
    try:
        config = NetworkConfig.from_dict(about["config"])
        with torch.device("meta"):
            expected = {key: value.shape for key, value in DomainNetwork(config).state_dict().items()}
    except BUILDING as error:
        raise ToonbenchError(
            f"{path}: no sizes of the network in its metadata ({first_line(error)}); export the weights again"
        ) from error
    parts: dict[str, dict[str, Tensor]] = {}
    for name in ("real", "cartoon"):
        parts[name] = {
            key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")
        }
        shared = SHARED if name == "cartoon" else ()
        needed = {k: v for k, v in expected.items() if not (k.endswith(CONSTANT) or k.startswith(shared))}
        _check(parts[name], needed, path=path, part=name)
    cartoon, real = DomainNetwork(config), DomainNetwork(config)
    network = ToonTalkerNetwork(cartoon, real)
    network.share_queries()
    for name, domain in (("real", real), ("cartoon", cartoon)):
        kept = {key: value for key, value in domain.state_dict().items() if key not in parts[name]}
        _fill(domain, kept | parts[name])
    return network


def _official(path: Path, content: Any) -> ToonTalkerNetwork:
    content = unwrapped(content, until="gen")
    if isinstance(content, dict) and "gen" not in content and _is_state(content):
        content = {"gen": content}  # the state dict alone
    if not isinstance(content, dict) or not isinstance(content.get("gen"), dict):
        found = ", ".join(map(str, list(content)[:4])) if isinstance(content, dict) else type(content).__name__
        raise ToonbenchError(f'{path}: no "gen" in it (found {found}); give an official ToonTalker checkpoint')
    cartoon = _domain(content["gen"], path=path, part="gen")
    real = _domain(content["gen_real"], path=path, part="gen_real") if "gen_real" in content else cartoon
    return ToonTalkerNetwork(cartoon, real)


def _is_state(content: Mapping[Any, Any]) -> bool:
    return any(str(key).startswith("dec.to_rgbs.") for key in without_prefixes(content))


def _domain(content: Any, *, path: Path, part: str) -> DomainNetwork:
    try:
        state = named_tensors(content)
        config = infer_config(state)
        with torch.device("meta"):
            network = DomainNetwork(config)
    except (*BUILDING, UnreadableTensors) as error:
        raise ToonbenchError(f"{path}: {part} is no ToonTalker network ({first_line(error)}); LIA's are not") from error
    _check(state, {key: value.shape for key, value in network.state_dict().items()}, path=path, part=part)
    _fill(network, state)
    return network


def _check(state: Mapping[str, Tensor], expected: Mapping[str, Any], *, path: Path, part: str) -> None:
    """Raise ToonbenchError unless the tensors have the names and shapes of the network, and finite numbers."""
    missing, extra = sorted(set(expected) - set(state)), sorted(set(state) - set(expected))
    wrong = [key for key in expected if key in state and state[key].shape != expected[key]]
    if missing or extra or wrong:
        first = (missing or extra or wrong)[0]
        raise ToonbenchError(
            f"{path}: {part} does not fit the network: {len(missing)} keys missing, {len(extra)} unknown, {len(wrong)} of "
            f"another shape, the first {first}; give a ToonTalker checkpoint"
        )
    bad = [key for key, value in state.items() if not (value.is_floating_point() and value.float().isfinite().all())]
    if bad:
        raise ToonbenchError(
            f"{path}: {part} has {len(bad)} tensors that are not finite numbers, the first {bad[0]}; get it again"
        )


def _fill(network: DomainNetwork, state: Mapping[str, Tensor]) -> None:
    network.load_state_dict({key: value.float() for key, value in state.items()}, strict=True, assign=True)
