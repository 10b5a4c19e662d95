"""Methods, metrics and tasks by name, found through entry points and imported when used."""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import re
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal, get_args

from toonbench.acronyms import acronym, key
from toonbench.adapted import as_metric
from toonbench.types import Method, Metric, TargetMethod, Task, ToonbenchError

Group = Literal["methods", "metrics", "tasks"]
GROUPS: tuple[Group, ...] = get_args(Group)
METHOD_FILES = (
    "toonbench.method_files"  # entry points: a file's suffix to the class of methods that such files describe
)
PLACE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@functools.cache
def _found(group: Group) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"toonbench.{group}")}


def names(group: Group) -> list[str]:
    """The registered names of a group, sorted, without importing them."""
    return sorted(_found(group))


def packages() -> dict[str, list[tuple[Group, str]]]:
    """What each installed package registers, by `package_key`: the groups and names, without importing them."""
    found: dict[str, list[tuple[Group, str]]] = {}
    for group in GROUPS:
        for name, point in sorted(_found(group).items()):
            if point.dist is not None:
                found.setdefault(package_key(point.dist.name), []).append((group, name))
    return found


def package_key(name: str) -> str:
    """A package's name as package indexes compare it: `My_Package` is `my-package`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def unknown(what: str, name: str, allowed: Iterable[str]) -> ToonbenchError:
    """The error for an unknown name: what papers mean by it (metrics), or the nearest allowed names."""
    allowed = sorted(allowed)
    near = _written_alike(name, allowed)
    if not near and "metric" in what and (meant := acronym(name)):
        return ToonbenchError(f"metric {meant.line(name)}")
    near = near or difflib.get_close_matches(name, allowed, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(allowed) or 'none'}"
    return ToonbenchError(f"unknown {what} '{name}': {hint}")


def _written_alike(name: str, allowed: Iterable[str]) -> list[str]:
    """The allowed names that differ from a name by case, dashes and underscores alone."""
    return [one for one in allowed if key(one) == key(name)]


def load(group: Group, name: str) -> Any:
    """Import the object called `name`; `module:attribute` names an unregistered one directly.

    Raises ToonbenchError for an unknown name, or one whose import fails (with the reason).
    """
    if PLACE.fullmatch(name):
        module, attribute = name.split(":")
        with _importing(f"'{name}'", advice="write it as importable.module:Name"):
            return getattr(importlib.import_module(module), attribute)
    point = _found(group).get(name)
    if point is None:
        raise _several(group, name) or unknown(group[:-1], name, _found(group))
    with _importing(f"{group[:-1]} '{name}' from {point.value}", advice="install what it needs and try again"):
        return point.load()


@contextmanager
def _importing(what: str, *, advice: str) -> Generator[None]:
    """Raise ToonbenchError where the import in the block fails. A module of any origin may raise any exception, also exit."""
    try:
        yield
    except ToonbenchError:
        raise
    except (Exception, SystemExit) as error:
        reason = str(error) if isinstance(error, (ImportError, AttributeError)) else f"{type(error).__name__}: {error}"
        raise ToonbenchError(f"cannot load {what}: {' '.join(reason.split())}; {advice}") from error


def _several(group: Group, name: str) -> ToonbenchError | None:
    """The error for an ambiguous name (`aed`), with one line for each meaning."""
    members = [member for member in names(group) if member.startswith(f"{name.lower()}_")]
    if not members:
        return None
    lines = [f"  {member}: {(load(group, member).__doc__ or '').strip().partition(chr(10))[0]}" for member in members]
    return ToonbenchError(f"{group[:-1]} '{name}' is ambiguous: choose one of\n" + "\n".join(lines))


def load_task(name: str) -> Task:
    """A task by `name` or `name@version`."""
    bare, _, version = name.partition("@")
    task = load("tasks", bare)
    if not isinstance(task, Task):
        raise ToonbenchError(f"'{bare}' is a {type(task).__name__}, not a task; define it as a toonbench.types.Task")
    if version and version != str(task.version):
        raise ToonbenchError(f"task {bare} has version {task.version}, not {version}: write {task.id}")
    return task


def load_metric(name: str) -> Metric:
    """An instance of a metric by `name` or `name@version`."""
    bare, _, version = name.partition("@")
    make = load("metrics", bare)
    _check_arguments("metric", bare, make, {})
    with _built("metric", bare):
        metric = as_metric(make())
    if version and version != str(metric.version):
        raise ToonbenchError(f"metric {bare} has version {metric.version}, not {version}: write {metric_id(metric)}")
    return metric


def metric_id(metric: Metric) -> str:
    """`name@version`, as in rows and tables."""
    return f"{metric.name}@{metric.version}"


def full_name(metric: str) -> str:
    """The name that loads the same metric again: `name@version`, or the `module:Class` of an unregistered one."""
    loaded = load_metric(metric)
    return metric if PLACE.fullmatch(metric) else metric_id(loaded)


def is_method_file(name: str) -> bool:
    """Whether a method is named by a file that describes it (a command method)."""
    return _method_files(name) is not None


def _method_files(name: str) -> EntryPoint | None:
    """What reads the files of methods with the suffix of `name`; None for a suffix that no package reads."""
    points = entry_points(group=METHOD_FILES)
    return next((point for point in points if Path(name).suffix == f".{point.name}"), None)


def _method(name: str) -> Any:
    """The class of a method, or what builds the one of a file."""
    point = _method_files(name)
    if point is None:
        return load("methods", name)
    with _importing(f"{name} by {point.value}", advice="install what it needs and try again"):
        return functools.partial(point.load(), Path(name))


def refuse_unknown_method(name: str) -> None:
    """Raise ToonbenchError if a method is not registered; a `module:Class` and a file are not read."""
    if not PLACE.fullmatch(name) and not is_method_file(name):
        load("methods", name)


def load_method(name: str, *, device: str = "cpu", checkpoint: Path | None = None) -> Method | TargetMethod:
    """A method by name, `module:Class` or file, created for a device and, if it uses one, a checkpoint file.

    Raises ToonbenchError if it cannot be created with these arguments, or has no name, revision or way to animate.
    """
    make = _method(name)
    _check_arguments("method", name, make, {"device": device, "checkpoint": checkpoint})
    with _built("method", name):
        method = make(device=device, checkpoint=checkpoint)
    absent = [one for one in ("name", "revision") if not hasattr(method, one)]
    if not any(hasattr(method, one) for one in ("animate", "animate_chunks", "animate_target")):
        absent.append("animate")
    if absent:
        raise ToonbenchError(
            f"'{name}' is not a method: it has no {', '.join(absent)}; define what is missing in the class"
        )
    return method


@contextmanager
def _built(what: str, name: str) -> Generator[None]:
    """Raise ToonbenchError where a plug-in named as `module:Class` cannot be built; registered ones have their own errors."""
    try:
        yield
    except ToonbenchError:
        raise
    except Exception as error:
        if not PLACE.fullmatch(name):
            raise
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ToonbenchError(f"{what} '{name}' cannot be built: {reason}; correct its class") from error


def _check_arguments(what: str, name: str, make: Any, arguments: Mapping[str, Any]) -> None:
    """Raise ToonbenchError if `make` is no class or function of Python code, or cannot be called with these arguments."""
    if not (inspect.isclass(make) or inspect.isfunction(make) or isinstance(make, functools.partial)):
        raise ToonbenchError(f"'{name}' is a {type(make).__name__}, not a class of a {what}; write module:Class")
    try:
        inspect.signature(make).bind(**arguments)
    except TypeError as error:
        given = " and ".join(arguments) or "no arguments"
        raise ToonbenchError(f"{what} '{name}' cannot be built with {given}: {error}") from error
    except ValueError:  # a class of C code may have no signature
        pass
