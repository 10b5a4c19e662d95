"""Training of FOMM from new weights or from a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from toonbench.networks.patch_discriminator import PatchDiscriminator
from toonbench.training.clips import TrainingClips
from toonbench.weights.checkpoints import file_digest
from toonbench.weights.trained import write_trained

from ...first_order import SIZE
from ...tuning.loop import Progress, Recipe, run
from ...tuning.perceptual import perceptual_loss
from ...tuning.samples import reconstructions
from ...tuning.starts import check_start, origin
from ..model import FOMMNetwork
from ..weights_io import Trained, read_network
from .config import FirstOrderConfig
from .step import reconstruct, train_step

Config = TypeVar("Config", bound=FirstOrderConfig)


def fit(
    config: FirstOrderConfig,
    clips: TrainingClips,
    out: Path,
    *,
    device: str,
    checkpoint: Path | None = None,
    resume: bool = True,
    on_progress: Progress | None = None,
) -> Path:
    """Train from new weights, or from those of `checkpoint`; see `baselines.tuning.loop.run`.

    Raises ToonbenchError for a checkpoint of another method or of other sizes than the configuration's.
    """
    config, start = started(config, checkpoint)
    recipe = Recipe(
        networks=partial(new_networks, config, start),
        step=partial(train_step, perceptual=perceptual_loss(config, device)),
        samples=partial(reconstructions, reconstruct),
        export=partial(export, size=config.size),
        origin=origin({} if start is None else start.about),
    )
    return run(recipe, config, clips=clips, out=out, device=device, resume=resume, on_progress=on_progress)


def started(
    config: Config, checkpoint: Path | None, *, methods: Sequence[str] = ("fomm",)
) -> tuple[Config, Trained | None]:
    """The weights of a checkpoint of one of `methods`, which training starts from, and the configuration, which then names it."""
    if checkpoint is None:
        return config, None
    start = read_network(checkpoint, corners=config.corners, methods=methods)
    check_start(config, path=checkpoint, size=start.size, found=start.network.config, needed=config.network)
    return replace(config, start=file_digest(checkpoint)), start


def new_networks(config: FirstOrderConfig, start: Trained | None) -> tuple[nn.Module, nn.Module | None]:
    """A network with new weights, or with those of `start`, and its discriminator, which always has new weights."""
    network = FOMMNetwork(config.network, corners=config.corners)
    if start is None:
        begin_at_identity(network.kp_detector.jacobian, points=config.network.points)
    else:
        network.load_state_dict(start.network.state_dict())
    critic = PatchDiscriminator(3 + config.network.points, widths=config.critic) if config.adversarial else None
    return network, critic


def begin_at_identity(head: nn.Conv2d, *, points: int) -> None:
    """Set the layer of Jacobians so that each is the identity for every picture."""
    nn.init.zeros_(head.weight)
    with torch.no_grad():
        head.get_parameter("bias").copy_(torch.tensor([1.0, 0.0, 0.0, 1.0]).repeat(points))


def export(network: nn.Module, path: Path, notes: Mapping[str, Any], *, size: int = SIZE, method: str = "fomm") -> None:
    """Write a network as `baselines.fomm.weights_io.read_network` reads it, with facts about its training."""
    write_trained(path, network.state_dict(), about={"method": method, "size": size, **notes})
