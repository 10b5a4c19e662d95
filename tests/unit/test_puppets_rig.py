import numpy as np
import pytest

from toonbench.puppets.rig import INDEX, LIMITS, absolute, clamp, generate, neutral, relative, seed_of
from toonbench.types import CHANNELS, ToonbenchError


def _rigs(frames: int) -> np.ndarray:
    return np.zeros((frames, len(CHANNELS)), dtype=np.float32)


def test_the_same_seed_gives_the_same_motion_and_another_seed_another():
    assert np.array_equal(generate(3, frames=20), generate(3, frames=20))
    assert not np.array_equal(generate(3, frames=20), generate(4, frames=20))


def test_every_channel_stays_within_its_limits():
    for seed in range(10):
        rig = generate(seed, frames=90)
        assert (rig >= LIMITS[:, 0]).all()
        assert (rig <= LIMITS[:, 1]).all()


def test_a_step_takes_every_nth_frame_of_the_same_motion():
    assert np.array_equal(generate(5, frames=10, step=3), generate(5, frames=28)[::3])


def test_a_motion_starts_calm_with_open_eyes():
    starts = np.stack([generate(seed, frames=1)[0] for seed in range(50)])
    assert np.abs(starts[:, INDEX["yaw"]]).max() < 15
    assert starts[:, [INDEX["blink_left"], INDEX["blink_right"]]].max() == 0
    assert starts[:, INDEX["jaw_open"]].max() < 0.3


def test_motions_turn_the_head_far_and_open_the_mouth_and_blink():
    rigs = np.stack([generate(seed, frames=120) for seed in range(10)])
    assert np.abs(rigs[..., INDEX["yaw"]]).max() > 22
    assert np.abs(rigs[..., INDEX["pitch"]]).max() > 10
    assert (rigs[..., INDEX["jaw_open"]].max(axis=1) > 0.5).all()
    assert (rigs[..., INDEX["blink_left"]].max(axis=1) == 1).mean() > 0.8


def test_blinks_last_between_100_and_300_ms():
    lengths = []
    for seed in range(20):
        shut = generate(seed, frames=150)[:, INDEX["blink_left"]] > 0
        edges = np.flatnonzero(np.diff(shut.astype(int)))
        if shut[0] or shut[-1]:
            edges = edges[: len(edges) // 2 * 2]
        lengths += list(edges[1::2] - edges[0::2])
    assert min(lengths) >= 3
    assert max(lengths) <= 9


def test_relative_motion_adds_the_drivers_change_since_its_first_frame():
    source, driver = neutral(), _rigs(3)
    source[INDEX["yaw"]], source[INDEX["smile"]] = 10, 0.5
    driver[:, INDEX["yaw"]] = [-5, 0, 7]
    driver[:, INDEX["smile"]] = [0.2, 0.4, 0.1]
    moved = relative(source, driver)
    assert moved[:, INDEX["yaw"]] == pytest.approx([10, 15, 22])
    assert moved[:, INDEX["smile"]] == pytest.approx([0.5, 0.7, 0.4])
    assert np.array_equal(moved[0], source)


def test_relative_motion_is_clamped_to_the_limits():
    source, driver = neutral(), _rigs(2)
    source[INDEX["yaw"]], source[INDEX["smile"]] = 30, 0.9
    driver[1, INDEX["yaw"]], driver[1, INDEX["smile"]] = 30, 0.8
    moved = relative(source, driver)
    assert moved[1, INDEX["yaw"]] == LIMITS[INDEX["yaw"], 1]
    assert moved[1, INDEX["smile"]] == 1
    assert np.array_equal(moved, clamp(moved))


def test_absolute_motion_is_the_drivers_own_rig():
    source, driver = neutral(), generate(1, frames=4)
    source[INDEX["yaw"]] = 20
    assert np.array_equal(absolute(source, driver), driver)


def test_seeds_depend_on_every_part_and_never_on_the_process():
    assert seed_of("train", 1, "real", 0) == 6557097599259165609
    seeds = {seed_of(split, seed, "real", i) for split in ("train", "test") for seed in (1, 2) for i in range(50)}
    assert len(seeds) == 200
    assert seed_of("a", "bc") != seed_of("ab", "c")


def test_bad_motions_are_refused_in_one_line():
    with pytest.raises(ToonbenchError, match="frames=0"):
        generate(1, frames=0)
    with pytest.raises(ToonbenchError, match=r"\(2, 3\)"):
        relative(neutral(), np.zeros((2, 3), dtype=np.float32))
