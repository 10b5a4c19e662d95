import csv
from dataclasses import replace

import numpy as np
import pytest

from toonbench import cli
from toonbench.calibrate import ERRORS, Setting, calibrate, measurable
from toonbench.calibrate.errors import MUTED, change
from toonbench.puppets.rig import LIMITS, generate
from toonbench.report.calibration import is_monotone
from toonbench.types import CHANNELS, ToonbenchError

SETTING = Setting(
    metrics=("l1", "psnr"), errors=("gain", "blur"), styles=("real",), clips=1, frames=4, step=6, size=32, seed=1
)
RIG, OTHER = generate(1, frames=30), generate(2, frames=30)


def _wrong(error, level):
    return change(error, RIG, level=level, other=OTHER, rng=np.random.default_rng(0))


@pytest.mark.parametrize("error", [e for e in ERRORS if e.motion], ids=lambda e: e.name)
def test_motion_errors_grow_with_their_level_keep_the_first_pose_and_stay_within_the_limits(error):
    wrong = [_wrong(error, level) for level in error.levels]
    away = [float((np.abs(rig - RIG) / (LIMITS[:, 1] - LIMITS[:, 0])).mean()) for rig in wrong]
    assert away[0] > 0
    assert np.all(np.diff(away) > 0)
    assert all(np.array_equal(rig[0], RIG[0]) and rig.dtype == np.float32 for rig in wrong)
    assert all((rig >= LIMITS[:, 0]).all() and (rig <= LIMITS[:, 1]).all() for rig in wrong)


@pytest.mark.parametrize("error", [e for e in ERRORS if e.image], ids=lambda e: e.name)
def test_image_damage_grows_with_its_level(error):
    assert error.image is not None
    frames = np.random.default_rng(0).integers(0, 255, (2, 11, 11, 3)).astype(np.uint8).repeat(5, 1).repeat(5, 2)
    before = frames.copy()
    away = [
        float(np.abs(error.image(frames, level, np.random.default_rng(1)).astype(int) - frames).mean())
        for level in error.levels
    ]
    assert away[0] > 0
    assert np.all(np.diff(away) > 0)
    assert np.array_equal(frames, before)


def test_a_muted_channel_stands_still_and_the_others_move_as_before():
    yaw = CHANNELS.index("yaw")
    wrong = _wrong(MUTED[yaw], 1)
    assert np.ptp(wrong[:, yaw]) == 0
    assert np.array_equal(np.delete(wrong, yaw, 1), np.delete(RIG, yaw, 1))


def test_gone_wrong_wholly_is_standing_still_or_somebody_else():
    by_name = {error.name: error for error in ERRORS}
    assert np.array_equal(_wrong(by_name["gain"], 1), np.repeat(RIG[:1], 30, 0))
    assert np.array_equal(_wrong(by_name["freeze"], 1), np.repeat(RIG[:1], 30, 0))
    assert np.allclose(_wrong(by_name["swap"], 1)[1:], OTHER[1:], atol=1e-6)


def test_monotone_means_never_better_and_worse_in_the_end():
    assert is_monotone([1, 2, 2, 3], higher_is_better=False)
    assert not is_monotone([1, 2, 1.9, 3], higher_is_better=False)
    assert not is_monotone([1, 1, 1], higher_is_better=False)
    assert is_monotone([3, 2, 1], higher_is_better=True)
    assert not is_monotone([1, 2, np.nan], higher_is_better=False)


def test_calibrating_writes_a_table_figures_and_a_page_and_goes_on_where_it_was_killed(tmp_path):
    out = tmp_path / "c"
    arguments = ["calibrate", "--out", str(out), "--metrics", "l1", "--styles", "real", "--clips", "2", "--frames", "4", "--step", "6",
                 "--size", "32", "--workers", "1"]  # fmt: skip
    assert cli.run(arguments) == 0
    with (out / "calibration.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert {line["error"] for line in lines} == {"oracle", "static", "paste"} | {e.name for e in (*ERRORS, *MUTED)}
    assert next(float(line["value"]) for line in lines if line["error"] == "oracle") == 0
    files = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert {"l1.png", "channels.png", "calibration.md", "real-000.npz", "real-001.npz"} <= {path.name for path in files}
    (out / "rows" / "real-001.npz").unlink()
    (out / "calibration.csv").unlink()
    assert cli.run(arguments) == 0
    assert files == {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_a_folder_with_another_setting_and_wrong_numbers_are_refused(tmp_path):
    calibrate(tmp_path, SETTING)
    with pytest.raises(ToonbenchError, match="another recipe"):
        calibrate(tmp_path, Setting(**{**{f: getattr(SETTING, f) for f in SETTING.__slots__}, "seed": 2}))
    for wrong, told in (
        ({"clips": 0}, "clips >= 1"),
        ({"styles": ("reel",)}, "Did you mean 'real'"),
        ({"metrics": ("l2",)}, "psnr"),
        ({"errors": ("gian",)}, "gain"),
    ):
        with pytest.raises(ToonbenchError, match=told):
            calibrate(tmp_path / "other", Setting(**{**{f: getattr(SETTING, f) for f in SETTING.__slots__}, **wrong}))


def test_metrics_without_weights_and_sets_are_not_calibrated_unless_asked_for_and_then_it_is_said(tmp_path):
    chosen = measurable()
    assert {"l1", "rig_corr", "blink_f1"} <= set(chosen)
    assert not {"fid", "kid", "lpips_alex", "csim_arcface"} & set(chosen)
    for name, reason in (("lpips_alex", "toonbench weights fetch alexnet"), ("fid", "only for a whole set")):
        with pytest.raises(ToonbenchError, match=reason):
            calibrate(tmp_path, replace(SETTING, metrics=(name,)))
