"""Paired training: what it knows of puppets, its two kinds from the first step to weights, and refusals."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from toonbench import registry
from toonbench.data import load
from toonbench.data.supervision import supervised
from toonbench.puppets.catalogue import make_look
from toonbench.puppets.draw.render import render_clip
from toonbench.puppets.make import make_puppets
from toonbench.report.methods import weights_kind
from toonbench.training.clips import ClipNeeds, ClipSet, TargetClips, load_clips
from toonbench.training.processes import ProcessGroup
from toonbench.training.rigs import mirrored
from toonbench.types import CHANNEL_LIMITS, CHANNELS, ToonbenchError
from toonbench.weights import WeightsMissing
from toontalker.config import NetworkConfig
from toontalker.method import ToonTalker
from toontalker.model import RigNetwork, scaled_rig
from toontalker.paired import PairedLabels, PairedTargets
from toontalker.train.config import MINI, find_config
from toontalker.train.losses import reconstruction_terms
from toontalker.train.paired import BOTH, draw_supervised
from toontalker.train.state import new_state
from toontalker.train.step import draw_batch, generator_terms, train_step
from toontalker.train.train import run
from toontalker.weights_io import load_network, notes_of

TINY = NetworkConfig(
    size=64, channels=tuple((4 << i, 8) for i in range(5)), style=8, motions=3, heads=2, feedforward=8, dropout=0.0
)
NUMBERS = {"steps1": 1, "steps2": 2, "batch1": 2, "batch2": 2, "workers": 1, "checkpoint_every": 1, "log_every": 1}


def quick(kind, **changes):
    config = find_config("mini", paired=kind)
    network = replace(TINY, rig=config.network.rig)
    return replace(config, **{"name": "tiny", "network": network, **NUMBERS, **changes})


@pytest.fixture(scope="module")
def data():
    """Clips of noise that moves to the right, rigs that say how far, and targets: the other domain's noise, moved alike."""
    rng, found = np.random.default_rng(0), {}
    for domain in ("real", "cartoon"):
        grounds = rng.integers(0, 255, (3, 1, 64, 64, 3), dtype=np.uint8)
        clips = [np.concatenate([np.roll(one, 3 * t, axis=2) for t in range(4)]) for one in grounds]
        rigs = np.zeros((4, len(CHANNELS)), np.float32)
        rigs[:, CHANNELS.index("tx")] = 0.05 * np.arange(4)
        targets = TargetClips((0, 1), (clips[1], clips[2]))
        found[domain] = ClipSet((clips[1], clips[2]), (clips[0],), rigs=(rigs, 0.5 * rigs), targets=targets)
    return found


@pytest.fixture(scope="module", params=["labels", "pairs"])
def whole(request, data, tmp_path_factory):
    out = tmp_path_factory.mktemp(request.param)
    run(quick(request.param), data, out, device="cpu")
    return request.param, out


@pytest.fixture(scope="module")
def puppets(tmp_path_factory):
    root = tmp_path_factory.mktemp("puppets") / "train"
    make_puppets(
        root, split="train", clips=3, images=1, frames=3, size=32, seed=3, styles=("real", "cel"),
        tasks=("real2cartoon", "cartoon2real"), sources=2,
    )  # fmt: skip
    return root


def stage2(kind, data, **changes):
    state = new_state(quick(kind, **changes), "cpu")
    state.step = state.config.steps1
    return state, *draw_supervised(state, data, group=ProcessGroup())


def test_a_mirrored_rig_draws_the_mirrored_face():
    rig = np.zeros((1, len(CHANNELS)), np.float32)
    for name, value in {
        "yaw": 20,
        "roll": 9,
        "tx": 0.1,
        "blink_left": 1.0,
        "brow_up_right": 0.9,
        "gaze_x": 0.8,
    }.items():
        rig[0, CHANNELS.index(name)] = value
    look = make_look("real", 5)
    found = {}
    for name, one in (("as it is", rig), ("mirrored", mirrored(rig))):
        points = render_clip(look, one, size=64).landmarks[0]
        found[name] = points[36:48], points[68:]
    eyes, pupils = found["as it is"]
    back = [np.stack([63.99 - own[:, 0], own[:, 1]], 1) for own in found["mirrored"]]
    order = [9, 8, 7, 6, 11, 10, 3, 2, 1, 0, 5, 4]  # of the points of the eyes in a mirrored picture
    assert np.abs(back[0][order] - eyes).max() < 1.5
    assert np.abs(back[1][::-1] - pupils).max() < 1.5
    assert np.abs(found["mirrored"][0] - eyes).max() > 5
    assert np.array_equal(mirrored(mirrored(rig)), rig)


