"""A table as GitHub's Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from toonbench.report.table import Layout, Section, Shown, ShownRow, Table, lay_out, name_of
from toonbench.text import one_line

SPECIAL = re.compile(r"([\\`*\[\]|$~])|(?<![^\W_])_|_(?![^\W_])")


def markdown_text(tables: Sequence[Table]) -> str:
    """The tables with headings, captions and notes."""
    return "\n".join(f"{_heading(table)}\n\n{markdown_table(table)}" for table in tables)


def _heading(table: Table) -> str:
    return f"### {escape(table.title)}"


def markdown_table(table: Table) -> str:
    """One table with caption and notes, without its heading."""
    layout = lay_out(table)
    columns = [escape(table.head), *(_column(layout, at) for at in range(len(table.columns)))]
    lines = [_line(columns), _line(["---", *("---:" for _ in table.columns)])]
    for section in layout.sections:
        if section.title:
            lines.append(_line([f"**{escape(section.title)}**", *("" for _ in table.columns)]))
        lines += [_row(row, section) for row in section.rows]
    below = [f"{references((at,)).lstrip()} {escape(note)}" for at, note in enumerate(layout.notes, start=1)]
    paragraphs = [*map(escape, table.caption), *map(escape, table.notes), *below]
    return "\n".join([*lines, "", *(f"{one}  " for one in paragraphs[:-1]), *paragraphs[-1:], ""])


def _column(layout: Layout, at: int) -> str:
    column = layout.table.columns[at]
    return escape(f"{column.group}: {column.title}" if column.group else column.title)


def _row(row: ShownRow, section: Section) -> str:
    name = escape(name_of(row.row)) + references(row.marks)
    if section.kind != "measured":
        name = f"*{name}*"
    return _line([name, *(_cell(one, section) for one in row.cells)])


def _cell(shown: Shown, section: Section) -> str:
    text = escape(shown.number)
    if shown.cell.best:
        text = f"**{text}**"
    elif shown.cell.second:
        text = f"<ins>{text}</ins>"
    if section.kind != "measured" and not shown.cell.empty:
        text = f"*{text}*"
    interval = f"<br><sub>{escape(shown.interval)}</sub>" if shown.interval else ""
    return f"{text}{references(shown.marks)}{interval}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def references(marks: Sequence[int]) -> str:
    """The numbers of notes in brackets, after a space."""
    return f" [{', '.join(map(str, marks))}]" if marks else ""


def escape(text: str) -> str:
    """Text of any origin as Markdown that shows it: no markup, no HTML, one line."""
    plain = one_line(text).replace("\n", " ").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return SPECIAL.sub(lambda found: f"\\{found[0]}", plain)
