"""Run a function over many items: in this process, in local processes, or in those of a cluster (`pool_ray`).

A `Pool` holds the settings of a long computation: the number of processes, the device of the
networks, and how progress is shown. Commands build one from their options and pass it down. The function gets one item
and returns one small picklable value. The values are in the order of the items, for every number of workers. A worker
process ends when its parent is gone, so a killed run leaves no processes behind.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from multiprocessing import active_children, get_context
from multiprocessing.process import BaseProcess
from typing import Protocol, TypeVar

from toonbench.types import ToonbenchError

Item = TypeVar("Item")
Value = TypeVar("Value")
PATIENCE = 2.0  # seconds in which a stopped worker can remove its partial files
Progress = Callable[[int, int], None]  # (done, total)
OpenProgress = Callable[[str], AbstractContextManager[Progress]]  # title -> the progress, shown while it is open


class Backend(Protocol):
    """A function that computes the items. `local` uses this process or local processes, `pool_ray.Cluster` a Ray cluster."""

    def __call__(
        self, function: Callable[[Item], Value], items: Sequence[Item], *, workers: int, report: Progress
    ) -> list[Value]:
        """Return `[function(item) for item in items]` in this order; `report` after each finished item.

        The first exception of the function stops the computation and is raised.
        """
        ...


def local(function: Callable[[Item], Value], items: Sequence[Item], *, workers: int, report: Progress) -> list[Value]:
    """The backend of this machine: this process for one worker, otherwise `workers` processes."""
    report(0, len(items))
    return (_in_processes if workers > 1 else _in_process)(function, items, workers=workers, report=report)


@contextmanager
def no_progress(title: str) -> Generator[Progress]:
    """Progress that is not shown."""
    del title
    yield _ignore


def _ignore(done: int, total: int) -> None:
    del done, total


def progress_to(report: Callable[[str, int, int], None]) -> OpenProgress:
    """Progress that calls `report(title, done, total)`, for scripts and tests."""

    @contextmanager
    def opened(title: str) -> Generator[Progress]:
        yield lambda done, total: report(title, done, total)

    return opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Processes, device and progress of a computation. Results do not depend on them, except for rounding on another device.

    workers: the number of processes; 1 is this process.
    device: where networks run: cpu, cuda or mps.
    progress: opens the progress display of a computation with a title, in this process.
    backend: computes the items.
    """

    workers: int = 1
    device: str = "cpu"
    progress: OpenProgress = no_progress
    backend: Backend = local

    def map(self, function: Callable[[Item], Value], items: Sequence[Item], *, title: str) -> list[Value]:
        """Return `[function(item) for item in items]`, and show the progress with `title`.

        The first exception of the function stops the computation and is raised; files already written are kept.
        """
        with self.progress(title) as report:
            return self.backend(function, items, workers=max(1, min(self.workers, len(items))), report=report)

    def at_most(self, workers: int) -> Pool:
        """This pool with at most `workers` processes, and at least one: for work that is too small to share."""
        return replace(self, workers=max(1, min(self.workers, workers)))


IN_PROCESS = Pool()


def auto_workers(requested: int, *, device: str = "cpu") -> int:
    """`requested`, or for 0 one process per core on the CPU (at most 8) and one process on an accelerator."""
    if requested < 0:
        raise ToonbenchError(f"--workers {requested} is negative: give 0 (automatic) or more")
    if requested:
        return requested
    return min(8, os.cpu_count() or 1) if device == "cpu" else 1


def _in_process(
    function: Callable[[Item], Value], items: Sequence[Item], *, workers: int, report: Progress
) -> list[Value]:
    del workers
    values: list[Value] = []
    for item in items:
        values.append(function(item))
        report(len(values), len(items))
    return values


def _in_processes(
    function: Callable[[Item], Value], items: Sequence[Item], *, workers: int, report: Progress
) -> list[Value]:
    others = set(active_children())
    executor = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_end_with_parent, initargs=(os.getpid(),)
    )
    try:
        with _interrupts_kept_from_children():
            futures = [executor.submit(_complete, function, item) for item in items]
        for done, _ in enumerate(_as_completed(futures), start=1):
            report(done, len(items))
        return [future.result() for future in futures]
    except BrokenProcessPool as error:
        raise ToonbenchError(
            "a worker process died (killed, or out of memory): finished files are kept; run again with fewer --workers"
        ) from error
    except KeyboardInterrupt:
        with ignoring_interrupts():
            _stop(executor, [child for child in active_children() if child not in others])
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _interrupts_kept_from_children() -> Generator[None]:
    """Processes that start in the block never receive Ctrl-C from the terminal: their parent does, and stops them.

    They would print a traceback each while they import.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def ignoring_interrupts() -> Generator[None]:
    """Ctrl-C has no effect in the block. (A blocked signal would reach this process through its other threads.)"""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _stop(executor: ProcessPoolExecutor, workers: Sequence[BaseProcess]) -> None:
    """End the workers: they remove their partial files, or are killed where they do not react."""
    for worker in workers:
        worker.terminate()
    limit = time.monotonic() + PATIENCE
    for worker in workers:
        worker.join(max(0.0, limit - time.monotonic()))
        if worker.is_alive():
            worker.kill()
    executor.shutdown(wait=True, cancel_futures=True)


def _complete(function: Callable[[Item], Value], item: Item) -> Value:
    """`function(item)` in a worker, which ends at once if it is stopped meanwhile."""
    try:
        return function(item)
    except _Stopped:  # the executor would take it for the failure of this item, and give the worker another one
        os._exit(1)


class _Stopped(SystemExit):
    """The parent stops this worker."""


def _raise_stopped(number: int, frame: object) -> None:
    del number, frame
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Stopped


def _as_completed(futures: Sequence[Future[Value]]) -> Iterator[None]:
    """Yield once for each finished future; the first exception is raised at once."""
    pending = set(futures)
    while pending:
        finished, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in finished:
            future.result()
            yield


def _end_if_stopped(ignored: sys.UnraisableHookArgs) -> None:
    """End a worker whose stop was raised where Python ignores exceptions (a callback of its garbage collector)."""
    if isinstance(ignored.exc_value, _Stopped):
        os._exit(1)
    sys.__unraisablehook__(ignored)


def _end_with_parent(parent: int) -> None:
    """End this worker when its parent is gone. Ctrl-C is handled by the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _raise_stopped)
    sys.unraisablehook = _end_if_stopped

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
