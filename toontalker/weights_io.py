"""Weights on disk: official checkpoints (.pt, .pth) and our own safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from toonbench.networks.deterministic import deterministic_state
from toonbench.types import ToonbenchError
from toonbench.weights.checkpoints import BUILDING, check_state, family, foreign, read_checkpoint
from toonbench.weights.tensors import UnreadableTensors, first_line, named_tensors, unwrapped, without_prefixes
from toonbench.weights.trained import write_tensors

from .config import NetworkConfig
from .model import DomainNetwork, ToonTalkerNetwork, infer_config, network_of

MINI = Path(__file__).parent / "weights" / "toontalker_mini.safetensors"
FORMAT = "toontalker-1"
METADATA = "toontalker"
SHARED = ("dec.transformerlayer_0.", "dec.transformerlayer_1.")
CONSTANT = (".kernel", ".noise.weight")  # filters and unused noise strengths: the same in every network


def export(network: ToonTalkerNetwork, path: Path, *, notes: Mapping[str, Any]) -> None:
    """Write both domains as float16 safetensors, the shared query transformers once; `notes` go into the metadata."""
    tensors: dict[str, Tensor] = {}
    for name in ("real", "cartoon"):
        for key, value in network.domain(name).state_dict().items():
            if key.endswith(CONSTANT) or (name == "cartoon" and key.startswith(SHARED)):
                continue
            tensors[f"{name}.{key}"] = value.detach().half().cpu().contiguous()
    about = {"format": FORMAT, "config": network.domain("real").config.to_dict(), **notes}
    write_tensors(path, tensors, entry=METADATA, about=about)


def load_network(path: Path) -> ToonTalkerNetwork:
    """The network of a weights file, in eval mode on the CPU.

    An official in-domain checkpoint ("gen" alone) serves both domains; of a cross-domain one, "gen" is the cartoon
    network and "gen_real" the real one. Raises ToonbenchError, naming the file, for anything else.
    """
    content = read_checkpoint(path, what="an official .pt/.pth or a ToonTalker .safetensors file")
    if family(content) not in ("", "ToonTalker"):
        raise foreign(content, path=path, expected="ToonTalker")
    notes = notes_of(path)
    state = without_prefixes(cast("dict[str, Tensor]", content)) if isinstance(content, dict) else {}
    named = bool(state) and all(isinstance(value, Tensor) for value in state.values())
    own = notes or (path.suffix == ".safetensors" and named and not _is_state(state))
    network = _own(path, state, notes) if own else _official(path, content)
    return network.eval().requires_grad_(False)


def notes_of(path: Path) -> dict[str, Any]:
    """The metadata of a safetensors file that `export` wrote; empty for any other file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(METADATA, "{}"))
    except (SafetensorError, OSError, ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", about) if isinstance(about, dict) else {}


def check_paired(notes: Mapping[str, Any], *, path: Path, expected: str) -> None:
    """Raise ToonbenchError unless weights with these notes are of the kind of paired training `expected`; ToonTalker's is empty."""
    training = notes.get("training")
    found = str(cast("Mapping[str, Any]", training).get("paired", "")) if isinstance(training, Mapping) else ""
    if found != expected:
        whose, method = (f"paired training ({found})", f"paired-{found}") if found else ("ToonTalker", "toontalker")
        raise ToonbenchError(f"{path}: it has weights of {whose}; give --method {method}")


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
        check_state(parts[name], needed, path=path, part=name, network="ToonTalker")
    cartoon, real = DomainNetwork(config), DomainNetwork(config)
    network = network_of(cartoon, real)
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
        raise ToonbenchError(
            f"{path}: {part} is no ToonTalker network ({first_line(error)}); give an official one"
        ) from error
    expected = {key: value.shape for key, value in network.state_dict().items()}
    check_state(state, expected, path=path, part=part, network="ToonTalker")
    _fill(network, state)
    return network


def _fill(network: DomainNetwork, state: Mapping[str, Tensor]) -> None:
    network.load_state_dict({key: value.float() for key, value in state.items()}, strict=True, assign=True)


def network_for_tests(*, rig: int = 0) -> ToonTalkerNetwork:
    """A small network with deterministic test weights; `rig` as in `NetworkConfig`."""
    channels = tuple((4 << step, 16) for step in range(5))
    config = NetworkConfig(size=64, channels=channels, style=16, motions=4, heads=2, feedforward=16, rig=rig)
    cartoon, real = DomainNetwork(config), DomainNetwork(config)
    for name, domain in (("cartoon", cartoon), ("real", real)):
        own = domain.state_dict()
        made = deterministic_state(own, name)
        domain.load_state_dict({key: own[key] if key.endswith(CONSTANT) else made[key] for key in own})
    network = network_of(cartoon, real)
    network.share_queries()
    return network
