"""The value of a metric in each frame, from stored rows, for the metrics whose number is the mean over frames."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from toonbench import registry
from toonbench.data.open import cache_folder
from toonbench.report.site.names import digest
from toonbench.score import rows_name
from toonbench.sealed import read_sealed, write_sealed
from toonbench.store import Run
from toonbench.types import Metric, Rows, ToonbenchError

CLOSE = 1e-3  # of the number: a curve whose mean differs by more is not shown
DIGITS = 4
Curve = list[float | None]
WIDEST = 64  # columns of rows, above which they are features, not values


@functools.cache
def metric_of(name: str) -> Metric | None:
    """The metric of an id, if it is installed in this version."""
    try:
        return registry.load_metric(name)
    except ToonbenchError:
        return None


def remembered(root: Path, values: Sequence[tuple[str, str, float]]) -> dict[str, dict[str, Curve]]:
    """The curves of a run by pair and metric, for (pair, metric, number); in the user's cache while its result.json is the same."""
    mark = _mark(root / "result.json")
    path = cache_folder() / "site" / f"curves-{digest(str(root.resolve()))}.json"
    stored = read_sealed(path)
    if stored and mark and stored.get("mark") == mark and stored.get("asked") == len(values):
        return stored["curves"]
    found: dict[str, dict[str, Curve]] = {}
    for pair, metric, value in values:
        if curve := frame_values(Run(root), metric, pair, value=value):
            found.setdefault(pair, {})[metric] = curve
    write_sealed(path, {"mark": mark, "asked": len(values), "curves": found})
    return found


def _mark(path: Path) -> list[int]:
    try:
        found = path.stat()
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns]


def frame_values(run: Run, metric: str, pair: str, *, value: float) -> Curve:
    """The value in each measured frame (None: not measured); empty if the pair's number, `value`, is not the mean over frames."""
    loaded = metric_of(metric)
    if loaded is None or not math.isfinite(value):
        return []
    try:
        rows = run.read_rows(rows_name(loaded), pair)
    except ToonbenchError:
        return []
    if rows is None or rows.shape[0] < 2 or not 0 < rows.shape[1] <= WIDEST:
        return []
    found = rows[:, 0].astype(np.float64)
    if not _has_mean(found, value):
        found = _each(loaded, rows)
    return _rounded(found) if _has_mean(found, value) else []


def _has_mean(values: np.ndarray, value: float) -> bool:
    measured = values[np.isfinite(values)]
    return bool(measured.size) and math.isclose(measured.mean(), value, rel_tol=CLOSE, abs_tol=1e-6)


def _each(metric: Metric, rows: Rows) -> np.ndarray:
    """The metric's number of each frame alone; nothing for a metric that looks across frames."""
    if metric.temporal or metric.aggregate not in ("pairs", "frames"):
        return np.empty(0)
    return np.array([metric.value(rows[at : at + 1]) for at in range(len(rows))], np.float64)


def _rounded(values: np.ndarray) -> Curve:
    return [float(f"{one:.{DIGITS}g}") if math.isfinite(one) else None for one in values.tolist()]
