import errno
import hashlib
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from toonbench.cli import run
from toonbench.pool import Pool
from toonbench.puppets.films.make import make_films
from toonbench.puppets.films.play import boundaries, picture_box, play
from toonbench.puppets.films.script import OVERLAPS, Script
from toonbench.puppets.films.shots import drawing_times
from toonbench.puppets.films.writer import KINDS, draw_script
from toonbench.types import ToonbenchError
from toonbench.video import iter_frames, probe, write_film

RECIPE = {"films": 2, "seed": 8, "height": 72, "seconds": (5.0, 6.0), "styles": ("real", "disney3d")}
SCRIPTS = range(12)


def _bytes(root: Path) -> dict[str, str]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _script(seed: int, *, seconds: tuple[float, float] = (20, 60)) -> Script:
    return draw_script("film", seed, domain="cartoon", style="disney3d", fps=24, seconds=seconds, aspect=16 / 9)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("films") / "one"
    assert make_films(root, **RECIPE) == 2
    return root


@pytest.fixture(scope="module")
def truths(made) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted((made / "truth").glob("*.json"))]


@pytest.fixture(scope="module")
def drawn() -> tuple[Script, list[np.ndarray], list[dict]]:
    """A film with a flash, a whip pan, a cut and a dissolve, not encoded: script, frames, and faces of each frame."""
    scripts = (_script(seed, seconds=(15, 17)) for seed in range(1000))
    script = next(s for s in scripts if {"flash", "whip"} <= {shot.kind for shot in s.shots} and
                  {"dissolve", "cut"} <= {shot.transition for shot in s.shots})  # fmt: skip
    takes = list(play(script, width=128, height=72))
    return script, [take.frame for take in takes], [take.faces for take in takes]


def test_the_table_describes_the_films(made):
    table = pd.read_parquet(made / "films.parquet")
    assert list(table.domain) == ["real", "cartoon"]
    for _, row in table.iterrows():
        assert hashlib.sha256((made / row.file).read_bytes()).hexdigest() == row.sha256
        info = probe(made / row.file)
        assert (info.width, info.height, info.fps) == (row.width, row.height, row.fps) == (128, 72, row.fps)
        assert sum(1 for _ in iter_frames(made / row.file)) == row.frames
        assert row.licence == "CC0-1.0"
    assert "No person is shown" in (made / "README.md").read_text()


def test_shots_cover_every_frame_once_and_transitions_lie_round_their_boundaries(truths):
    for truth in truths:
        edges = [0, *(shot["end"] for shot in truth["shots"])]
        assert edges[-1] == truth["frames"]
        for shot, start in zip(truth["shots"], edges, strict=False):
            assert shot["start"] == start < shot["end"]
            assert shot["seen"][0] <= shot["start"]
            assert shot["end"] <= shot["seen"][1]
            into = shot["transition_in"]
            assert into["start"] <= shot["start"] <= into["end"]
            assert (into["start"] == into["end"]) == (into["kind"] in ("none", "cut"))


def test_tracks_stay_in_their_shot_and_one_person_has_one_track_a_shot(truths):
    for truth in truths:
        people = {person["id"] for person in truth["identities"]}
        seen = set()
        for track in truth["tracks"]:
            shot = truth["shots"][track["shot"]]
            assert shot["seen"][0] <= track["start"] < track["end"] <= shot["seen"][1]
            assert not shot["faceless"]
            assert track["identity"] in people
            assert (track["shot"], track["identity"]) not in seen
            seen.add((track["shot"], track["identity"]))
            frames = track["end"] - track["start"]
            assert len(track["boxes"]) == len(track["heads"]) == len(track["visible"]) == frames
            assert track["boxes"][0]
            assert track["boxes"][-1]
            for box, share in zip(track["boxes"], track["visible"], strict=True):
                assert (box is None) == (share == 0)
        faces = {track["shot"] for track in truth["tracks"]}
        assert faces == {shot["index"] for shot in truth["shots"] if not shot["faceless"]}


def test_boxes_are_those_of_the_landmarks_and_heads_hold_them(made, truths):
    for truth in truths:
        with np.load((made / "truth" / truth["id"]).with_suffix(".npz")) as exact:
            assert len(exact["track"]) == sum(share > 0 for t in truth["tracks"] for share in t["visible"])
            for index, frame, points in zip(exact["track"], exact["frame"], exact["landmarks"], strict=True):
                track = truth["tracks"][index]
                box, head = (np.array(track[name][frame - track["start"]]) for name in ("boxes", "heads"))
                assert np.allclose(box, [*points[:68].min(0), *points[:68].max(0)], atol=0.01)
                assert (head[:2] <= box[:2] + 2).all()
                assert (head[2:] >= box[2:] - 2).all()


