import json
import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from toonbench.types import ToonbenchError
from toonbench.video import write_lossless
from toontalker.config import NetworkConfig
from toontalker.train.config import CONFIGS, MINI, TrainConfig, find_config
from toontalker.train.data import draw_gap, draw_pairs, load_clips
from toontalker.train.discriminator import Discriminator, minibatch_stddev
from toontalker.train.losses import VGGLoss, analogy, fooling, perceptual_loss, pyramid_l1, telling_apart, warp_l1
from toontalker.train.state import begin_stage2, load_state, new_state, set_rate
from toontalker.train.team import Team, shared_board
from toontalker.train.train import run, trim_log
from toontalker.weights_io import load_network

TINY = NetworkConfig(
    size=64, channels=tuple((4 << i, 8) for i in range(5)), style=8, motions=3, heads=2, feedforward=8, dropout=0.1
)
QUICK = replace(
    MINI, name="tiny", network=TINY, steps1=2, steps2=2, batch1=2, batch2=2, workers=1, checkpoint_every=1, log_every=1
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    rng, rows = np.random.default_rng(0), []
    for domain in ("real", "cartoon"):
        for index in range(3):
            ground = rng.integers(0, 255, (1, 80, 72, 3), dtype=np.uint8)
            frames = np.concatenate([np.roll(ground, 3 * t, axis=2) for t in range(4)])
            file = f"{domain}{index}.mkv"
            write_lossless(folder / file, frames, fps=10)
            rows.append({"file": file, "domain": domain, "kind": "video", "split": "train", "identity": file})
    pd.DataFrame(rows).to_parquet(folder / "metadata.parquet")
    return folder


def same(first, second):
    a, b = (torch.load(folder / "checkpoint.pt", weights_only=True) for folder in (first, second))
    assert a["step"] == b["step"]
    for part in ("network", "average"):
        for key in a[part]:
            assert torch.equal(a[part][key], b[part][key]), key


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    run(QUICK, data, folder, device="cpu")
    return folder


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_run_that_was_stopped_and_resumed_ends_like_an_unbroken_one(data, whole, tmp_path, stop):
    class Killed(Exception):
        pass

    def kill(step, total):
        assert total == 4
        if step == stop:
            raise Killed

    with pytest.raises(Killed):
        run(QUICK, data, tmp_path, device="cpu", on_progress=kill)
    run(QUICK, data, tmp_path, device="cpu")
    same(whole, tmp_path)
    assert (whole / "weights.safetensors").read_bytes() == (tmp_path / "weights.safetensors").read_bytes()


def test_a_run_leaves_a_log_pictures_and_weights_that_load(whole):
    lines = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3, 4]
    assert {"analogy_real_to_cartoon", "analogy_cartoon_to_real", "size_motion_cartoon"} <= set(lines[-2])
    assert {"heldout_cartoon", "static_cartoon"} <= set(lines[-1])
    assert len(list((whole / "samples").glob("*.png"))) == 1
    assert load_network(whole / "weights.safetensors").domain("real").config == TINY


def test_adversaries_and_random_features_can_be_switched_on(data, tmp_path):
    config = replace(QUICK, adversarial=1.0, r1_every=2, perceptual="random", gradient=1.0)
    run(config, data, tmp_path, device="cpu")
    line = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-2])
    assert {"adversarial", "critic", "perceptual_real", "gradient_cartoon"} <= set(line)
    assert all(np.isfinite(value) for value in line.values())


@pytest.mark.slow
def test_two_workers_share_a_batch_and_resume(data, tmp_path):
    config = replace(QUICK, workers=2)
    run(config, data, tmp_path / "whole", device="cpu")
    run(replace(config, steps2=0), data, tmp_path / "parts", device="cpu")
    run(config, data, tmp_path / "parts", device="cpu")
    same(tmp_path / "whole", tmp_path / "parts")


def test_a_killed_runs_log_is_cut_back_to_its_checkpoint(tmp_path):
    lines = [json.dumps({"step": step}) + "\n" for step in (1, 2, 3)]
    (tmp_path / "log.jsonl").write_text("".join(lines))
    trim_log(tmp_path, 2)
    assert (tmp_path / "log.jsonl").read_text() == "".join(lines[:2])


def test_workers_average_their_gradients_and_notice_a_missing_one():
    gate, board = threading.Barrier(2), shared_board(2, 8)
    weights = [torch.nn.Parameter(torch.zeros(3)) for _ in range(2)]
    teams = [Team(rank, 2, board, gate) for rank in range(2)]
    for rank, weight in enumerate(weights):
        weight.grad = torch.full((3,), float(rank))
    other = threading.Thread(target=teams[1].average, args=([weights[1]],))
    other.start()
    teams[0].average([weights[0]])
    other.join()
    assert all(torch.equal(weight.grad, torch.full((3,), 0.5)) for weight in weights)
    gate.abort()
    with pytest.raises(ToonbenchError, match="worker ended"):
        teams[0].meet()


def test_a_batch_that_workers_cannot_share_is_refused(data, tmp_path):
    with pytest.raises(ToonbenchError, match="batch1 is 3"):
        run(replace(QUICK, workers=2, batch1=3), data, tmp_path, device="cpu")


def test_a_checkpoint_of_other_choices_is_refused_but_more_steps_are_welcome(whole):
    with pytest.raises(ToonbenchError, match=r"motion = 4\.0, now 5\.0"):
        load_state(replace(QUICK, motion=5.0), "cpu", whole)
    assert load_state(replace(QUICK, steps2=9), "cpu", whole).step == 4


