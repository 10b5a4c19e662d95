"""The neutral table, and its five writers."""

import csv
import io
import math
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from toonbench.report.console import LegibleConsole
from toonbench.report.table import Cell, Column, Row, Table, lay_out, number_text
from toonbench.report.writers import TEXTS, csv_text, html_page, latex_document, markdown_text
from toonbench.report.writers.latex import escape as latex
from toonbench.report.writers.markdown import escape as markdown
from toonbench.report.writers.terminal import print_tables

WEIGHTS = "weights missing: toonbench weights fetch --for fid"
HOSTILE = "<b>x</b> | *y* \\input{z} مرحبا 😀 \u202eevil"


def number(value, **more):
    return Cell(value=value, low=value - 0.02, high=value + 0.02, **more)


def table(*rows, **more):
    columns = (
        Column(name="FID", group="Real → Cartoon", metric="fid@1", better="lower"),
        Column(name="CPBD", group="Real → Cartoon", metric="cpbd@1", better="higher"),
        Column(name="CSIM", group="Cartoon → Real", metric="csim_arcface@1", better="higher"),
    )
    return Table(key="table1", title="Table 1 of the paper", columns=columns, rows=rows, **more)


def example():
    """A NaN, a tie at the first rank, four methods, copied rows, a difference, and names that attack every format."""
    return table(
        Row(name="fomm", section="measured here", cells=(Cell(reason="no run"),) * 3),
        Row(name="my_net 50%", section="measured here", cells=(Cell(reason=WEIGHTS), number(0.61, best=True), number(0.5))),
        Row(name="a&b#$^~{}", section="measured here", cells=(number(30.1), number(0.6, best=True), number(0.4))),
        Row(
            name=HOSTILE,
            section="measured here",
            about="own",
            cells=(number(31.0), number(0.2), Cell(reason="3 of 12 pairs failed", missing=3, pairs=12)),
        ),
        Row(
            name="FOMM",
            kind="copied",
            section="printed in the paper",
            cells=(
                Cell(value=30.369, text="30.369", best=True),
                Cell(value=0.0436, text="0.0436", second=True),
                Cell(reason="not in the paper"),
            ),
        ),
        Row(name="FOMM", kind="difference", section="here − paper", cells=(Cell(value=-0.27), Cell(value=0.57), Cell(reason="no"))),
        caption=("λ_m = 20, 95 % intervals.",),
        notes=("Measured on puppets.",),
    )  # fmt: skip


def printed(capsys, monkeypatch, *, width=200, encoding="utf-8"):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="toonbench.escape")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", str(width))
    print_tables(LegibleConsole(), [example()])
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


def test_a_cell_without_a_number_and_without_a_reason_is_refused():
    with pytest.raises(ValueError, match="row x, column CPBD: neither a number nor a reason"):
        table(Row(name="x", cells=(number(1.0), Cell(), number(1.0))))


def test_a_row_must_have_a_cell_for_each_column():
    with pytest.raises(ValueError, match="row x has 1 cells, the table has 3"):
        table(Row(name="x", cells=(number(1.0),)))


def test_a_reason_of_a_whole_row_is_noted_once_at_its_name():
    layout = lay_out(example())
    first = layout.sections[0].rows[0]
    assert first.marks == (1,)
    assert [cell.marks for cell in first.cells] == [(), (), ()]
    assert layout.notes[:3] == ("no run", WEIGHTS, "3 of 12 pairs failed")


def test_equal_reasons_share_a_number():
    layout = lay_out(table(*(Row(name=n, cells=(Cell(reason=WEIGHTS), number(1.0), number(1.0))) for n in "ab")))
    assert layout.notes == (WEIGHTS,)
    assert [row.cells[0].marks for row in layout.sections[0].rows] == [(1,), (1,)]


def test_decimals_of_a_column_follow_its_measured_numbers():
    rows = [Row(name=str(v), cells=(number(v), number(v / 100), number(v / 1000))) for v in (30.123, 9.5)]
    cells = lay_out(table(*rows)).sections[0].rows[0].cells
    assert [one.number for one in cells] == ["30.12", "0.301", "0.0301"]
    assert cells[0].interval == "30.10 … 30.14"


@pytest.mark.parametrize(
    ("value", "sign", "text"),
    [(-0.5, False, "−0.50"), (0.5, True, "+0.50"), (math.nan, True, "—"), (-0.001, False, "0.00"), (math.inf, False, "∞")],
)  # fmt: skip
def test_numbers_are_written_with_a_minus_sign_and_a_dash_for_nan(value, sign, text):
    assert number_text(value, 2, sign=sign) == text


def test_rows_of_two_kinds_are_never_in_one_section():
    sections = lay_out(example()).sections
    assert [(one.kind, len(one.rows)) for one in sections] == [("measured", 4), ("copied", 1), ("difference", 1)]


@pytest.mark.parametrize("form", sorted(TEXTS))
def test_every_format_marks_copied_rows_and_prints_each_reason(form):
    text = TEXTS[form]([example()])
    assert "paper" in text
    for reason in (WEIGHTS, "3 of 12 pairs failed", "no run"):
        assert (latex(reason) if form == "latex" else reason) in text


