"""The log of a training run: one JSON object a line. Times are in a file of their own, so equal runs have equal logs."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from toonbench.store import write_bytes

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
    """Remove the lines of steps after `step`: a killed run may have logged steps that its checkpoint does not hold."""
    for path in (folder / LOG, folder / TIMING):
        if path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if _step(line) <= step]
            write_bytes(path, "".join(kept).encode())


def _append(path: Path, numbers: Mapping[str, float]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({key: round(value, 6) for key, value in numbers.items()}) + "\n")


def _step(line: str) -> float:
    """The step of a line; infinite for a line that a killed process left incomplete."""
    try:
        return json.loads(line)["step"] if line.endswith("\n") else float("inf")
    except json.JSONDecodeError:
        return float("inf")
