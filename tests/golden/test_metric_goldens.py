"""The metrics give what the reference implementations gave; the checker notices when they do not."""

import json
import math
import shutil
import sys

import numpy as np
import pytest

from toonbench.goldens import stored
from toonbench.goldens.stored import run_goldens
from toonbench.networks.deterministic import deterministic_features
from toonbench.types import GoldenCheck, ToonbenchError


@pytest.fixture(scope="module")
def folder(shared):
    return shared / "parity/metrics"


@pytest.fixture(scope="module")
def checks(folder):
    return run_goldens(folder, "cpu")


@pytest.fixture
def copied(folder, tmp_path):
    """Copies some of the golden files."""

    def copy(*names):
        for name in names:
            shutil.copy(folder / name, tmp_path)
            (tmp_path / name).chmod(0o644)
        return tmp_path

    return copy


@pytest.mark.slow
def test_every_golden_of_a_metric_we_have_is_met(checks):
    assert [check for check in checks if not check.passed] == []
    done = [check.case for check in checks if not check.skipped]
    numbers = {kind: sum(case.startswith(f"{kind}/") for case in done) for kind in ("cpbd", "lpips_alex", "lpips_vgg")}
    assert numbers == {"cpbd": 35, "lpips_alex": 6, "lpips_vgg": 6}
    assert sum(case.startswith("frechet/") for case in done) == 14
    assert {"inception/256", "inception/100"} <= set(done)
    assert {case for case in done if case.startswith("small/")} >= {
        "small/l1 per frame",
        "small/l1 mean of video means",
        "small/psnr per frame",
        "small/psnr mean of frames",
    }


@pytest.mark.slow
def test_the_same_frames_and_the_same_features_are_exactly_0_apart(checks):
    errors = {check.case: check.error for check in checks}
    assert errors["lpips_alex/same256"] == errors["lpips_vgg/same256"] == errors["frechet/d2048_n300_same"] == 0


def test_goldens_that_no_metric_uses_are_listed_with_the_reason(tmp_path):
    (tmp_path / "smell_goldens.json").write_text("{}")
    (check,) = run_goldens(tmp_path, "cpu")
    assert check.case == "smell_goldens"
    assert "no metric of this version" in check.skipped


def test_a_wrong_value_is_noticed(copied, monkeypatch):
    folder = copied("cpbd_goldens_visible.json", "cpbd_goldens_visible.npz", "frechet_goldens.json")
    monkeypatch.setattr(stored, "cpbd", lambda gray: 0.5)
    monkeypatch.setattr(stored, "frechet", lambda one, other: 0.5)
    failed = [check for check in run_goldens(folder, "cpu") if not check.passed]
    assert len(failed) > 42


def test_a_changed_image_is_a_damaged_folder_and_not_a_wrong_metric(copied):
    folder = copied("cpbd_goldens_visible.json", "cpbd_goldens_visible.npz")
    with np.load(folder / "cpbd_goldens_visible.npz") as stored:
        images = dict(stored)
    images["step_h"] = images["step_h"] + np.uint8(1)
    np.savez(folder / "cpbd_goldens_visible.npz", **images)
    with pytest.raises(ToonbenchError, match=r"image 'step_h' .* is not the one checked; fetch the folder again"):
        run_goldens(folder, "cpu")


@pytest.mark.parametrize("kind", ["cpbd", "lpips", "inception"])
def test_goldens_whose_images_are_missing_are_skipped(tmp_path, kind):
    (tmp_path / f"{kind}_goldens_mine.json").write_text(json.dumps({"images": {}}))
    (check,) = run_goldens(tmp_path, "cpu")
    assert f"{kind}_goldens_mine.npz" in check.skipped


def test_a_file_that_is_not_json_is_told_in_one_line(tmp_path):
    (tmp_path / "small_goldens.json").write_text("{")
    with pytest.raises(ToonbenchError, match="cannot be read"):
        run_goldens(tmp_path, "cpu")


def test_a_folder_of_others_goldens_gives_nothing(tmp_path):
    (tmp_path / "goldens.json").write_text("{}")
    assert run_goldens(tmp_path, "cpu") == []


def test_an_error_that_is_not_a_number_does_not_pass():
    assert not GoldenCheck("case", math.nan, 1.0).passed


@pytest.mark.parametrize("case", ["d64_n50_n40_ndiff", "d64_n500_same", "d64_n500_shift", "d2048_n50_n60_ndiff"])
def test_the_features_of_the_frechet_goldens_are_those_of_their_recipe(folder, case, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(str(folder))
    import recipe

    first, second, width, kind = recipe.FRECHET_CASES[case]
    ours = deterministic_features(case, counts=(first, second), width=width, kind=kind)
    for mine, theirs in zip(ours, recipe.frechet_features(case), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-14, atol=1e-14)
