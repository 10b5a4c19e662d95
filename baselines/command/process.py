"""Run a program in a process group of its own, with a limit of time."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

GRACE = 2.0  # seconds between asking the processes to end and killing them


class TimedOut(Exception):
    """The program did not finish in time, and was ended."""


def run_program(
    arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: Path, timeout: float
) -> int:
    """Run a program to its end and return its exit status, negative for a signal. Its output goes to the file `log`.

    All processes that it started in its group are ended with it, and if this process is killed. Raises TimedOut after `timeout`
    seconds, and OSError where the program cannot be started.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments,
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            with _guarded(process):
                return process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise TimedOut from error
        finally:
            _end(process)


@contextmanager
def _guarded(process: subprocess.Popen[bytes]) -> Generator[None]:
    """While the block runs, a shell kills the group of `process` if this process dies, which closes the pipe that the shell reads."""
    if not hasattr(os, "killpg"):
        yield
        return
    guard = subprocess.Popen(
        ["/bin/sh", "-c", f"read line; kill -s KILL -- -{process.pid}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        guard.kill()
        guard.communicate()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and its group: politely while it runs, then at once."""
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        elif process.poll() is None:
            process.send_signal(number)
