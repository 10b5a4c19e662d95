"""Training on the user's own folder: it is prepared first, and one video of each domain is enough."""

import os

import av
import numpy as np
import pytest
from PIL import Image
from skimage import data

from toonbench import cli, registry, video


class Records:
    """A method whose training records the clips that it is given."""

    name, revision = "records", "1"
    given = None

    def __init__(self, *, device="cpu", checkpoint=None):
        pass

    @staticmethod
    def clip_needs(config):
        from toonbench.training.clips import ClipNeeds

        return ClipNeeds(size=64)

    @classmethod
    def train(cls, clips, out, *, config, device, resume, on_progress):
        cls.given = clips


@pytest.fixture(autouse=True)
def method(monkeypatch, tmp_path):
    load = registry.load
    monkeypatch.setattr(registry, "load", lambda group, name: Records if name == "records" else load(group, name))
    monkeypatch.setenv("TOONBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "cpu_count", lambda: 1)  # prepared in this process
    Records.given = None


def face_video(path, *, shift=0):
    astronaut = data.astronaut()[:300, 80:380]
    path.parent.mkdir(parents=True, exist_ok=True)
    video.write_lossless(path, np.stack([astronaut[:, t + shift : t + shift + 240] for t in (0, 8, 16)]), fps=25)


def write_coded(path, frames):
    """A file of the container that its name states, MPEG-4."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25, options={"qscale": "2"})
        stream.height, stream.width = frames.shape[1:3]
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def test_one_video_of_each_domain_in_a_plain_folder_can_be_trained_on(tmp_path, capsys):
    face_video(tmp_path / "own" / "real_videos" / "a.mkv")
    face_video(tmp_path / "own" / "cartoon_videos" / "动漫.mkv", shift=4)
    assert cli.run(["train", "--data", str(tmp_path / "own"), "--out", str(tmp_path / "o"), "--method", "records"]) == 0
    assert {domain: len(some.train) for domain, some in Records.given.items()} == {"real": 1, "cartoon": 1}
    assert all(len(some.heldout) == 1 for some in Records.given.values())
    assert Records.given["real"].train[0].shape == (3, 64, 64, 3)
    assert not (tmp_path / "own" / "metadata.parquet").exists()


def test_frame_folders_animations_and_names_with_a_person_are_trained_on_and_few_identities_are_one_line(
    tmp_path, capsys
):
    real, cartoon = tmp_path / "own" / "real_videos", tmp_path / "own" / "cartoon_videos"
    for name, shift in (("anna#first#0#3.mp4", 0), ("anna#second#10#13.avi", 4), ("ben#first#0#3.mp4", 8)):
        face_video(tmp_path / "made.mkv", shift=shift)
        write_coded(real / name, video.read_video(tmp_path / "made.mkv").frames)
    frames = video.read_video(tmp_path / "made.mkv").frames
    for number, frame in enumerate(frames, start=9):  # 9, 10, 11: in the order of numbers, not of text
        (cartoon / "frames").mkdir(parents=True, exist_ok=True)
        video.write_png(cartoon / "frames" / f"{number}.png", frame)
    first, *others = [Image.fromarray(frame) for frame in frames]
    first.save(cartoon / "drawn.gif", save_all=True, append_images=others, duration=40)
    arguments = ["train", "--data", str(tmp_path / "own"), "--out", str(tmp_path / "o"), "--method", "records"]
    assert cli.run(arguments) == 0
    lines = capsys.readouterr().err.splitlines()
    assert "1 of 5 files of" in (left_out := next(line for line in lines if line.endswith(", and are left out:")))
    assert "a folder of frames states no rate: give --fps" in lines[lines.index(left_out) + 1]
    assert cli.run([*arguments, "--fps", "25"]) == 0
    given = Records.given
    assert not np.array_equal(given["cartoon"].train[0], given["cartoon"].heldout[0])  # the frames and the animation
    assert {domain: (len(some.train), len(some.heldout)) for domain, some in given.items()} in (
        {"real": (2, 1), "cartoon": (1, 1)},
        {"real": (1, 2), "cartoon": (1, 1)},
    )
    assert all(len(clip) == 3 for some in given.values() for clip in (*some.train, *some.heldout))
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("few ") or "left out" in line]
    assert [line.split(":")[0] for line in lines] == ["few real identities", "few cartoon identities"]


def test_two_data_sets_are_trained_on_together(tmp_path, capsys):
    face_video(tmp_path / "people" / "real_videos" / "a.mkv")
    face_video(tmp_path / "characters" / "cartoon_videos" / "b.mkv", shift=4)
    arguments = ["train", "--out", str(tmp_path / "o"), "--method", "records", "-q", "--data"]
    assert cli.run([*arguments, str(tmp_path / "people"), str(tmp_path / "characters")]) == 0
    assert {domain: len(some.train) for domain, some in Records.given.items()} == {"real": 1, "cartoon": 1}
    names = {domain: [name.rpartition("-")[0] for name in some.origin.data] for domain, some in Records.given.items()}
    assert names == {"real": ["people"], "cartoon": ["characters"]}


def test_a_data_set_without_training_clips_is_one_line_with_the_splits_that_it_has(tmp_path, capsys):
    arguments = ["train", "--data", "puppets@2", "--out", str(tmp_path / "o"), "--method", "records", "-q"]
    assert cli.run(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "has no training videos that can be used (" in line
    assert " of the splits test): put videos" in line


def test_a_folder_that_lacks_a_domain_or_any_sound_video_is_one_line(tmp_path, capsys):
    face_video(tmp_path / "own" / "real_videos" / "a.mkv")
    arguments = ["train", "--data", str(tmp_path / "own"), "--out", str(tmp_path / "o"), "--method", "records", "-q"]
    assert cli.run(arguments) == 2
    assert "0 cartoon training clips: one or more is needed; put videos into cartoon_videos" in capsys.readouterr().err
    (tmp_path / "own" / "real_videos" / "a.mkv").write_bytes(b"no video")
    assert cli.run(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "has no training videos that can be used: put videos into its folders" in line
