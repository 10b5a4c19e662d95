"""What DaGAN's training adds to FOMM's, its depth network on exact depth, and an evaluated checkpoint."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from baselines.dagan.depth import DepthConfig
from baselines.dagan.method import DaGAN
from baselines.dagan.model import DaGANNetwork
from baselines.dagan.train import losses
from baselines.dagan.train.config import MINI, MINI_DEPTH, PAPER
from baselines.dagan.train.depth import DepthPlan, disparity, train_depth, write_depth
from baselines.dagan.train.train import fit, new_networks
from baselines.dagan.weights_io import load_weights, read_depth
from baselines.first_order_weights import NetworkConfig
from baselines.fomm.train.step import train_step
from baselines.tuning.state import new_state
from toonbench.puppets.catalogue import make_look
from toonbench.puppets.draw.render import render_clip, render_depth
from toonbench.puppets.rig import neutral
from toonbench.training.clips import ClipSet
from toonbench.types import ToonbenchError

NETWORK = NetworkConfig(points=3, detector=(4, 4, 4), motion=(4, 4, 4), generator=(4, 4, 4), residuals=1)
TINY_DEPTH = DepthConfig(stem=4, planes=(4, 4, 4, 4), blocks=(1, 1, 1, 1), decoder=(4, 4, 4, 4, 4), classes=2)
QUICK = replace(
    MINI, name="tiny", network=NETWORK, attention=4, steps=4, batch=2, critic=(4, 4), ema=0.9, checkpoint_every=1, log_every=1,
    sample_every=4, adversarial=1.0, depth_constraint=1.0,
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


def faces(count=8):
    """Pictures of a bright disc before a dark ground, and the depth of a ball there."""
    axis = np.linspace(-1, 1, 64)
    near = np.sqrt(np.clip(0.5 - axis[:, None] ** 2 - axis**2, 0, 1)).astype(np.float32)
    near[near == 0] = -np.inf
    picture = np.where(np.isfinite(near)[..., None], 200, 30).astype(np.uint8).repeat(3, axis=2)
    return np.stack([picture] * count), np.stack([near] * count)


@pytest.fixture(scope="module")
def depth(tmp_path_factory):
    folder = tmp_path_factory.mktemp("depth")
    frames, near = faces()
    network = train_depth(frames, disparity(near), config=TINY_DEPTH, plan=DepthPlan(steps=2, batch=2))
    write_depth(network, folder, about="exact depth of puppets")
    return folder


def put_depth(depth, out):
    out.mkdir(exist_ok=True)
    for name in ("encoder.pth", "depth.pth", "depth.json"):
        (out / name).write_bytes((depth / name).read_bytes())
    return out


@pytest.fixture(scope="module")
def whole(data, depth, tmp_path_factory):
    folder = put_depth(depth, tmp_path_factory.mktemp("whole"))
    fit(QUICK, data, folder, device="cpu")
    return folder


def test_the_distance_term_counts_near_pairs_and_has_no_gradient():
    value = torch.tensor([[[0.0, 0.0], [0.1, 0.0], [0.9, 0.0]]], requires_grad=True)
    found = losses.kp_distance(value)
    # two of the nine ordered pairs are nearer than 0.2 and count 2, three are a point with itself and count 1
    assert found.item() == pytest.approx((2 * 2 + 3 * 1) / 9)
    found.backward()
    assert not value.grad.any()


def test_the_depth_constraint_is_the_difference_of_depths_and_reaches_the_generated_picture(depth):
    network, _ = new_networks(QUICK, read_depth(depth))
    network.eval()
    driving, generated = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64, requires_grad=True)
    found = losses.depth_constraint(network, driving, generated)
    with torch.no_grad():
        expected = (network.disparity(driving) - network.disparity(generated)).abs().mean()
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    found.backward()
    assert generated.grad.abs().sum() > 0
    assert all(one.grad is None for one in network.depth_encoder.parameters())


def test_the_depth_network_neither_learns_nor_moves_its_statistics(depth):
    state = new_state(QUICK, "cpu", lambda: new_networks(QUICK, read_depth(depth)))
    before = {key: value.clone() for key, value in state.network.state_dict().items()}
    train_step(state, {"source": torch.rand(2, 3, 64, 64), "driving": torch.rand(2, 3, 64, 64)}, perceptual=None)
    changed = {
        key.split(".")[0] for key, value in state.network.state_dict().items() if not torch.equal(value, before[key])
    }
    assert changed == {"kp_detector", "generator"}


def test_a_run_that_was_stopped_and_resumed_ends_like_an_unbroken_one(data, depth, whole, tmp_path):
    class Killed(Exception):
        pass

    def kill(step, _total):
        if step == 2:
            raise Killed

    put_depth(depth, tmp_path)
    with pytest.raises(Killed):
        fit(QUICK, data, tmp_path, device="cpu", on_progress=kill)
    fit(QUICK, data, tmp_path, device="cpu")
    assert (whole / "weights.safetensors").read_bytes() == (tmp_path / "weights.safetensors").read_bytes()


def test_trained_weights_generate_without_other_files_and_say_what_was_supervised(whole, data, tmp_path):
    alone = tmp_path / "mini.safetensors"
    alone.write_bytes((whole / "weights.safetensors").read_bytes())
    method = DaGAN(checkpoint=alone)
    made = method.animate(np.zeros((80, 70, 3), np.uint8), data["real"].heldout[0], motion="relative", seed=0)
    assert made.shape == (4, 80, 70, 3)
    assert method.checkpoint["kind"] == "own"
    assert method.checkpoint["supervised"] == "exact depth of puppets"


def test_fine_tuning_begins_with_the_weights_of_the_checkpoint_and_names_it(whole, data, tmp_path):
    start = whole / "weights.safetensors"
    fit(replace(QUICK, steps=0), data, tmp_path, device="cpu", checkpoint=start)
    before, after = (load_weights(one / "weights.safetensors") for one in (whole, tmp_path))
    for key, value in before.network.state_dict().items():
        assert torch.equal(value, after.network.state_dict()[key])
    assert after.checkpoint["kind"] == "fine-tuned"
    assert after.checkpoint["started_from"] == before.checkpoint["sha256"]
    assert after.checkpoint["supervised"] == "exact depth of puppets"


def test_without_a_depth_network_one_line_says_where_it_comes_from(data, tmp_path):
    with pytest.raises(ToonbenchError, match=r"DaGAN needs encoder\.pth of its depth network"):
        fit(QUICK, data, tmp_path, device="cpu")


def test_a_checkpoint_of_other_sizes_or_of_another_method_is_refused_in_one_line(whole, data, tmp_path):
    with pytest.raises(ToonbenchError, match=r"another network .*points=3.*than --config mini"):
        fit(MINI, data, tmp_path, device="cpu", checkpoint=whole / "weights.safetensors")
    torch.save({"gen": {"enc.net_app.convs.0.0.weight": torch.zeros(1)}}, tmp_path / "lia.pt")
    with pytest.raises(ToonbenchError, match="it is a checkpoint of LIA, not of DaGAN"):
        fit(QUICK, data, tmp_path, device="cpu", checkpoint=tmp_path / "lia.pt")


def test_a_depth_network_learns_exact_depth():
    frames, near = faces()
    steps = []
    plan = DepthPlan(steps=30, batch=4, lr=1e-2)
    train_depth(frames, disparity(near), config=TINY_DEPTH, plan=plan, on_step=lambda _, loss: steps.append(loss))
    assert np.mean(steps[-3:]) < 0.7 * np.mean(steps[:3])


def test_disparity_is_larger_for_what_is_nearer_and_zero_for_the_backdrop():
    found = disparity(np.array([-np.inf, -1.8, -0.3, 1.2, 2.0], np.float32))
    assert found.tolist() == pytest.approx([0.0, 0.0, 0.5, 1.0, 1.0])


def test_a_puppets_depth_belongs_to_its_picture():
    look = make_look("real", 3)
    frames, near = render_depth(look, neutral()[None], size=64)
    drawn = render_clip(look, neutral()[None], size=64)
    assert np.array_equal(frames, drawn.frames)
    inside = np.isfinite(near[0])
    assert (drawn.mask[0] == 255).sum() > 0
    assert inside[drawn.mask[0] == 255].all()
    assert not inside[drawn.mask[0] == 0].any()
    nose = drawn.landmarks[0, 30].astype(int)
    ear_side = drawn.landmarks[0, 0].astype(int)
    assert near[0, nose[1], nose[0]] > near[0, ear_side[1], ear_side[0] + 1] + 0.2


def test_the_published_schedule_is_the_published_one_and_the_mini_fits_into_8_megabytes():
    assert (PAPER.lr, PAPER.batch, PAPER.adversarial, PAPER.kp_distance, PAPER.depth_constraint) == (2e-4, 96, 1, 10, 0)
    network = DaGANNetwork(MINI.network, MINI_DEPTH, attention=MINI.attention)
    assert sum(value.numel() for value in network.state_dict().values()) * 2 < 8e6
    assert DaGAN.clip_needs("mini").size == 64
