"""Results of runs and of entries of leaderboards for releases: found, and as tables."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from toonbench.leaderboard.places import entry_folders
from toonbench.leaderboard.tables import unpacked
from toonbench.report.entries import Entry, find_entries
from toonbench.types import Result, ToonbenchError


@contextmanager
def stored_results(places: Sequence[Path]) -> Generator[list[Entry]]:
    """The results at or below `places`: folders of runs, or entries of leaderboards. Only scored ones.

    Raises ToonbenchError where there is none.
    """
    if entry_folders(places):
        with unpacked(places) as found:
            yield _scored(found, places)
    else:
        yield _scored(find_entries(places), places)


def _scored(found: Sequence[Entry], places: Sequence[Path]) -> list[Entry]:
    scored = [entry for entry in found if entry.results]
    if not scored:
        raise ToonbenchError(f"{', '.join(map(str, places))}: no run here is scored; run `toonbench score` first")
    return scored


def result_rows(entries: Sequence[Entry]) -> Iterator[dict[str, Any]]:
    """A row for each run and metric. Numbers that do not exist are empty."""
    for entry in entries:
        for name, one in entry.results.items():
            yield {
                "data": entry.data,
                "task": entry.task,
                "method": entry.method,
                "revision": entry.revision,
                "metric": name,
                "value": _number(one.value),
                "low": _number(one.low),
                "high": _number(one.high),
                "higher_is_better": one.higher_is_better,
                "pairs": one.pairs,
                "missing": one.missing,
                "coverage": _number(one.coverage),
                "seed": entry.stored.get("seed"),
                "data_fingerprint": entry.stored.get("data_fingerprint"),
                "pairs_fingerprint": entry.stored.get("pairs_fingerprint"),
                "caveats": " ".join(entry.stored.get("caveats", ())),
                "problem": entry.problem,
            }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def shown(value: float) -> str:
    """A number as cards show it."""
    return "" if math.isnan(value) else f"{value:.4g}"


def by_task(entries: Sequence[Entry]) -> tuple[list[str], list[list[str]]]:
    """The head and rows of a card's table of one method on one data set: a row for each metric, a column for each task."""
    tasks = list(dict.fromkeys(entry.task for entry in entries))
    names = list(dict.fromkeys(name for entry in entries for name in entry.results))
    found = {(name, entry.task): one for entry in entries for name, one in entry.results.items()}
    up = {name: one.higher_is_better for (name, _), one in found.items()}
    rows = [
        [f"{name} {'↑' if up[name] else '↓'}", *(_cell(found.get((name, task))) for task in tasks)] for name in names
    ]
    return ["metric", *tasks], rows


def _cell(one: Result | None) -> str:
    if one is None or math.isnan(one.value):
        return ""
    interval = "" if math.isnan(one.low) else f" ({shown(one.low)} to {shown(one.high)})"
    return f"{shown(one.value)}{interval}{f', {one.missing} of {one.pairs} pairs missing' if one.missing else ''}"
