"""Data-parallel training: processes that share each batch, and whose gradients Hugging Face Accelerate averages once a step.

`run_processes` starts the processes of one machine itself, for CPUs: each computes its share of the batch on one thread. On a busy
CPU this is several times as fast as one process with two threads, which wait for each other in every layer. A command that
`accelerate launch` or `torchrun` starts is one of the processes that these have started: on many GPUs, and on many machines.

A process that ends closes its connections, so the others do not wait for it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from toonbench.types import ToonbenchError

TIMEOUT = timedelta(minutes=30)  # that a process waits for another one
START = 300.0  # seconds until a new process must have started
ARRIVED = b"+"
ENDED = "a training process ended early, perhaps because memory was short: start again, training resumes from the last checkpoint"
LAUNCHERS = (
    "start with `accelerate launch` or `torchrun`, which set it, or unset WORLD_SIZE and RANK to train without them"
)


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """The place of this process in its group; the default is a group of one process."""

    rank: int = 0
    workers: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes logs, pictures and checkpoints."""
        return self.rank == 0

    def barrier(self) -> None:
        """Wait until all processes have arrived. Raises ToonbenchError if one of them ended."""
        if self.workers > 1:
            _mean(torch.zeros(1))

    def all_reduce(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes, the same bits in each."""
        if self.workers == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        mean = _mean(torch.cat([g.flatten() for g in gradients]))
        for gradient, part in zip(gradients, mean.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def all_true(self, value: bool) -> bool:
        """Whether `value` is true in all processes."""
        return value if self.workers == 1 else _mean(torch.tensor([float(value)])).item() == 1.0

    def mean(self, numbers: Mapping[str, float]) -> dict[str, float]:
        """The mean of every number over the processes, which all call with the same names."""
        if self.workers == 1:
            return dict(numbers)
        return dict(zip(numbers, _mean(torch.tensor([*numbers.values()], dtype=torch.float64)).tolist(), strict=True))


Work = Callable[[ProcessGroup], None]


def launched() -> int:
    """The number of processes that `accelerate launch` or `torchrun` has started with this one; 0 without them.

    Raises ToonbenchError for variables of a launcher that are no numbers.
    """
    found = {name: os.environ[name] for name in ("WORLD_SIZE", "RANK") if name in os.environ}
    for name, value in found.items():
        if not (value.isascii() and value.isdecimal()):
            raise ToonbenchError(f"the environment variable {name} is {value!r}: {LAUNCHERS}")
    processes = int(found.get("WORLD_SIZE", "1"))
    return processes if processes > 1 and "RANK" in found else 0


def leading() -> bool:
    """Whether this process writes to the terminal: all but the first of those that a launcher has started are silent."""
    return not launched() or os.environ["RANK"] == "0"


def shares(batch: int, *, of: str, workers: int) -> None:
    """Raise ToonbenchError, naming the setting `of`, where the processes cannot share a batch evenly."""
    number = launched() or workers
    if number < 1:
        raise ToonbenchError(f"workers is {number}: 1 or more is needed")
    if batch % number:
        raise ToonbenchError(f"{of} is {batch}, which {number} workers cannot share evenly; change one")


def run_processes(lead: Work, follow: Work, *, workers: int, device: str = "cpu") -> None:
    """Run `lead(group)` in this process and `follow(group)` in `workers - 1` others; return when `lead` returns.

    `follow` must be fit for pickle. Each of several processes uses one thread; a single process keeps its threads. Where a launcher
    has started the processes, `workers` does not count: this process runs `lead` or `follow`, and nothing is started.
    Raises ToonbenchError if a process ends early.
    """
    if number := launched():
        rank = int(os.environ["RANK"])
        with _joined(cpu=device == "cpu"):
            (follow if rank else lead)(ProcessGroup(rank, number))
    elif workers == 1:
        lead(ProcessGroup())
    else:
        _started(lead, follow, workers)


def _started(lead: Work, follow: Work, workers: int) -> None:
    """Start the other processes, and run `lead` among them."""
    context = torch.multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        places = [_environment(rank, workers) for rank in range(workers)]
        store = f"file://{Path(folder, 'store').as_posix()}"
        pipes = [context.Pipe() for _ in places[1:]]
        others = [
            context.Process(
                target=_follow, args=(follow, ProcessGroup(rank, workers), places[rank], store, theirs), daemon=True
            )
            for rank, (_, theirs) in enumerate(pipes, start=1)
        ]
        try:
            for other, (_, theirs) in zip(others, pipes, strict=True):
                other.start()
                theirs.close()  # only the other process holds its end, so its death closes the pipe
            for ours, _ in pipes:
                _wait(ours)
            with one_thread(), _variables(places[0]), _joined(cpu=True, init_method=store):
                lead(ProcessGroup(0, workers))
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


def _follow(work: Work, group: ProcessGroup, place: dict[str, str], store: str, pipe: Connection[Any, Any]) -> None:
    """Run `work`. The first process reports errors: it has the same error, or it notices the closed connection."""
    torch.set_num_threads(1)
    with suppress(ToonbenchError), _variables(place):
        pipe.send_bytes(ARRIVED)
        with _joined(cpu=True, init_method=store):
            work(group)


def _wait(pipe: Connection[Any, Any]) -> None:
    """Wait until the process at the other end has started."""
    try:
        if not pipe.poll(START):
            raise EOFError
        pipe.recv_bytes()
    except (EOFError, OSError) as error:
        raise ToonbenchError(ENDED) from error


def _environment(rank: int, workers: int) -> dict[str, str]:
    """The variables by which Accelerate finds the place of a process of this machine, which talk through its loopback interface."""
    place = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(workers), "LOCAL_WORLD_SIZE": str(workers)}
    if sys.platform == "linux":
        place["GLOO_SOCKET_IFNAME"] = os.environ.get("GLOO_SOCKET_IFNAME", "lo")
    return place | {"MASTER_PORT": "0", "OMP_NUM_THREADS": "1"}  # the port is not used


@contextmanager
def _variables(values: Mapping[str, str]) -> Generator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _joined(*, cpu: bool, **options: Any) -> Generator[None]:
    """This process is in the group that its environment variables describe, and leaves it at the end of the block."""
    _import_before_joining()
    try:
        from accelerate import PartialState
    except ImportError as error:
        raise ToonbenchError(
            "training in several processes needs accelerate: run `pip install accelerate`, or give --set workers=1"
        ) from error
    try:
        state = PartialState(cpu=cpu, timeout=TIMEOUT, **options)
    except RuntimeError as error:
        raise ToonbenchError(ENDED) from error
    except ValueError as error:
        raise ToonbenchError(f"the processes of a launcher do not find each other ({error}): {LAUNCHERS}") from error
    try:
        yield
    finally:
        state.destroy_process_group()
        PartialState._reset_state()  # pyright: ignore[reportPrivateUsage] - it would stay in a group that is no more


def _import_before_joining() -> None:
    """Import the module of PyTorch that keeps, as defaults of its functions, the group that exists when it is imported.

    Optimisers import it. A group that it keeps outlives its end here, with its threads: one that still releases a gradient while
    Python ends aborts the process.
    """
    import torch.distributed.nn.functional  # noqa: F401  # pyright: ignore[reportUnusedImport]


def _mean(values: Tensor) -> Tensor:
    """The mean over the processes; on the CPU where those talk through gloo."""
    from accelerate import PartialState
    from accelerate.utils import reduce

    place = torch.device("cpu") if PartialState().backend == "gloo" else PartialState().device
    try:
        mean = cast("Tensor", reduce(values.to(place), reduction="mean"))
    except RuntimeError as error:
        raise ToonbenchError(ENDED) from error
    return mean.to(values.device)
