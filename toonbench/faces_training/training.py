"""Training of the detector of drawn faces by `toonbench.training.supervised`: its plan, its targets and its loss.

On a GPU the scenes of coming steps are composed by other processes meanwhile; there the bytes of the weights do not repeat.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from toonbench.faces_training.material import Material
from toonbench.faces_training.scenes import SIDE, Batch, Face, make_batch
from toonbench.networks.drawn_faces import CELL, KINDS, DrawnFaceNet, Output
from toonbench.training import supervised
from toonbench.training.supervised import State, Training, new_network, state_in
from toonbench.types import ToonbenchError

CELLS = SIDE // CELL
WIDTH = 0.09  # sigma of a face's peak in the heat map, parts of its side
NEAR = 0.12  # how far from a face's middle its box is learned, parts of its side


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(supervised.Plan):
    """How the network is trained.

    device: cpu, or cuda for one GPU and one worker.
    loaders: processes of each worker that compose the scenes of coming steps; 0 composes them between the steps.
    """

    steps: int = 6000
    batch: int = 16
    workers: int = 1
    rate: float = 2e-3
    warmup: int = 150
    save_every: int = 100
    log_every: int = 25
    device: str = "cpu"
    loaders: int = 0


@dataclass(frozen=True, slots=True)
class Goals:
    """What the network should say about a batch."""

    heat: Tensor  # (n, kinds, CELLS, CELLS) 1 at the middle of a face, falling around it
    boxes: Tensor  # (n, 4, CELLS, CELLS) pixels
    weight: Tensor  # (n, CELLS, CELLS) of the box; the cells of a face sum to 1


def train(material: Material, plan: Plan, *, folder: Path) -> DrawnFaceNet:
    """Train on scenes of `material`, and return the moving average of the weights; see `toonbench.training.supervised.run`.

    Raises ToonbenchError for several workers on a GPU.
    """
    if plan.workers > 1 and plan.device != "cpu":
        raise ToonbenchError(f"workers is {plan.workers} on {plan.device}: a GPU is trained on by one worker")
    begin, make, terms = partial(saved_state, plan, folder), partial(make_batch, material), partial(_terms, plan.device)
    training = Training(plan=plan, folder=folder, begin=begin, make_batch=make, terms=terms, loaders=plan.loaders)
    return supervised.run(training)


def saved_state(plan: Plan, folder: Path) -> State[DrawnFaceNet]:
    """The state in the checkpoint in `folder`, otherwise that before the first step."""
    network = new_network(DrawnFaceNet, seed=plan.seed).to(plan.device)
    return state_in(folder, network, plan, may_change=("log_every", "workers", "loaders", "steps", "save_every"))


def _terms(device: str, network: DrawnFaceNet, batch: Batch) -> dict[str, Tensor]:
    pictures, aim = batch.pictures.to(device), goals(batch)
    aim = Goals(aim.heat.to(device), aim.boxes.to(device), aim.weight.to(device))
    with torch.autocast(device, torch.bfloat16):
        output = network(pictures)
    return losses(output, aim)


def goals(batch: Batch) -> Goals:
    """Heat maps and boxes of a batch."""
    count = len(batch.faces)
    heat = torch.zeros(count, len(KINDS), CELLS, CELLS)
    boxes, weight = torch.zeros(count, 4, CELLS, CELLS), torch.zeros(count, CELLS, CELLS)
    for number, faces in enumerate(batch.faces):
        for face in faces:
            _mark(face, heat[number, int(face.animal)], boxes[number], weight[number])
    return Goals(heat, boxes, weight)


def _mark(face: Face, heat: Tensor, boxes: Tensor, weight: Tensor) -> None:
    """Add one face to the goals of its scene. Its middle's cell has exactly 1."""
    left, top, right, bottom = face.box
    x, y, side = (left + right) / 2 / CELL, (top + bottom) / 2 / CELL, math.sqrt((right - left) * (bottom - top)) / CELL
    column, row = (min(max(int(value), 0), CELLS - 1) for value in (x, y))
    at = torch.arange(CELLS)
    far = ((at[None] - column) ** 2 + (at[:, None] - row) ** 2).float()
    peak = torch.exp(-far / (2 * max(0.6, WIDTH * side) ** 2))
    torch.maximum(heat, peak, out=heat)
    near = far <= max(1.0, NEAR * side) ** 2
    boxes[:, near] = torch.tensor(face.box)[:, None]
    weight[near] = 1.0 / float(near.sum())


def losses(output: Output, aim: Goals) -> dict[str, Tensor]:
    """Focal loss of the heat map (Law and Deng 2018), generalised intersection over union of the boxes, for each face."""
    faces = (aim.heat == 1).sum().clamp(min=1)
    likely, unlikely = functional.logsigmoid(output.heat), functional.logsigmoid(-output.heat)
    p = output.heat.sigmoid()
    there = aim.heat == 1
    focal = torch.where(there, (1 - p) ** 2 * likely, (1 - aim.heat) ** 4 * p**2 * unlikely)
    return {"heat": -focal.sum() / faces, "box": 2 * ((1 - giou(output.boxes, aim.boxes)) * aim.weight).sum() / faces}


def giou(one: Tensor, other: Tensor) -> Tensor:
    """Generalised intersection over union (Rezatofighi et al. 2019) of boxes (n, 4, ...) in [-1, 1]."""
    low, high = torch.maximum(one[:, :2], other[:, :2]), torch.minimum(one[:, 2:], other[:, 2:])
    shared = (high - low).clamp(min=0).prod(1)
    union = (one[:, 2:] - one[:, :2]).prod(1) + (other[:, 2:] - other[:, :2]).prod(1) - shared
    hull = (torch.maximum(one[:, 2:], other[:, 2:]) - torch.minimum(one[:, :2], other[:, :2])).prod(1)
    return shared / union.clamp(min=1e-6) - (hull - union) / hull.clamp(min=1e-6)
