"""Compares this machine's networks of FOMM and DaGAN with stored outputs of the official ones.

A folder holds `goldens.json` (tags of weights and pictures), `goldens.npz` (arrays `<model>.<case>.<tensor>`) and a
manifest for each model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from toonbench.networks.first_order import KeyPoints, Trace, movement_scale, relative_points
from toonbench.networks.golden_cases import compared, draw_unit_image, draw_weight
from toonbench.types import GoldenCheck

TOLERANCE = 1e-4
BORDER_TOLERANCE = 5e-4  # samples at the zero border move visibly with the last digit of a coordinate
AT_BORDERS = ("deformed", "warped_feature", "sparse_deformed", "attended_feature")
Outputs = dict[str, Tensor]
State = dict[str, Tensor]


class Bench:
    """A network with the goldens' weights, and their pictures, on a device. `build(state, corners)` makes the network."""

    def __init__(self, folder: Path, model: str, *, device: str, build: Callable[[State, bool], Any]) -> None:
        listed = json.loads((folder / "goldens.json").read_text())
        manifest = json.loads((folder / f"{model}.manifest.json").read_text())
        tag = listed["weight_tags"][model]["visible"]
        self.state: State = {key: torch.from_numpy(draw_weight(key, e, tag)) for key, e in manifest.items()}
        self.tags: Mapping[str, str] = listed["image_tags"][model]["visible"]
        self.device = device
        self._build = build
        self.network: Any = self.build(corners=False)

    def build(self, *, corners: bool) -> Any:
        """The network in a sampling convention."""
        return self._build({key: value.clone() for key, value in self.state.items()}, corners).to(self.device)

    def images(self, *names: str) -> Tensor:
        """The pictures (B, 3, 256, 256) called `src0`, `drv1`, ..."""
        return torch.from_numpy(np.stack([draw_unit_image(self.tags[name]) for name in names])).to(self.device)


def key_point_cases(bench: Bench) -> Iterator[tuple[str, Outputs]]:
    """The cases of key points alone, and of their normalisation."""
    network = bench.network
    trace: Trace = {}
    source = network.key_points(bench.images("src0"), trace=trace)
    yield "kp_b1", {"value": source.value, "jacobian": source.jacobian, **trace}
    pair = network.key_points(bench.images("drv0", "drv1"))
    yield "kp_b2", {"value": pair.value, "jacobian": pair.jacobian}
    start, drv1, drv2 = pair[:1], pair[1:], network.key_points(bench.images("drv2"))
    scale = movement_scale(source, start)
    yield "norm_value_only", _points(relative_points(drv2, source=source, start=start, scale=scale, jacobians=False))
    sources = KeyPoints.cat([source, network.key_points(bench.images("src1"))])
    driving = KeyPoints.cat([drv1, drv2])
    starts = KeyPoints.cat([start, start])
    yield (
        "norm_adapt_b2",
        _points(relative_points(driving, source=sources, start=starts, scale=movement_scale(sources, starts))),
    )


def picture_cases(bench: Bench) -> Iterator[tuple[str, Outputs]]:
    """The cases of pictures, with their intermediates."""
    network = bench.network
    trace: Trace = {}
    source = network.source(bench.images("src0"), trace=trace)
    start, drv1, drv2 = (network.key_points(bench.images(name)) for name in ("drv0", "drv1", "drv2"))
    made = network.render(source, drv1, trace=trace)
    yield "gen_abs_b1", {"prediction": made, "source_down": source.small, **intermediates(bench, trace)}
    for name, scale in (("gen_rel_b1", 1.0), ("gen_rel_adapt_b1", movement_scale(source.points, start))):
        points = relative_points(drv2, source=source.points, start=start, scale=scale)
        yield name, {"prediction": network.render(source, points), **_points(points)}
    both = network.source(bench.images("src0", "src1"))
    yield "gen_abs_b2", {"prediction": network.render(both, KeyPoints.cat([drv1, drv2]))}


def intermediates(bench: Bench, trace: Trace) -> Outputs:
    """The intermediates, with the moved source picture that the official code returns beside them."""
    places = F.interpolate(trace["deformation"].permute(0, 3, 1, 2), size=256, mode="bilinear", align_corners=False)
    moved = F.grid_sample(bench.images("src0"), places.permute(0, 2, 3, 1), align_corners=False)
    return {**trace, "deformed": moved}


def _points(points: KeyPoints) -> Outputs:
    return {"kp_value": points.value, "kp_jacobian": points.jacobian}


def thinned(outputs: Outputs, name: str) -> Tensor | None:
    """The output that a stored array is of: all of it, or every n-th channel, key point or sample."""
    base, every, step = name.partition("_every")
    value = outputs.get(base)
    if value is None or not every:
        return value
    step = int(step)
    if step == 2:
        return value[..., ::2, ::2]
    return value[:, ::step]


def checks(model: str, arrays: Mapping[str, Any], cases: Iterator[tuple[str, Outputs]]) -> Iterator[GoldenCheck]:
    """A check of every stored array of each case."""
    for case, outputs in cases:
        prefix = f"{model}.{case}."
        for key in (one for one in arrays if one.startswith(prefix)):
            name = key.removeprefix(prefix)
            got = thinned(outputs, name)
            if got is None:
                yield GoldenCheck(key, float("inf"), TOLERANCE)
                continue
            border = name.partition("_every")[0] in AT_BORDERS
            yield compared(key, got.float().cpu().numpy(), arrays[key], BORDER_TOLERANCE if border else TOLERANCE)


def holds(folder: Path, model: str) -> bool:
    """Whether a folder holds goldens of the model; `doctor` gives each folder to every method."""
    if not ((folder / "goldens.json").is_file() and (folder / f"{model}.manifest.json").is_file()):
        return False
    listed = json.loads((folder / "goldens.json").read_text())
    return isinstance(listed, dict) and model in listed.get("weight_tags", {})