def test_frames_change_more_at_a_cut_than_inside_any_shot_but_a_flash_or_a_whip_pan(drawn):
    script, frames, _ = drawn
    change = [0.0] + [np.abs(b.astype(int) - a).mean() for a, b in pairwise(frames)]
    edges = [*boundaries(script), script.frames]
    cuts = [start for start, shot in zip(edges, script.shots, strict=False)
            if shot.transition == "cut" and shot.relation != "jump_cut"]  # fmt: skip
    inside = list[float]()
    for i, shot in enumerate(script.shots):
        if not (shot.camera.whip or shot.flashes or shot.lightning):
            last = script.fade_out if i + 1 == len(script.shots) else script.shots[i + 1].overlap
            inside += change[edges[i] + shot.overlap + 1 : edges[i + 1] - last]
    assert len(inside) > 50
    assert min(change[t] for t in cuts) > 12 > max(inside)


def test_a_boundary_inside_a_dissolve_shows_both_shots_equally(drawn):
    script, frames, _ = drawn
    for index, shot in enumerate(script.shots):
        if shot.transition == "dissolve":
            before, after = (
                frames[t].astype(int) for t in (script.starts[index] - 1, script.starts[index] + shot.overlap)
            )
            middle = frames[boundaries(script)[index]].astype(int)
            to_first, to_second = (np.abs(middle - other).mean() for other in (before, after))
            assert 0.4 < to_first / (to_first + to_second) < 0.7
            return
    pytest.fail("the film has no dissolve")


def test_held_frames_are_identical_before_encoding_and_follow_the_script(drawn, tmp_path):
    from toonbench.puppets.films.truth import Recorder

    script, frames, _ = drawn
    recorder = Recorder(script, width=128, height=72)
    for _frame in recorder.watch(play(script, width=128, height=72)):
        pass
    recorder.write(tmp_path / "t.json", tmp_path / "t.npz", file="f.mp4")
    shots = json.loads((tmp_path / "t.json").read_text())["shots"]
    held = {t for shot in shots for start, end in shot["held"] for t in range(start + 1, end)}
    assert all(np.array_equal(frames[t], frames[t - 1]) for t in held)
    for start, shot in zip(script.starts, script.shots, strict=True):
        drawings = drawing_times(shot)
        for t in range(shot.overlap + 1, shot.frames - 25):
            marked = {t, t - 1} & {*shot.flashes, *shot.lightning}
            if drawings[t] == drawings[t - 1] and not marked:
                assert start + t in held


def test_flashes_are_white_frames_without_a_face(drawn):
    script, frames, faces = drawn
    left, top, right, bottom = picture_box(script, width=128, height=72)
    found = 0
    for index, (start, shot) in enumerate(zip(script.starts, script.shots, strict=True)):
        for t in shot.flashes:
            assert (frames[start + t][top:bottom, left:right] == 255).all()
            assert faces[start + t][index] == (None,)
            found += 1
    assert found


def test_bars_are_black_and_the_picture_between_them_is_not():
    script = next(s for s in map(_script, range(20)) if s.bars[1] > 0)
    _, top, _, bottom = picture_box(script, width=128, height=72)
    assert 0 < top < bottom < 72
    takes = play(script, width=128, height=72)
    frames = [next(takes).frame for _ in range(script.shots[0].frames)]
    assert not any(frame[:top].any() or frame[bottom:].any() for frame in frames)
    assert max(frame[top:bottom].mean() for frame in frames) > 8


def test_a_face_behind_another_or_out_of_the_picture_is_seen_less(truths):
    shares = [share for truth in truths for track in truth["tracks"] for share in track["visible"]]
    assert min(shares) >= 0
    assert max(shares) == 1
    script = next(s for s in map(_script, SCRIPTS) if "walk" in [shot.kind for shot in s.shots])
    index = [shot.kind for shot in script.shots].index("walk")
    from toonbench.puppets.films.shots import shoot

    seen = list(shoot(script, script.shots[index], width=128, height=72))
    assert seen[0].faces == (None,) or seen[0].faces[0].share < 0.2
    assert max(face.share for one in seen for face in one.faces if face) == pytest.approx(1)


