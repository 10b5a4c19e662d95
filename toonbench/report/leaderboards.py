"""Stored results of the same pairs, side by side, with ranks by the paired test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from toonbench import registry
from toonbench.compare import Comparison, ReferenceOf, compare, same_pairs
from toonbench.report.entries import Entry, label_of
from toonbench.score import rows_name
from toonbench.store import Run
from toonbench.types import Result, ToonbenchError

SAME = ("data", "data_fingerprint", "task", "seed", "limit", "pairs_fingerprint")
References = Callable[[Mapping[str, Run]], ReferenceOf]
ALONE = "fewer than two complete runs of these pairs: no ranks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """All runs of the same pairs of one task. `about` is what they share; `names` are different names for the runs.

    `metrics` are the ids of all metrics with a result, in the order of the results. `comparison` holds ranks and differences of the
    sound entries, or None if there are none; a method that lacks a metric has no row there. `notes` says what has no ranks, and why.
    """

    data: str
    task: str
    about: Mapping[str, Any]
    entries: tuple[Entry, ...]
    names: Mapping[Path, str]
    metrics: tuple[str, ...]
    comparison: Comparison | None
    notes: tuple[str, ...] = ()


def leaderboards(
    entries: Sequence[Entry],
    *,
    metrics: Sequence[str] | None = None,
    ranks: bool = True,
    references: References | None = None,
) -> list[Leaderboard]:
    """One leaderboard for every set of equal pairs, in the order of `entries`.

    `metrics` (names or ids) are the metrics to rank and list; by default all. An entry whose result cannot be read belongs to the
    largest leaderboard of its data set and task, or to a leaderboard of its own. `ranks` False computes no comparison. `references` gives
    the reference rows of metrics such as FID for runs; without it these have no ranks.
    """
    groups: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in entries:
        if entry.stored:
            groups.setdefault(_same(entry), []).append(entry)
    for entry in entries:
        if not entry.stored:
            groups.setdefault(_place(groups, entry), []).append(entry)
    return [_leaderboard(group, metrics=metrics, ranks=ranks, references=references) for group in groups.values()]


def rank_of(leaderboard: Leaderboard, entry: Entry, metric: str) -> int | None:
    """The shared rank of an entry on a metric (1 is best); None where it has none."""
    found = leaderboard.comparison.metrics if leaderboard.comparison else ()
    rows = (row for one in found if one.metric == metric for row in one.methods)
    return next((row.rank for row in rows if row.method == leaderboard.names[entry.root]), None)


def missing_of(result: Result) -> tuple[int, int]:
    """The number of missing pairs, and of all pairs."""
    return result.missing, result.pairs


def _same(entry: Entry) -> tuple[Any, ...]:
    return tuple(entry.stored.get(key) for key in SAME)


def _place(groups: Mapping[tuple[Any, ...], Sequence[Entry]], entry: Entry) -> tuple[Any, ...]:
    own = [key for key, group in groups.items() if (group[0].data, group[0].task) == (entry.data, entry.task)]
    return max(own, key=lambda key: len(groups[key]), default=(entry.data, None, entry.task))


def _leaderboard(
    group: Sequence[Entry], *, metrics: Sequence[str] | None, ranks: bool, references: References | None
) -> Leaderboard:
    names = label_of(group)
    listed = list(dict.fromkeys(name for entry in group for name in entry.results))
    if metrics is not None:
        listed = [name for name in listed if name in metrics or name.partition("@")[0] in metrics]
    ranking = _Ranking(names=names, references=references)
    entries, comparison = ranking.rank(group, listed) if ranks else (tuple(group), None)
    caveats = [str(one) for entry in group for one in entry.stored.get("caveats", ())]
    return Leaderboard(
        data=group[0].data,
        task=group[0].task,
        about={key: group[0].stored.get(key) for key in SAME},
        entries=entries,
        names=names,
        metrics=tuple(listed),
        comparison=comparison,
        notes=tuple(dict.fromkeys([*ranking.notes, *caveats])),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ranking:
    """Ranks of the sound entries of a leaderboard, and notes about what has none."""

    names: Mapping[Path, str]
    references: References | None
    notes: list[str] = field(default_factory=list[str])

    def rank(self, group: Sequence[Entry], metrics: Sequence[str]) -> tuple[tuple[Entry, ...], Comparison | None]:
        """The entries, those of which a file turned out to be damaged with a problem, and the comparison of the others."""
        entries = tuple(group)
        try:
            return entries, self._compared(_sound(entries), metrics)
        except ToonbenchError as error:
            entries = _checked(entries, metrics)
            if not any(new.problem != old.problem for new, old in zip(entries, group, strict=True)):
                self.notes.append(f"no ranks: {error}")
                return entries, None
        try:
            return entries, self._compared(_sound(entries), metrics)
        except ToonbenchError as error:
            self.notes.append(f"no ranks: {error}")
            return entries, None

    def _compared(self, sound: Sequence[Entry], metrics: Sequence[str]) -> Comparison | None:
        """The comparison on every metric of those entries that have it; None for fewer than two entries."""
        if len(sound) < 2:
            self.notes.append(ALONE)
            return None
        parts = [self._part(having, names) for having, names in self._having(sound, metrics)]
        if not parts:
            return None
        order = {name: at for at, name in enumerate(metrics)}
        found = sorted((one for part in parts for one in part.metrics), key=lambda one: order[one.metric])
        skipped = {name: reason for part in parts for name, reason in part.skipped.items() if name in order}
        self.notes.extend(f"{name} has no ranks: {reason}" for name, reason in skipped.items())
        widest = max(parts, key=lambda part: len(part.runs))
        runs = {self.names[entry.root]: str(entry.root) for entry in sound}
        return replace(widest, runs=runs, metrics=tuple(found), skipped=skipped)

    def _part(self, having: Sequence[Entry], metrics: Sequence[str]) -> Comparison:
        runs = {self.names[entry.root]: entry.run for entry in having}
        reference = self.references(runs) if self.references else None
        return compare(runs, metrics=metrics, reference_of=reference)

    def _having(self, sound: Sequence[Entry], metrics: Sequence[str]) -> list[tuple[list[Entry], list[str]]]:
        """The entries that have rows of a metric, with all metrics of which they are the ones."""
        found: dict[tuple[int, ...], list[str]] = {}
        for name in metrics:
            if reason := _not_here(name):
                self.notes.append(f"{name} has no ranks: {reason}")
                continue
            having = tuple(at for at, entry in enumerate(sound) if name in entry.results and _has_rows(entry, name))
            if len(having) < 2:
                self.notes.append(f"{name} has no ranks: fewer than two complete runs have rows of it")
                continue
            found.setdefault(having, []).append(name)
        return [([sound[at] for at in having], names) for having, names in found.items()]


def _sound(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if not entry.problem]


def _not_here(name: str) -> str:
    """Why a metric of a result cannot be loaded on this machine, or an empty string."""
    try:
        registry.load_metric(name)
    except ToonbenchError as error:
        return str(error)
    return ""


def _has_rows(entry: Entry, metric: str) -> bool:
    return (entry.root / "rows" / rows_name(registry.load_metric(metric))).is_dir()


def _checked(entries: Sequence[Entry], metrics: Sequence[str]) -> tuple[Entry, ...]:
    """The entries; those that have other pairs than most, or rows that cannot be read, with a problem."""
    lists = {entry.root: _pairs(entry) for entry in entries if not entry.problem}
    counts = Counter(pairs for pairs in lists.values() if pairs)
    usual = counts.most_common(1)[0][0] if counts else ()
    return tuple(
        replace(entry, problem=_fault(entry, lists[entry.root], usual=usual, metrics=metrics))
        if entry.root in lists
        else entry
        for entry in entries
    )


def _fault(entry: Entry, pairs: Sequence[str], *, usual: Sequence[str], metrics: Sequence[str]) -> str:
    """What is wrong with the files of an entry, or an empty string."""
    if pairs != usual:
        return "its scores.csv lists other pairs than the other runs: score it again"
    for name in metrics:
        if name not in entry.results or _not_here(name):
            continue
        for pair in pairs:
            try:
                entry.run.read_rows(rows_name(registry.load_metric(name)), pair)
            except ToonbenchError as error:
                return str(error)
    return ""


def _pairs(entry: Entry) -> tuple[str, ...]:
    """The pairs in scores.csv with their clips, or nothing where it cannot be read."""
    try:
        _, pairs = same_pairs({entry.method: entry.run})
    except ToonbenchError:
        return ()
    return tuple(pairs)
