"""Tables 1 to 7 of the paper as neutral tables: our numbers, the paper's, and the difference where the two compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toonbench import registry
from toonbench.report.captions import checkpoints, metric_versions, protocols, remarks
from toonbench.report.methods import BASELINES, DUMMIES, configuration, weights_kind
from toonbench.report.paper_cells import Request, cell_of, full_name, has_number
from toonbench.report.paper_lines import FULL, Line, lines_of, variant_lines
from toonbench.report.papers import HEADINGS, METHODS, Paper, PaperTable, load_paper
from toonbench.report.table import Better, Cell, Column, Row, Table
from toonbench.report.task_runs import TaskRuns, on_puppets
from toonbench.types import ToonbenchError

NUMBERS = ("1", "2", "3", "4", "5", "6", "7")
GROUPS = {"real2cartoon": "Real → Cartoon", "cartoon2real": "Cartoon → Real"}
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


def paper_tables(number: str, request: Request) -> list[Table]:
    """The table of this number, then one for each of its tasks with further metrics.

    Raises ToonbenchError for an unknown number or metric.
    """
    paper = load_paper()
    if number not in NUMBERS:
        raise ToonbenchError(f"table {number} is unknown: give {', '.join(NUMBERS)} or all")
    table = paper.tables[number]
    runs = {task: request.runs(task, paper) for task in table.tasks}
    maker = _Maker(paper=paper, table=table, runs=runs, request=request)
    return [maker.main(), *(one for task in table.tasks for one in maker.further(task))]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Maker:
    """One table of the paper, with the runs of its tasks."""

    paper: Paper
    table: PaperTable
    runs: Mapping[str, TaskRuns]
    request: Request

    def main(self) -> Table:
        """The paper's columns."""
        table, runs = self.table, self.runs.values()
        lines = variant_lines(table, self.runs) if table.ablation else lines_of(self.runs, [*METHODS])
        several = len(table.tasks) > 1
        columns = [_column(metric, GROUPS[task] if several else "") for task, metric in table.measures]
        measured = [self._row(line, table.measures) for line in lines]
        puppets = on_puppets(self.request.entries)
        compared = [] if puppets else zip(lines, measured, strict=True)
        differences = [self._difference(line, row) for line, row in compared if self._has_paper(line)]
        return Table(
            key=f"table{table.number}",
            title=f"Table {table.number} of the paper: {table.title}",
            columns=tuple(columns),
            rows=(*measured, *(self._copied(method, variant) for method, variant in table.rows), *differences),
            caption=(
                RANKS,
                PRINTED_AS,
                *protocols(runs),
                metric_versions(columns, runs),
                *checkpoints(runs),
                f"The paper: {table.protocol}",
            ),
            notes=(*([NO_DIFFERENCE] if puppets else []), *remarks(runs, [metric for _, metric in table.measures])),
        )

    def further(self, task: str) -> list[Table]:
        """A table of further metrics of one task: those with a number, or all that the user named; none if there are none."""
        runs, asked = self.runs[task], self.request.metrics is not None
        printed = {metric for own, metric in self.table.measures if own == task}
        names = [name for name in self.request.further if name not in printed]
        having = [name for name in names if asked or any(has_number(runs, one, metric=name) for one in runs.entries)]
        own = variant_lines(self.table, {task: runs}) if self.table.ablation else lines_of({task: runs}, [])
        lines = [
            line
            for line in own
            if task in line.entries
            and (asked or any(has_number(runs, line.entries[task], metric=name) for name in having))
        ]  # without a request, a table shows no row and no column without a number
        if not having or not lines:
            return []
        columns = [_column(name, "") for name in having]
        return [
            Table(
                key=f"table{self.table.number}-{task}",
                title=f"Table {self.table.number}, further metrics: {task}",
                columns=tuple(columns),
                rows=tuple(self._row(line, [(task, name) for name in having]) for line in lines),
                caption=(RANKS, *protocols([runs]), metric_versions(columns, [runs]), *checkpoints([runs])),
                notes=remarks([runs], having),
            )
        ]

    def _row(self, line: Line, measures: Sequence[tuple[str, str]]) -> Row:
        kinds = [weights_kind(one.method, one.checkpoint) for one in line.entries.values() if one.stored]
        kind = next(iter(kinds), "")
        return Row(
            name=line.name,
            cells=tuple(
                cell_of(self.request, line, task=task, metric=metric, table=self.table) for task, metric in measures
            ),
            section=DUMMY if line.method in DUMMIES else MEASURED,
            about=f"{kind} weights" if kind in ("official", "fine-tuned", "own", "mini") else kind,
            note="; ".join(dict.fromkeys(self._row_notes(line, kind))),
        )

    def _row_notes(self, line: Line, kind: str) -> list[str]:
        """Why a row is not ranked, and how its weights differ from the paper's."""
        unsound = [(task, one) for task, one in line.entries.items() if one.problem and self.runs[task].legible(one)]
        notes = [f"not ranked: {one.problem}" for _, one in unsound]
        if line.method in BASELINES and kind and kind != self.table.weights:
            number, taken = self.table.number, self.table.weights
            notes.append(f"{kind} weights; Table {number} of the paper takes {taken} ones")
        notes += [other for one in line.entries.values() if (other := configuration(one.checkpoint))]
        return [*notes, MINI] if kind == "mini" else notes

    def _copied(self, method: str, variant: str) -> Row:
        cells = [self.table.cell(method, variant, task=task, metric=metric) for task, metric in self.table.measures]
        full = FULL_IN.get(self.table.number, FULL)
        ablated = self.paper.variants[variant] if variant else full
        return Row(
            name=ablated if self.table.ablation else METHODS[method],
            kind="copied",
            section=COPIED,
            cells=tuple(
                Cell(value=one.value, text=one.printed, best=one.emphasis == "bold", second=one.emphasis == "underline")
                if one
                else Cell(reason="not in the paper")
                for one in cells
            ),
        )

    def _has_paper(self, line: Line) -> bool:
        """Whether the paper prints numbers of this method, and a run of it exists."""
        return bool(line.entries) and line.printed in self.table.rows

    def _difference(self, line: Line, row: Row) -> Row:
        """Our number minus the paper's, where a run with weights like the paper's has one."""
        places = zip(self.table.measures, row.cells, strict=True)
        cells = tuple(self._minus_paper(line, cell, task=task, metric=metric) for (task, metric), cell in places)
        return Row(name=line.name, kind="difference", section=DIFFERENCE, cells=cells)

    def _minus_paper(self, line: Line, cell: Cell, *, task: str, metric: str) -> Cell:
        method, variant = line.printed
        printed = self.table.cell(method, variant, task=task, metric=metric)
        entry = line.entries.get(task)
        kind = weights_kind(entry.method, entry.checkpoint) if entry else ""
        alike = ("official", "own") if method == "toontalker" else (self.table.weights,)
        if printed is None or cell.empty:
            return Cell(reason="no number here to compare")
        if kind not in alike:
            return Cell(reason=f"{OTHER_WEIGHTS}: {kind or 'none stated'}")
        if entry and (other := configuration(entry.checkpoint)):
            return Cell(reason=f"{OTHER_WEIGHTS}: {other}")
        value = printed.value
        return Cell(value=cell.value - value, low=cell.low - value, high=cell.high - value)


def _column(metric: str, group: str) -> Column:
    full = full_name(metric)
    better: Better = "higher" if registry.load_metric(full).higher_is_better else "lower"
    return Column(name=HEADINGS.get(metric, metric), group=group, metric=full, better=better)
