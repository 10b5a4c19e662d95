"""Official checkpoints of FOMM (`vox-cpk.pth.tar`, `vox-adv-cpk.pth.tar`), and deterministic test weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from toonbench.training.trained_on import KEY, TrainedOn
from toonbench.types import ToonbenchError
from toonbench.weights.checkpoints import BUILDING, file_digest, foreign, read_checkpoint
from toonbench.weights.trained import read_about, trained_facts, trained_size

from ..first_order import SIZE, Weights
from ..first_order_weights import (
    TINY,
    NetworkConfig,
    fill,
    infer_config,
    joined,
    prepared,
    published,
    read_parts,
    state_for_tests,
)
from .model import FOMMNetwork

METHOD = "FOMM"
WHAT = "an official FOMM checkpoint, such as vox-cpk.pth.tar"
PUBLISHED = "fomm-vox", "fomm-vox-adv"


@dataclass(frozen=True, slots=True)
class Trained:
    """A network as it is trained, the side of its pictures in pixels, and what its file states about its training."""

    network: FOMMNetwork
    size: int
    about: Mapping[str, Any]


def read_network(path: Path, *, corners: bool = False, methods: Sequence[str] = ("fomm",), what: str = WHAT) -> Trained:
    """The network of an official checkpoint, or of weights that `toonbench train` wrote for one of `methods`.

    `what` says in messages what to give. Raises ToonbenchError for anything else.
    """
    states = read_parts(read_checkpoint(path, what=what), path=path, method=METHOD, what=what)
    about = read_about(path)
    if about and (stated := about.get("method")) not in methods:
        raise ToonbenchError(
            f"{path}: it has weights of {stated}, not of {' or '.join(methods)}; give --method {stated}"
        )
    size = trained_size(about, path=path, default=SIZE)
    try:
        with torch.device("meta"):
            network = FOMMNetwork(infer_config(joined(states)), corners=corners)
    except BUILDING as error:
        raise foreign(states, path=path, expected=METHOD, error=error) from error
    fill(network, states, path=path, method=METHOD)
    return Trained(network, size, about)


def load_weights(path: Path | None, *, corners: bool = False) -> Weights:
    """The network of a checkpoint, or of the weights folder. Raises ToonbenchError, naming the file, for anything else."""
    path = published(PUBLISHED, METHOD) if path is None else path
    return loaded(read_network(path, corners=corners), path=path)


def loaded(found: Trained, *, path: Path) -> Weights:
    """A network of the file `path` for use, with what a run stores about it."""
    digest = file_digest(path)
    about = {"file": path.name, "sha256": digest, "variant": f"FOMM, {found.network.config.points} key points"}
    about |= trained_facts(found.about)
    clips = TrainedOn.from_dict(found.about.get(KEY))
    return Weights(
        network=prepared(found.network), revision=digest[:10], checkpoint=about, size=found.size, trained_on=clips
    )


def weights_for_tests(config: NetworkConfig = TINY, *, size: int = 64) -> Weights:
    """A small network with deterministic test weights."""
    network = FOMMNetwork(config)
    network.load_state_dict(state_for_tests(network, "fomm", points=config.points), strict=True)
    about = {"variant": "deterministic test weights"}
    return Weights(network=prepared(network), revision="test", checkpoint=about, size=size)
