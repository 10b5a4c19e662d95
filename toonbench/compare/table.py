"""The stored values of one metric: a row for each method, and a difference for every two."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypedDict

import numpy as np

from toonbench import registry
from toonbench.compare.runs import Clips, noted, unranked
from toonbench.score import equal_sets, failed_name, rows_name
from toonbench.stats import paired
from toonbench.stats.summary import pair_value, pair_weight, summarise
from toonbench.store import Run
from toonbench.types import Metric, Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodRow:
    """One method on one metric. `rank` is None for an incomplete method, and `reason` says what is missing."""

    method: str
    value: float
    low: float
    high: float
    pairs: int
    missing: int
    rank: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """a - b on the pairs that both have, its 95 % interval, p before and after Holm's correction, and the detectable difference.

    `better` is the method that is significantly better, or empty. `partial` is true if one of the two is incomplete.
    """

    a: str
    b: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    smallest_p: float
    exact: bool
    detectable: float
    pairs: int
    clusters: int
    better: str
    partial: bool
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricComparison:
    """All methods on one metric, and the differences of every two: one family of comparisons for Holm's correction."""

    metric: str
    higher_is_better: bool
    methods: tuple[MethodRow, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]


class _Labels(TypedDict):
    driving: list[str]
    sources: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The stored data of one metric: method to pair to value (NaN: none), to weight, and to the reason of a missing value.

    Without `ranks` methods get no rank, and none is better than another.
    """

    runs: Mapping[str, Run]
    metric: Metric
    pairs: Mapping[str, Clips]
    reference: Sequence[Rows]
    equal: bool
    ranks: bool
    values: Mapping[str, Mapping[str, float]]
    counts: Mapping[str, Mapping[str, tuple[float, float]]]
    weights: Mapping[str, Mapping[str, float]]
    reasons: Mapping[str, Mapping[str, str]]
    left_out: dict[tuple[str, tuple[str, ...]], paired.LeaveOut] = field(
        default_factory=dict["tuple[str, tuple[str, ...]]", paired.LeaveOut]
    )

    @classmethod
    def read(
        cls,
        runs: Mapping[str, Run],
        metric: Metric,
        *,
        pairs: Mapping[str, Clips],
        reference: Sequence[Rows],
        equal: bool,
    ) -> Table:
        """The stored values of `metric` of each run, for the pairs of `pairs`."""
        values: dict[str, dict[str, float]] = {}
        weights: dict[str, dict[str, float]] = {}
        counts: dict[str, dict[str, tuple[float, float]]] = {}
        reasons: dict[str, dict[str, str]] = {}
        for name, run in runs.items():
            values[name], weights[name], reasons[name], counts[name] = {}, {}, {}, {}
            for pair in pairs:
                rows = run.read_rows(rows_name(metric), pair, lazy=metric.aggregate == "corpus")
                values[name][pair] = _value(metric, rows)
                weights[name][pair] = pair_weight(metric, rows)
                if metric.aggregate == "events" and rows is not None:
                    counts[name][pair] = metric.counts(rows)
                reasons[name][pair] = _reason(run, metric, pair, measured=rows is not None)
        return cls(
            runs=runs, metric=metric, pairs=pairs, reference=reference, equal=equal, ranks=not unranked(runs, metric),
            values=values, counts=counts, weights=weights, reasons=reasons,
        )  # fmt: skip

    def compare(self) -> MetricComparison:
        """A row for each method, and a difference for every two methods in the given order."""
        missing, unmeasured = self._missing()
        differences = self._differences(missing)
        complete = [name for name in self.runs if not missing[name] and self.ranks]
        better = [(d.better, d.b if d.better == d.a else d.a) for d in differences if d.better]
        ranks = paired.shared_ranks(complete, better) if len(complete) > 1 else {}
        return MetricComparison(
            metric=registry.metric_id(self.metric),
            higher_is_better=self.metric.higher_is_better,
            methods=tuple(self._method_row(name, missing[name], rank=ranks.get(name)) for name in self.runs),
            differences=tuple(differences),
            notes=tuple(self._notes(differences, unmeasured)),
        )

    def _missing(self) -> tuple[dict[str, list[str]], list[str]]:
        """The missing pairs of each method; and the pairs that all methods lack for the same reason, which count for no method."""
        missing: dict[str, list[str]] = {name: [] for name in self.runs}
        unmeasured: list[str] = []
        for pair in self.pairs:
            has = {name: np.isfinite(self.values[name][pair]) for name in self.runs}
            if not any(has.values()) and len({self.reasons[name][pair] for name in self.runs}) == 1:
                unmeasured.append(pair)
                continue
            for name in self.runs:
                if not has[name] and (self.reasons[name][pair] or any(has.values())):
                    missing[name].append(pair)
        return missing, unmeasured

    def _method_row(self, name: str, missing: Sequence[str], *, rank: int | None) -> MethodRow:
        own = [pair for pair, value in self.values[name].items() if np.isfinite(value)]
        if self.metric.aggregate == "corpus":
            interval = paired.set_interval(self._leave_out(name, own), bounds=self.metric.bounds)
        else:
            counted = sorted({*own, *missing}, key=list(self.pairs).index)
            rows = [
                None if pair in missing else self.runs[name].read_rows(rows_name(self.metric), pair) for pair in counted
            ]
            values = [self.values[name][pair] for pair, one in zip(counted, rows, strict=True) if one is not None]
            interval = summarise(self.metric, rows, **self._labels(counted), values=values).printed
        reason = ""
        if missing:
            why = Counter(self.reasons[name][pair] or "no value" for pair in missing).most_common(1)[0][0]
            reason = f"{len(missing)} of {len(self.pairs)} pairs failed ({why})"
        return MethodRow(
            method=name, value=interval.value, low=interval.low, high=interval.high, pairs=len(own),
            missing=len(missing), rank=rank, reason=reason,
        )  # fmt: skip

    def _differences(self, missing: Mapping[str, Sequence[str]]) -> list[Difference]:
        raw = [
            self._difference(a, b, partial=bool(missing[a] or missing[b]))
            for a, b in itertools.combinations(self.runs, 2)
        ]
        adjusted = paired.holm([one.p for one in raw])
        return [replace(one, p_holm=p, better=self._better(one, p)) for one, p in zip(raw, adjusted, strict=True)]

    def _difference(self, a: str, b: str, *, partial: bool) -> Difference:
        common = [
            pair for pair in self.pairs if np.isfinite(self.values[a][pair]) and np.isfinite(self.values[b][pair])
        ]
        labels = self._labels(common)
        if self.metric.aggregate == "corpus":
            found = paired.compare_sets(
                self._leave_out(a, common), self._leave_out(b, common), bounds=self.metric.bounds
            )
        elif self.metric.aggregate == "events":
            one, other = (np.array([self.counts[name][pair] for pair in common]).reshape(-1, 2) for name in (a, b))
            found = paired.compare_events(one, other, labels["driving"], sources=labels["sources"])
        else:
            weights = [
                (self.weights[a][pair] + self.weights[b][pair]) / 2 for pair in common
            ]  # equal to the weight of the target's frames
            found = paired.compare_means(
                self._of(a, common),
                self._of(b, common),
                labels["driving"],
                sources=labels["sources"],
                weights=weights,
                bounds=self.metric.bounds,
            )
        interval = found.interval
        return Difference(
            a=a, b=b, difference=interval.value, low=interval.low, high=interval.high, p=found.p, p_holm=found.p,
            smallest_p=found.smallest, exact=found.exact, detectable=found.detectable, pairs=len(common),
            clusters=interval.clusters, better="", partial=partial, note=interval.reason,
        )  # fmt: skip

    def _better(self, one: Difference, p: float) -> str:
        if not self.ranks or not p <= paired.ALPHA:  # NaN is not significant
            return ""
        return one.a if (one.difference > 0) == self.metric.higher_is_better else one.b

    def _notes(self, differences: Sequence[Difference], unmeasured: Sequence[str]) -> list[str]:
        notes = noted(self.runs, self.metric)
        if unmeasured:
            why = next(iter(self.reasons.values()))[unmeasured[0]]
            notes.append(
                f"{len(unmeasured)} of {len(self.pairs)} pairs left out, no method has a value{why and f': {why}'}"
            )
        family = sum(np.isfinite(one.p) for one in differences)
        for one in differences:
            if one.smallest_p * family > paired.ALPHA:
                notes.append(_too_few(one, family))
            if one.note:
                notes.append(f"{one.a} and {one.b}: {one.note}")
        return list(dict.fromkeys(notes))

    def _of(self, name: str, pairs: Sequence[str]) -> list[float]:
        return [self.values[name][pair] for pair in pairs]

    def _labels(self, pairs: Sequence[str]) -> _Labels:
        """The driving videos and sources of pairs, as arguments of the functions of `toonbench.stats`."""
        return {
            "driving": [self.pairs[pair].driving for pair in pairs],
            "sources": [self.pairs[pair].source for pair in pairs],
        }

    def _leave_out(self, name: str, pairs: Sequence[str]) -> paired.LeaveOut:
        """The metric of a set of pairs, and of the set without each group of driving videos; computed once for each set."""
        key = (name, tuple(pairs))
        if key not in self.left_out:
            stored = [self.runs[name].read_rows(rows_name(self.metric), pair, lazy=True) for pair in pairs]
            rows, reference = [one for one in stored if one is not None], self.reference
            if self.equal:
                cut, reference = equal_sets(rows, reference)
                rows = [one for one in cut if one is not None]
            self.left_out[key] = paired.leave_out(
                rows,
                [self.pairs[pair].driving for pair in pairs],
                lambda some: self.metric.corpus(some, reference),
                reduce_groups=lambda groups: self.metric.leave_out(groups, reference),
            )
        return self.left_out[key]


def _value(metric: Metric, rows: Rows | None) -> float:
    """A pair's own number. If only the whole set has a number: 0 for a pair with a measured frame, otherwise NaN."""
    if rows is None:
        return float("nan")
    if metric.aggregate in ("corpus", "events"):
        return 0.0 if np.isfinite(rows).any() else float("nan")
    return pair_value(metric, rows)


def _reason(run: Run, metric: Metric, pair: str, *, measured: bool) -> str:
    """The recorded reason why a pair has no value; empty if it was measured without a failure."""
    failed = run.reason(failed_name(metric, pair))
    return failed if measured else run.reason(pair) or failed or "no rows"


def _too_few(one: Difference, family: int) -> str:
    noun = "video" if one.clusters == 1 else "videos"
    text = f"{one.clusters} driving {noun}: p cannot be below {one.smallest_p:.3g}"
    if family > 1:
        text += f", or below {min(1.0, one.smallest_p * family):.3g} after Holm's correction for {family} comparisons"
    return f"{text}; no difference can be significant with fewer than {paired.fewest_clusters(family)} driving videos"
