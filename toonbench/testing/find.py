"""What a name on the command line stands for: a registered metric, method or task, a `module:Class`, or a whole package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from toonbench import registry
from toonbench.registry import GROUPS, Group
from toonbench.types import Task, ToonbenchError


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A metric, method or task, by the name that loads it."""

    group: Group
    name: str

    @property
    def kind(self) -> str:
        """metric, method or task."""
        return self.group.removesuffix("s")


def find(name: str) -> list[Plugin]:
    """The metrics, methods and tasks that `name` stands for.

    `name` is a registered name (with or without @version), a `module:Class`, the file of a command method, or an installed package,
    which stands for everything that it registers. Raises ToonbenchError for an unknown name.
    """
    if registry.is_method_file(name):
        return [Plugin(group="methods", name=name)]
    if registry.PLACE.fullmatch(name):
        return [Plugin(group=_group_of(name), name=name)]
    bare = name.partition("@")[0]
    named = [Plugin(group=group, name=name) for group in GROUPS if bare in registry.names(group)]
    if named:
        return named
    packages = registry.packages()
    if (key := registry.package_key(name)) in packages:
        return [Plugin(group=group, name=one) for group, one in packages[key]]
    names = [*packages, *(one for group in GROUPS for one in registry.names(group))]
    raise registry.unknown("metric, method, task or installed package", name, names)


def _group_of(place: str) -> Group:
    thing: Any = registry.load("metrics", place)
    if isinstance(thing, Task):
        return "tasks"
    if hasattr(thing, "measure"):
        return "metrics"
    if any(hasattr(thing, name) for name in ("animate", "animate_chunks", "animate_target")):
        return "methods"
    raise ToonbenchError(
        f"{place} is no metric (it has no measure), no method (no animate) and no task (a toonbench.Task): name one of these"
    )
