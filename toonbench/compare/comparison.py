"""The comparison of runs on every metric that they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toonbench import registry
from toonbench.compare.runs import caveats, choose, same_pairs, scored
from toonbench.compare.table import MetricComparison, Table
from toonbench.score import claimed_weights, needs_reference
from toonbench.stats import paired
from toonbench.store import Run
from toonbench.types import Metric, Rows, ToonbenchError

SCHEMA = 1
ReferenceOf = Callable[[Metric], tuple[Sequence[Rows], bool]]
"""The rows of a corpus metric's reference images, and whether both sets are cut to equal numbers. Raises
ToonbenchError if they are not available."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A comparison of runs of the same pairs: what they have in common, folders, metrics, and skipped metrics with the reason."""

    about: Mapping[str, Any]
    runs: Mapping[str, str]
    pairs: int
    clusters: int
    metrics: tuple[MetricComparison, ...]
    skipped: Mapping[str, str]
    caveats: tuple[str, ...] = ()
    alpha: float = paired.ALPHA
    power: float = paired.POWER
    schema: int = SCHEMA


def compare(
    runs: Mapping[str, Run], *, metrics: Sequence[str] | None = None, reference_of: ReferenceOf | None = None
) -> Comparison:
    """Compare runs (name to run) on `metrics`; by default on all metrics that every run has rows of.

    Raises ToonbenchError for runs of different pairs, runs without scores, and runs without rows of a requested metric.
    """
    about, pairs = same_pairs(runs)
    chosen, skipped = choose(runs, metrics, first=scored(next(iter(runs.values()))))
    found: list[MetricComparison] = []
    for metric in chosen:
        try:
            _same_weights(runs, metric)
            reference, equal = _reference(metric, reference_of)
        except ToonbenchError as error:
            skipped[registry.metric_id(metric)] = str(error)
            continue
        found.append(Table.read(runs, metric, pairs=pairs, reference=reference, equal=equal).compare())
    return Comparison(
        about=about,
        runs={name: str(run.root) for name, run in runs.items()},
        pairs=len(pairs),
        clusters=len({clips.driving for clips in pairs.values()}),
        metrics=tuple(found),
        skipped=skipped,
        caveats=caveats(runs),
    )


def _same_weights(runs: Mapping[str, Run], metric: Metric) -> None:
    made = {name: claimed_weights(run, metric) for name, run in runs.items()}
    first, *others = made
    for other in others:
        if made[other] != made[first]:
            raise ToonbenchError(
                f"not compared, because {first} and {other} were measured with different weights: measure one again"
            )


def _reference(metric: Metric, reference_of: ReferenceOf | None) -> tuple[Sequence[Rows], bool]:
    if not needs_reference(metric):
        return (), False
    if reference_of is None:
        raise ToonbenchError("not compared, because the features of the reference images are missing: give --data")
    return reference_of(metric)
