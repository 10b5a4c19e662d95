"""Metrics of plug-ins that do not derive from `Metric`: any object with a name, `needs`, `measure` and a number."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Self

from toonbench.types import Aggregate, Metric, Rows, Sample, ToonbenchError

REQUIRED = ("name", "higher_is_better", "measure")
GIVEN = ("version", "needs", "bounds", "weights", "packages", "features", "features_of", "calibrated", "remark")


def as_metric(thing: Any) -> Metric:
    """`thing` itself if it is a `Metric`; otherwise an adapter with the defaults of `Metric` for what it does not have.

    A number comes from `value(rows)`, or `corpus(rows, reference)`, or `reduce(rows, reference)` of all pairs. Raises
    ToonbenchError, naming the type, for an object without the attributes that every metric needs.
    """
    absent = [name for name in REQUIRED if not hasattr(thing, name)]
    if isinstance(thing, Metric) and type(thing).measure is Metric.measure and type(thing).add is Metric.add:
        absent.append("measure")
    if absent:
        what_to_do = (
            "define what is missing in the class" if isinstance(thing, Metric) else "derive it from toonbench.Metric"
        )
        raise ToonbenchError(f"{type(thing).__name__} is not a metric: it has no {', '.join(absent)}; {what_to_do}")
    return thing if isinstance(thing, Metric) and type(thing).reduce is Metric.reduce else AdaptedMetric(thing)


def on_test_weights(metric: Metric) -> Metric | None:
    """The metric on deterministic test weights, None where it cannot run without its own weights."""
    if not isinstance(metric, AdaptedMetric):
        return type(metric).with_test_weights()
    build = getattr(type(metric.thing), "with_test_weights", None)
    if build is None:
        return None if metric.weights else metric
    made = build()
    return None if made is None else as_metric(made)


class AdaptedMetric(Metric):
    """A metric that wraps an object with a metric's attributes that is not a `Metric`.

    If the object defines `reduce`, the printed number is `reduce` of all pairs. Without `temporal` it receives whole clips.
    """

    def __init__(self, thing: Any) -> None:
        self.thing = thing
        self.__doc__ = thing.__doc__
        self.name = thing.name
        self.higher_is_better = bool(thing.higher_is_better)
        for name in GIVEN:
            if hasattr(thing, name):
                setattr(self, name, getattr(thing, name))
        self.device = getattr(thing, "device", Metric.device)
        self.temporal = bool(getattr(thing, "temporal", True))
        self.aggregate = _aggregate(thing)

    def measure(self, sample: Sample) -> Rows:
        """The object's `measure`."""
        return self.thing.measure(sample)

    def extract_features(self, frames: Any) -> Rows:
        """The object's `extract_features`."""
        return self.thing.extract_features(frames)

    def value(self, rows: Rows) -> float:
        """The object's `value`; without one its `reduce` of this pair alone, or the default."""
        if hasattr(self.thing, "value"):
            return float(self.thing.value(rows))
        return float(self.thing.reduce([rows])) if hasattr(self.thing, "reduce") else super().value(rows)

    def weight(self, rows: Rows) -> float:
        """The object's `weight`, or the default."""
        return float(self.thing.weight(rows)) if hasattr(self.thing, "weight") else super().weight(rows)

    def counts(self, rows: Rows) -> tuple[float, float]:
        """The object's `counts`."""
        return self.thing.counts(rows)

    def corpus(self, rows: Sequence[Rows], reference: Sequence[Rows] = ()) -> float:
        """The object's `corpus`, or its `reduce`."""
        own = self.thing.corpus if hasattr(self.thing, "corpus") else self.thing.reduce
        return float(own(rows, reference) if len(reference) else own(rows))

    def details(self, rows: Sequence[Rows], reference: Sequence[Rows] = ()) -> Mapping[str, float]:
        """The object's `details`, if it has any."""
        return self.thing.details(rows, reference) if hasattr(self.thing, "details") else {}

    def on(self, device: str) -> Self:
        """The metric around a copy of the object with `device`, where the object has one."""
        if device == self.device or not hasattr(self.thing, "device"):
            return self
        moved = copy.copy(self)
        moved.thing = copy.copy(self.thing)
        moved.thing.device = moved.device = device
        return moved


def _aggregate(thing: Any) -> Aggregate:
    """The object's `aggregate`; "corpus" if it defines `reduce`, because then only the whole set has a number."""
    if getattr(type(thing), "reduce", Metric.reduce) is not Metric.reduce:
        return "corpus"
    return getattr(thing, "aggregate", "pairs")
