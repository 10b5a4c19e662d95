"""Stored results of any number of runs, read without opening a data set, a metric or a network."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toonbench.score.stored import SCHEMA, read_object, request_problems, shape_problems, unchanged
from toonbench.store import Run, read_json
from toonbench.types import Result, ToonbenchError

DEPTH = 3  # of a run's folder below OUT: <data>/<task>/<method>
INSIDE = frozenset({"videos", "rows", "failures", "logs", "features"})  # folders that hold no runs
NUMBERS = ("value", "low", "high", "measured", "measured_low", "measured_high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The stored result of one run: one method on one task of one data set.

    `stored` is the content of result.json; it is empty if that cannot be used. `results` are its results by the metric's id.
    `problem` says why the run is listed without ranks: another schema, changed fields, missing pairs, not scored; empty if sound.
    """

    root: Path
    data: str
    task: str
    method: str
    revision: str
    stored: Mapping[str, Any] = field(default_factory=dict[str, Any])
    results: Mapping[str, Result] = field(default_factory=dict[str, Result])
    problem: str = ""

    @property
    def run(self) -> Run:
        """The run's folder."""
        return Run(self.root)

    @property
    def checkpoint(self) -> Mapping[str, str]:
        """What is known about the method's weights: file, sha256, variant; empty if it has none."""
        found = self.stored.get("checkpoint")
        return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def find_entries(places: Sequence[Path]) -> list[Entry]:
    """The stored runs in `places`, each the folder of a run or of several (OUT, OUT/<data>, OUT/<data>/<task>); each run once.

    They are sorted by data, task, method and folder. A run whose result cannot be used is an entry with a `problem`.
    Raises ToonbenchError for a place that does not exist or holds no run.
    """
    found: dict[Path, Path] = {}
    for place in places:
        roots = [*_run_folders(place, depth=DEPTH)]
        if not roots:
            what = "holds no run" if place.is_dir() else "is not a folder" if place.exists() else "does not exist"
            raise ToonbenchError(
                f"{place} {what}: give the folder of a run, or a folder of runs such as the --out of `toonbench eval`"
            )
        for root in roots:
            found.setdefault(root.resolve(), root)
    return sorted(map(read_entry, found.values()), key=lambda e: (e.data, e.task, e.method, e.revision, str(e.root)))


def read_entry(root: Path) -> Entry:
    """The stored run in the folder `root`. Never raises for what the files hold: the entry's `problem` says it."""
    place = root.resolve()
    names = {"data": place.parent.parent.name, "task": place.parent.name}
    method = place.name
    try:
        request = read_object(root / "run.json") if (root / "run.json").is_file() else {}
        names = {key: _text(request.get(key)) or name for key, name in names.items()}
        method = _text(request.get("method")) or method
        if not (root / "result.json").is_file():
            return _unusable(root, names, method, problem=NOT_SCORED)
        stored = read_json(root / "result.json")
    except ToonbenchError as error:
        return _unusable(root, names, method, problem=str(error))
    if problem := _unreadable(stored):
        return _unusable(root, names, method, problem=problem)
    try:
        return _entry(root, stored)
    except (TypeError, ValueError, OverflowError) as error:  # a count that is no number, or one too large for any
        return _unusable(root, names, method, problem=f"result.json cannot be used: {error}")


NOT_SCORED = "it is not scored (result.json is missing): run `toonbench eval` or `toonbench score` for it"


def _entry(root: Path, stored: Mapping[str, Any]) -> Entry:
    method, revision = _split(stored["method"])
    return Entry(
        root=root,
        data=stored["data"],
        task=stored["task"],
        method=method,
        revision=revision,
        stored=stored,
        results={one["metric"]: result_of(one) for one in stored["results"]},
        problem=next(_problems(root, stored), ""),
    )


