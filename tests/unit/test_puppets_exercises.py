"""Motion for training: faces that move often and far under heads that barely move."""

import numpy as np
import pytest

from toonbench.data.folder import load
from toonbench.puppets.exercises import generate_exercises
from toonbench.puppets.make import make_puppets
from toonbench.puppets.rig import INDEX, LIMITS
from toonbench.puppets.timed import generate_timed
from toonbench.types import ToonbenchError
from toonbench.video import read_video


def spread(motion, channel):
    """The mean standard deviation within clips, in parts of the channel's range."""
    low, high = LIMITS[INDEX[channel]]
    clips = [motion(seed, frames=40, step=3)[:, INDEX[channel]] for seed in range(60)]
    return float(np.mean([clip.std() for clip in clips]) / (high - low))


@pytest.mark.parametrize("channel", ["blink_left", "jaw_open", "smile", "mouth_pucker", "brow_up_left"])
def test_the_face_moves_more_than_in_speech(channel):
    assert spread(generate_exercises, channel) > 1.2 * spread(generate_timed, channel)


@pytest.mark.parametrize("channel", ["yaw", "pitch", "roll", "tx", "ty", "scale"])
def test_the_head_barely_moves_within_a_clip_and_differs_between_clips(channel):
    low, high = LIMITS[INDEX[channel]]
    assert spread(generate_exercises, channel) < 0.03
    starts = [generate_exercises(seed, frames=1)[0, INDEX[channel]] for seed in range(60)]
    assert np.std(starts) > 0.1 * (high - low)


def test_the_channels_of_the_face_are_independent():
    rigs = np.concatenate([generate_exercises(seed, frames=40, step=3) for seed in range(200)])
    names = ("blink_left", "jaw_open", "smile", "brow_up_left", "gaze_x", "mouth_wide")
    found = np.corrcoef(rigs[:, [INDEX[name] for name in names]].T) - np.eye(len(names))
    assert np.abs(found).max() < 0.1


def test_the_motion_is_that_of_its_seed_and_within_the_limits():
    rig = generate_exercises(3, frames=30, step=2)
    assert np.array_equal(rig, generate_exercises(3, frames=30, step=2))
    assert (rig >= LIMITS[:, 0]).all()
    assert (rig <= LIMITS[:, 1]).all()
    assert not np.array_equal(rig, generate_exercises(4, frames=30, step=2))
    with pytest.raises(ToonbenchError, match="frames >= 1"):
        generate_exercises(0, frames=0)


def test_mixed_sets_have_exercises_in_every_second_clip_of_a_style(tmp_path):
    make = {"split": "train", "clips": 2, "images": 0, "frames": 3, "size": 32, "seed": 1, "styles": ["real", "cel"]}
    make_puppets(tmp_path / "mixed", movement="mixed", **make)
    make_puppets(tmp_path / "speech", **make)
    make_puppets(tmp_path / "exercises", movement="exercises", **make)
    for clip in load(tmp_path / "mixed").clips:
        other = "exercises" if clip.id.endswith("1") else "speech"
        frames = [read_video(tmp_path / name / "clips" / f"{clip.id}.mkv").frames for name in ("mixed", other)]
        assert np.array_equal(*frames)
    assert '"movement"' not in (tmp_path / "speech" / "puppets.json").read_text()
    with pytest.raises(ToonbenchError, match="another recipe"):
        make_puppets(tmp_path / "mixed", **make)