def test_the_terminal_shows_arrows_missing_pairs_and_escapes(capsys, monkeypatch):
    text = printed(capsys, monkeypatch)
    assert "FID ↓" in text
    assert "— 3/12 [3]" in text
    assert "FOMM (paper)" in text
    assert "\u202e" not in text
    assert "0.610 *" in text  # bold letters are lost in a file
    assert "0.600 *" in text


def test_the_terminal_prints_in_narrow_encodings(capsys, monkeypatch):
    text = printed(capsys, monkeypatch, encoding="ascii")
    assert "FID v" in text
    assert "-0.27" in text


def test_a_table_wider_than_the_terminal_is_printed_in_parts(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = re.sub(r"\x1b\[[0-9;]*m", "", printed(capsys, monkeypatch, width=72))
    assert text.count("method") > 1
    assert max(map(len, text.split("[1]")[0].splitlines())) <= 72
    assert "…" not in text.replace(" … ", "")  # no cell was cut


def test_markdown_has_as_many_cells_in_each_row_and_shows_names_as_they_are():
    text = markdown_text([example()])
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {5}
    assert "<b>" not in text
    assert "**0.610**<br><sub>0.590 … 0.630</sub>" in text
    assert "*FOMM (paper)*" in text


def test_markdown_escapes_markup_and_leaves_names_with_underscores_legible():
    assert markdown("a_b *c* _d_ `e` [f](g) <h> 1|2") == r"a_b \*c\* \_d\_ \`e\` \[f\](g) &lt;h&gt; 1\|2"


def test_csv_has_a_line_for_each_cell_with_full_precision():
    rows = list(csv.DictReader(io.StringIO(csv_text([example()]))))
    assert len(rows) == 6 * 3
    by_name = {(row["row"], row["kind"], row["column"]): row for row in rows}
    assert by_name["my_net 50%", "measured here", "FID"]["reason"] == WEIGHTS
    assert by_name["my_net 50%", "measured here", "FID"]["value"] == ""
    assert by_name["FOMM", "copied from the paper", "FID"]["printed"] == "30.369"
    assert float(by_name["a&b#$^~{}", "measured here", "CSIM"]["low"]) == 0.4 - 0.02
    assert by_name[HOSTILE, "measured here", "CSIM"]["missing"] == "3"


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.stack, self.links, self.ids = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        found = dict(attributes)
        self.links += [found["href"]] if "href" in found else []
        self.ids += [found["id"]] if "id" in found else []
        if tag not in ("meta", "br"):
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag


def test_html_is_well_formed_links_its_notes_and_takes_no_markup_from_names():
    text = html_page([example()])
    found = Tags(text)
    assert found.stack == []
    assert "b" not in found.tags
    assert "script" not in found.tags
    assert {link[1:] for link in found.links} <= set(found.ids)
    assert "<bdi>&lt;b&gt;x&lt;/b&gt;" in text
    assert '<tbody class="copied">' in text
    assert "http" not in text


def test_latex_escapes_every_special_character():
    assert latex("my_net 50%") == r"my\_net 50\%"
    assert latex(r"\x{y}") == r"\textbackslash{}x\{y\}"
    assert latex("é −1 → λ") == r"\'{e} $-$1 $\rightarrow$ $\lambda$"
    assert latex("a-b --for ---") == "a-b -{}-for -{}-{}-"
    assert latex("a😀م") == "a{[}U+1F600 U+0645{]}"
    assert latex(HOSTILE).isascii()


def test_latex_of_a_nan_a_tie_a_fourth_row_and_hostile_names_compiles(tmp_path):
    program = shutil.which("pdflatex")
    if program is None:
        pytest.skip("pdflatex is not installed (Debian: texlive-latex-base and texlive-latex-recommended)")
    every = "".join(map(chr, [*range(32, 0x250), *range(0x2010, 0x2040), *range(0x2190, 0x21A0), 0x1F600]))
    (tmp_path / "t.tex").write_text(latex_document([example(), table(Row(name=every, cells=(number(1.0),) * 3))]))
    command = [program, "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in (tmp_path / "t.log").read_text(errors="replace")
    assert "Output written on t.pdf (2 pages" in done.stdout


@pytest.mark.parametrize("name", ['=HYPERLINK("http://x","y")', "+1", "-1", "@SUM(A1)"])
def test_no_text_is_a_formula_of_a_spreadsheet(name):
    hostile = table(Row(name=name, section=name, cells=(Cell(reason=name), number(0.5, note=name), number(-0.5))))
    rows = list(csv.DictReader(io.StringIO(csv_text([hostile]))))
    assert {rows[0][key] for key in ("row", "section", "reason")} == {f"'{name}"} == {rows[1]["note"]}
    assert float(rows[2]["value"]) == -0.5


def test_markdown_of_a_name_has_one_line():
    assert markdown("a\n  # b\n  | c") == r"a   # b   \| c"
