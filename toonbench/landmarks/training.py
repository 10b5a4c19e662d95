"""Training of the landmark network: one explicit loop, resumable to the same bytes at a given number of threads."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.spawn import spawn
from torch.nn import functional

from toonbench.landmarks.batches import Batch, make_batch
from toonbench.landmarks.data import Pictures
from toonbench.networks.landmarks import LandmarkNet, Output
from toonbench.store import writing
from toonbench.types import ToonbenchError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the network is trained.

    `team` processes of one thread each share every step's batch: threads of one process would wait for each other at
    every layer, which on a busy machine takes longer than the work.
    """

    steps: int = 7000
    batch: int = 32
    team: int = 2
    rate: float = 2e-3
    warmup: int = 200
    decay: float = 0.02  # of weights
    average: float = 0.998  # of the moving average that is shipped
    seed: int = 1
    save_every: int = 250


class _Mean:
    """Averages the gradients of a team through shared memory; ends the team when the process that started it is gone."""

    def __init__(self, plan: Plan) -> None:
        size = sum(p.numel() for p in LandmarkNet().parameters())
        self._shared = torch.zeros(plan.team, size).share_memory_()
        self._parent = os.getpid()
        self._barrier: Any = torch.multiprocessing.get_context("spawn").Barrier(plan.team)

    def __call__(self, network: LandmarkNet, *, rank: int) -> None:
        """Replace every gradient by the team's mean. Raises BrokenBarrierError, in all members, once the parent is gone."""
        if self._parent not in (os.getpid(), os.getppid()):
            self._barrier.abort()
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        torch.cat([g.reshape(-1) for g in gradients], out=self._shared[rank])
        self._barrier.wait()
        mean = self._shared.mean(0)
        self._barrier.wait()  # nobody writes the next step's before all have read this one's
        for gradient, part in zip(gradients, mean.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))


def train(data: Pictures, plan: Plan, *, folder: Path) -> LandmarkNet:
    """Train on `data`; returns the moving average of the weights. Killed and called again, it goes on.

    Raises ToonbenchError if `folder` holds the checkpoint of another plan.
    """
    path = folder / "checkpoint.pt"
    average = LandmarkNet()
    if _restore(path, plan, average=average) < plan.steps:
        spawn(_learn, args=(data, plan, path, _Mean(plan)), nprocs=plan.team)
        _restore(path, plan, average=average)
    return average.eval()


def _learn(rank: int, data: Pictures, plan: Plan, path: Path, mean: _Mean) -> None:
    """One member's part: its share of each batch, the common gradient, the same step as all others."""
    torch.set_num_threads(1)
    torch.manual_seed(plan.seed)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    network = LandmarkNet().to(memory_format=torch.channels_last).train()
    average = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=plan.decay)
    for step in range(_restore(path, plan, network=network, average=average, optimiser=optimiser), plan.steps):
        batch = make_batch(data, size=plan.batch // plan.team, seed=plan.seed, step=step * plan.team + rank)
        for group in optimiser.param_groups:
            group["lr"] = rate(plan, step)
        with torch.autocast("cpu", torch.bfloat16):
            output = network(batch.pictures)
        parts = losses(output, batch)
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()
        mean(network, rank=rank)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        if rank:
            continue
        _follow(average, network, share=min(plan.average, (step + 1) / (step + 10)))
        if step % 50 == 0:
            log.info("step %d: %s", step, {name: round(part.item(), 3) for name, part in parts.items()})
        if (step + 1) % plan.save_every == 0 or step + 1 == plan.steps:
            state = {"network": network.state_dict(), "average": average.state_dict(),
                     "optimiser": optimiser.state_dict(), "step": step + 1, "plan": _plan_text(plan)}  # fmt: skip
            with writing(path) as temporary:
                torch.save(state, temporary)


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


@torch.no_grad()
def _follow(average: LandmarkNet, network: LandmarkNet, *, share: float) -> None:
    """Move the average's weights and statistics towards the network's."""
    for slow, fast in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if slow.is_floating_point():
            slow.lerp_(fast, 1 - share)
        else:
            slow.copy_(fast)


def _plan_text(plan: Plan) -> str:
    return json.dumps(dataclasses.asdict(plan), sort_keys=True)


def _restore(
    path: Path,
    plan: Plan,
    *,
    average: LandmarkNet,
    network: LandmarkNet | None = None,
    optimiser: torch.optim.Optimizer | None = None,
) -> int:
    """Load a checkpoint, if there is one; returns the step to go on with."""
    if not path.exists():
        return 0
    state: dict[str, Any] = torch.load(path, weights_only=True)
    if state["plan"] != _plan_text(plan):
        raise ToonbenchError(f"{path} was trained with {state['plan']}; delete it, or choose another --work folder.")
    average.load_state_dict(state["average"])
    if network is not None:
        network.load_state_dict(state["network"])
    if optimiser is not None:
        optimiser.load_state_dict(state["optimiser"])
    return int(state["step"])
