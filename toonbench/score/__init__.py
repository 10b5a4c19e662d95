"""From videos to rows, and from rows to results: scoring never imports a method."""

from toonbench.score.availability import (
    ANY,
    applicable,
    claimed_weights,
    failed_name,
    lacking,
    release_weights,
    rows_name,
)
from toonbench.score.features import describe_references, reference_rows
from toonbench.score.measure import measure, unfinished
from toonbench.score.results import SCHEMA, Scores, equal_sets, pair_values, pair_weights, reduce

__all__ = [
    "ANY",
    "SCHEMA",
    "Scores",
    "applicable",
    "claimed_weights",
    "describe_references",
    "equal_sets",
    "failed_name",
    "lacking",
    "measure",
    "pair_values",
    "pair_weights",
    "reduce",
    "reference_rows",
    "release_weights",
    "rows_name",
    "unfinished",
]
