"""The log of a training run: one JSON object a line. Times are in a file of their own, so equal runs have equal logs."""

from __future__ import annotations

import json
import operator
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from toonbench.store import write_bytes
from toonbench.types import ToonbenchError

LOG = "log.jsonl"
TIMING = "timing.jsonl"


def append_log(folder: Path, numbers: Mapping[str, float]) -> None:
    """Append one line to the log in `folder`, rounded to six decimals. `numbers` holds the `step`."""
    _append(folder / LOG, numbers)


@dataclass(frozen=True, slots=True)
class Clock:
    """Measures a training of `total` steps since its step `first`, the first one after a start or a resume."""

    first: int
    total: int
    began: float = field(default_factory=time.monotonic)

    def append(self, folder: Path, *, step: int) -> None:
        """Append the mean seconds per step, and the seconds that are left at this rate, to TIMING in `folder`."""
        mean = (time.monotonic() - self.began) / (step - self.first)
        _append(folder / TIMING, {"step": step, "seconds_per_step": mean, "seconds_left": mean * (self.total - step)})


def trim_log(folder: Path, *, step: int) -> None:
    """Remove the lines of steps after `step`: a killed run may have logged steps that its checkpoint does not hold.

    Raises ToonbenchError for a file of this name that no training wrote.
    """
    for path in (folder / LOG, folder / TIMING):
        if path.is_file():
            lines = path.read_bytes().splitlines(keepends=True)
            kept = [line for line in lines if line.endswith(b"\n") and _step(line, path=path) <= step]
            write_bytes(path, b"".join(kept))


def _append(path: Path, numbers: Mapping[str, float]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({key: round(value, 6) for key, value in numbers.items()}) + "\n")


def _step(line: bytes, *, path: Path) -> float:
    """The step of a whole line."""
    try:
        return operator.index(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ToonbenchError(
            f"{path} is not the log of a training, or is damaged: choose another folder, or move the file"
        ) from error
