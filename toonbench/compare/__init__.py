"""Differences between methods from their stored rows: which are significant, and how small a difference could be detected.

A pure function of run folders: nothing is generated, measured or decoded. `scores.csv` lists the pairs and the driving video
of each; the numbers come from the rows.
"""

from toonbench.compare.comparison import Comparison, ReferenceOf, compare
from toonbench.compare.runs import same_pairs
from toonbench.compare.table import Difference, MethodRow, MetricComparison

__all__ = ["Comparison", "Difference", "MethodRow", "MetricComparison", "ReferenceOf", "compare", "same_pairs"]
