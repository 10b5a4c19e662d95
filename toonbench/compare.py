"""From the stored rows of several methods to their differences: which are real, and how small a one would have been seen.

A pure function of run folders: nothing is generated, measured or decoded. `scores.csv` says which pairs there are and
which video drives each; the numbers come from the rows.
"""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from toonbench import paired, registry, stats
from toonbench.score import ANY, claimed_weights, equal_sets, pair_weights, rows_name
from toonbench.store import Run, read_json
from toonbench.types import Metric, Rows, ToonbenchError

SCHEMA = 1
SAME = ("data", "data_fingerprint", "task", "seed", "pairs_fingerprint")
ReferenceOf = Callable[[Metric], tuple[Sequence[Rows], bool]]
"""The rows of a distribution metric's reference images, and whether both sets are cut to equal numbers. Raises
ToonbenchError where they cannot be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
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
    """a - b on the pairs that both have, its 95 % interval, p before and after Holm, and what could have been found.

    `better` is the method that is significantly better, or empty. `partial` where one of the two is incomplete.
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
class OnMetric:
    """All methods on one metric, and each two of them against each other: one family of Holm's."""

    metric: str
    higher_is_better: bool
    standings: tuple[Standing, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Several runs of the same pairs: what they share, their folders, the metrics, and the metrics left out and why."""

    about: Mapping[str, Any]
    runs: Mapping[str, str]
    pairs: int
    clusters: int
    metrics: tuple[OnMetric, ...]
    skipped: Mapping[str, str]
    alpha: float = paired.ALPHA
    power: float = paired.POWER
    schema: int = SCHEMA


def compare(
    runs: Mapping[str, Run], *, metrics: Sequence[str] | None = None, reference_of: ReferenceOf | None = None
) -> Comparison:
    """Compare runs, named as they shall be called, on `metrics`; by default on those that all of them have rows of.

    Raises ToonbenchError for runs that are not of the same pairs, not scored, or without rows of a metric asked for.
    """
    about, driving = same_pairs(runs)
    chosen, skipped = _choose(runs, metrics, first=_scored(next(iter(runs.values()))))
    found: list[OnMetric] = []
    for metric in chosen:
        try:
            _same_weights(runs, metric)
            reference, equal = _reference(metric, reference_of)
        except ToonbenchError as error:
            skipped[registry.metric_id(metric)] = str(error)
            continue
        found.append(_Table.read(runs, metric, driving=driving, reference=reference, equal=equal).compare())
    return Comparison(
        about=about,
        runs={name: str(run.root) for name, run in runs.items()},
        pairs=len(driving),
        clusters=len(set(driving.values())),
        metrics=tuple(found),
        skipped=skipped,
    )


def same_pairs(runs: Mapping[str, Run]) -> tuple[dict[str, Any], dict[str, str]]:
    """What the runs have in common, and the driving video of each pair. Raises ToonbenchError naming a difference."""
    seen = {name: _about(name, run) for name, run in runs.items()}
    (first, about), *others = seen.items()
    for name, other in others:
        for key in (*SAME, "task_fingerprint"):
            if about.get(key) == other.get(key):
                continue
            if key == "pairs_fingerprint" and about.get("limit") != other.get("limit"):
                key = "limit"
            raise ToonbenchError(
                f"{first} and {name} are not runs of the same pairs: {key} is {about.get(key)} in {first} and {other.get(key)} "
                f"in {name}; evaluate both with the same data, task, --seed and --limit"
            )
    lists = {name: _pairs(run) for name, run in runs.items()}
    for name, other in lists.items():
        if other != lists[first]:
            raise ToonbenchError(
                f"the pairs in {runs[name].scores} are not those in {runs[first].scores}: score both again"
            )
    return {key: about.get(key) for key in (*SAME, "limit")}, lists[first]


def _about(name: str, run: Run) -> dict[str, Any]:
    if not (run.result.exists() and run.scores.exists()):
        raise ToonbenchError(
            f"{name} is not scored ({run.result} is missing): run `toonbench eval` or `toonbench score` for it first"
        )
    return {**read_json(run.result), "task_fingerprint": read_json(run.description).get("task_fingerprint")}


def _pairs(run: Run) -> dict[str, str]:
    """Pair to driving video, in the task's order."""
    try:
        with run.scores.open(encoding="utf-8", newline="") as file:
            return {row["pair"]: row["driving"] for row in csv.DictReader(file)}
    except (OSError, UnicodeDecodeError, KeyError) as error:
        raise ToonbenchError(f"{run.scores} cannot be read ({error}): score the run again") from error


def _scored(run: Run) -> dict[str, list[str]]:
    """The metrics in the run's result, in the task's order, and what was noted of each."""
    return {str(one["metric"]): [*one.get("notes", ())] for one in read_json(run.result).get("results", ())}


def _skipped(runs: Mapping[str, Run]) -> dict[str, str]:
    """Metrics that a run's result says were left out, and why."""
    return {name: why for run in runs.values() for name, why in read_json(run.result).get("skipped", {}).items()}


def _noted(runs: Mapping[str, Run], metric: Metric) -> list[str]:
    """What the results say of a metric, as that its network knows no cartoons."""
    name = registry.metric_id(metric)
    return list(dict.fromkeys(note for run in runs.values() for note in _scored(run).get(name, ())))


def _choose(
    runs: Mapping[str, Run], asked: Sequence[str] | None, *, first: Iterable[str]
) -> tuple[list[Metric], dict[str, str]]:
    """The metrics to compare, and those that only some runs have rows of, with the reason."""
    if asked:
        metrics = list({registry.metric_id(m): m for m in map(registry.load_metric, asked)}.values())
    else:
        order = {name: at for at, name in enumerate(first)}
        metrics = sorted(_installed(), key=lambda m: (order.get(registry.metric_id(m), len(order)), m.name))
    chosen: list[Metric] = []
    skipped: dict[str, str] = {}
    for metric in metrics:
        lacking = [name for name, run in runs.items() if not (run.root / "rows" / rows_name(metric)).is_dir()]
        if not lacking:
            chosen.append(metric)
        elif asked:
            raise ToonbenchError(
                f"{lacking[0]} has no rows of {registry.metric_id(metric)}: run `toonbench eval` or `toonbench score` for it "
                f"with --metrics {metric.name}"
            )
        elif len(lacking) == len(runs):
            if reason := _skipped(runs).get(registry.metric_id(metric)):
                skipped[registry.metric_id(metric)] = reason
        else:
            skipped[registry.metric_id(metric)] = f"not compared, no rows of it in {' and '.join(lacking)}"
    if not chosen:
        raise ToonbenchError(f"{' and '.join(runs)} have no metric in common: score them with the same --metrics")
    return chosen, skipped


def _installed() -> list[Metric]:
    """Every registered metric that can be loaded here."""
    found: list[Metric] = []
    for name in registry.names("metrics"):
        try:
            found.append(registry.load_metric(name))
        except ToonbenchError:  # a plug-in whose package is broken: asked for by name, it says so
            continue
    return found


def _same_weights(runs: Mapping[str, Run], metric: Metric) -> None:
    made = {name: claimed_weights(run, metric) for name, run in runs.items()}
    first, *others = made
    for other in others:
        if made[other] != made[first]:
            raise ToonbenchError(
                f"not compared, {first} and {other} were measured with other weights: measure one again"
            )


def _reference(metric: Metric, reference_of: ReferenceOf | None) -> tuple[Sequence[Rows], bool]:
    if not (metric.distribution and hasattr(metric, "describe")):
        return (), False
    if reference_of is None:
        raise ToonbenchError("not compared, for want of the reference images' features: give --data")
    return reference_of(metric)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """Everything stored of one metric: method to pair to value (NaN: none), to its weight, and to why there is no value."""

    runs: Mapping[str, Run]
    metric: Metric
    driving: Mapping[str, str]
    reference: Sequence[Rows]
    equal: bool
    values: Mapping[str, Mapping[str, float]]
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
        driving: Mapping[str, str],
        reference: Sequence[Rows],
        equal: bool,
    ) -> _Table:
        values: dict[str, dict[str, float]] = {}
        weights: dict[str, dict[str, float]] = {}
        reasons: dict[str, dict[str, str]] = {}
        for name, run in runs.items():
            values[name], weights[name], reasons[name] = {}, {}, {}
            for pair in driving:
                rows = run.read_rows(rows_name(metric), pair, lazy=metric.distribution)
                values[name][pair] = _value(metric, rows)
                weights[name][pair] = 0.0 if rows is None else pair_weights(metric, [rows])[0]
                reasons[name][pair] = _reason(run, metric, pair, measured=rows is not None)
        return cls(
            runs=runs, metric=metric, driving=driving, reference=reference, equal=equal, values=values, weights=weights,
            reasons=reasons,
        )  # fmt: skip

    def compare(self) -> OnMetric:
        """Standings, and each two methods in the order given."""
        missing, nobody = self._missing()
        differences = self._differences(missing)
        complete = [name for name in self.runs if not missing[name]]
        better = [(d.better, d.b if d.better == d.a else d.a) for d in differences if d.better]
        ranks = paired.shared_ranks(complete, better) if len(complete) > 1 else {}
        return OnMetric(
            metric=registry.metric_id(self.metric),
            higher_is_better=self.metric.higher_is_better,
            standings=tuple(self._standing(name, missing[name], rank=ranks.get(name)) for name in self.runs),
            differences=tuple(differences),
            notes=tuple(self._notes(differences, nobody)),
        )

    def _missing(self) -> tuple[dict[str, list[str]], list[str]]:
        """The pairs each method lacks; and those that none has, for one and the same reason, which are nobody's fault."""
        missing: dict[str, list[str]] = {name: [] for name in self.runs}
        nobody: list[str] = []
        for pair in self.driving:
            has = {name: np.isfinite(self.values[name][pair]) for name in self.runs}
            if not any(has.values()) and len({self.reasons[name][pair] for name in self.runs}) == 1:
                nobody.append(pair)
                continue
            for name in self.runs:
                if not has[name] and (self.reasons[name][pair] or any(has.values())):
                    missing[name].append(pair)
        return missing, nobody

    def _standing(self, name: str, missing: Sequence[str], *, rank: int | None) -> Standing:
        own = [pair for pair, value in self.values[name].items() if np.isfinite(value)]
        if self.metric.distribution:
            interval = paired.set_interval(self._leave_out(name, own), bounds=self._bounds())
        else:
            labels, weights = [self.driving[pair] for pair in own], [self.weights[name][pair] for pair in own]
            interval = stats.cluster_bootstrap(self._of(name, own), labels, weights=weights)
        reason = ""
        if missing:
            why = Counter(self.reasons[name][pair] or "no value" for pair in missing).most_common(1)[0][0]
            reason = f"{len(missing)} of {len(self.driving)} pairs failed ({why})"
        return Standing(
            method=name, value=interval.value, low=float(np.maximum(interval.low, self._bounds()[0])),
            high=float(np.minimum(interval.high, self._bounds()[1])), pairs=len(own),
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
            pair for pair in self.driving if np.isfinite(self.values[a][pair]) and np.isfinite(self.values[b][pair])
        ]
        if self.metric.distribution:
            found = paired.compare_sets(self._leave_out(a, common), self._leave_out(b, common), bounds=self._bounds())
        else:
            labels = [self.driving[pair] for pair in common]
            weights = [(self.weights[a][pair] + self.weights[b][pair]) / 2 for pair in common]  # equal: the real side's
            found = paired.compare_means(
                self._of(a, common), self._of(b, common), labels, weights=weights, bounds=self._bounds()
            )
        interval = found.interval
        return Difference(
            a=a, b=b, difference=interval.value, low=interval.low, high=interval.high, p=found.p, p_holm=found.p,
            smallest_p=found.smallest, exact=found.exact, detectable=found.detectable, pairs=len(common),
            clusters=interval.clusters, better="", partial=partial, note=interval.reason,
        )  # fmt: skip

    def _better(self, one: Difference, p: float) -> str:
        if not p <= paired.ALPHA:  # NaN is no find
            return ""
        return one.a if (one.difference > 0) == self.metric.higher_is_better else one.b

    def _notes(self, differences: Sequence[Difference], nobody: Sequence[str]) -> list[str]:
        notes = _noted(self.runs, self.metric)
        if nobody:
            why = next(iter(self.reasons.values()))[nobody[0]]
            notes.append(
                f"{len(nobody)} of {len(self.driving)} pairs left out, no method has a value{why and f': {why}'}"
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

    def _bounds(self) -> tuple[float, float]:
        return getattr(self.metric, "bounds", ANY)

    def _leave_out(self, name: str, pairs: Sequence[str]) -> paired.LeaveOut:
        """The metric of a set of pairs, and without each group of driving videos; made once for each set."""
        key = (name, tuple(pairs))
        if key not in self.left_out:
            stored = [self.runs[name].read_rows(rows_name(self.metric), pair, lazy=True) for pair in pairs]
            rows, reference = [one for one in stored if one is not None], self.reference
            if self.equal:
                rows, reference = equal_sets(rows, reference)
            whole: Any = self.metric
            self.left_out[key] = paired.leave_out(
                rows,
                [self.driving[pair] for pair in pairs],
                lambda some: float(whole.reduce(some, reference)),
                reduce_groups=(lambda groups: whole.reduce_groups(groups, reference))
                if hasattr(whole, "reduce_groups")
                else None,
            )
        return self.left_out[key]


def _value(metric: Metric, rows: Rows | None) -> float:
    """A pair's own number; where only the whole set has one, 0 for a pair of which anything was measured, else NaN."""
    if rows is None:
        return float("nan")
    if metric.distribution:
        return 0.0 if np.isfinite(rows).any() else float("nan")
    return float(metric.reduce([rows]))


def _reason(run: Run, metric: Metric, pair: str, *, measured: bool) -> str:
    """Why a pair has no value, by the run's own record; empty where it was measured without a failure."""
    if not measured:
        return run.reason(pair) or "no rows"
    return run.reason(f"{pair}+{registry.metric_id(metric)}")


def _too_few(one: Difference, family: int) -> str:
    noun = "video" if one.clusters == 1 else "videos"
    text = f"{one.clusters} driving {noun}: p cannot be below {one.smallest_p:.3g}"
    if family > 1:
        text += f", nor below {min(1.0, one.smallest_p * family):.3g} by Holm over {family} comparisons"
    return f"{text}; nothing can be significant with fewer than {paired.fewest_clusters(family)} driving videos"
