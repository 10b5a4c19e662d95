"""lpips_alex and lpips_vgg: the package's values, what is not measurable, and weights from a file."""

import math
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from toonbench import weights
from toonbench.metrics import _lpips
from toonbench.metrics.lpips_alex import LPIPSAlex
from toonbench.metrics.lpips_vgg import LPIPSVGG
from toonbench.networks.deterministic import deterministic_state
from toonbench.types import Clip, Pair, Sample, ToonbenchError

CLIP = Clip(id="clip", path=Path("clip"), domain="real")


def sample(generated, target):
    pair = Pair(id="pair7", source=CLIP, driving=CLIP, target=CLIP)
    return Sample(pair=pair, generated=generated, target=target)


def pictures(seed, *, frames=2, height=64, width=64):
    noise = np.random.default_rng(seed).normal(size=(frames, height, width, 3))
    smooth = gaussian_filter(noise, (0, 3, 3, 0))
    return np.clip(128 + smooth * 600, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def alex():
    return LPIPSAlex.with_test_weights()


@pytest.fixture(scope="module", params=[LPIPSAlex, LPIPSVGG], ids=lambda one: one.name)
def metric(request):
    return request.param.with_test_weights()


def package_values(metric, generated, target):
    """What the package's own forward gives, frame by frame."""

    def scaled(frame):
        return torch.from_numpy(frame.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1

    with torch.inference_mode():
        pairs = zip(generated, target, strict=True)
        return [float(metric._network(scaled(a), scaled(b))) for a, b in pairs]


def test_values_are_those_of_the_packages_forward(metric):
    generated, target = pictures(0, frames=3, height=48, width=72), pictures(1, frames=3, height=48, width=72)
    rows = metric.measure(sample(generated, target))
    assert rows.shape == (3, 1)
    np.testing.assert_allclose(rows[:, 0], package_values(metric, generated, target), rtol=2e-5, atol=1e-7)


def test_the_network_is_the_one_the_package_builds(alex):
    import lpips

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    state = theirs.state_dict()
    theirs.load_state_dict(
        {**state, **deterministic_state({k: v for k, v in state.items() if k[:4] == "net."}, "lpips")}
    )
    ours = alex._network.state_dict()
    assert ours.keys() == state.keys()
    assert all(torch.equal(ours[key], value) for key, value in theirs.state_dict().items())


def test_equal_frames_are_exactly_0_and_others_are_not(metric):
    target = pictures(0)
    generated = target.copy()
    generated[1] = 255 - generated[1]
    rows = metric.measure(sample(generated, target))[:, 0]
    assert rows[0] == 0
    assert rows[1] > 0.01


def test_generated_and_target_may_change_places(metric):
    a, b = pictures(0), pictures(1)
    np.testing.assert_allclose(metric.distances(a, b), metric.distances(b, a), rtol=1e-5)


@pytest.mark.parametrize("damage", ["blur", "noise", "shift"])
def test_more_damage_is_a_greater_distance(alex, damage):
    target = pictures(3)
    noise = np.random.default_rng(0).normal(size=target.shape)

    def damaged(amount):
        if damage == "blur":
            return gaussian_filter(target, (0, amount, amount, 0))
        if damage == "shift":
            return np.roll(target, amount, axis=2)
        return np.clip(target + 8 * amount * noise, 0, 255).astype(np.uint8)

    values = [alex.reduce([alex.measure(sample(damaged(amount), target))]) for amount in (0, 1, 2, 4)]
    assert values == sorted(values)
    assert values[0] == 0 < values[1] < values[3]


def test_a_frame_does_not_depend_on_its_neighbours(alex, monkeypatch):
    generated, target = pictures(0, frames=5), pictures(1, frames=5)
    together = alex.distances(generated, target)
    monkeypatch.setattr(_lpips, "PIXELS", 2 * 64 * 64)
    np.testing.assert_allclose(alex.distances(generated, target), together, rtol=1e-5)
    np.testing.assert_allclose(alex.distances(generated[3:4], target[3:4]), together[3:4], rtol=1e-5)


@pytest.mark.parametrize(("metric", "side"), [(LPIPSAlex, 31), (LPIPSVGG, 16)], indirect=["metric"])
def test_frames_too_small_for_the_network_are_nan_and_the_smallest_are_measured(metric, side):
    small, enough = (side - 1, 40), (side, 40)
    assert np.isfinite(metric.distances(pictures(0, height=side), pictures(1, height=side))).all()
    for height, width in (small, small[::-1], (1, 1)):
        a, b = (pictures(seed, height=height, width=width) for seed in (0, 1))
        assert np.isnan(metric.measure(sample(a, b))).all()
    with torch.inference_mode(), pytest.raises(RuntimeError):
        metric._network(torch.zeros(1, 3, *small), torch.zeros(1, 3, *small))
    with torch.inference_mode():
        assert metric._network(torch.zeros(1, 3, *enough), torch.zeros(1, 3, *enough)) == 0


@pytest.mark.parametrize("levels", [(0, 0), (0, 255), (128, 127)])
def test_constant_frames_have_a_finite_distance(alex, levels):
    a, b = (np.full((1, 64, 64, 3), level, np.uint8) for level in levels)
    value = alex.measure(sample(a, b))[0, 0]
    assert math.isfinite(value)
    assert (value == 0) == (levels[0] == levels[1])


def test_the_number_is_the_mean_of_pair_means_without_nan(alex):
    rows = [np.array([[1.0], [np.nan], [3.0]], np.float32), np.array([[4.0]], np.float32)]
    assert alex.reduce(rows) == 3
    assert math.isnan(alex.reduce([]))


def test_no_video_gives_no_rows(alex):
    assert alex.distances(pictures(0)[:0], pictures(0)[:0]).shape == (0, 1)


def test_measuring_leaves_the_random_numbers_of_others_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    LPIPSAlex.with_test_weights()
    assert torch.equal(torch.rand(3), expected)


@pytest.fixture
def torchvision_file(tmp_path, monkeypatch):
    """A weight file as torchvision publishes it, with the features only."""
    import torchvision

    with torch.device("meta"):
        names = torchvision.models.alexnet(weights=None).features.state_dict()
    state = {f"features.{key}": one for key, one in deterministic_state(names, "file").items()}

    def put(state):
        path = tmp_path / "alexnet-test.pth"
        torch.save(state, path)
        monkeypatch.setattr(weights, "path", lambda name: {"alexnet": path}[name])
        return path

    return put, state


def test_weights_of_torchvision_stand_where_the_package_has_them(torchvision_file):
    put, state = torchvision_file
    put(state)
    metric = LPIPSAlex()
    value = metric.distances(pictures(0), pictures(1))
    assert np.isfinite(value).all()
    loaded = metric._network.state_dict()
    assert torch.equal(loaded["net.slice3.6.weight"], state["features.6.weight"])
    assert torch.equal(loaded["net.slice5.10.bias"], state["features.10.bias"])


@pytest.mark.parametrize("fault", ["missing", "shape", "list", "bytes"])
def test_a_file_of_another_network_is_told_in_one_line(torchvision_file, fault):
    put, state = torchvision_file
    if fault == "missing":
        del state["features.6.weight"]
    if fault == "shape":
        state["features.6.weight"] = state["features.6.weight"][:1]
    path = put([1, 2] if fault == "list" else state)
    if fault == "bytes":
        path.write_bytes(b"not a zip")
    with pytest.raises(ToonbenchError, match=r"alexnet-test\.pth.*fetch the file again") as error:
        LPIPSAlex().distances(pictures(0), pictures(1))
    assert "\n" not in str(error.value)


def test_a_file_that_would_run_code_is_refused(torchvision_file, tmp_path):
    put, _ = torchvision_file

    class Sneaky:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    put({"features.0.weight": Sneaky()})
    with pytest.raises(ToonbenchError, match="cannot be read"):
        LPIPSAlex().distances(pictures(0), pictures(1))
    assert not (tmp_path / "ran").exists()
