"""`compare`: which scored method is better, and by how much more than chance."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from toonbench.commands.evaluate import DATA, Plan, What, make_plan
from toonbench.commands.shared import Names, Talk, open_data
from toonbench.types import Metric, Rows, ToonbenchError

if TYPE_CHECKING:
    from toonbench.compare import ReferenceOf
    from toonbench.store import Run

TASK = "real2cartoon"


def compare(
    *methods: str,
    task: str | None = None,
    data: str = DATA,
    out: Path = Path("runs"),
    metrics: Names = None,
    talk: Talk | None = None,
) -> int:
    """Compare scored methods on the same pairs: which is better, by how much, and is it more than chance?

    Each two methods are compared; the order only sets the sign. Differences have intervals, p-values (sign flips of whole driving
    videos, Holm over the methods), the difference that could have been detected; and methods share ranks. See docs/compare.md.

    Parameters
    ----------
    methods
        Two or more: names of methods with a run in OUT, `name@revision` where there are several, or run folders.
    task
        Which task's runs: real2cartoon by default.
    data
        Which data set's runs, as `eval` takes it.
    out
        Where the runs are: OUT/<data>/<task>/<method>.
    metrics
        Only these metrics; by default all that every method has rows of.
    """
    from toonbench import compare as comparing
    from toonbench.report.comparison import print_comparison
    from toonbench.store import to_json

    talk = talk or Talk()
    runs = find_runs(methods, task=task, data=data, out=out, talk=talk)
    reference_of = _reference_of(runs, data=data, talk=talk)
    found = comparing.compare(runs, metrics=metrics, reference_of=reference_of)
    console = talk.start()
    if talk.json:
        console.out(to_json(asdict(found)), end="")
    else:
        print_comparison(console, found)
    return 0


def find_runs(methods: Sequence[str], *, task: str | None, data: str, out: Path, talk: Talk) -> dict[str, Run]:
    """The run of each method, by the shortest name that tells them apart.

    Raises ToonbenchError for fewer than two, for a method without a run or with several, and for one given twice.
    """
    from toonbench import registry
    from toonbench.store import Run

    if len(methods) < 2:
        raise ToonbenchError(
            f"compare needs two methods or more, {len(methods)} given: toonbench compare A B --task {TASK}"
        )
    roots = [Path(name) if (Path(name) / "run.json").is_file() else None for name in methods]
    folder = Path()
    if None in roots:
        folder = out / _data_id(data, out=out, talk=talk) / registry.load_task(task or TASK).id
    found = [
        root or _only_run(name, folder, again=f"--task {task or TASK} --data {data} --out {out}")
        for name, root in zip(methods, roots, strict=True)
    ]
    seen: dict[Path, str] = {}
    for name, root in zip(methods, found, strict=True):
        if (other := seen.get(root.resolve())) is not None:
            raise ToonbenchError(f"{other} and {name} are the same run, {root}: give two different ones")
        seen[root.resolve()] = name
    for root in found:
        if task is not None and root.resolve().parent.name != registry.load_task(task).id:
            raise ToonbenchError(
                f"{root} is not a run of {registry.load_task(task).id}: leave out --task or give others"
            )
    return {name: Run(root) for name, root in zip(_short_names(found), found, strict=True)}


def _data_id(data: str, *, out: Path, talk: Talk) -> str:
    """The data set's name in OUT; opened only where `data` is not that name already."""
    return data if (out / data).is_dir() and Path(data).name == data else open_data(data, talk=talk).id


def _only_run(name: str, folder: Path, *, again: str) -> Path:
    from toonbench.store import safe_name

    runs = sorted(path.parent for path in folder.glob("*/run.json"))
    start = safe_name(name) if "@" in name else f"{safe_name(name)}@"
    found = [run for run in runs if run.name == name] or [run for run in runs if run.name.startswith(start)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ToonbenchError(
            f"{name} has {len(found)} runs in {folder}: write one of {', '.join(run.name for run in found)}"
        )
    there = ", ".join(run.name for run in runs) or "none"
    raise ToonbenchError(
        f"no run of {name} in {folder} (runs there: {there}): make it with `toonbench eval --method {name} {again}`"
    )


def _short_names(roots: Sequence[Path]) -> list[str]:
    """Method names; with the revision, or the whole path, where two would be called the same."""
    for names in ([root.resolve().name.partition("@")[0] for root in roots], [root.resolve().name for root in roots]):
        if len(set(names)) == len(names):
            return names
    return [str(root) for root in roots]


def _reference_of(runs: dict[str, Run], *, data: str, talk: Talk) -> ReferenceOf:
    """What finds the reference of a distribution: it alone needs the data set, which says what the images are."""

    @functools.cache
    def plan() -> Plan:
        from toonbench.compare import same_pairs

        about, _ = same_pairs(runs)
        what = What(task=about["task"], data=data, seed=about["seed"], limit=about["limit"])
        found = make_plan(what, metrics=None, talk=talk)
        for key, value in found.about.items():
            if key != "limit" and value != about[key]:
                raise ToonbenchError(
                    f"not compared, its reference images are in the data set of the runs and --data {data} is another: "
                    f"{key} is {value}, not {about[key]}"
                )
        return found

    def reference_of(metric: Metric) -> tuple[Sequence[Rows], bool]:
        from toonbench import score

        for run in runs.values():
            images = score.reference_rows(run, metric, plan().pairs, task=plan().task, clips=plan().data.clips)
            if images.rows:
                return images.rows, plan().task.reference.equal
        raise ToonbenchError("not compared, the features of its reference images are not there: score a method again")

    return reference_of
