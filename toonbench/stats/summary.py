"""The number of many pairs and its interval, computed from rows: the only such function, for every metric and every table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from toonbench.stats.events import event_interval, proportion_interval
from toonbench.stats.intervals import Interval, grouped_jackknife
from toonbench.stats.twoway import two_way_bootstrap
from toonbench.types import Metric, Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The number that is printed, in which a missing pair counts as the worst value, and the number of measured pairs alone.

    They are equal where no pair is missing. `printed.value` is NaN, with a reason, where pairs are missing and the metric
    has no worst value.
    """

    printed: Interval
    measured: Interval


def summarise(
    metric: Metric,
    rows: Sequence[Rows | None],
    *,
    driving: Sequence[str],
    sources: Sequence[str] | None = None,
    reference: Sequence[Rows] = (),
    values: Sequence[float] | None = None,
) -> Summary:
    """The metric's number over pairs: `rows`, `driving` and `sources` have an item for each pair, None for a missing pair.

    The interval is over driving videos, and over sources too where one source serves several driving videos. `reference`
    holds the rows of the reference images, for a metric that needs them. `values` are the numbers of the pairs that are not missing,
    if they were computed before (`pair_value`).
    """
    found = [at for at, one in enumerate(rows) if one is not None]
    kept = [one for one in rows if one is not None]
    labels = Labels([driving[at] for at in found], None if sources is None else [sources[at] for at in found])
    measured = _clipped(metric, _interval(metric, kept, labels, reference=reference, values=values))
    if len(found) == len(rows) or not kept:
        return Summary(printed=measured, measured=measured)
    printed = _with_missing(metric, rows, Labels(driving, sources), measured=measured)
    return Summary(printed=_clipped(metric, printed), measured=measured)


@dataclass(frozen=True, slots=True)
class Labels:
    """The driving video and the source of each pair."""

    driving: Sequence[str]
    sources: Sequence[str] | None = None


def pair_value(metric: Metric, rows: Rows | None) -> float:
    """One pair's number, NaN where it has none or only the whole set has one."""
    return math.nan if rows is None or metric.aggregate == "corpus" else float(metric.value(rows))


def pair_weight(metric: Metric, rows: Rows | None) -> float:
    """What a pair counts in the number: 1, or its frames or events where the metric pools these; 0 for a missing pair."""
    if rows is None:
        return 0.0
    if metric.aggregate == "frames":
        return metric.weight(rows)
    return float(metric.counts(rows)[1]) if metric.aggregate in ("events", "proportion") else 1.0


def worst_value(metric: Metric) -> float:
    """The worst value that a pair can have; NaN where the metric has no such bound, or only a whole set has a number."""
    worst = metric.bounds[0] if metric.higher_is_better else metric.bounds[1]
    return worst if math.isfinite(worst) and metric.aggregate != "corpus" else math.nan


def _interval(
    metric: Metric, rows: Sequence[Rows], labels: Labels, *, reference: Sequence[Rows], values: Sequence[float] | None
) -> Interval:
    if metric.aggregate == "corpus":
        return grouped_jackknife(
            rows,
            labels.driving,
            lambda some: metric.corpus(some, reference),
            bounds=metric.bounds,
            reduce_groups=lambda groups: metric.leave_out(groups, reference),
        )
    if metric.aggregate in ("events", "proportion"):
        return _of_counts(metric, [metric.counts(one) for one in rows], labels)
    values = [metric.value(one) for one in rows] if values is None else values
    return two_way_bootstrap(values, labels.driving, labels.sources, weights=[pair_weight(metric, one) for one in rows])


def _of_counts(metric: Metric, counts: Sequence[tuple[float, float]], labels: Labels) -> Interval:
    interval = event_interval if metric.aggregate == "events" else proportion_interval
    return interval(np.array(counts, np.float64).reshape(-1, 2), labels.driving, sources=labels.sources)


def _with_missing(metric: Metric, rows: Sequence[Rows | None], labels: Labels, *, measured: Interval) -> Interval:
    """The interval in which a missing pair has the worst value, at the weight of the heaviest measured pair."""
    worst, missing = worst_value(metric), sum(one is None for one in rows)
    if math.isnan(worst):
        reason = f"{missing} of {len(rows)} pairs are missing, and the metric has no worst value to count them as"
        return Interval(math.nan, math.nan, math.nan, measured.clusters, reason)
    weights = [pair_weight(metric, one) for one in rows]
    heaviest = max(max(weights), *(float(len(one)) for one in rows if one is not None)) if _pooled(metric) else 1.0
    if metric.aggregate in ("events", "proportion"):
        lost = (worst * heaviest, heaviest)
        return _of_counts(metric, [lost if one is None else metric.counts(one) for one in rows], labels)
    values = [worst if one is None else metric.value(one) for one in rows]
    weights = [heaviest if one is None else weight for one, weight in zip(rows, weights, strict=True)]
    return two_way_bootstrap(values, labels.driving, labels.sources, weights=weights)


def _pooled(metric: Metric) -> bool:
    return metric.aggregate in ("frames", "events", "proportion")


def _clipped(metric: Metric, interval: Interval) -> Interval:
    low, high = metric.bounds
    return replace(interval, low=float(np.maximum(interval.low, low)), high=float(np.minimum(interval.high, high)))
