"""What is known about a run: its checkpoint, its environment, and the command that makes it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from toonbench.report.entries import Entry
from toonbench.report.site.names import shown
from toonbench.store import read_json
from toonbench.types import ToonbenchError


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Names and values, and a command; empty where nothing is known."""

    command: str
    checkpoint: tuple[tuple[str, str], ...]
    environment: tuple[tuple[str, str], ...]
    packages: str


def facts(entry: Entry) -> Facts:
    """The facts of a run, from its request and its result."""
    try:
        request = read_json(entry.root / "run.json")
    except ToonbenchError:
        request = None
    stored: dict[str, Any] = {**(cast("dict[str, Any]", request) if isinstance(request, dict) else {}), **entry.stored}
    environment = _table(stored.get("environment"))
    return Facts(
        command=shown(_command(entry, stored)),
        checkpoint=tuple((shown(key), shown(value)) for key, value in _table(stored.get("checkpoint")).items()),
        environment=tuple(_environment(environment, stored)),
        packages=shown(", ".join(f"{name} {version}" for name, version in _table(environment.get("packages")).items())),
    )


def _command(entry: Entry, stored: Mapping[str, Any]) -> str:
    """The command of a run. The path of a folder is not stored: it is written as DIR."""
    given = stored.get("device") == "given videos" or bool(stored.get("videos"))
    words = [
        "toonbench",
        *(["score", "--videos", "DIR", "--name", entry.method] if given else ["eval", "--method", entry.method]),
    ]
    words += ["--task", entry.task.partition("@")[0], "--data", entry.data if "@" in entry.data else "DIR"]
    if isinstance(stored.get("seed"), int) and stored["seed"]:
        words += ["--seed", str(stored["seed"])]
    if isinstance(stored.get("limit"), int):
        words += ["--limit", str(stored["limit"])]
    return shlex.join(words)


def _environment(environment: Mapping[str, Any], stored: Mapping[str, Any]) -> list[tuple[str, str]]:
    git = _table(environment.get("git"))
    commit = f"{str(git.get('commit', ''))[:12]}{' with local changes' if git.get('dirty') else ''}"
    found = {
        "toonbench": environment.get("toonbench"),
        "commit": commit if git.get("commit") else "",
        "python": environment.get("python"),
        "platform": environment.get("platform"),
        "device": stored.get("device"),
    }
    return [(name, shown(value)) for name, value in found.items() if value]


def _table(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
