"""Which runs are compared, and where the reference of a corpus metric comes from."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from toonbench import registry
from toonbench.compare.comparison import ReferenceOf
from toonbench.compare.runs import same_pairs
from toonbench.data.folder import is_plain_folder, locate
from toonbench.data.open import open_data
from toonbench.score import reference_rows
from toonbench.store import Run, method_name
from toonbench.tasks.listed import is_listed
from toonbench.types import Clip, Metric, Pair, Rows, Task, ToonbenchError

TASK = "real2cartoon"


class Planned(Protocol):
    """The part of a plan that a reference needs."""

    @property
    def task(self) -> Task:
        """The task."""
        ...

    @property
    def pairs(self) -> Sequence[Pair]:
        """All its pairs."""
        ...

    @property
    def clips(self) -> Sequence[Clip]:
        """All clips of the data set."""
        ...

    @property
    def about(self) -> Mapping[str, Any]:
        """What defines the pairs."""
        ...


def find_runs(methods: Sequence[str], *, task: str | None, data: str, out: Path) -> dict[str, Run]:
    """The run of each method, by the shortest names that differ.

    Raises ToonbenchError for fewer than two methods, for a method without a run or with several, and for a method given twice.
    """
    if len(methods) < 2:
        raise ToonbenchError(
            f"compare needs two methods or more, {len(methods)} given: toonbench compare A B --task {TASK}"
        )
    roots = [Path(name) if (Path(name) / "run.json").is_file() else None for name in methods]
    folder = Path()
    if None in roots:
        names_of_runs = [name for name, root in zip(methods, roots, strict=True) if root is None]
        folder = _folder(data, names_of_runs, out=out, task=_task_id(task or TASK))
    found = [
        root or _only_run(name, folder, again=f"--task {task or TASK} --data {data} --out {out}")
        for name, root in zip(methods, roots, strict=True)
    ]
    names: dict[Path, str] = {}
    for name, root in zip(methods, found, strict=True):
        if (other := names.get(root.resolve())) is not None:
            raise ToonbenchError(f"{other} and {name} are the same run, {root}: give two different ones")
        names[root.resolve()] = name
    for root in found:
        if task is not None and root.resolve().parent.name != _task_id(task):
            raise ToonbenchError(f"{root} is not a run of {_task_id(task)}: leave out --task or give others")
    return {name: Run(root) for name, root in zip(_short_names(found), found, strict=True)}


def _task_id(task: str) -> str:
    """The name of a task's folder; a task with a list of pairs is written as its folder."""
    return task if is_listed(task) else registry.load_task(task).id


def _folder(data: str, methods: Sequence[str], *, out: Path, task: str) -> Path:
    """OUT/<data>/<task>. The data set is opened only if `data` is neither its name in OUT nor a plain folder.

    A plain folder has a name in OUT for each way in which it was prepared, and for each part of it: the one in which the methods have
    runs is meant. Raises ToonbenchError if there are several.
    """
    if Path(data).name == data and (out / data).is_dir():
        return out / data / task
    root = locate(data)
    if not is_plain_folder(root):
        return out / open_data(data).id / task
    start = f"{root.resolve().name}-"
    names = sorted(path.name for path in out.glob("*") if re.fullmatch(re.escape(start) + "[0-9a-f]{8}", path.name))
    have = [name for name in names if all(_runs_of(method, out / name / task) for method in methods)]
    if len(have) > 1:
        raise ToonbenchError(
            f"{data} has runs of these methods with {len(have)} sets of clips in {out}: write --data {' or --data '.join(have)}"
        )
    return out / (have or names or [start.rstrip("-")])[0] / task


def _runs_of(name: str, folder: Path) -> list[Path]:
    """The runs in a folder that a name means."""
    runs = sorted(path.parent for path in folder.glob("*/run.json"))
    return [run for run in runs if _nfc(run.name) == _nfc(name)] or [run for run in runs if _is_of(run, name)]


def _only_run(name: str, folder: Path, *, again: str) -> Path:
    found = _runs_of(name, folder)
    if len(found) == 1:
        return found[0]
    if found:
        raise ToonbenchError(
            f"{name} has {len(found)} runs in {folder}: write one of {', '.join(run.name for run in found)}"
        )
    there = ", ".join(sorted(path.parent.name for path in folder.glob("*/run.json"))) or "none"
    raise ToonbenchError(
        f"no run of {name} in {folder} (runs there: {there}): make it with `toonbench eval --method {name} {again}`"
    )


def _is_of(run: Path, name: str) -> bool:
    """Whether a run's folder belongs to `name`: a method, or a method and the start of a revision."""
    method, at, revision = name.rpartition("@")
    folder = _nfc(run.name)
    return folder.startswith(f"{method_name(name)}@") or bool(
        at and folder.startswith(f"{method_name(method)}@{revision}")
    )


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _short_names(roots: Sequence[Path]) -> list[str]:
    """Method names, with the revision or the whole path where two names would be equal."""
    for names in ([root.resolve().name.partition("@")[0] for root in roots], [root.resolve().name for root in roots]):
        if len(set(names)) == len(names):
            return names
    return [str(root) for root in roots]


def reference_of(runs: Mapping[str, Run], *, plan: Callable[..., Planned], data: str) -> ReferenceOf:
    """The function that finds a metric's reference rows. Only this function opens the data set, which lists the images."""

    @functools.cache
    def planned() -> Planned:
        about, _ = same_pairs(runs)
        found = plan(task=about["task"], seed=about["seed"], limit=about["limit"])
        for key, value in found.about.items():
            if key != "limit" and value != about[key]:
                raise ToonbenchError(
                    f"not compared, because its reference images belong to another data set than --data {data}: "
                    f"{key} is {value}, not {about[key]}"
                )
        return found

    def rows_of(metric: Metric) -> tuple[Sequence[Rows], bool]:
        for run in runs.values():
            images = reference_rows(run, metric, planned().pairs, task=planned().task, clips=planned().clips)
            if images.rows:
                return images.rows, planned().task.reference.equal
        raise ToonbenchError(
            "not compared, because the features of its reference images are missing: score a method again"
        )

    return rows_of
