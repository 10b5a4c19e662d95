"""The printed numbers of the paper, from `leaderboards/paper/`: Tables 1 to 7 and the user study, cell by cell."""

from __future__ import annotations

import csv
import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toonbench.types import ToonbenchError

PLACES = (
    Path(__file__).parent / "paper",  # in an installed wheel
    Path(__file__).parent.parent.parent / "leaderboards" / "paper",  # in a checkout
)
FIELDS = ("table", "row", "group", "column", "value", "printed", "emphasis", "method", "variant", "task", "metric")
EMPHASES = ("", "bold", "underline")
STUDY = "study"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperCell:
    """One printed number: where it is printed, how, and what it measures.

    `variant` is empty for the full model, otherwise the name of an ablated one; `metric` is a name of toonbench, empty for the user study.
    """

    table: str
    row: str
    group: str
    column: str
    value: float
    printed: str
    emphasis: str
    method: str
    variant: str
    task: str
    metric: str

    @property
    def heading(self) -> str:
        """The heading of the cell's measure: `FID`, `CPBD`; a table whose columns are methods has it in its rows."""
        return HEADINGS.get(self.metric, self.metric)


METHODS = {"fomm": "FOMM", "lia": "LIA", "dagan": "DaGAN", "toontalker": "ToonTalker"}
"""The methods of the paper, in the order of its tables, and their names there."""
HEADINGS = {
    "fid": "FID",
    "cpbd": "CPBD",
    "csim_arcface": "CSIM",
    "l1": "L1",
    "lpips_alex": "LPIPS",
    "akd_fan68": "AKD",
    "aed_identity": "AED",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTable:
    """One table of the paper. `weights` says which checkpoints of the other methods it has: fine-tuned, official or own."""

    number: str
    title: str
    caption: str
    tasks: tuple[str, ...]
    weights: str
    protocol: str
    cells: tuple[PaperCell, ...]

    @property
    def ablation(self) -> bool:
        """Whether its rows are variants of one method."""
        return any(cell.variant for cell in self.cells)

    @property
    def rows(self) -> tuple[tuple[str, str], ...]:
        """Method and variant of each row, in the printed order."""
        return tuple(dict.fromkeys((cell.method, cell.variant) for cell in self.cells))

    @property
    def measures(self) -> tuple[tuple[str, str], ...]:
        """Task and metric of each column, in the printed order."""
        return tuple(dict.fromkeys((cell.task, cell.metric) for cell in self.cells))

    def cell(self, method: str, variant: str, *, task: str, metric: str) -> PaperCell | None:
        """The printed number of a row and column, or None."""
        key = (method, variant, task, metric)
        return next((one for one in self.cells if (one.method, one.variant, one.task, one.metric) == key), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """All tables by number, and the printed names of the ablated models."""

    tables: Mapping[str, PaperTable]
    variants: Mapping[str, str]


@functools.cache
def load_paper(folder: Path | None = None) -> Paper:
    """The paper's tables, checked: every cell once, its number as printed, its task one of its table.

    Raises ToonbenchError, naming the file and line, for anything else, and where the files are missing.
    """
    place = folder or paper_folder()
    about = _toml(place / "tables.toml")
    cells = _cells(place / "tables.csv", about)
    tables = {number: _table(number, fields, cells=cells) for number, fields in about.items() if number != "variants"}
    return Paper(tables=tables, variants=about.get("variants", {}))


def paper_folder() -> Path:
    """The folder of the paper's numbers. Raises ToonbenchError if it is missing."""
    for place in PLACES:
        if (place / "tables.csv").is_file():
            return place
    raise ToonbenchError(
        f"the paper's numbers are missing: no tables.csv in {' or '.join(map(str, PLACES))}; install toonbench again"
    )


def _toml(path: Path) -> dict[str, dict[str, Any]]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ToonbenchError(f"{path} cannot be read ({error}): install toonbench again") from error


def _table(number: str, fields: Mapping[str, Any], *, cells: list[PaperCell]) -> PaperTable:
    own = tuple(cell for cell in cells if cell.table == number)
    return PaperTable(
        number=number,
        title=fields["title"],
        caption=fields["caption"],
        tasks=tuple(fields["tasks"]),
        weights=fields["weights"],
        protocol=fields["protocol"],
        cells=own,
    )


def _cells(path: Path, about: Mapping[str, Any]) -> list[PaperCell]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ToonbenchError(f"{path} cannot be read ({error}): install toonbench again") from error
    visited: set[tuple[str, ...]] = set()
    cells: list[PaperCell] = []
    for at, line in enumerate(lines, start=2):
        place = tuple(line.get(key, "") for key in FIELDS[:4])
        problem = _problem(line, about) or ("the cell is there twice" if place in visited else "")
        if problem:
            raise ToonbenchError(f"{path}, line {at}: {problem}; correct it, or install toonbench again")
        visited.add(place)
        cells.append(PaperCell(value=float(line.pop("value")), **line))
    return cells


def _problem(line: Mapping[str | None, Any], about: Mapping[str, Any]) -> str:
    """What is wrong with a line of the table, or an empty string."""
    if set(line) != set(FIELDS) or None in line.values():
        return f"its fields are not {', '.join(FIELDS)}"
    if line["table"] not in about:
        return f"table {line['table']} is not in tables.toml"
    if line["emphasis"] not in EMPHASES:
        return f"emphasis is {line['emphasis']!r}, not bold, underline or empty"
    if line["task"] not in about[line["table"]]["tasks"]:
        return f"task {line['task']} is not one of table {line['table']}"
    if line["variant"] and line["variant"] not in about.get("variants", {}):
        return f"variant {line['variant']} has no name in tables.toml"
    try:
        same = float(line["value"]) == float(line["printed"].rstrip("%"))
    except ValueError:
        same = False
    return "" if same else f"value {line['value']} is not the printed number {line['printed']}"