def _unusable(root: Path, names: Mapping[str, str], method: str, *, problem: str) -> Entry:
    name, revision = _split(method)
    return Entry(
        root=root, data=names["data"], task=names["task"], method=name, revision=revision, problem=problem
    )  # fmt: skip


def _unreadable(stored: Any) -> str:
    """Why a result cannot be shown at all, or an empty string."""
    found = stored.get("schema") if isinstance(stored, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if isinstance(found, int) and not isinstance(found, bool) and found != SCHEMA:
        newer = f"toonbench that wrote it is newer than this one, which reads schema {SCHEMA}: update toonbench"
        older = f"this version reads schema {SCHEMA}: score the run again with `toonbench score`, which keeps its rows"
        return f"its schema is {found}; {newer if found > SCHEMA else older}"
    return next((f"result.json cannot be used: {problem}" for problem in shape_problems(stored)), "")


def _problems(root: Path, stored: Mapping[str, Any]) -> Iterator[str]:
    """Why a result that can be shown must not be ranked, the most serious first."""
    yield from unchanged(stored)
    yield from request_problems(root, stored)
    if not (root / "scores.csv").is_file():
        yield "scores.csv is missing: score the run again"
    if not (root / "rows").is_dir():
        yield "its rows are missing, so that its numbers cannot be compared or checked: copy the whole folder of the run"
    if not stored["results"]:
        yield "it has no result of any metric: score the run again with --metrics"
    failed = len(stored["failures"])
    if failed:
        yield f"{failed} of {stored['pairs']} pairs have no video: run `toonbench eval` again, which tries them again"


def result_of(fields: Mapping[str, Any]) -> Result:
    """A `Result` from its object in result.json, where null is NaN."""
    numbers = {key: _number(fields[key]) for key in NUMBERS}
    return Result(
        metric=str(fields["metric"]),
        pairs=int(fields["pairs"]),
        missing=int(fields["missing"]),
        clusters=int(fields.get("clusters") or 0),
        coverage=_number(fields["coverage"]),
        higher_is_better=bool(fields.get("higher_is_better")),
        notes=tuple(fields.get("notes", ())),
        details={str(key): _number(value) for key, value in fields.get("details", {}).items()},
        unranked=str(fields.get("unranked") or ""),
        **numbers,
    )


def label_of(entries: Iterable[Entry]) -> dict[Path, str]:
    """Each entry's folder to the shortest name that no other has: the method, with its revision, or the folder's path."""
    entries = list(entries)
    choices = [{entry.root: form(entry) for entry in entries} for form in (_method, _method_revision, _folder)]
    counts = [_counted(choice.values()) for choice in choices]
    found = {
        entry.root: next(
            (
                choice[entry.root]
                for choice, count in zip(choices, counts, strict=True)
                if count[choice[entry.root]] == 1
            ),
            str(entry.root.resolve()),
        )
        for entry in entries
    }
    final = _counted(found.values())  # a method called `a@1` and revision 1 of `a` would have one name
    return {root: name if final[name] == 1 else str(root.resolve()) for root, name in found.items()}


def _method(entry: Entry) -> str:
    return entry.method


def _method_revision(entry: Entry) -> str:
    return f"{entry.method}@{entry.revision}" if entry.revision else entry.method


def _folder(entry: Entry) -> str:
    return str(entry.root)


def _counted(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts


def _run_folders(place: Path, *, depth: int) -> Iterator[Path]:
    """The folders of runs in `place`, itself or at most `depth` levels below it, in the order of their names."""
    names = {one.name: one for one in os.scandir(place)} if place.is_dir() else {}
    if "run.json" in names or "result.json" in names:
        yield place
        return
    if depth:
        for name in sorted(names):
            if name not in INSIDE and not name.startswith(".") and names[name].is_dir():
                yield from _run_folders(place / name, depth=depth - 1)


def _split(method: str) -> tuple[str, str]:
    name, at, revision = method.rpartition("@")
    return (name, revision) if at and name else (method, "")


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
