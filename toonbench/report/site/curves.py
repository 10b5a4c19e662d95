"""The value of a metric in each frame, from stored rows, for the metrics whose number is the mean over frames."""

from __future__ import annotations

import functools
import math

import numpy as np

from toonbench import registry
from toonbench.score import rows_name
from toonbench.store import Run
from toonbench.types import Metric, Rows, ToonbenchError

CLOSE = 1e-3  # of the number: a curve whose mean differs by more is not shown
DIGITS = 4
WIDEST = 64  # columns of rows, above which they are features, not values


@functools.cache
def metric_of(name: str) -> Metric | None:
    """The metric of an id, if it is installed in this version."""
    try:
        return registry.load_metric(name)
    except ToonbenchError:
        return None


def frame_values(run: Run, metric: str, pair: str, *, value: float) -> list[float | None]:
    """The value in each measured frame (None: not measured); empty if the pair's number, `value`, is not the mean over frames."""
    loaded = metric_of(metric)
    if loaded is None or not math.isfinite(value):
        return []
    try:
        rows = run.read_rows(rows_name(loaded), pair)
    except ToonbenchError:
        return []
    if rows is None or not 1 < rows.shape[0] or not 0 < rows.shape[1] <= WIDEST:
        return []
    found = rows[:, 0].astype(np.float64)
    if not _has_mean(found, value):
        found = _each(loaded, rows)
    return _rounded(found) if _has_mean(found, value) else []


def _has_mean(values: np.ndarray, value: float) -> bool:
    known = values[np.isfinite(values)]
    return bool(known.size) and math.isclose(known.mean(), value, rel_tol=CLOSE, abs_tol=1e-6)


def _each(metric: Metric, rows: Rows) -> np.ndarray:
    """The metric's number of each frame alone; nothing for a metric that looks across frames."""
    if metric.temporal or metric.aggregate not in ("pairs", "frames"):
        return np.empty(0)
    return np.array([metric.value(rows[at : at + 1]) for at in range(len(rows))], np.float64)


def _rounded(values: np.ndarray) -> list[float | None]:
    return [float(f"{one:.{DIGITS}g}") if math.isfinite(one) else None for one in values.tolist()]
