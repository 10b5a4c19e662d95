"""`table`: the paper's tables from stored runs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from toonbench.commands.shared import DATA, Names, Terminal
from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from toonbench.report.table import Table

ALL = "all"
Format = Literal["terminal", "md", "latex", "csv", "html"]


def table(
    *numbers: str,
    data: str = DATA,
    out: Path = Path("runs"),
    metrics: Names = None,
    form: Annotated[Format, Parameter(name="--format")] = "terminal",
    write: Path | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Print Tables 1 to 7 of the paper: our numbers with intervals, the paper's beside them, and the difference.

    The numbers are those of stored runs; nothing is generated or measured. A cell without a number has a note that says why, with the
    command that makes it. Each table is followed by one with further metrics for each of its tasks. docs/reproducing.md lists
    what the paper claims.

    Parameters
    ----------
    numbers
        1 to 7, or all.
    data
        The data set of the runs: its name, or the folder that it was made of.
    out
        The folder of the runs: OUT/<data>/<task>/<method>.
    metrics
        The further metrics, also those without a number; by default those of a fixed list that have a number.
    form
        terminal, md, latex (with booktabs), csv (a line for each cell) or html.
    write
        Write the tables to this folder, a file for each, instead of printing them; with the default format, in all file formats.
    """
    from toonbench.report.entries import find_entries
    from toonbench.report.paper_cells import Request
    from toonbench.report.paper_tables import NUMBERS, paper_tables
    from toonbench.report.task_runs import data_name, of_data, references_of

    terminal = terminal or Terminal()
    chosen = NUMBERS if ALL in numbers else numbers
    if not chosen:
        raise ToonbenchError(f"give the numbers of tables, {', '.join(NUMBERS)}, or all: toonbench table 1")
    entries = of_data(find_entries([out]), data)
    named = data_name(entries, data)
    request = Request(entries=entries, data=named, out=out, metrics=metrics, references=references_of(named))
    groups = {number: paper_tables(number, request) for number in dict.fromkeys(chosen)}
    if write is not None:
        return _write(groups, write, form=form, terminal=terminal)
    return show(groups, form=form, terminal=terminal)


def show(groups: dict[str, list[Table]], *, form: Format, terminal: Terminal) -> int:
    """Print tables in a format."""
    from toonbench.report.writers import TEXTS
    from toonbench.report.writers.terminal import print_tables
    from toonbench.store import to_json

    console = terminal.start()
    tables = [one for group in groups.values() for one in group]
    if terminal.json:
        console.out(to_json([asdict(one) for one in tables]), end="")
    elif form == "terminal":
        print_tables(console, tables)
    else:
        console.out(TEXTS[form](tables), end="")
    return 0


def _write(groups: dict[str, list[Table]], folder: Path, *, form: Format, terminal: Terminal) -> int:
    from toonbench.report.writers import SUFFIXES, TEXTS
    from toonbench.store import write_bytes

    for number, tables in groups.items():
        for one in TEXTS if form == "terminal" else [form]:
            path = folder / f"table{number}{SUFFIXES[one]}"
            write_bytes(path, TEXTS[one](tables).encode())
            terminal.message(f"written: {path}")
    return 0
