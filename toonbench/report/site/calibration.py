"""The calibration of a metric as panels of curves: its response to errors of known size."""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from toonbench.report.site.documents import document

WIDTH, HEIGHT, EDGE = 200.0, 110.0, 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The response of one style: points of an SVG polyline."""

    style: str
    points: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One kind of error: a curve for each style over its levels, from none (left) to the largest, and the range of values."""

    error: str
    curves: tuple[Curve, ...]
    low: float
    high: float
    levels: int


@functools.cache
def _lines() -> tuple[dict[str, str], ...]:
    path = document("metrics/calibration/calibration.csv")
    if path is None:
        return ()
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def panels(metric: str) -> list[Panel]:
    """A panel for each error with several levels; none for a metric that was not calibrated."""
    own = [line for line in _lines() if line["metric"] == metric]
    errors = [one for one in dict.fromkeys(line["error"] for line in own) if one != "oracle"]
    stepped = [one for one in errors if len({line["level"] for line in own if line["error"] == one}) > 1]
    values = [float(line["value"]) for line in own if line["error"] in ("oracle", *stepped)]
    finite = [one for one in values if math.isfinite(one)]
    if not finite:
        return []
    span = (min(finite), max(finite))
    return [_panel(own, error, span) for error in stepped]


def _panel(lines: Sequence[dict[str, str]], error: str, span: tuple[float, float]) -> Panel:
    styles = sorted({line["style"] for line in lines})
    curves: list[Curve] = []
    count = 0
    for style in styles:
        own = [line for line in lines if line["style"] == style]
        found = [line for line in own if line["error"] == "oracle"]
        found += sorted((line for line in own if line["error"] == error), key=lambda line: float(line["level"]))
        count = max(count, len(found))
        curves.append(Curve(style=style, points=_points([float(line["value"]) for line in found], span)))
    return Panel(error=error, curves=tuple(curves), low=span[0], high=span[1], levels=count)


def _points(values: Sequence[float], span: tuple[float, float]) -> str:
    low, high = span
    step = (WIDTH - 2 * EDGE) / max(1, len(values) - 1)
    reach = (HEIGHT - 2 * EDGE) / ((high - low) or 1.0)
    places = [(EDGE + at * step, HEIGHT - EDGE - (one - low) * reach) for at, one in enumerate(values)]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places if math.isfinite(y))
