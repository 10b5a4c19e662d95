"""Is one method better than another? Tests and intervals for two methods on the same pairs.

Both methods are given the same driving videos, so each video is its own control: what is hard for both cancels. The
driving video stays the unit (see `toonbench.stats.intervals`): its pairs succeed and fail together, and a test that takes them for
separate observations finds differences where there are none (`tests/unit/test_paired_stats.py` measures how often).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toonbench.stats.intervals import FEWEST, Interval, ReduceGroups, paired_bootstrap
from toonbench.types import Rows

Values = NDArray[np.float64]

ALPHA = 0.05  # two-sided
POWER = 0.8
EXACT = 20  # up to so many clusters every assignment of signs is counted: 2^19 sums, 4 MiB
DRAWS = 19_999  # above it, random ones; with the +1 the smallest p is 1/20000
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


def sign_flip(
    values: ArrayLike,
    clusters: Sequence[Hashable],
    *,
    weights: ArrayLike | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> float:
    """Two-sided p of the mean of differences `values` (n,), flipping the sign of whole `clusters` (n,).

    If the methods do not differ, swapping their names within a driving video changes nothing, so every assignment of
    signs to videos is as likely as the one seen; p is the share of assignments whose mean is as far from 0 or farther
    (Fisher's randomisation test of paired differences). All are counted up to 20 clusters, else `draws` random ones and
    the one seen: (1 + count) / (1 + draws), which holds the level exactly too (Phipson and Smyth 2010).
    Depends on the sums of the clusters only: not on order, labels, or which method is named first. NaN values are left
    out; NaN if there are none. `weights` (n,) as in `stats.cluster_bootstrap`.
    """
    sums = _cluster_sums(np.asarray(values, np.float64) * _weights(values, weights), clusters)
    if not sums.size:
        return math.nan
    sizes = np.sort(np.abs(sums))[::-1]  # the test asks for no more; one order for equal data
    limit = abs(math.fsum(sums)) - 1e-9 * float(sizes.sum())  # an assignment that ties must not miss by rounding
    if len(sizes) <= EXACT:
        reached = np.zeros(1)
        for size in sizes[1:]:
            reached = np.concatenate([reached + size, reached - size])
        return float(np.mean(np.abs(reached + sizes[0]) >= limit))  # the other half, first sign turned, is the same
    return (1 + _count_beyond(sizes, limit, draws=draws, seed=seed)) / (1 + draws)


def smallest_p(clusters: int, *, draws: int = DRAWS) -> float:
    """The least p that `sign_flip` can give: all signs alike, or all turned, out of 2^clusters."""
    if clusters < 1:
        return math.nan
    return 2.0 ** (1 - clusters) if clusters <= EXACT else 1 / (1 + draws)


def fewest_clusters(comparisons: int = 1) -> int:
    """How many driving videos it takes until one of so many comparisons can be significant at all."""
    return 1 + math.ceil(math.log2(comparisons / ALPHA))


def standard_error(values: ArrayLike, clusters: Sequence[Hashable], *, weights: ArrayLike | None = None) -> float:
    """Of the mean of `values` (n,), from the spread of whole `clusters` (n,); NaN with fewer than two.

    sqrt(k / (k - 1) * sum over clusters of (sum of weight * (value - mean))^2) / sum of weights, k clusters (Liang and
    Zeger 1986).
    """
    array, weight = np.asarray(values, np.float64).reshape(-1), _weights(values, weights)
    total = math.fsum(weight)
    if not total > 0:
        return math.nan
    mean = math.fsum((array * weight)[np.isfinite(array)]) / total
    residuals = _cluster_sums((array - mean) * weight, clusters)
    number = len(residuals)
    if number < 2:
        return math.nan
    return math.sqrt(number / (number - 1) * math.fsum(np.square(residuals))) / total


def minimum_detectable(error: float, clusters: int, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """The true difference that one two-sided test at `alpha` finds with `power`: (t_{1 - alpha/2} + t_{power}) * error.

    Student's t with clusters - 1 degrees of freedom (Bloom 1995, minimum detectable effects). NaN where `sign_flip` cannot
    reach `alpha` with so few clusters, and where all differences are equal: no spread was seen, which does not say there is none.
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

    Methods that nothing sets apart share a rank. That is not transitive: with A better than C, and B apart from neither, A and
    B are first and C is second. So equal ranks do not say that two methods are equal; their own comparison does.
    """
    return {name: 1 + sum(worse == name and winner in methods for winner, worse in better) for name in methods}


def compare_means(
    a: ArrayLike,
    b: ArrayLike,
    clusters: Sequence[Hashable],
    *,
    weights: ArrayLike | None = None,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Paired:
    """The mean of a - b over pairs; `a`, `b`, `clusters`: (n,), the same pairs in the same order; NaN is left out.

    `weights` (n,) where frames are pooled, the same for both methods. `bounds` are the metric's own.
    """
    differences = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    interval = paired_bootstrap(a, b, clusters, weights=weights)
    reach = bounds[1] - bounds[0]
    return Paired(
        interval=replace(
            interval, low=float(np.maximum(interval.low, -reach)), high=float(np.minimum(interval.high, reach))
        ),
        p=sign_flip(differences, clusters, weights=weights),
        smallest=smallest_p(interval.clusters),
        exact=interval.clusters <= EXACT,
        detectable=minimum_detectable(standard_error(differences, clusters, weights=weights), interval.clusters),
    )


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


def compare_sets(a: LeaveOut, b: LeaveOut, *, bounds: tuple[float, float] = (-math.inf, math.inf)) -> Paired:
    """The difference of a number that only a whole set has, as FID; `a` and `b` of the same pairs.

    Each group of driving videos has a jackknife pseudo-value of the difference, d + (g - 1) * (mean of d without a
    group - d without this one), g groups: its own share in the difference d, which is their mean. Signs are flipped
    over them, and the t interval is theirs. (Tukey's pseudo-values also move the mean by the jackknife's estimate of
    bias; these do not, so that what is tested is what is shown.) `bounds` are the metric's own.
    """
    difference = LeaveOut(value=a.value - b.value, without=a.without - b.without, clusters=a.clusters)
    reach = bounds[1] - bounds[0]
    interval = set_interval(difference, bounds=(-reach, reach))
    groups = len(difference.without)
    if groups < 2 or not (math.isfinite(difference.value) and np.isfinite(difference.without).all()):
        return Paired(interval=interval, p=math.nan, smallest=math.nan, exact=True, detectable=math.nan)
    pseudo = _pseudo(difference.value, difference.without)
    return Paired(
        interval=interval,
        p=sign_flip(pseudo, range(groups)),
        smallest=smallest_p(groups),
        exact=groups <= EXACT,
        detectable=minimum_detectable(standard_error(pseudo, range(groups)), groups),
    )


def set_interval(number: LeaveOut, *, bounds: tuple[float, float] = (-math.inf, math.inf)) -> Interval:
    """What `stats.grouped_jackknife` gives, from reductions that were made already."""
    if not math.isfinite(number.value):
        return Interval(math.nan, math.nan, math.nan, number.clusters, "nothing was measured")
    if not np.isfinite(number.without).all():
        reason = "no interval: too little is left without one group"
        return Interval(number.value, math.nan, math.nan, number.clusters, reason)
    pseudo = _pseudo(number.value, number.without) if len(number.without) else number.without
    return _student_interval(number.value, pseudo, clusters=number.clusters, bounds=bounds)


def _student_interval(value: float, pseudo: Values, *, clusters: int, bounds: tuple[float, float]) -> Interval:
    from scipy.special import stdtrit

    if clusters < FEWEST:
        noun = "video" if clusters == 1 else "videos"
        reason = f"no interval: {clusters} driving {noun}, at least {FEWEST} are needed"
        return Interval(value, math.nan, math.nan, clusters, reason)
    groups = len(pseudo)
    half = float(stdtrit(groups - 1, 1 - ALPHA / 2)) * standard_error(pseudo, range(groups))
    return Interval(value, max(value - half, bounds[0]), min(value + half, bounds[1]), clusters)


def _pseudo(value: float, without: Values) -> Values:
    return value + (len(without) - 1) * (without.mean() - without)


def _weights(values: ArrayLike, weights: ArrayLike | None) -> Values:
    """The weight of each of `values`, 0 for one that is not finite."""
    array = np.asarray(values, np.float64).reshape(-1)
    weight = np.ones(len(array)) if weights is None else np.asarray(weights, np.float64).reshape(-1)
    return np.where(np.isfinite(array), weight, 0.0)


def _cluster_sums(values: ArrayLike, clusters: Sequence[Hashable]) -> Values:
    """The sum of each cluster's finite values, rounded once, so that neither order nor sign changes a bit."""
    array = np.asarray(values, np.float64).reshape(-1)
    if len(array) != len(clusters):
        raise ValueError(f"{len(array)} pairs and {len(clusters)} cluster labels; give one label for each pair")
    found: dict[Hashable, list[float]] = {}
    for label, value in zip(clusters, array.tolist(), strict=True):
        if math.isfinite(value):
            found.setdefault(label, []).append(value)
    return np.array([math.fsum(one) for one in found.values()], np.float64)


def _count_beyond(sizes: Values, limit: float, *, draws: int, seed: int) -> int:
    """How many of `draws` random assignments of signs have a sum of at least `limit` on either side."""
    rng, total, count = np.random.default_rng(seed), float(sizes.sum()), 0
    for at in range(0, draws, 1000):
        turned = rng.integers(0, 2, (min(1000, draws - at), len(sizes)), dtype=np.int8)
        count += int((np.abs(total - 2 * np.einsum("rc,c->r", turned, sizes)) >= limit).sum())
    return count