def test_every_kind_of_shot_transition_and_relation_occurs():
    shots = [shot for seed in SCRIPTS for shot in _script(seed).shots]
    assert {shot.kind for shot in shots} == set(KINDS)
    assert {shot.transition for shot in shots} == {"none", "cut", "dissolve", "wipe", "fade_black", "fade_white"}
    assert {shot.relation for shot in shots} == {"", "jump_cut", "lookalike", "returns"}
    assert {shot.step for shot in shots} == {1, 2, 3}
    bars = {tuple(bar > 0 for bar in _script(seed).bars) for seed in SCRIPTS}
    assert bars == {(False, False), (True, False), (False, True)}


def test_scripts_keep_their_length_and_at_most_two_shots_are_seen_at_a_time():
    for seed in SCRIPTS:
        script = _script(seed)
        assert 15 < script.frames / script.fps < 66
        ends = [start + shot.frames for start, shot in zip(script.starts, script.shots, strict=True)]
        assert all(end <= start for end, start in zip(ends, script.starts[2:], strict=False))
        for start, shot, end in zip(script.starts, script.shots, ends, strict=True):
            inside = shot.frames - shot.overlap
            assert inside > 24
            assert shot.overlap == 0 or shot.transition not in ("none", "cut")
            assert shot.transition in OVERLAPS or end - start == shot.frames


def test_two_workers_write_the_same_bytes_as_one(made, tmp_path):
    make_films(tmp_path / "two", pool=Pool(workers=2), **RECIPE)
    assert _bytes(tmp_path / "two") == _bytes(made)


def test_a_run_resumes_what_is_missing_with_the_same_bytes(made):
    before = _bytes(made)
    first, second = sorted((made / "films").iterdir())
    stamp = second.stat().st_mtime_ns
    (made / "truth" / first.name).with_suffix(".json").unlink()
    (made / "films.parquet").unlink()
    make_films(made, **RECIPE)
    assert _bytes(made) == before
    assert second.stat().st_mtime_ns == stamp


def test_a_folder_of_another_recipe_is_refused(made):
    with pytest.raises(ToonbenchError, match="another recipe"):
        make_films(made, **{**RECIPE, "seed": 9})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"films": 0}, "must be 1 or more"),
        ({"seconds": (9.0, 5.0)}, "minimum and maximum"),
        ({"height": 71}, "must be even"),
        ({"domain": "anime"}, "Unknown domain 'anime'"),
        ({"styles": ("disny3d",)}, "Did you mean 'disney3d'"),
        ({"styles": ("real",), "domain": "cartoon"}, "'real' is not of the domain cartoon"),
    ],
)
def test_a_bad_request_is_refused_before_anything_is_written(tmp_path, change, message):
    with pytest.raises(ToonbenchError, match=message):
        make_films(tmp_path / "out", **{**RECIPE, **change})
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_told_in_one_line(tmp_path, monkeypatch, capsys):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    arguments = ["make-films", "--out", str(tmp_path / "out"), "--films", "1", "--height", "72", "--seconds", "5", "6"]
    assert run(arguments) == 2
    told = capsys.readouterr().err
    assert "disk is full" in told
    assert told.count("\n") == 1


def test_a_place_that_cannot_be_written_is_told_in_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run(["make-films", "--out", str(tmp_path / "file" / "out"), "--films", "1"]) == 2
    assert "choose another place" in capsys.readouterr().err


def test_encoding_keeps_every_frame_in_its_place_and_colour(tmp_path):
    rng = np.random.default_rng(0)
    tones = rng.integers(0, 256, (40, 3), dtype=np.uint8)
    path = tmp_path / "film.mp4"
    assert write_film(path, (np.full((36, 64, 3), tone) for tone in tones), fps=25, width=64, height=36) == 40
    decoded = np.stack(list(iter_frames(path))).mean((1, 2))
    assert np.abs(decoded - tones).max() < 4


def test_encoding_refuses_odd_sides_other_sizes_and_no_frames(tmp_path):
    for width, frames, message in (
        (35, [], "even"),
        (64, [], "at least one"),
        (64, [np.zeros((2, 2, 3), np.uint8)], "not"),
    ):
        with pytest.raises(ToonbenchError, match=message):
            write_film(tmp_path / "film.mp4", frames, fps=25, width=width, height=36)
    assert not list(tmp_path.iterdir())
