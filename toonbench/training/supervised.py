"""Training of a network on batches with targets: one explicit loop, which resumes to the same bytes at a given number of workers."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from toonbench.training.checkpoint import CHECKPOINT, Content, load_checkpoint, open_folder, save_checkpoint
from toonbench.training.ema import ema_decay, update_average
from toonbench.training.log import append_log, trim_log
from toonbench.training.processes import ProcessGroup, one_thread, run_processes, shares

log = logging.getLogger(__name__)
Network = TypeVar("Network", bound=nn.Module)
Batch = TypeVar("Batch")
BatchMade = TypeVar("BatchMade", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a network is trained: `workers` processes of one thread each share the batch of every step.

    A network's own plan gives every field a default, which stands for a field that an older checkpoint does not have.
    """

    steps: int
    batch: int
    workers: int
    rate: float
    warmup: int
    decay: float = 0.02  # of weights
    average: float = 0.998  # the decay of the moving average that is shipped
    seed: int = 1
    save_every: int
    log_every: int

    def rate_at(self, step: int) -> float:
        """Learning rate: a linear warm-up, then half a cosine to nothing."""
        return self.cosine(step, end=self.steps)

    def cosine(self, step: int, *, end: float) -> float:
        """A linear warm-up, then half a cosine to nothing at the step `end`."""
        rest = max(0, step - self.warmup) / max(1, end - self.warmup)
        return self.rate * min(1.0, (step + 1) / self.warmup) * 0.5 * (1 + math.cos(math.pi * rest))


@dataclass(slots=True)
class State(Generic[Network]):
    """The network, the moving average of its weights, the optimiser, and the number of finished steps."""

    network: Network
    average: Network
    optimiser: torch.optim.Optimizer
    step: int = 0


class MakeBatch(Protocol[BatchMade]):
    """A function that makes batches."""

    def __call__(self, *, size: int, seed: int, step: int) -> BatchMade:
        """Batch number `step`, of `size` items: the same bytes whenever it is made."""
        ...


def new_network(network: Callable[[], Network], *, seed: int) -> Network:
    """A network in training, whose weights follow from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return network().to(memory_format=torch.channels_last).train()


def state_in(
    folder: Path,
    network: Network,
    plan: Plan,
    *,
    may_change: Collection[str],
    upgrade: Callable[[Content], Content] = dict,
) -> State[Network]:
    """The state in the checkpoint in `folder`, otherwise that of `network` before the first step.

    The other arguments are those of `load_checkpoint`, which raises ToonbenchError for the checkpoint of another plan.
    """
    average = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=plan.decay)
    state = State(network, average, optimiser)
    path = folder / CHECKPOINT
    if path.exists():
        content = load_checkpoint(path, config=plan, may_change=may_change, upgrade=upgrade)
        network.load_state_dict(content["network"])
        average.load_state_dict(content["average"])
        optimiser.load_state_dict(content["optimiser"])
        state.step = content["step"]
    return state


@dataclass(frozen=True, slots=True, kw_only=True)
class Training(Generic[Network, Batch]):
    """What all processes of a run know; it is sent to them by pickle.

    begin: returns the state in `folder` (`state_in`). terms: those of the loss of a network on a batch, which are added up.
    loaders: processes of each worker that make the batches of coming steps; 0 makes them between the steps.
    """

    plan: Plan
    folder: Path
    begin: Callable[[], State[Network]]
    make_batch: MakeBatch[Batch]
    terms: Callable[[Network, Batch], Mapping[str, Tensor]]
    loaders: int = 0


def run(training: Training[Network, Batch]) -> Network:
    """Train, and return the moving average of the weights; a run in the folder resumes.

    Raises ToonbenchError if the folder holds the checkpoint of another plan, and if the processes cannot share a batch evenly.
    """
    shares(training.plan.batch, of="batch", workers=training.plan.workers)
    open_folder(training.folder)
    work = partial(_loop, training)
    with one_thread():
        run_processes(work, work, workers=training.plan.workers)
        return training.begin().average.eval()


def _loop(training: Training[Network, Batch], group: ProcessGroup) -> None:
    """The steps of one process: its share of each batch, the mean of all gradients, the same update as all others."""
    plan, folder, state = training.plan, training.folder, training.begin()
    group.barrier()  # all have read the checkpoint before the first writes another
    if group.leads:
        trim_log(folder, step=state.step)
    for batch in _batches(training, group, start=state.step):
        numbers = update(state, training.terms(state.network, batch), plan, group=group)
        state.step += 1
        if not group.leads:
            continue
        update_average(state.average, state.network, decay=ema_decay(plan.average, state.step - 1))
        last = state.step == plan.steps
        if last or state.step % plan.log_every == 0:
            log.info("step %d: %s", state.step, {name: round(number, 3) for name, number in numbers.items()})
            append_log(folder, {"step": state.step} | numbers)
        if last or state.step % plan.save_every == 0:
            content = {name: getattr(state, name).state_dict() for name in ("network", "average", "optimiser")}
            save_checkpoint(folder / CHECKPOINT, content | {"step": state.step}, config=plan)


def _batches(training: Training[Network, Batch], group: ProcessGroup, *, start: int) -> Iterator[Batch]:
    """This process's share of the batches of the steps from `start`, in order. They do not depend on the number of loaders."""
    steps = range(start, training.plan.steps)
    shares = _Shares(training.make_batch, training.plan, group)
    return iter(DataLoader(shares, batch_size=None, sampler=steps, num_workers=training.loaders))


class _Shares(Dataset[Batch]):
    """A process's share of the batch of every step, by the number of the step."""

    def __init__(self, make_batch: MakeBatch[Batch], plan: Plan, group: ProcessGroup) -> None:
        self._make_batch, self._plan, self._group = make_batch, plan, group

    def __getitem__(self, step: int) -> Batch:
        plan, group = self._plan, self._group
        return self._make_batch(
            size=plan.batch // group.workers, seed=plan.seed, step=step * group.workers + group.rank
        )


def update(state: State[Network], terms: Mapping[str, Tensor], plan: Plan, *, group: ProcessGroup) -> dict[str, float]:
    """One update of the network by the sum of the terms of this process's share of the batch; returns them as numbers."""
    for parameters in state.optimiser.param_groups:
        parameters["lr"] = plan.rate_at(state.step)
    state.optimiser.zero_grad(set_to_none=True)
    torch.stack(list(terms.values())).sum().backward()
    group.all_reduce(state.network.parameters())
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), 5.0)
    state.optimiser.step()
    return {name: term.item() for name, term in terms.items()}
