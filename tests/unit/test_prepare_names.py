"""Ids, identities and the listing of a user's folder: any names, nothing lost, no id changes when a file is added."""

import os
import string
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from toonbench import store
from toonbench.prepare.listing import list_folder, natural
from toonbench.prepare.metadata import read_stated
from toonbench.prepare.names import clip_id, identity_of
from toonbench.types import ToonbenchError

NAMES = [
    "d0.mp4", "d0.mov", "d0.MP4", "d0.mkv", "张三.mp4", "李四.mp4", "Ünïcödé.mp4", "Unicode.mp4", "ひらがな カタカナ.mp4", "a b.mp4",
    "a-b.mp4", "a_b.mp4", "a/b.mp4", "a/b#1.mp4", "a--b.mp4", "-a.mp4", "a-.mp4", "👩‍🎤.mp4", "x" * 251 + ".mp4",
    "x" * 250 + "y.mp4", "id10283#zQ#1.mp4", "id10283#zQ#2.mp4", "%d.mp4", "a.b.mp4", "a.mp4.mp4",
]  # fmt: skip


def made(root: Path, *names: str) -> Path:
    """Empty files with these names below `root`."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def ids(root: Path) -> dict[str, str]:
    return {str(one.path): one.id for one in list_folder(root, read_stated(root)).found}


# --- ids -------------------------------------------------------------------------------------------------------------


def test_every_name_has_an_id_of_its_own_that_is_fit_for_file_names():
    found = [clip_id(PurePosixPath("real_videos", name), kind="video") for name in NAMES]
    assert len({one.lower() for one in found}) == len(NAMES)
    allowed = set(string.ascii_letters + string.digits + "_-.")
    for one in found:
        assert set(one) <= allowed
        assert one.startswith("real_videos-")
        assert len(one) <= 115


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=60), unique=True))
def test_different_names_have_different_ids(names):
    paths = [PurePosixPath("real_images", f"{name}.png") for name in names if name not in (".", "..")]
    found = {clip_id(path, kind="image") for path in paths}
    assert len(found) == len(set(paths))


def test_simple_names_stay_readable():
    assert clip_id(PurePosixPath("real_videos/d0.mp4"), kind="video") == "real_videos-d0"
    assert clip_id(PurePosixPath("real_images/face.png"), kind="image") == "real_images-face"
    assert clip_id(PurePosixPath("real_images/face.jpg"), kind="image") == "real_images-face-jpg"
    assert clip_id(PurePosixPath("real_videos/anna/take1.mp4"), kind="video") == "real_videos-anna--take1"
    assert clip_id(PurePosixPath("real_videos/id1"), kind="video", folder=True) == "real_videos-id1"


def test_adding_a_file_changes_no_other_id(tmp_path):
    names = [f"real_videos/{name}" for name in NAMES if len(name) < 200]
    before: dict[str, str] = {}
    for name in sorted(names, key=lambda name: name[::-1]):
        after = ids(made(tmp_path, name))
        assert {path: after[path] for path in before} == before
        before = after


def test_names_that_some_file_systems_do_not_tell_apart_are_one_problem(tmp_path):
    found = list_folder(made(tmp_path, "real_videos/a.mp4", "real_videos/A.mp4", "real_videos/b.mp4"), {}).found
    problems = {str(one.path): one.problem for one in found}
    assert sum(bool(problem) for problem in problems.values()) == 1
    assert "rename one of them" in "".join(problems.values())
    assert len({one.id.lower() for one in found}) == 3


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_name_that_is_not_text_is_a_problem_of_that_file_only(tmp_path):
    made(tmp_path, "real_videos/good.mp4", "real_videos/new\nline.mp4", "real_videos/\x1b[2J.mp4")
    Path(os.fsdecode(os.fsencode(tmp_path / "real_videos") + b"/\xff\xfe.mp4")).write_bytes(b"x")
    found = list_folder(tmp_path, {}).found
    assert len(found) == len({one.id for one in found}) == 4
    assert sorted(bool(one.problem) for one in found) == [False, True, True, True]
    assert {one.problem for one in found} == {
        "",
        "its name has control characters: rename it",
        "its name is not UTF-8: rename it",
    }
    for one in found:
        assert one.id.isprintable()
        assert one.identity.isprintable()


# --- identities ------------------------------------------------------------------------------------------------------


def test_the_rules_of_identity_in_their_order():
    def rule(path: str, stated: str = "") -> tuple[str, str]:
        return identity_of(PurePosixPath(path), stated=stated)

    assert rule("real_videos/anna/id1#x.mp4", "Anna") == ("Anna", "metadata")
    assert rule("real_videos/anna/id1#x.mp4") == ("anna", "folder")
    assert rule("real_videos/anna/deep/x.mp4") == ("anna", "folder")
    assert rule("real_videos/id1#zQ#000001#000090.mp4") == ("id1", "name")
    assert rule("real_images/id1#yT#000200.png") == ("id1", "name"), "one person in both folders"
    assert rule("real_videos/x.mp4")[1] == "file"
    assert rule("real_videos/x.mp4")[0] != rule("real_images/x.png")[0], "equal stems are not one person"
    assert rule("real_videos/#x.mp4")[1] == "file"


@pytest.mark.parametrize("place", ["metadata.csv", "real_videos/metadata.csv", "metadata.parquet"])
def test_a_table_states_identity_and_rate(place, tmp_path):
    import pandas as pd

    made(tmp_path, "real_videos/a.mp4", "real_videos/张三.mp4")
    prefix = "" if "/" in place else "real_videos/"
    table = pd.DataFrame(
        {"file_name": [f"{prefix}a.mp4", f"{prefix}张三.mp4"], "Person": ["Zoë", ""], "fps": ["30", ""]}
    )
    path = tmp_path / place
    table.to_csv(path, index=False) if path.suffix == ".csv" else table.to_parquet(path, index=False)
    found = {str(one.path): one for one in list_folder(tmp_path, read_stated(tmp_path)).found}
    a, b = found["real_videos/a.mp4"], found["real_videos/张三.mp4"]
    assert (a.identity, a.rule, a.fps) == ("Zoë", "metadata", 30)
    assert (b.rule, b.fps) == ("file", 0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name,person\na.mp4,x\n", "add one of file, file_name"),
        ("", "cannot be read as a table"),
    ],
)
def test_an_unusable_table_is_one_line(text, told, tmp_path):
    made(tmp_path, "real_videos/a.mp4")
    (tmp_path / "metadata.csv").write_text(text)
    with pytest.raises(ToonbenchError, match=told) as error:
        read_stated(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("rate", ["-3", "0", "0.0", "nan", "inf", "1e999", "fast", "1001", "2\x1b[31m"])
def test_a_rate_that_is_none_fails_that_video_only(rate, suffix, tmp_path):
    import pandas as pd

    made(tmp_path, "real_videos/a.mp4", "real_videos/b.mp4", "real_images/c.png")
    files = ["real_videos/a.mp4", "real_videos/b.mp4", "real_images/c.png"]
    table = pd.DataFrame({"file": files, "fps": [rate, "24", rate], "person": ["x", "y", "z"]})
    path = tmp_path / f"metadata{suffix}"
    table.to_csv(path, index=False) if suffix == ".csv" else table.to_parquet(path, index=False)
    a, b, c = list_folder(tmp_path, read_stated(tmp_path)).found
    assert a.problem.startswith("its metadata table states the fps ")
    assert a.problem.isprintable()
    assert (a.identity, a.fps, b.problem, b.fps, c.problem, c.fps) == ("x", 0, "", 24, "", 0)


def test_numbers_as_rates_of_a_parquet_table_may_be_missing(tmp_path):
    import pandas as pd

    made(tmp_path, "real_videos/a.mp4", "real_videos/b.mp4", "real_videos/c.mp4")
    files = ["real_videos/a.mp4", "real_videos/b.mp4", "real_videos/c.mp4"]
    pd.DataFrame({"file": files, "fps": [None, float("inf"), 24.0]}).to_parquet(tmp_path / "metadata.parquet")
    a, b, c = list_folder(tmp_path, read_stated(tmp_path)).found
    assert (a.problem, a.fps, c.fps) == ("", 0, 24)
    assert "states the fps inf" in b.problem


# --- what belongs to a clip ------------------------------------------------------------------------------------------


def test_side_files_are_counted_in_one_line_and_change_nothing(tmp_path):
    made(tmp_path, "real_videos/d0.mp4")
    alone = ids(tmp_path)
    side = [f"real_videos/d0{suffix}" for suffix in (".pkl", ".npy", ".wav", ".txt", ".json", ".JSON", ".ipynb", "")]
    listing = list_folder(made(tmp_path, *side, "real_videos/.DS_Store"), {})
    assert {str(one.path): one.id for one in listing.found} == alone
    (line,) = listing.lines()
    assert line == (
        "8 files that are no clips were left out: 1 .ipynb, 2 .json, 1 .npy, 1 .pkl, 1 .txt, 1 .wav, 1 without a suffix"
    )


@pytest.mark.parametrize("form", ["{:07d}.png", "{}.jpg", "frame_{}.png"])
def test_a_folder_of_frames_is_a_video_in_the_order_of_its_numbers(form, tmp_path):
    names = [form.format(index) for index in range(12)]
    made(
        tmp_path, *(f"real_videos/anna/clip/{name}" for name in names), "real_videos/id1/0.png", "real_videos/id1/1.png"
    )
    one, other = list_folder(tmp_path, {}).found
    assert (one.id, one.identity, one.frames) == ("real_videos-anna--clip", "anna", tuple(names))
    assert (other.id, other.rule, len(other.frames)) == ("real_videos-id1", "file", 2)


def test_numbers_in_names_count_as_numbers():
    assert sorted(["10.png", "9.png", "1.png", "b2.png", "B1.png"], key=natural) == [
        "1.png", "9.png", "10.png", "B1.png", "b2.png",
    ]  # fmt: skip


def test_pictures_beside_videos_are_left_out_with_advice(tmp_path):
    listing = list_folder(made(tmp_path, "real_videos/a.mp4", "real_videos/1.png", "real_videos/2.png"), {})
    assert [one.id for one in listing.found] == ["real_videos-a"]
    (line,) = listing.lines()
    assert line.startswith("2 pictures lie in real_videos itself and were left out: put the frames")


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_links_to_folders_are_named_and_not_followed(tmp_path):
    made(tmp_path, "elsewhere/a.mp4", "set/real_videos/b.mp4")
    (tmp_path / "set" / "real_videos" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "real_videos" / "loop").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "real_videos" / "c.mp4").symlink_to(tmp_path / "elsewhere" / "a.mp4")
    listing = list_folder(tmp_path / "set", {})
    assert [one.id for one in listing.found] == ["real_videos-b", "real_videos-c"], "links to files are files"
    assert [line.partition(" is a link")[0] for line in listing.lines()] == ["real_videos/linked", "real_videos/loop"]


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    made(tmp_path, "real_videos/shut/a.mp4", "real_videos/b.mp4")
    scan = os.scandir

    def refusing(path):
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    listing = list_folder(tmp_path, {})
    assert [one.id for one in listing.found] == ["real_videos-b"]
    assert listing.lines() == ["real_videos/shut cannot be read (Permission denied): check its permissions"]


# --- names of runs ---------------------------------------------------------------------------------------------------


def test_long_names_that_differ_at_their_end_stay_different():
    texts = ["x" * 200 + end for end in ("@1", "@2", "y")] + ["x" * 150, "runs@1"]
    names = [store.safe_name(text) for text in texts]
    assert len(set(names)) == len(texts)
    assert names[3:] == texts[3:]
    assert max(map(len, names)) == store.LONGEST


# --- prepared --------------------------------------------------------------------------------------------------------


def test_a_folder_of_frames_is_prepared_with_the_stated_rate(tmp_path):
    from skimage import data

    from toonbench.data.folder import load
    from toonbench.prepare.folder import prepare_folder
    from toonbench.prepare.options import Options

    astronaut = data.astronaut()[:300, 80:380]
    (tmp_path / "set/real_videos/id1").mkdir(parents=True)
    for index in range(3):
        Image.fromarray(np.roll(astronaut, index, axis=1)).save(tmp_path / f"set/real_videos/id1/{index}.png")
    unknown = load(prepare_folder(tmp_path / "set", tmp_path / "cache", options=Options(size=64)).files)
    assert "give --fps, or a column fps in metadata.csv" in unknown.clips[0].problem
    known = load(prepare_folder(tmp_path / "set", tmp_path / "cache", options=Options(size=64, fps=12)).files)
    (clip,) = known.clips
    assert (clip.problem, clip.frames, clip.fps, clip.identity) == ("", 3, 12, "real_videos/id1")
    assert known.notes[0] == "identities: 1 in 1 clips (1 each file alone)"
