"""Which metrics can be measured: of a pair, by what it offers; on this machine, by the weights and packages it has."""

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
    "motion": "not measured, for want of exact motion (puppets have it)",
    "target": "not measured, for want of exact targets (puppets and same-identity tasks have them)",
    "driving": "not measured, for want of driving frames",
    "source": "not measured, for want of source frames",
}


@functools.cache
def load(name: str, *, device: str = "cpu") -> Metric:
    """The metric `name@version`, once in each process, its network on `device`."""
    return registry.load_metric(name).on(device)


def applicable(metric: Metric, pair: Pair) -> bool:
    """Whether the pair offers what the metric needs (every pair has a source and a driving clip)."""
    if "motion" in metric.needs and (pair.target is None or pair.target.motion is None):
        return False
    return "target" not in metric.needs or pair.target is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """Why a metric was skipped: what it lacks (weights, packages, or something of the data), and the message."""

    kind: Literal["weights", "package", "data"]
    missing: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        """The message."""
        return self.reason


def unavailable(metric: Metric) -> Skip | None:
    """Why this machine cannot measure the metric, with the command that helps; None if it can."""
    absent = [install for module, install in metric.packages.items() if importlib.util.find_spec(module) is None]
    if absent:
        reason = f"skipped, its package is not installed: pip install {' '.join(absent)}"
        return Skip(kind="package", missing=tuple(absent), reason=reason)
    reason = weights.missing(metric.weights)
    return Skip(kind="weights", missing=metric.weights, reason=f"skipped, {reason}") if reason else None


def claim_weights(run: Run, metric: Metric) -> None:
    """Write down which weights the metric's rows and features are made with, or compare with what is written there.

    Raises ToonbenchError where they were made with others: rows of two networks must not meet in one number.
    """
    used = weights.used(metric.weights)
    for place in _claims(run, metric) if used else ():
        if not place.exists():
            write_json(place, used)
        elif (seen := read_json(place)) != used:
            other = next(name for name in {**seen, **used} if seen.get(name) != used.get(name))
            raise ToonbenchError(
                f"{place.parent} was made with other weights '{other}' (sha256 {str(seen.get(other))[:12]}, now "
                f"{str(used.get(other))[:12]}): choose another --out, or remove that folder to measure it again"
            )


def release_weights(run: Run, pairs: Sequence[Pair], *, metrics: Sequence[str]) -> None:
    """Forget which weights were claimed where they gave nothing but failures: sound ones may take their place."""
    for metric in map(load, metrics):
        if any(run.failure(failed_name(metric, pair.id)).exists() for pair in pairs):
            for place in _claims(run, metric):
                if not any(place.parent.rglob("*.npy")):
                    place.unlink(missing_ok=True)


def _claims(run: Run, metric: Metric) -> set[Path]:
    """Where it stands which weights made the metric's rows, and its features of real frames."""
    return {run.weights(rows_name(metric)), run.features / (metric.features or rows_name(metric)) / "weights.json"}


def claimed_weights(run: Run, metric: Metric) -> dict[str, str]:
    """Which weights the metric's stored rows were made with, name to sha256; empty if it needs none."""
    place = run.weights(rows_name(metric))
    return read_json(place) if place.exists() else {}


def rows_name(metric: Metric) -> str:
    """The name under which the metric's rows are stored: its own, or that of the features that several metrics share."""
    return metric.features if needs_reference(metric) else registry.metric_id(metric)


def needs_reference(metric: Metric) -> bool:
    """Whether the metric compares features of the whole set with those of the reference images."""
    return "reference" in metric.needs and bool(metric.features)


def failed_name(metric: Metric, pair: str) -> str:
    """Under which name it is recorded that the metric failed on a pair: one for all who share the rows."""
    return f"{pair}+{rows_name(metric)}"
