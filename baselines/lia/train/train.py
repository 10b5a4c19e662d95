"""Training of LIA from new weights or from a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from toonbench.networks.discriminator import Discriminator
from toonbench.training.clips import TrainingClips
from toonbench.weights.checkpoints import file_digest
from toonbench.weights.trained import read_about, write_trained

from ...tuning.loop import Progress, Recipe, run
from ...tuning.perceptual import perceptual_loss
from ...tuning.samples import reconstructions
from ...tuning.starts import check_start, origin
from ..model import LIANetwork
from ..weights_io import read_network
from .config import LIAConfig
from .step import reconstruct, train_step


def fit(
    config: LIAConfig,
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
    start = None
    if checkpoint is not None:
        start = read_network(checkpoint)
        found, needed = start.config.used, config.network.used
        check_start(config, path=checkpoint, size=start.config.size, found=found, needed=needed)
        config = replace(config, start=file_digest(checkpoint))
    recipe = Recipe(
        networks=partial(new_networks, config, start),
        step=partial(train_step, perceptual=perceptual_loss(config, device)),
        samples=partial(reconstructions, reconstruct),
        export=export,
        origin=origin({} if checkpoint is None else read_about(checkpoint)),
    )
    return run(recipe, config, clips=clips, out=out, device=device, resume=resume, on_progress=on_progress)


def new_networks(config: LIAConfig, start: LIANetwork | None) -> tuple[nn.Module, nn.Module | None]:
    """A network with new weights, or with those of `start`, and its discriminator, which always has new weights."""
    network = LIANetwork(config.network)
    if start is not None:
        network.load_state_dict(start.state_dict())
    else:
        with torch.no_grad():
            for head in network.dec.to_flows:
                head.get_parameter("conv.weight").mul_(config.flow_init)
    critic = Discriminator(config.size, config.network.table) if config.adversarial else None
    return network, critic


def export(network: nn.Module, path: Path, notes: Mapping[str, Any]) -> None:
    """Write a network as `baselines.lia.weights_io.load_weights` reads it, with facts about its training."""
    write_trained(path, network.state_dict(), about={"method": "lia", **notes})
