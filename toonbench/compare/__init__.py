"""From the stored rows of several methods to their differences: which are real, and how small a one would have been seen.

A pure function of run folders: nothing is generated, measured or decoded. `scores.csv` says which pairs there are and
which video drives each; the numbers come from the rows.
"""

from toonbench.compare.comparison import Comparison, ReferenceOf, compare
from toonbench.compare.runs import same_pairs
from toonbench.compare.table import Difference, MethodRow, MetricComparison

__all__ = ["Comparison", "Difference", "MethodRow", "MetricComparison", "ReferenceOf", "compare", "same_pairs"]
