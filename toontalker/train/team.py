"""Data-parallel training by processes that share one CPU.

Each worker computes its share of the batch on one thread; gradients are averaged once per step through shared memory.
On a busy machine this is several times as fast as one process with two threads, which wait for each other in every layer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

PATIENCE = 900.0  # seconds until a worker gives up on the others


class Gate(Protocol):
    """A barrier, of threads or of processes."""

    def wait(self, timeout: float | None = None) -> int:
        """Block until all have come, or raise after `timeout` seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Team:
    """This process's place among the workers. `board` (workers, values) is shared memory, a row each."""

    rank: int = 0
    workers: int = 1
    board: Tensor | None = None
    gate: Gate | None = None

    @property
    def leads(self) -> bool:
        """Whether this worker writes logs, pictures and checkpoints."""
        return self.rank == 0

    def meet(self) -> None:
        """Wait until all have come here."""
        if self.gate is not None:
            self.gate.wait(PATIENCE)

    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the workers, the same bits in each."""
        if self.board is None or self.gate is None:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        self.board[self.rank, : len(flat)] = flat
        self.gate.wait(PATIENCE)
        mean = self.board[:, : len(flat)].mean(0)
        self.gate.wait(PATIENCE)  # nobody may overwrite what another still reads
        for gradient, part in zip(gradients, mean.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))


def shared_board(workers: int, values: int) -> Tensor:
    """Room for every worker's gradients."""
    return torch.zeros(workers, values).share_memory_()
