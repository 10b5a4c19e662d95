"""The losses of MAA against plain transcriptions, and its training from the first step to an evaluated checkpoint."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from baselines.first_order_weights import NetworkConfig
from baselines.fomm.method import FOMM
from baselines.fomm.train.config import MINI as FOMM_MINI
from baselines.fomm.train.step import generator_terms
from baselines.fomm.train.train import fit as fit_fomm
from baselines.fomm.train.train import new_networks
from baselines.maa.method import MAA
from baselines.maa.train import losses
from baselines.maa.train.config import CONFIGS, MINI, PAPER
from baselines.maa.train.step import cross_domain_terms, swapped
from baselines.maa.train.train import fit
from baselines.tuning.config import find_config
from baselines.tuning.perceptual import PyramidPerceptual
from toonbench.networks.first_order import KeyPoints, coordinate_grid
from toonbench.networks.vgg19 import VGG19
from toonbench.training.clips import ClipSet
from toonbench.types import ToonbenchError
from toonbench.weights import WeightsMissing
from toonbench.weights.trained import read_about

NETWORK = NetworkConfig(points=4, detector=(4, 4, 4), motion=(4, 4, 4), generator=(4, 4, 4), residuals=1)
QUICK = replace(
    MINI, name="tiny", network=NETWORK, steps=2, batch=2, ema=0.9, checkpoint_every=1, log_every=1, sample_every=2
)
EYE = torch.eye(2)


@pytest.fixture(scope="module")
def data():
    """Three clips of two domains: a picture of noise that moves to the right."""
    rng, found = np.random.default_rng(0), {}
    for domain in ("real", "cartoon"):
        grounds = rng.integers(0, 255, (3, 1, 64, 64, 3), dtype=np.uint8)
        clips = [np.concatenate([np.roll(ground, 3 * t, axis=2) for t in range(4)]) for ground in grounds]
        found[domain] = ClipSet(tuple(clips[:2]), tuple(clips[2:]))
    return found


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    fit(QUICK, data, out, device="cpu")
    return out


def points(seed, count=4, batch=2):
    torch.manual_seed(seed)
    return KeyPoints(0.6 * torch.randn(batch, count, 2), EYE + 0.3 * torch.randn(batch, count, 2, 2))


def turned(degrees):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return torch.tensor([[c, -s], [s, c]])


def made_of(network, size=64, batch=2):
    torch.manual_seed(5)
    source, driving = torch.rand(batch, 3, size, size), torch.rand(batch, 3, size, size)
    return driving, generator_terms(network, source, driving, config=QUICK, perceptual=None)[1]


def learned(network, loss):
    """The parts of the network that the loss has gradients for."""
    network.zero_grad(set_to_none=True)
    loss.backward()
    return {
        name.partition(".")[0]
        for name, one in network.named_parameters()
        if one.grad is not None and one.grad.abs().sum() > 0
    }


def test_neighbours_are_the_two_nearest_points_of_the_mean_configuration():
    square = torch.tensor([[0.0, 0.0], [0.3, 0.0], [0.0, 0.4], [0.9, 0.9]])
    shift = torch.tensor([[5.0, 0.0]])
    found = losses.neighbours(torch.stack([square + shift, square - shift]))
    assert found.tolist() == [[1, 2], [0, 2], [0, 1], [2, 1]]


def test_angles_are_cosine_and_sine_of_the_turn_from_the_first_edge_to_the_second():
    own, near = points(1).value, torch.tensor([[1, 2], [0, 3], [3, 0], [2, 1]])
    found = losses.angles(own, near)
    for b in range(2):
        for k in range(4):
            place = own[b, k].tolist()
            first, second = (
                math.atan2(own[b, i, 1].item() - place[1], own[b, i, 0].item() - place[0]) for i in near[k].tolist()
            )
            assert found[b, k].tolist() == pytest.approx([math.cos(second - first), math.sin(second - first)], abs=1e-4)


def test_rotating_one_edge_changes_only_the_angles_that_it_belongs_to():
    own = torch.tensor([[[0.0, 0.0], [0.5, 0.0], [0.0, 0.5], [2.0, 2.0]]])
    near = torch.tensor([[1, 2], [0, 2], [0, 1], [1, 2]])
    moved = own.clone()
    moved[0, 1] = turned(30) @ own[0, 1]  # the edge from the first to the second point turns by 30 degrees
    before, after = losses.angles(own, near), losses.angles(moved, near)
    assert before[0, 0].tolist() == pytest.approx([0.0, 1.0], abs=1e-6)
    assert after[0, 0].tolist() == pytest.approx([math.cos(math.pi / 3), math.sin(math.pi / 3)], abs=1e-6)
    assert losses.motion_adaptation(moved, own, near[:1].expand(4, 2)) > 0.01


def test_moving_turning_and_scaling_all_points_leaves_angles_equal():
    own, near = points(2).value, losses.neighbours(points(2).value)
    there = 1.7 * own @ turned(40).T + torch.tensor([0.3, -0.2])
    assert torch.allclose(losses.angles(own, near), losses.angles(there, near), atol=1e-5)
    mirrored = own * torch.tensor([-1.0, 1.0])
    assert losses.motion_adaptation(mirrored, own, near) > 0.1


def test_motion_adaptation_is_the_mean_difference_and_driving_frames_get_no_gradient():
    ours, theirs = (points(seed).value.requires_grad_() for seed in (3, 4))
    near = losses.neighbours(ours)
    found = losses.motion_adaptation(ours, theirs, near)
    plain = (losses.angles(ours, near) - losses.angles(theirs, near)).abs().sum() / (2 * 4 * 2)
    assert found.item() == pytest.approx(plain.item(), rel=1e-5)
    found.backward()
    assert ours.grad is not None
    assert theirs.grad is None


def test_angles_of_points_that_coincide_have_finite_gradients():
    own = torch.zeros(1, 3, 2, requires_grad=True)
    losses.motion_adaptation(own, points(1, 3, 1).value, torch.tensor([[1, 2], [0, 2], [0, 1]])).backward()
    assert own.grad.isfinite().all()


def test_patches_are_the_picture_at_the_places_that_the_affine_maps_give():
    height = coordinate_grid((33, 33), torch.device("cpu"))
    picture = height.permute(2, 0, 1)[None].repeat(2, 1, 1, 1)  # its values at a place are its x and y
    picture = torch.cat([picture, picture[:, :1]], dim=1)
    own = points(1)
    small = KeyPoints(0.3 * own.value, 0.8 * own.jacobian)
    found = losses.patches(picture, small, pixels=5, corners=True).view(2, 4, 3, 5, 5)
    for b in range(2):
        for k in range(4):
            for row, column in ((0, 0), (2, 2), (1, 4)):
                u = torch.tensor([column / 2 - 1, row / 2 - 1]) * 5 / 33
                place = small.value[b, k] + small.jacobian[b, k] @ u
                assert torch.allclose(found[b, k, :2, row, column], place, atol=1e-5)


def test_patches_do_not_change_where_picture_and_key_points_are_moved_and_turned_together():
    torch.manual_seed(0)
    picture = torch.nn.functional.interpolate(torch.rand(1, 3, 9, 9), 65, mode="bicubic", align_corners=True)
    own = points(6, batch=1)
    own = KeyPoints(0.25 * own.value, own.jacobian)
    turn, shift = 1.2 * turned(25), torch.tensor([0.06, -0.04])
    grid = (coordinate_grid((65, 65), picture.device) - shift) @ torch.linalg.inv(turn).T
    moved = torch.nn.functional.grid_sample(picture, grid[None], align_corners=True, padding_mode="border")
    there = KeyPoints(own.value @ turn.T + shift, turn @ own.jacobian)
    before, after, wrong = (
        losses.patches(image, at, pixels=8, corners=True)
        for image, at in ((picture, own), (moved, there), (moved, own))
    )
    assert (before - after).abs().max() < 0.02
    assert (before - wrong).abs().max() > 0.1


@pytest.mark.parametrize("network", [None, VGG19()], ids=["pixels", "vgg19"])
def test_appearance_compares_patches_and_only_the_generated_picture_gets_a_gradient(network):
    torch.manual_seed(0)
    generated, sources = (torch.rand(2, 3, 64, 64, requires_grad=True) for _ in range(2))
    at, source_at = points(1), points(2)
    for one in (at, source_at):
        one.value.requires_grad_()
    options = {"pixels": 16, "corners": False}
    found = losses.appearance_consistency(generated, at, sources, source_at, network=network, **options)
    pair = [losses.patches(generated, at, **options), losses.patches(sources, source_at, **options)]
    maps = [[one] if network is None else network(one * 2 - 1) for one in pair]
    assert found.item() == pytest.approx(sum((a - b).abs().mean().item() for a, b in zip(*maps, strict=True)), rel=1e-4)
    found.backward()
    assert generated.grad is not None
    assert [one.grad for one in (sources, at.value, source_at.value)] == [None] * 3


def test_a_source_is_driven_by_the_other_half_of_the_batch():
    own = points(1, batch=4)
    assert torch.equal(swapped(own).value, own.value[[2, 3, 0, 1]])
    assert torch.equal(swapped(own).jacobian, own.jacobian[[2, 3, 0, 1]])


def test_the_terms_are_those_of_sources_that_are_driven_across_and_back():
    network = new_networks(QUICK, None)[0].eval()
    driving, made = made_of(network)
    terms = cross_domain_terms(network, driving, made, config=QUICK, perceptual=None)
    across = network.render(made.encoded, swapped(made.driving))
    again = network.key_points(across)
    back = network.render(network.source(across), made.source)
    scales = [(back, made.sources)]
    for _ in range(3):
        scales.append(tuple(torch.nn.functional.avg_pool2d(one, 2) for one in scales[-1]))
    cyclic = 10.0 * sum((a - b).abs().mean() for a, b in scales) / 4
    near = losses.neighbours(torch.cat([made.source.value, made.driving.value]))
    assert set(terms) == {"cyclic_l1", "angles", "appearance"}
    assert terms["cyclic_l1"].item() == pytest.approx(cyclic.item(), rel=1e-4)
    expected = losses.motion_adaptation(again.value, swapped(made.driving).value, near)
    assert terms["angles"].item() == pytest.approx(expected.item(), rel=1e-3)
    pixels = [losses.patches(*one, pixels=8, corners=False) for one in ((across, again), (made.sources, made.source))]
    assert terms["appearance"].item() == pytest.approx(10 * (pixels[0] - pixels[1]).abs().mean().item(), rel=1e-4)


def test_every_term_reaches_detector_and_generator():
    network = new_networks(QUICK, None)[0]
    for name in ("cyclic_l1", "angles", "appearance"):
        driving, made = made_of(network)
        terms = cross_domain_terms(network, driving, made, config=QUICK, perceptual=None)
        assert learned(network, terms[name]) == {"kp_detector", "generator"}


def test_terms_of_weight_zero_are_not_computed():
    network = new_networks(QUICK, None)[0]
    driving, made = made_of(network)
    config = replace(QUICK, cyclic=0.0, angles=0.0, appearance=0.0)
    assert cross_domain_terms(network, driving, made, config=config, perceptual=None) == {}


def test_with_vgg19_cyclic_and_appearance_terms_compare_its_features():
    network, perceptual = new_networks(QUICK, None)[0].eval(), PyramidPerceptual(VGG19())
    driving, made = made_of(network)
    config = replace(QUICK, l1=0.0, weight_perceptual=2.0, cyclic=3.0)
    terms = cross_domain_terms(network, driving, made, config=config, perceptual=perceptual)
    back = network.render(network.source(network.render(made.encoded, swapped(made.driving))), made.source)
    assert set(terms) == {"cyclic_perceptual", "angles", "appearance"}
    assert terms["cyclic_perceptual"].item() == pytest.approx(6 * perceptual(back, made.sources).item(), rel=1e-3)


def test_trained_weights_generate_and_are_called_a_re_implementation(whole, data):
    path = whole / "weights.safetensors"
    method = MAA(checkpoint=path)
    made = method.animate(np.zeros((80, 70, 3), np.uint8), data["real"].heldout[0], motion="relative", seed=0)
    assert made.shape == (4, 80, 70, 3)
    assert method.checkpoint["variant"] == "MAA, re-implementation from the paper, 4 key points"
    assert method.checkpoint["kind"] == "own"
    about = read_about(path)
    assert (about["method"], about["training"]["angles"], about["training"]["network"]["points"]) == ("maa", 1.0, 4)
    assert {"cyclic_l1", "angles", "appearance"} <= set((whole / "log.jsonl").read_text().replace('"', " ").split())


def test_a_run_that_was_stopped_and_resumed_ends_like_an_unbroken_one(whole, data, tmp_path):
    fit(replace(QUICK, steps=1), data, tmp_path, device="cpu")
    fit(QUICK, data, tmp_path, device="cpu")
    first, second = (torch.load(folder / "checkpoint.pt", weights_only=True)["network"] for folder in (whole, tmp_path))
    assert all(torch.equal(value, second[key]) for key, value in first.items())


def test_without_weights_the_error_says_in_one_line_that_none_exist_and_what_to_do(tmp_path):
    with pytest.raises(
        WeightsMissing, match="no official ones exist: train some with `toonbench train --method maa"
    ) as error:
        MAA()
    assert "\n" not in str(error.value)
    with pytest.raises(ToonbenchError, match="no such checkpoint; give weights of `toonbench train --method maa`"):
        MAA(checkpoint=tmp_path / "absent.safetensors")


def test_weights_of_fomm_and_of_maa_are_not_taken_for_each_other_but_training_starts_from_both(whole, data, tmp_path):
    plain = replace(FOMM_MINI, network=NETWORK, steps=0, batch=2)
    path = fit_fomm(plain, data, tmp_path / "fomm", device="cpu")
    with pytest.raises(ToonbenchError, match="it has weights of fomm, not of maa; give --method fomm"):
        MAA(checkpoint=path)
    with pytest.raises(ToonbenchError, match="it has weights of maa, not of fomm; give --method maa"):
        FOMM(checkpoint=whole / "weights.safetensors")
    for number, start in enumerate((path, whole / "weights.safetensors")):
        fit(replace(QUICK, steps=0), data, tmp_path / str(number), device="cpu", checkpoint=start)
        assert MAA(checkpoint=tmp_path / str(number) / "weights.safetensors").checkpoint["kind"] == "fine-tuned"


def test_a_file_that_does_not_state_its_training_is_refused_in_one_line(tmp_path):
    network = new_networks(QUICK, None)[0]
    content = {"kp_detector": network.kp_detector.state_dict(), "generator": network.generator.state_dict()}
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(
        ToonbenchError, match=r"other\.pt: it does not state that `toonbench train --method maa` wrote it"
    ):
        MAA(checkpoint=tmp_path / "other.pt")


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ('domains=["cartoon"]', "MAA learns from both, real, cartoon"),
        ("network.points=2", "an angle needs 3 or more"),
        ("patch=40", "1 to 16 is needed"),
    ],
)
def test_settings_without_a_meaning_are_refused(setting, why):
    with pytest.raises(ToonbenchError, match=why):
        find_config(CONFIGS, "mini", overrides=[setting])


def test_the_configurations_are_mini_and_paper_with_fomms_own_terms():
    assert set(CONFIGS) == {"mini", "paper"}
    assert MAA.clip_needs("mini").domains == ("real", "cartoon")
    assert (PAPER.perceptual, PAPER.size, PAPER.batch, MINI.size) == ("vgg19", 256, 40, 64)
