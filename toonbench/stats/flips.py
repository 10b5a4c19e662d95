"""Could a difference be chance? Randomisation tests that exchange two methods within whole driving videos.

If two methods do not differ, exchanging their names within a driving video changes nothing, so every assignment of names is as
likely as the observed one; p is the share of assignments with a difference as large, or larger (Fisher). With up to 20
driving videos that differ, all assignments are counted; otherwise `draws` random ones and the observed one:
(1 + count) / (1 + draws), which
holds the level exactly too (Phipson and Smyth 2010).

Where sources repeat (see `toonbench.stats.twoway`) that is not enough: pairs that share a source are alike too. There p is the
largest of three: driving videos exchanged, sources exchanged, and the t test with the variance of two samples.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toonbench.stats.twoway import Variance, some, source_repeats, variance_of_sum

Values = NDArray[np.float64]

ALPHA = 0.05  # two-sided
EXACT = 20  # up to so many clusters every assignment is counted: 2^19 sums, 4 MiB
DRAWS = 19_999  # above it, random ones; with the +1 the smallest p is 1/20000
SLACK = 1e-9  # an assignment that ties with the observed one must not be missed by rounding
BLOCK = 1000  # random assignments at a time


def sign_flip(
    values: ArrayLike,
    driving: Sequence[Hashable],
    *,
    sources: Sequence[Hashable] | None = None,
    weights: ArrayLike | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> float:
    """Two-sided p of the mean of differences `values` (n,), flipping the sign of whole driving videos (n,).

    Depends on the sums of the driving videos only: not on order, labels, or which method is named first. NaN values are left
    out; NaN if there are none. `weights` (n,) as in `cluster_bootstrap`. With `sources` (n,) that repeat, p is the largest of
    three: of flips of driving videos, of flips of sources, and of the t test with the variance of `toonbench.stats.twoway`.
    """
    terms = np.asarray(values, np.float64).reshape(-1) * finite_weights(values, weights)
    sums = cluster_sums(terms, driving)
    if not sums.size:
        return math.nan
    p = flip_sums(sums, abs(math.fsum(sums)), draws=draws, seed=seed)
    kept = np.isfinite(terms)
    videos, characters = some(driving, kept), None if sources is None else some(sources, kept)
    if characters is None or not source_repeats(videos, characters):
        return p
    terms, weight = terms[kept], finite_weights(values, weights)[kept]
    residuals = terms - weight * (math.fsum(terms) / math.fsum(weight)) if weight.any() else terms
    return max(
        p,
        flip_sums(cluster_sums(terms, characters), abs(math.fsum(terms)), draws=draws, seed=seed),
        t_test(math.fsum(terms), variance_of_sum(residuals, videos, characters)),
    )


def flip_ratio(
    a: ArrayLike,
    b: ArrayLike,
    driving: Sequence[Hashable],
    *,
    sources: Sequence[Hashable] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> float:
    """Two-sided p of the difference of two pooled ratios, exchanging the counts of whole driving videos between the methods.

    `a` and `b`: (n, 2), the numerator and denominator of the same pairs, such as twice the matched events and all events.
    Each method's number is sum of numerators / sum of denominators, computed again for every exchange. Driving videos in
    which both methods have equal counts change nothing, so k that differ allow no p below 2^(1 - k). Pairs with a count
    that is not finite are left out; NaN where a method's denominator is 0. An exchange that leaves a method without
    denominator counts as a larger difference. With `sources` that repeat, p is the largest of three, as in `sign_flip`; the
    variance of the third is that of `ratio_influence`.
    """
    first, second = _counts(a), _counts(b)
    if first.shape != second.shape:
        raise ValueError(f"a has shape {first.shape} and b {second.shape}; give the same pairs in the same order")
    if len(first) != len(driving):
        raise ValueError(f"{len(first)} pairs and {len(driving)} cluster labels; give one label for each pair")
    kept = np.isfinite(first).all(axis=1) & np.isfinite(second).all(axis=1)
    first, second, videos = first[kept], second[kept], some(driving, kept)
    if not (first[:, 1].sum() > 0 and second[:, 1].sum() > 0):
        return math.nan
    p = _exchange(first, second, videos, draws=draws, seed=seed)
    characters = None if sources is None else some(sources, kept)
    if characters is None or not source_repeats(videos, characters):
        return p
    (top_a, whole_a), (top_b, whole_b) = first.sum(axis=0).tolist(), second.sum(axis=0).tolist()
    influence = ratio_influence(first) - ratio_influence(second)
    return max(
        p,
        _exchange(first, second, characters, draws=draws, seed=seed),
        t_test(top_a / whole_a - top_b / whole_b, variance_of_sum(influence, videos, characters)),
    )


def ratio_influence(counts: Values) -> Values:
    """How much each pair (n,) moves the pooled ratio of counts (n, 2), to first order; they sum to zero."""
    top, whole = counts.sum(axis=0).tolist()
    return (counts[:, 0] - top / whole * counts[:, 1]) / whole if whole > 0 else np.zeros(len(counts))


def t_test(difference: float, variance: Variance) -> float:
    """Two-sided p of a `difference` with a variance estimated over driving videos and sources."""
    from scipy.special import stdtr

    if variance.degrees < 1:
        return 1.0
    if not variance.value > 0:
        return 1.0 if difference == 0 else 0.0
    return float(2 * stdtr(variance.degrees, -abs(difference) / math.sqrt(variance.value)))


def differing(a: ArrayLike, b: ArrayLike, driving: Sequence[Hashable]) -> int:
    """The number of driving videos in which two methods' counts (n, 2) differ."""
    return sum(one != other for one, other in _cluster_counts(_counts(a), _counts(b), driving))


