"""A table in the terminal. A table that is wider than the terminal is printed in parts of whole columns."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from toonbench.report.table import Layout, Section, Shown, ShownRow, Table, lay_out, name_of
from toonbench.report.writers.markdown import references
from toonbench.text import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

PADDING = 2  # columns of the terminal between two columns of the table
WIDEST = 10_000  # a table in a file is as wide as it is
STYLES = {"measured": "", "copied": "italic dim", "difference": "italic"}


def print_tables(console: Console, tables: Sequence[Table]) -> None:
    """Print tables with titles, captions and notes."""
    with unlimited(console):
        for at, table in enumerate(tables):
            if at:
                console.print("")
            _print(console, table)


@contextmanager
def unlimited(console: Console) -> Generator[None]:
    """While the block runs, a console that is no terminal (a file, a pipe) cuts nothing."""
    before = console.width
    if not console.is_terminal:
        console.width = WIDEST
    try:
        yield
    finally:
        console.width = before


def _print(console: Console, table: Table) -> None:
    from toonbench.report.console import cell

    layout = lay_out(table)
    console.print(cell(table.title, "bold"), soft_wrap=True)
    for columns in _parts(layout, console.width):
        console.print(_rich(layout, columns, console=console))
        console.print("")
    if not console.is_terminal and any(cell.best for row in table.rows for cell in row.cells):
        console.print("*: bold in a terminal", style="dim")
    for line in table.caption:
        console.print(line, soft_wrap=True, style="dim")
    for line in table.notes:
        console.print(line, soft_wrap=True)
    for at, note in enumerate(layout.notes, start=1):
        console.print(f"{references((at,)).lstrip()} {note}", soft_wrap=True)


def _parts(layout: Layout, width: int) -> Iterator[list[int]]:
    """The columns of each part that fits the width."""
    from rich.cells import cell_len

    names = [layout.table.head, *(_name(row) for section in layout.sections for row in section.rows)]
    titles = [section.title for section in layout.sections]
    first = max(*(cell_len(name) + 6 for name in names), *map(cell_len, titles)) + PADDING
    part: list[int] = []
    used = first
    for at, column in enumerate(layout.table.columns):
        own = (
            max(
                len(column.title),
                len(column.group),
                *(_width(row.cells[at]) for one in layout.sections for row in one.rows),
            )
            + PADDING
        )
        if part and used + own > width:
            yield part
            part, used = [], first
        part.append(at)
        used += own
    yield part


def _name(row: ShownRow) -> str:
    return one_line(name_of(row.row))


def _width(shown: Shown) -> int:
    return max(len(shown.number) + len(references(shown.marks)), len(shown.interval))


def _rich(layout: Layout, columns: Sequence[int], *, console: Console) -> RichTable:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable

    found = RichTable(box=SIMPLE_HEAD, padding=(0, PADDING, 0, 0), pad_edge=False, show_edge=False)
    found.add_column(_text(layout.table.head), no_wrap=True)
    for at in columns:
        found.add_column(_heading(layout, at), justify="right", no_wrap=True)
    for section in layout.sections:
        if section.title:
            found.add_row(_text(section.title, "bold" if section.kind == "measured" else "bold italic dim"))
        for row in section.rows:
            found.add_row(*_row(row, section, columns=columns, console=console))
        found.add_section()
    return found


def _heading(layout: Layout, at: int) -> Text:
    column = layout.table.columns[at]
    return _text(f"{column.group}\n{column.title}" if layout.grouped else column.title)


def _row(row: ShownRow, section: Section, *, columns: Sequence[int], console: Console) -> list[Text]:
    indent = "  " if section.title else ""
    name = _text(f"{indent}{_name(row)}{references(row.marks)}", STYLES[section.kind])
    return [name, *(_cell(row.cells[at], section, console=console) for at in columns)]


def _cell(shown: Shown, section: Section, *, console: Console) -> Text:
    style = STYLES[section.kind]
    emphasis = "bold" if shown.cell.best else "underline" if shown.cell.second else ""
    found = _text("").append(one_line(shown.number), f"{emphasis} {style}".strip())
    if shown.cell.best and not console.is_terminal:
        found.append(" *")  # there are no bold letters in a file
    found.append(references(shown.marks))
    if shown.interval:
        found.append(f"\n{shown.interval}", "dim")
    return found


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text("\n".join(map(one_line, text.split("\n"))), style=style)
