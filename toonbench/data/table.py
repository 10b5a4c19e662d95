"""The tables of a data set: one schema, reader and writer for `metadata.parquet` and its siblings.

A table is a list of rows. A row is a dict from column name to a text, a whole number or a number; an empty cell is absent
from its row. Columns that are not in the schema are ignored when a table is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from toonbench.store import writing
from toonbench.types import DOMAINS, ToonbenchError

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # a terminal would interpret these
DTYPES: dict[type, str] = {str: "str", int: "int64", float: "float64"}
WORDS: dict[type, str] = {str: "a text", int: "a whole number", float: "a number"}
LONGEST_ID = 120  # bytes: two ids and a suffix fit into a file name
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    kind: the type of its cells.
    needed: no cell may be empty.
    allowed: the allowed values, empty for all.
    role: "id" is fit for a file name. "file" is a path relative to the data set, and inside it. "prose" may hold control
        characters, which are read as escapes; other columns must not hold any.
    """

    name: str
    kind: type = str
    needed: bool = False
    allowed: tuple[str, ...] = ()
    role: Literal["", "id", "file", "prose"] = ""

    def rules(self, *, has_control: bool) -> Iterator[tuple[Callable[[str], bool], str]]:
        """Tests that find a wrong text, each with advice. `has_control` is whether any text has control characters."""
        if has_control and self.role != "prose":
            yield (
                (lambda text: CONTROL.search(text) is not None),
                "it holds control characters; use printable ones only",
            )
        if self.allowed:
            yield (lambda text: text not in self.allowed), f"allowed are {' or '.join(self.allowed)}"
        if self.role == "id":
            yield (
                _unfit_for_a_file_name,
                f"it is not fit for a file name; leave out '/' and a leading '.', and use at most {LONGEST_ID} bytes",
            )
        if self.role == "file":
            yield _points_outside, "it points outside the data set; give a relative path inside it"


@dataclass(frozen=True, slots=True)
class Table:
    """The schema of the table `file` in the folder of a data set. Columns are written in this order."""

    file: str
    columns: tuple[Column, ...]

    def is_in(self, root: Path) -> bool:
        """Whether the folder `root` has this table."""
        return (root / self.file).is_file()

    def fits(self, root: Path) -> bool:
        """Whether the folder's table has the needed columns; True for one that cannot be read, whose reader says why."""
        from pyarrow import ArrowException
        from pyarrow.parquet import read_schema

        try:
            names = set(read_schema(root / self.file).names)
        except (OSError, ArrowException):
            return True
        return all(column.name in names for column in self.columns if column.needed)

    def read(self, root: Path) -> list[Row]:
        """The rows of the table in the folder `root`.

        Raises ToonbenchError for a file that cannot be read, and for rows that break the schema.
        """
        import pandas as pd
        from pyarrow import ArrowException

        path = root / self.file
        try:
            cells = pd.read_parquet(path, dtype_backend="numpy_nullable").astype(object)
        except FileNotFoundError as error:
            raise ToonbenchError(f"{path} is missing: give the folder of a data set") from error
        except (OSError, ValueError, TypeError, LookupError, NotImplementedError, ArrowException) as error:
            reason = _printable(str(error).partition("\n")[0]) or type(error).__name__
            raise ToonbenchError(f"{path} cannot be read ({reason}): make the data set again") from error
        rows: list[Row] = [{} for _ in range(len(cells))]
        for column in self.columns:
            if column.name in cells.columns:
                filled = cells[column.name].notna().tolist()
                for row, cell, is_filled in zip(rows, cells[column.name].tolist(), filled, strict=True):
                    if is_filled:
                        row[column.name] = cell
        return self._checked(rows, path=path)

    def write(self, root: Path, rows: Sequence[Row]) -> None:
        """Write the table into the folder `root`, whole or not at all, with the columns of the first row.

        Without rows, the table has all columns. Raises ToonbenchError for rows that could not be read again, and for a
        file that cannot be written.
        """
        import pandas as pd

        path = root / self.file
        checked = self._checked(rows, path=path)
        names = set(rows[0]) if rows else {column.name for column in self.columns}
        if any(set(row) != names for row in checked):
            raise ToonbenchError(f"{path}: a row does not have the columns {', '.join(sorted(names))} of the schema")
        dtypes = {column.name: DTYPES[column.kind] for column in self.columns if column.name in names}
        table = pd.DataFrame(checked, columns=list(dtypes)).astype(dtypes)
        with writing(path) as temporary:
            table.to_parquet(temporary, index=False)

    def _checked(self, rows: Sequence[Row], *, path: Path) -> list[Row]:
        """The rows with the columns of this schema, in the types of the columns."""
        checked: list[Row] = [{} for _ in rows]
        for column in self.columns:
            if column.needed and (empty := sum(column.name not in row for row in rows)):
                needed = ", ".join(each.name for each in self.columns if each.needed)
                raise ToonbenchError(
                    f"{path}: {empty} of {len(rows)} rows have no {column.name}; needed are {needed}: make the data set again"
                )
            filled = [new for row, new in zip(rows, checked, strict=True) if column.name in row]
            cells = _converted([row[column.name] for row in rows if column.name in row], column, path=path)
            for new, cell in zip(filled, cells, strict=True):
                new[column.name] = cell
        return checked


