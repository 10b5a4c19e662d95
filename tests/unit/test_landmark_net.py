"""The landmark network: its damages, its training batches, its weights, and what it sees in damaged faces."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from toonbench.landmarks import damage as spoil
from toonbench.landmarks.batches import make_batch, mirror_landmarks
from toonbench.landmarks.card import DAMAGES, METRICS, damaged, held_out, sample
from toonbench.landmarks.data import LOOKS, Pictures, draw_pictures, poses
from toonbench.landmarks.training import Plan, train
from toonbench.networks import face_motion, landmarks
from toonbench.networks.landmarks import SIZE, WEIGHTS, LandmarkNet, fold, read_weights, write_weights
from toonbench.puppets.catalogue import make_look, styles
from toonbench.puppets.draw.render import render_clip
from toonbench.puppets.rig import INDEX, LIMITS
from toonbench.types import CHANNELS, ToonbenchError

shipped = pytest.mark.skipif(
    not WEIGHTS.exists(), reason="the network's weights are not here: scripts/train_landmarks.py"
)


@pytest.fixture(scope="module")
def pictures():
    """A few faces of two styles, as training has them."""
    drawn, rigs = [], []
    for style in ("real", "disney3d"):
        rig = poses(1, count=4)
        drawn.append(render_clip(make_look(style, 1), rig, size=SIZE))
        rigs.append(rig)
    return Pictures(
        frames=np.concatenate([d.frames for d in drawn]),
        landmarks=np.concatenate([d.landmarks for d in drawn]),
        visible=np.concatenate([d.visible for d in drawn]),
        rig=np.concatenate(rigs),
        style=np.repeat([0, 1], 4),
        names=("real", "disney3d"),
    )


@pytest.fixture(scope="module")
def clips():
    """A held-out clip of each style, (frames, exact motion)."""
    return {style: held_out(style, 0, frames=40) for style in styles()}


# damage


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_keeps_the_size_changes_the_picture_and_is_the_same_for_a_seed(name, pictures):
    once, again = (damaged(pictures.frames, name, seed=3) for _ in range(2))
    assert once.shape == pictures.frames.shape
    assert once.dtype == np.uint8
    assert np.array_equal(once, again)
    assert np.array_equal(once, pictures.frames) == (name == "none")


def test_compression_of_no_strength_gives_the_picture_back(pictures):
    x = torch.from_numpy(pictures.frames).permute(0, 3, 1, 2).float() / 255
    assert (spoil.compress(x, 1e-3, np.random.default_rng(0)) - x).abs().max() < 1e-3


def test_shuffling_moves_squares_and_loses_none(pictures):
    x = torch.from_numpy(pictures.frames).permute(0, 3, 1, 2).float()
    mixed = spoil.shuffle(x, 32, np.random.default_rng(0))
    assert not torch.equal(mixed, x)
    assert torch.equal(mixed.flatten(2).sort(2).values, x.flatten(2).sort(2).values)


# batches


def test_a_batch_is_a_function_of_seed_and_step(pictures):
    one, same, other = (make_batch(pictures, size=8, seed=1, step=step) for step in (4, 4, 5))
    for field in dataclasses.fields(one):
        assert torch.equal(getattr(one, field.name), getattr(same, field.name))
    assert not torch.equal(one.pictures, other.pictures)


def test_mirrored_landmarks_are_a_permutation_of_order_two():
    order = mirror_landmarks()
    assert sorted(order) == list(range(70))
    assert [order[i] for i in order] == list(range(70))
    assert (order[0], order[36], order[48], order[60], order[31], order[68], order[8]) == (16, 45, 54, 64, 35, 69, 8)


def test_a_mirrored_puppet_is_the_puppet_of_the_mirrored_rig(pictures):
    """Points of a mirrored picture lie where the same look, moved by the mirrored rig, has them."""
    from toonbench.landmarks.batches import _mirror
    from toonbench.networks.landmarks import limits

    low, high = limits().T
    rig = (torch.from_numpy(pictures.rig) - low) / (high - low)
    x = torch.from_numpy(pictures.frames).permute(0, 3, 1, 2).float()
    turned = torch.ones(8, dtype=torch.bool)
    _, points, _, mirrored = _mirror(
        x, torch.from_numpy(pictures.landmarks), torch.from_numpy(pictures.visible), rig, turned=turned
    )
    motion = (mirrored * (high - low) + low).numpy().astype(np.float32)[:4]
    drawn = render_clip(make_look("real", 1), motion, size=SIZE)
    assert np.abs(drawn.landmarks - points[:4].numpy()).max() < 1.5


def test_moved_points_stay_on_what_they_mark():
    """A dot painted at a landmark is found at the moved landmark."""
    from toonbench.landmarks.batches import _move

    spots = np.random.default_rng(0).uniform(45, 83, (16, 2)).astype(np.float32)
    grid = spoil.pixel_centres(SIZE)
    x = torch.stack([torch.exp(-((grid - torch.from_numpy(s)) ** 2).sum(2) / 18) for s in spots])[:, None].repeat(
        1, 3, 1, 1
    )
    points = torch.from_numpy(spots)[:, None].repeat(1, 70, 1)
    rig = torch.full((16, len(CHANNELS)), 0.5)
    moved, places, _, known = _move(x, points, rig, np.random.default_rng(2))
    changed = known[:, INDEX["tx"]] == 0
    assert changed.any()
    for picture, place in zip(moved[changed], places[changed, 0], strict=True):
        weight = picture[0] ** 2
        centre = (grid * weight[..., None]).sum((0, 1)) / weight.sum()
        assert (centre - place).abs().max() < 0.8


def test_poses_cover_the_rig_and_keep_its_limits():
    rig = poses(3, count=4000)
    assert (rig >= LIMITS[:, 0] - 1e-6).all()
    assert (rig <= LIMITS[:, 1] + 1e-6).all()
    reach = (np.quantile(rig, 0.995, axis=0) - np.quantile(rig, 0.005, axis=0)) / (LIMITS[:, 1] - LIMITS[:, 0])
    assert reach.min() > 0.9


def test_pictures_come_in_whole_shards(tmp_path):
    with pytest.raises(ToonbenchError, match=rf"multiple of {LOOKS}.*got 3"):
        draw_pictures(tmp_path, split="train", looks=3, frames=2)


# training


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_training_killed_and_resumed_gives_the_same_bytes(pictures, tmp_path, monkeypatch):
    plan = Plan(steps=4, batch=8, workers=1, warmup=2, save_every=2)
    whole = train(pictures, plan, folder=tmp_path / "whole")
    original = torch.nn.utils.clip_grad_norm_
    calls = []

    def dies(*args):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(*args)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", dies)
    with pytest.raises(KeyboardInterrupt):
        train(pictures, plan, folder=tmp_path / "killed")
    monkeypatch.undo()
    assert torch.load(tmp_path / "killed" / "checkpoint.pt", weights_only=True)["step"] == 2
    assert same(whole, train(pictures, plan, folder=tmp_path / "killed"))
    with pytest.raises(ToonbenchError, match="was trained with steps = 4"):
        train(pictures, dataclasses.replace(plan, steps=9), folder=tmp_path / "killed")


def test_a_checkpoint_of_version_0_1_0_loads(pictures, tmp_path):
    plan = Plan(steps=2, batch=8, workers=1, warmup=2)
    trained = train(pictures, plan, folder=tmp_path)
    content = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    names = {"team": 1, "steps": 2, "batch": 8, "rate": 2e-3, "warmup": 2, "decay": 0.02, "average": 0.998, "seed": 1}
    del content["config"]  # version 0.1.0 named it `plan`, and the workers `team`
    torch.save(content | {"plan": json.dumps(names | {"save_every": 250})}, tmp_path / "checkpoint.pt")
    assert same(trained, train(pictures, plan, folder=tmp_path))
    with pytest.raises(ToonbenchError, match="workers = 1, but workers is 2 now"):
        train(pictures, dataclasses.replace(plan, workers=2), folder=tmp_path)


# weights


def test_folding_changes_nothing_but_rounding():
    torch.manual_seed(0)
    network = LandmarkNet()
    x = torch.randn(6, 3, SIZE, SIZE)
    with torch.no_grad():
        network.train()(x)  # statistics that are not the identity
        one, other = network.eval()(x), fold(network)(x)
    assert (one.landmarks - other.landmarks).abs().max() < 1e-3
    assert (one.rig - other.rig).abs().max() < 1e-4


def test_weights_come_back_and_fit_in_two_megabytes(tmp_path):
    path = tmp_path / "w.safetensors"
    network = LandmarkNet().eval()
    write_weights(network, path)
    assert path.stat().st_size <= 2e6
    x = torch.randn(2, 3, SIZE, SIZE)
    with torch.no_grad():
        assert (read_weights(path)(x).landmarks - network(x).landmarks).abs().max() < 0.3


@pytest.mark.parametrize("content", [None, b"", b"not weights"])
def test_weights_that_cannot_be_read_are_told_in_one_line(content, tmp_path):
    path = tmp_path / "w.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ToonbenchError, match="train_landmarks") as error:
        read_weights(path)
    assert "\n" not in str(error.value)


@shipped
def test_shipped_weights_have_at_most_two_megabytes_and_a_card():
    assert WEIGHTS.stat().st_size <= 2e6
    card = WEIGHTS.with_suffix(".md").read_text()
    assert all(f"| {style} | none |" in card for style in styles())


# what it sees


@shipped
def test_one_pass_of_the_network_serves_all_metrics_of_a_video(clips, monkeypatch):
    calls = []
    network = landmarks.read_weights()
    monkeypatch.setattr(face_motion, "_network", lambda: lambda x: calls.append(len(x)) or network(x))
    face_motion.forget()
    frames, truth = clips["real"]
    for metric in METRICS:
        metric.measure(
            sample(
                frames[:20],
                dataclasses.replace(
                    truth, rig=truth.rig[:20], landmarks=truth.landmarks[:20], visible=truth.visible[:20]
                ),
            )
        )
    assert calls == [16, 4]


@shipped
def test_estimates_lie_within_the_limits_and_are_the_same_bytes_each_time(clips):
    frames, _ = clips["disney3d"]
    torch.set_num_threads(2)
    once = face_motion.estimate(frames)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    face_motion.forget()
    again = face_motion.estimate(frames)
    assert once is not again
    assert once.rig.tobytes() == again.rig.tobytes()
    assert once.landmarks.tobytes() == again.landmarks.tobytes()
    assert (once.rig >= LIMITS[:, 0] - 1e-5).all()
    assert (once.rig <= LIMITS[:, 1] + 1e-5).all()


@shipped
def test_landmarks_come_in_the_pixels_of_the_video_whatever_its_size_and_shape(clips):
    frames, _ = clips["real"]
    small = face_motion.estimate(frames[:4]).landmarks
    large = np.pad(frames[:4].repeat(2, 1).repeat(2, 2), ((0, 0), (0, 0), (20, 20), (0, 0)))
    seen = face_motion.estimate(large).landmarks
    assert np.abs(seen - np.array([20, 0]) - 2 * small).mean() < 3


@shipped
@pytest.mark.parametrize("level", [0, 128, 255])
def test_there_is_no_face_in_flat_frames_and_noise(level):
    flat = np.full((2, 64, 64, 3), level, np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), dtype=np.uint8)
    for frames in (flat, noise):
        assert np.isnan(face_motion.estimate(frames).rig).all()
        assert np.isnan(face_motion.estimate(frames).landmarks).all()


@shipped
@pytest.mark.parametrize("style", styles())
def test_the_oracle_is_far_better_than_standing_still_even_when_damaged(style, clips):
    frames, truth = clips[style]
    still = sample(np.repeat(frames[:1], len(frames), 0), truth)
    for damage in ("none", "64 px", "noise, sigma 0.1", "JPEG, three times the table of quality 50", "ghost, 30 %"):
        oracle = sample(damaged(frames, damage, seed=0), truth)
        for metric in METRICS:
            if metric.aggregate == "events":
                continue  # too few events in forty frames
            ours, floor = (metric.reduce([metric.measure(one)]) for one in (oracle, still))
            assert ours > floor if metric.higher_is_better else ours < floor, (metric.name, damage)


@shipped
@pytest.mark.parametrize("style", styles())
def test_faces_are_found_in_damaged_frames(style, clips):
    frames, _ = clips[style]
    for damage in DAMAGES:
        found = np.isfinite(face_motion.estimate(damaged(frames, damage, seed=1)).rig[:, 0])
        assert found.mean() >= 0.9, damage
