"""Third-party weights: which there are, where they lie, whether they are sound, and how to get them.

None comes with toonbench, and nothing is downloaded unasked: `toonbench weights fetch` does that. They are kept in one
folder (`TOONBENCH_WEIGHTS`, which may be a shared, read-only disk) and verified before use.
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
    "entries",
    "entry",
    "folder",
    "missing",
    "needed_for",
    "path",
    "used",
]


class WeightsMissing(ToonbenchError):
    """Weights are not on this machine; the message has the command that gets them."""


def path(name: str) -> Path:
    """The verified file of the weights called `name`.

    Raises WeightsMissing where there is none, ToonbenchError for an unknown name or a file that is not what it should be.
    """
    found = check(entry(name))
    if found.state == "there":
        return found.path
    kind = ToonbenchError if found.state == "damaged" else WeightsMissing
    raise kind(f"{_problem(found)}: {_advice([name])}")


def missing(names: Iterable[str]) -> str:
    """An empty string if all of these are there and sound, else one line: what is not, and the command that gets it."""
    bad = [found for found in (check(entry(name)) for name in names) if found.state != "there"]
    if not bad:
        return ""
    absent = [found for found in bad if found.state != "damaged"]
    told = [f"weights {' and '.join(repr(found.entry.name) for found in absent)} are missing"] if absent else []
    told += [_problem(found) for found in bad if found.state == "damaged"]
    return f"{'; '.join(told)}: {_advice([found.entry.name for found in bad])}"


def used(names: Iterable[str]) -> dict[str, str]:
    """The sha256 of each of these that is there and sound: what a result was made with."""
    found = {name: check(entry(name)) for name in names}
    return {name: one.sha256 for name, one in found.items() if one.state == "there"}


def _problem(found: Check) -> str:
    if found.state == "damaged":
        return f"weights '{found.entry.name}' are damaged ({found.path}: {found.problem})"
    half = " (half a download is)" if found.state == "half" else ""
    return f"weights '{found.entry.name}' are not in {found.path.parent}{half}"


def _advice(names: list[str]) -> str:
    return f"run toonbench weights fetch {' '.join(names)}"
