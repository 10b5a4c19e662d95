"""The worst pairs of each method on each metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from toonbench.report.site.data import Worst
from toonbench.report.site.model import LeaderboardView, MethodView
from toonbench.report.site.names import number
from toonbench.report.site.table import places_of

MOST = 8  # pairs of each method


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstPair:
    """A pair in a list: its value in words, the clips, and the link to the frame with the worst value."""

    text: str
    source: str
    driving: str
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstList:
    """The worst pairs on one metric: for each place a pair for each method, or None."""

    metric: str
    name: str
    page: str
    higher_is_better: bool
    methods: tuple[MethodView, ...]
    places: tuple[tuple[WorstPair | None, ...], ...]


def worst_lists(view: LeaderboardView, worst: Mapping[str, Worst]) -> list[WorstList]:
    """A list for each metric that pairs have a value of."""
    found: list[WorstList] = []
    for metric in view.metrics:
        methods = [one for one in view.methods if any(metric in row.values for row in one.rows.values())]
        columns = [_column(view, one, metric, worst) for one in methods]
        depth = max(map(len, columns), default=0)
        if depth:
            found.append(
                WorstList(
                    metric=metric,
                    name=view.metric_name(metric),
                    page=view.metric_pages[metric],
                    higher_is_better=view.higher_is_better(metric),
                    methods=tuple(methods),
                    places=tuple(tuple(c[at] if at < len(c) else None for c in columns) for at in range(depth)),
                )
            )
    return found


def _column(view: LeaderboardView, method: MethodView, metric: str, worst: Mapping[str, Worst]) -> list[WorstPair]:
    index = view.methods.index(method)
    sign = 1 if view.higher_is_better(metric) else -1
    rows = [row for row in method.rows.values() if math.isfinite(row.values.get(metric, math.nan))]
    rows.sort(key=lambda row: (sign * row.values[metric], row.pair))
    places = places_of(view, metric)
    found: list[WorstPair] = []
    for row in rows[:MOST]:
        frames = worst[row.pair].frames.get(metric) if row.pair in worst else None
        frame = frames[index] if frames else None
        link = f"#pair={view.files[row.pair]}&methods={quote(method.slug)}&metric={quote(view.metric_pages[metric])}"
        found.append(
            WorstPair(
                text=number(row.values[metric], places),
                source=view.short[row.source],
                driving=view.short[row.driving],
                link=link + (f"&frame={frame}" if frame is not None else ""),
            )
        )
    return found
