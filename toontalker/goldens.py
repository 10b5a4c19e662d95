"""Compares this machine's network with stored outputs of the official one.

A goldens folder holds `goldens.json` (cases, slices, where the weights and images come from), `goldens.npz` (arrays)
and manifests (key, shape and distribution of every weight). Weights and images are drawn here from the manifests by
numpy alone, so that the same numbers come out on any machine; no code of the folder is run.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from toonbench.networks.golden_cases import Case, case_checks, draw_weight, listed_cases, unit_pictures
from toonbench.networks.stylegan2 import prepared
from toonbench.types import GoldenCheck, ToonbenchError

from .model import DomainNetwork, ToonTalkerNetwork, infer_config

Outputs = dict[str, Tensor]


class _Bench:
    """Networks and pictures of a folder on a device; the last weights stay loaded, as cases share them."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder = folder
        self.device = device
        self._loaded: dict[tuple[str, str], DomainNetwork] = {}
        self.digests: dict[str, str] = json.loads((folder / "goldens.json").read_text())["images"]

    def network(self, case: Case) -> ToonTalkerNetwork:
        tags: dict[str, str] = case["weights"]
        needed = {(case["manifest"], tag) for tag in tags.values()}
        self._loaded = {key: value for key, value in self._loaded.items() if key in needed}
        gen = self._domain(case["manifest"], tags["gen"])
        real = self._domain(case["manifest"], tags["gen_real"]) if "gen_real" in tags else gen
        return ToonTalkerNetwork(gen, real)

    def _domain(self, manifest: str, tag: str) -> DomainNetwork:
        if (manifest, tag) not in self._loaded:
            entries = json.loads((self.folder / manifest).read_text())
            weights = {k: torch.from_numpy(draw_weight(k, e, tag)) for k, e in entries.items() if k[0] != "_"}
            with torch.device("meta"):
                network = DomainNetwork(infer_config(weights))
            network.load_state_dict(weights, strict=True, assign=True)
            self._loaded[manifest, tag] = prepared(network).to(self.device)
        return self._loaded[manifest, tag]

    def images(self, case: Case, role: str) -> Tensor:
        """(B, 3, size, size) in [-1, 1]. Raises ToonbenchError if this machine draws other pictures than were listed."""
        return torch.from_numpy(unit_pictures(case, role, self.digests)).to(self.device)


def _tokens(w: Tensor) -> Tensor:
    """The official layout (tokens, B, width)."""
    return w.transpose(0, 1)


def _absolute(bench: _Bench, case: Case) -> Outputs:
    network = bench.network(case)
    source = network.source(bench.images(case, "source"), "cartoon")
    w = source.to_reference + network.motion(bench.images(case, "driving"), "cartoon")
    return {"image": network.domain("cartoon").render(w, source.features), "w.canonical": _tokens(w)}


def _relative(bench: _Bench, case: Case, *, of: str = "cartoon", by: str = "cartoon") -> Outputs:
    network = bench.network(case)
    domain = network.domain(of)
    image = bench.images(case, "source")
    maps = domain.enc.maps(image)
    vectors = {role: network.domain(by).enc2.vector(bench.images(case, role)) for role in ("driving", "start")}
    vectors["source"] = domain.enc2.vector(image)
    codes = {
        "s_r": network.to_reference(vectors["source"], of),
        "r_s": network.from_reference(vectors["source"], of),
        "r_1": network.from_reference(vectors["start"], by),
        "r_d": network.from_reference(vectors["driving"], by),
    }
    codes["canonical"] = w = codes["s_r"] + (codes["r_d"] - codes["r_1"]) + codes["r_s"]
    features = domain.dec.features(maps)
    backward = domain.dec.backward_codes(w, features)
    styles = domain.dec.styles(w, features)
    out: Outputs = {"latent": styles, "latlayer1": domain.dec.latlayer1(maps[4])}
    out["image"] = domain.dec.synthesise(styles, features, trace=out)
    out |= {f"enc2.{role}": vector for role, vector in vectors.items()}
    out |= {f"w.{name}": _tokens(code) for name, code in codes.items()}
    out |= {f"back{side}": _tokens(code) for side, code in zip((4, 16, 64), backward, strict=True)}
    return out | {f"enc.s{m.shape[-1]}": m for m in maps}


def _clip(bench: _Bench, case: Case) -> Outputs:
    network = bench.network(case)
    source = network.source(bench.images(case, "source"), "cartoon")
    codes = network.motion(bench.images(case, "clip"), "cartoon")
    frames = network.relative(source, codes, start=codes[:1], domain="cartoon")
    clamped = frames.clamp(-1.0, 1.0)
    low, high = clamped.min(), clamped.max()
    pixels = ((clamped - low) / (high - low) * 255.0).floor().permute(0, 2, 3, 1)
    return {"frames": frames, "u8": pixels, "minmax": torch.stack((low, high))}


def _runner(call: str) -> Callable[[_Bench, Case], Outputs]:
    if call.startswith("forward_relative"):
        return _relative
    if call.startswith("forward("):
        return _absolute
    if call.startswith("in-domain demo"):
        return _clip
    if call.startswith("real2cartoon"):
        return lambda bench, case: _relative(bench, case, of="cartoon", by="real")
    if call.startswith("cartoon2real"):
        return lambda bench, case: _relative(bench, case, of="real", by="cartoon")
    raise ToonbenchError(f"goldens case calls {call!r}, which this version does not know; update toonbench")


def run_goldens(folder: Path, device: str) -> list[GoldenCheck]:
    """A check of every stored output of every ToonTalker case in `folder`; cases of other networks are skipped.

    A folder without `goldens.json`, or with one of something else, gives an empty list: `doctor` offers each folder
    to everybody.
    """
    cases = listed_cases(folder)
    if not cases:
        return []
    bench = _Bench(folder, device)
    checks: list[GoldenCheck] = []
    for case in cases:
        if case["network"] != "toontalker":
            reason = f"network {case['network']} is not ToonTalker"
            checks.append(GoldenCheck(case["name"], math.nan, math.nan, skipped=reason))
            continue
        with torch.inference_mode(), np.load(folder / case["file"]) as arrays:
            made = {name: value.float().cpu().numpy() for name, value in _runner(case["call"])(bench, case).items()}
            checks.extend(case_checks(case, made, arrays))
    return checks
