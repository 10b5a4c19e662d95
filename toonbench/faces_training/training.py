"""Training of the detector of drawn faces: one explicit loop, which resumes to the same bytes at a given number of workers.

On a GPU the scenes of coming steps are composed by other processes meanwhile; there the bytes of the weights do not repeat.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from toonbench.faces_training.material import Material
from toonbench.faces_training.scenes import SIDE, Batch, Face, make_batch
from toonbench.networks.drawn_faces import CELL, KINDS, DrawnFaceNet, Output
from toonbench.training.checkpoint import CHECKPOINT, load_checkpoint, open_folder, save_checkpoint
from toonbench.training.ema import ema_decay, update_average
from toonbench.training.log import append_log, trim_log
from toonbench.training.processes import ProcessGroup, one_thread, run_processes
from toonbench.types import ToonbenchError

log = logging.getLogger(__name__)
CELLS = SIDE // CELL
WIDTH = 0.09  # sigma of a face's peak in the heat map, parts of its side
NEAR = 0.12  # how far from a face's middle its box is learned, parts of its side


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the network is trained: `workers` processes of one thread each share the batch of every step.

    device: cpu, or cuda for one GPU and one worker.
    loaders: processes of each worker that compose the scenes of coming steps; 0 composes them between the steps.
    """

    steps: int = 6000
    batch: int = 16
    workers: int = 1
    rate: float = 2e-3
    warmup: int = 150
    decay: float = 0.02  # of weights
    average: float = 0.998  # the decay of the moving average that is shipped
    seed: int = 1
    save_every: int = 100
    log_every: int = 25
    device: str = "cpu"
    loaders: int = 0


@dataclass(slots=True)
class State:
    """The network, the moving average of its weights, the optimiser, and the number of finished steps."""

    network: DrawnFaceNet
    average: DrawnFaceNet
    optimiser: torch.optim.Optimizer
    step: int = 0


@dataclass(frozen=True, slots=True)
class Goals:
    """What the network should say about a batch."""

    heat: Tensor  # (n, kinds, CELLS, CELLS) 1 at the middle of a face, falling around it
    boxes: Tensor  # (n, 4, CELLS, CELLS) pixels
    weight: Tensor  # (n, CELLS, CELLS) of the box; the cells of a face sum to 1


def train(material: Material, plan: Plan, *, folder: Path) -> DrawnFaceNet:
    """Train on scenes of `material`, and return the moving average of the weights; a run in `folder` resumes.

    Raises ToonbenchError if `folder` holds the checkpoint of another plan, or for several workers on a GPU.
    """
    if plan.workers > 1 and plan.device != "cpu":
        raise ToonbenchError(f"workers is {plan.workers} on {plan.device}: a GPU is trained on by one worker")
    open_folder(folder)
    work = partial(_loop, material, plan, folder)
    with one_thread():
        run_processes(work, work, workers=plan.workers)
        return saved_state(plan, folder).average.eval()


def saved_state(plan: Plan, folder: Path) -> State:
    """The state in the checkpoint in `folder`, otherwise that before the first step."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        network = DrawnFaceNet().to(memory_format=torch.channels_last).to(plan.device).train()
    average = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=plan.decay)
    state = State(network, average, optimiser)
    path = folder / CHECKPOINT
    if path.exists():
        content = load_checkpoint(
            path, config=plan, may_change=("log_every", "workers", "loaders", "steps", "save_every")
        )
        network.load_state_dict(content["network"])
        average.load_state_dict(content["average"])
        optimiser.load_state_dict(content["optimiser"])
        state.step = content["step"]
    return state


def _loop(material: Material, plan: Plan, folder: Path, group: ProcessGroup) -> None:
    """The steps of one process: its share of each batch, the mean of all gradients, the same update as all others."""
    state = saved_state(plan, folder)
    group.barrier()  # all have read the checkpoint before the first writes another
    if group.leads:
        trim_log(folder, step=state.step)
    for batch in _batches(material, plan, group, start=state.step):
        terms = train_step(state, batch, plan, group=group)
        state.step += 1
        if not group.leads:
            continue
        update_average(state.average, state.network, decay=ema_decay(plan.average, state.step - 1))
        last = state.step == plan.steps
        if last or state.step % plan.log_every == 0:
            log.info("step %d: %s", state.step, {name: round(term, 3) for name, term in terms.items()})
            append_log(folder, {"step": state.step} | terms)
        if last or state.step % plan.save_every == 0:
            content = {name: getattr(state, name).state_dict() for name in ("network", "average", "optimiser")}
            save_checkpoint(folder / CHECKPOINT, content | {"step": state.step}, config=plan)


class _Batches(Dataset[Batch]):
    """This process's share of every step, by the number of the step."""

    def __init__(self, material: Material, plan: Plan, *, workers: int, rank: int) -> None:
        self._material, self._plan, self._workers, self._rank = material, plan, workers, rank

    def __getitem__(self, step: int) -> Batch:
        number = step * self._workers + self._rank
        return make_batch(self._material, size=self._plan.batch // self._workers, seed=self._plan.seed, step=number)


def _batches(material: Material, plan: Plan, group: ProcessGroup, *, start: int) -> Iterator[Batch]:
    """The batches of the steps from `start`, in order. They do not depend on the number of loaders."""
    steps = range(start, plan.steps)
    batches = _Batches(material, plan, workers=group.workers, rank=group.rank)
    return iter(DataLoader(batches, batch_size=None, sampler=steps, num_workers=plan.loaders))


def train_step(state: State, batch: Batch, plan: Plan, *, group: ProcessGroup) -> dict[str, float]:
    """One update of the network; returns the terms of the loss on this process's share of the batch."""
    for parameters in state.optimiser.param_groups:
        parameters["lr"] = rate(plan, state.step)
    pictures, aim = batch.pictures.to(plan.device), goals(batch)
    aim = Goals(aim.heat.to(plan.device), aim.boxes.to(plan.device), aim.weight.to(plan.device))
    with torch.autocast(plan.device, torch.bfloat16):
        output = state.network(pictures)
    terms = losses(output, aim)
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
