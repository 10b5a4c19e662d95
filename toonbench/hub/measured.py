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
from toonbench.types import ToonbenchError


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


def shown_rows(entries: Sequence[Entry]) -> list[tuple[object, ...]]:
    """The rows of a card's table: data, task, metric, value with its interval, pairs, missing."""
    return [
        (
            entry.data,
            entry.task,
            name,
            "↑" if one.higher_is_better else "↓",
            shown(one.value),
            "" if math.isnan(one.low) else f"{shown(one.low)} to {shown(one.high)}",
            one.pairs,
            one.missing,
        )
        for entry in entries
        for name, one in entry.results.items()
    ]


HEAD = ("data", "task", "metric", "better", "value", "95% interval", "pairs", "missing")
