"""Map a function over items: in this process, or in local processes; a cluster later takes the same call.

The function gets one item and returns one small picklable value. Order of results is the order of items, whatever the
workers, and a worker whose parent is gone ends by itself, so that a killed run leaves nothing behind.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from toonbench.types import ToonbenchError

Item = TypeVar("Item")
Value = TypeVar("Value")
Progress = Callable[[int, int], None]  # (done, total)


def auto_workers(requested: int, *, device: str = "cpu") -> int:
    """`requested`, or for 0 one process a core on the CPU (at most 8) and one process on an accelerator."""
    if requested < 0:
        raise ToonbenchError(f"--workers {requested} is negative: give 0 (automatic) or more")
    if requested:
        return requested
    return min(8, os.cpu_count() or 1) if device == "cpu" else 1


def map_items(
    function: Callable[[Item], Value], items: Sequence[Item], *, workers: int = 1, on_progress: Progress | None = None
) -> list[Value]:
    """`[function(item) for item in items]`, with `workers` processes where that is more than one.

    An exception in the function stops the map and is raised here; what had been written stays.
    """
    report = on_progress or _silent
    workers = min(workers, len(items))
    if workers > 1:
        return _map_processes(function, items, workers=workers, report=report)
    values: list[Value] = []
    report(0, len(items))
    for item in items:
        values.append(function(item))
        report(len(values), len(items))
    return values


def _silent(done: int, total: int) -> None:
    """The progress nobody asked for."""
    del done, total


def _map_processes(
    function: Callable[[Item], Value], items: Sequence[Item], *, workers: int, report: Progress
) -> list[Value]:
    executor = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_live_with_parent, initargs=(os.getpid(),)
    )
    try:
        report(0, len(items))
        futures = [executor.submit(function, item) for item in items]
        for done, _ in enumerate(_as_completed(futures), start=1):
            report(done, len(items))
        return [future.result() for future in futures]
    except BrokenProcessPool as error:
        raise ToonbenchError(
            "a worker process died (killed, or out of memory): what was finished is kept; run again with fewer --workers"
        ) from error
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _as_completed(futures: Sequence[Future[Value]]) -> Iterator[None]:
    """One tick a finished future; the first exception is raised at once."""
    pending = set(futures)
    while pending:
        finished, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in finished:
            future.result()
            yield


def _live_with_parent(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
