"""The Fréchet distance between two sets of features, each taken for a Gaussian: exact, streamed, and fast.

    d² = |m1 - m2|² + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)          (Dowson & Landau 1982; FID: Heusel et al. 2017, eq. 6)

with covariances over n - 1. Where S = A^T A / (n - 1), the last trace is the nuclear norm (the sum of the singular values) of
A1 A2^T over sqrt((n1 - 1)(n2 - 1)), and A may be anything with that product: the centred rows, or the triangle of
their QR decomposition. No root of a 2048 x 2048 product is computed:

- Where one set has at most `FEW` rows, the singular values of the rows of one set on those of the other, condensed by QR
  while they stream. Exact to rounding: the same set twice gives 0.
- Otherwise the eigenvalues of the symmetric A1 S2 A1^T. Their square roots lose half of the digits of those near 0, which
  costs at most about 1e-7 of the traces.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toonbench.stats.pooled import Pooled, common_width

Values = NDArray[np.float64]
FEW = 1000  # rows: above, singular values cost more than the eigenvalues of a matrix as wide as the features
CONDENSE = 3  # a root is condensed when it is this many times as tall as wide: later is less work and more memory
EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and scatter of rows x, and their scatter on some axes: y = axes x, or y = x.

    `scatter` is the sum of |x - mean|²; `root` (r, k) is such that root^T root is the sum of (y - mean)(y - mean)^T.
    """

    count: int
    mean: Values
    scatter: float
    root: Values


class Frechet:
    """Distances to one reference, whose decomposition is made once."""

    def __init__(self, reference: Pooled) -> None:
        self.reference = reference
        self._root: Values | None = None
        self._mean = np.zeros(reference.width)
        for block in reference.blocks():
            self._mean += block.sum(axis=0)
        self._mean /= max(len(reference), 1)
        self._scatter = float(sum(np.square(block - self._mean).sum() for block in reference.blocks()))

    def distance(self, rows: Pooled) -> float:
        """The squared distance of `rows` to the reference; NaN with fewer than two rows on either side."""
        return self._distances([rows])[0]

    def without_each(self, groups: Sequence[Pooled]) -> tuple[float, list[float]]:
        """The squared distance of the rows of all `groups`, and of those of all groups but one, for each."""
        value, *without = self._distances(groups)
        return value, without or [math.nan] * len(groups)

    def _distances(self, groups: Sequence[Pooled]) -> list[float]:
        """The distance of all groups together and, if there are several, without each in turn."""
        count, several = sum(map(len, groups)), len(groups) > 1
        if count < 2 or len(self.reference) < 2:
            return [math.nan] * (1 + several * len(groups))
        width = common_width([self.reference, *groups])
        if min(len(self.reference), width) <= FEW:
            return self._on_reference(groups)
        return self._on_rows(groups) if count <= FEW else self._by_eigenvalues(groups)

    @property
    def _axes(self) -> Values:
        """(k, d) with axes^T axes = (n - 1) times the reference's covariance, k at most n and d."""
        if self._root is None:
            self._root = _condensed(spread(self.reference).root, tall=1)
        return self._root

    def _on_reference(self, groups: Sequence[Pooled]) -> list[float]:
        """Few reference rows: the singular values of the rows on them."""
        spreads = [spread(group, axes=self._axes) for group in groups]
        merge = functools.partial(_merged, axes=self._axes)
        before = list(itertools.accumulate(spreads, merge))
        found = [before[-1]]
        if len(groups) > 1:
            after = list(itertools.accumulate(reversed(spreads), merge))[::-1]
            inner = [merge(a, b) for a, b in zip(before[:-2], after[2:], strict=True)]
            found += [after[1], *inner, before[-2]]
        return [
            self._value(count=one.count, mean=one.mean, scatter=one.scatter, nuclear=_nuclear(one.root))
            for one in found
        ]

    def _on_rows(self, groups: Sequence[Pooled]) -> list[float]:
        """Few rows, many of the reference: the singular values of the reference on the rows."""
        rows = np.concatenate([group.take(0, len(group)) for group in groups if len(group)])
        owner = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
        on_rows = spread(self.reference, axes=rows - self._mean).root
        masks = [np.ones(len(rows), bool)]
        if len(groups) > 1:
            masks += [owner != group for group in range(len(groups))]
        values: list[float] = []
        for mask in masks:
            chosen, columns = rows[mask], on_rows[:, mask]
            mean = chosen.mean(axis=0) if len(chosen) else self._mean
            columns = columns - columns.mean(axis=1, keepdims=True) if len(chosen) else columns
            scatter = float(np.square(chosen - mean).sum())
            values.append(self._value(count=len(chosen), mean=mean, scatter=scatter, nuclear=_nuclear(columns)))
        return values

    def _by_eigenvalues(self, groups: Sequence[Pooled]) -> list[float]:
        """Many of both. A group's moments are made twice, so that those of all need not be kept."""
        everything = sum((self._moments(group) for group in groups), start=_Moments.zero())
        values = [self._from_moments(everything)]
        if len(groups) > 1:
            values += [self._from_moments(everything - self._moments(group)) for group in groups]
        return values

    def _moments(self, group: Pooled) -> _Moments:
        total = _Moments.zero()
        for block in group.blocks():
            centred = block - self._mean
            on_axes = centred @ self._axes.T
            total += _Moments(len(block), centred.sum(axis=0), float(np.square(centred).sum()), on_axes.T @ on_axes)
        return total

    def _from_moments(self, moments: _Moments) -> float:
        if moments.count < 2:
            return math.nan
        shift = moments.first / moments.count
        on_axes = self._axes @ shift
        product = moments.product - moments.count * np.outer(on_axes, on_axes)
        eigenvalues = np.linalg.eigvalsh(product)
        # Eigenvalues this small beside the largest are rounding errors; the root of each would add 1e-8.
        above = eigenvalues[eigenvalues > len(eigenvalues) * EPSILON * max(eigenvalues[-1], 0.0)]
        return self._value(
            count=moments.count,
            mean=self._mean + shift,
            scatter=moments.second - moments.count * float(shift @ shift),
            nuclear=float(np.sqrt(above).sum()),
        )

    def _value(self, *, count: int, mean: Values, scatter: float, nuclear: float) -> float:
        if count < 2:
            return math.nan
        degrees = len(self.reference) - 1
        scale = float(np.square(self._mean - mean).sum()) + self._scatter / degrees + scatter / (count - 1)
        value = scale - 2 * nuclear / math.sqrt((count - 1) * degrees)
        return value if value > min(count, degrees) * EPSILON * scale else 0.0  # below is rounding of sums that cancel


