"""KID: squared maximum mean discrepancy between the Inception features of generated frames and of the reference images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toonbench.metrics._inception import InceptionFeatures
from toonbench.metrics._last import Last
from toonbench.stats.pooled import Pooled, common_width, pool
from toonbench.types import Rows

Values = NDArray[np.float64]
MOST = 50_000  # rows of a side: two minutes of one core
OUTER = 2048  # rows of the outer blocks: fewer passes over the files, 100 MB at most
APART = "without frames of one clip together"


class KID(InceptionFeatures):
    """Squared MMD with the kernel (x · y / 2048 + 1)³ of Inception features (Bińkowski et al. 2018); 0 is equal.

    The mean kernel within the generated frames, plus that within the reference (both without a frame with itself), minus
    twice the mean across. Unlike FID it expects the same value at any count, and may be a little negative: unbiased, for rows that are
    independent of each other. Frames of one clip are alike, which raises the mean within and so the value, the more
    frames a clip has and the fewer clips there are. `details` has the number whose means within leave out all pairs of
    frames of one clip: unbiased where the clips are independent. Computed over all rows: that is what the average over
    random subsets (100 of 1000, as it is usually printed) estimates. With more than 50,000 rows on a side, it uses a random
    50,000, which their content determines. Printed values are often times 1000.
    """

    name = "kid"
    version = 1
    higher_is_better = False
    bounds = (-math.inf, math.inf)
    remark = f"frames of one clip are much alike, which raises the value; '{APART}' leaves their pairs out"

    def corpus(self, rows: Sequence[Rows], reference: Sequence[Rows] = ()) -> float:
        """The discrepancy of all rows from the reference's; NaN with fewer than two measured rows on either side."""
        return self._sums([pool(rows)], pool(reference)).value(np.ones(1, bool))

    def leave_out(self, groups: Sequence[Sequence[Rows]], reference: Sequence[Rows] = ()) -> tuple[float, list[float]]:
        """`corpus` of all groups' rows, and of all but each group's in turn: each kernel value is computed once.

        Above 50,000 rows each group is thinned to its share, once for all values.
        """
        sums = self._sums([pool(group) for group in groups], pool(reference))
        everything = np.ones(len(groups), bool)
        without = [sums.value(np.arange(len(groups)) != left_out) for left_out in range(len(groups))]
        return sums.value(everything), without

    def details(self, rows: Sequence[Rows], reference: Sequence[Rows] = ()) -> dict[str, float]:
        """KID without pairs of frames of one clip (NaN if a side has but one), and how many frames and images there are."""
        generated, real = pool(rows), pool(reference)
        sums = _SUMS.get(_checksum([generated], real), lambda: self._sums([generated], real))
        return {
            APART: sums.apart(),
            "frames": float(len(generated)),
            "reference images": float(len(real)),
        }

    def _sums(self, groups: Sequence[Pooled], reference: Pooled) -> _Sums:
        common_width([reference, *groups])
        key = _checksum(groups, reference)
        groups, (real,) = _thinned(groups), _thinned([reference])
        within = np.zeros((len(groups), len(groups)))
        for first, one in enumerate(groups):
            within[first, first] = _within(one)
            for second in range(first):
                within[first, second] = within[second, first] = _across(one, groups[second])
        of_real, of_real_clips = _REFERENCE.get(real.fingerprint(), lambda: (_within(real), _within_clips([real])))
        sums = _Sums(
            counts=np.array([len(one) for one in groups], np.float64),
            within=within,
            across=np.array([_across(one, real) for one in groups]),
            clips=_within_clips(groups),
            real=of_real,
            real_count=len(real),
            real_clips=of_real_clips,
        )
        _SUMS.put(key, sums)
        return sums


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pairs:
    """Ordered pairs of two different rows: their number, and the sum of the kernel less 1 over them."""

    count: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sums:
    """Sums of the kernel less 1: between groups of generated rows (never of a row with itself), to the reference, and within it."""

    counts: Values  # (groups,)
    within: Values  # (groups, groups)
    across: Values  # (groups,)
    clips: _Pairs  # of generated rows, both of one clip
    real: float
    real_count: int
    real_clips: _Pairs

    def value(self, chosen: NDArray[np.bool_]) -> float:
        """The unbiased discrepancy of the rows of the chosen groups."""
        count, real = float(self.counts[chosen].sum()), self.real_count
        if count < 2 or real < 2:
            return math.nan
        within = math.fsum(self.within[np.ix_(chosen, chosen)].ravel()) / (count * (count - 1))
        across = math.fsum(self.across[chosen]) / (count * real)
        return within + self.real / (real * (real - 1)) - 2 * across

    def apart(self) -> float:
        """The discrepancy without any pair of rows of one clip; NaN where a side has no two clips."""
        count, real = float(self.counts.sum()), self.real_count
        pairs = count * (count - 1) - self.clips.count
        real_pairs = real * (real - 1) - self.real_clips.count
        if pairs < 1 or real_pairs < 1:
            return math.nan
        within = (math.fsum(self.within.ravel()) - self.clips.total) / pairs
        across = math.fsum(self.across) / (count * real)
        return within + (self.real - self.real_clips.total) / real_pairs - 2 * across


