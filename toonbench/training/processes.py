"""Data-parallel training by processes on one machine.

Each process computes its share of the batch on one thread. The gradients are averaged once a step through shared memory.
On a busy CPU this is several times as fast as one process with two threads, which wait for each other in every layer.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from threading import BrokenBarrierError
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from toonbench.types import ToonbenchError

TIMEOUT = 300.0  # seconds that a process waits for the others


class Barrier(Protocol):
    """A barrier of threads or of processes."""

    def wait(self, timeout: float | None = None) -> int:
        """Block until all have arrived, or raise after `timeout` seconds."""
        ...

    def abort(self) -> None:
        """Make all who wait, now or later, raise."""
        ...


@dataclass(frozen=True, slots=True)
class Shared:
    """What the processes of a group share. `buffer` (workers, values) has a row for the gradients of each process."""

    buffer: Tensor
    barrier: Barrier


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """The place of this process in its group; the default is a group of one process."""

    rank: int = 0
    workers: int = 1
    shared: Shared | None = None

    @property
    def leads(self) -> bool:
        """Whether this process writes logs, pictures and checkpoints."""
        return self.rank == 0

    def barrier(self) -> None:
        """Wait until all processes have arrived. Raises ToonbenchError if one of them ended."""
        if self.shared is None:
            return
        try:
            self.shared.barrier.wait(TIMEOUT)
        except BrokenBarrierError as error:
            raise ToonbenchError(
                "a training process ended early, perhaps because memory was short: start again, training resumes from "
                "the last checkpoint"
            ) from error

    def all_reduce(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes, the same bits in each."""
        if self.shared is None:
            return
        buffer = self.shared.buffer
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        buffer[self.rank, : len(flat)] = flat
        self.barrier()
        mean = buffer[:, : len(flat)].mean(0)
        self.barrier()  # no process may overwrite what another still reads
        for gradient, part in zip(gradients, mean.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))


Work = Callable[[ProcessGroup], None]


def run_processes(lead: Work, follow: Work, *, workers: int, values: int) -> None:
    """Run `lead(group)` in this process and `follow(group)` in `workers - 1` others; return when `lead` returns.

    `follow` must be fit for pickle. `values` is the largest number of gradients that `all_reduce` averages at once. Each
    of several processes uses one thread; a single process keeps its threads.
    Raises ToonbenchError if a process ends early.
    """
    if workers == 1:
        lead(ProcessGroup())
        return
    context = torch.multiprocessing.get_context("spawn")
    shared = Shared(torch.zeros(workers, values).share_memory_(), context.Barrier(workers))
    others = [
        context.Process(target=_follow, args=(follow, ProcessGroup(rank, workers, shared)), daemon=True)
        for rank in range(1, workers)
    ]
    for other in others:
        other.start()
    watcher = threading.Thread(target=_watch, args=(others, shared.barrier), daemon=True)
    watcher.start()
    try:
        with one_thread():
            lead(ProcessGroup(0, workers, shared))
    finally:
        for other in others:
            other.terminate()
        watcher.join()  # only one thread may ask for the exit status of a process
        for other in others:
            other.join()


@contextmanager
def one_thread() -> Generator[None]:
    """PyTorch with one thread: the sums of several threads may be other bytes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _follow(work: Work, group: ProcessGroup) -> None:
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        work(group)
    except ToonbenchError:  # the first process has the same error and reports it
        if group.shared is not None:
            group.shared.barrier.abort()


def _end_with_parent() -> None:
    """End this process with the one that started it, even if that one was killed."""
    parent = torch.multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _watch(processes: Sequence[Any], barrier: Barrier) -> None:
    """Abort the barrier when a process fails or is killed, so that the others do not wait for it."""
    running = {process.sentinel: process for process in processes}
    while running:
        for sentinel in wait(list(running)):
            process: Any = running.pop(sentinel)  # pyright: ignore[reportArgumentType]
            process.join()
            if process.exitcode:
                barrier.abort()
                return
