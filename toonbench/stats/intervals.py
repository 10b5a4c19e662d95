"""Intervals that respect what was sampled: driving videos, each of which drives several pairs.

Pairs that share a driving video succeed and fail together, so the driving video is the unit that is resampled or
deleted. A bootstrap over pairs would take five pairs of one video for five observations and print intervals half as
wide as they must be; `tests/unit/test_stats.py` measures the coverage of both.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toonbench.types import Rows

Values = NDArray[np.float64]
ReduceGroups = Callable[[Sequence[Sequence[Rows]]], tuple[float, Sequence[float]]]
"""The number of the rows of all groups, and of those of all groups but one, for each."""

FEWEST = 3  # clusters: with two, an interval that covers is 13 standard errors wide, which is of no use
FEWEST_TO_RESAMPLE = 6  # the range of means of resampled clusters misses the truth in 2^(1 - clusters) of all cases


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with the interval that covers the truth at the level asked for, and the clusters it rests on.

    `low` and `high` are NaN, and `reason` says why, where there is too little data.
    """

    value: float
    low: float
    high: float
    clusters: int
    reason: str = ""


def cluster_bootstrap(
    values: ArrayLike,
    clusters: Sequence[Hashable],
    *,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """The mean over pairs of `values` (n,), with an interval over `clusters` (n,): the driving video of each pair.

    Whole clusters are drawn with replacement; the interval is the percentile interval of the resampled means, widened
    to Student's t (Hesterberg 2015, "What teachers should know about the bootstrap", the expanded percentile
    interval). It stays inside the range of the values. In simulation at 15 clusters it covers 0.95 with normal values, 0.91
    with exponential and 0.87 with lognormal(1) ones; the plain percentile covers 0.93, 0.88 and 0.85, and BCa barely
    more than that (`docs/statistics.md`). Three to five clusters take a jackknife t interval instead.
    NaN values are left out, with their clusters if nothing else is in them. The result does not depend on the order.
    `weights` (n,), the frames of each pair, make it the mean over all frames, where a metric is pooled so.
    """
    array, labels, weight = _measured(values, clusters, weights)
    if not array.size:
        return Interval(np.nan, np.nan, np.nan, 0, "nothing was measured")
    _, index = np.unique(labels, return_inverse=True)
    order = np.lexsort((weight, array, index))
    array, index, weight = array[order], index[order], weight[order]
    sums, counts = np.bincount(index, array * weight), np.bincount(index, weight)
    number, value = len(sums), float(sums.sum() / counts.sum())
    if number < FEWEST:
        return _too_few(value, number)
    if number < FEWEST_TO_RESAMPLE:
        return _jackknife(value, (sums.sum() - sums) / (counts.sum() - counts), clusters=number, level=level)
    draws = _draws(number, resamples=resamples, seed=seed)
    means = np.einsum("rc,c->r", draws, sums) / np.einsum("rc,c->r", draws, counts)
    tail = _expanded_tail(number, level)
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(value, min(float(low), value), max(float(high), value), number)


def paired_bootstrap(
    a: ArrayLike,
    b: ArrayLike,
    clusters: Sequence[Hashable],
    *,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """The mean of a - b over the pairs that both methods have, as `cluster_bootstrap` does it.

    Much narrower than the difference of two intervals: what is hard for both cancels. `a`, `b`, `clusters`: (n,),
    the same pairs in the same order.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape:
        raise ValueError(f"a has shape {first.shape} and b {second.shape}; give the same pairs in the same order")
    return cluster_bootstrap(first - second, clusters, weights=weights, level=level, resamples=resamples, seed=seed)


def grouped_jackknife(
    rows: Sequence[Rows],
    clusters: Sequence[Hashable],
    reduce: Callable[[Sequence[Rows]], float],
    *,
    groups: int = 20,
    level: float = 0.95,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    reduce_groups: ReduceGroups | None = None,
) -> Interval:
    """`reduce` of the rows of all pairs, with an interval from leaving out one group of clusters at a time.

    For metrics that only a whole set has, such as FID: `groups` + 1 reductions of stored rows, no pixels. Clusters
    are dealt to groups in the order of their labels; the interval is Student's t with groups - 1 degrees of freedom.
    It is about what `reduce` estimates at this number of rows, so it does not cover a bias that more rows would cure.
    It is cut at `bounds`, the values that the number can have. Pairs without a row are left out. Independent of the order
    of pairs if `reduce` is (it is given them by cluster). `reduce_groups`, where a metric has it, gives the same values as
    `reduce` of all groups and of all but each, from one pass over the rows.
    """
    _same_length(len(rows), clusters)
    kept = [(label, one) for label, one in zip(clusters, rows, strict=True) if len(one)]
    if not kept:
        return Interval(np.nan, np.nan, np.nan, 0, "nothing was measured")
    names, index = np.unique(np.asarray([label for label, _ in kept]), return_inverse=True)
    order = np.argsort(index, kind="stable")
    ordered, dealt = [kept[at][1] for at in order], index[order] % min(groups, len(names))
    if len(names) < FEWEST:
        return _too_few(float(reduce(ordered)), len(names))
    together = [[one for one, group in zip(ordered, dealt, strict=True) if group == g] for g in range(max(dealt) + 1)]
    value, without = (reduce_groups or _by_subsets(reduce, ordered, dealt))(together)
    found = _jackknife(value, np.array(without, np.float64), clusters=len(names), level=level)
    return replace(found, low=max(found.low, bounds[0]), high=min(found.high, bounds[1]))


def _by_subsets(
    reduce: Callable[[Sequence[Rows]], float], rows: Sequence[Rows], dealt: NDArray[np.intp]
) -> ReduceGroups:
    """`reduce` called once for all rows and once without each group."""

    def reduce_groups(groups: Sequence[Sequence[Rows]]) -> tuple[float, list[float]]:
        left = ([one for one, group in zip(rows, dealt, strict=True) if group != g] for g in range(len(groups)))
        return float(reduce(rows)), [reduce(some) for some in left]

    return reduce_groups


def _measured(
    values: ArrayLike, clusters: Sequence[Hashable], weights: ArrayLike | None
) -> tuple[Values, NDArray[np.generic], Values]:
    """The finite values of a weight above zero, their clusters and their weights."""
    array = np.asarray(values, np.float64).reshape(-1)
    _same_length(len(array), clusters)
    weight = np.ones(len(array)) if weights is None else np.asarray(weights, np.float64).reshape(-1)
    if weight.shape != array.shape or not (weight >= 0).all():
        raise ValueError(f"{len(weight)} weights for {len(array)} pairs; give one weight of 0 or more for each pair")
    kept = np.isfinite(array) & (weight > 0)
    return array[kept], np.asarray(clusters)[kept] if len(array) else np.empty(0), weight[kept]


def _same_length(number: int, clusters: Sequence[Hashable]) -> None:
    if number != len(clusters):
        raise ValueError(f"{number} pairs and {len(clusters)} cluster labels; give one label for each pair")


def _too_few(value: float, clusters: int) -> Interval:
    noun = "video" if clusters == 1 else "videos"
    reason = f"no interval: {clusters} driving {noun}, at least {FEWEST} are needed"
    return Interval(value, np.nan, np.nan, clusters, reason)


def _jackknife(value: float, without: Values, *, clusters: int, level: float) -> Interval:
    """The t interval around `value` from the values `without` each of the groups in turn."""
    if not (np.isfinite(value) and np.isfinite(without).all()):
        return Interval(value, np.nan, np.nan, clusters, "no interval: too little is left without one group")
    groups = len(without)
    error = np.sqrt((groups - 1) / groups * np.square(without - without.mean()).sum())
    reach = float(_student(level, groups - 1) * error)
    return Interval(value, value - reach, value + reach, clusters)


def _student(level: float, degrees: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + level / 2))


@functools.lru_cache(maxsize=64)
def _expanded_tail(clusters: int, level: float) -> float:
    """The probability in each tail that gives the percentile interval of a mean the length of the t interval."""
    from scipy.special import ndtr

    return float(ndtr(-np.sqrt(clusters / (clusters - 1)) * _student(level, clusters - 1)))


@functools.lru_cache(maxsize=8)
def _draws(clusters: int, *, resamples: int, seed: int) -> Values:
    """How often each cluster is drawn in each resample, (resamples, clusters); the same for all metrics and methods."""
    draws = np.random.default_rng(seed).multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples)
    weights = draws.astype(np.float64)
    weights.flags.writeable = False
    return weights
