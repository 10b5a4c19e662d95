"""Training of the landmark network by `toonbench.training.supervised`: its plan, its checkpoints and its loss."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from toonbench.landmarks.batches import Batch, make_batch
from toonbench.landmarks.data import Pictures
from toonbench.networks.landmarks import LandmarkNet, Output
from toonbench.training import supervised
from toonbench.training.checkpoint import CONFIG, Content
from toonbench.training.supervised import State, Training, new_network, state_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(supervised.Plan):
    """How the network is trained."""

    steps: int = 7000
    batch: int = 32
    workers: int = 2
    rate: float = 2e-3
    warmup: int = 200
    save_every: int = 250
    log_every: int = 50


def train(data: Pictures, plan: Plan, *, folder: Path) -> LandmarkNet:
    """Train on `data`, and return the moving average of the weights; see `toonbench.training.supervised.run`."""
    begin, make = partial(_state, plan, folder), partial(make_batch, data)
    return supervised.run(Training(plan=plan, folder=folder, begin=begin, make_batch=make, terms=_terms))


def _state(plan: Plan, folder: Path) -> State[LandmarkNet]:
    network = new_network(LandmarkNet, seed=plan.seed)
    return state_in(folder, network, plan, may_change=("log_every",), upgrade=_upgrade)


def _upgrade(content: Content) -> Content:
    """A checkpoint of version 0.1.0 under today's names."""
    if "plan" not in content:
        return content
    plan = json.loads(content["plan"])
    plan["workers"] = plan.pop("team")
    return {CONFIG: json.dumps(plan)} | {name: value for name, value in content.items() if name != "plan"}


def _terms(network: LandmarkNet, batch: Batch) -> dict[str, Tensor]:
    with torch.autocast("cpu", torch.bfloat16):
        output = network(batch.pictures)
    return losses(output, batch)


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
