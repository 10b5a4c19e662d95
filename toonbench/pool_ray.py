"""The backend of `Pool` for Ray clusters: one task for each item, computed again where a node or a worker process dies.

Ray is imported on use, without its usage statistics and its dashboard. A task first checks its worker process: the versions of
toonbench, Python and the packages that may change a number, and the folders that the nodes must share. Tasks receive the working
folder and the TOONBENCH_* variables of this process. Functions and values travel as bytes, so that a function gets the same
objects as in a local process.
"""

from __future__ import annotations

import importlib
import logging
import os
import pickle
import platform
import re
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
import uuid
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

from toonbench.environment import record
from toonbench.pool import PATIENCE, Progress, ignoring_interrupts, local
from toonbench.types import ToonbenchError

LOG = logging.getLogger(__name__)
Item = TypeVar("Item")
Value = TypeVar("Value")
EVERY_CPU = 100_000  # a number of workers that no cluster reaches
TRIES = 4  # of one item, before its deaths count as its own fault
ADDRESS = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
CONNECTING = 5.0  # seconds in which the head of a cluster has to accept a connection
NO_CPU = 60.0  # seconds without a node that could compute anything, after which the computation stops
STORE = 100 * 2**20  # bytes of shared memory of a Ray that is started here; values of tasks are small
SETTINGS = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))  # the first frame of both sides of HTTP/2, which Ray's head speaks
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SETTINGS
PROBE = ".toonbench-probe-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A backend that computes the items on a Ray cluster. A single worker is this process, as with `local`.

    address: HOST:PORT of the cluster's head; `auto`, the cluster that this machine belongs to; or `local`, a Ray that is started on this
        machine and ends with this process. A process that is connected already keeps its connection.
    writes: folders that the function writes into; every node must see them under the same path.
    reads: files and folders that every node must see under the same path, where this machine has them.
    gpus: GPUs of a task; a task always uses one CPU.
    """

    address: str = "auto"
    writes: tuple[Path, ...] = ()
    reads: tuple[Path, ...] = ()
    gpus: int = 0

    def __call__(
        self, function: Callable[[Item], Value], items: Sequence[Item], *, workers: int, report: Progress
    ) -> list[Value]:
        """Return `[function(item) for item in items]` in this order, with at most `workers` tasks at a time.

        The first exception of the function stops the computation and is raised with its type. An item whose node or process died is
        computed again, so `function` must write files whole. Raises ToonbenchError for nodes that cannot be used.
        """
        if workers <= 1:
            return local(function, items, workers=1, report=report)
        report(0, len(items))
        tasks = _Tasks(ray=connect(self.address), needs={"CPU": 1, "GPU": self.gpus} if self.gpus else {"CPU": 1})
        with _probes(self.writes) as probes:
            needed = (*probes, *(str(path.absolute()) for path in self.reads if path.exists()))
            order = _Order(
                versions=_versions(),
                folder=str(Path.cwd()),
                path=tuple(sys.path),
                variables=_variables(),
                needed=needed,
            )
            return cast("list[Value]", tasks.run(order, function, items, workers=workers, report=report))


def check_address(address: str) -> None:
    """Raise ToonbenchError if Ray is absent, or the address is wrong or nothing answers there. This takes at most seconds."""
    _import_ray()
    if address not in ("auto", "local"):
        _check_reachable(address)


def connect(address: str) -> Any:
    """The module `ray`, connected to the cluster at `address`. Raises ToonbenchError if Ray is absent or the cluster is not reached."""
    ray = _import_ray()
    if ray.is_initialized():
        return ray
    check_address(address)
    started: dict[str, Any] = {"address": address}
    if address == "local":
        started |= {"include_dashboard": False, "object_store_memory": STORE}
    with _same_handler(signal.SIGTERM), _collected_errors() as printed:  # Ray's handler would end this process at once
        try:
            ray.init(**started, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:
            raise ToonbenchError(_not_connected(address, error, printed=printed())) from error
    # Ray prints what happens to nodes on standard output, which has the results; it is in Ray's log files, too.
    vars(importlib.import_module("ray._private.worker"))["_worker_logs_enabled"] = False
    return ray


def _import_ray() -> Any:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault(
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0"
    )  # the rule of Ray's next versions, without its warning
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise ToonbenchError(
            "--pool ray needs the package ray: install it with pip install 'toonbench[ray]'"
        ) from error


def _check_reachable(address: str) -> None:
    """Raise ToonbenchError at once for a wrong or dead address; Ray itself tries it for a minute."""
    if not ADDRESS.fullmatch(address) or not 0 < int(address.rpartition(":")[2]) < 65536:
        raise ToonbenchError(
            f"--address {address}: give HOST:PORT of the head of a Ray cluster (its port is 6379 by default), auto or local"
        )
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECTING) as line:
            line.sendall(HELLO)
            fine = line.recv(len(SETTINGS))[3:4] == SETTINGS[3:4] or os.environ.get("RAY_USE_TLS") == "1"
        reason = "" if fine else "another program uses the port"
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise ToonbenchError(
            f"no Ray cluster answers at {address} ({reason}): check it, and start the head with `ray start --head`"
        )


@contextmanager
def _collected_errors() -> Generator[Callable[[], str]]:
    """What the block prints on standard error is collected: Ray's own code prints a line for each of its tries."""
    with tempfile.TemporaryFile("w+", errors="replace") as file:

        def collected() -> str:
            file.seek(0)
            return file.read()

        before = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield collected
        finally:
            os.dup2(before, 2)
            os.close(before)


