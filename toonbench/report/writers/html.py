"""A table as HTML: a fragment for other pages, and a page of its own without scripts or anything loaded."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape as escaped

from toonbench.report.table import Layout, Section, Shown, ShownRow, Table, lay_out
from toonbench.text import one_line

STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#5b6470;--line:#c9d0d8;--paper:#fff;--copied:#f3f5f8}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#a3adb8;--line:#3c4550;--paper:#14181d;--copied:#1d232a}}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:88rem;margin:0 auto;padding:1.5rem 1rem 4rem}
.toontable{margin:2.5rem 0}
.toontable h2{font-size:1.15rem;margin:0 0 .5rem}
.toontable .scroll{overflow-x:auto}
.toontable table{border-collapse:collapse;border-block:2px solid var(--ink);font-variant-numeric:tabular-nums;min-width:min(100%,40rem)}
.toontable th,.toontable td{padding:.3rem .6rem;text-align:right;vertical-align:top;white-space:nowrap}
.toontable thead th{font-weight:600;vertical-align:bottom}
.toontable thead th[colspan]{text-align:center;border-bottom:1px solid var(--line)}
.toontable tbody{border-top:1px solid var(--ink)}
.toontable tbody th{text-align:left;font-weight:400}
.toontable tbody th.section{font-weight:600;color:var(--soft);padding-top:.6rem;font-size:.9rem}
.toontable thead th:first-child{text-align:left}
.toontable .interval{display:block;color:var(--soft);font-size:.78rem;line-height:1.2}
.toontable .copied,.toontable .difference{font-style:italic;background:var(--copied)}
.toontable .copied td,.toontable .difference td,.toontable .copied th,.toontable .difference th{color:var(--soft)}
.toontable .copied strong{color:var(--soft)}
.toontable .source{font-style:normal;font-size:.72rem;border:1px solid var(--soft);border-radius:.7em;padding:0 .45em;margin-left:.4em}
.toontable sup{font-style:normal;font-weight:400;font-size:.7rem;line-height:0}
.toontable p,.toontable ol{color:var(--soft);font-size:.85rem;max-width:60rem;margin:.6rem 0;overflow-wrap:anywhere}
""".strip()


def html_page(tables: Sequence[Table]) -> str:
    """A complete page of the tables."""
    title = tables[0].title if len(tables) == 1 else "Tables"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{escape(title)}</title><style>{STYLE}</style></head>",
            "<body><main>",
            *map(html_table, tables),
            "</main></body></html>",
            "",
        ]
    )


def html_table(table: Table) -> str:
    """One table with its title, caption and notes; `STYLE` has its appearance."""
    layout = lay_out(table)
    notes = [f'<li id="{_anchor(table, at)}">{escape(note)}</li>' for at, note in enumerate(layout.notes, start=1)]
    return "\n".join(
        [
            f'<section class="toontable" id="{escape(table.key)}"><h2>{escape(table.title)}</h2>',
            f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.title)}"><table>',
            "<thead>",
            *_head(layout),
            "</thead>",
            *(_section(section, layout) for section in layout.sections),
            "</table></div>",
            *(f"<p>{escape(line)}</p>" for line in (*table.caption, *table.notes)),
            *(["<ol>", *notes, "</ol>"] if notes else []),
            "</section>",
        ]
    )


def _head(layout: Layout) -> list[str]:
    groups: list[str] = []
    if layout.grouped:
        cells = [
            f'<th colspan="{width}" scope="colgroup">{escape(title)}</th>' if title else f"<td colspan={width}></td>"
            for title, width in layout.groups
        ]
        groups = [f"<tr><td></td>{''.join(cells)}</tr>"]
    columns = "".join(
        f'<th scope="col"{_title(column.metric)}>{escape(column.title)}</th>' for column in layout.table.columns
    )
    return [*groups, f'<tr><th scope="col">{escape(layout.table.head)}</th>{columns}</tr>']


def _title(metric: str) -> str:
    return f' title="{escape(metric)}"' if metric else ""


def _section(section: Section, layout: Layout) -> str:
    width = len(layout.table.columns) + 1
    head = f'<tr><th class="section" colspan="{width}">{escape(section.title)}</th></tr>' if section.title else ""
    rows = "\n".join(_row(row, layout) for row in section.rows)
    return f'<tbody class="{section.kind}">{head}\n{rows}\n</tbody>'


def _row(row: ShownRow, layout: Layout) -> str:
    copied = row.row.kind == "copied"
    name = f"<bdi>{escape(row.row.name)}</bdi>" + (
        f" ({escape(row.row.about)})" if row.row.about and not copied else ""
    )
    mark = '<span class="source">paper</span>' if copied else ""
    cells = "".join(f"<td>{_cell(one, layout.table)}</td>" for one in row.cells)
    return f'<tr><th scope="row">{name}{mark}{_marks(row.marks, layout.table)}</th>{cells}</tr>'


def _cell(shown: Shown, table: Table) -> str:
    text = escape(shown.number)
    if shown.cell.best:
        text = f"<strong>{text}</strong>"
    elif shown.cell.second:
        text = f"<u>{text}</u>"
    interval = f'<span class="interval">{escape(shown.interval)}</span>' if shown.interval else ""
    return f"{text}{_marks(shown.marks, table)}{interval}"


def _marks(marks: Sequence[int], table: Table) -> str:
    links = ",".join(f'<a href="#{_anchor(table, at)}">{at}</a>' for at in marks)
    return f"<sup>[{links}]</sup>" if links else ""


def _anchor(table: Table, at: int) -> str:
    return escape(f"{table.key}-note-{at}")


def escape(text: str) -> str:
    """Text of any origin as HTML that shows it."""
    return escaped(one_line(text), quote=True)
