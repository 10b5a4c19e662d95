"""Films to a data set, and back from its list: the whole way, on a small film of two puppets."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from hub_client import pointed_client
from toonbench import video
from toonbench.cli import run
from toonbench.data import load
from toonbench.data.table import CANDIDATES, CLIPS, FAILURES
from toonbench.pool import Pool
from toonbench.prepare import output
from toonbench.prepare.films import cutting
from toonbench.prepare.films.clip_writer import ClipWriter
from toonbench.prepare.films.curation import Curation
from toonbench.prepare.films.explain import explained
from toonbench.prepare.films.pipeline import prepare_films
from toonbench.prepare.films.rebuild import rebuild
from toonbench.prepare.quality import Limits
from toonbench.puppets.catalogue import make_look
from toonbench.puppets.draw.render import render_clip
from toonbench.puppets.rig import generate
from toonbench.types import CannotWrite, ToonbenchError

WIDTH, HEIGHT, FPS = 224, 128, 25
OPTIONS = Curation(detector="drawn", size=64, shortest=1.0, limits=Limits(least_face_pixels=20, least_sharpness=0.0))


def shot(style, seed, *, at, frames=40):
    drawn = render_clip(make_look(style, seed), generate(seed, frames=frames), size=HEIGHT).frames
    picture = np.empty((frames, HEIGHT, WIDTH, 3), np.uint8)
    picture[:] = np.linspace(40 + seed * 30, 200, WIDTH, dtype=np.uint8)[None, None, :, None]
    picture[:, :, at : at + HEIGHT] = drawn
    return picture


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A film of two shots and a black end, at 25 frames a second."""
    folder = tmp_path_factory.mktemp("films")
    black = np.zeros((10, HEIGHT, WIDTH, 3), np.uint8)
    frames = np.concatenate([shot("cel", 1, at=10), shot("watercolour", 2, at=80), black])
    video.write_film(folder / "a film.mp4", iter(frames), fps=FPS, width=WIDTH, height=HEIGHT)
    return folder


