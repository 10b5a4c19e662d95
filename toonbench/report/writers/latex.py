"""A table as LaTeX with booktabs. Names and notes of any origin are escaped; what pdflatex cannot set becomes its code point."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from toonbench.report.table import Layout, Section, Shown, ShownRow, Table, lay_out, name_of
from toonbench.text import one_line

NEEDS = "% needs \\usepackage{booktabs,graphicx}"
SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    '"': "''", "[": "{[}", "]": "{]}",
}  # fmt: skip
SYMBOLS = {
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "→": r"$\rightarrow$", "←": r"$\leftarrow$", "−": "$-$", "—": "---", "–": "--",
    "…": r"\ldots{}", "×": r"$\times$", "±": r"$\pm$", "≤": r"$\leq$", "≥": r"$\geq$", "∞": r"$\infty$", "·": r"$\cdot$",
    "λ": r"$\lambda$", "°": r"$^\circ$", "²": r"$^2$", "³": r"$^3$", "≈": r"$\approx$", "\u2009": r"\,", "\u00a0": "~",
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "ø": r"\o{}", "Ø": r"\O{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ł": r"\l{}",
    "Ł": r"\L{}", "’": "'", "‘": "`", "“": "``", "”": "''", "ı": r"\i{}",
}  # fmt: skip
ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"', "\u030a": "r", "\u030c": "v", "\u0327": "c",
    "\u0304": "=", "\u0306": "u", "\u0307": ".", "\u030b": "H",
}  # fmt: skip
OTHERS = re.compile("[^\x20-\x7e]+")


def latex_text(tables: Sequence[Table]) -> str:
    """The tables as environments to be included in a document that loads booktabs and graphicx."""
    return "\n\n".join([NEEDS, *map(latex_table, tables)]) + "\n"


def latex_document(tables: Sequence[Table]) -> str:
    """A complete document, which shows the tables."""
    return "\n".join(
        [
            r"\documentclass{article}",
            r"\usepackage{booktabs,graphicx}",
            r"\usepackage[margin=2cm]{geometry}",
            r"\begin{document}",
            *("\\clearpage\n" + latex_table(table) for table in tables),
            r"\end{document}",
            "",
        ]
    )


def latex_table(table: Table) -> str:
    """One table: title and caption above, numbered notes below, as wide as the text if it is wider."""
    layout = lay_out(table)
    caption = " ".join([f"\\textbf{{{escape(table.title)}.}}", *map(escape, table.caption)])
    notes = [*map(escape, table.notes), *(f"{_marks((at,))} {escape(note)}" for at, note in enumerate(layout.notes, 1))]
    body = [
        f"\\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        *_head(layout),
        r"\midrule",
        *_body(layout),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering",
            f"\\caption{{{caption}}}",
            f"\\label{{tab:{re.sub('[^A-Za-z0-9]+', '-', table.key)}}}",
            r"\par\smallskip\setlength{\tabcolsep}{4pt}\small",
            r"\sbox0{%",
            *body,
            r"}\ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\usebox0}\else\usebox0\fi",
            *(
                [r"\par\smallskip\parbox{\linewidth}{\footnotesize\raggedright", r"\\".join(notes), "}"]
                if notes
                else []
            ),
            r"\end{table}",
        ]
    )


def _head(layout: Layout) -> list[str]:
    titles = [escape(layout.table.head), *(escape(column.title) for column in layout.table.columns)]
    lines = [f"{' & '.join(titles)} \\\\"]
    if not layout.grouped:
        return lines
    spans, rules, start = [""], "", 2
    for title, width in layout.groups:
        spans.append(f"\\multicolumn{{{width}}}{{c}}{{{escape(title)}}}")
        rules += f"\\cmidrule(lr){{{start}-{start + width - 1}}}" if title else ""
        start += width
    return [f"{' & '.join(spans)} \\\\", rules, *lines]


def _body(layout: Layout) -> list[str]:
    lines: list[str] = []
    for at, section in enumerate(layout.sections):
        if at:
            lines.append(r"\midrule")
        if section.title:
            width = len(layout.table.columns) + 1
            lines.append(f"\\multicolumn{{{width}}}{{l}}{{\\textit{{{escape(section.title)}}}}} \\\\")
        lines += [_row(row, section) for row in section.rows]
    return lines


def _row(row: ShownRow, section: Section) -> str:
    name = escape(name_of(row.row))
    cells = [_italic(name, section) + _marks(row.marks), *(_cell(one, section) for one in row.cells)]
    space = "[2pt]" if any(one.interval for one in row.cells) else ""
    return f"{' & '.join(cells)} \\\\{space}"


def _cell(shown: Shown, section: Section) -> str:
    text = escape(shown.number)
    if shown.cell.best:
        text = f"\\textbf{{{text}}}"
    elif shown.cell.second:
        text = f"\\underline{{{text}}}"
    text = _italic(text, section) + _marks(shown.marks)
    if not shown.interval:
        return text
    interval = escape(shown.interval.replace(" ", "\u2009"))
    return f"\\begin{{tabular}}[t]{{@{{}}r@{{}}}}{text}\\\\[-3pt]{{\\scriptsize {interval}}}\\end{{tabular}}"


def _italic(text: str, section: Section) -> str:
    return text if section.kind == "measured" else f"\\textit{{{text}}}"


def _marks(marks: Sequence[int]) -> str:
    return f"$^{{[{','.join(map(str, marks))}]}}$" if marks else ""


def escape(text: str) -> str:
    """Text of any origin as LaTeX that pdflatex sets with its own fonts."""
    plain = unicodedata.normalize("NFC", one_line(text))
    out: list[str] = []
    at = 0
    for found in OTHERS.finditer(plain):
        out += [_ascii(plain[at : found.start()]), _foreign(found[0])]
        at = found.end()
    return "".join([*out, _ascii(plain[at:])])


def _ascii(text: str) -> str:
    """Two hyphens stay two hyphens: LaTeX would make a dash of them."""
    return re.sub("-(?=-)", "-{}", "".join(SPECIAL.get(one, one) for one in text))


def _foreign(text: str) -> str:
    """Characters outside ASCII: a symbol, an accented letter, or the code points of those that pdflatex cannot set."""
    out: list[str] = []
    others: list[str] = []
    for one in text:
        symbol = SYMBOLS.get(one) or _accented(one)
        if symbol and others:
            out.append(_points(others))
            others = []
        if symbol:
            out.append(symbol)
        else:
            others.append(one)
    return "".join([*out, *([_points(others)] if others else [])])


def _points(characters: Sequence[str]) -> str:
    return f"{{[}}{' '.join(f'U+{ord(one):04X}' for one in characters)}{{]}}"


def _accented(character: str) -> str:
    parts = unicodedata.normalize("NFD", character)
    if len(parts) != 2 or not parts[0].isascii() or parts[1] not in ACCENTS:
        return ""
    letter = {"i": r"\i", "j": r"\j"}.get(parts[0], parts[0])
    return f"\\{ACCENTS[parts[1]]}{{{letter}}}"
