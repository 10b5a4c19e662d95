"""FOMM's cases of the stored outputs of the official network; see `baselines.first_order_goldens`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from toonbench.networks.running import measuring
from toonbench.types import GoldenCheck

from ..first_order_goldens import Bench, Outputs, State, checks, holds, key_point_cases, picture_cases
from ..first_order_weights import infer_config, prepared
from .model import FOMMNetwork

MODEL = "fomm"


def run_goldens(folder: Path, device: str) -> list[GoldenCheck]:
    """A check of every stored output of FOMM in a folder; none if it holds none."""
    if not holds(folder, MODEL):
        return []
    with measuring(device), np.load(folder / "goldens.npz") as arrays:
        bench = Bench(folder, MODEL, device=device, build=build)
        cases = [*key_point_cases(bench), *picture_cases(bench), *corner_case(bench)]
        return list(checks(MODEL, arrays, iter(cases)))


def build(state: State, corners: bool) -> FOMMNetwork:
    """The network of a state dict, ready for use."""
    with torch.device("meta"):
        network = FOMMNetwork(infer_config(state), corners=corners)
    network.load_state_dict(state, strict=True, assign=True)
    return prepared(network)


def corner_case(bench: Bench) -> Iterator[tuple[str, Outputs]]:
    """The convention that FOMM was trained with."""
    network = bench.build(corners=True)
    points = network.key_points(bench.images("drv1"))
    yield "gen_abs_b1_corners", {"prediction": network.render(network.source(bench.images("src0")), points)}