@pytest.fixture(scope="module")
def made(film, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "set"
    return prepare_films(film, out, options=OPTIONS)


def copied(made, tmp_path) -> Path:
    return Path(shutil.copytree(made.out, tmp_path / "set"))


def tree(root):
    """The checksum of every file, without the lock."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != output.LOCK
    }


def test_each_shot_becomes_a_clip_of_its_face(made):
    rows = CLIPS.read(made.out)
    assert [(row["first"], row["frames"], row["fps"]) for row in rows] == [(0, 40, 25.0), (40, 40, 25.0)]
    assert all(row["title"] == "a film" and row["domain"] == "cartoon" for row in rows)
    assert len({row["identity"] for row in rows}) == 2
    data = load(made.out)
    assert all(not clip.problem for clip in data.clips)
    frames = video.read_video(made.out / rows[1]["file"]).frames
    assert frames.shape == (40, 64, 64, 3)


def test_every_candidate_has_a_fate_and_a_dropped_one_a_reason(made):
    rows = CANDIDATES.read(made.out)
    assert sorted({row["fate"] for row in rows}) == ["dropped", "kept"]
    assert all(bool(row["reason"]) == (row["fate"] == "dropped") for row in rows)
    frames = sorted((row["first"], row["last"]) for row in rows)
    assert frames[0][0] == 0
    assert frames[-1][1] >= 88, "the black end is a candidate, too"


def test_a_second_run_reads_no_film_and_changes_nothing(film, made, tmp_path, monkeypatch):
    out = copied(made, tmp_path)
    before = tree(out)

    def refuse(*args, **options):
        raise AssertionError("decoded")

    for name in ("iter_frames", "iter_lazy_frames"):
        monkeypatch.setattr(cutting.video, name, refuse)
    prepare_films(film, out, options=OPTIONS)
    assert tree(out) == before


@pytest.mark.parametrize("stage", ["shots", "faces", "clips"])
def test_a_killed_run_resumes_to_the_same_bytes(film, made, tmp_path, monkeypatch, stage):
    out = tmp_path / "set"

    def stop(*args, **options):
        raise KeyboardInterrupt

    place = {"shots": (cutting, "shots_between"), "faces": (cutting, "find_tracks"), "clips": (ClipWriter, "finish")}
    with monkeypatch.context() as patched:
        patched.setattr(*place[stage], stop)
        with pytest.raises(KeyboardInterrupt):
            prepare_films(film, out, options=OPTIONS)
    assert not list(out.glob("clips/*.mkv"))
    prepare_films(film, out, options=OPTIONS)
    assert tree(out) == tree(made.out)


@pytest.mark.parametrize("place", ["find_transitions", "cut_parts"])
def test_a_full_disk_stops_the_run_and_is_no_fault_of_a_film(film, made, tmp_path, monkeypatch, place):
    out = tmp_path / "set"

    def full(*args, **options):
        raise CannotWrite("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(cutting, place, full)
        with pytest.raises(CannotWrite):
            prepare_films(film, out, options=OPTIONS)
    assert not (out / "metadata.parquet").exists()
    prepare_films(film, out, options=OPTIONS)
    assert tree(out) == tree(made.out)


@pytest.mark.slow
def test_the_bytes_do_not_depend_on_the_workers(film, made, tmp_path):
    raw = tmp_path / "films"
    shutil.copytree(film, raw)
    shutil.copy(raw / "a film.mp4", raw / "b film.mp4")
    for workers in (1, 2):
        prepare_films(raw, tmp_path / str(workers) / "set", options=OPTIONS, pool=Pool(workers=workers))
    assert tree(tmp_path / "1") == tree(tmp_path / "2")


def test_near_duplicates_are_kept_once(film, made, tmp_path):
    raw = tmp_path / "films"
    shutil.copytree(film, raw)
    frames = list(video.iter_frames(raw / "a film.mp4", longest=200))
    height, width = frames[0].shape[:2]
    video.write_film(raw / "copy.mp4", iter(frames), fps=FPS, width=width - width % 2, height=height - height % 2)
    again = prepare_films(raw, tmp_path / "set", options=OPTIONS)
    assert len(again.kept) == 2
    dropped = [fate for fate in again.fates if fate.stage == "duplicates"]
    assert len(dropped) == 2
    assert all("near-duplicate of film-a" in fate.reason for fate in dropped)
    assert len(list((tmp_path / "set" / "dropped").glob("*.mkv"))) == 2


def test_other_limits_decide_again_without_cutting(film, made, tmp_path, monkeypatch):
    out = copied(made, tmp_path)
    monkeypatch.setattr(cutting, "cut_parts", lambda *args, **options: pytest.fail("cut again"))
    strict = Curation(detector="drawn", size=64, shortest=1.0, limits=Limits(least_face_pixels=500))
    assert not prepare_films(film, out, options=strict).kept
    assert not list(out.glob("clips/*.mkv"))
    rows = CANDIDATES.read(out)
    assert sum("pixels" in row.get("reason", "") for row in rows) == 2
    prepare_films(film, out, options=OPTIONS)
    assert tree(out) == tree(made.out)


def test_a_review_drops_keeps_and_names(film, made, tmp_path):
    out = copied(made, tmp_path)
    first, second = (fate.candidate.id for fate in made.kept)
    decisions = {first: {"keep": "drop"}, second: {"identity": "Élise <b>"}}
    (out / "review.json").write_text(json.dumps({"toonbench": "review", "version": 1, "clips": decisions}))
    again = prepare_films(film, out, options=OPTIONS)
    assert [(fate.candidate.id, fate.identity) for fate in again.kept] == [(second, "Élise <b>")]
    assert (out / "dropped" / f"{first}.mkv").is_file()
    (row,) = CLIPS.read(out)
    assert row["identity_by"] == "review"
    strict = Curation(detector="drawn", size=64, shortest=1.0, limits=Limits(least_face_pixels=500))
    (out / "review.json").write_text(
        json.dumps({"toonbench": "review", "version": 1, "clips": {first: {"keep": "keep"}}})
    )
    assert [fate.candidate.id for fate in prepare_films(film, out, options=strict).kept] == [first]


def test_the_review_of_another_run_is_an_error(film, made, tmp_path):
    out = copied(made, tmp_path)
    before = tree(out)
    path = tmp_path / "other.json"
    path.write_text(json.dumps({"toonbench": "review", "version": 1, "clips": {"film-x--1-2": {"keep": "drop"}}}))
    with pytest.raises(ToonbenchError, match="the review of another run"):
        prepare_films(film, out, options=OPTIONS, review=path)
    assert tree(out) == before


def test_bad_files_among_good_ones_are_recorded(film, tmp_path):
    raw = tmp_path / "films"
    shutil.copytree(film, raw)
    (raw / "empty.mp4").touch()
    (raw / "page.mp4").write_text("<html>not found</html>")
    (raw / "cut.mp4").write_bytes((raw / "a film.mp4").read_bytes()[:3000])
    made = prepare_films(raw, tmp_path / "set", options=OPTIONS)
    assert len(made.kept) == 2
    rows = FAILURES.read(made.out)
    assert sorted(row["file"] for row in rows) == ["cut.mp4", "empty.mp4", "page.mp4"]
    assert all(row["file"] in row["reason"] and str(tmp_path) not in row["reason"] for row in rows)


def test_a_film_without_a_face_has_no_clips_and_says_so(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (1, HEIGHT, WIDTH, 3), dtype=np.uint8).repeat(40, 0)
    video.write_film(tmp_path / "a.mp4", iter(frames), fps=FPS, width=WIDTH, height=HEIGHT)
    assert run(["prepare-cartoon", str(tmp_path), "--out", str(tmp_path / "set"), "--detector", "drawn", "-q"]) == 1
    assert not CLIPS.read(tmp_path / "set")
    assert explained(tmp_path / "set", "a")[1].endswith("dropped by faces: no face was found in this shot")


def test_two_runs_in_one_folder_are_refused(film, made):
    with (
        output.own_folder(made.out, command="prepare-cartoon"),
        pytest.raises(ToonbenchError, match="another run works in"),
    ):
        prepare_films(film, made.out, options=OPTIONS)


def test_an_output_that_is_a_file_is_one_line(film, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ToonbenchError, match="cannot be written"):
        prepare_films(film, tmp_path / "file", options=OPTIONS)


def test_another_rate_is_recorded(film, tmp_path):
    options = Curation(detector="drawn", size=64, shortest=1.0, fps=30, limits=OPTIONS.limits)
    made = prepare_films(film, tmp_path / "set", options=options)
    row = CLIPS.read(made.out)[0]
    assert (row["fps"], row["film_fps"], row["frames"]) == (30.0, 25.0, 48)
    assert "resampled from 25 to 30 fps" in row["provenance"]
    assert video.probe(made.out / row["file"]).fps == 30


def test_a_smoothed_crop_moves_with_the_face(film, tmp_path):
    options = Curation(detector="drawn", size=64, shortest=1.0, crop="smoothed", limits=OPTIONS.limits)
    made = prepare_films(film, tmp_path / "set", options=options)
    squares = made.kept[0].record["squares"]
    assert len(squares) == made.kept[0].record["frames"]
    assert CLIPS.read(made.out)[0]["remarks"] == "the square moves with the face"


def test_a_list_makes_the_same_bytes_from_a_renamed_film(film, made, tmp_path):
    (tmp_path / "mine").mkdir()
    shutil.copy(film / "a film.mp4", tmp_path / "mine" / "ANOTHER name.mp4")
    done = rebuild(made.out, tmp_path / "mine", tmp_path / "again")
    assert (done.same, done.other_copy, dict(done.missing)) == (2, 0, {})
    for row in CLIPS.read(made.out):
        assert (tmp_path / "again" / row["file"]).read_bytes() == (made.out / row["file"]).read_bytes()
    assert [row["identity"] for row in CLIPS.read(tmp_path / "again")] == [
        row["identity"] for row in CLIPS.read(made.out)
    ]


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # the Hub's client
@pytest.mark.parametrize("domain", ["real", "cartoon"])
def test_a_published_list_makes_the_same_bytes(film, made, tmp_path, monkeypatch, capsys, domain):
    pytest.importorskip("huggingface_hub", reason="needs toonbench[hub]")
    out = copied(made, tmp_path)
    listed = json.loads((out / "manifest.json").read_text())
    listed["films"][0] |= {"domain": domain, "title": "<b>Filmed</b> 😀", "licence": "all rights reserved"}
    (out / "manifest.json").write_text(json.dumps(listed))
    with pointed_client(monkeypatch, tmp_path) as hub:
        assert run(["publish", "dataset", "acme/list", "--data", str(out), "--manifest-only"]) == 0
        assert not [
            path for path in hub.repo("datasets", "acme/list").files() if path.endswith((".mkv", ".mp4", ".jpg"))
        ]
        command = [
            "rebuild",
            "hf:acme/list@main",
            "--films",
            str(film),
            "--out",
            str(tmp_path / "mine"),
            "--workers",
            "1",
        ]
        assert run(command) == 0
        assert "2 of 2 clips are the same bytes" in capsys.readouterr().out
        assert run(["rebuild", "hf:acme/list@v2", *command[2:]]) == 2
        assert "it has no such revision" in capsys.readouterr().err
    assert load(tmp_path / "mine").fingerprint == load(made.out).fingerprint
    rows = CLIPS.read(tmp_path / "mine")
    assert {(row["domain"], row["title"], row["licence"]) for row in rows} == {
        (domain, "<b>Filmed</b> 😀", "all rights reserved")
    }
    for row in rows:
        assert (tmp_path / "mine" / row["file"]).read_bytes() == (made.out / row["file"]).read_bytes()


def test_a_newer_list_gives_clips_that_exist_its_own_facts(film, made, tmp_path):
    rebuild(made.out, film, tmp_path / "again")
    out = copied(made, tmp_path)
    listed = json.loads((out / "manifest.json").read_text())
    for clip in listed["clips"]:
        clip["split"] = "held out"
    (out / "manifest.json").write_text(json.dumps(listed))
    rebuild(out, film, tmp_path / "again")
    assert {row["split"] for row in CLIPS.read(tmp_path / "again")} == {"held out"}


def test_another_copy_of_a_film_is_checked_and_marked(film, made, tmp_path):
    raw = tmp_path / "mine"
    raw.mkdir()
    frames = list(video.iter_frames(film / "a film.mp4", longest=168))
    video.write_film(raw / "copy.mp4", iter(frames), fps=FPS, width=168, height=96)
    video.write_film(
        raw / "other.mp4", iter([255 - frame[::-1] for frame in frames[::-1]]), fps=FPS, width=168, height=96
    )
    done = rebuild(made.out, raw, tmp_path / "again")
    assert (done.same, done.other_copy, dict(done.missing)) == (0, 2, {})
    assert all("another copy" in row["remarks"] for row in CLIPS.read(tmp_path / "again"))
    (raw / "copy.mp4").unlink()
    nothing = rebuild(made.out, raw, tmp_path / "nothing")
    assert len(nothing.missing) == 2
    assert all("other.mp4 shows something else" in reason for reason in nothing.missing.values())
    for path in raw.iterdir():
        path.unlink()
    video.write_film(raw / "short.mp4", iter(frames[:20]), fps=FPS, width=168, height=96)
    shorter = rebuild(made.out, raw, tmp_path / "shorter")
    assert all("no file in the folder is a film.mp4" in reason for reason in shorter.missing.values())
    assert not list((tmp_path / "nothing" / "clips").glob("*.mkv"))


def test_the_command_reports_and_explains(film, made, tmp_path, capsys):
    out = copied(made, tmp_path)
    clip = made.kept[0].candidate.id
    assert run(["prepare-cartoon", str(film), "--out", str(out), "--explain", clip]) == 0
    text = capsys.readouterr().out
    assert f"{clip}: kept" in text
    assert "frames 0 to 39 of a film.mp4" in text
    assert run(["prepare-cartoon", str(film), "--out", str(out), "--explain", clip[:-1]]) == 2
    assert f"did you mean {clip}" in capsys.readouterr().err


def test_a_run_is_compared_with_labels(film, made, tmp_path):
    from toonbench.prepare.films.check import check_run

    labels = {"frames": 90, "changes": [{"kind": "cut", "start": 40, "end": 40}], "unknown": [[79, 90]]}
    (tmp_path / "a film.gt.json").write_text(json.dumps(labels))
    lines = check_run(film, made.out, tmp_path, options=OPTIONS)
    assert "  cut: 1 found, 0 missed, 0 false; F1 1.000" in lines
    assert "  0 of 2 clips show frames of two shots" in lines


def test_the_set_loads_with_datasets_after_it_was_moved(made, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    datasets = pytest.importorskip("datasets")
    out = copied(made, tmp_path)
    for streaming in (False, True):
        loaded = datasets.load_dataset(str(out), streaming=streaming, cache_dir=str(tmp_path / "cache"))
        rows = [row for part in loaded.values() for row in part.cast_column("video", datasets.Video(decode=False))]
        assert sorted(row["id"] for row in rows) == [fate.candidate.id for fate in made.kept]
        assert all(row["identity"] and row["title"] == "a film" for row in rows)
