"""Weights of Recycle-GAN that `toonbench train` wrote. No official ones exist for a user's pair of clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from toonbench.networks.deterministic import deterministic_state
from toonbench.training.trained_on import KEY, TrainedOn
from toonbench.types import ToonbenchError
from toonbench.weights import WeightsMissing
from toonbench.weights.checkpoints import BUILDING, check_state, file_digest, read_checkpoint
from toonbench.weights.trained import read_about, trained_facts, trained_size, write_trained

from .model import NetworkConfig, RecycleNetwork

METHOD = "recycle-gan"
HOW = "train some for a pair of clips with `toonbench train --method recycle-gan --data PAIR --out OUT`"
TINY = NetworkConfig(generator=4, residuals=1, predictor=(4, 4, 4))


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A network in eval mode on the CPU; `checkpoint` is what a run stores about it, `size` the side of its pictures."""

    network: RecycleNetwork
    revision: str
    checkpoint: Mapping[str, str]
    size: int
    trained_on: TrainedOn | None = None


def load_weights(path: Path | None) -> Weights:
    """The network of weights that `toonbench train --method recycle-gan` wrote. Raises ToonbenchError, naming the file, for others."""
    if path is None:
        raise WeightsMissing(f"Recycle-GAN has no weights, as it has one model for each pair of clips: {HOW}")
    content = read_checkpoint(path, what="weights of `toonbench train --method recycle-gan`")
    about = read_about(path)
    if about.get("method") != METHOD:
        raise ToonbenchError(f"{path}: it does not state that `toonbench train --method recycle-gan` wrote it: {HOW}")
    try:
        sizes = cast("dict[str, dict[str, Any]]", about["training"])["network"]
        config = NetworkConfig(
            generator=sizes["generator"], residuals=sizes["residuals"], predictor=tuple(sizes["predictor"])
        )
        with torch.device("meta"):
            network = RecycleNetwork(config)
    except BUILDING as error:
        raise ToonbenchError(f"{path}: it states no sizes of its network; export the weights again") from error
    expected = {key: value.shape for key, value in network.state_dict().items()}
    check_state(content, expected, path=path, part="the file", network="Recycle-GAN")
    state = {key: value.float() if value.is_floating_point() else value for key, value in content.items()}
    network.load_state_dict(state, assign=True)
    digest = file_digest(path)
    facts = {"file": path.name, "sha256": digest, "variant": "Recycle-GAN, re-implementation, one model per pair"}
    return Weights(
        network=network.eval().requires_grad_(False),
        revision=digest[:10],
        checkpoint=facts | trained_facts(about),
        size=trained_size(about, path=path, default=256),
        trained_on=TrainedOn.from_dict(about.get(KEY)),
    )


def weights_for_tests() -> Weights:
    """A small network with deterministic test weights."""
    network = RecycleNetwork(TINY)
    network.load_state_dict(deterministic_state(network.state_dict(), METHOD))
    about = {"variant": "deterministic test weights"}
    return Weights(network=network.eval().requires_grad_(False), revision="test", checkpoint=about, size=32)


def export(network: nn.Module, path: Path, notes: Mapping[str, Any], *, size: int) -> None:
    """Write a network as `load_weights` reads it, with facts about its training."""
    state: Mapping[str, torch.Tensor] = network.state_dict()
    write_trained(path, state, about={"method": METHOD, "size": size, **notes})
