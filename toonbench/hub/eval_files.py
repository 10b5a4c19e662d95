"""The Hub's own leaderboards: `eval.yaml` of a data set lists tasks, `.eval_results/*.yaml` of a model has its values.

The Hub shows one value for each task id, and larger is better, so that an id is a task of toonbench and a metric: `real2cartoon_ssim`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from toonbench.data.card import split_name
from toonbench.data.folder import Dataset
from toonbench.leaderboard.schema import problems, read_schema
from toonbench.registry import load_task
from toonbench.report.entries import Entry
from toonbench.tasks import draw_pairs
from toonbench.types import ToonbenchError

EVAL = "eval.yaml"
RESULTS = ".eval_results/toonbench.yaml"
FRAMEWORK = "toonbench"
TASKS = ("real2cartoon", "cartoon2real")
METRICS = ("rig_corr", "ssim", "motion_agreement")  # larger is better in each; tasks times metrics are at most six
SCHEMAS = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """The published data set that results were measured on: its repository, the commit, and the fingerprint of its content."""

    repo: str
    commit: str
    fingerprint: str


def task_id(task: str, metric: str) -> str:
    """The Hub's id of a task and a metric, whose versions are dropped."""
    return f"{task.partition('@')[0]}_{metric.partition('@')[0]}"


def eval_yaml(data: Dataset) -> str:
    """The content of `eval.yaml` for the tasks that draw pairs with targets from a data set; empty if there are none."""
    tasks: list[dict[str, str]] = []
    for task in TASKS:
        if split := _split_of(data, task):
            tasks += [{"id": task_id(task, metric), "config": "targets", "split": split} for metric in METRICS]
    if not tasks:
        return ""
    about = "Does the character perform the motion of the driving video, and is it still the same character?"
    content = {
        "name": f"toonbench on {data.name}", "description": f"Cross-domain face reenactment. {about}",
        "evaluation_framework": FRAMEWORK, "tasks": tasks,
    }  # fmt: skip
    return _dumped(content, schema="eval.schema.json", file=EVAL)


def _split_of(data: Dataset, task: str) -> str:
    """The split of the driving videos of a task's pairs with targets; empty if there are none, or several."""
    try:
        pairs = draw_pairs(load_task(task), data.clips, targets=data.targets)
    except ToonbenchError:
        return ""
    splits = {pair.driving.split for pair in pairs if pair.target is not None}
    return split_name(splits.pop()) if len(splits) == 1 else ""


def eval_results(entries: Sequence[Entry], benchmark: Benchmark) -> str:
    """The content of `.eval_results/toonbench.yaml`: a value for each task id that the runs have; empty if they have none.

    Raises ToonbenchError for runs on other data than the published.
    """
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry.stored.get("data_fingerprint") != benchmark.fingerprint:
            raise ToonbenchError(
                f"{entry.root}: it was measured on {entry.data}, whose content is not that of {benchmark.repo}: give the runs on "
                "that data only"
            )
        found |= {one["dataset"]["task_id"]: one for one in _values(entry, benchmark)}
    return _dumped(list(found.values()), schema="eval_results.schema.json", file=RESULTS) if found else ""


def _values(entry: Entry, benchmark: Benchmark) -> Iterator[dict[str, Any]]:
    for name, one in entry.results.items():
        bare, task = name.partition("@")[0], entry.task.partition("@")[0]
        if entry.problem or one.unranked or math.isnan(one.value) or bare not in METRICS or task not in TASKS:
            continue
        interval = "" if math.isnan(one.low) else f", 95% interval {one.low:.4g} to {one.high:.4g}"
        data = {"id": benchmark.repo, "task_id": task_id(task, name), "revision": benchmark.commit}
        notes = f"{entry.task}, {name}, {one.pairs} pairs, {one.missing} missing{interval}"
        yield {"dataset": data, "value": round(one.value, 6), "notes": notes}


def _dumped(content: Any, *, schema: str, file: str) -> str:
    """The content as YAML, checked against its schema."""
    import yaml

    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
    if wrong := problems(yaml.safe_load(text), _schema(schema)):
        raise ToonbenchError(f"{file}: {wrong[0]}; the results cannot be published in this form")
    return text


@cache
def _schema(name: str) -> Mapping[str, Any]:
    return read_schema(SCHEMAS / name)
