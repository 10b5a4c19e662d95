"""stlpips_alex: the values of the authors' package, weights from a file, and what is not measurable."""

import numpy as np
import pytest
import torch

from toonbench import weights
from toonbench.metrics.stlpips_alex import STLPIPSAlex
from toonbench.networks import stlpips
from toonbench.types import ToonbenchError

SIZES = ((64, 64), (49, 80), (21, 33))
OF_TEST_WEIGHTS = (0.04337578491991055, 0.06554279099415945, 0.03025990686988603)  # of the package, in float64
PUBLISHED = (0.1339740363740064, 0.15197895107937218, 0.050565501229039606)


def pattern(height, width, *, seed):
    y, x = np.mgrid[0:height, 0:width]
    channels = [np.abs((x * (3 + seed) + y * (5 - c) + 40 * c) % 510 - 255) for c in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)[None]


def values(metric):
    return [float(metric.distances(pattern(*size, seed=0), pattern(*size, seed=1))[0, 0]) for size in SIZES]


@pytest.fixture(scope="module")
def metric():
    return STLPIPSAlex.with_test_weights()


def test_values_with_test_weights_are_those_of_the_package(metric):
    assert values(metric) == pytest.approx(OF_TEST_WEIGHTS, rel=2e-5)


def test_values_with_the_published_weights_are_those_of_the_package():
    if reason := weights.missing([stlpips.NAME]):
        pytest.skip(reason)
    assert values(STLPIPSAlex()) == pytest.approx(PUBLISHED, rel=2e-5)


def test_frames_of_20_pixels_are_not_measured_and_those_of_21_are(metric):
    for size in ((20, 40), (40, 20)):
        assert np.isnan(metric.distances(pattern(*size, seed=0), pattern(*size, seed=1))).all()
    assert np.isfinite(metric.distances(pattern(21, 21, seed=0), pattern(21, 21, seed=1))).all()


def test_a_shift_by_one_pixel_costs_less_than_its_size_for_lpips():
    if reason := weights.missing([stlpips.NAME]):
        pytest.skip(reason)
    rng = np.random.default_rng(0)
    grain = rng.integers(0, 256, (1, 20, 20, 3)).astype(np.uint8).repeat(5, axis=1).repeat(5, axis=2)
    shifted, blurred = np.roll(grain, 1, axis=2), (grain // 2 + np.roll(grain, 5, axis=2) // 2)
    metric = STLPIPSAlex()
    assert metric.distances(grain, shifted)[0, 0] < metric.distances(grain, blurred)[0, 0] / 2


def test_a_file_that_was_written_is_read_and_another_network_is_named(tmp_path, metric):
    path = tmp_path / "alex.pth"
    state = stlpips.with_test_weights().state_dict()
    torch.save(state, path)
    loaded = STLPIPSAlex(network=stlpips.from_file(path))
    assert values(loaded) == values(metric)
    other = tmp_path / "other.pth"
    torch.save({**state, "lin0.model.1.weight": torch.zeros(2, 64, 1, 1)}, other)
    with pytest.raises(ToonbenchError, match=r"other.pth' are not of ST-LPIPS with AlexNet: fetch the file again"):
        stlpips.from_file(other)
    (tmp_path / "damaged.pth").write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ToonbenchError, match=r"damaged.pth' cannot be read"):
        stlpips.from_file(tmp_path / "damaged.pth")
