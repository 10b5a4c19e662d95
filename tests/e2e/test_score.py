"""Scoring with metrics that share features, compare with a set, or cannot be measured on this machine."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toonbench_test_metrics import Likeness

from toonbench import cli, registry, video
from toonbench.data import load
from toonbench.metrics.shared import mean_with_losses
from toonbench.score import equal_sets
from toonbench.score.features import evenly, reference_images
from toonbench.score.measure import LINT
from toonbench.tasks import draw_pairs
from toonbench.types import Reference

PLUGIN = "toonbench_test_metrics"


@pytest.fixture(autouse=True)
def no_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("TOONBENCH_WEIGHTS", str(tmp_path / "no-weights"))


def run(data: Path, out: Path, *metrics: str, method: str = "noisy-oracle", command: str = "eval") -> dict:
    names = [name if "@" in name else f"{PLUGIN}:{name}" for name in metrics]
    common = ["--method", method, "--data", str(data), "--out", str(out), "--workers", "1"]
    assert cli.run([command, *common, "--metrics", *names]) == 0
    (found,) = [path for path in out.rglob("result.json") if path.parent.name.startswith(f"{method}@")]
    return json.loads(found.read_text())


def rows_of(result: dict) -> dict[str, dict]:
    return {row["metric"]: row for row in result["results"]}


def test_a_distribution_is_compared_with_the_source_images_each_once(tiny_data, tmp_path):
    row = rows_of(run(tiny_data, tmp_path, "Colour"))["colour@1"]
    assert row["details"] == {"frames": 12 * 4, "reference images": 4}
    assert row["low"] <= row["value"] <= row["high"]
    sources = [clip for clip in load(tiny_data).clips if clip.domain == "cartoon" and clip.kind == "image"]
    frames = [video.read_video(path).frames[1:] for path in sorted(tmp_path.rglob("videos/*.mkv"))]
    wanted = np.mean([frame.reshape(-1, 3).mean(0) for clip in frames for frame in clip], axis=0)
    seen = np.mean([video.read_image(clip.path).reshape(-1, 3).mean(0) for clip in sources], axis=0)
    assert row["value"] == pytest.approx(np.abs(wanted - seen).sum(), rel=1e-4)


def test_distributions_of_the_same_features_store_their_rows_once(tiny_data, tmp_path):
    result = rows_of(run(tiny_data, tmp_path, "Colour", "SecondColour"))
    assert result["colour@1"]["value"] == result["second_colour@1"]["value"]
    assert {path.name for path in tmp_path.rglob("rows/*")} == {"colour@1", LINT}


def test_only_the_whole_set_has_a_number_in_a_distribution(tiny_data, tmp_path):
    run(tiny_data, tmp_path, "Colour", "l1@1")
    (table,) = tmp_path.rglob("scores.csv")
    assert table.read_text().splitlines()[0] == "pair,source,driving,l1@1,failure"


def test_real_frames_are_described_once_for_all_methods_and_tasks(tiny_data, tmp_path, monkeypatch):
    described = []
    real = Likeness.extract_features
    monkeypatch.setattr(
        Likeness, "extract_features", lambda self, frames: described.append(len(frames)) or real(self, frames)
    )
    run(tiny_data, tmp_path, "Likeness")
    assert sorted(described) == [1] * 4 + [4] * 12, "four sources, each once, and twelve videos"
    described.clear()
    run(tiny_data, tmp_path, "Likeness", method="static")
    assert described == [4] * 12, "the second method's videos only"
    stored = sorted(path.name for path in tmp_path.rglob("features/likeness@1/first/*"))
    assert [name.partition("~")[0] for name in stored] == [f"cartoon-image-{i}" for i in range(4)]


def test_stored_features_give_what_fresh_ones_give(tiny_data, tmp_path):
    first = run(tiny_data, tmp_path / "a", "Likeness", "Colour")
    run(tiny_data, tmp_path / "b", "Likeness", "Colour", method="static")
    second = run(tiny_data, tmp_path / "b", "Likeness", "Colour")
    assert first == second


def test_details_and_the_domain_a_network_was_made_for_stand_beside_the_number(tiny_data, tmp_path, capsys):
    row = rows_of(run(tiny_data, tmp_path, "Likeness"))["likeness@1"]
    assert row["details"] == {"faces found": 1.0, "over found faces only": pytest.approx(row["value"])}
    assert any("is photo-calibrated and these characters are cartoon" in note for note in row["notes"])
    assert "likeness@1: over found faces only" in capsys.readouterr().out
    other = tmp_path / "other"
    arguments = ["eval", "--method", "oracle", "--task", "cartoon2real", "--data", str(tiny_data), "--out", str(other)]
    assert cli.run([*arguments, "--workers", "1", "--metrics", f"{PLUGIN}:Likeness"]) == 0
    (found,) = other.rglob("result.json")
    assert not rows_of(json.loads(found.read_text()))["likeness@1"]["notes"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("Unweighted", "toonbench weights fetch fan68"), ("Unpackaged", "pip install no-such-package")],
)
def test_a_metric_that_cannot_be_measured_here_is_left_out_with_what_helps(tiny_data, tmp_path, capsys, name, reason):
    result = run(tiny_data, tmp_path, "l1@1", name)
    shown = capsys.readouterr().out
    assert set(rows_of(result)) == {"l1@1"}
    (why,) = (skip["reason"] for skip in result["skipped"].values())
    assert reason in why
    assert reason in shown
    assert "—" not in shown, "a table shows no row without a number"
    assert not result["failures"]
    assert not list(tmp_path.rglob("rows/un*"))


def test_rows_from_another_machine_need_no_weights_here(tiny_data, tmp_path):
    run(tiny_data, tmp_path, "Likeness")
    for folder in list(tmp_path.rglob("rows/likeness@1")):
        shutil.copytree(folder, folder.with_name("unweighted@1"))
    result = run(tiny_data, tmp_path, "Likeness", "Unweighted", command="score")
    found = rows_of(result)
    assert found["unweighted@1"]["value"] == found["likeness@1"]["value"]
    assert not result["skipped"]


def test_losing_faces_never_helps_and_an_unknown_real_side_counts_for_nobody():
    rows = np.array([[-0.1, -1], [-0.9, -1], [-0.2, -1], [np.nan, np.nan]], np.float32)
    whole = mean_with_losses([rows])
    assert whole == pytest.approx(-0.4)
    for lost in ([0], [1], [2], [0, 1], [0, 1, 2]):
        fewer = rows.copy()
        fewer[lost, 0] = np.nan
        assert mean_with_losses([fewer]) < whole
    assert np.isnan(mean_with_losses([rows[3:]]))


def test_frames_are_taken_evenly():
    assert evenly(10, 0) == evenly(10, 10) == evenly(10, 99) == list(range(10))
    assert evenly(10, 1) == [5]
    assert evenly(10, 5) == [1, 3, 5, 7, 9]
    assert evenly(0, 3) == []


def test_the_reference_may_be_the_domains_clips(tiny_data):
    data, task = load(tiny_data), registry.load_task("real2cartoon")
    pairs = draw_pairs(task, data.clips, targets=data.targets)
    images = reference_images(Reference(images="domain", frames=3), pairs, data.clips)
    assert [(image.clip.id, image.frames) for image in images] == [
        *((f"cartoon-image-{i}", 1) for i in range(4)),
        *((f"cartoon-video-{i}", 3) for i in range(3)),
    ]
    assert len(reference_images(Reference(), pairs, data.clips)) == 4


def test_a_source_of_another_size_is_brought_to_the_others(tiny_data):
    data, task = load(tiny_data), registry.load_task("real2cartoon")
    pairs = draw_pairs(task, data.clips, targets=data.targets)
    odd = pairs[0].source.id
    pairs = [replace(p, source=replace(p.source, width=128, height=96)) if p.source.id == odd else p for p in pairs]
    found = {image.clip.id: (image.size, image.part) for image in reference_images(Reference(), pairs, data.clips)}
    assert found.pop(odd) == ((64, 64), "first-64x64-bicubic")
    assert set(found.values()) == {(None, "first")}


@pytest.mark.parametrize(
    "field", [{"equal": True}, {"frames": 2}, {"images": "domain"}, {"images": "domain", "frames": 2}]
)
def test_the_tasks_reference_rules_are_kept(tiny_data, tmp_path, monkeypatch, field):
    rule = replace(registry.load_task("real2cartoon"), reference=Reference(**field))
    monkeypatch.setattr(registry, "load_task", lambda name: rule)
    counts = rows_of(run(tiny_data, tmp_path, "Colour"))["colour@1"]["details"]
    wanted = {
        "equal": {"frames": 4, "reference images": 4},
        "frames": {"frames": 12 * 2, "reference images": 4},
        "images": {"frames": 12 * 4, "reference images": 4 + 3 * 5},
    }
    if field == {"images": "domain", "frames": 2}:
        assert counts == {"frames": 12 * 2, "reference images": 4 + 3 * 2}
    else:
        assert counts == wanted[next(iter(field))]


def test_a_family_name_is_refused_with_its_members(tiny_data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        registry, "_found", lambda group: {f"tall_{n}": None for n in ("a", "b")} if group == "metrics" else {}
    )
    monkeypatch.setattr(registry, "load", lambda group, name: {"tall_a": Likeness, "tall_b": Likeness}[name])
    error = str(registry._several("metrics", "tall"))
    assert error.splitlines()[0] == "metric 'tall' is ambiguous: choose one of"
    assert len(error.splitlines()) == 3
    assert "tall_a: How near the mean colour" in error


def give_weights(monkeypatch, folder, content):
    """A weights folder in which `fan68` is a file of these bytes."""
    folder.mkdir(exist_ok=True)
    (folder / "fan.bin").write_bytes(content)
    manifest = folder / "manifest.toml"
    manifest.write_text(f'[fan68]\nfile = "fan.bin"\nsha256 = "{hashlib.sha256(content).hexdigest()}"\n')
    monkeypatch.setenv("TOONBENCH_WEIGHTS", str(folder))
    monkeypatch.setenv("TOONBENCH_WEIGHTS_MANIFEST", str(manifest))
    return {"fan68": hashlib.sha256(content).hexdigest()}


def test_a_result_says_which_weights_its_rows_were_made_with_wherever_it_is_reduced(tiny_data, tmp_path, monkeypatch):
    used = give_weights(monkeypatch, tmp_path / "w", b"one")
    assert run(tiny_data, tmp_path / "out", "Unweighted")["weights"] == used
    monkeypatch.delenv("TOONBENCH_WEIGHTS_MANIFEST")
    monkeypatch.setenv("TOONBENCH_WEIGHTS", str(tmp_path / "none"))
    assert run(tiny_data, tmp_path / "out", "Unweighted", command="score")["weights"] == used


def test_rows_and_features_of_two_weights_never_meet(tiny_data, tmp_path, monkeypatch, capsys):
    give_weights(monkeypatch, tmp_path / "w1", b"one")
    run(tiny_data, tmp_path / "out", "Unweighted")
    give_weights(monkeypatch, tmp_path / "w2", b"two")
    arguments = ["--data", str(tiny_data), "--out", str(tmp_path / "out"), "--workers", "1"]
    for method in ("noisy-oracle", "static"):  # the same run's rows; another run's, which would share real features
        assert cli.run(["eval", "--method", method, *arguments, "--metrics", f"{PLUGIN}:Unweighted"]) == 2
        told = capsys.readouterr().err.splitlines()[-1]
        assert "was measured with other weights 'fan68'" in told
        assert "choose another --out" in told
    run(tiny_data, tmp_path / "other", "Unweighted")


def test_cautions_of_a_metric_are_notes_with_its_name(tiny_data, tmp_path):
    rows = rows_of(run(tiny_data, tmp_path, "Likeness", "Cautious"))
    assert "cautious@1: 12 pairs look odd" in rows["cautious@1"]["notes"]
    assert not any("odd" in note for note in rows["likeness@1"]["notes"])


def test_damaged_weights_are_named_with_their_file_and_are_not_called_missing(tiny_data, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "face_landmarker.task").write_text("another file")
    monkeypatch.setenv("TOONBENCH_WEIGHTS", str(folder))
    metrics = ["l1@1", "motion_agreement@1", "csim_sface@1", "lpips_alex@1"]
    result = run(tiny_data, tmp_path / "out", *metrics, method="static")
    assert {name: skip["kind"] for name, skip in result["skipped"].items()} == {
        "motion_agreement@1": "damaged", "csim_sface@1": "weights", "lpips_alex@1": "weights"
    }  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    [named] = [line for line in lines if line.startswith("motion_agreement@1: skipped")]
    assert "weights 'face-landmarker' are damaged" in named
    assert str(folder / "face_landmarker.task") in named
    assert named.endswith("run toonbench weights fetch face-landmarker")
    assert cli.run(["list", "metrics", "--json"]) == 0
    states = {row["metric"]: row["state"] for row in json.loads(capsys.readouterr().out)}
    assert (states["motion_agreement@1"], states["csim_sface@1"]) == ("damaged weights", "no weights")


def test_a_metric_that_fails_loses_its_own_rows_says_why_and_is_tried_again(tiny_data, tmp_path, monkeypatch):
    monkeypatch.setenv("MOODY", "generated")
    result = run(tiny_data, tmp_path, "l1@1", "Moody")
    rows = rows_of(result)
    assert (rows["l1@1"]["missing"], rows["moody@1"]["missing"]) == (0, 4)
    assert any(
        "4 of 12 pairs could not be measured" in note and "out of memory for now" in note
        for note in rows["moody@1"]["notes"]
    )
    assert not result["failures"]
    monkeypatch.delenv("MOODY")
    row = rows_of(run(tiny_data, tmp_path, "l1@1", "Moody", command="score"))["moody@1"]
    assert (row["missing"], row["coverage"]) == (0, 1)
    assert not [note for note in row["notes"] if "could not be measured" in note]


def test_a_metric_that_fails_on_real_frames_spoils_no_other(tiny_data, tmp_path, monkeypatch):
    monkeypatch.setenv("MOODY", "real")
    rows = rows_of(run(tiny_data, tmp_path, "l1@1", "Moody"))
    assert rows["l1@1"]["missing"] == 0
    assert rows["moody@1"]["missing"] == 12
    assert rows["moody@1"]["value"] is None


def test_features_of_a_changed_clip_are_made_anew_under_the_same_id(tiny_data, tmp_path):
    import pandas as pd

    from toonbench.data.folder import file_sha256

    data = shutil.copytree(tiny_data, tmp_path / "demo@1")
    before = rows_of(run(data, tmp_path / "out", "Likeness", method="static"))["likeness@1"]["value"]
    assert before == 0
    table = pd.read_parquet(data / "metadata.parquet")
    for at, row in table.iterrows():
        if row["kind"] == "image" and row["domain"] == "cartoon":
            path = data / row["file"]
            video.write_png(path, 255 - video.read_image(path))
            table.loc[at, "sha256"] = file_sha256(path)
    table.to_parquet(data / "metadata.parquet", index=False)
    arguments = ["eval", "--method", "static", "--data", str(data), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert cli.run([*arguments, "--metrics", f"{PLUGIN}:Likeness", "--fresh"]) == 0
    found = max((tmp_path / "out").rglob("result.json"), key=lambda path: path.stat().st_mtime_ns)
    assert rows_of(json.loads(found.read_text()))["likeness@1"]["value"] == 0, "the source of now, not that of before"


def test_a_reference_image_that_cannot_be_read_is_told_and_measured_when_it_can(tiny_data, tmp_path):
    data = shutil.copytree(tiny_data, tmp_path / "data")
    picture = data / "images" / "cartoon-image-1.png"
    kept = picture.read_bytes()
    picture.write_bytes(kept[:50])
    row = rows_of(run(data, tmp_path / "out", "Colour"))["colour@1"]
    assert row["details"]["reference images"] == 3
    assert any("1 of 4 reference images could not be measured (for example cartoon-image-1)" in n for n in row["notes"])
    picture.write_bytes(kept)
    row = rows_of(run(data, tmp_path / "out", "Colour"))["colour@1"]
    assert row["details"]["reference images"] == 4
    assert not [note for note in row["notes"] if "reference images" in note]
    assert not list((tmp_path / "out").rglob("reference+*"))


def test_equal_sets_count_only_what_was_measured():
    lost = np.full((10, 3), np.nan, np.float32)
    rows, reference = [lost, np.ones((10, 3), np.float32)], [np.zeros((1, 3), np.float32)] * 8
    kept, against = equal_sets(rows, reference)
    assert sum(map(len, kept)) == sum(map(len, against)) == 8
    assert np.isfinite(np.concatenate(kept)).all()


def test_lost_faces_lower_the_coverage_and_the_value_but_are_no_missing_pair(tiny_data, tmp_path, monkeypatch):
    monkeypatch.setattr(
        Likeness,
        "extract_features",
        lambda self, frames: np.full((len(frames), 3), np.nan if len(frames) > 1 else 0, np.float32),
    )
    row = rows_of(run(tiny_data, tmp_path, "Likeness"))["likeness@1"]
    assert (row["value"], row["missing"], row["coverage"]) == (-1, 0, 0)
    assert row["details"]["faces found"] == 0
