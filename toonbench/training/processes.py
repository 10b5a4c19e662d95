"""Data-parallel training by processes on one machine.

Each process computes its share of the batch on one thread. The gradients are averaged once a step through shared memory.
On a busy CPU this is several times as fast as one process with two threads, which wait for each other in every layer.

The processes wait for each other through pipes between the first process and each other one. A process that ends closes its
pipe, so the others do not wait for it. (`multiprocessing.Barrier` does not return if a process is killed while it waits there.)
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import torch
from torch import Tensor, nn

from toonbench.types import ToonbenchError

TIMEOUT = 300.0  # seconds that a process waits for another one
ARRIVED = b"+"


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """The place of this process in its group; the default is a group of one process.

    `buffer` (workers, values) is shared memory with a row for the gradients of each process. `peers` are the pipes of the
    first process to all others, or the pipe of another process to the first.
    """

    rank: int = 0
    workers: int = 1
    buffer: Tensor | None = None
    peers: tuple[Connection[Any, Any], ...] = ()

    @property
    def leads(self) -> bool:
        """Whether this process writes logs, pictures and checkpoints."""
        return self.rank == 0

    def barrier(self) -> None:
        """Wait until all processes have arrived. Raises ToonbenchError if one of them ended."""
        try:
            if self.leads:
                for peer in self.peers:
                    _receive(peer)
            for peer in self.peers:
                peer.send_bytes(ARRIVED)
            if not self.leads:
                _receive(self.peers[0])
        except (EOFError, OSError) as error:
            raise ToonbenchError(
                "a training process ended early, perhaps because memory was short: start again, training resumes from "
                "the last checkpoint"
            ) from error

    def all_reduce(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes, the same bits in each."""
        if self.buffer is None:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        self.buffer[self.rank, : len(flat)] = flat
        self.barrier()
        mean = self.buffer[:, : len(flat)].mean(0)
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
    buffer = torch.zeros(workers, values).share_memory_()
    pipes = [context.Pipe() for _ in range(workers - 1)]
    groups = [ProcessGroup(rank, workers, buffer, (theirs,)) for rank, (_, theirs) in enumerate(pipes, start=1)]
    others = [context.Process(target=_follow, args=(follow, group), daemon=True) for group in groups]
    try:
        for other, (_, theirs) in zip(others, pipes, strict=True):
            other.start()
            theirs.close()  # only the other process holds its end, so its death closes the pipe
        with one_thread():
            lead(ProcessGroup(0, workers, buffer, tuple(ours for ours, _ in pipes)))
    finally:
        for other, (ours, _) in zip(others, pipes, strict=True):
            ours.close()
            if other.pid is not None:
                other.terminate()
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
    """Run `work`. The first process reports errors: it has the same error, or it notices the closed pipe."""
    torch.set_num_threads(1)
    with suppress(ToonbenchError):
        work(group)


def _receive(peer: Connection[Any, Any]) -> None:
    if not peer.poll(TIMEOUT):
        raise EOFError
    peer.recv_bytes()
