"""`toonbench validate` on a folder of videos: problems end in status 1, warnings do not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from toonbench import cli, video
from toonbench.lint import faults


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> Path:
    """The exact answers to twelve pairs of the shipped puppets."""
    out = tmp_path_factory.mktemp("answers")
    arguments = ["generate", "--method", "oracle", "--task", "cartoon2real", "--out", str(out), "--workers", "1", "-q"]
    assert cli.run(arguments) == 0
    (folder,) = out.rglob("videos")
    return folder


def validate(folder: Path, *more: str) -> int:
    return cli.run(["validate", str(folder), "--task", "cartoon2real", *more])


def test_exact_answers_have_neither_problems_nor_warnings(answers, capsys):
    assert validate(answers) == 0
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
    assert "1 warnings" in shown
    assert "12 of 12 videos have red and blue swapped" in shown


def test_json_holds_problems_and_warnings(answers, tmp_path, capsys):
    folder = shutil.copytree(answers, tmp_path / "theirs")
    first, second, *_ = sorted(folder.iterdir())
    video.write_for_viewing(first.with_suffix(".mp4"), video.read_video(first).frames, fps=10)
    first.unlink()
    video.write_lossless(second, np.ascontiguousarray(video.read_video(second).frames[:, ::2, ::2]), fps=10)
    assert validate(folder, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["problems"] == [f"{second.name}: 10 frames of 64x64, expected 10 of 128x128"]
    assert len(told["warnings"]) == 1
    assert told["warnings"][0].startswith("1 of 12 videos are coded with loss")
    assert {(one["kind"], one["severity"]) for one in told["findings"]} == {("size", "error"), ("lossy", "warning")}
    lossy = next(one for one in told["findings"] if one["kind"] == "lossy")
    assert (lossy["affected"], lossy["of"]) == ([first.stem], 12)