def test_rigs_are_scaled_so_that_each_channel_reaches_one():
    largest = torch.tensor([[max(abs(low), abs(high)) for low, high in CHANNEL_LIMITS.values()]])
    assert torch.equal(scaled_rig(largest), torch.ones(1, len(CHANNELS)))


def test_puppets_for_training_get_targets_for_every_driving_video(puppets):
    made = load(puppets)
    driving = {name for _, name, _ in made.targets}
    assert driving == {clip.id for clip in made.clips if clip.kind == "video"}


def test_labels_and_targets_are_those_of_the_training_clips(puppets, tmp_path):
    made = load(puppets)
    needs = ClipNeeds(size=64, labels=True, targets=True)
    plain = load_clips(made.clips, size=64, data=made.id)
    found = supervised(plain, made, needs=needs)
    by_id = {clip.id: clip for clip in made.clips}
    for domain, some in found.items():
        other = found["cartoon" if domain == "real" else "real"]
        for name, rig in zip(some.names, some.rigs, strict=True):
            with np.load(by_id[name].motion) as motion:
                assert np.array_equal(motion["rig"], rig)
        assert set(some.targets.driving) == set(range(len(other.train)))
        assert all(frames.shape == (3, 64, 64, 3) for frames in some.targets.frames)
        used = {s for s, d, _ in made.targets if by_id[s].domain == domain and d in other.names}
        assert some.origin.clips == len(some.names) + len(used)  # the sources of targets count as trained on
    assert supervised(plain, made, needs=ClipNeeds(size=64)) == plain
    stored = supervised(plain, made, needs=needs, cache=tmp_path)
    for domain, some in found.items():
        same = zip(some.targets.frames, stored[domain].targets.frames, strict=True)
        assert all(np.array_equal(a, b) for a, b in same)


def test_a_damaged_target_is_named(puppets, tmp_path):
    made = load(puppets)
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(b"nothing")
    damaged = {key: replace(one, path=broken) for key, one in made.targets.items()}
    with pytest.raises(ToonbenchError, match=r"the target .*~.* cannot be used .*: make the data set again"):
        supervised(
            load_clips(made.clips, size=64), replace(made, targets=damaged), needs=ClipNeeds(size=64, targets=True)
        )


def test_a_held_out_video_is_neither_the_source_nor_the_driving_video_of_a_target(tmp_path):
    root = tmp_path / "own"
    make_puppets(
        root, split="train", clips=3, images=0, frames=2, size=16, seed=3, styles=("real", "cel"),
        tasks=("real2cartoon", "cartoon2real"), sources=3,
    )  # fmt: skip
    made = load(root)
    plain = load_clips(made.clips, size=64)
    found = supervised(plain, made, needs=ClipNeeds(size=64, targets=True))
    assert [len(plain[domain].train) for domain in ("real", "cartoon")] == [2, 2]
    assert [len(found[domain].targets.frames) for domain in ("real", "cartoon")] == [4, 4]


def test_data_without_labels_or_targets_is_refused_in_one_line(tiny_data):
    made = load(tiny_data)
    clips = tuple(replace(clip, split="train", motion=None) for clip in made.clips)
    plain = load_clips(clips, size=64)
    for needs, match in (
        (ClipNeeds(size=64, labels=True), r"4 of 4 training clips have no ground-truth motion .*only puppets have"),
        (
            ClipNeeds(size=64, targets=True),
            r"has no real targets .*only puppets have: .*--tasks real2cartoon cartoon2real",
        ),
    ):
        with pytest.raises(ToonbenchError, match=match) as error:
            supervised(plain, replace(made, clips=clips, targets={}), needs=needs)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(("kind", "match"), [("labels", "no ground-truth motion"), ("pairs", "no real targets")])
def test_a_run_without_them_does_not_start(kind, match, data, tmp_path):
    bare = {domain: ClipSet(some.train, some.heldout) for domain, some in data.items()}
    with pytest.raises(ToonbenchError, match=match):
        run(quick(kind), bare, tmp_path / "out", device="cpu")
    assert not (tmp_path / "out").exists()


def test_the_pairs_are_those_that_unpaired_training_draws_and_labels_belong_to_them(data):
    state = new_state(quick("labels"), "cpu")
    pairs, extra = draw_supervised(state, data, group=ProcessGroup())
    unpaired = draw_batch(state, data, group=ProcessGroup())
    for own, other in zip(pairs["real"], unpaired["real"], strict=True):
        assert torch.equal(own, other)
    assert [tuple(rig.shape) for rig in extra.rigs["real"]] == [(2, len(CHANNELS))] * 2


