"""Weights of MAA that `toonbench train` wrote. No official ones exist."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from toonbench.types import ToonbenchError
from toonbench.weights import WeightsMissing

from ..first_order import Weights
from ..fomm.weights_io import loaded, read_network

METHOD = "maa"
HOW = "train some with `toonbench train --method maa --data DIR --out OUT`"


def load_weights(path: Path | None, *, corners: bool = False) -> Weights:
    """The network of weights that `toonbench train --method maa` wrote. Raises ToonbenchError, naming the file, for anything else."""
    if path is None:
        raise WeightsMissing(
            f"MAA has no weights, and no official ones exist: {HOW}, then give --checkpoint OUT/weights.safetensors"
        )
    found = read_network(path, corners=corners, methods=(METHOD,), what="weights of `toonbench train --method maa`")
    if not found.about:
        raise ToonbenchError(f"{path}: it does not state that `toonbench train --method maa` wrote it: {HOW}")
    weights = loaded(found, path=path)
    variant = f"MAA, re-implementation from the paper, {found.network.config.points} key points"
    return replace(weights, checkpoint={**weights.checkpoint, "variant": variant})