def test_stage_2_starts_the_cartoon_domain_as_a_copy_of_the_real_one_with_shared_queries():
    state = new_state(QUICK, "cpu")
    begin_stage2(state)
    cartoon, real = state.network.domain("cartoon"), state.network.domain("real")
    for (key, a), b in zip(cartoon.state_dict().items(), real.state_dict().values(), strict=True):
        assert torch.equal(a, b), key
    assert cartoon.dec.transformerlayer_0 is real.dec.transformerlayer_0
    assert cartoon.dec.transformerlayer is not real.dec.transformerlayer


def test_rates_fall_over_the_last_share_of_each_stage():
    state = new_state(replace(QUICK, steps1=10, steps2=10, decay=0.5, lr1=1.0, lr2=0.5, plain_lr=0.5), "cpu")
    rates = []
    for state.step in (0, 5, 9, 10, 19):
        set_rate(state)
        rates.append([group["lr"] for group in state.optimiser.param_groups])
    assert np.allclose(rates, [[1, 0.5], [1, 0.5], [0.2, 0.1], [0.5, 0.25], [0.1, 0.05]])


def test_the_papers_numbers_are_the_papers():
    paper = CONFIGS["paper"]
    assert (paper.steps1, paper.batch1, paper.lr1) == (450_000, 64, 5e-4)
    assert (paper.steps2, paper.batch2, paper.lr2) == (10_000, 8, 1e-4)
    assert (paper.weight_perceptual, paper.motion, paper.perceptual, paper.network.size) == (10.0, 20.0, "vgg19", 256)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))
def test_a_configuration_survives_json(config):
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_an_unknown_configuration_lists_the_known_ones():
    with pytest.raises(ToonbenchError, match="mini, paper"):
        find_config("maxi")


def test_pairs_come_from_one_clip_and_share_flip_and_colours(data):
    clips = load_clips(data, size=64, domains=("real",))["real"]
    assert len(clips.train) == 2
    assert len(clips.heldout) == 1
    still = [np.repeat(clip[:1], 4, axis=0) for clip in clips.train]
    first, second = draw_pairs(still, np.random.default_rng(0), batch=8, config=QUICK, step=0, device="cpu")
    assert first.shape == (8, 3, 64, 64)
    assert torch.equal(first, second)
    assert first.abs().max() <= 1
    assert len({image.mean().item() for image in first}) == 8


def test_gaps_begin_small_and_grow_to_the_whole_clip():
    def gaps(step):
        rng = np.random.default_rng(0)
        return [draw_gap(rng, 40, growth=100, step=step) for _ in range(300)]

    assert set(gaps(0)) == {1, 2}
    assert max(gaps(1000)) == 39
    assert min(gaps(1000)) <= 3


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (None, "no metadata.parquet"),
        ([], "column file is missing"),
        ([{"file": "a", "domain": "real", "split": "test"}], "0 real training clips"),
    ],
)
def test_an_unusable_data_set_is_refused(tmp_path, rows, message):
    if rows is not None:
        pd.DataFrame(rows).to_parquet(tmp_path / "metadata.parquet")
    with pytest.raises(ToonbenchError, match=message):
        load_clips(tmp_path, size=64, domains=("real",))


def test_analogy_is_zero_exactly_when_both_moved_alike():
    s, a, moved = (torch.randn(2, 3, 8) for _ in range(3))
    assert analogy(s + moved, s, a, a + moved) < 1e-6
    assert analogy(s + 2 * moved, s, a, a + moved) == pytest.approx(moved.abs().mean().item(), rel=1e-4)


def test_the_drivers_side_of_the_analogy_can_be_held_fixed():
    codes = [torch.randn(1, 2, 4, requires_grad=True) for _ in range(4)]
    analogy(*codes, detach_driving=True).backward()
    assert [code.grad is not None for code in codes] == [True, True, False, False]


def test_the_pyramid_averages_over_scales():
    checker = torch.ones(1, 1, 8, 8)
    checker[..., ::2] = -1
    assert pyramid_l1(checker, torch.zeros_like(checker), levels=1) == 1
    assert pyramid_l1(checker, torch.zeros_like(checker), levels=2) == 0.5  # stripes vanish at half the size


def test_warp_loss_prefers_the_flow_that_moves_the_source_onto_the_answer():
    source = torch.rand(1, 3, 1, 16).repeat(1, 1, 16, 1).cumsum(3) / 8
    wanted = source.roll(-2, 3)
    fields = torch.zeros(1, 3, 16, 16)
    moved = fields.clone()
    moved[:, 0] = np.arctanh(2 * 2 / 16)
    assert warp_l1(source, wanted, [moved]) < 0.7 * warp_l1(source, wanted, [fields])


def test_the_adversarial_losses_fall_when_their_side_wins():
    good, bad = torch.full((4,), 3.0), torch.full((4,), -3.0)
    assert fooling(good) < fooling(bad)
    assert telling_apart(good, bad) < telling_apart(bad, good)


def test_the_discriminator_sees_when_all_samples_are_alike():
    alike, varied = torch.ones(4, 2, 4, 4), torch.randn(4, 2, 4, 4)
    assert minibatch_stddev(alike)[:, 2].max() < 1e-3 < minibatch_stddev(varied)[:, 2].min()
    assert Discriminator(TINY)(torch.randn(3, 3, 64, 64)).shape == (3,)


def test_vgg_features_are_five_and_tell_pictures_apart():
    loss = VGGLoss(None)
    image = torch.rand(1, 3, 64, 64)
    assert len(loss._slices(image)) == 5
    assert loss(image, image) == 0
    assert loss(image, image.flip(3)) > 0


def test_vgg_without_weights_says_where_to_get_them():
    with pytest.raises(ToonbenchError, match="TOONTALKER_VGG19"):
        perceptual_loss("vgg19")
