"""Which metrics can be measured: for a pair, given its target and motion; on a machine, given its weights and packages."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toonbench import registry, weights
from toonbench.store import Run, read_json, write_json
from toonbench.types import Metric, Need, Pair, ToonbenchError

ABSENT: dict[Need, str] = {
    "motion": "not measured, because the data has no ground-truth motion (puppets have it)",
    "target": "not measured, because the pairs have no target (puppets and same-identity tasks have targets)",
    "driving": "not measured, because the pairs have no driving frames",
    "source": "not measured, because the pairs have no source frames",
}


@functools.cache
def load(name: str, *, device: str = "cpu") -> Metric:
    """The metric `name@version` with its network on `device`, loaded once in each process."""
    return registry.load_metric(name).on(device)


def applicable(metric: Metric, pair: Pair) -> bool:
    """Whether the pair has what the metric needs (every pair has a source and a driving clip)."""
    if "motion" in metric.needs and (pair.target is None or pair.target.motion is None):
        return False
    return "target" not in metric.needs or pair.target is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """Why a metric was skipped: what is missing (weights, packages, or a part of the data) or damaged, and the message."""

    kind: Literal["weights", "damaged", "package", "data"]
    missing: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        """The message."""
        return self.reason


def unavailable(metric: Metric) -> Skip | None:
    """Why this machine cannot measure the metric, with the command to run; None if it can."""
    absent = [install for module, install in metric.packages.items() if importlib.util.find_spec(module) is None]
    if absent:
        reason = f"skipped, its package is not installed: pip install {' '.join(absent)}"
        return Skip(kind="package", missing=tuple(absent), reason=reason)
    reason = weights.missing(metric.weights)
    kind = "damaged" if weights.damaged(metric.weights) else "weights"
    return Skip(kind=kind, missing=metric.weights, reason=f"skipped, {reason}") if reason else None


def claim_weights(run: Run, metric: Metric) -> None:
    """Record the weights that the metric's rows and features are made with, or compare them with the recorded ones.

    Raises ToonbenchError if they differ: one number must not mix rows of two networks.
    """
    used = weights.used(metric.weights)
    for place in _claims(run, metric) if used else ():
        if not place.exists():
            write_json(place, used)
        elif (stored := read_json(place)) != used:
            other = next(name for name in {**stored, **used} if stored.get(name) != used.get(name))
            raise ToonbenchError(
                f"{place.parent} was measured with other weights '{other}' (sha256 {str(stored.get(other))[:12]}, now "
                f"{str(used.get(other))[:12]}): choose another --out, or remove that folder to measure it again"
            )


def release_weights(run: Run, pairs: Sequence[Pair], *, metrics: Sequence[str]) -> None:
    """Delete the record of weights that gave only failures, so that other weights may be used."""
    for metric in map(load, metrics):
        if any(run.failure(failed_name(metric, pair.id)).exists() for pair in pairs):
            for place in _claims(run, metric):
                if not any(place.parent.rglob("*.npy")):
                    place.unlink(missing_ok=True)


def _claims(run: Run, metric: Metric) -> set[Path]:
    """The files that record the weights of the metric's rows and of its features of data set frames."""
    return {run.weights(rows_name(metric)), run.features / (metric.features or rows_name(metric)) / "weights.json"}


def claimed_weights(run: Run, metric: Metric) -> dict[str, str]:
    """The weights that the metric's stored rows were made with, name to sha256; empty if it needs none."""
    place = run.weights(rows_name(metric))
    return read_json(place) if place.exists() else {}


def rows_name(metric: Metric) -> str:
    """The name under which the metric's rows are stored: the metric's own, or that of features shared by several metrics."""
    return metric.features if needs_reference(metric) else registry.metric_id(metric)


def needs_reference(metric: Metric) -> bool:
    """Whether the metric compares features of the whole set with those of the reference images."""
    return "reference" in metric.needs and bool(metric.features)


def failed_name(metric: Metric, pair: str) -> str:
    """The name under which a failure of the metric on a pair is recorded; metrics with the same rows share it."""
    return f"{pair}+{rows_name(metric)}"
