"""Training of DaGAN from new weights or from a checkpoint. Its depth network is given, and stays as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from torch import nn

from toonbench.networks.patch_discriminator import PatchDiscriminator
from toonbench.training.clips import TrainingClips
from toonbench.types import ToonbenchError
from toonbench.weights.checkpoints import check_state, file_digest
from toonbench.weights.trained import read_about, write_trained

from ...first_order import SIZE
from ...fomm.train.step import reconstruct, train_step
from ...fomm.train.train import begin_at_identity
from ...tuning.loop import Progress, Recipe, run
from ...tuning.perceptual import perceptual_loss
from ...tuning.samples import reconstructions
from ...tuning.starts import check_start, origin
from ..model import DaGANNetwork
from ..weights_io import DEPTH_PARTS, METHOD, Depth, Trained, read_depth, read_network
from .config import DaGANConfig
from .losses import extra_terms

ABOUT_DEPTH = "depth.json"  # beside the files of a depth network that was trained here


def fit(
    config: DaGANConfig,
    clips: TrainingClips,
    out: Path,
    *,
    device: str,
    checkpoint: Path | None = None,
    resume: bool = True,
    on_progress: Progress | None = None,
) -> Path:
    """Train from new weights, or from those of `checkpoint`; see `baselines.tuning.loop.run`.

    Without a checkpoint, encoder.pth and depth.pth of the depth network are in `out` or in the weights folder. Raises ToonbenchError where
    they are not, and for a checkpoint of another method or of other sizes than the configuration's.
    """
    if checkpoint is None:
        depth = read_depth(out)
        chosen = _with_depth(config, depth.digests, supervised=supervised_by(out))
        chosen = replace(chosen, depth_network=depth.config)
        networks = partial(new_networks, chosen, depth)
    else:
        start = read_network(checkpoint, corners=config.corners)
        found = (start.network.config, start.network.attention)
        check_start(config, path=checkpoint, size=start.size, found=found, needed=(config.network, config.attention))
        training = start.about.get("training")
        supervised = str(training.get("supervised", "")) if isinstance(training, dict) else ""
        chosen = _with_depth(config, start.digests, supervised=supervised)
        chosen = replace(chosen, start=file_digest(checkpoint), depth_network=start.network.depth)
        networks = partial(started_networks, chosen, start)
    recipe = Recipe(
        networks=networks,
        step=partial(train_step, perceptual=perceptual_loss(config, device), extra=partial(extra_terms, config=config)),
        samples=partial(reconstructions, reconstruct),
        export=partial(export, size=config.size),
        origin=origin({} if checkpoint is None else read_about(checkpoint)),
    )
    return run(recipe, chosen, clips=clips, out=out, device=device, resume=resume, on_progress=on_progress)


def _with_depth(config: DaGANConfig, digests: Mapping[str, str], *, supervised: str) -> DaGANConfig:
    """The configuration with what is known about its depth network."""
    return replace(config, depth_sha256=" ".join(digests[name] for name in DEPTH_PARTS), supervised=supervised)


def supervised_by(folder: Path) -> str:
    """The labels that the depth network in a folder was trained with; empty for a published one."""
    path = folder / ABOUT_DEPTH
    if not path.is_file():
        return ""
    try:
        about: Any = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict) or "supervised" not in about:
        raise ToonbenchError(f'{path} does not state "supervised": train the depth network again, or remove the file')
    return str(cast("dict[str, Any]", about)["supervised"])


def new_networks(config: DaGANConfig, depth: Depth) -> tuple[nn.Module, nn.Module | None]:
    """A network with new weights around a given depth network, and its discriminator."""
    network = DaGANNetwork(config.network, depth.config, attention=config.attention, corners=config.corners)
    begin_at_identity(network.kp_detector.jacobian, points=config.network.points)
    for name, state in depth.states.items():
        part = network.get_submodule(name)
        expected = {key: value.shape for key, value in part.state_dict().items()}
        check_state(state, expected, path=Path(name), part=name, network=METHOD)
        part.load_state_dict(state)
    return frozen(network), _critic(config)


def started_networks(config: DaGANConfig, start: Trained) -> tuple[nn.Module, nn.Module | None]:
    """A network with the weights of a checkpoint, and a discriminator with new weights."""
    given = start.network
    network = DaGANNetwork(given.config, given.depth, attention=given.attention, corners=config.corners)
    network.load_state_dict(given.state_dict())
    return frozen(network), _critic(config)


def frozen(network: DaGANNetwork) -> DaGANNetwork:
    """The network, whose depth network does not learn."""
    network.depth_encoder.requires_grad_(False)
    network.depth_decoder.requires_grad_(False)
    return network


def _critic(config: DaGANConfig) -> nn.Module | None:
    return PatchDiscriminator(3 + config.network.points, widths=config.critic) if config.adversarial else None


def export(network: nn.Module, path: Path, notes: Mapping[str, Any], *, size: int = SIZE) -> None:
    """Write a network with its depth network as `baselines.dagan.weights_io.load_weights` reads it, with facts about its training."""
    write_trained(path, network.state_dict(), about={"method": "dagan", "size": size, **notes})
