"""The losses of FOMM and DaGAN against plain transcriptions, and FOMM's training from the first step to an evaluated checkpoint."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from baselines.first_order_weights import NetworkConfig
from baselines.fomm.method import FOMM
from baselines.fomm.model import FOMMNetwork
from baselines.fomm.train import losses
from baselines.fomm.train.config import CONFIGS, MINI, PAPER
from baselines.fomm.train.step import generator_terms, train_step
from baselines.fomm.train.train import fit, new_networks
from baselines.fomm.weights_io import load_weights
from baselines.tuning.config import find_config
from baselines.tuning.loop import draw
from baselines.tuning.perceptual import PyramidPerceptual
from baselines.tuning.state import new_state
from toonbench.networks.first_order import KeyPoints
from toonbench.networks.patch_discriminator import PatchDiscriminator
from toonbench.networks.thin_plate import SmoothWarp, random_warp
from toonbench.networks.vgg19 import VGG19
from toonbench.training.clips import ClipSet
from toonbench.training.sampling import step_rng
from toonbench.training.trained_on import TrainedOn
from toonbench.types import ToonbenchError
from toonbench.weights.trained import read_about

NETWORK = NetworkConfig(points=3, detector=(4, 4, 4), motion=(4, 4, 4), generator=(4, 4, 4), residuals=1)
QUICK = replace(
    MINI, name="tiny", network=NETWORK, steps=4, batch=2, critic=(4, 4), ema=0.9, checkpoint_every=1, log_every=1,
    sample_every=4, adversarial=1.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def data():
    """Three clips of two domains: a picture of noise that moves to the right."""
    rng, found = np.random.default_rng(0), {}
    for domain in ("real", "cartoon"):
        grounds = rng.integers(0, 255, (3, 1, 64, 64, 3), dtype=np.uint8)
        clips = [np.concatenate([np.roll(ground, 3 * t, axis=2) for t in range(4)]) for ground in grounds]
        found[domain] = ClipSet((clips[1], clips[2]), (clips[0],))
    return found


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    fit(QUICK, data, folder, device="cpu")
    return folder


def points(seed, batch=2, count=3):
    rng = torch.Generator().manual_seed(seed)
    jacobian = torch.eye(2) + 0.2 * torch.randn(batch, count, 2, 2, generator=rng)
    return KeyPoints(torch.rand(batch, count, 2, generator=rng) - 0.5, jacobian)


def warps(seed=0):
    torch.manual_seed(seed)
    warp = random_warp(2)
    return SmoothWarp(warp.affine, warp.weights * 20)


def plainly_warped(warp, sample, x, y):
    """One point of one sample, number by number, as the specification writes it."""
    a, spline = warp.affine[sample].tolist(), 0.0
    for row in range(5):
        for column in range(5):
            r = abs(x - (column / 2 - 1)) + abs(y - (row / 2 - 1))
            spline += warp.weights[sample, 5 * row + column].item() * r**2 * math.log(r + 1e-6)
    return [a[i][0] * x + a[i][1] * y + a[i][2] + spline for i in range(2)]


def test_a_warp_is_an_affine_map_and_splines_with_the_sum_of_absolute_differences_as_distance():
    warp, own = warps(), points(1).value
    expected = [[plainly_warped(warp, b, *own[b, k].tolist()) for k in range(3)] for b in range(2)]
    assert torch.allclose(warp(own), torch.tensor(expected), atol=1e-5)


def test_the_jacobian_of_a_warp_is_its_derivative():
    warp, own = warps(), points(1).value.requires_grad_()
    moved = warp(own)
    for axis in range(2):
        (gradient,) = torch.autograd.grad(moved[..., axis].sum(), own, retain_graph=True)
        assert torch.allclose(warp.jacobian(own)[:, :, axis], gradient, atol=1e-5)


def test_a_warped_picture_has_at_each_pixel_what_lies_at_the_warped_place():
    ramp = torch.linspace(-1, 1, 33).expand(2, 1, 33, 33)  # its value at a place is its x
    warp = warps(3)
    small = SmoothWarp(torch.eye(2, 3) + 0.1 * (warp.affine - torch.eye(2, 3)), 0 * warp.weights)
    centre = torch.zeros(2, 1, 2)
    assert torch.allclose(small.picture(ramp, corners=True)[:, 0, 16, 16], small(centre)[:, 0, 0], atol=1e-5)


def test_equivariance_of_places_is_the_distance_of_points_that_are_warped_back():
    first, second, warp = points(1), points(2), warps()
    total = 0.0
    for b in range(2):
        for k in range(3):
            back = plainly_warped(warp, b, *second.value[b, k].tolist())
            total += sum(abs(first.value[b, k, i].item() - back[i]) for i in range(2))
    assert losses.equivariance_value(first, second, warp).item() == pytest.approx(total / 12, rel=1e-5)


def test_equivariance_of_jacobians_compares_their_product_with_the_identity():
    first, second, warp = points(1), points(2), warps()
    there = warp.jacobian(second.value)
    total = 0.0
    for b in range(2):
        for k in range(3):
            product = np.linalg.inv(first.jacobian[b, k].numpy()) @ there[b, k].numpy() @ second.jacobian[b, k].numpy()
            total += np.abs(np.eye(2) - product).sum()
    assert losses.equivariance_jacobian(first, second, warp).item() == pytest.approx(total / 24, rel=1e-4)


def test_equivariance_is_zero_exactly_for_points_that_follow_the_warp():
    second, warp = points(2), warps()
    first = KeyPoints(warp(second.value), warp.jacobian(second.value) @ second.jacobian)
    assert losses.equivariance_value(first, second, warp) < 1e-6
    assert losses.equivariance_jacobian(first, second, warp) < 1e-5


def test_least_squares_losses_and_feature_matching():
    scores, real = torch.tensor([[0.5, 2.0]]), torch.tensor([[1.0, 0.0]])
    assert losses.generator_loss(scores) == pytest.approx((0.25 + 1.0) / 2)
    assert losses.discriminator_loss(real, scores) == pytest.approx((0.25 + 1.0 + 4.0) / 2)
    maps = [torch.zeros(1, 2), torch.zeros(1, 1)]
    assert losses.feature_matching(maps, [torch.tensor([[1.0, 3.0]]), torch.tensor([[5.0]])]) == pytest.approx(2 + 5)


def test_the_discriminator_sees_the_picture_and_a_bump_at_each_key_point():
    own = points(1)
    seen = losses.with_heat_maps(torch.rand(2, 3, 9, 9), own)
    assert seen.shape == (2, 6, 9, 9)
    x, y = own.value[1, 2].tolist()
    row, column = 3, 5
    expected = math.exp(-((column / 4 - 1 - x) ** 2 + (row / 4 - 1 - y) ** 2) / (2 * 0.01))
    assert seen[1, 5, row, column].item() == pytest.approx(expected, rel=1e-4)


def test_the_discriminator_has_unpadded_convolutions_and_halves_between_blocks():
    critic = PatchDiscriminator(13)
    maps, scores = critic(torch.rand(1, 13, 64, 64))
    assert [tuple(one.shape[1:]) for one in maps] == [(64, 30, 30), (128, 13, 13), (256, 5, 5), (512, 2, 2)]
    assert scores.shape == (1, 1, 2, 2)
    assert [block.norm is None for block in critic.blocks] == [True, False, False, False]


def test_the_perceptual_loss_sums_layers_and_sizes_and_the_target_gets_no_gradient():
    network, seen = VGG19(), []
    loss = PyramidPerceptual(network)
    generated, target = torch.rand(1, 3, 32, 32, requires_grad=True), torch.rand(1, 3, 32, 32, requires_grad=True)
    for taps, by in ((1, 1), (5, 2), (13, 4), (29, 8)):
        sigma = (by - 1) / 2
        place = torch.arange(taps) - taps // 2
        kernel = torch.exp(-((place[:, None] ** 2 + place**2) / (2 * sigma**2))) if by > 1 else torch.ones(1, 1)
        kernel = (kernel / kernel.sum()).expand(3, 1, taps, taps)
        small = [torch.conv2d(one, kernel, padding=taps // 2, groups=3)[..., ::by, ::by] for one in (generated, target)]
        maps = [network(one * 2 - 1) for one in small]
        seen += [(a - b).abs().mean() for a, b in zip(*maps, strict=True)]
    found = loss(generated, target)
    assert found.item() == pytest.approx(torch.stack(seen).sum().item(), rel=1e-4)
    found.backward()
    assert generated.grad is not None
    assert target.grad is None


def test_new_weights_begin_with_jacobians_that_are_the_identity():
    network, critic = new_networks(QUICK, None)
    found = network.key_points(torch.rand(2, 3, 64, 64)).jacobian
    assert torch.allclose(found, torch.eye(2).expand(2, 3, 2, 2), atol=1e-6)
    assert critic.blocks[0].conv.weight.shape[1] == 3 + 3


def test_every_weight_of_detector_and_generator_learns():
    network, _ = new_networks(QUICK, None)
    terms, _ = generator_terms(
        network, torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64), config=QUICK, perceptual=None
    )
    torch.stack(list(terms.values())).sum().backward()
    assert [name for name, one in network.named_parameters() if one.grad is None] == []
    assert set(terms) == {"l1", "warp", "equivariance_value", "equivariance_jacobian"}


def test_steps_on_one_batch_reduce_the_loss():
    config = replace(QUICK, adversarial=0.0, equivariance_value=0.0, equivariance_jacobian=0.0)
    state = new_state(config, "cpu", lambda: new_networks(config, None))
    torch.manual_seed(0)
    source, driving = torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64)
    found = [train_step(state, {"source": source, "driving": driving}, perceptual=None)["loss"] for _ in range(3)]
    assert found[2] < found[1] < found[0]


def test_frozen_normalisations_keep_their_statistics():
    for frozen in (True, False):
        config = replace(QUICK, freeze_norms=frozen)
        state = new_state(config, "cpu", lambda config=config: new_networks(config, None))
        before = state.network.generator.first.norm.running_mean.clone()
        train_step(state, {"source": torch.rand(2, 3, 64, 64), "driving": torch.rand(2, 3, 64, 64)}, perceptual=None)
        assert torch.equal(before, state.network.generator.first.norm.running_mean) == frozen


@pytest.mark.parametrize("stop", [1, 3])
def test_a_run_that_was_stopped_and_resumed_ends_like_an_unbroken_one(data, whole, tmp_path, stop):
    class Killed(Exception):
        pass

    def kill(step, total):
        assert total == 4
        if step == stop:
            raise Killed

    with pytest.raises(Killed):
        fit(QUICK, data, tmp_path, device="cpu", on_progress=kill)
    fit(QUICK, data, tmp_path, device="cpu")
    first, second = (torch.load(folder / "checkpoint.pt", weights_only=True) for folder in (whole, tmp_path))
    for part in ("network", "average", "critic"):
        assert all(torch.equal(value, second[part][key]) for key, value in first[part].items())
    assert (whole / "weights.safetensors").read_bytes() == (tmp_path / "weights.safetensors").read_bytes()


def test_a_run_leaves_a_log_and_pictures(whole):
    lines = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3, 4]
    assert {"adversarial", "feature_matching", "critic", "equivariance_jacobian"} <= set(lines[0])
    assert {"heldout_real", "static_cartoon"} <= set(lines[-1])
    assert len(list((whole / "samples").glob("*.png"))) == 1


def test_trained_weights_generate_at_their_size_and_say_that_they_are_our_own(whole, data):
    method = FOMM(checkpoint=whole / "weights.safetensors")
    made = method.animate(np.zeros((80, 70, 3), np.uint8), data["real"].heldout[0], motion="relative", seed=0)
    assert made.shape == (4, 80, 70, 3)
    assert method.checkpoint["kind"] == "own"
    assert load_weights(whole / "weights.safetensors").size == 64
    about = read_about(whole / "weights.safetensors")
    assert about["training"]["network"]["points"] == 3
    assert about["steps"] == 4


def test_fine_tuning_begins_with_the_weights_of_the_checkpoint_and_names_it(whole, data, tmp_path):
    start = whole / "weights.safetensors"
    fit(replace(QUICK, steps=0), data, tmp_path, device="cpu", checkpoint=start)
    before, after = (load_weights(one / "weights.safetensors") for one in (whole, tmp_path))
    for key, value in before.network.state_dict().items():
        assert torch.equal(value, after.network.state_dict()[key])
    assert after.checkpoint["kind"] == "fine-tuned"
    assert after.checkpoint["started_from"] == before.checkpoint["sha256"]


def test_a_run_does_not_resume_with_another_beginning(whole, data):
    with pytest.raises(ToonbenchError, match="was trained with start = '', but start is"):
        fit(QUICK, data, whole, device="cpu", checkpoint=whole / "weights.safetensors")


def test_a_checkpoint_of_other_sizes_or_of_another_method_is_refused_in_one_line(whole, data, tmp_path):
    start = whole / "weights.safetensors"
    with pytest.raises(ToonbenchError, match="pictures of 64 px, and --config paper of 256 px"):
        fit(PAPER, data, tmp_path, device="cpu", checkpoint=start)
    with pytest.raises(ToonbenchError, match=r"another network .*points=3.*than --config mini"):
        fit(MINI, data, tmp_path, device="cpu", checkpoint=start)
    torch.save({"gen": {"enc.net_app.convs.0.0.weight": torch.zeros(1)}}, tmp_path / "lia.pt")
    with pytest.raises(ToonbenchError, match="it is a checkpoint of LIA, not of FOMM"):
        fit(QUICK, data, tmp_path, device="cpu", checkpoint=tmp_path / "lia.pt")


def test_clips_of_another_size_or_domain_are_refused_in_one_line(data, tmp_path):
    with pytest.raises(ToonbenchError, match="no cartoon training clips"):
        fit(QUICK, {"real": data["real"]}, tmp_path, device="cpu")
    with pytest.raises(ToonbenchError, match="64 x 64 px; 256 x 256 is needed"):
        fit(replace(PAPER, perceptual="none"), data, tmp_path, device="cpu")
    with pytest.raises(ToonbenchError, match="batch is 3, which 2 domains cannot share evenly"):
        fit(replace(QUICK, batch=3), data, tmp_path, device="cpu")


def test_without_vgg_weights_the_error_shows_how_to_get_them(data, tmp_path):
    with pytest.raises(ToonbenchError, match="toonbench weights fetch vgg19"):
        fit(replace(QUICK, perceptual="vgg19"), data, tmp_path, device="cpu")


def test_a_loss_that_is_not_finite_stops_the_run_with_the_batch_saved(data, tmp_path):
    with pytest.raises(ToonbenchError, match="step 1: the loss or the gradient of the generator is not finite"):
        fit(replace(QUICK, l1=float("inf")), data, tmp_path, device="cpu")
    (path,) = tmp_path.glob("not-finite-*.pt")
    assert torch.load(path, weights_only=True)["batch"]["driving"].shape == (2, 3, 64, 64)


def test_domains_have_equal_shares_of_a_step_however_many_clips_they_have(data):
    dark = replace(data["real"], train=[np.zeros_like(data["real"].train[0])] * 30)
    state = new_state(replace(QUICK, batch=6, jitter=0.0), "cpu", lambda: new_networks(QUICK, None))
    source, driving = draw(state, {"real": dark, "cartoon": data["cartoon"]}, step_rng(0, 0)).values()
    assert len(source) == len(driving) == 6
    assert sum(bool((one == -1).all()) for one in source) == 3


def test_too_little_memory_is_one_line_that_names_the_setting_to_lower(data, tmp_path, monkeypatch):
    def fails(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("baselines.tuning.loop.draw_pairs", fails)
    with pytest.raises(
        ToonbenchError, match=r"step 1 needs more memory than cpu has: lower batch \(now 2\) with --set batch=N"
    ):
        fit(QUICK, data, tmp_path, device="cpu")


def test_the_best_weights_are_kept_and_survive_a_resumed_run_and_a_fresh_run_has_its_own(data, tmp_path):
    config = replace(QUICK, sample_every=1)
    fit(replace(config, steps=2), data, tmp_path, device="cpu")
    fit(config, data, tmp_path, device="cpu")
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    errors = {one["step"]: (one["heldout_real"] + one["heldout_cartoon"]) / 2 for one in lines if "heldout_real" in one}
    about = read_about(tmp_path / "best.safetensors")
    assert set(errors) == {1, 2, 3, 4}
    assert about["steps"] == min(errors, key=errors.get)
    assert about["heldout"] == pytest.approx(min(errors.values()), abs=1e-5)
    assert load_weights(tmp_path / "best.safetensors").size == 64
    fit(replace(config, steps=0), data, tmp_path, device="cpu", resume=False)
    assert not (tmp_path / "best.safetensors").exists()


def test_weights_state_the_clips_they_were_trained_on_and_those_of_their_beginning(whole, data, tmp_path):
    mine = {
        domain: replace(one, origin=TrainedOn(("mine",), 1, frozenset([b"123456"]))) for domain, one in data.items()
    }
    more = {
        domain: replace(one, origin=TrainedOn(("more",), 1, frozenset([b"654321"]))) for domain, one in data.items()
    }
    first = fit(replace(QUICK, steps=0), mine, tmp_path / "first", device="cpu")
    fit(replace(QUICK, steps=0), more, tmp_path / "second", device="cpu", checkpoint=first)
    assert FOMM(checkpoint=first).trained_on.data == ("mine",)
    assert FOMM(checkpoint=tmp_path / "second" / "weights.safetensors").trained_on.data == ("mine", "more")


def test_fields_that_the_user_sets_are_stated_and_unknown_ones_refused():
    config = find_config(CONFIGS, "mini", overrides=["steps=7", "network.points=5"])
    assert (config.steps, config.network.points, config.overrides) == (7, 5, ("network.points=5", "steps=7"))
    with pytest.raises(ToonbenchError, match="--set start: it is stated by the training"):
        find_config(CONFIGS, "mini", overrides=["start=x"])
    with pytest.raises(ToonbenchError, match="unknown field"):
        find_config(CONFIGS, "mini", overrides=["stepz=x"])


def test_the_published_schedule_is_the_published_one():
    assert (PAPER.lr, PAPER.batch, PAPER.betas, PAPER.adversarial) == (2e-4, 40, (0.5, 0.999), 0.0)
    assert [PAPER.rate(795 * epoch) for epoch in (0, 59, 60, 90)] == pytest.approx([2e-4, 2e-4, 2e-5, 2e-6])
    assert (PAPER.weight_perceptual, PAPER.equivariance_value, PAPER.equivariance_jacobian) == (10, 10, 10)


def test_the_mini_fits_into_8_megabytes():
    assert sum(value.numel() for value in FOMMNetwork(MINI.network).state_dict().values()) * 2 < 8e6
    assert FOMM.clip_needs("mini").size == 64
    assert FOMM.clip_needs("finetune").domains == ("cartoon",)
    assert set(CONFIGS) == {"mini", "finetune", "paper"}
