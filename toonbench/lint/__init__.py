"""What is wrong with somebody's videos before they are scored: written with loss, stretched, swapped, shifted, pasted.

`measure` turns one video into one row, `findings` the rows of a run into what should be told. docs/lint.md has the
thresholds and what they rest on.
"""

from toonbench.lint.findings import Finding, findings
from toonbench.lint.measure import Linter, measure
from toonbench.lint.measured import COLUMNS, VERSION

__all__ = ["COLUMNS", "VERSION", "Finding", "Linter", "findings", "measure"]
