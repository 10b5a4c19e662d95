"""Tables 1 to 7 of the paper as neutral tables: our numbers, the paper's, and the difference where the two compare."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from toonbench import registry
from toonbench.report.captions import checkpoints, metric_versions, protocols, remarks
from toonbench.report.entries import Entry
from toonbench.report.leaderboards import References
from toonbench.report.methods import BASELINES, DUMMIES, model_name, weights_kind
from toonbench.report.papers import HEADINGS, Paper, PaperTable, load_paper
from toonbench.report.table import Better, Cell, Column, Row, Table
from toonbench.report.task_runs import TaskRuns, on_puppets, runs_of
from toonbench.types import Result, ToonbenchError

OUT = Path("runs")
NUMBERS = ("1", "2", "3", "4", "5", "6", "7")
FURTHER = (
    "ssim",
    "stlpips_alex",
    "csim_sface",
    "motion_agreement",
    "landmark_nme",
    "rig_corr",
    "head_pose_deg",
    "mouth_f1",
)
"""Metrics beside the paper's: those of them that have a number are shown in a table of their own."""
GROUPS = {"real2cartoon": "Real → Cartoon", "cartoon2real": "Cartoon → Real"}
PRINTED = {"fomm": "FOMM", "lia": "LIA", "dagan": "DaGAN", "toontalker": "ToonTalker"}
FLOOR = "floor"  # how the detail of FID begins that has the value of equal distributions
FULL = "full model"
FULL_IN = {"6": "λ_m = 20"}  # how a table of the paper names its full model
MINI = "the mini model that toonbench includes: 64 px, trained on puppets with λ_m = 4; it is not the paper's model"
MEASURED, DUMMY = "measured here", "measured here, to check the metrics"
COPIED, DIFFERENCE = "the paper, as printed", "here minus paper"
RANKS = (
    "Values have 95 % intervals over driving videos. Bold: the best method, and every method that does not differ significantly from "
    "it (paired test, Holm's correction); nothing is bold where no two methods differ. Methods that check the metrics are never ranked."
)
PRINTED_AS = "The paper's rows are copied, with bold and underlined numbers as printed, and are never ranked with ours."
NO_DIFFERENCE = (
    "No difference to the paper is computed: puppets are other data than the paper's, and their numbers do not compare."
)
OTHER_WEIGHTS = "other weights than the paper's"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row to be: a method (or variant of the paper's) with its entry for each task."""

    name: str
    method: str
    entries: Mapping[str, Entry]


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
        return [_full(name).partition("@")[0] for name in self.metrics or FURTHER]

    def runs(self, task: str, paper: Paper) -> TaskRuns:
        """The runs of a task, ranked once for all tables on every metric that the paper prints of it, and on the further ones."""
        if task not in self.visited:
            cells = (cell for table in paper.tables.values() for cell in table.cells)
            printed = [cell.metric for cell in cells if cell.task == task and cell.metric]
            metrics = [*dict.fromkeys([*printed, *self.further])]
            self.visited[task] = runs_of(self.entries, task, metrics=metrics, references=self.references)
        return self.visited[task]


def paper_tables(number: str, request: Request) -> list[Table]:
    """The table of this number, then one for each of its tasks with further metrics.

    Raises ToonbenchError for an unknown number or metric.
    """
    paper = load_paper()
    if number not in NUMBERS:
        raise ToonbenchError(f"table {number} is unknown: give {', '.join(NUMBERS)} or all")
    table = paper.tables[number]
    runs = {task: request.runs(task, paper) for task in table.tasks}
    found = [_main(paper, table, runs, request)]
    if not table.ablation:
        for task in table.tasks:
            printed = {metric for own, metric in table.measures if own == task}
            found += _further(table, runs[task], [name for name in request.further if name not in printed], request)
    return found


def _main(paper: Paper, table: PaperTable, runs: Mapping[str, TaskRuns], request: Request) -> Table:
    """The paper's columns."""
    lines = _variant_lines(paper, table, runs) if table.ablation else _lines(runs, [*PRINTED])
    columns = [_column(metric, GROUPS.get(task, "") if len(table.tasks) > 1 else "") for task, metric in table.measures]
    measured = [_row(line, table.measures, runs, request, table=table) for line in lines]
    copied = [_copied(paper, table, method, variant) for method, variant in table.rows]
    puppets = on_puppets(request.entries)
    pairs = [] if puppets else zip(lines, measured, strict=True)
    compared = [(line, row) for line, row in pairs if _has_paper(line, table)]
    return Table(
        key=f"table{table.number}",
        title=f"Table {table.number} of the paper: {table.title}",
        columns=tuple(columns),
        rows=(*measured, *copied, *(_difference(line, row, table) for line, row in compared)),
        caption=(
            RANKS,
            PRINTED_AS,
            *protocols(runs.values()),
            metric_versions(columns, runs.values()),
            *checkpoints(runs.values()),
            f"The paper: {table.protocol}",
        ),
        notes=(
            *([NO_DIFFERENCE] if puppets else []),
            *remarks(runs.values(), [metric for _, metric in table.measures]),
        ),
    )


def _further(table: PaperTable, runs: TaskRuns, metrics: Sequence[str], request: Request) -> list[Table]:
    """A table of further metrics of one task: those with a number, or all that the user named; none if there are none."""
    task = runs.task.partition("@")[0]
    asked = request.metrics is not None
    having = [name for name in metrics if asked or any(_finite(runs, entry, name) for entry in runs.entries)]
    lines = [
        line
        for line in _lines({task: runs}, [])
        if asked or any(_finite(runs, line.entries[task], name) for name in having)
    ]  # without a request, a table shows no row and no column without a number
    if not having or not lines:
        return []
    columns = [_column(name, "") for name in having]
    rows = [_row(line, [(task, name) for name in having], {task: runs}, request, table=table) for line in lines]
    return [
        Table(
            key=f"table{table.number}-{task}",
            title=f"Table {table.number}, further metrics: {task}",
            columns=tuple(columns),
            rows=tuple(rows),
            caption=(RANKS, *protocols([runs]), metric_versions(columns, [runs]), *checkpoints([runs])),
            notes=remarks([runs], having),
        )
    ]


@functools.cache
def _full(metric: str) -> str:
    """The id of a metric's current version."""
    return registry.full_name(metric)


def _column(metric: str, group: str) -> Column:
    full = _full(metric)
    better: Better = "higher" if registry.load_metric(full).higher_is_better else "lower"
    return Column(name=HEADINGS.get(metric, metric), group=group, metric=full, better=better)


def _lines(runs: Mapping[str, TaskRuns], always: Sequence[str]) -> list[Line]:
    """A line for each method and revision: the paper's methods first (also those without runs), then others, then dummies."""
    found: dict[tuple[str, str, str], dict[str, Entry]] = {}
    for task, one in runs.items():
        for entry in one.entries:
            name = model_name(entry.method, entry.checkpoint, variants=load_paper().variants)
            key = (name, entry.revision, "")
            if task in found.get(key, {}):
                key = (name, entry.revision, str(entry.root))  # two runs of one name
            found.setdefault(key, {})[task] = entry
    for method in always:
        if not any(key[0] == method for key in found):
            found[method, "", ""] = {}
    order = [*PRINTED]
    keys = sorted(found, key=lambda key: (key[0] in DUMMIES, _place(order, key[0]), _place(DUMMIES, key[0]), key))
    return [Line(name=_label(key, [*found]), method=key[0], entries=found[key]) for key in keys]


def _variant_lines(paper: Paper, table: PaperTable, runs: Mapping[str, TaskRuns]) -> list[Line]:
    """A line for each of the paper's variants; the name of a variant's runs is toontalker-<variant>."""
    lines = _lines(runs, [])
    found: list[Line] = []
    for method, variant in table.rows:
        name = f"{method}-{variant}" if variant else method
        title = f"{PRINTED[method]} {paper.variants[variant] if variant else FULL}"
        own = [line for line in lines if line.method == name] or [Line(name=name, method=name, entries={})]
        found += [
            Line(name=title if len(own) == 1 else f"{title}, {one.name}", method=name, entries=one.entries)
            for one in own
        ]
    return found


def _place(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else len(names)


def _label(key: tuple[str, str, str], keys: Sequence[tuple[str, str, str]]) -> str:
    method, revision, root = key
    if root:
        return f"{method}@{revision}, {root}"
    several = len({other[1:] for other in keys if other[0] == method}) > 1
    return f"{method}@{revision}" if several else method


def _row(
    line: Line,
    measures: Sequence[tuple[str, str]],
    runs: Mapping[str, TaskRuns],
    request: Request,
    *,
    table: PaperTable,
) -> Row:
    kinds = [weights_kind(one.method, one.checkpoint) for one in line.entries.values() if one.stored]
    kind = next(iter(kinds), "")
    notes = [
        f"not ranked: {one.problem}" for task, one in line.entries.items() if one.problem and runs[task].legible(one)
    ]
    if line.method in BASELINES and kind and kind != table.weights:
        notes.append(f"{kind} weights; Table {table.number} of the paper takes {table.weights} ones")
    if kind == "mini":
        notes.append(MINI)
    cells = [
        _cell(runs[task], line.entries[task], metric, request) if task in line.entries else Cell(reason=_no_run(line, task, table, request))
        for task, metric in measures
    ]  # fmt: skip
    return Row(
        name=line.name,
        cells=tuple(cells),
        section=DUMMY if line.method in DUMMIES else MEASURED,
        about=f"{kind} weights" if kind in ("official", "fine-tuned", "own", "mini") else kind,
        note="; ".join(dict.fromkeys(notes)),
    )


def _cell(runs: TaskRuns, entry: Entry, metric: str, request: Request) -> Cell:
    """The stored number of a metric, or why there is none."""
    if not runs.legible(entry):
        return Cell(reason=f"not shown: {entry.problem}")
    full = _full(metric)
    result = entry.results.get(full) or next(
        (r for n, r in entry.results.items() if n.partition("@")[0] == metric), None
    )
    if result is None:
        return Cell(reason=_why_absent(entry, metric, request))
    if math.isnan(result.value):
        why = next(iter(result.notes), "") or f"{result.missing} of {result.pairs} pairs have no value"
        return Cell(reason=why, missing=result.missing, pairs=result.pairs)
    best = runs.rank(entry, result.metric) == 1 and runs.decided(result.metric)
    return Cell(
        value=result.value, low=result.low, high=result.high, best=best, missing=result.missing, pairs=result.pairs,
        note=_note(result, full),
    )  # fmt: skip


def _finite(runs: TaskRuns, entry: Entry, metric: str) -> bool:
    full = _full(metric)
    return runs.legible(entry) and full in entry.results and math.isfinite(entry.results[full].value)


def _note(result: Result, full: str) -> str:
    notes: list[str] = []
    if result.metric != full:
        notes.append(f"measured with {result.metric}; the current version is {full}: score the run again")
    if result.missing:
        notes.append(f"{result.missing} of {result.pairs} pairs are missing and count as the worst value; not ranked")
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


def _why_absent(entry: Entry, metric: str, request: Request) -> str:
    """Why a run has no result of a metric."""
    skipped = {name.partition("@")[0]: skip for name, skip in entry.stored.get("skipped", {}).items()}
    if metric not in skipped:
        task = entry.task.partition("@")[0]
        own = {name.partition("@")[0] for name in registry.load_task(task).metrics}
        names = (
            ""
            if metric in own
            else f" --metrics {' '.join(name.partition('@')[0] for name in (*entry.results, metric))}"
        )
        return f"not measured: toonbench score --method {entry.method} --task {task} {request.options}{names}"
    if skipped[metric].get("kind") == "weights":
        return f"weights missing: toonbench weights fetch --for {metric}, then score again"
    return str(skipped[metric]["reason"])


def _no_run(line: Line, task: str, table: PaperTable, request: Request) -> str:
    """Why a row has no run of a task, and the command that makes one."""
    tasks = f"--task {task}" if line.entries else " and ".join(f"--task {one}" for one in table.tasks)
    if table.ablation and line.method != "toontalker":
        return (
            f"no run, and this version cannot train it; with a checkpoint DIR/{line.method}.safetensors: "
            f"toonbench reproduce table{table.number} {request.options} --weights DIR"
        )
    included = line.method not in PRINTED or (line.method == "toontalker" and on_puppets(request.entries))
    if not included and not line.entries:
        return f"no run, and its weights are not included: toonbench reproduce table{table.number} {request.options} --weights DIR"
    return f"no run: toonbench eval --method {line.method} {tasks} {request.options}"


def _copied(paper: Paper, table: PaperTable, method: str, variant: str) -> Row:
    cells = [table.cell(method, variant, task=task, metric=metric) for task, metric in table.measures]
    name = (
        (paper.variants[variant] if variant else FULL_IN.get(table.number, FULL)) if table.ablation else PRINTED[method]
    )
    return Row(
        name=name,
        kind="copied",
        section=COPIED,
        cells=tuple(
            Cell(value=one.value, text=one.printed, best=one.emphasis == "bold", second=one.emphasis == "underline")
            if one
            else Cell(reason="not in the paper")
            for one in cells
        ),
    )


def _has_paper(line: Line, table: PaperTable) -> bool:
    """Whether the paper prints numbers of this method, and a run of it exists."""
    return bool(line.entries) and _method_of(line) in table.rows


def _method_of(line: Line) -> tuple[str, str]:
    """Method and variant of a line, as the paper's cells name them."""
    method, _, variant = line.method.partition("-")
    return method, variant


def _difference(line: Line, row: Row, table: PaperTable) -> Row:
    """Our number minus the paper's, where a run with weights like the paper's has one."""
    method, variant = _method_of(line)
    cells: list[Cell] = []
    for (task, metric), cell in zip(table.measures, row.cells, strict=True):
        printed = table.cell(method, variant, task=task, metric=metric)
        entry = line.entries.get(task)
        kind = weights_kind(entry.method, entry.checkpoint) if entry else ""
        if printed is None or cell.empty:
            cells.append(Cell(reason="no number here to compare"))
        elif kind not in _like_paper(method, table):
            cells.append(Cell(reason=f"{OTHER_WEIGHTS}: {kind or 'none stated'}"))
        else:
            cells.append(
                Cell(value=cell.value - printed.value, low=cell.low - printed.value, high=cell.high - printed.value)
            )
    return Row(name=line.name, kind="difference", section=DIFFERENCE, cells=tuple(cells))


def _like_paper(method: str, table: PaperTable) -> tuple[str, ...]:
    return ("official", "own") if method == "toontalker" else (table.weights,)
