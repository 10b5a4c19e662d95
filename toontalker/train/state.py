"""The state of a training run between two steps, and its checkpoints."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Adam

from toonbench.networks.discriminator import Discriminator
from toonbench.training.checkpoint import (
    CHECKPOINT,
    CONFIG,
    filling,
    finished_steps,
    load_checkpoint,
    newest_checkpoint,
    save_checkpoint,
)
from toonbench.training.ranges import building
from toonbench.training.trained_on import KEY, TrainedOn
from toonbench.types import ToonbenchError

from ..model import DomainNetwork, ToonTalkerNetwork, network_of
from ..weights_io import load_network, notes_of
from .config import TrainConfig

MAY_CHANGE = ("steps2", "checkpoint_every", "sample_every", "log_every", "overrides")
STAGE_2 = (
    "ablation",
    "lr2",
    "batch2",
    "synthetic",
    "synthetic_every",
    "motion",
    "detach_driving",
)  # read from stage 2 on


@dataclass(slots=True)
class TrainState:
    """Networks, the moving average of their weights, optimisers, and the number of finished steps.

    `clips` is what the training clips of each domain are known by.
    `origin` are the clips that were trained on, `least_error` the least error on held-out clips in this stage.
    In stage 1 only the real domain learns; `begin_stage2` copies it to the cartoon domain. The query transformers are
    the same pair of modules in both domains, in both stages.
    """

    config: TrainConfig
    device: str
    network: ToonTalkerNetwork
    average: ToonTalkerNetwork
    critics: nn.ModuleDict
    optimiser: Adam
    critic_optimiser: Adam | None
    step: int = 0
    clips: dict[str, str] = field(default_factory=dict[str, str])
    origin: TrainedOn = field(default_factory=TrainedOn)
    least_error: float = math.inf

    @property
    def stage(self) -> int:
        """1 or 2."""
        return 1 if self.step < self.config.steps1 else 2


def new_state(config: TrainConfig, device: str) -> TrainState:
    """New networks from the configuration's seed."""
    with building(config.name, sizes=config.network), torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = network_of(DomainNetwork(config.network), DomainNetwork(config.network))
        domains = ("real", "cartoon") if config.adversarial else ()
        critics = nn.ModuleDict(
            {domain: Discriminator(config.network.size, config.network.table) for domain in domains}
        )
    network.share_queries()
    with torch.no_grad():
        for domain in ("cartoon", "real"):
            for head in network.domain(domain).dec.to_flows:
                head.get_parameter("conv.weight").mul_(config.flow_init)
    network, critics = network.to(device), critics.to(device)
    average = copy.deepcopy(network).requires_grad_(False)
    optimisers = _optimisers(config, network, critics, rate=config.lr1)
    return TrainState(config, device, network, average, critics, *optimisers)


def start_from(state: TrainState, path: Path) -> None:
    """Give a new state the weights of a file, and the clips that these were trained on.

    Raises ToonbenchError for a file of other sizes than the configuration's.
    """
    found, needed = load_network(path), state.config.network
    sizes = found.domain("real").config
    if replace(sizes, dropout=needed.dropout, heads=needed.heads) != needed:
        raise ToonbenchError(
            f"{path} has another network ({sizes}) than --config {state.config.name} ({needed}): choose another configuration"
        )
    for network in (state.network, state.average):
        for domain in ("cartoon", "real"):  # both hold the same query transformers: those of "real" stay
            network.domain(domain).load_state_dict(found.domain(domain).state_dict())
    state.origin |= TrainedOn.from_dict(notes_of(path).get(KEY)) or TrainedOn()


def begin_stage2(state: TrainState) -> None:
    """Copy the real domain's components to the cartoon domain's (section 3.3); the optimisers are new.

    Where training started from weights of both domains, only the optimisers are new.
    """
    state.least_error = math.inf
    for network in (state.network, state.average) if not state.config.start else ():
        network.domain("cartoon").load_state_dict(network.domain("real").state_dict())
    if state.critics and not state.config.start:
        state.critics["cartoon"].load_state_dict(state.critics["real"].state_dict())
    state.optimiser, state.critic_optimiser = _optimisers(
        state.config, state.network, state.critics, rate=state.config.lr2
    )


