"""Agreement of raters: Krippendorff's alpha for nominal values (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability")."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence


def nominal_alpha(units: Sequence[Sequence[Hashable]]) -> float:
    """Alpha of the values that raters gave to each unit: 1 is full agreement, 0 is chance.

    1 - (n - 1) * sum of o / sum of n_c n_k over c != k, where o counts the ordered pairs of unlike values in a unit of m values,
    divided by m - 1; n_c is how often value c occurs, n the number of values. Units with one value are left out. NaN where all values
    are equal, and where no unit has two.
    """
    paired = [Counter(unit) for unit in units if len(unit) > 1]
    totals: Counter[Hashable] = Counter()
    unlike = 0.0
    for unit in paired:
        size = unit.total()
        totals.update(unit)
        unlike += (size**2 - sum(one**2 for one in unit.values())) / (size - 1)
    number = totals.total()
    expected = number**2 - sum(one**2 for one in totals.values())
    return 1 - (number - 1) * unlike / expected if expected else math.nan
