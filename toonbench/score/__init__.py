"""Scoring: from videos to rows, and from rows to results. It never imports a method."""

from toonbench.score.availability import (
    Skip,
    applicable,
    claimed_weights,
    failed_name,
    needs_reference,
    release_weights,
    rows_name,
    unavailable,
)
from toonbench.score.features import extract_references, reference_rows
from toonbench.score.measure import measure, unfinished
from toonbench.score.parts import PairLinter, Parts
from toonbench.score.results import Scores, equal_sets, pair_values, reduce
from toonbench.score.stored import SCHEMA, read_object, read_result

__all__ = [
    "SCHEMA",
    "PairLinter",
    "Parts",
    "Scores",
    "Skip",
    "applicable",
    "claimed_weights",
    "equal_sets",
    "extract_references",
    "failed_name",
    "measure",
    "needs_reference",
    "pair_values",
    "read_object",
    "read_result",
    "reduce",
    "reference_rows",
    "release_weights",
    "rows_name",
    "unavailable",
    "unfinished",
]
