"""The metrics give what the reference implementations gave; the checker notices when they do not."""

import json
import math
import shutil

import numpy as np
import pytest

from toonbench.metrics import goldens
from toonbench.metrics.goldens import run_goldens
from toonbench.types import GoldenCheck, ToonbenchError


@pytest.fixture
def folder(shared):
    return shared / "parity/metrics"


def test_every_golden_of_a_metric_we_have_is_met(folder):
    checks = run_goldens(folder, "cpu")
    assert [check for check in checks if not check.passed] == []
    done = [check.case for check in checks if not check.skipped]
    assert sum(case.startswith("cpbd/") for case in done) == 35
    assert {case for case in done if case.startswith("small/")} == {
        "small/l1 per frame",
        "small/l1 mean of video means",
        "small/psnr per frame",
        "small/psnr mean of frames",
    }


def test_goldens_of_metrics_we_lack_are_listed_with_the_reason(folder):
    skipped = {check.case for check in run_goldens(folder, "cpu") if check.skipped}
    assert {"lpips_goldens", "inception_goldens", "frechet_goldens", "small/akd"} <= skipped


def test_a_wrong_value_is_noticed(folder, monkeypatch):
    monkeypatch.setattr(goldens, "cpbd", lambda gray: 0.5)
    failed = [check for check in run_goldens(folder, "cpu") if not check.passed]
    assert len(failed) > 30


def test_a_changed_image_is_a_damaged_folder_and_not_a_wrong_metric(folder, tmp_path):
    shutil.copy(folder / "cpbd_goldens_visible.json", tmp_path)
    with np.load(folder / "cpbd_goldens_visible.npz") as stored:
        images = dict(stored)
    images["step_h"] = images["step_h"] + np.uint8(1)
    np.savez(tmp_path / "cpbd_goldens_visible.npz", **images)
    with pytest.raises(ToonbenchError, match=r"image 'step_h' .* is not the one checked; fetch the folder again"):
        run_goldens(tmp_path, "cpu")


def test_goldens_whose_images_are_missing_are_skipped(tmp_path):
    (tmp_path / "cpbd_goldens_mine.json").write_text(json.dumps({"images": {}}))
    (check,) = run_goldens(tmp_path, "cpu")
    assert "cpbd_goldens_mine.npz" in check.skipped


def test_a_file_that_is_not_json_is_told_in_one_line(tmp_path):
    (tmp_path / "small_goldens.json").write_text("{")
    with pytest.raises(ToonbenchError, match="cannot be read"):
        run_goldens(tmp_path, "cpu")


def test_a_folder_of_others_goldens_gives_nothing(tmp_path):
    (tmp_path / "goldens.json").write_text("{}")
    assert run_goldens(tmp_path, "cpu") == []


def test_an_error_that_is_not_a_number_does_not_pass():
    assert not GoldenCheck("case", math.nan, 1.0).passed
