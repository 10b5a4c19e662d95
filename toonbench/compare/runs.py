"""Checks of the runs to compare: whether they have the same pairs, and which metrics they have rows of."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from toonbench import registry
from toonbench.score import read_object, read_result, rows_name
from toonbench.store import Run
from toonbench.types import Metric, ToonbenchError


class Clips(NamedTuple):
    """The ids of a pair's driving video and source."""

    driving: str
    source: str


SAME = ("data", "data_fingerprint", "task", "seed", "pairs_fingerprint")


def same_pairs(runs: Mapping[str, Run]) -> tuple[dict[str, Any], dict[str, Clips]]:
    """What the runs have in common, and the clips of each pair. Raises ToonbenchError that names a difference."""
    described = {name: _about(name, run) for name, run in runs.items()}
    (first, about), *others = described.items()
    for name, other in others:
        for key in (*SAME, "task_fingerprint"):
            if about.get(key) == other.get(key):
                continue
            if key == "pairs_fingerprint" and about.get("limit") != other.get("limit"):
                key = "limit"
            raise ToonbenchError(
                f"{first} and {name} are not runs of the same pairs: {key} is {about.get(key)} in {first} and {other.get(key)} "
                f"in {name}; evaluate both with the same data, task, --seed and --limit"
            )
    lists = {name: _pairs(run) for name, run in runs.items()}
    for name, other in lists.items():
        if other != lists[first]:
            raise ToonbenchError(
                f"the pairs in {runs[name].scores} are not those in {runs[first].scores}: score both again"
            )
    return {key: about.get(key) for key in (*SAME, "limit")}, lists[first]


def _about(name: str, run: Run) -> dict[str, Any]:
    if not (run.result.exists() and run.scores.exists()):
        raise ToonbenchError(
            f"{name} is not scored ({run.result} is missing): run `toonbench eval` or `toonbench score` for it first"
        )
    return {**read_result(run.result), "task_fingerprint": read_object(run.description).get("task_fingerprint")}


def _pairs(run: Run) -> dict[str, Clips]:
    """Pair to clips, in the task's order."""
    try:
        with run.scores.open(encoding="utf-8", newline="") as file:
            return {row["pair"]: Clips(row["driving"], row["source"]) for row in csv.DictReader(file)}
    except (OSError, UnicodeDecodeError, KeyError) as error:
        raise ToonbenchError(f"{run.scores} cannot be read ({error}): score the run again") from error


def scored(run: Run) -> dict[str, list[str]]:
    """The metrics in the run's result, in the task's order, and the notes on each."""
    return {str(one["metric"]): [*one.get("notes", ())] for one in read_result(run.result).get("results", ())}


def unranked(runs: Mapping[str, Run], metric: Metric) -> bool:
    """Whether a result says that methods must not be ranked by a metric; its notes have the reason."""
    name = registry.metric_id(metric)
    results = [one for run in runs.values() for one in read_result(run.result).get("results", ())]
    return any(one["metric"] == name and one.get("unranked") for one in results)


def _skipped(runs: Mapping[str, Run]) -> dict[str, str]:
    """The skipped metrics of the runs' results, and why they were skipped."""
    return {
        name: str(skip["reason"])
        for run in runs.values()
        for name, skip in read_result(run.result).get("skipped", {}).items()
    }


def caveats(runs: Mapping[str, Run]) -> tuple[str, ...]:
    """What must be printed with every number of the runs' data."""
    return tuple(dict.fromkeys(one for run in runs.values() for one in read_result(run.result).get("caveats", ())))


def noted(runs: Mapping[str, Run], metric: Metric) -> list[str]:
    """The results' notes on a metric, for example that its network was not made for cartoons."""
    name = registry.metric_id(metric)
    return list(dict.fromkeys(note for run in runs.values() for note in scored(run).get(name, ())))


def choose(
    runs: Mapping[str, Run], asked: Sequence[str] | None, *, first: Iterable[str]
) -> tuple[list[Metric], dict[str, str]]:
    """The metrics to compare, and those that only some runs have rows of, with the reason."""
    if asked:
        metrics = list({registry.metric_id(m): m for m in map(registry.load_metric, asked)}.values())
    else:
        order = {name: at for at, name in enumerate(first)}
        metrics = sorted(_installed(), key=lambda m: (order.get(registry.metric_id(m), len(order)), m.name))
    chosen: list[Metric] = []
    skipped: dict[str, str] = {}
    for metric in metrics:
        without = [name for name, run in runs.items() if not (run.root / "rows" / rows_name(metric)).is_dir()]
        if not without:
            chosen.append(metric)
        elif asked:
            raise ToonbenchError(
                f"{without[0]} has no rows of {registry.metric_id(metric)}: run `toonbench eval` or `toonbench score` for it "
                f"with --metrics {metric.name}"
            )
        elif len(without) == len(runs):
            if reason := _skipped(runs).get(registry.metric_id(metric)):
                skipped[registry.metric_id(metric)] = reason
        else:
            skipped[registry.metric_id(metric)] = f"not compared, because it has no rows in {' and '.join(without)}"
    if not chosen:
        raise ToonbenchError(f"{' and '.join(runs)} have no metric in common: score them with the same --metrics")
    return chosen, skipped


def _installed() -> list[Metric]:
    """Every registered metric that this machine can load."""
    found: list[Metric] = []
    for name in registry.names("metrics"):
        try:
            found.append(registry.load_metric(name))
        except ToonbenchError:  # a plug-in whose package is broken; its name on the command line shows the error
            continue
    return found