def _optimisers(
    config: TrainConfig, network: ToonTalkerNetwork, critics: nn.ModuleDict, *, rate: float
) -> tuple[Adam, Adam | None]:
    """Adam with groups of equalised layers, plain ones and motion encoders; `scale` is a group's factor on the rate."""
    scales = {"equal": 1.0, "plain": config.plain_lr, "motion": config.motion_rate}
    learning: dict[str, list[nn.Parameter]] = {kind: [] for kind in scales}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            learning[_kind(name) if config.motion_rate != 1.0 or _kind(name) == "plain" else "equal"].append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": found, "lr": rate * scales[kind], "scale": scales[kind]} for kind, found in learning.items() if found
    ]
    critic = Adam(critics.parameters(), lr=rate, betas=config.betas, fused=True) if critics else None
    return Adam(groups, betas=config.betas, fused=True), critic


def _kind(name: str) -> str:
    """The group of a parameter: plain layers, equalised ones of motion encoders, and other equalised ones."""
    if any(part in name for part in ("transformerlayer", "latlayer1", "scale2", "shift2")):
        return "plain"
    return "motion" if ".enc2." in name else "equal"


def set_rate(state: TrainState) -> None:
    """Learning rates of the coming step: constant, then falling linearly over the stage's last share."""
    config = state.config
    if state.stage == 1:
        rate, left = config.lr1, 1.0 - state.step / max(1, config.steps1)
    else:
        rate, left = config.lr2, 1.0 - (state.step - config.steps1) / max(1, config.steps2)
    if config.decay:
        rate *= max(0.1, min(1.0, left / config.decay))
    for group in state.optimiser.param_groups:
        group["lr"] = rate * group["scale"]
    if state.critic_optimiser is not None:
        for group in state.critic_optimiser.param_groups:
            group["lr"] = rate


def save_state(state: TrainState, out: Path) -> None:
    """Write the checkpoint in `out`."""
    content = {
        "step": state.step,
        KEY: state.origin.to_dict(),
        "clips": state.clips,
        "least_error": state.least_error,
        "network": state.network.state_dict(),
        "average": state.average.state_dict(),
        "critics": state.critics.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "critic_optimiser": state.critic_optimiser.state_dict() if state.critic_optimiser else {},
    }
    save_checkpoint(out / CHECKPOINT, content, config=state.config)


def may_change(content: dict[str, Any]) -> tuple[str, ...]:
    """The fields that may differ from a checkpoint's: as long as stage 2 has not begun, its choices, and the length of stage 1."""
    return MAY_CHANGE if _began(content) else (*MAY_CHANGE, "steps1", *STAGE_2)


def _began(content: dict[str, Any]) -> bool:
    """Whether stage 2 of a checkpoint's run has begun."""
    return finished_steps(content) > json.loads(content[CONFIG]).get("steps1", 0)


def load_state(config: TrainConfig, device: str, out: Path) -> TrainState:
    """The state in the checkpoint in `out`. The numbers of steps may differ from the run's, other choices of stages that began may not.

    A stage cannot be shorter than what was done of it, and stage 1 has its length once stage 2 has begun.
    """
    path = newest_checkpoint(out) or out / CHECKPOINT
    content = load_checkpoint(path, config=config, may_change=may_change, device=device)
    if config.steps1 < finished_steps(content) and not _began(content):
        raise ToonbenchError(
            f"{path} has {content['step']} steps of stage 1, and steps1 is {config.steps1}: give --set steps1={content['step']} or more, "
            "choose another folder, or start again with --fresh"
        )
    state = new_state(config, device)
    with filling(path):
        state.step = finished_steps(content)
        state.clips = dict(content.get("clips", {}))
        state.origin = TrainedOn.from_dict(content.get(KEY)) or TrainedOn()
        state.least_error = float(content.get("least_error", math.inf))
        state.network.load_state_dict(content["network"])
        state.average.load_state_dict(content["average"])
        state.critics.load_state_dict(content["critics"])
        state.optimiser.load_state_dict(content["optimiser"])
        if state.critic_optimiser is not None:
            state.critic_optimiser.load_state_dict(content["critic_optimiser"])
    return state