def smallest_p(clusters: int, *, draws: int = DRAWS) -> float:
    """The least p that `sign_flip` can give: all signs alike, or all turned, out of 2^clusters."""
    if clusters < 1:
        return math.nan
    return 2.0 ** (1 - clusters) if clusters <= EXACT else 1 / (1 + draws)


def flip_sums(sums: Values, observed: float, *, draws: int = DRAWS, seed: int = 0) -> float:
    """The share of assignments of signs to `sums` (k,) with a total of at least `observed` on either side."""
    sizes = np.sort(np.abs(sums))[::-1]  # the test asks for no more; one order for equal data
    limit = observed - SLACK * float(sizes.sum())
    if len(sizes) <= EXACT:
        reached = np.zeros(1)
        for size in sizes[1:]:
            reached = np.concatenate([reached + size, reached - size])
        return float(np.mean(np.abs(reached + sizes[0]) >= limit))  # the other half, first sign turned, is the same
    return (1 + _count_beyond(sizes, limit, draws=draws, seed=seed)) / (1 + draws)


def finite_weights(values: ArrayLike, weights: ArrayLike | None) -> Values:
    """The weight of each of `values`, 0 for one that is not finite."""
    array = np.asarray(values, np.float64).reshape(-1)
    weight = np.ones(len(array)) if weights is None else np.asarray(weights, np.float64).reshape(-1)
    return np.where(np.isfinite(array), weight, 0.0)


def cluster_sums(values: ArrayLike, clusters: Sequence[Hashable]) -> Values:
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
    for at in range(0, draws, BLOCK):
        turned = rng.integers(0, 2, (min(BLOCK, draws - at), len(sizes)), dtype=np.int8)
        count += int((np.abs(total - 2 * np.einsum("rc,c->r", turned, sizes)) >= limit).sum())
    return count


def _exchange(a: Values, b: Values, clusters: Sequence[Hashable], *, draws: int, seed: int) -> float:
    """The share of exchanges of whole clusters' counts with a difference of ratios of at least the observed one."""
    pairs = _cluster_counts(a, b, clusters)
    changing = sorted((max(pair), min(pair)) for pair in pairs if pair[0] != pair[1])
    high, low = (np.array([pair[side] for pair in changing], np.float64).reshape(-1, 2) for side in (0, 1))
    fixed = np.array([one for one, other in pairs if one == other], np.float64).reshape(-1, 2).sum(axis=0)
    whole = a.sum(axis=0) + b.sum(axis=0)
    observed = abs(_difference(a.sum(axis=0)[None], whole)[0])
    if not len(changing):
        return 1.0
    start, steps = fixed + low.sum(axis=0), high - low
    if len(changing) <= EXACT:
        reached = start[None]
        for step in steps[1:]:
            reached = np.concatenate([reached, reached + step])
        return float(np.mean(np.abs(_difference(reached, whole)) >= observed - SLACK))
    rng, count = np.random.default_rng(seed), 0
    for at in range(0, draws, BLOCK):
        chosen = rng.integers(0, 2, (min(BLOCK, draws - at), len(steps)), dtype=np.int8)
        reached = start + np.einsum("rc,cx->rx", chosen, steps)
        count += int((np.abs(_difference(reached, whole)) >= observed - SLACK).sum())
    return (1 + count) / (1 + draws)


def _difference(of_first: Values, whole: Values) -> Values:
    """One method's ratio minus the other's, from one's counts (n, 2) and those of both (2,); infinite where one has none."""
    of_second = whole - of_first
    defined = (of_first[:, 1] > 0) & (of_second[:, 1] > 0)
    one, other = np.where(defined, of_first.T, 1.0), np.where(defined, of_second.T, 1.0)
    return np.where(defined, one[0] / one[1] - other[0] / other[1], np.inf)


def _cluster_counts(
    a: Values, b: Values, clusters: Sequence[Hashable]
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """The counts of both methods in each cluster."""
    columns = [cluster_sums(side[:, column], clusters).tolist() for side in (a, b) for column in (0, 1)]
    return [((top_a, a_all), (top_b, b_all)) for top_a, a_all, top_b, b_all in zip(*columns, strict=True)]


def _counts(counts: ArrayLike) -> Values:
    array = np.asarray(counts, np.float64)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"counts have shape {array.shape}; give a numerator and a denominator for each pair, (n, 2)")
    return array
