"""Mistakes in videos that were written for a task: coded with loss, stretched, swapped, shifted, pasted, perturbed.

`measure` turns one video into one row; `findings` turns the rows of a run into messages. docs/lint.md has the thresholds and
the measurements that they are based on.
"""

from toonbench.lint.findings import Finding, findings
from toonbench.lint.measure import Linter, measure
from toonbench.lint.measured import COLUMNS, VERSION

__all__ = ["COLUMNS", "VERSION", "Finding", "Linter", "findings", "measure"]
