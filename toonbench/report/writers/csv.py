"""A table as CSV: a line for each cell, so that measured, copied and missing numbers stay distinguishable."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

from toonbench.report.table import KINDS, Table
from toonbench.text import ESCAPE

FIELDS = (
    "table", "section", "row", "kind", "weights", "group", "column", "metric", "better", "value", "low", "high", "printed", "best",
    "second", "missing", "pairs", "reason", "note",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # how a formula begins in a spreadsheet


def csv_text(tables: Sequence[Table]) -> str:
    """The cells of all tables, one on a line, in UTF-8 with a heading; numbers in full precision, empty where there is none.

    A text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, FIELDS, lineterminator="\n")
    writer.writeheader()
    for table in tables:
        for row in table.rows:
            for column, cell in zip(table.columns, row.cells, strict=True):
                writer.writerow(
                    {
                        "table": table.key,
                        "section": _text(row.section),
                        "row": _text(row.name),
                        "kind": KINDS[row.kind],
                        "weights": _text(row.about),
                        "group": column.group,
                        "column": _text(column.name),
                        "metric": _text(column.metric),
                        "better": column.better,
                        "value": _number(cell.value),
                        "low": _number(cell.low),
                        "high": _number(cell.high),
                        "printed": cell.text,
                        "best": int(cell.best),
                        "second": int(cell.second),
                        "missing": cell.missing,
                        "pairs": cell.pairs,
                        "reason": _text(cell.reason),
                        "note": _text("; ".join(one for one in (cell.note, row.note) if one)),
                    }
                )
    return buffer.getvalue().encode("utf-8", ESCAPE).decode()


def _text(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def _number(value: float) -> str:
    return "" if math.isnan(value) else repr(float(value))
