"""Check one plug-in: build it as the pipeline does, and apply the laws of its kind."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from toonbench import registry
from toonbench.adapted import on_test_weights
from toonbench.score import unavailable
from toonbench.testing.find import Plugin
from toonbench.testing.laws import Outcome, described, in_stages
from toonbench.testing.measuring_laws import MEASURING, MEASURING_BASICS
from toonbench.testing.method_laws import FACE_BASICS, FACE_LAWS, METHOD_BASICS, METHOD_LAWS, MethodSubject
from toonbench.testing.metric_subject import MetricSubject
from toonbench.testing.number_laws import NUMBERS, value_is_a_number
from toonbench.testing.task_laws import TASK_BASICS, TASK_LAWS, TaskSubject
from toonbench.types import Metric, ToonbenchError
from toonbench.weights import WeightsMissing

METRIC_BASICS = (*MEASURING_BASICS, value_is_a_number)
METRIC_LAWS = (*METRIC_BASICS, *MEASURING, *NUMBERS)
BUILT = "It can be built and run on this machine."

Built = TypeVar("Built")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a plug-in is built: `checkpoint` is for methods only."""

    device: str = "cpu"
    checkpoint: Path | None = None


def check(plugin: Plugin, *, setting: Setting = Setting()) -> Iterator[Outcome]:
    """The outcome of each law of the plug-in's kind, as soon as it is known. The first says whether it could be built."""
    subject, built = _built(lambda: subject_of(plugin, setting=setting))
    yield built
    if isinstance(subject, MetricSubject):
        yield from in_stages(METRIC_BASICS, METRIC_LAWS[len(METRIC_BASICS) :], subject)
    elif isinstance(subject, MethodSubject):
        basics, laws = (FACE_BASICS, FACE_LAWS) if subject.faces_only else (METHOD_BASICS, METHOD_LAWS)
        yield from in_stages(basics, laws[len(basics) :], subject)
    elif subject is not None:
        yield from in_stages(TASK_BASICS, TASK_LAWS[len(TASK_BASICS) :], subject)


def subject_of(plugin: Plugin, *, setting: Setting = Setting()) -> MetricSubject | MethodSubject | TaskSubject:
    """The plug-in under check. Raises what building it raises."""
    unregistered = registry.PLACE.fullmatch(plugin.name) or registry.is_method_file(plugin.name)
    registered = "" if unregistered else plugin.name.partition("@")[0]
    if plugin.group == "metrics":
        return metric_subject(plugin.name, device=setting.device)
    if plugin.group == "tasks":
        task = registry.load_task(plugin.name)
        return TaskSubject(task=task, name=registered or task.name)

    def build() -> object:
        try:
            return registry.load_method(plugin.name, device=setting.device, checkpoint=setting.checkpoint)
        except WeightsMissing:
            make = getattr(registry.load("methods", plugin.name), "with_test_weights", None)
            if make is None:
                raise
            return make(device=setting.device)

    return MethodSubject(build, name=registered or str(getattr(build(), "name", "")))  # pyright: ignore[reportArgumentType]


def metric_subject(name: str, *, device: str = "cpu") -> MetricSubject:
    """A metric under check, on its own weights if this machine has them, otherwise on deterministic test weights.

    Raises ToonbenchError where neither is possible.
    """
    own = registry.load_metric(name)
    reason = unavailable(own)
    if reason and on_test_weights(own) is None:
        raise ToonbenchError(f"{reason}; or give the class with_test_weights()")

    def build() -> Metric:
        metric = registry.load_metric(name)
        return ((on_test_weights(metric) if reason else None) or metric).on(device)

    registered = own.name if registry.PLACE.fullmatch(name) else name.partition("@")[0]
    return MetricSubject(build, name=registered, judges=not reason)


def _built(build: Callable[[], Built]) -> tuple[Built | None, Outcome]:
    try:
        built = build()
    except (Exception, SystemExit) as error:
        log.debug("a plug-in cannot be built", exc_info=True)
        return None, Outcome(law=BUILT, status="failed", why=described(error))
    return built, Outcome(law=BUILT, status="passed")