def _kernel_sum(one: Values, other: Values) -> float:
    """The sum of the kernel less 1: that 1 cancels in the discrepancy, and would cost digits of small features."""
    values = one @ other.T
    values /= one.shape[1]
    return float(np.vdot(_less_one(values), values))


def _less_one(values: Values) -> Values:
    """((v + 1)³ - 1) / v."""
    return (values + 3) * values + 3


def _across(one: Pooled, other: Pooled) -> float:
    """The sum of the kernel over all rows of one with all of the other."""
    return math.fsum(_kernel_sum(outer, inner) for outer in one.blocks(OUTER) for inner in other.blocks())


def _within(one: Pooled) -> float:
    """The sum of the kernel over all ordered pairs of two different rows."""
    sums: list[float] = []
    for start in range(0, len(one), OUTER):
        outer = one.take(start, min(start + OUTER, len(one)))
        itself = np.square(outer).sum(axis=1) / outer.shape[1]
        sums += [_kernel_sum(outer, outer), -float(np.vdot(_less_one(itself), itself))]
        sums += [2 * _kernel_sum(outer, inner) for inner in one.blocks(start=start + OUTER)]
    return math.fsum(sums)


def _within_clips(groups: Sequence[Pooled]) -> _Pairs:
    """The pairs of rows that are of one array."""
    clips = [clip for one in groups for clip in one.clips() if len(clip) > 1]
    count = sum(len(clip) * (len(clip) - 1) for clip in clips)
    return _Pairs(count=float(count), total=math.fsum(map(_within, clips)))


_SUMS: Last[_Sums] = Last()  # of the last reduction: its `details` are computed next
_REFERENCE: Last[tuple[float, _Pairs]] = Last()  # the sums within the reference and within its clips


def _checksum(groups: Sequence[Pooled], reference: Pooled) -> str:
    """A checksum of all rows of both sides, independent of the order and the grouping of clips."""
    return " ".join([*sorted(clip.fingerprint() for one in groups for clip in one.clips()), reference.fingerprint()])


def _thinned(groups: Sequence[Pooled]) -> list[Pooled]:
    """The groups; or, if they have more than `MOST` rows in total, a random `MOST`, each group its share, independent of order."""
    total = sum(map(len, groups))
    if total <= MOST:
        return list(groups)
    shares = np.floor(np.cumsum([0, *map(len, groups)]) * (MOST / total)).astype(int)
    return [_first(one, stop - start) for one, start, stop in zip(groups, shares[:-1], shares[1:], strict=True)]


def _first(one: Pooled, count: int) -> Pooled:
    mask = np.zeros(len(one), bool)
    mask[one.shuffled()[:count]] = True
    return one.where(mask)