def _converted(values: Sequence[Any], column: Column, *, path: Path) -> list[Any]:
    """The cells of one column in its type; raises ToonbenchError for the first kind of mistake, with an example."""

    def refuse(wrong: Sequence[Any], advice: str) -> None:
        if wrong:
            count = f"{len(wrong)} of {len(values)} rows"
            raise ToonbenchError(f"{path}: {count} have a wrong {column.name}, for example {wrong[0]!r}: {advice}")

    if {*map(type, values)} - {column.kind}:
        refuse([value for value in values if not _is(column.kind, value)], f"it must be {WORDS[column.kind]}")
    if column.kind is not str:
        return [column.kind(value) for value in values]
    has_control = CONTROL.search("".join(values)) is not None  # one search for all, which takes a tenth of the time
    for is_wrong, advice in column.rules(has_control=has_control):
        refuse([value for value in values if is_wrong(value)], advice)
    return [_printable(value) for value in values] if has_control else list(values)


def _printable(text: str) -> str:
    """The text with control characters as escapes."""
    return CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def _is(kind: type, value: Any) -> bool:
    """Whether the value can be converted to the kind without a change."""
    if type(value) is kind or kind is str:
        return isinstance(value, str) or kind is not str
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    return kind is float or float(value).is_integer()


def _unfit_for_a_file_name(text: str) -> bool:
    return "/" in text or text.startswith(".") or len(text.encode("utf-8", "surrogatepass")) > LONGEST_ID


def _points_outside(file: str) -> bool:
    place = PurePosixPath(file)
    return place.is_absolute() or ".." in place.parts


CLIPS = Table(
    "metadata.parquet",
    (
        Column(name="id", needed=True, role="id"),
        Column(name="file", needed=True, role="file"),
        Column(name="domain", needed=True, allowed=DOMAINS),
        Column(name="kind", needed=True, allowed=("video", "image")),
        Column(name="identity"),
        Column(name="identity_by", allowed=("metadata", "folder", "name", "file", "look", "review")),
        Column(name="title", role="prose"),
        Column(name="split"),
        Column(name="fps", kind=float),
        Column(name="film_fps", kind=float),
        Column(name="style"),
        Column(name="frames", kind=int),
        Column(name="width", kind=int),
        Column(name="height", kind=int),
        Column(name="provenance", role="prose"),
        Column(name="licence", role="prose"),
        Column(name="original", role="prose"),
        Column(name="picture"),
        Column(name="box"),
        Column(name="first", kind=int),
        Column(name="detected", kind=float),
        Column(name="remarks", role="prose"),
        Column(name="sha256", needed=True),
    ),
)
"""A clip per row. `style` is the puppet's; `identity_by` is the rule that states the identity of a user's file. `film_fps` is the rate of
the film that a clip was cut from; where it is not `fps`, frames were repeated or left out.

`original` is the user's file relative to the user's folder; `picture` is its "width,height" and `box` the square "left,top,side" of
it that became the clip, in pixels."""

CANDIDATES = Table(
    "candidates.parquet",
    (
        Column(name="id", needed=True, role="id"),
        Column(name="film", needed=True, role="id"),
        Column(name="original", needed=True, role="prose"),
        Column(name="title", role="prose"),
        Column(name="domain", needed=True, allowed=DOMAINS),
        Column(name="shot", kind=int),
        Column(name="first", kind=int),
        Column(name="last", kind=int),
        Column(name="seconds", kind=float),
        Column(name="fate", needed=True, allowed=("kept", "dropped")),
        Column(name="stage"),
        Column(name="reason", role="prose"),
        Column(name="duplicate_of"),
        Column(name="identity"),
        Column(name="split"),
        Column(name="review", allowed=("", "keep", "drop")),
        Column(name="sharpness", kind=float),
        Column(name="face_pixels", kind=float),
        Column(name="yaw_range", kind=float),
        Column(name="pitch_range", kind=float),
        Column(name="occlusion", kind=float),
        Column(name="motion", kind=float),
        Column(name="held", kind=float),
        Column(name="detected", kind=float),
        Column(name="agreement", kind=float),
    ),
)
"""A part of a film that was a candidate for a clip per row, with its fate and the reason.

It is the frames `first` to `last` (exclusive) of the film `original`; `stage` is the stage that dropped it. The measurements are those of
`toonbench.prepare.quality.Quality`, and empty for a part that was not cut."""

ABOUT = "about.json"  # beside the tables: notes about the whole set

FAILURES = Table(
    "failures.parquet",
    (
        Column(name="id", needed=True, role="id"),
        Column(name="file", needed=True, role="prose"),
        Column(name="domain", needed=True, allowed=DOMAINS),
        Column(name="kind", needed=True, allowed=("video", "image")),
        Column(name="identity"),
        Column(name="reason", needed=True, role="prose"),
    ),
)
"""A raw file that could not be prepared per row, and why."""

TARGETS = Table(
    "targets.parquet",
    (
        Column(name="source", needed=True, role="id"),
        Column(name="driving", needed=True, role="id"),
        Column(name="motion", needed=True, allowed=("relative", "absolute")),
        Column(name="file", needed=True, role="file"),
        Column(name="frames", kind=int),
        Column(name="sha256", needed=True),
    ),
)
"""The target of a source image and a driving video per row."""

FILMS = Table(
    "films.parquet",
    (
        Column(name="id", needed=True, role="id"),
        Column(name="file", needed=True, role="file"),
        Column(name="truth", needed=True, role="file"),
        Column(name="sha256", needed=True),
        Column(name="domain", needed=True, allowed=DOMAINS),
        Column(name="style"),
        Column(name="title", role="prose"),
        Column(name="fps", kind=float, needed=True),
        Column(name="frames", kind=int, needed=True),
        Column(name="width", kind=int, needed=True),
        Column(name="height", kind=int, needed=True),
        Column(name="shots", kind=int),
        Column(name="seed", kind=int),
        Column(name="provenance", role="prose"),
        Column(name="licence", role="prose"),
    ),
)
"""A film of puppets per row."""
