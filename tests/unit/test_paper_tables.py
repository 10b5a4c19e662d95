"""The paper's printed numbers, and its tables from stored runs."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from toonbench.cli import run as command
from toonbench.lint import COLUMNS, VERSION
from toonbench.report.entries import find_entries
from toonbench.report.methods import configuration, weights_kind
from toonbench.report.paper_cells import Request
from toonbench.report.paper_tables import NUMBERS, paper_tables
from toonbench.report.papers import FIELDS, load_paper, paper_folder
from toonbench.report.task_runs import of_data
from toonbench.score.stored import SCHEMA, with_checksum
from toonbench.store import Run, write_json
from toonbench.types import ToonbenchError

ROOT = Path(__file__).parent.parent.parent
TEXT = ROOT.parent / "shared" / "paper" / "toontalker.txt"
TEXTS = [TEXT, ROOT.parent.parent / "shared" / "paper" / "toontalker.txt"]
PAIRS = 8
CAVEAT = "Measured on puppets, not on people: do not compare with the numbers of the paper."
WEIGHTS = {"kind": "weights", "missing": ["inception-fid"], "reason": "skipped, weights 'inception-fid' are missing"}


def result(name: str, level: float) -> dict:
    return {
        "metric": name, "value": level, "low": level - 0.01, "high": level + 0.01, "measured": level, "measured_low": 0.0,
        "measured_high": 1.0, "pairs": PAIRS, "missing": 0, "clusters": PAIRS, "coverage": 1.0,
        "higher_is_better": not name.startswith(("l1", "fid", "lpips")), "notes": [], "details": {}, "unranked": "",
    }  # fmt: skip


def write_run(
    out: Path, method: str, levels: dict[str, float], *, task="real2cartoon@4", data="puppets@2", **changes
) -> Path:
    """A stored run whose rows are the level of each metric and a little noise."""
    root = out / data / task / method
    run = Run(root)
    about = {
        "data": data, "data_fingerprint": "d" * 64, "task": task, "seed": 0, "limit": None, "pairs_fingerprint": "p" * 64,
        "method": method,
    }  # fmt: skip
    checkpoint = {"checkpoint": changes.pop("checkpoint")} if "checkpoint" in changes else {}
    write_json(run.description, {"schema": 1, "task_fingerprint": "t", **about, **checkpoint})
    for name, level in levels.items():
        for pair in range(PAIRS):
            run.write_rows(name, f"s{pair}~d{pair}", np.full((5, 1), level + pair * 1e-4, np.float32))
    (root / "rows").mkdir(exist_ok=True)
    lines = ["pair,source,driving,failure", *(f"s{i}~d{i},s{i},d{i}," for i in range(PAIRS))]
    run.scores.write_text("\n".join(lines) + "\n")
    skipped = {"fid@1": WEIGHTS, "csim_arcface@1": WEIGHTS}
    content = {
        "schema": SCHEMA, **about, **checkpoint, "environment": {}, "weights": {},
        "results": [result(n, level) for n, level in levels.items()], "skipped": skipped, "failures": {}, "pairs": PAIRS,
        "warnings": [], "caveats": [CAVEAT] if data.startswith("puppets") else [], **changes,
    }  # fmt: skip
    write_json(run.result, with_checksum(content))
    return root


MINI = {"file": "toontalker_mini.safetensors", "sha256": "a" * 64, "variant": "ToonTalker, cross-domain, 64 px"}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    write_run(tmp_path, "toontalker@1", {"cpbd@1": 0.5, "ssim@1": 0.6}, checkpoint=MINI)
    write_run(tmp_path, "my_net 50%@1", {"cpbd@1": 0.7, "ssim@1": 0.6})
    write_run(tmp_path, "static@1", {"cpbd@1": 0.9, "ssim@1": 0.4})
    write_run(tmp_path, "toontalker@1", {"cpbd@1": 0.5, "ssim@1": 0.6}, task="cartoon2real@4", checkpoint=MINI)
    return tmp_path


def tables(out: Path, number: str = "1", data: str = "puppets@2", metrics=None):
    return paper_tables(number, Request(entries=of_data(find_entries([out]), data), data=data, metrics=metrics))


def cells(table):
    """(row, kind, group, column) to cell."""
    return {
        (row.name, row.kind, column.group, column.name): cell
        for row in table.rows
        for column, cell in zip(table.columns, row.cells, strict=True)
    }


# The paper's numbers


def paper_text() -> str:
    found = next((path for path in TEXTS if path.is_file()), None)
    if found is None:
        pytest.skip("the text of the paper is not beside the repository (../shared/paper)")
    return found.read_text(encoding="utf-8")


@pytest.mark.parametrize("number", NUMBERS)
def test_each_line_of_a_table_in_the_paper_is_in_the_data(number):
    text = paper_text()
    block = text[: text.index(f"\nTable {number}.")].rsplit("\n\n\t", 1)[1]
    printed = [re.sub(r"</?[bu]>|\\|\$", "", cell) for line in block.splitlines() for cell in line.split("\t")]
    numbers = [cell for cell in printed if re.fullmatch(r"\d+\.\d+", cell)]
    data = load_paper().tables[number].cells
    assert sorted(numbers) == sorted(cell.printed for cell in data)
    for mark, emphasis in (("b", "bold"), ("u", "underline")):
        marked = re.findall(rf"<{mark}>([\d.]+)</{mark}>", block)
        assert sorted(marked) == sorted(cell.printed for cell in data if cell.emphasis == emphasis)


@pytest.mark.parametrize("number", NUMBERS)
def test_each_number_of_the_paper_is_in_its_row_and_column(number):
    text = paper_text()
    block = text[: text.index(f"\nTable {number}.")].rsplit("\n\n\t", 1)[1]
    lines = [
        re.sub(r"</?[bu]>|[\\$]|(?<=\w)[↓↑]", "", line).replace("rightarrow", "→").split("\t")
        for line in block.splitlines()
    ]
    by_row = {line[0]: line[1:] for line in lines[1:] if line[0]}
    for row in dict.fromkeys(cell.row for cell in load_paper().tables[number].cells):
        own = [cell.printed for cell in load_paper().tables[number].cells if cell.row == row]
        assert by_row[row] == own


def test_the_user_study_is_in_the_data_and_adds_up():
    study = {cell.method: cell.value for cell in load_paper().tables["study"].cells}
    assert study == {"toontalker": 72.75, "lia": 13.75, "dagan": 9.0, "fomm": 4.5}
    assert sum(study.values()) == 100
    text = paper_text()
    assert "selection rate of 72.75%. While the rates are 13.75%, 9%, and 4.5% for LIA, DaGAN, and FOMM" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": "30.4"}, "line 2: value 30.4 is not the printed number 30.369"),
        ({"printed": "x"}, "line 2: value 30.369 is not the printed number x"),
        ({"emphasis": "red"}, "line 2: emphasis is 'red', not bold, underline or empty"),
        ({"table": "9"}, "line 2: table 9 is not in tables.toml"),
        ({"task": "real_self"}, "line 2: task real_self is not one of table 1"),
        ({"variant": "big"}, "line 2: variant big has no name in tables.toml"),
        ({"column": "CPBD"}, "line 3: the cell is there twice"),
    ],
)
def test_a_wrong_line_of_the_data_is_an_error_with_its_number(tmp_path, change, message):
    lines = list(csv.DictReader((paper_folder() / "tables.csv").read_text(encoding="utf-8").splitlines()))
    lines[0].update(change)
    with (tmp_path / "tables.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(lines)
    shutil.copy(paper_folder() / "tables.toml", tmp_path)
    with pytest.raises(ToonbenchError, match=re.escape(message)):
        load_paper(tmp_path)


def test_missing_files_of_the_paper_are_one_message(monkeypatch, tmp_path):
    monkeypatch.setattr("toonbench.report.papers.PLACES", (tmp_path,))
    with pytest.raises(ToonbenchError, match="the paper's numbers are missing"):
        paper_folder()


def test_a_wheel_contains_the_numbers():
    text = (ROOT / "pyproject.toml").read_text()
    assert '"leaderboards/paper" = "toonbench/report/paper"' in text
    assert (ROOT / "leaderboards" / "paper" / "tables.csv").is_file()


# Tables of stored runs


@pytest.mark.parametrize("number", NUMBERS)
def test_every_table_has_the_papers_rows_and_a_reason_for_each_dash(out, number):
    main = tables(out, number)[0]
    copied = [row for row in main.rows if row.kind == "copied"]
    assert len(copied) == len(load_paper().tables[number].rows)
    assert all(cell.text for row in copied for cell in row.cells)
    assert all(cell.reason for row in main.rows for cell in row.cells if cell.empty)


def test_the_best_of_the_methods_is_bold_and_checks_of_metrics_never_are(out):
    found = cells(tables(out)[0])
    group = "Real → Cartoon"
    assert found["my_net 50%", "measured", group, "CPBD"].best
    assert not found["toontalker", "measured", group, "CPBD"].best
    assert not found["static", "measured", group, "CPBD"].best  # 0.9 would win


def test_methods_that_tie_for_the_best_are_bold_if_another_is_worse(out):
    write_run(out, "third@1", {"cpbd@1": 0.7, "ssim@1": 0.1})
    found = cells(tables(out)[1])
    assert [found[name, "measured", "", "ssim"].best for name in ("toontalker", "my_net 50%", "third")] == [
        True,
        True,
        False,
    ]


def test_nothing_is_bold_where_no_two_methods_differ(out):
    assert not any(cell.best for key, cell in cells(tables(out)[1]).items() if key[3] == "ssim")


def test_missing_weights_and_missing_runs_have_their_commands(out):
    found = cells(tables(out)[0])
    assert found["toontalker", "measured", "Real → Cartoon", "FID"].reason == (
        "weights missing: toonbench weights fetch --for fid, then score again"
    )
    assert (
        "toonbench reproduce table1 --data puppets@2 --weights DIR"
        in found["fomm", "measured", "Real → Cartoon", "FID"].reason
    )
    assert found["my_net 50%", "measured", "Cartoon → Real", "FID"].reason == (
        "no run: toonbench eval --method 'my_net 50%' --task cartoon2real --data puppets@2"
    )


def test_ablated_models_are_rows_with_a_reason_and_their_runs_are_found(out):
    assert (
        "DIR/toontalker-no-analogy.safetensors"
        in cells(tables(out, "5")[0])["ToonTalker w/o analogy", "measured", "Real → Cartoon", "CPBD"].reason
    )
    write_run(out, "toontalker-no-analogy@1", {"cpbd@1": 0.3})
    assert cells(tables(out, "5")[0])["ToonTalker w/o analogy", "measured", "Real → Cartoon", "CPBD"].value == 0.3


def test_puppets_have_no_difference_and_the_table_says_why(out):
    main = tables(out)[0]
    assert not [row for row in main.rows if row.kind == "difference"]
    assert any(note.startswith("No difference to the paper is computed: puppets") for note in main.notes)
    assert CAVEAT in main.notes


def test_other_data_have_the_difference_where_the_weights_are_like_the_papers(tmp_path):
    official = {"file": "vox.pt", "sha256": "b" * 64, "variant": "LIA"}
    own = {"file": "export.safetensors", "sha256": "c" * 64, "variant": "ToonTalker"}
    for task in ("real_self@4", "real2cartoon@4"):
        write_run(tmp_path, "lia@1", {"cpbd@1": 0.04}, task=task, data="set@1", checkpoint=official)
        write_run(tmp_path, "toontalker@1", {"cpbd@1": 0.05}, task=task, data="set@1", checkpoint=own)
    two = cells(tables(tmp_path, "2", "set@1")[0])
    assert two["lia", "difference", "", "CPBD"].value == pytest.approx(0.04 - 0.0372)
    assert two["toontalker", "difference", "", "CPBD"].value == pytest.approx(0.05 - 0.0429)
    assert two["lia", "difference", "", "CPBD"].low == pytest.approx(0.03 - 0.0372)
    one = tables(tmp_path, "1", "set@1")[0]
    assert (
        "other weights than the paper's: official" in cells(one)["lia", "difference", "Real → Cartoon", "CPBD"].reason
    )
    (row,) = [row for row in one.rows if (row.name, row.kind) == ("lia", "measured")]
    assert (row.about, row.note) == ("official weights", "official weights; Table 1 of the paper takes fine-tuned ones")


@pytest.mark.parametrize(
    ("method", "file", "kind"),
    [
        ("toontalker", "toontalker_mini.safetensors", "mini"),
        ("toontalker", "cross-domain.pt", "official"),
        ("toontalker", "mine.safetensors", "own"),
        ("fomm", "vox-cpk.pth.tar", "official"),
        ("fomm", "00000099-checkpoint.pth.tar", "fine-tuned"),
        ("lia", "vox.pt", "official"),
        ("dagan", "DaGAN_vox_adv_256.pth.tar", "official"),
        ("my_net", "weights.pt", "own"),
        ("my_net", "", ""),
    ],
)
def test_stored_facts_say_which_weights_a_run_had(method, file, kind):
    assert weights_kind(method, {"file": file, "sha256": "a" * 64} if file else {}) == kind


def test_a_run_of_ablated_weights_is_in_its_row_with_its_configuration_and_no_difference_unless_it_is_the_papers(
    tmp_path,
):
    made = {"": "", "no-analogy": "5", "lambda-40": "6", "mlp": "7", "no-backward": "7", "no-sft": "7"}
    for at, ablation in enumerate(made):
        for config in ("mini", "paper"):
            facts = {"file": "weights.safetensors", "sha256": f"{at:064x}", "config": config, "ablation": ablation}
            facts = {key: value for key, value in facts.items() if value}
            levels = {"fid@1": 30.0 + at, "cpbd@1": 0.05}
            write_run(tmp_path / config, f"toontalker@{at}", levels, checkpoint=facts, data="faces@1")
    for ablation, number in made.items():
        for config in ("mini", "paper"):
            request = Request(entries=find_entries([tmp_path / config]), data="faces@1")
            (main, *_) = paper_tables(number or "5", request)
            name = f"ToonTalker {load_paper().variants[ablation] if ablation else 'full model'}"
            found = {(row.name, row.kind): row for row in main.rows}
            assert found[name, "measured"].cells[0].value == 30.0 + [*made].index(ablation)
            assert ("configuration mini" in found[name, "measured"].note) == (config == "mini")
            difference = found[name, "difference"].cells[0]
            assert difference.empty == (config == "mini")
            if config == "mini":
                assert difference.reason == "other weights than the paper's: configuration mini"


def test_the_tables_of_ablated_models_have_further_metrics_of_their_own_rows_only(tmp_path):
    for at, ablation in enumerate(("", "no-analogy", "mlp")):
        facts = {"file": "weights.safetensors", "sha256": f"{at:064x}", "config": "mini", "ablation": ablation}
        facts = {key: value for key, value in facts.items() if value}
        write_run(tmp_path, f"toontalker@{at}", {"rig_corr@1": 0.1 * at}, checkpoint=facts)
    write_run(tmp_path, "static@1", {"rig_corr@1": 0.0})
    further = paper_tables("5", Request(entries=find_entries([tmp_path]), data="puppets"))[1]
    assert [row.name for row in further.rows] == ["ToonTalker full model", "ToonTalker w/o analogy"]
    assert [cell.value for row in further.rows for cell in row.cells] == [0.0, 0.1]


def test_overrides_of_the_papers_configuration_are_another_configuration():
    assert configuration({"config": "paper"}) == configuration({}) == ""
    assert configuration({"config": "paper", "overrides": "seed=1"}) == "configuration paper with seed=1"


def test_the_caption_says_how_the_numbers_came_about(out):
    caption = " ".join(tables(out)[0].caption)
    for part in (
        "real2cartoon@4 on puppets@2: 8 pairs, 8 driving videos",
        "relative motion",
        "first frame generated and not measured",
        "pairs pppppppp",
        "Metrics: FID is fid@1, CPBD is cpbd@1, CSIM is csim_arcface@1.",
        "toontalker_mini.safetensors (ToonTalker, cross-domain, 64 px), sha256 aaaaaaaa",
    ):
        assert part in caption


def test_a_metric_of_the_task_needs_no_list_of_metrics_to_be_measured(out):
    write_run(out, "toontalker@1", {"cpbd@1": 0.5}, task="cartoon_cross@4", skipped={})
    assert cells(tables(out, "4")[0])["toontalker", "measured", "", "FID"].reason == (
        "not measured: toonbench score --method toontalker --task cartoon_cross --data puppets@2"
    )


def test_commands_of_reasons_name_the_folder_of_runs_that_was_given(out, capsys):
    assert command(["table", "1", "--out", str(out)]) == 0
    assert f"toonbench reproduce table1 --data puppets@2 --out {out} --weights DIR" in capsys.readouterr().out


def test_a_number_without_an_interval_says_why(out):
    few = {
        **result("cpbd@1", 0.4),
        "low": None,
        "high": None,
        "notes": ["no interval: 2 driving videos, at least 3 are needed"],
    }
    rewrite(out / "puppets@2/real2cartoon@4/static@1", results=[few])
    cell = cells(tables(out)[0])["static", "measured", "Real → Cartoon", "CPBD"]
    assert (cell.value, cell.note) == (0.4, "no interval: 2 driving videos, at least 3 are needed")


def test_a_method_that_was_scored_from_videos_is_scored_from_videos_again(out):
    write_run(out, "theirs@1", {"cpbd@1": 0.5}, skipped={}, videos={"names": "*"})
    found = cells(tables(out)[0])
    assert found["theirs", "measured", "Real → Cartoon", "FID"].reason.startswith(
        "not measured: toonbench score --videos DIR --name theirs --task real2cartoon"
    )
    assert found["theirs", "measured", "Cartoon → Real", "FID"].reason.startswith(
        "no run: toonbench score --videos DIR --name theirs --task cartoon2real"
    )


# Bad input


def rewrite(root: Path, *, checksum=True, **changes) -> None:
    stored = {**json.loads((root / "result.json").read_text()), **changes}
    write_json(root / "result.json", with_checksum(stored) if checksum else stored)


def test_a_result_of_another_schema_is_listed_and_says_what_to_do(out):
    rewrite(out / "puppets@2/real2cartoon@4/my_net 50%@1", schema=1)
    cell = cells(tables(out)[0])["my_net 50%", "measured", "Real → Cartoon", "CPBD"]
    assert cell.reason.startswith("not shown: its schema is 1")
    assert "score the run again with `toonbench score`" in cell.reason


def test_a_changed_result_shows_no_number_and_has_the_reason(out):
    root = out / "puppets@2/real2cartoon@4/my_net 50%@1"
    rewrite(root, checksum=False, results=[result("cpbd@1", 0.99)])
    cell = cells(tables(out)[0])["my_net 50%", "measured", "Real → Cartoon", "CPBD"]
    assert cell.empty
    assert "its checksum does not fit its fields" in cell.reason


def test_an_incomplete_run_shows_its_number_unranked_with_the_reason(out):
    write_run(out, "third@1", {"cpbd@1": 0.8}, failures={"s0~d0": "no video"})
    main = tables(out)[0]
    (row,) = [row for row in main.rows if row.name == "third"]
    assert row.cells[1].value == 0.8
    assert not row.cells[1].best
    assert row.note.startswith("not ranked: 1 of 8 pairs have no video")


def test_two_runs_of_one_name_are_two_rows(out):
    write_run(out, "toontalker@2", {"cpbd@1": 0.4}, checkpoint=MINI)
    shutil.copytree(out / "puppets@2/real2cartoon@4/my_net 50%@1", out / "puppets@2/real2cartoon@4/copy")
    names = [row.name for row in tables(out)[0].rows if row.kind == "measured"]
    assert {"toontalker@1", "toontalker@2"} <= set(names)
    assert sum(name.startswith("my_net 50%") for name in names) == 2
    assert len(set(names)) == len(names)


def test_runs_of_other_pairs_are_left_out_with_a_note(out):
    write_run(out, "short@1", {"cpbd@1": 0.4}, limit=2, pairs_fingerprint="q" * 64)
    main = tables(out)[0]
    assert "short" not in [row.name for row in main.rows]
    assert any(note.endswith("(real2cartoon@4, limit 2): short") for note in main.notes)


def test_hostile_names_stay_text_in_every_format(out, capsys):
    name = "<script>x</script>|*y*مرحبا😀\u202e"
    write_run(out, f"{name}@1", {"cpbd@1": 0.4})
    for form in ("terminal", "md", "latex", "html"):
        assert command(["table", "1", "--out", str(out), "--format", form]) == 0
        text = capsys.readouterr().out
        assert "\u202e" not in text
        assert "<script>" not in text or form in ("terminal", "latex")
        assert form != "latex" or text.isascii()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["8"], "table 8 is unknown: give 1, 2, 3, 4, 5, 6, 7 or all"),
        ([], "give the numbers of tables"),
        (["1", "--data", "other"], "--data other: no run (data sets with runs: puppets@2)"),
        (["1", "--metrics", "fit"], "unknown metric 'fit'"),
        (["1", "--format", "pdf"], 'Invalid value "pdf" for --format'),
    ],
)
def test_wrong_arguments_are_one_line(out, capsys, arguments, message):
    assert command(["table", *arguments, "--out", str(out)]) == 2
    text = capsys.readouterr().err
    assert message in text
    assert text.count("\n") == 1


def test_no_runs_at_all_is_one_line(tmp_path, capsys):
    assert command(["table", "1", "--out", str(tmp_path / "none")]) == 2
    assert "none does not exist" in capsys.readouterr().err


def test_metrics_that_are_asked_for_are_shown_without_a_number_too(out):
    further = tables(out, metrics=["lpips_vgg", "ssim"])[1]
    assert [column.name for column in further.columns] == ["lpips_vgg", "ssim"]
    assert cells(further)["static", "measured", "", "lpips_vgg"].reason == (
        "not measured: toonbench score --method static --task real2cartoon --data puppets@2 --metrics cpbd ssim lpips_vgg"
    )


def test_a_data_set_is_found_by_its_short_name_and_by_its_folder(out):
    entries = find_entries([out])
    assert of_data(entries, "puppets") == entries
    write_run(out, "x@1", {"cpbd@1": 0.4}, data="films-0123abcd")
    assert [entry.method for entry in of_data(find_entries([out]), "some/where/films")] == ["x"]


def test_all_tables_are_written_in_every_format_and_the_latex_compiles(out, tmp_path):
    folder = tmp_path / "written"
    assert command(["table", "all", "--out", str(out), "--write", str(folder)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"table{number}{suffix}" for number in NUMBERS for suffix in (".md", ".tex", ".csv", ".html")
    )
    program = shutil.which("pdflatex")
    if program is None:
        pytest.skip("pdflatex is not installed (Debian: texlive-latex-base and texlive-latex-recommended)")
    inputs = "".join(f"\\input{{written/table{number}.tex}}\\clearpage\n" for number in NUMBERS)
    (tmp_path / "all.tex").write_text(
        f"\\documentclass{{article}}\\usepackage{{booktabs,graphicx}}\\begin{{document}}{inputs}\\end{{document}}"
    )
    command_line = [program, "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(
        command_line, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_tables_import_no_torch(out):
    code = f"import sys; from toonbench.cli import run; run(['table', 'all', '--out', {str(out)!r}]); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[-2] == "False"


def test_the_caption_has_size_and_frames_of_the_clips_and_the_reference_images(out):
    root = out / "puppets@2/real2cartoon@4/my_net 50%@1"
    row = [{"frames": 30.0, "width": 256.0, "height": 128.0}.get(name, 0.0) for name in COLUMNS]
    for run in sorted((out / "puppets@2/real2cartoon@4").iterdir()):
        for pair in range(PAIRS):
            Run(run).write_rows(f"lint@{VERSION}", f"s{pair}~d{pair}", np.array([row], np.float32))
    fid = {**result("fid@1", 40.0), "details": {"reference images": 300.0}}
    rewrite(root, results=[result("cpbd@1", 0.7), fid])
    caption = " ".join(tables(out)[0].caption)
    assert "256 × 128 px; 30 frames per clip" in caption
    assert "CSIM is csim_arcface@1; 300 reference images." in caption


def test_the_mini_model_is_never_taken_for_the_papers(out):
    (row,) = [row for row in tables(out)[0].rows if row.name == "toontalker"]
    assert row.about == "mini weights"
    assert "it is not the paper's model" in row.note


def test_methods_are_ranked_by_fid_with_the_references_and_its_floor_is_noted(tmp_path):
    generator = np.random.default_rng(0)
    levels = {"near": 0.1, "far": 3.0}
    for method, level in levels.items():
        root = write_run(tmp_path, f"{method}@1", {})
        for pair in range(PAIRS):
            Run(root).write_rows(
                "inception@1", f"s{pair}~d{pair}", generator.normal(level, 1.0, (6, 3)).astype(np.float32)
            )
        floor = {"floor (halves of the reference)": 1.5, "reference images": 40.0}
        rewrite(root, results=[{**result("fid@1", 10 * level), "details": floor}])
    reference = [generator.normal(0.0, 1.0, (1, 3)).astype(np.float32) for _ in range(40)]
    request = Request(
        entries=find_entries([tmp_path]), data="puppets@2", references=lambda runs: lambda metric: (reference, False)
    )
    found = cells(paper_tables("1", request)[0])
    assert found["near", "measured", "Real → Cartoon", "FID"].best
    assert not found["far", "measured", "Real → Cartoon", "FID"].best
    assert found["near", "measured", "Real → Cartoon", "FID"].note == "floor (halves of the reference) 1.50"
    without = paper_tables("1", Request(entries=find_entries([tmp_path]), data="puppets@2"))[0]
    assert any(note.startswith("fid@1 has no ranks: not compared, because the features") for note in without.notes)


def test_json_has_the_tables_with_null_for_nan(out, capsys):
    assert command(["table", "1", "2", "--out", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {one["key"] for one in found} >= {"table1", "table1-real2cartoon", "table2"}
    (row,) = [row for row in found[0]["rows"] if row["name"] == "toontalker"]
    assert (row["cells"][0]["value"], row["cells"][1]["value"]) == (None, 0.5)


def test_a_number_of_another_version_of_a_metric_is_in_no_column_of_the_current_one(out):
    write_run(out, "old@1", {"cpbd@0": 0.99})
    cell = cells(tables(out)[0])["old", "measured", "Real → Cartoon", "CPBD"]
    assert cell.empty
    assert cell.reason == "measured with cpbd@0, which does not compare with cpbd@1; score it again"


def test_a_rank_is_not_denied_below_a_cell_that_has_one(out):
    root = out / "puppets@2/real2cartoon@4"
    for name, level in (("my_net 50%@1", 0.7), ("toontalker@1", 0.5)):
        rewrite(root / name, results=[{**result("cpbd@1", level), "missing": 1}])
    found = cells(tables(out)[0])
    best, dummy = (found[name, "measured", "Real → Cartoon", "CPBD"] for name in ("my_net 50%", "static"))
    assert best.best
    assert best.note == "1 of 8 pairs are missing and count as the worst value"
    assert not dummy.best
