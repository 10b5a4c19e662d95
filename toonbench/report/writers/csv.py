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


def csv_text(tables: Sequence[Table]) -> str:
    """The cells of all tables, one on a line, in UTF-8 with a heading; numbers in full precision, empty where there is none."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, FIELDS, lineterminator="\n")
    writer.writeheader()
    for table in tables:
        for row in table.rows:
            for column, cell in zip(table.columns, row.cells, strict=True):
                writer.writerow(
                    {
                        "table": table.key,
                        "section": row.section,
                        "row": row.name,
                        "kind": KINDS[row.kind],
                        "weights": row.about,
                        "group": column.group,
                        "column": column.name,
                        "metric": column.metric,
                        "better": column.better,
                        "value": _number(cell.value),
                        "low": _number(cell.low),
                        "high": _number(cell.high),
                        "printed": cell.text,
                        "best": int(cell.best),
                        "second": int(cell.second),
                        "missing": cell.missing,
                        "pairs": cell.pairs,
                        "reason": cell.reason,
                        "note": "; ".join(one for one in (cell.note, row.note) if one),
                    }
                )
    return buffer.getvalue().encode("utf-8", ESCAPE).decode()


def _number(value: float) -> str:
    return "" if math.isnan(value) else repr(float(value))
