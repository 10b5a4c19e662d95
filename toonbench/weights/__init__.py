"""Third-party weights: list, locate, verify and fetch them.

toonbench contains none of them and downloads nothing automatically; `toonbench weights fetch` downloads. Weights are kept in
one folder (`TOONBENCH_WEIGHTS`, which may be a shared, read-only disk) and verified before use.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from toonbench.types import ToonbenchError
from toonbench.weights.manifest import Entry, entries, entry, needed_for
from toonbench.weights.verify import Check, check, folder

__all__ = [
    "Check",
    "Entry",
    "WeightsMissing",
    "check",
    "damaged",
    "entries",
    "entry",
    "folder",
    "missing",
    "needed_for",
    "path",
    "used",
]


class WeightsMissing(ToonbenchError):
    """Weights are not on this machine; the message has the command that fetches them."""


def path(name: str) -> Path:
    """The verified file of the weights called `name`.

    Raises WeightsMissing if the file is missing, ToonbenchError for an unknown name or a damaged file.
    """
    found = check(entry(name))
    if found.state == "there":
        return found.path
    kind = ToonbenchError if found.state == "damaged" else WeightsMissing
    raise kind(f"{_problem(found)}: {_advice([name])}")


def missing(names: Iterable[str]) -> str:
    """An empty string if all of these are available, otherwise one line: which are not, and the command that fetches them."""
    bad = [found for found in (check(entry(name)) for name in names) if found.state != "there"]
    if not bad:
        return ""
    absent = [found for found in bad if found.state != "damaged"]
    problems = [f"weights {' and '.join(repr(found.entry.name) for found in absent)} are missing"] if absent else []
    problems += [_problem(found) for found in bad if found.state == "damaged"]
    return f"{'; '.join(problems)}: {_advice([found.entry.name for found in bad])}"


def damaged(names: Iterable[str]) -> bool:
    """Whether any of these is there and is not what the manifest says."""
    return any(check(entry(name)).state == "damaged" for name in names)


def used(names: Iterable[str]) -> dict[str, str]:
    """The sha256 of each of these that is available, to be recorded in a result."""
    found = {name: check(entry(name)) for name in names}
    return {name: one.sha256 for name, one in found.items() if one.state == "there"}


def _problem(found: Check) -> str:
    if found.state == "damaged":
        return f"weights '{found.entry.name}' are damaged ({found.path}: {found.problem})"
    half = " (only an incomplete download is)" if found.state == "half" else ""
    return f"weights '{found.entry.name}' are not in {found.path.parent}{half}"


def _advice(names: list[str]) -> str:
    return f"run toonbench weights fetch {' '.join(names)}"
