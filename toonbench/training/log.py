"""The log of a training run: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from toonbench.store import write_bytes

LOG = "log.jsonl"


def append_log(folder: Path, numbers: Mapping[str, float]) -> None:
    """Append one line to the log in `folder`, rounded to six decimals. `numbers` holds the `step`."""
    with (folder / LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps({key: round(value, 6) for key, value in numbers.items()}) + "\n")


def trim_log(folder: Path, *, step: int) -> None:
    """Remove the lines of steps after `step`: a killed run may have logged steps that its checkpoint does not hold."""
    path = folder / LOG
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if _step(line) <= step]
        write_bytes(path, "".join(kept).encode())


def _step(line: str) -> float:
    """The step of a line; infinite for a line that a killed process left incomplete."""
    try:
        return json.loads(line)["step"]
    except json.JSONDecodeError:
        return float("inf")
