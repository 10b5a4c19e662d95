"""What the pages show of a leaderboard: its methods, metrics, pairs and their values, with an address for each."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from toonbench.report.entries import Entry
from toonbench.report.leaderboards import Leaderboard
from toonbench.report.site.curves import metric_of
from toonbench.report.site.names import digest, shared_start, shown, slugs

REFERENCES = {  # in the order in which they are shown, after all other methods
    "landmark-warp": "a warp without training",
    "static": "the source in every frame, without motion",
    "paste": "the driving video itself",
    "noisy-oracle": "the target with noise",
    "oracle": "the target itself",
}
OTHER_COLUMNS = frozenset({"pair", "source", "driving", "failure"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """A row of a run's scores.csv: a pair, the ids of its clips, its value of each metric (NaN: none), and why it failed."""

    pair: str
    source: str
    driving: str
    values: Mapping[str, float] = field(default_factory=dict[str, float])
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodView:
    """A run on a leaderboard. `slug` is its name in addresses; `reference` says what a reference method is, or is empty."""

    entry: Entry
    label: str
    slug: str
    page: str
    rows: Mapping[str, PairRow]

    @property
    def reference(self) -> str:
        """What a reference method does; empty for any other method."""
        return REFERENCES.get(self.entry.method, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderboardView:
    """A leaderboard with addresses. `pairs` are those of all its runs, in the task's order, `files` their names in addresses."""

    leaderboard: Leaderboard
    slug: str
    methods: tuple[MethodView, ...]
    pairs: tuple[PairRow, ...]
    files: Mapping[str, str]
    metric_pages: Mapping[str, str]
    short: Mapping[str, str]
    ranks: Mapping[tuple[str, str], int]

    @property
    def metrics(self) -> tuple[str, ...]:
        """The ids of its metrics."""
        return self.leaderboard.metrics

    def metric_name(self, metric: str) -> str:
        """The name of a metric; with its version if the leaderboard has several versions of it."""
        bare = metric.partition("@")[0]
        several = sum(one.partition("@")[0] == bare for one in self.metrics) > 1
        return shown(metric if several else bare)

    def higher_is_better(self, metric: str) -> bool:
        """The direction of a metric: its own, or, if it is not installed, that of a result, of a sound one if there is one."""
        if loaded := metric_of(metric):
            return loaded.higher_is_better
        having = [one.entry for one in self.methods if metric in one.entry.results]
        return bool(having) and min(having, key=lambda one: bool(one.problem)).results[metric].higher_is_better


def views(leaderboards: Sequence[Leaderboard]) -> list[LeaderboardView]:
    """The leaderboards with addresses that differ."""
    keys = _keys(leaderboards)
    names = slugs(keys)
    pages = method_pages(entry for leaderboard in leaderboards for entry in leaderboard.entries)
    metrics = slugs(dict.fromkeys(name for leaderboard in leaderboards for name in leaderboard.metrics))
    return [
        _view(leaderboard, slug=names[key], pages=pages, metrics=metrics)
        for key, leaderboard in zip(keys, leaderboards, strict=True)
    ]


def _keys(leaderboards: Sequence[Leaderboard]) -> list[str]:
    """A text for each leaderboard; where two of one task have other data, pairs or both, with a checksum of all that they share."""
    keys = [_key(leaderboard) for leaderboard in leaderboards]
    return [
        f"{key}-{digest(repr(sorted(one.about.items())))}" if keys.count(key) > 1 else key
        for key, one in zip(keys, leaderboards, strict=True)
    ]


def _key(leaderboard: Leaderboard) -> str:
    """Data and task, and what else defines the pairs of a leaderboard if they are not the usual ones."""
    about = leaderboard.about
    usual = not about.get("seed") and about.get("limit") is None and about.get("pairs_fingerprint")
    extra = (
        "" if usual else f"-seed{about.get('seed')}-limit{about.get('limit')}-{about.get('pairs_fingerprint') or ''}"
    )
    return f"{leaderboard.task}-{leaderboard.data}{extra}"


def method_pages(entries: Iterable[Entry]) -> dict[tuple[str, str], str]:
    """The address of the page of each method and revision."""
    both = dict.fromkeys((entry.method, entry.revision) for entry in entries)
    names = slugs(f"{method}@{revision}" for method, revision in both)
    return {key: names[f"{key[0]}@{key[1]}"] for key in both}


def _view(
    leaderboard: Leaderboard, *, slug: str, pages: Mapping[tuple[str, str], str], metrics: Mapping[str, str]
) -> LeaderboardView:
    names = slugs(leaderboard.names[entry.root] for entry in leaderboard.entries)
    methods = tuple(
        MethodView(
            entry=entry,
            label=leaderboard.names[entry.root],
            slug=names[leaderboard.names[entry.root]],
            page=pages[entry.method, entry.revision],
            rows=read_scores(entry.root / "scores.csv"),
        )
        for entry in sorted(
            leaderboard.entries, key=lambda one: [*REFERENCES].index(one.method) if one.method in REFERENCES else -1
        )
    )
    pairs: dict[str, PairRow] = {}
    for method in sorted(methods, key=lambda one: bool(one.entry.problem)):
        for name, row in method.rows.items():
            pairs.setdefault(name, row)
    clips = [row.source for row in pairs.values()] + [row.driving for row in pairs.values()]
    start = shared_start(clips)
    return LeaderboardView(
        leaderboard=leaderboard,
        slug=slug,
        methods=methods,
        pairs=tuple(pairs.values()),
        files={pair: digest(pair) for pair in pairs},
        metric_pages=metrics,
        short={name: shown(name.removeprefix(start)) for name in clips},
        ranks=_ranks(leaderboard),
    )


def _ranks(leaderboard: Leaderboard) -> dict[tuple[str, str], int]:
    """(label, metric) to the shared rank, where there is one."""
    found = leaderboard.comparison.metrics if leaderboard.comparison else ()
    return {(row.method, one.metric): row.rank for one in found for row in one.methods if row.rank is not None}


def read_scores(path: Path) -> dict[str, PairRow]:
    """The rows of a scores.csv by pair; none if it cannot be read."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = [*csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
    found: dict[str, PairRow] = {}
    for line in lines:
        if line.get("pair"):
            values = {str(key): _number(value) for key, value in line.items() if key not in OTHER_COLUMNS and key}
            found[line["pair"]] = PairRow(
                pair=line["pair"],
                source=line.get("source") or "",
                driving=line.get("driving") or "",
                values=values,
                failure=line.get("failure") or "",
            )
    return found


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except (TypeError, ValueError):
        return math.nan
