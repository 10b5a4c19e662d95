"""`toonbench validate` on videos and on runs: problems end in status 1, warnings do not."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from toonbench import cli, lint, video
from toonbench.lint import faults
from toonbench.score.stored import with_checksum

SOME = ("--task", "cartoon2real", "--limit", "6")


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> Path:
    """The targets of six pairs of the shipped puppets."""
    out = tmp_path_factory.mktemp("answers")
    arguments = ["generate", "--method", "oracle", *SOME, "--out", str(out), "--workers", "1", "-q"]
    assert cli.run(arguments) == 0
    (folder,) = out.rglob("videos")
    return folder


def validate(folder: Path, *more: str) -> int:
    return cli.run(["validate", str(folder), *SOME, *more])


def test_copied_targets_have_no_problem_and_one_warning(answers, capsys):
    assert validate(answers) == 0
    shown = capsys.readouterr().out
    assert "no problem found" in shown
    assert "1 warning" in shown
    assert "6 of 6 videos are the targets" in shown


def test_damaged_targets_have_neither_problems_nor_warnings(answers, tmp_path, capsys):
    folder = shutil.copytree(answers, tmp_path / "damaged")
    for path in folder.iterdir():
        video.write_lossless(path, faults.noisy(video.read_video(path).frames), fps=10)
    assert validate(folder) == 0
    shown = capsys.readouterr().out
    assert "no problem found" in shown
    assert "warning" not in shown


def test_a_mistake_in_colours_is_a_warning_and_status_0(answers, tmp_path, capsys):
    folder = shutil.copytree(answers, tmp_path / "[bold]theirs")
    for path in folder.iterdir():
        video.write_lossless(path, faults.swapped(video.read_video(path).frames), fps=10)
    assert validate(folder) == 0
    shown = capsys.readouterr().out
    assert "[bold]theirs" in shown
    assert "no problem found" in shown
    assert "1 warning (" in shown
    assert "6 of 6 videos have red and blue swapped" in shown


def test_json_holds_problems_and_warnings(answers, tmp_path, capsys):
    folder = shutil.copytree(answers, tmp_path / "theirs")
    first, second, *_ = sorted(folder.iterdir())
    video.write_for_viewing(first.with_suffix(".mp4"), video.read_video(first).frames, fps=10)
    first.unlink()
    video.write_lossless(second, np.ascontiguousarray(video.read_video(second).frames[:, ::2, ::2]), fps=10)
    assert validate(folder, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["problems"] == [f"{second.name}: 30 frames of 64x64, expected 30 of 128x128"]
    lossy, copied = told["warnings"]
    assert lossy.startswith("1 of 6 videos are coded with loss")
    assert copied.startswith("4 of 6 videos are the targets")
    severities = {one["kind"]: one["severity"] for one in told["findings"]}
    assert severities == {"size": "error", "lossy": "warning", "target": "warning"}
    lossy = next(one for one in told["findings"] if one["kind"] == "lossy")
    assert (lossy["affected"], lossy["of"]) == ([first.stem], 6)


def test_a_crash_of_the_linter_is_reported(answers, monkeypatch, capsys):
    def crash(*arguments, **options):
        raise ZeroDivisionError

    monkeypatch.setattr(lint.Linter, "row", crash)
    assert validate(answers) == 0
    assert "6 of 6 videos could not be examined" in capsys.readouterr().out


@pytest.mark.parametrize("how", [(), ("--json",)], ids=["text", "json"])
def test_file_names_do_not_command_the_terminal(answers, tmp_path, capsys, how):
    folder = shutil.copytree(answers, tmp_path / "theirs")
    (folder / "a\x1b[2Jb\x9b\n.mkv").write_bytes(b"x")
    assert validate(folder, *how) == 1
    shown = capsys.readouterr().out
    assert not {"\x1b", "\x9b"} & set(shown)
    told = json.loads(shown)["problems"] if how else [line.strip() for line in shown.splitlines()]
    assert r"'a\x1b[2Jb\x9b\n.mkv' does not have the name of a pair of cartoon2real@" in "\n".join(told)
    if not how:
        assert "1 problem" in told


@pytest.fixture(scope="module")
def scored(answers, tmp_path_factory) -> Path:
    """The run of noisy answers, measured by metrics of frames, of exact motion, and of events."""
    out = tmp_path_factory.mktemp("scored")
    arguments = ["eval", "--method", "noisy-oracle", *SOME, "--out", str(out), "--workers", "1", "-q"]
    assert cli.run([*arguments, "--metrics", "l1", "rig_error", "mouth_f1"]) == 0
    (found,) = out.rglob("result.json")
    return found.parent


@pytest.fixture
def run(scored, tmp_path) -> Path:
    return shutil.copytree(scored, tmp_path / "run")


def told_of(run: Path, capsys) -> list[str]:
    """The problems of a run."""
    capsys.readouterr()
    status = cli.run(["validate", str(run), "--json"])
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert status == (1 if problems else 0)
    return problems


def falsify(run: Path, change) -> None:
    result = json.loads((run / "result.json").read_text())
    change(result, next(row for row in result["results"] if row["metric"] == "l1@1"))
    (run / "result.json").write_text(json.dumps(with_checksum(result)))


def test_a_sound_run_follows_from_its_rows(run, capsys):
    assert cli.run(["validate", str(run)]) == 0
    shown = capsys.readouterr().out
    assert "no problem found" in shown
    assert "not checked" not in shown
    assert told_of(run / "result.json", capsys) == []


@pytest.mark.parametrize("key", ["value", "low", "high", "coverage", "missing", "clusters", "higher_is_better"])
def test_a_falsified_number_is_found(run, capsys, key):
    def change(result, row):
        row[key] = {"value": (row["value"] + row["low"]) / 2, "low": row["low"] * 0.999, "high": row["high"] * 1.001,
                    "coverage": 0.999, "missing": 1, "clusters": 99, "higher_is_better": True}[key]  # fmt: skip

    falsify(run, change)
    (problem,) = told_of(run, capsys)
    assert problem.startswith(f"l1@1: result.json has {key} = ")


def test_a_value_made_better_is_found(run, capsys):
    falsify(run, lambda result, row: row.update(value=0.01))
    assert any("has value = 0.01, the rows give" in problem for problem in told_of(run, capsys))


def test_a_result_that_was_removed_is_found(run, capsys):
    falsify(run, lambda result, row: result["results"].remove(row))
    assert told_of(run, capsys) == ["l1@1: this metric is in scores.csv and not in result.json"]


@pytest.mark.parametrize("cell", ["0.01", "", "much"])
def test_a_falsified_cell_of_the_table_is_found(run, capsys, cell):
    with (run / "scores.csv").open(newline="") as handle:
        table = list(csv.reader(handle))
    table[1][table[0].index("l1@1")] = cell
    with (run / "scores.csv").open("w", newline="") as handle:
        csv.writer(handle, lineterminator="\n").writerows(table)
    (problem,) = told_of(run, capsys)
    assert problem.startswith(f"l1@1: scores.csv has {cell or 'no value'} for {table[1][0]}, its rows give 0.")


def test_a_pair_missing_from_the_table_is_found(run, capsys):
    lines = (run / "scores.csv").read_text().splitlines(keepends=True)
    (run / "scores.csv").write_text("".join(lines[:-1]))
    assert "scores.csv has 5 pairs and result.json 6" in told_of(run, capsys)


def test_missing_and_damaged_rows_are_found(run, capsys):
    first, second, *_ = sorted((run / "rows" / "l1@1").iterdir())
    first.unlink()
    problems = told_of(run, capsys)
    assert any(f"for {first.stem}, which has no rows" in problem for problem in problems)
    assert any("l1@1: result.json has coverage = 1.0" in problem for problem in problems)
    second.write_bytes(b"x")
    assert any("is damaged" in problem for problem in told_of(run, capsys))


def test_what_is_not_checked_is_told(run, capsys, tmp_path):
    falsify(run, lambda result, row: result["results"].append({**row, "metric": "unheard_of@1"}))
    assert cli.run(["validate", str(run)]) == 0
    assert "not checked: unheard_of@1: unknown metric 'unheard_of'" in capsys.readouterr().out
    falsify(run, lambda result, row: result["results"].append({**row, "metric": "antigravity:Metric"}))
    assert cli.run(["validate", str(run)]) == 0
    assert "not checked: antigravity:Metric: it is not a registered metric" in capsys.readouterr().out
    shutil.copy(run / "result.json", tmp_path / "result.json")
    assert cli.run(["validate", str(tmp_path / "result.json")]) == 0
    assert (
        "not checked: values, intervals and coverage: the run's rows are not in the folder" in capsys.readouterr().out
    )


@pytest.mark.parametrize("value", ["0.1", [], {}])
def test_a_result_of_another_shape_is_told(run, capsys, value):
    falsify(run, lambda result, row: row.update(value=value))
    assert told_of(run, capsys) == [f"l1@1: value is {value!r}, not a number"]
    falsify(run, lambda result, row: result.update(results={"l1@1": 0.1}))
    assert told_of(run, capsys) == ["the field 'results' is dict, not list"]
