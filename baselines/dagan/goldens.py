"""DaGAN's cases of the stored outputs of the official network; see `baselines.first_order_goldens`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from toonbench.networks.first_order import Trace
from toonbench.networks.running import measuring
from toonbench.types import GoldenCheck

from ..first_order_goldens import Bench, Outputs, State, checks, holds, key_point_cases, picture_cases
from ..first_order_weights import infer_config, prepared
from .depth import infer_depth_config
from .model import DaGANNetwork

MODEL = "dagan"


def run_goldens(folder: Path, device: str) -> list[GoldenCheck]:
    """A check of every stored output of DaGAN in a folder; none if it holds none."""
    if not holds(folder, MODEL):
        return []
    with measuring(device), np.load(folder / "goldens.npz") as arrays:
        bench = Bench(folder, MODEL, device=device, build=build)
        cases = [*depth_cases(bench), *key_point_cases(bench), *picture_cases(bench)]
        return list(checks(MODEL, arrays, iter(cases)))


def build(state: State, corners: bool) -> DaGANNetwork:
    """The network of a state dict, for use."""
    encoder, decoder = (
        {key.removeprefix(f"{part}."): value for key, value in state.items() if key.startswith(f"{part}.")}
        for part in ("depth_encoder", "depth_decoder")
    )
    with torch.device("meta"):
        network = DaGANNetwork(infer_config(state), infer_depth_config(encoder, decoder), corners=corners)
    network.load_state_dict(state, strict=True, assign=True)
    return prepared(network)


def depth_cases(bench: Bench) -> Iterator[tuple[str, Outputs]]:
    """The cases of the depth network alone."""
    trace: Trace = {}
    disparity = bench.network.disparity(bench.images("src0"), trace=trace)
    yield "depth_b1", {"disp0": disparity, **trace}
    pair = bench.network.disparity(bench.images("drv0", "drv1"))
    yield "depth_b2", {"disp0": pair}
    yield "depth_gray", {"gray": (1.0 - pair[1] / pair[1].max()).permute(1, 2, 0)}
