import json
import lzma
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from toonbench import cli
from toonbench.data.table import CLIPS
from toonbench.training.clips import ClipSet
from toonbench.types import ToonbenchError
from toonbench.video import write_lossless
from toontalker.config import NetworkConfig
from toontalker.method import ToonTalker
from toontalker.train.config import CONFIGS, MINI, TrainConfig, find_config
from toontalker.train.losses import analogy, perceptual_loss, pyramid_l1, warp_l1
from toontalker.train.state import begin_stage2, load_state, new_state, set_rate
from toontalker.train.train import run
from toontalker.weights_io import load_network

OLD = Path(__file__).parent.parent / "golden" / "training_0.1.0" / "toontalker.pt.xz"
TINY = NetworkConfig(
    size=64, channels=tuple((4 << i, 8) for i in range(5)), style=8, motions=3, heads=2, feedforward=8, dropout=0.1
)
QUICK = replace(
    MINI, name="tiny", network=TINY, steps1=2, steps2=2, batch1=2, batch2=2, workers=1, checkpoint_every=1, log_every=1
)


@pytest.fixture(scope="module")
def data():
    """Three clips of two domains: a picture of noise that moves to the right."""
    rng, found = np.random.default_rng(0), {}
    for domain in ("real", "cartoon"):
        grounds = rng.integers(0, 255, (3, 1, 64, 64, 3), dtype=np.uint8)
        clips = [np.concatenate([np.roll(ground, 3 * t, axis=2) for t in range(4)]) for ground in grounds]
        found[domain] = ClipSet((clips[1], clips[2]), (clips[0],))
    return found


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


def test_a_batch_that_workers_cannot_share_is_refused(data, tmp_path):
    with pytest.raises(ToonbenchError, match="batch1 is 3"):
        run(replace(QUICK, workers=2, batch1=3), data, tmp_path, device="cpu")


def test_a_checkpoint_of_other_choices_is_refused_but_more_steps_are_welcome(whole):
    with pytest.raises(ToonbenchError, match=r"motion = 4\.0, but motion is 5\.0 now"):
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


def test_analogy_is_zero_exactly_when_both_moved_alike():
    s, a, moved = (torch.randn(2, 3, 8) for _ in range(3))
    assert analogy(s + moved, s, a, a + moved) < 1e-6
    assert analogy(s + 2 * moved, s, a, a + moved) == pytest.approx(moved.abs().mean().item(), rel=1e-4)


def test_the_driving_side_of_the_analogy_can_be_held_fixed():
    codes = [torch.randn(1, 2, 4, requires_grad=True) for _ in range(4)]
    analogy(*codes, detach_driving=True).backward()
    assert [code.grad is not None for code in codes] == [True, True, False, False]


def test_the_pyramid_averages_over_scales():
    checker = torch.ones(1, 1, 8, 8)
    checker[..., ::2] = -1
    assert pyramid_l1(checker, torch.zeros_like(checker), levels=1) == 1
    assert pyramid_l1(checker, torch.zeros_like(checker), levels=2) == 0.5  # stripes vanish at half the size


def test_warp_loss_prefers_the_flow_that_moves_the_source_onto_the_target():
    source = torch.rand(1, 3, 1, 16).repeat(1, 1, 16, 1).cumsum(3) / 8
    target = source.roll(-2, 3)
    fields = torch.zeros(1, 3, 16, 16)
    moved = fields.clone()
    moved[:, 0] = np.arctanh(2 * 2 / 16)
    assert warp_l1(source, target, [moved]) < 0.7 * warp_l1(source, target, [fields])


def test_without_vgg_weights_the_error_shows_how_to_get_them():
    with pytest.raises(ToonbenchError, match="TOONTALKER_VGG19"):
        perceptual_loss("vgg19")


def test_clips_of_another_size_or_domain_are_refused(data, tmp_path):
    with pytest.raises(ToonbenchError, match="no cartoon training clips"):
        run(QUICK, {"real": data["real"]}, tmp_path, device="cpu")
    small = {
        domain: ClipSet(tuple(c[:, ::2, ::2] for c in clips.train), clips.heldout) for domain, clips in data.items()
    }
    with pytest.raises(ToonbenchError, match="32 x 32 px; 64 x 64 is needed"):
        run(QUICK, small, tmp_path, device="cpu")


def test_a_checkpoint_of_version_0_1_0_resumes(data, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(lzma.decompress(OLD.read_bytes()))
    least = replace(TINY, channels=tuple((4 << i, 1) for i in range(5)), style=1, motions=1, heads=1, feedforward=1)
    config = replace(QUICK, name="least", network=replace(least, dropout=0.0), steps1=1, levels=2)
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    state = load_state(config, "cpu", tmp_path)
    assert state.step == 2
    for part in ("network", "average"):
        loaded = getattr(state, part).state_dict()
        assert all(torch.equal(loaded[key], value) for key, value in saved[part].items())
    assert state.optimiser.state_dict()["state"].keys() == saved["optimiser"]["state"].keys()
    run(config, data, tmp_path, device="cpu")
    assert load_state(config, "cpu", tmp_path).step == 3


def test_the_command_trains_on_a_folder(data, tmp_path, monkeypatch, capsys):
    rows = []
    for domain, clips in data.items():
        for index, frames in enumerate((*clips.heldout, *clips.train)):
            name = f"{domain}{index}"
            write_lossless(tmp_path / "set" / f"{name}.mkv", frames, fps=10)
            row = {"id": name, "file": f"{name}.mkv", "domain": domain, "kind": "video", "identity": name}
            rows.append(row | {"split": "train", "sha256": "0" * 64})
    CLIPS.write(tmp_path / "set", rows)
    monkeypatch.setitem(CONFIGS, "tiny", QUICK)
    arguments = ["train", "--config", "tiny", "--data", str(tmp_path / "set"), "--out", str(tmp_path / "out")]
    assert cli.run([*arguments, "--device", "cpu"]) == 0
    assert "trained" in capsys.readouterr().err
    assert load_network(tmp_path / "out" / "weights.safetensors").domain("real").config == TINY


def test_the_clips_that_the_method_needs_have_the_size_of_its_network():
    assert ToonTalker.clip_needs("mini").size == 64
    assert ToonTalker.clip_needs("paper").size == 256
