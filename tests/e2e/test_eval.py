"""The main job from the outside: the command line on a small data set."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from toonbench import cli, video
from toonbench.data import load

PLUGINS = Path(__file__).parent.parent / "plugins"
SLOW = "toonbench_test_methods:Slow"


@pytest.fixture(autouse=True)
def plugins(monkeypatch):
    monkeypatch.syspath_prepend(str(PLUGINS))
    monkeypatch.setenv("PYTHONPATH", str(PLUGINS))


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "toonbench.cli", *map(str, arguments)]


def tree(root: Path) -> dict[str, bytes]:
    """Every file below a folder and its bytes; nothing half-written may be among them."""
    files = {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}
    assert not [name for name in files if "part-" in name or name.endswith(".tmp")]
    return files


def only(root: Path, name: str) -> Path:
    (found,) = root.rglob(name)
    return found


def results(root: Path) -> dict[str, dict]:
    return {row["metric"]: row for row in json.loads(only(root, "result.json").read_text())["results"]}


def test_the_oracle_is_perfect_and_static_is_not(tiny_data, tmp_path, capsys):
    assert (
        cli.run(
            ["eval", "--method", "oracle", "--data", str(tiny_data), "--out", str(tmp_path / "o"), "--workers", "1"]
        )
        == 0
    )
    assert "l1@1" in capsys.readouterr().out
    assert (
        cli.run(
            [
                "eval",
                "--method",
                "static",
                "--data",
                str(tiny_data),
                "--out",
                str(tmp_path / "s"),
                "--workers",
                "1",
                "--json",
            ]
        )
        == 0
    )
    shown = json.loads(capsys.readouterr().out)
    perfect, poor = results(tmp_path / "o"), results(tmp_path / "s")
    assert perfect["l1@1"]["value"] == 0
    assert perfect["ssim@1"]["value"] == 1
    assert poor["l1@1"]["value"] > 0.01
    assert poor["psnr@1"]["value"] < perfect["psnr@1"]["value"]
    assert shown["pairs"] == 12
    for row in shown["results"]:
        assert row["pairs"] == 12
        assert row["clusters"] == 3
        assert row["coverage"] == 1
        assert row["low"] <= row["value"] <= row["high"]


def test_bytes_do_not_depend_on_workers_or_shards(tiny_data, tmp_path):
    common = ["--method", SLOW, "--data", str(tiny_data)]
    assert cli.run(["eval", *common, "--out", str(tmp_path / "one"), "--workers", "1"]) == 0
    assert cli.run(["eval", *common, "--out", str(tmp_path / "two"), "--workers", "2"]) == 0
    for shard in ("2/3", "3/3", "1/3"):
        assert cli.run(["eval", *common, "--out", str(tmp_path / "parts"), "--workers", "1", "--shard", shard]) == 0
    whole = tree(tmp_path / "one")
    assert len([name for name in whole if name.endswith(".mkv")]) == 12
    assert whole == tree(tmp_path / "two") == tree(tmp_path / "parts")


@pytest.mark.slow
def test_killed_at_any_moment_and_run_again_gives_the_same_bytes(tiny_data, tmp_path):
    arguments = ["eval", "--method", SLOW, "--data", tiny_data, "--workers"]
    begun = time.monotonic()
    subprocess.run(command(*arguments, 2, "--out", tmp_path / "whole"), check=True, capture_output=True)
    whole_time = time.monotonic() - begun
    chance = random.Random(7)
    for trial in range(6):
        process = subprocess.Popen(
            command(*arguments, 1 + trial % 2, "--out", tmp_path / "killed"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(chance.uniform(0.3, 1.0) * whole_time)
        process.send_signal(signal.SIGKILL)
        process.wait()
    time.sleep(1.5)  # orphaned workers end by themselves
    subprocess.run(command(*arguments, 1, "--out", tmp_path / "killed"), check=True, capture_output=True)
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")


def test_interrupting_says_so_in_one_line_and_keeps_what_was_made(tiny_data, tmp_path):
    process = subprocess.Popen(
        command("eval", "--method", f"{SLOW}er", "--data", tiny_data, "--out", tmp_path, "--workers", 2),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background CI job ignores it, and children inherit that
    )  # fmt: skip
    limit = time.monotonic() + 60
    while not list(tmp_path.rglob("*~*.mkv")) and time.monotonic() < limit:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; finished work is kept" in errors
    assert "Traceback" not in errors
    assert list(tmp_path.rglob("*~*.mkv"))


def test_a_method_that_fails_loses_its_pairs_only(tiny_data, tmp_path, capsys):
    assert (
        cli.run(
            [
                "eval",
                "--method",
                "toonbench_test_methods:Faulty",
                "--data",
                str(tiny_data),
                "--out",
                str(tmp_path),
                "--workers",
                "1",
            ]
        )
        == 0
    )
    shown = capsys.readouterr().out
    assert "pairs failed" in shown
    failures = json.loads(only(tmp_path, "result.json").read_text())["failures"]
    assert 0 < len(failures) < 12
    assert any(reason == "RuntimeError: no luck with this one" for reason in failures.values())
    assert any("it must return uint8 (5, 64, 64, 3)" in reason for reason in failures.values())
    for row in results(tmp_path).values():
        assert row["pairs"] == 12
        assert row["missing"] == len(failures)
        assert row["coverage"] == pytest.approx(1 - len(failures) / 12)
    with only(tmp_path, "scores.csv").open() as handle:
        rows = {row["pair"]: row for row in csv.DictReader(handle)}
    assert all(rows[pair]["failure"] == reason and rows[pair]["l1@1"] == "" for pair, reason in failures.items())


def test_when_every_pair_fails_the_status_is_1(tiny_data, tmp_path):
    assert (
        cli.run(
            [
                "eval",
                "--method",
                "toonbench_test_methods:Hopeless",
                "--data",
                str(tiny_data),
                "--out",
                str(tmp_path),
                "--workers",
                "1",
            ]
        )
        == 1
    )
    assert all(row["value"] is None for row in results(tmp_path).values())


def test_a_damaged_driving_video_fails_its_own_pairs(tiny_data, tmp_path):
    data = shutil.copytree(tiny_data, tmp_path / "blobs")
    path = data / "clips" / "real-video-1.mkv"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (data / "clips" / "real-video-2.mkv").unlink()
    assert (
        cli.run(["eval", "--method", "static", "--data", str(data), "--out", str(tmp_path / "out"), "--workers", "1"])
        == 0
    )
    failures = json.loads(only(tmp_path / "out", "result.json").read_text())["failures"]
    assert len(failures) == 8
    assert any("real-video-1.mkv" in reason for reason in failures.values())
    assert any("its file clips/real-video-2.mkv is missing" in reason for reason in failures.values())


def test_each_video_is_decoded_once_whatever_the_number_of_metrics(tiny_data, tmp_path, monkeypatch):
    assert (
        cli.run(
            ["generate", "--method", "noisy-oracle", "--data", str(tiny_data), "--out", str(tmp_path), "--workers", "1"]
        )
        == 0
    )
    seen: list[str] = []
    real = video.iter_frames
    monkeypatch.setattr(video, "iter_frames", lambda path, **options: seen.append(str(path)) or real(path, **options))
    assert (
        cli.run(
            ["score", "--method", "noisy-oracle", "--data", str(tiny_data), "--out", str(tmp_path), "--workers", "1"]
        )
        == 0
    )
    assert len(results(tmp_path)) == 4
    for folder in ("videos", "targets"):
        own = [path for path in seen if Path(path).parent.name == folder]
        assert len(own) == len(set(own)) == 12
    assert len(seen) == 12 + 12 + 12, "and each pair's driver, for the linter"


def test_the_first_frame_whose_answer_is_the_source_is_not_measured(tiny_data, tmp_path):
    assert (
        cli.run(
            ["eval", "--method", "oracle", "--data", str(tiny_data), "--out", str(tmp_path / "r"), "--workers", "1"]
        )
        == 0
    )
    assert {len(np.load(path)) for path in (tmp_path / "r").rglob("rows/l1@1/*.npy")} == {4}
    assert (
        cli.run(
            [
                "eval",
                "--method",
                "oracle",
                "--task",
                "real_self",
                "--data",
                str(tiny_data),
                "--out",
                str(tmp_path / "s"),
                "--workers",
                "1",
            ]
        )
        == 0
    )
    assert {len(np.load(path)) for path in (tmp_path / "s").rglob("rows/l1@1/*.npy")} == {5}


def test_somebodys_videos_are_scored_as_a_methods_own(tiny_data, tmp_path):
    common = ["--data", str(tiny_data), "--workers", "1"]
    assert cli.run(["eval", "--method", SLOW, *common, "--out", str(tmp_path / "own")]) == 0
    folder = shutil.copytree(only(tmp_path / "own", "videos"), tmp_path / "theirs")
    assert cli.run(["score", "--videos", str(folder), *common, "--out", str(tmp_path / "scored")]) == 0
    assert results(tmp_path / "own") == results(tmp_path / "scored")


def test_missing_wrong_and_foreign_videos_are_told(tiny_data, tmp_path, capsys):
    common = ["--data", str(tiny_data), "--workers", "1"]
    assert cli.run(["generate", "--method", SLOW, *common, "--out", str(tmp_path / "own")]) == 0
    folder = shutil.copytree(only(tmp_path / "own", "videos"), tmp_path / "theirs")
    first, second, third, *_ = sorted(folder.iterdir())
    first.unlink()
    frames = video.read_video(second).frames
    video.write_lossless(second, frames[:3], fps=25)
    video.write_lossless(third, np.ascontiguousarray(frames[:, ::2, ::2]), fps=25)
    (folder / "nonsense.mp4").write_bytes(b"x")
    assert cli.run(["score", "--videos", str(folder), *common, "--out", str(tmp_path / "scored")]) == 0
    failures = json.loads(only(tmp_path / "scored", "result.json").read_text())["failures"]
    assert failures == {
        first.stem: "no video",
        second.stem: "the video has 3 frames instead of 5: write one frame for every driving frame",
        third.stem: "the video has 32x32 pixels instead of 64x64: write videos in the source's size",
    }
    capsys.readouterr()
    assert cli.run(["validate", str(folder), "--data", str(tiny_data)]) == 1
    shown = capsys.readouterr().out
    assert "nonsense.mp4 does not have the name of a pair" in shown
    assert f"{first.stem}: no video" in shown
    assert "4 problems" in shown


def test_limit_and_dry_run(tiny_data, tmp_path, capsys):
    assert (
        cli.run(["eval", "--method", "oracle", "--data", str(tiny_data), "--out", str(tmp_path), "--dry-run", "--json"])
        == 0
    )
    plan = json.loads(capsys.readouterr().out)
    assert len(plan["pairs"]) == 12
    assert not list(tmp_path.iterdir())
    assert (
        cli.run(
            [
                "eval",
                "--method",
                "oracle",
                "--data",
                str(tiny_data),
                "--out",
                str(tmp_path),
                "--limit",
                "2",
                "--workers",
                "1",
            ]
        )
        == 0
    )
    assert json.loads(only(tmp_path, "result.json").read_text())["pairs"] == 2
    assert len(list(tmp_path.rglob("*.mkv"))) == 2


def test_metrics_without_targets_are_skipped_with_the_reason(tiny_data, tmp_path, capsys):
    arguments = [
        "eval",
        "--method",
        "paste",
        "--task",
        "real_cross",
        "--data",
        str(tiny_data),
        "--out",
        str(tmp_path),
        "--workers",
        "1",
    ]
    assert cli.run(arguments) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        "l1@1, psnr@1, ssim@1, lpips_alex@1, stlpips_alex@1, akd_fan68@1, aed_identity@1, aed_expression@1: not measured, because the pairs have no target"
        in shown
    )
    assert (
        "fid@1, kid@1, csim_arcface@1, csim_dinov2@1, csim_sface@1, motion_agreement@1: skipped, their weights are missing: "
        "run toonbench weights fetch --for fid kid csim_arcface csim_dinov2 csim_sface motion_agreement" in shown
    )
    assert set(results(tmp_path)) == {"cpbd@1"}


def test_a_run_of_another_version_is_refused_and_fresh_begins_anew(tiny_data, tmp_path, capsys):
    arguments = ["eval", "--method", "oracle", "--data", str(tiny_data), "--out", str(tmp_path), "--workers", "1"]
    assert cli.run(arguments) == 0
    path = only(tmp_path, "run.json")
    about = json.loads(path.read_text())
    path.write_text(json.dumps({**about, "toonbench": "0.0.1"}))
    assert cli.run(arguments) == 2
    assert 'holds a run with toonbench = "0.0.1"' in capsys.readouterr().err
    assert cli.run([*arguments, "--fresh"]) == 0
    assert json.loads(path.read_text()) == about


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["eval", "--method", "toontalkr"], "did you mean toontalker"),
        (["eval", "--method", "oracle", "--task", "real2carton"], "did you mean real2cartoon"),
        (["eval", "--method", "oracle", "--metrics", "psnrr"], "did you mean psnr"),
        (["eval", "--method", "oracle", "--metrics", "psnr@7"], "metric psnr has version 1, not 7"),
        (["eval", "--method", "oracle", "--task", "real2cartoon@9"], "has version 4, not 9"),
        (["eval", "--method", "oracle", "--data", "no/such/folder"], "no/such/folder does not exist"),
        (["eval", "--method", "oracle", "--data", "pupets@0"], "unknown data set"),
        (["eval", "--method", "oracle", "--shard", "3/2"], "--shard 3/2: write i/n with 1 <= i <= n"),
        (["eval", "--method", "oracle", "--limit", "0"], 'Invalid value "0" for --limit. Give 1 or more.'),
        (["eval", "--method", "oracle", "--workers", "-1"], 'Invalid value "-1" for --workers. Give 0 to 1,024.'),
        (["eval", "--method", "oracle", "--device", "tpu"], "tpu"),
        (["eval", "--method", "nowhere:Nothing"], "cannot load 'nowhere:Nothing'"),
        (["eval", "--method", "static", "--checkpoint", "x.pt"], "static takes no checkpoint"),
        (["score"], "score needs one of --videos DIR"),
        (["score", "--videos", "/nonexistent"], "is not a folder"),
        (["train", "--method", "static", "--data", "x", "--out", "y"], "has no training"),
        (["validate", "/nonexistent"], "does not exist"),
        (["doctor", "--goldens", "/nonexistent"], "no *goldens*.json in it or below"),
        (["evl"], 'Did you mean "eval"'),
        (["eval", "--limt", "3"], "--limt"),
        (["eval", "--limit", "many"], "many"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments, message, tiny_data, tmp_path, capsys):
    if arguments[0] in ("eval", "score") and "--data" not in arguments:
        arguments = [*arguments, "--data", str(tiny_data)]
    if arguments[0] in ("eval", "score"):
        arguments = [*arguments, "--out", str(tmp_path)]
    assert cli.run(arguments) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert len(errors.splitlines()) == 1


def test_a_full_disk_is_told_and_what_was_made_is_kept(tiny_data, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=150k", "tmpfs", str(disk)], capture_output=True, check=False
    ).returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        arguments = command("eval", "--method", SLOW, "--data", tiny_data, "--out", disk, "--workers", 1)
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        kept = len(list(disk.rglob("*.mkv")))
        assert done.returncode == 2, done.stderr
        assert len(done.stderr.splitlines()) <= 2
        assert "space" in done.stderr
        assert "Traceback" not in done.stderr
        assert kept > 0
        assert not [p for p in disk.rglob("*") if "part-" in p.name or p.suffix == ".tmp"]
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        assert subprocess.run(arguments, capture_output=True, check=False).returncode == 0
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_paths_out_of_the_data_set_are_refused(tiny_data, tmp_path, capsys):
    import pandas as pd

    data = shutil.copytree(tiny_data, tmp_path / "blobs")
    table = pd.read_parquet(data / "metadata.parquet")
    table.loc[0, "file"] = "../../etc/passwd"
    table.to_parquet(data / "metadata.parquet")
    assert cli.run(["validate", str(data)]) == 2
    assert "points outside the data set" in capsys.readouterr().err


def test_validate_finds_a_changed_clip(tiny_data, tmp_path, capsys):
    assert cli.run(["validate", str(tiny_data)]) == 0
    data = shutil.copytree(tiny_data, tmp_path / "blobs")
    clip = next(c for c in load(data).clips if c.kind == "image")
    video.write_png(clip.path, np.zeros((64, 64, 3), np.uint8))
    capsys.readouterr()
    assert cli.run(["validate", str(data)]) == 1
    assert "does not have its checksum" in capsys.readouterr().out


def test_validate_checks_a_result(tiny_data, tmp_path, capsys):
    assert (
        cli.run(["eval", "--method", "oracle", "--data", str(tiny_data), "--out", str(tmp_path), "--workers", "1"]) == 0
    )
    path = only(tmp_path, "result.json")
    assert cli.run(["validate", str(path)]) == 0
    result = json.loads(path.read_text())
    result["results"][0]["low"] = 5.0
    path.write_text(json.dumps(result))
    capsys.readouterr()
    assert cli.run(["validate", str(path.parent)]) == 1
    assert "outside its interval" in capsys.readouterr().out


def test_the_landmark_network_runs_for_the_linter_only_where_motion_is_measured(tmp_path):
    """A run without motion metrics makes rows without its column; one with them makes the whole rows, which are used."""
    line = ["eval", "--method", "static", "--limit", "1", "--out", str(tmp_path), "--workers", "1", "--metrics", "l1"]
    assert cli.run(line) == 0
    (rows,) = tmp_path.rglob("rows")
    assert {path.name.partition("@")[0] for path in rows.iterdir()} == {"l1", "lint-pixels"}
    assert cli.run([*line, "rig_corr"]) == 0
    assert {path.name.partition("@")[0] for path in rows.iterdir()} >= {"l1", "lint-pixels", "lint"}
