"""One neutral table of a report: what it shows, independent of how it is printed. `report.writers` prints it in five formats.

A cell holds a number with its interval, or the reason why it has none. A row is measured here, copied from a publication, or the
difference of the two; measured and copied rows are ranked apart, and every format shows which is which.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["measured", "copied", "difference"]
KINDS: dict[Kind, str] = {
    "measured": "measured here",
    "copied": "copied from the paper",
    "difference": "here minus paper",
}
Better = Literal["higher", "lower", ""]
ARROWS: dict[Better, str] = {"higher": "↑", "lower": "↓", "": ""}
DASH = "—"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of numbers. `group` is the heading above several columns; `metric` is an id such as `fid@1`, or empty.

    `places` is the number of decimals of measured numbers; None chooses it from the numbers.
    """

    name: str
    group: str = ""
    metric: str = ""
    better: Better = ""
    places: int | None = None

    @property
    def title(self) -> str:
        """The name with the arrow of the better direction."""
        return f"{self.name} {ARROWS[self.better]}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A number with its 95 % interval, or the `reason` why there is none.

    `text` is a number as it was printed, which replaces its usual form. `best` is a first rank (a shared one, too), or what a
    publication prints bold; `second` is what it underlines. `missing` of `pairs` pairs have no value. `note` is a remark on a cell
    with a number.
    """

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    text: str = ""
    best: bool = False
    second: bool = False
    missing: int = 0
    pairs: int = 0
    reason: str = ""
    note: str = ""

    @property
    def empty(self) -> bool:
        """Whether the cell shows a dash."""
        return math.isnan(self.value) and not self.text

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is written below the table about this cell."""
        return tuple(one for one in (self.reason, self.note) if one)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One method. `about` says which weights it has, `section` is the heading that it is listed under, `note` a remark on the row."""

    name: str
    cells: tuple[Cell, ...]
    kind: Kind = "measured"
    section: str = ""
    about: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table. `key` is fit for a file name and a label; `caption` says what was measured and how, `notes` are remarks on all of it.

    Raises ValueError for a row with another number of cells than columns, and for a cell that has neither a number nor a reason.
    """

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    head: str = "method"
    caption: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(
                    f"row {row.name} has {len(row.cells)} cells, the table has {len(self.columns)} columns"
                )
            for column, cell in zip(self.columns, row.cells, strict=True):
                if cell.empty and not cell.reason:
                    raise ValueError(f"row {row.name}, column {column.name}: neither a number nor a reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A cell as text: the number or a dash, the interval or nothing, and the numbers of its notes."""

    number: str
    interval: str
    marks: tuple[int, ...]
    cell: Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRow:
    """A row as text; `marks` are the numbers of the notes on the whole row."""

    row: Row
    cells: tuple[Shown, ...]
    marks: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Rows under one heading, all of one kind."""

    title: str
    kind: Kind
    rows: tuple[ShownRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A table as text, the same for every format: sections of rows, groups of columns, numbered notes, lines below the table."""

    table: Table
    sections: tuple[Section, ...]
    groups: tuple[tuple[str, int], ...]  # heading, number of columns
    notes: tuple[str, ...]  # note 1 first

    @property
    def grouped(self) -> bool:
        """Whether any columns have a heading above them."""
        return any(title for title, _ in self.groups)


def lay_out(table: Table) -> Layout:
    """The texts of a table. A reason that all cells of a row share is noted once, at the row's name."""
    numbers: dict[str, int] = {}
    places = [_places(table, at) for at in range(len(table.columns))]
    sections: list[Section] = []
    for row in table.rows:
        shared = _shared(row)
        marks = _marks([*shared, *([row.note] if row.note else [])], numbers)
        sign = row.kind == "difference"
        cells = tuple(
            _shown(cell, at, marks=_marks([one for one in cell.remarks if one not in shared], numbers), sign=sign)
            for cell, at in zip(row.cells, places, strict=True)
        )
        laid = ShownRow(row=row, cells=cells, marks=marks)
        if sections and (sections[-1].title, sections[-1].kind) == (row.section, row.kind):
            last = sections.pop()
            sections.append(Section(title=last.title, kind=last.kind, rows=(*last.rows, laid)))
        else:
            sections.append(Section(title=row.section, kind=row.kind, rows=(laid,)))
    return Layout(table=table, sections=tuple(sections), groups=tuple(_groups(table.columns)), notes=tuple(numbers))


def _shared(row: Row) -> tuple[str, ...]:
    """The reason of all cells of a row with several cells, if they are all empty for the same one."""
    reasons = {cell.reason for cell in row.cells if cell.empty}
    every = len(row.cells) > 1 and all(cell.empty for cell in row.cells)
    return tuple(reasons) if every and len(reasons) == 1 else ()


def _marks(remarks: Iterable[str], numbers: dict[str, int]) -> tuple[int, ...]:
    """The numbers of remarks, new ones after all others."""
    return tuple(numbers.setdefault(one, len(numbers) + 1) for one in remarks)


def _shown(cell: Cell, places: int, *, marks: tuple[int, ...], sign: bool) -> Shown:
    number = cell.text or number_text(cell.value, places, sign=sign)
    if cell.empty and cell.missing:
        number = f"{DASH} {cell.missing}/{cell.pairs}"
    ends = [number_text(end, places, sign=sign) for end in (cell.low, cell.high)]
    interval = "" if math.isnan(cell.low) or cell.empty else " … ".join(ends)
    return Shown(number=number, interval=interval, marks=marks, cell=cell)


def number_text(value: float, places: int, *, sign: bool = False) -> str:
    """A number with this many decimals, a minus sign that is no hyphen, and a plus sign if asked for; a dash for NaN."""
    if math.isnan(value):
        return DASH
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:{'+' if sign else '-'}z.{places}f}".replace("-", "−")


def _places(table: Table, at: int) -> int:
    """The decimals of a column: 2 from 10 on, 4 below 0.1, otherwise 3."""
    if (given := table.columns[at].places) is not None:
        return given
    values = [abs(row.cells[at].value) for row in table.rows if row.kind == "measured"]
    finite = [value for value in values if math.isfinite(value)]
    if not finite or max(finite) < 0.1:
        return 4
    return 2 if max(finite) >= 10 else 3


def _groups(columns: Sequence[Column]) -> list[tuple[str, int]]:
    groups: list[tuple[str, int]] = []
    for column in columns:
        if groups and groups[-1][0] == column.group:
            groups[-1] = (column.group, groups[-1][1] + 1)
        else:
            groups.append((column.group, 1))
    return groups


def name_of(row: Row) -> str:
    """The name of a row as every format prints it: copied rows and differences are marked in the text, too."""
    if row.kind == "copied":
        return f"{row.name} (paper)"
    return f"{row.name} ({row.about})" if row.about else row.name
