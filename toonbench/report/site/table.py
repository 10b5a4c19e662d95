"""The leaderboard of a leaderboard as cells with the coordinates of their intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from toonbench.report.site.model import LeaderboardView, MethodView
from toonbench.report.site.names import number, shown
from toonbench.types import Result

WIDTH = 84.0  # of an interval's drawing
EDGE = 3.0  # on both sides of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A number of one method on one metric; `text` is a dash, and `note` the reason, where there is none.

    `value`, `low` and `high` are places in a drawing of WIDTH, or None. `title` is the cell in words. `part` says how much is missing.
    """

    text: str
    sort: str = ""
    rank: int | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    title: str = ""
    part: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A metric as a column. `unranked` says why it has no ranks, or is empty."""

    metric: str
    name: str
    page: str
    higher_is_better: bool
    unranked: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A method as a row."""

    method: MethodView
    cells: tuple[Cell, ...]
    missing: int
    pairs: int
    coverage: float
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The table of a leaderboard: ranked rows first, by the first metric; then the runs without ranks, with the reason."""

    columns: tuple[Column, ...]
    ranked: tuple[Row, ...]
    unranked: tuple[Row, ...]


def table_of(view: LeaderboardView) -> Table:
    """The table of a leaderboard."""
    columns = tuple(_column(view, metric) for metric in view.metrics)
    spans = [_span(view, metric) for metric in view.metrics]
    rows = [_row(view, method, columns, spans) for method in view.methods]
    first = columns[0] if columns else None
    rows.sort(key=lambda row: _order(row, first))
    return Table(
        columns=columns,
        ranked=tuple(row for row in rows if not row.problem),
        unranked=tuple(row for row in rows if row.problem),
    )


def places_of(view: LeaderboardView, metric: str) -> int:
    """How many decimals show a metric: two digits of the typical half width of its intervals."""
    found = [one.entry.results[metric] for one in view.methods if metric in one.entry.results]
    widths = sorted(w for r in found if math.isfinite(w := (r.high - r.low) / 2) and w > 0)
    if not widths:
        return 3
    return min(4, max(0, 1 - math.floor(math.log10(widths[len(widths) // 2]))))


def _column(view: LeaderboardView, metric: str) -> Column:
    reasons = [one.entry.results[metric].unranked for one in view.methods if metric in one.entry.results]
    return Column(
        metric=metric,
        name=view.metric_name(metric),
        page=view.metric_pages[metric],
        higher_is_better=view.higher_is_better(metric),
        unranked=shown(next((one for one in reasons if one), "")),
    )


def _span(view: LeaderboardView, metric: str) -> tuple[float, float]:
    """The range of a column's drawings: of all values and intervals."""
    found = [one.entry.results[metric] for one in view.methods if metric in one.entry.results]
    ends = [n for one in found for n in (one.value, one.low, one.high) if math.isfinite(n)]
    return (min(ends), max(ends)) if ends else (0.0, 0.0)


def _row(
    view: LeaderboardView, method: MethodView, columns: Sequence[Column], spans: Sequence[tuple[float, float]]
) -> Row:
    results = method.entry.results
    pairs = max((one.pairs for one in results.values()), default=0)
    return Row(
        method=method,
        cells=tuple(_cell(view, method, column, span) for column, span in zip(columns, spans, strict=True)),
        missing=max((one.missing for one in results.values()), default=0),
        pairs=pairs,
        coverage=min((one.coverage for one in results.values() if math.isfinite(one.coverage)), default=math.nan),
        problem=shown(method.entry.problem),
    )


def _cell(view: LeaderboardView, method: MethodView, column: Column, span: tuple[float, float]) -> Cell:
    result = method.entry.results.get(column.metric)
    if result is None:
        return Cell(text="–", title=shown(_why_none(method, column.metric)))
    places = places_of(view, column.metric)
    if not math.isfinite(result.value):
        return Cell(
            text="–",
            title=f"{result.missing} of {result.pairs} pairs are missing, and a missing pair has no worst value",
        )
    return Cell(
        text=number(result.value, places),
        sort=repr(result.value),
        rank=view.ranks.get((method.label, column.metric)),
        value=_place(result.value, span),
        low=_place(result.low, span),
        high=_place(result.high, span),
        title=_words(result, places),
        part=f"{result.pairs - result.missing} of {result.pairs} pairs" if result.missing else "",
    )


def _words(result: Result, places: int) -> str:
    interval = ""
    if math.isfinite(result.low) and math.isfinite(result.high):
        interval = f", 95 % interval {number(result.low, places)} to {number(result.high, places)}"
    return f"{number(result.value, places)}{interval}; {result.coverage:.0%} of frames measured"


def _why_none(method: MethodView, metric: str) -> str:
    skipped = method.entry.stored.get("skipped", {})
    found = skipped.get(metric) if isinstance(skipped, dict) else None
    if isinstance(found, dict):
        return str(found.get("reason", ""))
    return "this run has no result of this metric"


def _place(value: float, span: tuple[float, float]) -> float | None:
    if not math.isfinite(value):
        return None
    low, high = span
    share = (value - low) / (high - low) if high > low else 0.5
    return round(EDGE + share * (WIDTH - 2 * EDGE), 1)


def _order(row: Row, first: Column | None) -> tuple[float, str]:
    result = row.method.entry.results.get(first.metric) if first else None
    if result is None or not math.isfinite(result.value):
        return (math.inf, row.method.label)
    return (-result.value if first and first.higher_is_better else result.value, row.method.label)


def skipped_metrics(methods: Iterable[MethodView]) -> dict[str, str]:
    """The metrics that no run has a result of, and why."""
    methods = list(methods)
    measured = {name for one in methods for name in one.entry.results}
    found: dict[str, str] = {}
    for one in methods:
        skipped = one.entry.stored.get("skipped", {})
        for name, skip in skipped.items() if isinstance(skipped, dict) else ():
            if name not in measured and isinstance(skip, dict):
                found.setdefault(shown(name), shown(skip.get("reason", "")))
    return found