def _not_connected(address: str, error: Exception, *, printed: str) -> str:
    """Why Ray did not connect, in one line."""
    if "InvalidAuthToken" in printed:
        return f"the Ray cluster at {address} asks for another token: copy ~/.ray/auth_token from its head, or set RAY_AUTH_TOKEN"
    if isinstance(error, ConnectionError) and address == "auto":
        return "this machine belongs to no Ray cluster: start one with `ray start --head`, or give --address HOST:PORT or local"
    reason = " ".join(str(error).split())[:300]
    return f"Ray cannot connect to {address} from this machine, which must be a node of the cluster: {reason}"


@contextmanager
def _same_handler(number: signal.Signals) -> Generator[None]:
    """The handler of a signal is the same after the block as before it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(number)
    try:
        yield
    finally:
        signal.signal(number, before)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What a task checks and sets in its process before it computes."""

    versions: tuple[tuple[str, str], ...]
    folder: str
    path: tuple[str, ...]  # where Python looks for modules, after the places of the node itself
    variables: tuple[tuple[str, str], ...]
    needed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tasks:
    """Submits tasks, and collects their values."""

    ray: Any
    needs: dict[str, int]  # resources of a task

    def run(
        self, order: _Order, function: Callable[[Any], Any], items: Sequence[Any], *, workers: int, report: Progress
    ) -> list[Any]:
        """The values in the order of the items."""
        task = self.ray.remote(num_cpus=self.needs["CPU"], num_gpus=self.needs.get("GPU", 0), max_retries=0)(_compute)
        work = self.ray.put(pickle.dumps((order, _dumps(function))))
        waiting, running = deque(range(len(items))), cast("dict[Any, int]", {})
        values: dict[int, Any] = {}
        deaths: Counter[int] = Counter()
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    index = waiting.popleft()
                    running[task.remote(work, _dumps(items[index]))] = index
                for done in self._finished(running):
                    index = running.pop(done)
                    try:
                        values[index] = _value(self.ray.get(done))
                    except self.ray.exceptions.RayError as error:
                        deaths[index] += 1
                        _check_death(error, tries=deaths[index], ray=self.ray)
                        waiting.appendleft(index)
                    else:
                        report(len(values), len(items))
        except BaseException:
            self._cancel(list(running))
            raise
        if deaths:
            LOG.warning("items computed again, because nodes or processes of the cluster died: %d", len(deaths))
        return [values[index] for index in range(len(items))]

    def _finished(self, running: Iterable[Any]) -> list[Any]:
        """The tasks that have ended, at least one. Raises ToonbenchError if no node can compute any more."""
        tasks = list(running)
        limit = time.monotonic() + NO_CPU
        while not self.ray.wait(tasks, num_returns=1, timeout=NO_CPU / 6)[0]:
            there = self.ray.cluster_resources()
            if all(there.get(name, 0) >= number for name, number in self.needs.items()):
                limit = time.monotonic() + NO_CPU
            elif time.monotonic() > limit:
                lack = " and ".join(f"{number} {name}" for name, number in self.needs.items())
                raise ToonbenchError(
                    f"no node of the cluster has {lack} for a task: add nodes, and run the same command again to resume"
                )
        return list(self.ray.wait(tasks, num_returns=len(tasks), timeout=0)[0])

    def _cancel(self, tasks: list[Any]) -> None:
        """Stop tasks: they remove their partial files, or their processes are killed where they do not react."""
        with ignoring_interrupts(), suppress(self.ray.exceptions.RayError):
            for task in tasks:
                self.ray.cancel(task, force=False)
            if tasks:
                for task in self.ray.wait(tasks, num_returns=len(tasks), timeout=PATIENCE)[1]:
                    self.ray.cancel(task, force=True)


