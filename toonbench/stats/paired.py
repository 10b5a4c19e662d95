"""Is one method better than another? Tests and intervals for two methods on the same pairs.

Both methods are given the same driving videos, so each video is its own control: the difficulty of a video for both cancels. The
driving video stays the unit (see `toonbench.stats.intervals`): its pairs succeed and fail together, and a test that takes them for
separate observations finds differences where there are none (`tests/unit/test_paired_stats.py` measures how often).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toonbench.stats.events import event_interval
from toonbench.stats.flips import (
    ALPHA,
    EXACT,
    cluster_sums,
    finite_weights,
    flip_ratio,
    ratio_influence,
    sign_flip,
    smallest_p,
    t_test,
)
from toonbench.stats.intervals import FEWEST, Interval, ReduceGroups
from toonbench.stats.twoway import Variance, paired_two_way_bootstrap, source_repeats, student, variance_of_sum
from toonbench.types import Rows

Values = NDArray[np.float64]

POWER = 0.8
NO_SPREAD = 1e-12  # below it a standard error is rounding
GROUPS = 20  # of driving videos, for what only a whole set has; as in `stats.grouped_jackknife`


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Two methods on the same pairs: the difference a - b with its interval, and whether it could be chance.

    `p` is NaN where nothing could be tested. `smallest` is the least p that so many clusters allow. `detectable` is the
    difference that this test would find with power 0.8, NaN where it would find none, however large.
    """

    interval: Interval
    p: float
    smallest: float
    exact: bool
    detectable: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveOut:
    """A number of a whole set, and the number without each group of driving videos in turn."""

    value: float
    without: Values
    clusters: int


def fewest_clusters(comparisons: int = 1) -> int:
    """How many driving videos it takes until one of so many comparisons can be significant at all."""
    return 1 + math.ceil(math.log2(comparisons / ALPHA))


def standard_error(
    values: ArrayLike,
    clusters: Sequence[Hashable],
    *,
    sources: Sequence[Hashable] | None = None,
    weights: ArrayLike | None = None,
) -> float:
    """The standard error of the mean of `values` (n,), from the spread of whole `clusters` (n,); NaN with fewer than two.

    sqrt(k / (k - 1) * sum over clusters of (sum of weight * (value - mean))^2) / sum of weights, k clusters (Liang and
    Zeger 1986). With `sources` (n,) that repeat, the variance of `toonbench.stats.twoway`.
    """
    array, weight = np.asarray(values, np.float64).reshape(-1), finite_weights(values, weights)
    total = math.fsum(weight)
    if not total > 0:
        return math.nan
    mean = math.fsum((array * weight)[np.isfinite(array)]) / total
    terms = (array - mean) * weight
    if sources is not None:
        kept = np.flatnonzero(np.isfinite(terms)).tolist()
        driving, characters = [clusters[at] for at in kept], [sources[at] for at in kept]
        if source_repeats(driving, characters):
            return math.sqrt(variance_of_sum(terms[kept], driving, characters).value) / total
    residuals = cluster_sums(terms, clusters)
    number = len(residuals)
    if number < 2:
        return math.nan
    return math.sqrt(number / (number - 1) * math.fsum(np.square(residuals))) / total