@dataclass(frozen=True, slots=True)
class _Moments:
    """Sums over rows x from a fixed origin: of x, of |x|², and of y y^T for y = axes x. They add and subtract."""

    count: int
    first: Values
    second: float
    product: Values

    @classmethod
    def zero(cls) -> _Moments:
        return cls(0, np.zeros(1), 0.0, np.zeros((1, 1)))

    def __add__(self, other: _Moments) -> _Moments:
        return _Moments(
            self.count + other.count,
            self.first + other.first,
            self.second + other.second,
            self.product + other.product,
        )

    def __sub__(self, other: _Moments) -> _Moments:
        return _Moments(
            self.count - other.count,
            self.first - other.first,
            self.second - other.second,
            self.product - other.product,
        )


def frechet(first: Pooled, second: Pooled) -> float:
    """The squared Fréchet distance of two sets of rows."""
    return Frechet(second).distance(first)


def spread(rows: Pooled, *, axes: Values | None = None) -> Spread:
    """The spread of `rows` on `axes` (k, d), or in their own space."""
    return functools.reduce(
        functools.partial(_merged, axes=axes),
        (_spread_of(block, axes=axes) for block in rows.blocks()),
        _nothing(rows.width, axes=axes),
    )


def _nothing(width: int, *, axes: Values | None) -> Spread:
    return Spread(0, np.zeros(width), 0.0, np.zeros((0, width if axes is None else len(axes))))


def _spread_of(block: Values, *, axes: Values | None) -> Spread:
    mean = block.mean(axis=0)
    centred = block - mean
    root = centred if axes is None else centred @ axes.T
    return Spread(len(block), mean, float(np.square(centred).sum()), root)


def _merged(one: Spread, other: Spread, *, axes: Values | None) -> Spread:
    """The spread of both sets: a further row of the root stands for the difference of their means."""
    if not (one.count and other.count):
        return one if one.count else other
    count, apart = one.count + other.count, other.mean - one.mean
    weight = one.count * other.count / count
    row = math.sqrt(weight) * (apart if axes is None else axes @ apart)
    return Spread(
        count,
        one.mean + apart * (other.count / count),
        one.scatter + other.scatter + weight * float(apart @ apart),
        _condensed(np.concatenate([one.root, other.root, row[None]]), tall=CONDENSE),
    )


def _condensed(root: Values, *, tall: float) -> Values:
    """The same root^T root in at most as many rows as columns, if there are more than `tall` times as many."""
    return np.asarray(np.linalg.qr(root, mode="r")) if len(root) > tall * root.shape[1] else root


def _nuclear(root: Values) -> float:
    return float(np.linalg.svd(root, compute_uv=False).sum()) if root.size else 0.0