def _check_death(error: Exception, *, tries: int, ray: Any) -> None:
    """Raise ToonbenchError if the item of a task that was lost must not be tried again."""
    if isinstance(
        error, ray.exceptions.RayTaskError
    ):  # before our function was called: its code or its item could not be loaded
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ToonbenchError(
            f"a node cannot run toonbench ({lines[-1].strip()[:300]}): install the same toonbench and plug-ins on every node"
        ) from error
    if tries >= TRIES:
        raise ToonbenchError(
            f"the process of one item died {tries} times (killed, or out of memory): finished files are kept; "
            "run again with fewer --workers, or fewer CPUs per node"
        ) from error


@contextmanager
def _probes(folders: Sequence[Path]) -> Generator[list[str]]:
    """A new file in each folder, or in the nearest one that exists above it: a node that does not see it does not share the disk."""
    with ExitStack() as stack:
        written: list[str] = []
        for folder in folders:
            path = folder.absolute()
            place = next(one for one in (path, *path.parents) if one.is_dir())
            probe = place / f"{PROBE}{uuid.uuid4().hex}"
            try:
                probe.touch(exist_ok=False)
            except OSError as error:
                raise ToonbenchError(f"cannot write into {place}: {error.strerror or error}") from error
            stack.callback(probe.unlink, missing_ok=True)
            written.append(str(probe))
        yield written


def _variables() -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("TOONBENCH_")))


@lru_cache(maxsize=1)
def _versions() -> tuple[tuple[str, str], ...]:
    """What must be equal on all nodes."""
    found = record()
    named = {
        "toonbench": found["toonbench"],
        "its commit": found["git"].get("commit", ""),
        "Python": found["python"],
        "machine": found["machine"],
    }
    return tuple((named | found["packages"]).items())


def _compute(work: bytes, item: bytes) -> bytes:
    """On a node: the value of an item, or its exception."""
    try:
        order, function = pickle.loads(work)  # noqa: S301 - from the process that started this one
        _check(order)
        os.chdir(order.folder)
        os.environ.update(order.variables)
        sys.path += [place for place in order.path if place not in sys.path]
        return _dumps((True, _loads(function)(_loads(item))))
    except Exception as error:  # noqa: BLE001 - raised again in the process that asked
        return _dumps((False, _packed(error)))


def _dumps(value: Any) -> bytes:
    """Bytes for `pickle.loads`. Functions and classes of a script, which no node can import, are part of them."""
    return importlib.import_module("ray.cloudpickle").dumps(value)


def _loads(data: bytes) -> Any:
    """A function or an item, whose modules this node must have."""
    try:
        return pickle.loads(data)  # noqa: S301 - from the process that started this one
    except ImportError as error:
        raise ToonbenchError(
            f"node {platform.node()} cannot load what it shall compute ({error}): install the same plug-ins on every node"
        ) from error


def _value(outcome: bytes) -> Any:
    """The value that `_compute` returned; raises the exception that it caught."""
    fine, value = pickle.loads(outcome)  # noqa: S301 - from our own task
    if fine:
        return value
    raise _unpacked(value)


def _packed(error: Exception) -> tuple[bytes, str]:
    """An exception as bytes, and its traceback as text. Ours is not constructed again: its class may have any constructor."""
    text = "".join(traceback.format_exception(error))
    parts = (type(error), error.args, error.__dict__)
    for form in (parts, error) if isinstance(error, ToonbenchError) else (error, parts):
        with suppress(Exception):
            data = _dumps(form)
            pickle.loads(data)  # noqa: S301
            return data, text
    kind = ToonbenchError if isinstance(error, ToonbenchError) else RuntimeError
    return pickle.dumps(kind(f"{type(error).__name__}: {error}")), text


def _unpacked(packed: tuple[bytes, str]) -> Exception:
    """The exception that `_packed` got, with the traceback of the node as a note."""
    found = pickle.loads(packed[0])  # noqa: S301 - from our own task
    if isinstance(found, tuple):
        kind, arguments, state = cast("tuple[type[Exception], tuple[Any, ...], dict[str, Any]]", found)
        found = kind.__new__(kind)
        found.args = arguments
        found.__dict__.update(state)
    found.add_note(f"on a node of the cluster:\n{packed[1]}")
    return found


@lru_cache(maxsize=8)
def _check(order: _Order) -> None:
    """Check this worker process, once. Raises ToonbenchError with the node's name."""
    node, own = platform.node(), dict(_versions())
    wrong = [
        f"{name} {own.get(name) or 'none'} (here {expected or 'none'})"
        for name, expected in order.versions
        if own.get(name, "") != expected
    ]
    if wrong:
        raise ToonbenchError(f"node {node} has other versions: {', '.join(wrong)}; install the same on every node")
    for path in (order.folder, *order.needed):
        if not Path(path).exists():
            place = Path(path).parent if Path(path).name.startswith(PROBE) else path
            raise ToonbenchError(
                f"node {node} does not share {place} with this machine: use a folder on a disk that every node sees under the same path"
            )
