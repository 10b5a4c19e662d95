"""Two crossed samples: driving videos, and sources of which each is animated by several of them.

Where a source appears with more than one driving video, its pairs succeed and fail together as those of a driving video do.
An interval over driving videos alone is then too narrow, and more driving videos do not help. The variance of a mean is
(Cameron, Gelbach and Miller 2011, "Robust inference with multiway clustering")

    V = max(D, S, D + S - P)

with the variances D over driving videos, S over sources and P over pairs, which D and S both contain. D + S - P has no bias
to speak of, but can be smaller than D or S by chance; the maximum prevents that.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toonbench.stats.intervals import FEWEST, FEWEST_TO_RESAMPLE, Interval, cluster_bootstrap

Values = NDArray[np.float64]
Codes = NDArray[np.intp]
CHUNK = 1 << 20  # numbers of one block of resamples


@dataclass(frozen=True, slots=True)
class Variance:
    """Estimated variance of a sum, and the number of driving videos and sources that it rests on."""

    value: float
    driving: int
    sources: int

    @property
    def degrees(self) -> int:
        """Degrees of freedom: those of the smaller sample."""
        return min(self.driving, self.sources) - 1


def source_repeats(driving: Sequence[Hashable], sources: Sequence[Hashable] | None) -> bool:
    """Whether sources are a second sample: two or more, one of which appears with two driving videos or more.

    A single source is not a sample. It is taken as fixed, and an interval is about this source only.
    """
    if sources is None:
        return False
    if len(driving) != len(sources):
        raise ValueError(f"{len(driving)} driving videos and {len(sources)} sources; give one of each for each pair")
    first: dict[Hashable, Hashable] = {}
    repeats = any(first.setdefault(source, video) != video for video, source in zip(driving, sources, strict=True))
    return repeats and len(set(sources)) > 1


def variance_of_sum(
    residuals: ArrayLike, driving: Sequence[Hashable], sources: Sequence[Hashable] | None = None
) -> Variance:
    """The variance of the sum of `residuals` (n,), which sum to zero: over driving videos, and sources where they repeat.

    Each of D, S and P has the factor k / (k - 1) of its number k of clusters. NaN with a single cluster. Where no source
    repeats, `sources` of the result is the number of driving videos.
    """
    values = np.asarray(residuals, np.float64)
    over_driving, videos = _over(values, driving)
    if not source_repeats(driving, sources) or sources is None:
        return Variance(over_driving, videos, videos)
    over_sources, number = _over(values, sources)
    over_pairs, _ = _over(values, list(zip(driving, sources, strict=True)))
    found = max(over_driving, over_sources, over_driving + over_sources - over_pairs)
    return Variance(found, videos, number)


def two_way_bootstrap(
    values: ArrayLike,
    driving: Sequence[Hashable],
    sources: Sequence[Hashable] | None,
    *,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """The mean of `values` (n,) with an interval over driving videos and sources; `cluster_bootstrap` where no source repeats.

    Driving videos and sources are drawn with replacement, independently; a pair weighs as often as both were drawn (Owen
    2007, "The pigeonhole bootstrap"). That counts what belongs to a single pair three times, so the deviations of the resampled means
    are scaled to the variance V of this module, which keeps their skew. The percentile interval is widened to Student's t with
    the degrees of freedom of the smaller sample. It stays inside the range of the values. Three to five
    driving videos or sources take the t interval of V. Fewer give no interval. NaN values are left out.
    """
    array = np.asarray(values, np.float64).reshape(-1)
    weight = np.ones(len(array)) if weights is None else np.asarray(weights, np.float64).reshape(-1)
    kept = np.isfinite(array) & (weight > 0) if weight.shape == array.shape else np.ones(len(array), np.bool_)
    if sources is None or not source_repeats(some(driving, kept), some(sources, kept)):
        return cluster_bootstrap(values, driving, weights=weights, level=level, resamples=resamples, seed=seed)
    if weight.shape != array.shape or not (weight >= 0).all():
        raise ValueError(f"{len(weight)} weights for {len(array)} pairs; give one weight of 0 or more for each pair")
    return _two_way(
        array[kept], weight[kept], _codes(some(driving, kept)), _codes(some(sources, kept)),
        level=level, resamples=resamples, seed=seed,
    )  # fmt: skip


def paired_two_way_bootstrap(
    a: ArrayLike,
    b: ArrayLike,
    driving: Sequence[Hashable],
    sources: Sequence[Hashable] | None,
    *,
    weights: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval:
    """The mean of a - b over the pairs that both methods have, as `two_way_bootstrap` does it."""
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape:
        raise ValueError(f"a has shape {first.shape} and b {second.shape}; give the same pairs in the same order")
    return two_way_bootstrap(first - second, driving, sources, weights=weights, level=level)


def _two_way(
    values: Values, weight: Values, driving: Codes, sources: Codes, *, level: float, resamples: int, seed: int
) -> Interval:
    order = np.lexsort((weight, values, sources, driving))
    values, weight, driving, sources = values[order], weight[order], driving[order], sources[order]
    value = float((values * weight).sum() / weight.sum())
    found = variance_of_sum(weight * (values - value) / weight.sum(), driving.tolist(), sources.tolist())
    smaller = min(found.driving, found.sources)
    if smaller < FEWEST:
        kind = "source" if found.sources <= found.driving else "driving video"
        reason = f"no interval: {smaller} {kind}{'s' if smaller > 1 else ''}, at least {FEWEST} are needed"
        return Interval(value, math.nan, math.nan, found.driving, reason)
    reach = student(level, found.degrees)
    error = math.sqrt(found.value)
    if smaller < FEWEST_TO_RESAMPLE:
        return Interval(value, value - reach * error, value + reach * error, found.driving)
    away = _resampled(values - value, weight, driving, sources, resamples=resamples, seed=seed)
    spread = math.sqrt(float(np.square(away).mean()))
    scale = error / spread if spread > 0 else 0.0
    low, high = value + scale * np.quantile(away, [_normal_tail(reach), 1 - _normal_tail(reach)])
    low, high = max(float(low), float(values.min())), min(float(high), float(values.max()))
    return Interval(value, min(low, value), max(high, value), found.driving)


def _resampled(away: Values, weight: Values, driving: Codes, sources: Codes, *, resamples: int, seed: int) -> Values:
    """The means (resamples,) of `away` (n,) when driving videos and sources are drawn again."""
    rng = np.random.default_rng(seed)
    videos, number = int(driving.max()) + 1, int(sources.max()) + 1
    drawn = rng.multinomial(videos, np.full(videos, 1 / videos), size=resamples).astype(np.float64)
    chosen = rng.multinomial(number, np.full(number, 1 / number), size=resamples).astype(np.float64)
    found = np.zeros(resamples)
    step = max(1, CHUNK // len(away))
    for at in range(0, resamples, step):
        times = drawn[at : at + step, driving] * chosen[at : at + step, sources] * weight
        whole = np.einsum("rp->r", times)
        total = np.einsum("rp,p->r", times, away)
        found[at : at + step] = np.divide(total, whole, out=np.zeros_like(total), where=whole > 0)
    return found


def student(level: float, degrees: float) -> float:
    """How many standard errors the two-sided t interval reaches."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + level / 2))


def some(labels: Sequence[Hashable], kept: ArrayLike) -> list[Hashable]:
    """The labels for which `kept` (n,) is true."""
    if len(labels) != np.size(kept):
        raise ValueError(f"{np.size(kept)} pairs and {len(labels)} cluster labels; give one label for each pair")
    return [label for label, keep in zip(labels, np.asarray(kept, np.bool_).tolist(), strict=True) if keep]


@functools.lru_cache(maxsize=64)
def _normal_tail(reach: float) -> float:
    from scipy.special import ndtr

    return float(ndtr(-reach))


def _over(values: Values, labels: Sequence[Hashable]) -> tuple[float, int]:
    """The variance of the sum from the sums of clusters, and their number."""
    found: dict[Hashable, list[float]] = {}
    for label, value in zip(labels, values.tolist(), strict=True):
        found.setdefault(label, []).append(value)
    number = len(found)
    if number < 2:
        return math.nan, number
    return number / (number - 1) * math.fsum(math.fsum(one) ** 2 for one in found.values()), number


def _codes(labels: Sequence[Hashable]) -> Codes:
    return np.unique(np.asarray(labels), return_inverse=True)[1].astype(np.intp)