@pytest.mark.parametrize("kind", ["labels", "pairs"])
def test_two_processes_share_the_batch_that_one_would_have(kind, data):
    state, pairs, extra = stage2(kind, data, batch2=4)
    parts = [draw_supervised(state, data, group=ProcessGroup(rank, 2)) for rank in range(2)]
    for found, shared in (
        (pairs, [own for own, _ in parts]),
        (extra.rigs, [own.rigs for _, own in parts]),
        (extra.targets, [own.targets for _, own in parts]),
    ):
        for domain, ends in found.items():
            for at, whole in enumerate(ends):
                assert torch.equal(torch.cat([one[domain][at] for one in shared]), whole)


def test_labels_of_mirrored_pairs_are_mirrored(data):
    _, _, extra = stage2("labels", data, batch2=32)
    first, second = (rig[:, CHANNELS.index("tx")] for rig in extra.rigs["cartoon"])
    moved = second - first
    assert (moved > 0).any()
    assert (moved < 0).any()
    assert set(torch.cat([first, second]).abs().mul(1000).round().tolist()) <= {0, 100, 200, 300, 400, 600}
    _, _, extra = stage2("labels", data, batch2=32, flip=False)
    assert min(rig[:, CHANNELS.index("tx")].min() for rig in extra.rigs["cartoon"]) >= 0


def test_targets_show_the_frames_that_the_pairs_of_the_other_domain_show(data):
    _, pairs, extra = stage2("pairs", data, jitter=0.0, flip=False, batch2=8)
    for of, by in BOTH:
        for row in range(8):
            ends = []
            for frames, clips in (
                (pairs[by], data[by].train),
                (extra.targets[of], data[of].targets.frames),
            ):
                stacked = [torch.from_numpy(clip).permute(0, 3, 1, 2) / 127.5 - 1.0 for clip in clips]
                ends.append(
                    [
                        (c, t)
                        for frame in frames
                        for c, clip in enumerate(stacked)
                        for t in range(4)
                        if torch.allclose(clip[t], frame[row], atol=1e-5)
                    ]
                )
            assert ends[0] == ends[1]
            assert len(ends[0]) == 2


def test_the_terms_of_pairs_are_reconstructions_of_targets_by_relative_motion(data):
    state, pairs, extra = stage2("pairs", data)
    network, config = state.network.eval(), state.config
    terms, fakes = generator_terms(network, pairs, config, None, extra=extra)
    assert [domain for domain, _ in fakes] == ["real", "cartoon", "cartoon", "real"]
    assert not any(name.startswith("analogy") for name in terms)
    for of, by in BOTH:
        first, target = extra.targets[of]
        start, end = (network.motion(one, by) for one in pairs[by])
        trace = {}
        made = network.relative(network.source(first, of), end, start=start, domain=of, trace=trace)
        plain = reconstruction_terms(first, made, target, trace=trace, config=config, perceptual=None)
        for name, value in plain.items():
            assert terms[f"target_{name}_{by}_to_{of}"].item() == pytest.approx(value.item(), rel=1e-4)


def test_labels_train_the_encoders_by_reading_and_the_rest_by_reconstruction(data):
    state, pairs, extra = stage2("labels", data)
    network = state.network
    terms, fakes = generator_terms(network, pairs, state.config, None, extra=extra)
    assert {"reading_real", "reading_cartoon", "l1_real", "warp_cartoon"} <= set(terms)
    assert len(fakes) == 2
    read = network.motion(torch.cat(pairs["real"]), "real") - torch.cat(extra.rigs["real"])
    assert terms["reading_real"].item() == pytest.approx(read.square().mean().item(), rel=1e-4)
    reading = {"enc2", "rig_read"}
    for name, expected in (("reading_real", reading), ("l1_real", {"enc", "dec", "rig_code"})):
        network.zero_grad(set_to_none=True)
        terms[name].backward(retain_graph=True)
        parts = {
            key.split(".")[2]
            for key, one in network.named_parameters()
            if key.startswith("domains.real") and one.grad is not None and one.grad.abs().sum() > 0
        }
        assert parts == expected


