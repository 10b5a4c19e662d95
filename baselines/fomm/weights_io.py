"""Official checkpoints of FOMM (`vox-cpk.pth.tar`, `vox-adv-cpk.pth.tar`), and deterministic test weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from toonbench import weights
from toonbench.networks.deterministic import deterministic_state
from toonbench.networks.hourglass import fold_norms
from toonbench.types import ToonbenchError
from toonbench.weights import WeightsMissing
from toonbench.weights.checkpoints import BUILDING, check_state, family, file_digest, foreign, parts, read_checkpoint

from ..first_order import Weights
from .model import FOMMNetwork, NetworkConfig, infer_config

WHAT = "an official FOMM checkpoint, such as vox-cpk.pth.tar"
PARTS = ("kp_detector", "generator")
PUBLISHED = "fomm-vox", "fomm-vox-adv"
TINY = NetworkConfig(points=4, detector=(8, 8, 16, 16), motion=(8, 8, 16, 16), generator=(8, 8, 16), residuals=2)


def load_weights(path: Path | None, *, corners: bool = False) -> Weights:
    """The network of a checkpoint, or of the weights folder. Raises ToonbenchError, naming the file, for anything else."""
    path = published(PUBLISHED, "FOMM", "vox-cpk.pth.tar") if path is None else path
    content = read_checkpoint(path, what=WHAT)
    if (whose := family(content)) not in ("", "FOMM"):
        raise foreign(content, path=path, expected="FOMM")
    states = parts(content, PARTS)
    if absent := [name for name in PARTS if not states[name]]:
        if whose:
            raise ToonbenchError(
                f"{path}: it has no {absent[0]}, only {', '.join(map(str, content))[:80]}; give {WHAT}"
            )
        raise foreign(content, path=path, expected="FOMM")
    network = fill(states, path=path, corners=corners)
    digest = file_digest(path)
    variant = f"FOMM, {network.config.points} key points"
    about = {"file": path.name, "sha256": digest, "variant": variant}
    return Weights(network=network, revision=digest[:10], checkpoint=about)


def published(names: tuple[str, ...], method: str, file: str) -> Path:
    """The first of these files of the weights folder. Raises WeightsMissing, with where they come from, if there is none."""
    for name in names:
        try:
            return weights.path(name)
        except WeightsMissing:
            continue
    entry = weights.entry(names[0])
    raise WeightsMissing(
        f"{method} has no weights: give --checkpoint {file} (from {entry.page}), or put the file into the weights "
        f"folder with toonbench weights fetch {names[0]} --from FOLDER"
    )


def fill(states: Mapping[str, dict[str, Any]], *, path: Path, corners: bool) -> FOMMNetwork:
    """The network with the tensors of the parts, its normalisations folded, in eval mode."""
    joined = {f"{name}.{key}": value for name, state in states.items() for key, value in state.items()}
    try:
        with torch.device("meta"):
            network = FOMMNetwork(infer_config(joined), corners=corners)
    except BUILDING as error:
        raise foreign(states, path=path, expected="FOMM", error=error) from error
    expected = {key: value.shape for key, value in network.state_dict().items()}
    for name in PARTS:
        own = {key.removeprefix(f"{name}."): shape for key, shape in expected.items() if key.startswith(f"{name}.")}
        check_state(states[name], own, path=path, part=name, network="FOMM")
    network.load_state_dict({key: own_copy(value) for key, value in joined.items()}, strict=True, assign=True)
    return prepared(network)


def own_copy(value: Tensor) -> Tensor:
    """A tensor's values in float32, counts as they are, in memory of its own."""
    return value.float().clone() if value.is_floating_point() else value.clone()


def prepared(network: FOMMNetwork) -> FOMMNetwork:
    """The network for use: without gradients, its normalisations folded, channels last in memory."""
    network.eval().requires_grad_(False)
    fold_norms(network)
    return network.to(memory_format=torch.channels_last)


def weights_for_tests(config: NetworkConfig = TINY, *, size: int = 64) -> Weights:
    """A small network with deterministic test weights: its Jacobians are near the identity, as before training."""
    network = FOMMNetwork(config)
    network.load_state_dict(state_for_tests(network), strict=True)
    about = {"variant": "deterministic test weights"}
    return Weights(network=prepared(network), revision="test", checkpoint=about, size=size)


def state_for_tests(network: FOMMNetwork) -> dict[str, Tensor]:
    """Deterministic test weights of a network; its stored filters stay, and its Jacobians are near the identity.

    Other weights are enlarged, so that pictures have contrast and key points move.
    """
    own = network.state_dict()
    gains = {"kp_detector.jacobian.weight": 0.1, "kp_detector.kp.weight": 3.0}
    state = {
        key: own[key] if key.endswith("down.weight") else value * gains.get(key, 1.5) if value.ndim > 1 else value
        for key, value in deterministic_state(own, "fomm").items()
    }
    state["kp_detector.jacobian.bias"] = torch.tensor([1.0, 0.0, 0.0, 1.0]).repeat(network.config.points)
    return state
