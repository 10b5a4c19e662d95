"""Motion of version 2: clear events at uniform times, and version 1 still drawn as it was."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from toonbench.metrics import blink_f1, mouth_f1
from toonbench.metrics.events import onsets
from toonbench.puppets.make import make_puppets
from toonbench.puppets.rig import INDEX, LIMITS, Rig, relative
from toonbench.puppets.timed import generate_timed
from toonbench.types import ToonbenchError
from toonbench.video import read_video

VERSION_1 = Path(__file__).parent.parent / "golden" / "puppets_version_1"
FRAMES, STEP, SKIP = 30, 3, 1  # 3 s at 10 frames a second; tasks with relative motion skip the first frame


def blinks(rig: Rig) -> list[int]:
    eyes = rig[SKIP:, [INDEX["blink_left"], INDEX["blink_right"]]].astype(float).mean(axis=1)
    return [frame + SKIP for frame in onsets(eyes, low=blink_f1.OPEN, high=blink_f1.SHUT)]


def openings(rig: Rig) -> list[int]:
    jaw = rig[SKIP:, INDEX["jaw_open"]].astype(float)
    return [frame + SKIP for frame in onsets(jaw, low=mouth_f1.SHUT, high=mouth_f1.OPEN)]


@pytest.fixture(scope="module")
def motions() -> list[Rig]:
    return [generate_timed(seed, frames=FRAMES, step=STEP) for seed in range(400)]


@pytest.mark.parametrize("events", [blinks, openings])
def test_events_start_uniformly_over_the_clip(motions, events):
    starts = np.array([frame for rig in motions for frame in events(rig)])
    assert starts.min() == 3
    assert starts.max() == FRAMES - 1
    counts = np.bincount(starts, minlength=FRAMES)[3:]
    assert stats.chisquare(counts).pvalue > 0.01
    first = [events(rig)[0] for rig in motions if events(rig)]
    assert np.bincount(first).max() < 0.15 * len(first), "no frame at which most clips have their first event"


def test_every_clip_of_three_seconds_blinks_and_opens_the_mouth_one_to_three_times(motions):
    for events in (blinks, openings):
        counts = {len(events(rig)) for rig in motions}
        assert counts == {1, 2, 3}


@pytest.mark.parametrize("step", [2, 3])
def test_the_rate_of_frames_does_not_change_how_many_events_a_clip_has(step):
    for seed in range(60):
        coarse = generate_timed(seed, frames=FRAMES, step=step)
        fine = generate_timed(seed, frames=(FRAMES - 1) * step + 1)
        assert np.array_equal(fine[::step], coarse)
        for events in (blinks, openings):
            assert len(events(coarse)) == len(events(fine))


def test_events_survive_in_the_relative_motion_of_every_other_puppet(motions):
    for seed, rig in enumerate(motions):
        source = generate_timed(10_000 + seed, frames=1)[0]
        moved = relative(source, rig)
        assert len(blinks(moved)) == len(blinks(rig))
        assert len(openings(moved)) == len(openings(rig))


def test_winks_happen_and_are_no_blinks(motions):
    one_eye = [(rig[:, INDEX["blink_left"]] == 1) != (rig[:, INDEX["blink_right"]] == 1) for rig in motions]
    share = np.mean([winks.any() for winks in one_eye])
    assert 0.15 < share < 0.35


def test_channels_stay_within_limits_and_the_first_two_frames_are_at_rest(motions):
    rigs = np.stack(motions)
    assert (rigs >= LIMITS[:, 0]).all()
    assert (rigs <= LIMITS[:, 1]).all()
    assert rigs[:, :2, [INDEX["blink_left"], INDEX["blink_right"]]].max() == 0
    assert rigs[:, :2, INDEX["jaw_open"]].max() < mouth_f1.SHUT


def test_the_same_seed_gives_the_same_motion_and_short_clips_have_no_event():
    assert np.array_equal(generate_timed(3, frames=30), generate_timed(3, frames=30))
    assert not np.array_equal(generate_timed(3, frames=30), generate_timed(4, frames=30))
    assert blinks(generate_timed(1, frames=7)) == openings(generate_timed(1, frames=7)) == []
    with pytest.raises(ToonbenchError, match="frames=0"):
        generate_timed(1, frames=0)


def test_version_1_draws_the_clips_of_version_1_again(tmp_path):
    """The recipe of `puppets@1`, of which one clip is kept; another machine may round a pixel the other way."""
    make_puppets(tmp_path, split="test", clips=1, images=0, frames=10, size=128, step=3, seed=31, styles=("cel",),
                 version=1)  # fmt: skip
    (clip,) = (tmp_path / "clips").iterdir()
    (kept,) = VERSION_1.glob("*.mkv")
    assert clip.name == kept.name
    with np.load(tmp_path / "motion" / f"{clip.stem}.npz") as drawn, np.load(kept.with_suffix(".npz")) as stored:
        assert np.abs(drawn["rig"] - stored["rig"]).max() < 1e-5
        assert np.abs(drawn["landmarks"] - stored["landmarks"]).max() < 0.05
    away = np.abs(read_video(clip).frames.astype(int) - read_video(kept).frames)
    assert away.mean() < 0.05


def test_the_version_is_in_the_recipe_and_an_unknown_one_is_refused(tmp_path):
    small = {"split": "train", "clips": 1, "images": 0, "frames": 2, "size": 16, "seed": 1, "styles": ("cel",)}
    make_puppets(tmp_path / "a", **small)
    assert '"version": 2' in (tmp_path / "a" / "puppets.json").read_text()
    with pytest.raises(ToonbenchError, match="another recipe"):
        make_puppets(tmp_path / "a", **small, version=1)
    with pytest.raises(ToonbenchError, match="1 or 2; got 3"):
        make_puppets(tmp_path / "b", **small, version=3)
