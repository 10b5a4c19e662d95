"""The state of a training run between two steps, and its checkpoints."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Adam

from toonbench.training.checkpoint import (
    CHECKPOINT,
    filling,
    finished_steps,
    load_checkpoint,
    newest_checkpoint,
    save_checkpoint,
)
from toonbench.training.processes import ProcessGroup
from toonbench.training.ranges import building
from toonbench.training.trained_on import KEY, TrainedOn

from .config import TuneConfig

MAY_CHANGE = ("steps", "checkpoint_every", "sample_every", "log_every", "overrides")
NewNetworks = Callable[[], tuple[nn.Module, nn.Module | None]]


@dataclass(slots=True)
class TuneState:
    """Network, the moving average of its weights, discriminator (or None), optimisers, and the number of finished steps.

    `network` is the method's own; parameters that do not require gradients stay as they are. `clips` is what the training
    clips of each domain are known by. `origin` are the clips that the weights were trained on, those of the checkpoint that they started
    from included. `least_error` is the least error on held-out clips so far.
    `group` are the processes that share each batch.
    """

    config: TuneConfig
    device: str
    network: Any
    average: Any
    critic: Any
    optimiser: Adam
    critic_optimiser: Adam | None
    step: int = 0
    clips: dict[str, str] = field(default_factory=dict[str, str])
    origin: TrainedOn = field(default_factory=TrainedOn)
    least_error: float = math.inf
    group: ProcessGroup = field(default_factory=ProcessGroup)


def new_state(config: TuneConfig, device: str, new_networks: NewNetworks) -> TuneState:
    """The state before the first step; `new_networks` makes the network and the discriminator, under the run's seed."""
    sizes = getattr(config, "network", "")
    with building(config.name, sizes=sizes), torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network, critic = new_networks()
    network = network.to(device)
    average = copy.deepcopy(network).requires_grad_(False)
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = Adam(learning, lr=config.lr, betas=config.betas)
    critic_optimiser = None
    if critic is not None:
        critic, share = critic.to(device), config.critic_share
        betas = (config.betas[0] ** share, config.betas[1] ** share)
        critic_optimiser = Adam(critic.parameters(), lr=config.lr * share, betas=betas)
    return TuneState(config, device, network, average, critic, optimiser, critic_optimiser)


def set_rate(state: TuneState) -> None:
    """Set the learning rates of the coming step."""
    rate = state.config.rate(state.step)
    for group in state.optimiser.param_groups:
        group["lr"] = rate
    if state.critic_optimiser is not None:
        for group in state.critic_optimiser.param_groups:
            group["lr"] = rate * state.config.critic_share


def save_state(state: TuneState, out: Path) -> None:
    """Write the checkpoint in `out`."""
    content = {
        "step": state.step,
        KEY: state.origin.to_dict(),
        "clips": state.clips,
        "least_error": state.least_error,
        "network": state.network.state_dict(),
        "average": state.average.state_dict(),
        "critic": {} if state.critic is None else state.critic.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "critic_optimiser": state.critic_optimiser.state_dict() if state.critic_optimiser else {},
    }
    save_checkpoint(out / CHECKPOINT, content, config=state.config)


def load_state(config: TuneConfig, device: str, out: Path, new_networks: NewNetworks) -> TuneState:
    """The state in the checkpoint in `out`. The number of steps may differ from the run's, other choices may not."""
    path = newest_checkpoint(out) or out / CHECKPOINT
    content = load_checkpoint(path, config=config, may_change=MAY_CHANGE, device=device)
    state = new_state(config, device, new_networks)
    with filling(path):
        state.step = finished_steps(content)
        state.clips = dict(content.get("clips", {}))
        state.origin = TrainedOn.from_dict(content[KEY]) or TrainedOn()
        state.least_error = float(content.get("least_error", math.inf))
        state.network.load_state_dict(content["network"])
        state.average.load_state_dict(content["average"])
        state.optimiser.load_state_dict(content["optimiser"])
        if state.critic is not None:
            state.critic.load_state_dict(content["critic"])
        if state.critic_optimiser is not None:
            state.critic_optimiser.load_state_dict(content["critic_optimiser"])
    return state
