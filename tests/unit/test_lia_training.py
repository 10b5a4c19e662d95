"""LIA's losses, and its training from the first step to an evaluated checkpoint."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from baselines.lia.method import LIA
from baselines.lia.model import LIANetwork, NetworkConfig
from baselines.lia.train.config import FINETUNE, MINI, PAPER
from baselines.lia.train.step import generator_terms, train_step
from baselines.lia.train.train import fit, new_networks
from baselines.lia.weights_io import load_weights
from baselines.tuning.state import new_state
from toonbench.training.clips import ClipSet
from toonbench.training.reconstruction import flow_l1, pyramid_l1
from toonbench.types import ToonbenchError

NETWORK = NetworkConfig(size=32, channels=tuple((4 << step, 8) for step in range(4)), style=8, motions=4)
QUICK = replace(
    MINI, name="tiny", network=NETWORK, size=32, steps=4, batch=2, ema=0.9, adversarial=1.0, r1_every=2, checkpoint_every=1,
    log_every=1, sample_every=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def data():
    """Three clips of two domains: a picture of noise that moves to the right."""
    rng, found = np.random.default_rng(0), {}
    for domain in ("real", "cartoon"):
        grounds = rng.integers(0, 255, (3, 1, 32, 32, 3), dtype=np.uint8)
        clips = [np.concatenate([np.roll(ground, 3 * t, axis=2) for t in range(4)]) for ground in grounds]
        found[domain] = ClipSet((clips[1], clips[2]), (clips[0],))
    return found


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    fit(QUICK, data, folder, device="cpu")
    return folder


def pictures(seed=0):
    rng = torch.Generator().manual_seed(seed)
    return [torch.rand(2, 3, 32, 32, generator=rng) * 2 - 1 for _ in range(2)]


def test_l1_averages_over_scales():
    checker = torch.ones(1, 1, 8, 8)
    checker[..., ::2] = -1
    assert pyramid_l1(checker, torch.zeros_like(checker), levels=1) == 1
    assert pyramid_l1(checker, torch.zeros_like(checker), levels=2) == 0.5  # stripes vanish at half the size


def test_the_warp_loss_prefers_the_flow_that_moves_the_source_onto_the_target():
    source = torch.rand(1, 3, 1, 16).repeat(1, 1, 16, 1).cumsum(3) / 8
    target = source.roll(-2, 3)
    fields = torch.zeros(1, 3, 16, 16)
    moved = fields.clone()
    moved[:, 0] = np.arctanh(2 * 2 / 16)
    assert flow_l1(source, target, [moved]) < 0.7 * flow_l1(source, target, [fields])


def test_the_terms_are_l1_and_perceptual_of_the_driving_frame_with_their_weights():
    torch.manual_seed(0)
    network, source, driving = LIANetwork(NETWORK), *pictures()
    config = replace(QUICK, l1=1.0, levels=1, warp=0.0, weight_perceptual=10.0)
    terms, generated = generator_terms(
        network, source, driving, config=config, perceptual=lambda a, b: (a - b).square().mean()
    )
    assert terms["l1"].item() == pytest.approx((generated - driving).abs().mean().item())
    assert terms["perceptual"].item() == pytest.approx(
        10 * ((generated - driving) / 2).square().mean().item(), rel=1e-5
    )
    assert set(terms) == {"l1", "perceptual"}


def test_the_adversarial_terms_are_those_of_the_logistic_loss():
    state = new_state(replace(QUICK, r1=0.0, lr=0.0), "cpu", lambda: new_networks(QUICK, None))
    source, driving = pictures()
    with torch.no_grad():
        _, generated = generator_terms(state.network, source, driving, config=QUICK, perceptual=None)
        fake, real = state.critic(generated), state.critic(driving)
    numbers = train_step(state, {"source": source, "driving": driving}, perceptual=None)
    assert numbers["adversarial"] == pytest.approx(torch.log1p(torch.exp(-fake)).mean().item(), rel=1e-4)
    expected = torch.log1p(torch.exp(-real)).mean() + torch.log1p(torch.exp(fake)).mean()
    assert numbers["critic"] == pytest.approx(expected.item(), rel=1e-4)


def test_the_gradient_penalty_is_half_the_squared_gradient_times_gamma_every_so_many_steps():
    source, driving = pictures()
    found = {}
    for r1 in (0.0, 10.0):
        config = replace(QUICK, r1=r1, r1_every=4, lr=0.0)
        state = new_state(config, "cpu", lambda config=config: new_networks(config, None))
        found[r1] = train_step(state, {"source": source, "driving": driving}, perceptual=None)["critic"]
    real = driving.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(state.critic(real).sum(), real)
    expected = 10.0 * 4 * 0.5 * gradient.square().sum((1, 2, 3)).mean().item()
    assert found[10.0] - found[0.0] == pytest.approx(expected, rel=1e-3)


def test_every_weight_that_the_network_uses_learns():
    network, _ = new_networks(QUICK, None)
    terms, _ = generator_terms(network, *pictures(), config=QUICK, perceptual=None)
    torch.stack(list(terms.values())).sum().backward()
    unused = {name for name, one in network.named_parameters() if one.requires_grad and one.grad is None}
    assert all(name.startswith("dec.to_rgb1.") for name in unused)


def test_steps_on_one_batch_reduce_the_loss():
    config = replace(QUICK, adversarial=0.0)
    state = new_state(config, "cpu", lambda: new_networks(config, None))
    source, driving = pictures()
    found = [train_step(state, {"source": source, "driving": driving}, perceptual=None)["loss"] for _ in range(3)]
    assert found[2] < found[1] < found[0]


def test_a_run_that_was_stopped_and_resumed_ends_like_an_unbroken_one(data, whole, tmp_path):
    class Killed(Exception):
        pass

    def kill(step, _total):
        if step == 2:
            raise Killed

    with pytest.raises(Killed):
        fit(QUICK, data, tmp_path, device="cpu", on_progress=kill)
    fit(QUICK, data, tmp_path, device="cpu")
    first, second = (torch.load(folder / "checkpoint.pt", weights_only=True) for folder in (whole, tmp_path))
    for part in ("network", "average", "critic"):
        assert all(torch.equal(value, second[part][key]) for key, value in first[part].items())
    assert (whole / "weights.safetensors").read_bytes() == (tmp_path / "weights.safetensors").read_bytes()


def test_trained_weights_generate_and_say_that_they_are_our_own(whole, data):
    method = LIA(checkpoint=whole / "weights.safetensors")
    made = method.animate(np.zeros((40, 30, 3), np.uint8), data["real"].heldout[0], motion="relative", seed=0)
    assert made.shape == (4, 40, 30, 3)
    assert method.checkpoint["kind"] == "own"
    lines = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    assert {"l1", "warp", "adversarial", "critic"} <= set(lines[0])


def test_fine_tuning_begins_with_the_weights_of_the_checkpoint_and_names_it(whole, data, tmp_path):
    start = whole / "weights.safetensors"
    fit(replace(QUICK, steps=0), data, tmp_path, device="cpu", checkpoint=start)
    before, after = (load_weights(one / "weights.safetensors") for one in (whole, tmp_path))
    for key, value in before.network.state_dict().items():
        assert torch.equal(value, after.network.state_dict()[key])
    assert after.checkpoint["kind"] == "fine-tuned"
    assert after.checkpoint["started_from"] == before.checkpoint["sha256"]


def test_a_checkpoint_of_other_sizes_or_of_another_method_is_refused_in_one_line(whole, data, tmp_path):
    with pytest.raises(ToonbenchError, match="pictures of 32 px, and --config mini of 64 px"):
        fit(MINI, data, tmp_path, device="cpu", checkpoint=whole / "weights.safetensors")
    wider = replace(QUICK, network=replace(NETWORK, motions=5))
    with pytest.raises(ToonbenchError, match=r"another network .*motions=4.*than --config tiny"):
        fit(wider, data, tmp_path, device="cpu", checkpoint=whole / "weights.safetensors")
    torch.save({"generator": {"dense_motion_network.mask.weight": torch.zeros(1)}}, tmp_path / "fomm.pt")
    with pytest.raises(ToonbenchError, match="it is a checkpoint of FOMM, not of LIA"):
        fit(QUICK, data, tmp_path, device="cpu", checkpoint=tmp_path / "fomm.pt")


def test_official_sizes_are_those_of_the_finetune_configuration():
    with torch.device("meta"):
        assert LIANetwork(FINETUNE.network).config.used == PAPER.network.used
    assert (PAPER.lr, PAPER.batch, PAPER.l1, PAPER.weight_perceptual, PAPER.adversarial) == (2e-3, 32, 1, 10, 1)
    assert PAPER.critic_share == 16 / 17


def test_the_mini_fits_into_8_megabytes():
    assert sum(value.numel() for value in LIANetwork(MINI.network).state_dict().values()) * 2 < 8e6
    assert LIA.clip_needs("mini").size == 64
