"""Tables of the entries of leaderboards, and documents that show them."""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from toonbench import registry
from toonbench.leaderboard.check import as_run
from toonbench.leaderboard.places import ENTRY, entry_folders
from toonbench.leaderboard.schema import entry_schema, problems
from toonbench.report.captions import protocol
from toonbench.report.entries import Entry, find_entries
from toonbench.report.methods import DUMMIES, PER_PAIR, weights_kind
from toonbench.report.table import Better, Cell, Column, Row, Table
from toonbench.report.task_runs import TaskRuns, runs_of
from toonbench.report.writers.markdown import markdown_table
from toonbench.score.stored import read_object
from toonbench.text import one_line
from toonbench.types import ToonbenchError

METHODS, PAIRS, CHECKS = "methods", "one model per pair, unranked", "reference points"
BLOCK = re.compile(r"<!-- leaderboard (?P<task>\w+)(?P<metrics>[\w ]*) -->\n.*?<!-- end -->\n", re.DOTALL)
"""A part of a Markdown document that is written from entries: a task, and the metrics to show (all, if none is named)."""


@contextmanager
def unpacked(places: Sequence[Path]) -> Generator[list[Entry]]:
    """The entries at or below `places` as stored runs with rows, in a folder that is deleted when the block ends.

    Raises ToonbenchError where there is no entry, and for one that does not fit the schema.
    """
    folders = entry_folders(places)
    if not folders:
        raise ToonbenchError(
            f"{', '.join(map(str, places))}: no entry of a leaderboard here; `toonbench submit` writes one"
        )
    with tempfile.TemporaryDirectory() as temporary:
        for root in folders:
            about = read_object(root / ENTRY)
            rule = {"$defs": entry_schema()["$defs"], "$ref": "#/$defs/entry"}
            if wrong := problems(about, rule):
                raise ToonbenchError(f"{root / ENTRY}: {wrong[0]}; run `toonbench validate {root}`")
            method = f"{about['method']}@{about['revision']}"
            made = Path(temporary) / about["data"] / about["task"] / method
            if made.exists():
                raise ToonbenchError(f"{root}: another of the given folders has this entry, too; give one of them")
            as_run(root, made, about=about)
        yield find_entries([Path(temporary)])


def board_tables(entries: Sequence[Entry], *, metrics: Mapping[str, Sequence[str]] | None = None) -> list[Table]:
    """A table for each data set and task. `metrics` chooses tasks and, for each, the metrics (names); by default all.

    Methods are ranked; dummies are listed apart, without ranks.
    """
    tables: list[Table] = []
    for data in dict.fromkeys(entry.data for entry in entries):
        own = [entry for entry in entries if entry.data == data]
        tasks = metrics or dict.fromkeys(dict.fromkeys(entry.task.partition("@")[0] for entry in own), ())
        for task in tasks:
            listed = [entry for entry in own if entry.task.partition("@")[0] == task]
            if listed:
                tables.append(_table(listed, task, tasks[task]))
    return tables


def _row_name(entry: Entry, *, several: bool) -> str:
    """The method, with its revision where it has several entries, and a word for the small weights that toonbench includes."""
    name = f"{entry.method}@{entry.revision}" if several else entry.method
    return f"{name} (mini)" if weights_kind(entry.method, entry.checkpoint) == "mini" else name


def section_of(method: str) -> str:
    """The part of a table that a method is listed in."""
    if method in DUMMIES:
        return CHECKS
    return PAIRS if method in PER_PAIR else METHODS


def _table(entries: Sequence[Entry], task: str, metrics: Sequence[str]) -> Table:
    names = list(dict.fromkeys(name for entry in entries for name in entry.results))
    bare = [name.partition("@")[0] for name in names]
    if unknown := next((one for one in metrics if one not in bare), None):
        raise registry.unknown(f"metric of {task}", unknown, bare)
    chosen = [name for one in metrics for name in names if name.partition("@")[0] == one] if metrics else names
    runs = runs_of(entries, task, metrics=[name.partition("@")[0] for name in chosen])
    unranked = (*PER_PAIR, *DUMMIES)
    order = [entry for entry in runs.entries if entry.method not in unranked]
    order += sorted((one for one in runs.entries if one.method in unranked), key=lambda one: unranked.index(one.method))
    several = {one.method for one in order if [other.method for other in order].count(one.method) > 1}
    columns = [Column(name=_name(name, chosen), metric=name, better=_better(entries, name)) for name in chosen]
    rows = [
        Row(
            name=_row_name(entry, several=entry.method in several),
            cells=tuple(_cell(runs, entry, name) for name in chosen),
            section=section_of(entry.method),
        )
        for entry in order
    ]
    caveats = dict.fromkeys(one for entry in entries for one in entry.stored.get("caveats", ()))
    return Table(
        key=f"{entries[0].data}-{task}",
        title=f"{runs.task} on {entries[0].data}",
        columns=tuple(columns),
        rows=tuple(rows),
        caption=(protocol(runs), *caveats),
        notes=(*runs.left_out,),
    )


def _name(metric: str, chosen: Sequence[str]) -> str:
    """The name of a metric; with its version if there are columns of several versions."""
    bare = metric.partition("@")[0]
    return metric if sum(one.partition("@")[0] == bare for one in chosen) > 1 else bare


def _better(entries: Sequence[Entry], metric: str) -> Better:
    try:
        higher = registry.load_metric(metric).higher_is_better
    except ToonbenchError:  # a plug-in that is not installed here
        having = [entry for entry in entries if metric in entry.results]
        higher = min(having, key=lambda one: bool(one.problem)).results[metric].higher_is_better
    return "higher" if higher else "lower"


def _cell(runs: TaskRuns, entry: Entry, metric: str) -> Cell:
    result = entry.results.get(metric)
    if result is None:
        return Cell(reason=entry.problem or "not in the entry")
    if math.isnan(result.value):
        return Cell(reason=next(iter(result.notes), "no value"), missing=result.missing, pairs=result.pairs)
    lost = (
        f"{result.missing} of {result.pairs} pairs are missing and count as the worst value" if result.missing else ""
    )
    return Cell(
        value=result.value, low=result.low, high=result.high, missing=result.missing, pairs=result.pairs,
        best=runs.rank(entry, metric) == 1 and runs.decided(metric),
        note=f"{metric} does not rank methods: {result.unranked}" if result.unranked else lost,
    )  # fmt: skip


def refreshed(document: str, entries: Sequence[Entry]) -> str:
    """The document with every BLOCK written again. Raises ToonbenchError for a document without one, and a task without entries."""
    if not BLOCK.search(document):
        raise ToonbenchError(
            "the document has no place for a table: write a line <!-- leaderboard real2cartoon psnr ssim --> and a line <!-- end -->"
        )
    return BLOCK.sub(lambda found: _block(found, entries), document)


def _block(found: re.Match[str], entries: Sequence[Entry]) -> str:
    tables = board_tables(entries, metrics={found["task"]: found["metrics"].split()})
    if not tables:
        raise ToonbenchError(f"no entry of the task {one_line(found['task'])}: submit one first")
    start = found[0].partition("\n")[0]
    return "\n".join([start, "", *(markdown_table(table) for table in tables), "<!-- end -->", ""])