def minimum_detectable(error: float, clusters: int, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """The true difference that one two-sided test at `alpha` finds with `power`: (t_{1 - alpha/2} + t_{power}) * error.

    Student's t with clusters - 1 degrees of freedom (Bloom 1995, minimum detectable effects). NaN where `sign_flip` cannot
    reach `alpha` with so few clusters, and where all differences are equal: no spread was observed, which does not show that there is none.
    """
    from scipy.special import stdtrit

    if not clusters or smallest_p(clusters) > alpha or not error > NO_SPREAD:
        return math.nan
    return float((stdtrit(clusters - 1, 1 - alpha / 2) + stdtrit(clusters - 1, power)) * error)


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values of a family of comparisons: compare them with 0.05, and the chance of any false find is 5 %.

    Step down (Holm 1979): the i-th smallest of m times m - i + 1, never less than the one before, at most 1. Equal p
    stay equal. NaN, a comparison that could not be made, stays NaN and does not count.
    """
    adjusted = [math.nan] * len(p)
    tested = sorted((value, at) for at, value in enumerate(p) if not math.isnan(value))
    highest = 0.0
    for rank, (value, at) in enumerate(tested):
        highest = max(highest, min(1.0, (len(tested) - rank) * value))
        adjusted[at] = highest
    return adjusted


def shared_ranks(methods: Sequence[str], better: Sequence[tuple[str, str]]) -> dict[str, int]:
    """1 + the number of methods that are significantly better; `better` lists pairs (better one, worse one).

    Methods that are not significantly different share a rank. That is not transitive: if A is better than C, and B differs from
    neither, A and B are first and C is second. Equal ranks therefore do not show that two methods are equal; see their comparison.
    """
    return {name: 1 + sum(worse == name and winner in methods for winner, worse in better) for name in methods}


def compare_means(
    a: ArrayLike,
    b: ArrayLike,
    clusters: Sequence[Hashable],
    *,
    sources: Sequence[Hashable] | None = None,
    weights: ArrayLike | None = None,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Paired:
    """The mean of a - b over pairs; `a`, `b`, `clusters`: (n,), the same pairs in the same order; NaN is left out.

    `sources` (n,) are the pairs' sources; where they repeat, interval and p are over driving videos and sources.
    `weights` (n,) where frames are pooled, the same for both methods. `bounds` are the metric's own.
    """
    differences = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    interval = paired_two_way_bootstrap(a, b, clusters, sources, weights=weights)
    error = standard_error(differences, clusters, sources=sources, weights=weights)
    return Paired(
        interval=_within(interval, bounds[1] - bounds[0]),
        p=sign_flip(differences, clusters, sources=sources, weights=weights),
        smallest=smallest_p(interval.clusters),
        exact=interval.clusters <= EXACT,
        detectable=minimum_detectable(error, interval.clusters),
    )


def compare_events(
    a: ArrayLike, b: ArrayLike, driving: Sequence[Hashable], *, sources: Sequence[Hashable] | None = None
) -> Paired:
    """The difference of two pooled F1; `a` and `b` (n, 2) as in `event_interval`, the same pairs in the same order.

    The interval combines those of the two F1 (Newcombe 1998, method 10; Zou and Donner 2008): each limit is as far from the
    difference as sqrt(r^2 + s^2 - 2 c r s), with the distances r and s of the two limits it depends on and the correlation c of
    the two F1. So it does not collapse where both are 0 or 1. p is that of `flip_ratio`.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    p = flip_ratio(first, second, driving, sources=sources)
    kept = np.flatnonzero(np.isfinite(first).all(axis=1) & np.isfinite(second).all(axis=1)).tolist()
    first, second, videos = first[kept], second[kept], [driving[at] for at in kept]
    characters = None if sources is None else [sources[at] for at in kept]
    one, other = (event_interval(counts, videos, sources=characters) for counts in (first, second))
    clusters = len({video for video, x, y in zip(videos, first, second, strict=True) if x[1] + y[1] > 0})
    shares = [ratio_influence(counts) for counts in (first, second)]
    error = [math.sqrt(variance_of_sum(each, videos, characters).value) for each in (*shares, shares[0] - shares[1])]
    return Paired(
        interval=_newcombe(one, other, _correlation(*error)),
        p=p,
        smallest=smallest_p(clusters),
        exact=clusters <= EXACT,
        detectable=minimum_detectable(error[2], clusters),
    )


def _correlation(a: float, b: float, difference: float) -> float:
    """The correlation of two estimates, from their standard errors and that of their difference; 0 where one shows no spread."""
    if not (a > 0 and b > 0):
        return 0.0
    return max(-1.0, min(1.0, (a * a + b * b - difference * difference) / (2 * a * b)))


def _newcombe(a: Interval, b: Interval, correlation: float) -> Interval:
    """The interval of a - b from those of a and b."""

    def reach(one: float, other: float) -> float:
        return math.sqrt(max(0.0, one * one + other * other - 2 * correlation * one * other))

    value, reason = a.value - b.value, a.reason or b.reason
    low = value - reach(a.value - a.low, b.high - b.value)
    high = value + reach(a.high - a.value, b.value - b.low)
    return Interval(value, max(low, -1.0), min(high, 1.0), min(a.clusters, b.clusters), reason)


def _within(interval: Interval, reach: float) -> Interval:
    low, high = float(np.maximum(interval.low, -reach)), float(np.minimum(interval.high, reach))
    return replace(interval, low=low, high=high)


def leave_out(
    rows: Sequence[Rows],
    clusters: Sequence[Hashable],
    reduce: Callable[[Sequence[Rows]], float],
    *,
    groups: int = GROUPS,
    reduce_groups: ReduceGroups | None = None,
) -> LeaveOut:
    """`reduce` of all rows and without each group of clusters; dealt as in `stats.grouped_jackknife`, alike for all methods.

    `reduce_groups` is the metric's own way to do both from one pass over the rows, where it has one.
    """
    names, index = np.unique(np.asarray(list(clusters)), return_inverse=True)
    order = np.argsort(index, kind="stable")
    ordered, number = [rows[at] for at in order], min(groups, len(names))
    dealt = index[order] % number if number else index
    if reduce_groups and number >= FEWEST:
        together = [[one for one, group in zip(ordered, dealt, strict=True) if group == g] for g in range(number)]
        value, without = reduce_groups(together)
        return LeaveOut(value=float(value), without=np.array(without, np.float64), clusters=len(names))
    without = [
        float(reduce([one for one, group in zip(ordered, dealt, strict=True) if group != out]))
        for out in range(number if number > 1 else 0)
    ]
    value = float(reduce(ordered)) if ordered else math.nan
    return LeaveOut(value=value, without=np.array(without, np.float64), clusters=len(names))


def compare_sets(
    a: LeaveOut,
    b: LeaveOut,
    *,
    sources: tuple[LeaveOut, LeaveOut] | None = None,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Paired:
    """The difference of a number that only a whole set has, as FID; `a` and `b` of the same pairs.

    Each group of driving videos has a jackknife pseudo-value of the difference, d + (g - 1) * (mean of d without a
    group - d without this one), g groups: its own share in the difference d, which is their mean. Signs are flipped
    over them, and the t interval is theirs. (Tukey's pseudo-values also move the mean by the jackknife's estimate of
    bias; these do not, so that what is tested is what is shown.) `bounds` are the metric's own. `sources`: the same two
    numbers without each group of sources, where sources repeat; then p is the largest of flips of driving videos, of
    flips of sources and of the t test of both, and the interval is that of `set_interval`.
    """
    difference = _minus(a, b)
    over_sources = _minus(*sources) if sources else None
    reach = bounds[1] - bounds[0]
    interval = set_interval(difference, sources=over_sources, bounds=(-reach, reach))
    groups = len(difference.without)
    if groups < 2 or not (math.isfinite(difference.value) and np.isfinite(difference.without).all()):
        return Paired(interval=interval, p=math.nan, smallest=math.nan, exact=True, detectable=math.nan)
    pseudo = _pseudo(difference.value, difference.without)
    return Paired(
        interval=interval,
        p=float(np.maximum(sign_flip(pseudo, range(groups)), _p_of_sources(difference, over_sources))),
        smallest=smallest_p(groups),
        exact=groups <= EXACT,
        detectable=minimum_detectable(_error(difference, over_sources), groups),
    )


def _p_of_sources(over_driving: LeaveOut, over_sources: LeaveOut | None) -> float:
    """The larger p of flips of sources and of the t test of both samples; 0 where sources do not repeat, NaN if unknown."""
    if over_sources is None:
        return 0.0
    groups = len(over_sources.without)
    if groups < 2 or not np.isfinite(over_sources.without).all():
        return math.nan
    pseudo = _pseudo(over_sources.value, over_sources.without)
    variance = Variance(_error(over_driving, over_sources) ** 2, len(over_driving.without), groups)
    return max(sign_flip(pseudo, range(groups)), t_test(over_driving.value, variance))


def set_interval(
    number: LeaveOut,
    *,
    sources: LeaveOut | None = None,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Interval:
    """What `stats.grouped_jackknife` gives, from reductions that were made already.

    `sources`: the same number without each group of sources, where sources repeat. The variances over driving videos and over
    sources are added, which counts what belongs to single pairs twice, so this interval is wider than necessary.
    """
    if not math.isfinite(number.value):
        return Interval(math.nan, math.nan, math.nan, number.clusters, "nothing was measured")
    samples = [(number, "driving video"), *([(sources, "source")] if sources else [])]
    for sample, noun in samples:
        if not np.isfinite(sample.without).all():
            reason = "no interval: too little is left without one group"
            return Interval(number.value, math.nan, math.nan, number.clusters, reason)
        if sample.clusters < FEWEST:
            nouns = noun if sample.clusters == 1 else f"{noun}s"
            reason = f"no interval: {sample.clusters} {nouns}, at least {FEWEST} are needed"
            return Interval(number.value, math.nan, math.nan, number.clusters, reason)
    groups = min(len(sample.without) for sample, _ in samples)
    half = student(1 - ALPHA, groups - 1) * _error(number, sources)
    low, high = max(number.value - half, bounds[0]), min(number.value + half, bounds[1])
    return Interval(number.value, low, high, number.clusters)


def _minus(a: LeaveOut, b: LeaveOut) -> LeaveOut:
    return LeaveOut(value=a.value - b.value, without=a.without - b.without, clusters=a.clusters)


def _error(number: LeaveOut, sources: LeaveOut | None = None) -> float:
    """The jackknife's standard error over driving videos, and over sources too where they repeat."""
    samples = [one for one in (number, sources) if one]
    errors = [standard_error(_pseudo(one.value, one.without), range(len(one.without))) for one in samples]
    return math.hypot(*errors)


def _pseudo(value: float, without: Values) -> Values:
    return value + (len(without) - 1) * (without.mean() - without)
