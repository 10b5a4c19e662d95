"""Dummies do exactly what their name says."""

from pathlib import Path

import numpy as np
import pytest

from baselines.dummies import NoisyOracle, Oracle, Paste, Static
from toonbench.types import Frame, Frames, Method, TargetMethod, ToonbenchError

ALL = [Static, Paste, Oracle, NoisyOracle]


def frames(count: int, height: int, width: int, *, seed: int = 0) -> Frames:
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


SOURCE: Frame = frames(1, 20, 24, seed=1)[0]


def test_static_repeats_the_source() -> None:
    made = Static().animate(SOURCE, frames(5, 32, 32), motion="relative", seed=0)
    assert made.shape == (5, 20, 24, 3)
    assert (made == SOURCE).all()


def test_paste_returns_the_driver_unchanged_where_sizes_agree() -> None:
    driving = frames(4, 20, 24)
    np.testing.assert_array_equal(Paste().animate(SOURCE, driving, motion="absolute", seed=0), driving)


def test_paste_resizes_the_driver_to_the_source() -> None:
    driving = np.full((3, 64, 64, 3), 90, np.uint8)
    made = Paste().animate(SOURCE, driving, motion="relative", seed=0)
    assert made.shape == (3, 20, 24, 3)
    assert (made == 90).all()


def test_the_oracle_returns_a_copy_of_the_target() -> None:
    target = frames(3, 16, 16)
    made = Oracle().animate_target(SOURCE, target, seed=0)
    np.testing.assert_array_equal(made, target)
    assert not np.shares_memory(made, target)


def test_the_noisy_oracle_is_seeded_and_close_to_the_target() -> None:
    target = np.full((6, 32, 32, 3), 128, np.uint8)
    one, again, other = (NoisyOracle().animate_target(SOURCE, target, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    difference = one.astype(float) - target
    assert difference.std() == pytest.approx(8, rel=0.05)
    assert abs(difference.mean()) < 0.5


def test_the_noisy_oracle_jitters_by_at_most_a_pixel() -> None:
    target = np.zeros((12, 31, 31, 3), np.uint8)
    target[:, 15, 15] = 255
    made = NoisyOracle().animate_target(SOURCE, target, seed=0).sum(-1)
    places = {divmod(int(frame.argmax()), 31) for frame in made}
    assert len(places) > 1
    assert all(abs(row - 15) <= 1 and abs(column - 15) <= 1 for row, column in places)


@pytest.mark.parametrize("method", ALL)
def test_dummies_fit_a_protocol_and_take_no_checkpoint(method: type) -> None:
    made = method(device="cuda")
    assert isinstance(made, Method | TargetMethod)
    assert made.revision == "1"
    with pytest.raises(ToonbenchError, match="takes no checkpoint"):
        method(checkpoint=Path("a.pt"))
