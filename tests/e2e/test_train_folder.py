"""Training on the user's own folder: it is prepared first, and one video of each domain is enough."""

import os

import numpy as np
import pytest
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


def test_one_video_of_each_domain_in_a_plain_folder_can_be_trained_on(tmp_path, capsys):
    face_video(tmp_path / "own" / "real_videos" / "a.mkv")
    face_video(tmp_path / "own" / "cartoon_videos" / "动漫.mkv", shift=4)
    assert cli.run(["train", "--data", str(tmp_path / "own"), "--out", str(tmp_path / "o"), "--method", "records"]) == 0
    assert {domain: len(some.train) for domain, some in Records.given.items()} == {"real": 1, "cartoon": 1}
    assert all(len(some.heldout) == 1 for some in Records.given.values())
    assert Records.given["real"].train[0].shape == (3, 64, 64, 3)
    assert not (tmp_path / "own" / "metadata.parquet").exists()


def test_a_folder_that_lacks_a_domain_or_any_sound_video_is_one_line(tmp_path, capsys):
    face_video(tmp_path / "own" / "real_videos" / "a.mkv")
    arguments = ["train", "--data", str(tmp_path / "own"), "--out", str(tmp_path / "o"), "--method", "records", "-q"]
    assert cli.run(arguments) == 2
    assert "0 cartoon training clips: one or more is needed; put videos into cartoon_videos" in capsys.readouterr().err
    (tmp_path / "own" / "real_videos" / "a.mkv").write_bytes(b"no video")
    assert cli.run(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "has no training videos that can be used: put videos into its folders" in line
