"""Official checkpoints of LIA (`vox.pt`, `taichi.pt`, `ted.pt`), and deterministic test weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from toonbench import weights
from toonbench.networks.deterministic import deterministic_state
from toonbench.training.trained_on import KEY, TrainedOn
from toonbench.weights import WeightsMissing
from toonbench.weights.checkpoints import (
    BUILDING,
    check_state,
    family,
    file_digest,
    foreign,
    parts,
    read_checkpoint,
)
from toonbench.weights.tensors import unwrapped, without_prefixes
from toonbench.weights.trained import read_about, trained_facts

from .model import LIANetwork, NetworkConfig, infer_config

METHOD = "LIA"
WHAT = "an official LIA checkpoint, such as vox.pt"
PUBLISHED = "lia-vox"
CONSTANT = (".kernel", ".noise.weight")  # filters and unused noise strengths: the same in every network
TINY = NetworkConfig(size=32, channels=tuple((4 << step, 8) for step in range(4)), style=8, motions=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A network on the CPU; `checkpoint` is what a run stores about its weights, `trained_on` its training clips, if they are stated."""

    network: LIANetwork
    revision: str
    checkpoint: Mapping[str, str]
    trained_on: TrainedOn | None = None


def load_weights(path: Path | None) -> Weights:
    """The network of a checkpoint, or of the weights folder. Raises ToonbenchError, naming the file, for anything else."""
    path = _published() if path is None else path
    network = read_network(path)
    digest, config = file_digest(path), network.config
    variant = f"LIA, {config.size} px, {config.motions} directions"
    about = {"file": path.name, "sha256": digest, "variant": variant}
    notes = read_about(path)
    about |= trained_facts(notes)
    clips = TrainedOn.from_dict(notes.get(KEY))
    return Weights(network=network, revision=digest[:10], checkpoint=about, trained_on=clips)


def read_network(path: Path) -> LIANetwork:
    """The network of an official checkpoint, or of weights that `toonbench train` wrote, as it is trained.

    Raises ToonbenchError, naming the file, for anything else.
    """
    content = read_checkpoint(path, what=WHAT)
    if family(content) != METHOD:
        raise foreign(content, path=path, expected=METHOD)
    state = parts(content, ["gen"])["gen"] or without_prefixes(unwrapped(content))
    try:
        with torch.device("meta"):
            network = LIANetwork(infer_config(state))
    except BUILDING as error:
        raise foreign(content, path=path, expected=METHOD, error=error) from error
    expected = {key: value.shape for key, value in network.state_dict().items()}
    check_state(state, expected, path=path, part="gen", network=METHOD)
    network.load_state_dict({key: value.float() for key, value in state.items()}, strict=True, assign=True)
    return network


def _published() -> Path:
    try:
        return weights.path(PUBLISHED)
    except WeightsMissing as error:
        entry = weights.entry(PUBLISHED)
        raise WeightsMissing(
            f"LIA has no weights: give --checkpoint {entry.file} (from {entry.page}), or put the file into the weights folder "
            f"with toonbench weights fetch {PUBLISHED} --from FOLDER"
        ) from error


def weights_for_tests(config: NetworkConfig = TINY) -> Weights:
    """A small network with deterministic test weights."""
    network = LIANetwork(config)
    network.load_state_dict(state_for_tests(network), strict=True)
    return Weights(network=network, revision="test", checkpoint={"variant": "deterministic test weights"})


def state_for_tests(network: LIANetwork) -> dict[str, Tensor]:
    """Deterministic test weights of a network: of unit variance as before training, with warps of a few pixels."""
    own = network.state_dict()
    state = deterministic_state(own, "lia")
    for key, value in state.items():
        if key.endswith(CONSTANT) or key.endswith("modulation.bias"):
            state[key] = own[key]
        elif value.ndim > 1 and not key.endswith("bias"):
            state[key] = value * math.sqrt(math.prod(value.shape[1:])) * (0.2 if ".to_flows." in key else 1.0)
    return state
