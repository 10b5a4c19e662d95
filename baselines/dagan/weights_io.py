"""Official files of DaGAN (`DaGAN_vox_adv_256.pth.tar`, `encoder.pth`, `depth.pth`), and deterministic test weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from toonbench import weights
from toonbench.training.checkpoint import CHECKPOINT
from toonbench.training.trained_on import KEY, TrainedOn
from toonbench.types import ToonbenchError
from toonbench.weights import WeightsMissing
from toonbench.weights.checkpoints import BUILDING, family, file_digest, foreign, parts, read_checkpoint
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
from .depth import DepthConfig, infer_depth_config
from .model import DaGANNetwork

METHOD = "DaGAN"
WHAT = "an official DaGAN checkpoint, such as DaGAN_vox_adv_256.pth.tar"
PUBLISHED = ("dagan-vox-adv",)
DEPTH_PARTS = {"depth_encoder": "encoder.pth", "depth_decoder": "depth.pth"}
DEPTH_PUBLISHED = {"depth_encoder": "dagan-depth-encoder", "depth_decoder": "dagan-depth-decoder"}
DEPTH_FAMILIES = {"depth_encoder": "DaGAN's depth encoder", "depth_decoder": "DaGAN's depth decoder"}
DEPTH_FOLDER = Path("depth", "models", "weights_19")  # in the authors' repository
EXTRAS = ("height", "width", "use_stereo")  # numbers beside the tensors of encoder.pth
TINY_DEPTH = DepthConfig(stem=8, planes=(8, 8, 8, 8), blocks=(1, 1, 1, 1), decoder=(4, 4, 4, 4, 4), classes=2)


@dataclass(frozen=True, slots=True)
class Trained:
    """A network as it is trained, the side of its pictures in pixels, what its file states about its training, and sha256 of its parts."""

    network: DaGANNetwork
    size: int
    about: Mapping[str, Any]
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Depth:
    """The two parts of a depth network by name, its sizes, and the sha256 of their files."""

    states: Mapping[str, dict[str, Any]]
    config: DepthConfig
    digests: Mapping[str, str]


def load_weights(path: Path | None, *, corners: bool = False) -> Weights:
    """The network of a checkpoint, or of the weights folder; the depth network's files are found by `depth_file`.

    Raises ToonbenchError, naming the file, for anything else.
    """
    path = published(PUBLISHED, METHOD) if path is None else path
    found = read_network(path, corners=corners)
    network, digests = found.network, found.digests
    variant = f"DaGAN, {network.config.points} key points, depth network of {network.depth.layers} layers"
    about = {"file": path.name, "sha256": digests["generator"], "variant": variant} | trained_facts(found.about)
    about |= {f"{name}_sha256": digests[name] for name in DEPTH_PARTS}
    revision = hashlib.sha256("".join(dict.fromkeys(digests.values())).encode()).hexdigest()[:10]
    clips = TrainedOn.from_dict(found.about.get(KEY))
    return Weights(network=prepared(network), revision=revision, checkpoint=about, size=found.size, trained_on=clips)


def read_network(path: Path, *, corners: bool = False) -> Trained:
    """The network of an official checkpoint, or of weights that `toonbench train` wrote. Raises ToonbenchError for anything else."""
    content = read_checkpoint(path, what=WHAT)
    states = dict(read_parts(content, path=path, method=METHOD, what=WHAT))
    paths = dict.fromkeys(states, path)
    inside = parts(content, [*states, *DEPTH_PARTS])
    for name in DEPTH_PARTS:
        paths[name] = path if inside[name] else depth_file(name, path)
        states[name] = inside[name] or _read_depth(paths[name], name)
    network = _network(states, paths=paths, corners=corners)
    fill(network, states, path=paths, method=METHOD)
    about = read_about(path)
    size = trained_size(about, path=path, default=SIZE)
    return Trained(network, size, about, {name: file_digest(one) for name, one in paths.items()})


def read_depth(folder: Path) -> Depth:
    """The depth network of the files in a folder, or else in the weights folder. Raises ToonbenchError where they are no depth network."""
    paths = {name: depth_file(name, folder / CHECKPOINT) for name in DEPTH_PARTS}
    states = {name: _read_depth(path, name) for name, path in paths.items()}
    return Depth(states, _depth_config(states, paths=paths), {name: file_digest(path) for name, path in paths.items()})


def depth_file(part: str, checkpoint: Path) -> Path:
    """`encoder.pth` or `depth.pth`: beside the checkpoint, in `depth/models/weights_19` there, or in the weights folder.

    Raises WeightsMissing, with where it comes from, if there is none.
    """
    name = DEPTH_PARTS[part]
    beside = [checkpoint.parent / name, checkpoint.parent / DEPTH_FOLDER / name]
    for place in beside:
        if place.is_file():
            return place
    try:
        return weights.path(DEPTH_PUBLISHED[part])
    except WeightsMissing as error:
        entry = weights.entry(DEPTH_PUBLISHED[part])
        raise WeightsMissing(
            f"DaGAN needs {name} of its depth network (from {entry.page}): put it beside {checkpoint}, or into the weights "
            f"folder with toonbench weights fetch {entry.name} --from FOLDER"
        ) from error


def _read_depth(path: Path, part: str) -> dict[str, Any]:
    """The state dict of one file of the depth network, without the numbers that its training added."""
    content = read_checkpoint(path, what=f"DaGAN's {DEPTH_PARTS[part]}")
    if isinstance(content, dict):
        content = {key: value for key, value in content.items() if key not in EXTRAS}
    if family(content) != DEPTH_FAMILIES[part]:
        raise foreign(content, path=path, expected=DEPTH_FAMILIES[part])
    return parts({part: content}, [part])[part]


def _network(states: Mapping[str, dict[str, Any]], *, paths: Mapping[str, Path], corners: bool) -> DaGANNetwork:
    """An empty network of the sizes that the parts state."""
    depth = _depth_config(states, paths=paths)
    path = paths["generator"]
    try:
        attention = int(states["generator"]["AttnModule.query_conv.weight"].shape[0])
        with torch.device("meta"):
            config = infer_config(joined(states))
            return DaGANNetwork(config, depth, attention=attention, corners=corners)
    except BUILDING as error:
        raise foreign(
            {k: v for k, v in states.items() if k in paths}, path=path, expected=METHOD, error=error
        ) from error


def _depth_config(states: Mapping[str, dict[str, Any]], *, paths: Mapping[str, Path]) -> DepthConfig:
    """The sizes of the depth network; encoder and decoder must belong together."""
    path = paths["depth_encoder"]
    try:
        depth = infer_depth_config(states["depth_encoder"], states["depth_decoder"])
        taken = int(states["depth_decoder"]["decoder.0.conv.conv.weight"].shape[1])
    except BUILDING as error:
        raise foreign(states["depth_encoder"], path=path, expected="DaGAN's depth network", error=error) from error
    if taken != depth.widths[-1]:
        raise ToonbenchError(
            f"{path}: it has {depth.layers} layers and gives {depth.widths[-1]} channels, and {paths['depth_decoder'].name} takes "
            f"{taken}; they do not belong together: give the two files of one depth network"
        )
    return depth


def weights_for_tests(config: NetworkConfig = TINY, *, size: int = 64) -> Weights:
    """A small network with deterministic test weights."""
    network = network_for_tests(config)
    about = {"variant": "deterministic test weights"}
    return Weights(network=prepared(network), revision="test", checkpoint=about, size=size)


def network_for_tests(config: NetworkConfig = TINY, depth: DepthConfig = TINY_DEPTH) -> DaGANNetwork:
    """A small network with deterministic test weights, as it is trained: nothing is folded."""
    network = DaGANNetwork(config, replace(depth), attention=4)
    state = state_for_tests(network, "dagan", points=config.points)
    state["generator.AttnModule.gamma"] = torch.ones(1)
    network.load_state_dict(state, strict=True)
    return network