def test_relative_motion_of_labels_adds_rigs(data):
    network = new_state(quick("labels"), "cpu").network.eval()
    assert isinstance(network, RigNetwork)
    torch.manual_seed(0)
    source = network.source(torch.rand(1, 3, 64, 64), "cartoon", rig=torch.full((1, len(CHANNELS)), 0.2))
    start, end = torch.full((1, len(CHANNELS)), 0.5), torch.full((1, len(CHANNELS)), 0.6)
    moved = network.relative(source, end, start=start, domain="cartoon")
    there = network.absolute(source, torch.full((1, len(CHANNELS)), 0.3), domain="cartoon")
    assert torch.allclose(moved, there, atol=1e-5)


@pytest.mark.parametrize("kind", ["labels", "pairs"])
def test_steps_on_one_batch_reduce_the_loss(kind, data):
    state, _, _ = stage2(kind, data, lr2=2e-3)
    found = [train_step(state, data, None, group=ProcessGroup())["loss"] for _ in range(6)]
    assert found[-1] < 0.95 * found[0]
    assert sorted(found, reverse=True) == found


def test_a_run_ends_in_weights_that_only_their_own_method_takes(whole, data):
    kind, out = whole
    path = out / "weights.safetensors"
    own, other = (PairedLabels, PairedTargets) if kind == "labels" else (PairedTargets, PairedLabels)
    method = own(checkpoint=path)
    made = method.animate(np.zeros((80, 70, 3), np.uint8), data["real"].heldout[0], motion="relative", seed=0)
    assert made.shape == (4, 80, 70, 3)
    assert method.name == f"paired-{kind}"
    assert method.checkpoint["variant"] == f"paired training, {kind}, 64 px"
    assert "ToonTalker" not in " ".join(method.checkpoint.values())
    assert weights_kind(method.name, method.checkpoint) == "own"
    assert notes_of(path)["training"]["paired"] == kind
    assert load_network(path).domain("real").config.rig == (len(CHANNELS) if kind == "labels" else 0)
    for wrong in (ToonTalker, other):
        with pytest.raises(
            ToonbenchError, match=rf"weights of paired training \({kind}\); give --method paired-{kind}"
        ):
            wrong(checkpoint=path)
    with pytest.raises(ToonbenchError, match="it has weights of ToonTalker; give --method toontalker"):
        own(checkpoint=ToonTalker.included())


def test_a_run_logs_its_terms_and_resumes_like_an_unbroken_one(whole, data, tmp_path):
    kind, out = whole
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    terms = {"labels": "reading_cartoon", "pairs": "target_warp_real_to_cartoon"}
    assert terms[kind] in {name for line in lines for name in line}
    run(quick(kind, steps2=1), data, tmp_path, device="cpu")
    run(quick(kind), data, tmp_path, device="cpu")
    assert (out / "checkpoint.pt").exists()
    first, second = (torch.load(one / "checkpoint.pt", weights_only=True)["network"] for one in (out, tmp_path))
    for key, value in first.items():
        assert torch.equal(value, second[key])


@pytest.mark.parametrize("method", ["paired-labels", "paired-pairs"])
def test_without_weights_the_error_says_how_to_train_some(method):
    with pytest.raises(WeightsMissing, match=f"{method} has no weights: train some on puppets with") as error:
        registry.load("methods", method)()
    assert "\n" not in str(error.value)


def test_network_and_steps_are_those_of_the_unpaired_mini_and_settings_that_a_kind_decides_are_fixed():
    for kind in ("labels", "pairs"):
        config = find_config("mini", paired=kind)
        same = replace(MINI, paired=kind, synthetic=False, motion=0.0, network=config.network)
        assert config == same
        assert replace(config.network, rig=0) == MINI.network
        for setting in ("motion=3", "synthetic=true", "network.rig=3", "paired=labels"):
            with pytest.raises(ToonbenchError, match="cannot be set"):
                find_config("mini", paired=kind, overrides=[setting])
        with pytest.raises(ToonbenchError, match="--ablation mlp: it is an ablated ToonTalker"):
            find_config("mini", paired=kind, ablation="mlp")
    with pytest.raises(ToonbenchError, match="cannot be set"):
        find_config("mini", overrides=["paired=labels"])


def test_each_kind_asks_for_what_it_needs():
    assert (PairedLabels.clip_needs().labels, PairedLabels.clip_needs().targets) == (True, False)
    assert (PairedTargets.clip_needs().labels, PairedTargets.clip_needs().targets) == (False, True)
    assert not PairedTargets.clip_needs(overrides=["steps2=0"]).targets
    assert ToonTalker.clip_needs() == ClipNeeds(size=64)
