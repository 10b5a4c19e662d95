"""Compares this machine's network of LIA with stored outputs of the official one; see `toonbench.networks.golden_cases`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from toonbench.networks.golden_cases import Case, case_checks, draw_weight, listed_cases, unit_pictures
from toonbench.networks.running import measuring
from toonbench.networks.stylegan2 import prepared
from toonbench.types import GoldenCheck, ToonbenchError

from .model import LIANetwork, Trace, infer_config

NETWORK = "lia"
Outputs = dict[str, Tensor]


class Bench:
    """Networks and pictures of a folder on a device; the last weights stay loaded, as cases share them."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder = folder
        self.device = device
        self.digests: dict[str, str] = json.loads((folder / "goldens.json").read_text())["images"]
        self._loaded: tuple[tuple[str, str], LIANetwork] | None = None

    def network(self, case: Case) -> LIANetwork:
        """The network of a case."""
        key = (case["manifest"], case["weights"]["gen"])
        if self._loaded is None or self._loaded[0] != key:
            self._loaded = key, self._drawn(*key)
        return self._loaded[1]

    def _drawn(self, manifest: str, tag: str) -> LIANetwork:
        entries = json.loads((self.folder / manifest).read_text())
        state = {k: torch.from_numpy(draw_weight(k, entry, tag)) for k, entry in entries.items() if k[0] != "_"}
        with torch.device("meta"):
            network = LIANetwork(infer_config(state))
        network.load_state_dict(state, strict=True, assign=True)
        return prepared(network).to(self.device)

    def images(self, case: Case, role: str) -> Tensor:
        """(B, 3, size, size) in [-1, 1]."""
        return torch.from_numpy(unit_pictures(case, role, self.digests)).to(self.device)


def outputs(bench: Bench, case: Case) -> Outputs:
    """What the network computes for a case, with intermediates where motion is relative."""
    network = bench.network(case)
    directions = network.dec.direction.orthonormal()
    source = network.source(bench.images(case, "source"))
    call: str = case["call"]
    if call.startswith("absolute"):
        steps = network.enc.steps(bench.images(case, "driving"))
        return {"image": network.render(source, steps, directions=directions)}
    if call.startswith("linear manipulation"):
        steps = source.steps.clone()
        steps[:, 3] += 1.5
        return {"image": network.render(source, steps, directions=directions)}
    if not call.startswith("relative"):
        raise ToonbenchError(f"goldens case calls {call!r}, which this version does not know; update toonbench")
    vector = network.enc.net_app.vector(bench.images(case, "driving"))
    alphas = {"driving": network.enc.fc(vector), "source": source.steps}
    alphas["start"] = network.enc.steps(bench.images(case, "start"))
    steps = alphas["driving"] - alphas["start"] + alphas["source"]
    trace: Trace = {}
    found = {"image": network.render(source, steps, directions=directions, trace=trace), **trace}
    found |= {"enc.source": source.latent, "enc.driving": vector, "direction_q": directions}
    found |= {f"alpha.{role}": value for role, value in alphas.items()}
    found |= {f"direction.{role}": value @ directions.T for role, value in alphas.items()}
    return found | {"latent": source.latent + steps @ directions.T}


def run_goldens(folder: Path, device: str) -> list[GoldenCheck]:
    """A check of every stored output of every LIA case in `folder`; none if it holds no such goldens."""
    cases = [case for case in listed_cases(folder) if case["network"] == NETWORK]
    if not cases:
        return []
    bench = Bench(folder, device)
    checks: list[GoldenCheck] = []
    for case in cases:
        with measuring(device), np.load(folder / case["file"]) as arrays:
            made = {name: value.float().cpu().numpy() for name, value in outputs(bench, case).items()}
            checks.extend(case_checks(case, made, arrays))
    return checks
