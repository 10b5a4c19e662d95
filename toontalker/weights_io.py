"""Weights on disk: official checkpoints (.pt, .pth) and our own safetensors."""

from __future__ import annotations

import hashlib
import json
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from toonbench.types import ToonbenchError

from .config import NetworkConfig
from .model import DomainNetwork, ToonTalkerNetwork, infer_config

MINI = Path(__file__).parent / "weights" / "toontalker_mini.safetensors"
FORMAT = "toontalker-1"
METADATA = "toontalker"
SHARED = ("dec.transformerlayer_0.", "dec.transformerlayer_1.")
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
    network = _load_own(path) if path.suffix == ".safetensors" else _load_official(path)
    return network.eval().requires_grad_(False)


def file_digest(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _load_own(path: Path) -> ToonTalkerNetwork:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(METADATA, "{}"))
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise ToonbenchError(f"{path}: damaged or cut off ({_first_line(error)}); copy or export it again") from error
    if about.get("format") != FORMAT:
        found = about.get("format", "none")
        raise ToonbenchError(f"{path}: format {found}, expected {FORMAT}; give weights that `toonbench train` exported")
    try:
        config = NetworkConfig.from_dict(about["config"])
    except (KeyError, ValueError, TypeError) as error:
        raise ToonbenchError(
            f"{path}: no sizes of the network in its metadata ({error}); export the weights again"
        ) from error
    cartoon, real = DomainNetwork(config), DomainNetwork(config)
    network = ToonTalkerNetwork(cartoon, real)
    network.share_queries()
    for name, domain in (("real", real), ("cartoon", cartoon)):
        expected = domain.state_dict()
        kept = {key: value for key, value in expected.items() if key.endswith(CONSTANT)}
        if name == "cartoon":
            kept |= {key: value for key, value in expected.items() if key.startswith(SHARED)}
        given = {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}
        _fill(domain, kept | given, path=path, part=name)
    return network


def _load_official(path: Path) -> ToonTalkerNetwork:
    try:
        with warnings.catch_warnings():  # about old pickle protocols, which are read or refused below
            warnings.simplefilter("ignore")
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ToonbenchError(
            f"{path}: holds more than plain tensors, which could run code on loading; not loaded. Save its state dicts "
            'alone, torch.save({"gen": ...}), where you trust it'
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise ToonbenchError(
            f"{path}: damaged, cut off, or no checkpoint ({_first_line(error)}); get it again"
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("gen"), dict):
        found = ", ".join(map(str, list(content)[:4])) if isinstance(content, dict) else type(content).__name__
        raise ToonbenchError(f'{path}: no "gen" in it (found {found}); give an official ToonTalker checkpoint')
    cartoon = _domain(content["gen"], path=path, part="gen")
    real = _domain(content["gen_real"], path=path, part="gen_real") if "gen_real" in content else cartoon
    return ToonTalkerNetwork(cartoon, real)


def _domain(state: dict[str, Tensor], *, path: Path, part: str) -> DomainNetwork:
    try:
        config = infer_config(state)
        with torch.device("meta"):
            network = DomainNetwork(config)
    except (KeyError, ValueError, AttributeError, IndexError) as error:
        raise ToonbenchError(
            f"{path}: {part} is no ToonTalker network ({_first_line(error)}); LIA's are not"
        ) from error
    _fill(network, {key: value.float() for key, value in state.items()}, path=path, part=part)
    return network


def _fill(network: DomainNetwork, state: dict[str, Tensor], *, path: Path, part: str) -> None:
    expected = network.state_dict()
    missing, extra = sorted(set(expected) - set(state)), sorted(set(state) - set(expected))
    wrong = [key for key in expected if key in state and state[key].shape != expected[key].shape]
    if missing or extra or wrong:
        first = (missing or extra or wrong)[0]
        raise ToonbenchError(
            f"{path}: {part} does not fit the network: {len(missing)} keys missing, {len(extra)} unknown, {len(wrong)} of "
            f"another shape, the first {first}; give a ToonTalker checkpoint"
        )
    network.load_state_dict(state, strict=True, assign=True)


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
