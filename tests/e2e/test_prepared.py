"""`prepared`: a user's folder as the files that will be scored."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from skimage import data as pictures

from toonbench import cli, video


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a wide video, a picture and a file that is no video."""
    root = tmp_path_factory.mktemp("own") / "mine"
    wide = pictures.astronaut()[:300]
    for name in ("real_videos", "cartoon_images"):
        (root / name).mkdir(parents=True)
    video.write_lossless(root / "real_videos" / "第一.mkv", np.repeat(wide[None, :, 56:456], 9, axis=0), fps=30)
    Image.fromarray(wide[:256, 96:352]).save(root / "cartoon_images" / "face.png")
    (root / "real_videos" / "broken.mp4").write_bytes(b"nothing")
    (root / "real_videos" / "notes.txt").touch()
    return root


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    monkeypatch.setenv("TOONBENCH_CACHE", str(tmp_path / "cache"))
    return shutil.copytree(made, tmp_path / "mine")


def test_exported_clips_are_exactly_the_frames_that_are_scored(folder, tmp_path, capsys):
    assert cli.run(["prepared", str(folder), "--export", str(tmp_path / "out"), "--workers", "1"]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"2 of 3 clips in {tmp_path / 'out'}\n"
    for note in (
        "identities: 3 in 3 clips (3 each file alone)",
        "real_videos: 1 cropped to the face, 0 used as they are",
        "cartoon_images: 0 cropped to the face, 1 used as they are",
        "1 files that are no clips were left out: 1 .txt",
        "1 of 3 files",
        "real_videos-broken: real_videos/broken.mp4",
    ):
        assert note in printed.err

    with (tmp_path / "out" / "clips.csv").open(encoding="utf-8", newline="") as handle:
        rows = {row["original"]: row for row in csv.DictReader(handle)}
    assert set(rows) == {"real_videos/第一.mkv", "cartoon_images/face.png"}
    clip, image = rows["real_videos/第一.mkv"], rows["cartoon_images/face.png"]
    assert (clip["first"], clip["frames"], clip["fps"], image["box"]) == ("0", "9", "30.0", "0,0,256")
    assert len(clip["box"].split(",")) == 3
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"clips.csv", clip["file"], image["file"]}

    (scored,) = (tmp_path / "cache" / "prepared").glob("*/clips/*.mkv")
    card = (scored.parents[1] / "README.md").read_text().splitlines()
    assert card[:3] == ["---", "license: unknown", 'pretty_name: "mine, prepared"']
    assert {path.name for path in scored.parents[1].glob("*-test.parquet")} == {
        "clips-test.parquet",
        "images-test.parquet",
    }
    exported = video.read_video(tmp_path / "out" / clip["file"])
    assert (clip["file"], exported.fps) == (f"{scored.stem}.mp4", 30)
    assert np.array_equal(exported.frames, video.read_video(scored).frames)
    (still,) = (tmp_path / "cache" / "prepared").glob("*/images/*.png")
    assert np.array_equal(video.read_image(tmp_path / "out" / image["file"]), video.read_image(still))


def test_eval_uses_what_prepared_made_with_the_same_options(folder, tmp_path, capsys, monkeypatch):
    from toonbench.prepare import folder as preparation

    options = ["--keep", "--crop", "face", "--workers", "1"]
    assert cli.run(["prepared", str(folder), "--json", *options]) == 0
    about = json.loads(capsys.readouterr().out)
    monkeypatch.setattr(preparation, "_prepared", lambda item: pytest.fail(f"{item.id} was made again"))
    assert cli.run(["eval", "--data", str(folder), "--dry-run", "--json", "--method", "static", *options]) == 0
    assert json.loads(capsys.readouterr().out)["data"] == about["data"]


def test_a_folder_without_a_usable_file_exits_with_1(tmp_path, monkeypatch):
    monkeypatch.setenv("TOONBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "mine" / "real_images").mkdir(parents=True)
    (tmp_path / "mine" / "real_images" / "a.png").touch()
    assert cli.run(["prepared", str(tmp_path / "mine"), "--workers", "1"]) == 1
