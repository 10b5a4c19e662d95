"""Training of the landmark network: one explicit loop, which resumes to the same bytes at a given number of workers."""

from __future__ import annotations

import copy
import json
import logging
import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from toonbench.landmarks.batches import Batch, make_batch
from toonbench.landmarks.data import Pictures
from toonbench.networks.landmarks import LandmarkNet, Output
from toonbench.training.checkpoint import CHECKPOINT, CONFIG, Content, load_checkpoint, open_folder, save_checkpoint
from toonbench.training.ema import ema_decay, update_average
from toonbench.training.log import append_log, trim_log
from toonbench.training.processes import ProcessGroup, one_thread, run_processes

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the network is trained: `workers` processes of one thread each share the batch of every step."""

    steps: int = 7000
    batch: int = 32
    workers: int = 2
    rate: float = 2e-3
    warmup: int = 200
    decay: float = 0.02  # of weights
    average: float = 0.998  # the decay of the moving average that is shipped
    seed: int = 1
    save_every: int = 250
    log_every: int = 50


@dataclass(slots=True)
class State:
    """The network, the moving average of its weights, the optimiser, and the number of finished steps."""

    network: LandmarkNet
    average: LandmarkNet
    optimiser: torch.optim.Optimizer
    step: int = 0


def train(data: Pictures, plan: Plan, *, folder: Path) -> LandmarkNet:
    """Train on `data`, and return the moving average of the weights; a run in `folder` resumes.

    Raises ToonbenchError if `folder` holds the checkpoint of another plan.
    """
    open_folder(folder)
    work = partial(_loop, data, plan, folder)
    with one_thread():
        run_processes(work, work, workers=plan.workers)
        return _state(plan, folder).average.eval()


def _state(plan: Plan, folder: Path) -> State:
    """The state in the checkpoint in `folder`, otherwise that before the first step."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        network = LandmarkNet().to(memory_format=torch.channels_last).train()
    average = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=plan.decay)
    state = State(network, average, optimiser)
    path = folder / CHECKPOINT
    if path.exists():
        content = load_checkpoint(path, config=plan, may_change=("log_every",), upgrade=_upgrade)
        network.load_state_dict(content["network"])
        average.load_state_dict(content["average"])
        optimiser.load_state_dict(content["optimiser"])
        state.step = content["step"]
    return state


def _upgrade(content: Content) -> Content:
    """A checkpoint of version 0.1.0 under today's names."""
    if "plan" not in content:
        return content
    plan = json.loads(content["plan"])
    plan["workers"] = plan.pop("team")
    return {CONFIG: json.dumps(plan)} | {name: value for name, value in content.items() if name != "plan"}


def _loop(data: Pictures, plan: Plan, folder: Path, group: ProcessGroup) -> None:
    """The steps of one process: its share of each batch, the mean of all gradients, the same update as all others."""
    state = _state(plan, folder)
    group.barrier()  # all have read the checkpoint before the first writes another
    if group.leads:
        trim_log(folder, step=state.step)
    while state.step < plan.steps:
        terms = train_step(state, data, plan, group=group)
        state.step += 1
        if not group.leads:
            continue
        update_average(state.average, state.network, decay=ema_decay(plan.average, state.step - 1))
        last = state.step == plan.steps
        if last or state.step % plan.log_every == 0:
            log.info("step %d: %s", state.step, {name: round(term, 3) for name, term in terms.items()})
            append_log(folder, {"step": state.step} | terms)
        if last or state.step % plan.save_every == 0:
            save_checkpoint(folder / CHECKPOINT, _content(state), config=plan)


def _content(state: State) -> Content:
    return {
        "network": state.network.state_dict(),
        "average": state.average.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "step": state.step,
    }


def train_step(state: State, data: Pictures, plan: Plan, *, group: ProcessGroup) -> dict[str, float]:
    """One update of the network; returns the terms of the loss on this process's share of the batch."""
    number = state.step * group.workers + group.rank
    batch = make_batch(data, size=plan.batch // group.workers, seed=plan.seed, step=number)
    for parameters in state.optimiser.param_groups:
        parameters["lr"] = rate(plan, state.step)
    with torch.autocast("cpu", torch.bfloat16):
        output = state.network(batch.pictures)
    terms = losses(output, batch)
    state.optimiser.zero_grad(set_to_none=True)
    torch.stack(list(terms.values())).sum().backward()
    group.all_reduce(state.network.parameters())
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), 5.0)
    state.optimiser.step()
    return {name: term.item() for name, term in terms.items()}


def rate(plan: Plan, step: int) -> float:
    """Learning rate: a linear warm-up, then half a cosine to nothing."""
    rest = max(0, step - plan.warmup) / max(1, plan.steps - plan.warmup)
    return plan.rate * min(1.0, (step + 1) / plan.warmup) * 0.5 * (1 + math.cos(math.pi * rest))


def losses(output: Output, batch: Batch) -> dict[str, Tensor]:
    """Laplace likelihood and plain distance of the landmarks, distance of the rig, and whether there is a face."""
    distance = (output.landmarks - batch.landmarks).abs().sum(2)
    weight = batch.landmark_weight / batch.landmark_weight.sum().clamp(min=1)
    likely = distance * torch.exp(-output.log_scale) + 2 * output.log_scale
    rig = functional.smooth_l1_loss(output.rig, batch.rig, beta=0.05, reduction="none")
    rig_weight = batch.rig_weight / batch.rig_weight.sum().clamp(min=1)
    return {
        "landmarks": 0.5 * (likely * weight).sum(),
        "distance": 0.25 * (distance * weight).sum(),
        "rig": 20 * (rig * rig_weight).sum(),
        "face": 0.3 * functional.binary_cross_entropy_with_logits(output.face, batch.face),
    }
