"""FID: Fréchet distance between the Inception features of generated frames and of the reference images."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from toonbench.metrics._inception import InceptionFeatures
from toonbench.metrics._last import Last
from toonbench.stats.frechet import Frechet, frechet
from toonbench.stats.pooled import Pooled, pool
from toonbench.types import Rows

FLOOR = "floor (halves of the reference)"
_DECOMPOSED: Last[Frechet] = Last()
_FLOORS: Last[float] = Last()


class FID(InceptionFeatures):
    """Fréchet distance of two Gaussians through Inception features (Heusel et al. 2017); 0 is equal, no upper bound.

    d² = |m1 - m2|² + tr(S1 + S2 - 2 (S1 S2)^(1/2)), covariances over n - 1, of pytorch-fid 0.3.0's features; all frames
    of all pairs against the task's reference images. Biased upwards, by more the fewer images there are: numbers of
    different counts cannot be compared, and at 300 images most of it is bias. The counts and a floor are shown with it:
    the FID between two random halves of the reference, which show the same distribution. Each half has half of
    the images, so the floor at the full count is lower. FID does not measure motion.
    """

    name = "fid"
    version = 1
    higher_is_better = False
    bounds = (0.0, math.inf)
    remark = (
        "at these counts most of the value may be bias, which the interval does not cover; the floor is of half the images "
        "and so higher than at the full count; use kid as well"
    )

    def corpus(self, rows: Sequence[Rows], reference: Sequence[Rows] = ()) -> float:
        """The distance of all rows to the reference's; NaN with fewer than two measured rows on either side."""
        return self._to(pool(reference)).distance(pool(rows))

    def leave_out(self, groups: Sequence[Sequence[Rows]], reference: Sequence[Rows] = ()) -> tuple[float, list[float]]:
        """`corpus` of all groups' rows, and of all but each group's in turn, in one pass over the rows."""
        return self._to(pool(reference)).without_each([pool(group) for group in groups])

    def details(self, rows: Sequence[Rows], reference: Sequence[Rows] = ()) -> dict[str, float]:
        """The floor, and how many frames were compared with how many reference images."""
        real = pool(reference)
        return {FLOOR: self._floor(real), "frames": float(len(pool(rows))), "reference images": float(len(real))}

    def _to(self, reference: Pooled) -> Frechet:
        """The reference, decomposed: kept for the next method, which has the same."""
        return _DECOMPOSED.get(reference.fingerprint(), lambda: Frechet(reference))

    def _floor(self, reference: Pooled) -> float:
        return _FLOORS.get(reference.fingerprint(), lambda: floor(reference))


def floor(reference: Pooled) -> float:
    """FID between two halves of the reference, drawn at random by the content of the rows, independent of their order."""
    half = np.zeros(len(reference), bool)
    half[reference.shuffled()[: len(reference) // 2]] = True
    return frechet(reference.where(half), reference.where(~half))
