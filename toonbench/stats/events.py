"""Intervals of proportions: pooled F1 of events, and means of 0/1 values. They hold at the edges.

A resampled or jackknifed proportion has no spread at 0 and 1 and little near them, so its interval collapses there.
Here Wilson's interval (1927) is taken on the effective number of events. That is their number divided by the design
effect of driving videos: how much larger the variance is than that of independent events (Kish 1965; Korn and Graubard
1998 do the same with the interval of Clopper and Pearson).

An F1 of M matched and U unmatched events, 2M / (2M + U), is a rising function of the proportion J = M / (M + U) of
events that are matched: F1 = 2J / (1 + J). Its limits are those of J, converted. `docs/statistics.md` has the coverage in
simulation.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toonbench.stats.intervals import FEWEST, Interval
from toonbench.stats.twoway import some, source_repeats, student, variance_of_sum

Values = NDArray[np.float64]

FEWEST_EVENTS = 3
TOO_FEW = "too few events"
PRIOR = 0.08  # correlation of events in a driving video that is assumed where the data do not show it
PRIOR_WEIGHT = 1.5  # in degrees of freedom of the observed design effect


def event_interval(
    counts: ArrayLike,
    driving: Sequence[Hashable],
    *,
    sources: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> Interval:
    """The pooled F1 of `counts` (n, 2), twice the matched events and all of both sides, with an interval.

    `driving` and `sources` (n,) are the driving video and the source of each pair; `clusters` of the result are the
    measured driving videos. Pairs with a count that is not finite are left out. No interval, with the reason, for fewer than three events
    (a matched one counts once) and for events in fewer than three driving videos. NaN without events.
    """
    array = np.asarray(counts, np.float64)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"counts have shape {array.shape}; give a numerator and a denominator for each pair, (n, 2)")
    top, whole = array.T
    if ((top < 0) | (top > whole)).any():
        raise ValueError(
            "a numerator is negative or above its denominator; give twice the matched events, and all events"
        )
    matched = np.stack([top / 2, whole - top / 2], axis=1)
    found = proportion_interval(matched, driving, sources=sources, level=level)
    value = float(_pooled(array))
    return Interval(value, _f1(found.low), _f1(found.high), found.clusters, found.reason)


def proportion_interval(
    counts: ArrayLike,
    driving: Sequence[Hashable],
    *,
    sources: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> Interval:
    """The pooled proportion of `counts` (n, 2), successes and trials of each pair, with an interval as in `event_interval`.

    The mean of 0/1 values `x` (n,) is that of counts (x, 1).
    """
    array = np.asarray(counts, np.float64)
    if len(array) != len(driving):
        raise ValueError(f"{len(array)} pairs and {len(driving)} cluster labels; give one label for each pair")
    kept = np.isfinite(array).all(axis=1)
    measured = len(set(some(driving, kept)))
    kept &= array[:, 1] > 0
    array, videos = array[kept], some(driving, kept)
    characters = None if sources is None else some(sources, kept)
    value = float(_pooled(array)) if len(array) else math.nan
    if not measured:
        return Interval(math.nan, math.nan, math.nan, 0, "nothing was measured")
    if array[:, 1].sum() < FEWEST_EVENTS:
        return Interval(value, math.nan, math.nan, measured, TOO_FEW)
    samples = [("driving video", videos), *([("source", characters)] if characters else [])]
    for kind, labels in samples if source_repeats(videos, characters) else samples[:1]:
        if (number := len(set(labels))) < FEWEST:
            noun = kind if number == 1 else f"{kind}s"
            reason = f"no interval: events in {number} {noun}, at least {FEWEST} are needed"
            return Interval(value, math.nan, math.nan, measured, reason)
    low, high = _wilson(value, effective_number(array, videos, characters, level=level), level=level)
    return Interval(value, low, high, measured)


def effective_number(
    counts: Values, driving: Sequence[Hashable], sources: Sequence[Hashable] | None = None, *, level: float = 0.95
) -> float:
    """The number of independent trials that say as much as `counts` (n, 2), successes and trials above 0, of pairs.

    The trials divided by the design effect 1 + e. The observed excess e of the variance over that of independent trials is
    blended with the one that a correlation of 0.08 inside a driving video gives. The first weighs as much
    as it has degrees of freedom, at most the number of rarer outcomes: without failures the data do not show how they cluster.
    It is multiplied by (t / z)^2, because it is an estimate. Never more than the trials.
    """
    trials = float(counts[:, 1].sum())
    value = float(_pooled(counts))
    rarer = min(value, 1 - value) * trials
    samples = _samples(driving, sources)
    prior = PRIOR * (trials / min(len(set(labels)) for labels in samples) - 1)
    if not rarer > 0:
        return trials / (1 + max(prior, 0.0))
    variance = variance_of_sum((counts[:, 0] - value * counts[:, 1]) / trials, driving, sources)
    observed = variance.value * (trials - 1) / (value * (1 - value)) - 1
    weight = min(variance.degrees, rarer)
    if weight * observed + PRIOR_WEIGHT * prior <= 0:
        return trials
    even = min(_even_clusters(counts[:, 1], labels) for labels in samples)
    wider = (student(level, max(even - 1, 1)) / student(level, math.inf)) ** 2
    excess = (weight * observed * wider + PRIOR_WEIGHT * prior) / (weight + PRIOR_WEIGHT)
    return trials / (1 + max(excess, 0.0))


def _samples(driving: Sequence[Hashable], sources: Sequence[Hashable] | None) -> list[Sequence[Hashable]]:
    return [driving, sources] if sources is not None and source_repeats(driving, sources) else [driving]


def _even_clusters(trials: Values, labels: Sequence[Hashable]) -> float:
    """The number of clusters of equal size that say as much as these (Kish): (sum of sizes)^2 / sum of squared sizes."""
    sizes: dict[Hashable, float] = {}
    for label, number in zip(labels, trials.tolist(), strict=True):
        sizes[label] = sizes.get(label, 0.0) + number
    return math.fsum(sizes.values()) ** 2 / math.fsum(size**2 for size in sizes.values())


def _wilson(value: float, number: float, *, level: float) -> tuple[float, float]:
    """Wilson's interval of a proportion among `number` trials."""
    square = student(level, math.inf) ** 2
    centre = (value + square / (2 * number)) / (1 + square / number)
    reach = math.sqrt(square * (value * (1 - value) / number + square / (4 * number**2))) / (1 + square / number)
    return (
        0.0 if value == 0 else max(0.0, min(value, centre - reach)),
        1.0 if value == 1 else min(1.0, max(value, centre + reach)),
    )


def _f1(matched: float) -> float:
    return 2 * matched / (1 + matched)


def _pooled(counts: Values) -> float:
    """The sum of the first column by that of the second; NaN where the latter is 0."""
    top, whole = counts[np.isfinite(counts).all(axis=1)].sum(axis=0).tolist()
    return top / whole if whole > 0 else math.nan
