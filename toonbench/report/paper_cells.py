"""One cell of a table of the paper: a stored number, or the reason why there is none, with the command that makes it."""

from __future__ import annotations

import functools
import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from toonbench import registry
from toonbench.report.entries import Entry
from toonbench.report.leaderboards import References
from toonbench.report.methods import BASELINES
from toonbench.report.paper_lines import Line
from toonbench.report.papers import Paper, PaperTable
from toonbench.report.table import Cell
from toonbench.report.task_runs import TaskRuns, on_puppets, runs_of
from toonbench.types import Result

OUT = Path("runs")
FURTHER = (
    "ssim", "stlpips_alex", "csim_sface", "motion_agreement", "landmark_nme", "rig_corr", "head_pose_deg", "mouth_f1",
)  # fmt: skip
"""Metrics beside the paper's: those of them that have a number are shown in a table of their own."""
FLOOR = "floor"  # how the detail of FID begins that has the value of equal distributions


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What tables are made of: the stored runs of one data set, and the user's names of the data and of the folder of runs."""

    entries: Sequence[Entry]
    data: str
    out: Path = OUT
    metrics: Sequence[str] | None = None
    references: References | None = None
    visited: dict[str, TaskRuns] = field(default_factory=dict[str, TaskRuns])

    @property
    def options(self) -> str:
        """The options of commands that make what is missing."""
        return f"--data {self.data}" + ("" if self.out == OUT else f" --out {self.out}")

    @property
    def further(self) -> list[str]:
        """The names of the metrics beside the paper's."""
        return [full_name(name).partition("@")[0] for name in self.metrics or FURTHER]

    def runs(self, task: str, paper: Paper) -> TaskRuns:
        """The runs of a task, ranked once for all tables on every metric that the paper prints of it, and on the further ones."""
        if task not in self.visited:
            cells = (cell for table in paper.tables.values() for cell in table.cells)
            printed = [cell.metric for cell in cells if cell.task == task and cell.metric]
            metrics = [*dict.fromkeys([*printed, *self.further])]
            self.visited[task] = runs_of(self.entries, task, metrics=metrics, references=self.references)
        return self.visited[task]


@functools.cache
def full_name(metric: str) -> str:
    """The id of a metric's current version."""
    return registry.full_name(metric)


def cell_of(request: Request, line: Line, *, task: str, metric: str, table: PaperTable) -> Cell:
    """The cell of a row and column, for a task that `request` has visited."""
    if task not in line.entries:
        return Cell(reason=_no_run(request, line, task=task, table=table))
    return _stored(request, line.entries[task], runs=request.visited[task], metric=metric)


def has_number(runs: TaskRuns, entry: Entry, *, metric: str) -> bool:
    """Whether a run has a finite number of a metric that may be shown."""
    full = full_name(metric)
    return runs.legible(entry) and full in entry.results and math.isfinite(entry.results[full].value)


def _stored(request: Request, entry: Entry, *, runs: TaskRuns, metric: str) -> Cell:
    """The stored number of a metric, or why there is none."""
    if not runs.legible(entry):
        return Cell(reason=f"not shown: {entry.problem}")
    full = full_name(metric)
    result = entry.results.get(full)
    if result is None:
        others = [name for name in entry.results if name.partition("@")[0] == metric]
        old = f"measured with {', '.join(others)}, which does not compare with {full}; score it again"
        return Cell(reason=old if others else _why_absent(request, entry, metric=metric))
    if math.isnan(result.value):
        why = next(iter(result.notes), "") or f"{result.missing} of {result.pairs} pairs have no value"
        return Cell(reason=why, missing=result.missing, pairs=result.pairs)
    rank = runs.rank(entry, result.metric)
    best = rank == 1 and runs.decided(result.metric)
    return Cell(
        value=result.value, low=result.low, high=result.high, best=best, missing=result.missing, pairs=result.pairs,
        note=_note(result, ranked=rank is not None),
    )  # fmt: skip


def _note(result: Result, *, ranked: bool) -> str:
    notes: list[str] = []
    if result.missing:
        rest = "" if ranked else "; not ranked"
        notes.append(f"{result.missing} of {result.pairs} pairs are missing and count as the worst value{rest}")
    if math.isnan(result.low):
        notes.append(next(iter(result.notes), "no interval"))
    notes += [
        f"{what} {value:.2f}"
        for what, value in result.details.items()
        if what.startswith(FLOOR) and math.isfinite(value)
    ]
    if result.unranked:
        notes.append(f"{result.metric} does not rank methods: {result.unranked}")
    return "; ".join(notes)


def _why_absent(request: Request, entry: Entry, *, metric: str) -> str:
    """Why a run has no result of a metric."""
    skipped = {name.partition("@")[0]: skip for name, skip in entry.stored.get("skipped", {}).items()}
    if metric not in skipped:
        task = entry.task.partition("@")[0]
        own = {name.partition("@")[0] for name in registry.load_task(task).metrics}
        names = [] if metric in own else [name.partition("@")[0] for name in (*entry.results, metric)]
        rest = f" --metrics {' '.join(names)}" if names else ""
        return f"not measured: {_score(entry)} --task {task} {request.options}{rest}"
    if skipped[metric].get("kind") == "weights":
        return f"weights missing: toonbench weights fetch --for {metric}, then score again"
    return str(skipped[metric]["reason"])


def _score(entry: Entry) -> str:
    """The command that scores a run again."""
    name = shlex.quote(entry.method)
    given = "videos" in entry.stored
    return f"toonbench score --videos DIR --name {name}" if given else f"toonbench score --method {name}"


def _no_run(request: Request, line: Line, *, task: str, table: PaperTable) -> str:
    """Why a row has no run of a task, and the command that makes one."""
    again = f"toonbench reproduce table{table.number} {request.options} --weights DIR"
    if table.ablation and line.method != "toontalker":
        ablation = line.method.partition("-")[2]
        return f"no run; toonbench train --ablation {ablation} makes its checkpoint; with DIR/{line.method}.safetensors: {again}"
    if not line.entries and (line.method in BASELINES or not on_puppets(request.entries)):
        return f"no run, and its weights are not included: {again}"
    tasks = f"--task {task}" if line.entries else " and ".join(f"--task {one}" for one in table.tasks)
    name = shlex.quote(line.method)
    if any("videos" in entry.stored for entry in line.entries.values()):
        return f"no run: toonbench score --videos DIR --name {name} {tasks} {request.options}"
    return f"no run: toonbench eval --method {name} {tasks} {request.options}"
