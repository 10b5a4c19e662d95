"""Recycle-GAN: its terms against plain transcriptions, a run on a pair of clips, and its place beside the ranked methods."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from baselines.recycle_gan.method import RecycleGAN
from baselines.recycle_gan.train.config import CONFIGS, MINI
from baselines.recycle_gan.train.step import generator_terms, other, recurrent, recycle, train_step, windows_of
from baselines.recycle_gan.train.train import draw, fit, new_networks
from baselines.recycle_gan.weights_io import TINY, export, load_weights
from baselines.tuning.config import find_config
from baselines.tuning.state import new_state
from toonbench.leaderboard.tables import section_of
from toonbench.report.methods import DUMMIES, UNRANKED
from toonbench.training.clips import ClipSet
from toonbench.training.processes import ProcessGroup
from toonbench.training.sampling import step_rng
from toonbench.training.trained_on import TrainedOn
from toonbench.types import ToonbenchError
from toonbench.weights import WeightsMissing
from toonbench.weights.trained import read_about, write_trained

QUICK = replace(
    MINI, name="tiny", network=TINY, critic=(4, 4), size=32, steps=3, batch=2, checkpoint_every=1, log_every=1,
    sample_every=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def data():
    """One clip of each domain: noise that moves to the right."""
    rng, found = np.random.default_rng(0), {}
    for number, domain in enumerate(("real", "cartoon")):
        ground = rng.integers(0, 255, (1, 32, 32, 3), dtype=np.uint8)
        clip = np.concatenate([np.roll(ground, 3 * t, axis=2) for t in range(5 + number)])
        found[domain] = ClipSet((clip,), (clip,), origin=TrainedOn(("mine",), 1, frozenset([b"12345%d" % number])))
    return found


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    fit(QUICK, data, out, device="cpu")
    return out


def drawn(data, each=2, group=None):
    """A batch with so many windows of each clip, or the share of a process."""
    state = new_state(replace(QUICK, batch=2 * each), "cpu", lambda: new_networks(QUICK))
    state.group = group or ProcessGroup()
    return draw(state, data, step_rng(0, 0))


def test_windows_are_three_frames_that_follow_each_other(data):
    for domain, window in windows_of(drawn(data, each=20)).items():
        frames = torch.from_numpy(data[domain].train[0]).permute(0, 3, 1, 2) / 127.5 - 1.0
        starts = set()
        for row in range(20):
            at = [next(t for t in range(len(frames)) if torch.allclose(frames[t], one[row])) for one in window]
            assert at == [at[0], at[0] + 1, at[0] + 2]
            starts.add(at[0])
        assert starts == set(range(len(frames) - 2))


def test_processes_that_a_launcher_starts_share_the_windows_of_a_step(data):
    whole, *parts = (drawn(data, group=group) for group in (None, ProcessGroup(0, 2), ProcessGroup(1, 2)))
    for name, frames in whole.items():
        assert torch.equal(frames, torch.cat([part[name] for part in parts]))


def test_a_batch_that_two_clips_cannot_share_is_refused(data, tmp_path):
    with pytest.raises(ToonbenchError, match="batch is 3, which 2 domains cannot share evenly"):
        fit(replace(QUICK, batch=3), data, tmp_path, device="cpu")


def test_the_terms_are_those_of_the_paper(data):
    network, critics = (one.eval() for one in new_networks(QUICK))
    windows = windows_of(drawn(data))
    terms, made = generator_terms(network, critics, windows, config=QUICK)
    for domain, (before, now, after) in windows.items():
        across = other(domain)
        ahead = network.after[domain](before, now)
        assert terms[f"recurrent_{domain}"].item() == pytest.approx(10 * ((ahead - after) ** 2).mean().item(), rel=1e-5)
        there = [network.into[across](one) for one in (before, now)]
        back = network.into[domain](network.after[across](*there))
        assert terms[f"recycle_{domain}"].item() == pytest.approx(10 * ((back - after) ** 2).mean().item(), rel=1e-4)
        assert torch.allclose(made[across], torch.cat(there), atol=1e-5)
        scores = critics[across](torch.cat(there))[1]
        assert terms[f"adversarial_{across}"].item() == pytest.approx(((1 - scores) ** 2).mean().item(), rel=1e-4)


def test_each_term_reaches_the_networks_that_it_is_made_of(data):
    network, _ = new_networks(QUICK)
    window = windows_of(drawn(data))["real"]

    def reached(loss):
        network.zero_grad(set_to_none=True)
        loss.backward()
        return {
            ".".join(name.split(".")[:2])
            for name, one in network.named_parameters()
            if one.grad is not None and one.grad.abs().sum() > 0
        }

    assert reached(recurrent(network, window, domain="real")) == {"after.real"}
    translated = network.into["cartoon"](torch.cat(window[:2]))
    assert reached(recycle(network, translated, window, domain="real")) == {
        "into.cartoon",
        "after.cartoon",
        "into.real",
    }


def test_steps_on_one_batch_reduce_the_terms_without_a_discriminator(data):
    config = replace(QUICK, adversarial=0.0, lr=2e-3)
    state, batch = new_state(config, "cpu", lambda: new_networks(config)), drawn(data)
    found = [train_step(state, batch)["loss"] for _ in range(8)]
    assert found[-1] < 0.9 * found[0]


def test_a_run_leaves_a_log_a_picture_and_weights_that_translate_frames(whole, data):
    lines = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert {"recurrent_real", "recycle_cartoon", "adversarial_real", "critic"} <= set(lines[0])
    assert len(list((whole / "samples").glob("*.png"))) == 1
    method = RecycleGAN(checkpoint=whole / "weights.safetensors")
    driving = data["real"].train[0]
    options = {"motion": "relative", "seed": 0, "source_domain": "cartoon", "driving_domain": "real"}
    made = method.animate(np.zeros((40, 36, 3), np.uint8), driving, **options)
    assert made.shape == (5, 40, 36, 3)
    again = method.animate(np.full((40, 36, 3), 200, np.uint8), driving, **options)
    assert np.array_equal(made, again)  # the character is that of the training clip
    assert method.checkpoint["variant"] == "Recycle-GAN, re-implementation, one model per pair"
    assert method.trained_on.clips == 2
    assert read_about(whole / "weights.safetensors")["method"] == "recycle-gan"


def test_a_run_that_was_stopped_and_resumed_ends_like_an_unbroken_one(whole, data, tmp_path):
    fit(replace(QUICK, steps=1), data, tmp_path, device="cpu")
    fit(QUICK, data, tmp_path, device="cpu")
    assert (tmp_path / "weights.safetensors").read_bytes() == (whole / "weights.safetensors").read_bytes()
    first, second = (torch.load(one / "checkpoint.pt", weights_only=True) for one in (whole, tmp_path))
    for part in ("network", "average", "critic"):
        assert all(torch.equal(value, second[part][key]) for key, value in first[part].items())


def test_more_than_one_clip_or_too_short_ones_are_refused_in_one_line(data, tmp_path):
    clip = data["real"].train[0]
    for clips, match in (
        (ClipSet((clip, clip), (clip,)), "there are 2 real training clips"),
        (ClipSet((clip[:2],), (clip,)), "of 2 frames"),
    ):
        with pytest.raises(ToonbenchError, match=match) as error:
            fit(QUICK, {**data, "real": clips}, tmp_path / "out", device="cpu")
        assert "one model for a pair of clips" in str(error.value)
        assert "\n" not in str(error.value)
    with pytest.raises(ToonbenchError, match="a pair of clips has new weights"):
        RecycleGAN.train(data, tmp_path, checkpoint=tmp_path / "x.safetensors")


def test_weights_that_are_missing_foreign_or_damaged_are_refused_in_one_line(tmp_path):
    with pytest.raises(WeightsMissing, match="it has one model for each pair of clips: train some"):
        RecycleGAN()
    network = new_networks(QUICK)[0]
    write_trained(tmp_path / "other.safetensors", network.state_dict(), about={"method": "fomm"})
    with pytest.raises(ToonbenchError, match="it does not state that `toonbench train --method recycle-gan` wrote it"):
        load_weights(tmp_path / "other.safetensors")
    for name, sizes in (("none", {}), ("huge", {"generator": 10**9, "residuals": 1, "predictor": [4, 4]})):
        path = tmp_path / f"{name}.safetensors"
        export(network, path, {"training": {"network": sizes}}, size=32)
        with pytest.raises(ToonbenchError, match="it states no sizes of its network"):
            load_weights(path)
    path = tmp_path / "less.safetensors"
    export(network, path, {"training": {"network": {"generator": 8, "residuals": 1, "predictor": [4, 4, 4]}}}, size=32)
    with pytest.raises(ToonbenchError, match="does not fit the network"):
        load_weights(path)


def test_it_is_shown_apart_and_never_ranked():
    assert set(UNRANKED) == {*DUMMIES, "recycle-gan"}
    assert section_of("recycle-gan") == "one model per pair, unranked"
    assert (section_of("fomm"), section_of("static")) == ("methods", "reference points")


def test_the_weights_of_the_terms_are_the_papers():
    assert {(one.recurrent, one.recycle, one.adversarial) for one in CONFIGS.values()} == {(10.0, 10.0, 1.0)}
    assert RecycleGAN.clip_needs("mini").size == 64
    with pytest.raises(ToonbenchError, match="one clip of each is needed"):
        find_config(CONFIGS, "mini", overrides=['domains=["real"]'])
