"""Training with labels within a domain, from weights, and with the analogy constraint in some steps only."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from toonbench.networks.flow_heads import sampling_grid
from toonbench.training.clips import ClipSet
from toonbench.training.processes import ProcessGroup
from toonbench.training.reconstruction import moved_by
from toonbench.training.rigs import mirrored_points
from toonbench.types import CHANNELS, LANDMARKS, ToonbenchError
from toonbench.weights.checkpoints import file_digest
from toontalker.config import NetworkConfig
from toontalker.method import ToonTalker
from toontalker.train.config import CONFIGS, MINI, find_config
from toontalker.train.guidance import (
    ASIDE,
    EYES,
    FACE,
    FACE_WEIGHT,
    LIDS_AND_LIPS,
    MOUTH,
    PAD,
    landmark_flow,
    lid_points,
    opening_flow,
    part_boxes,
    readout,
    region_l1,
)
from toontalker.train.losses import sharpness_l1
from toontalker.train.paired import draw_supervised
from toontalker.train.state import begin_stage2, new_state
from toontalker.train.step import draw_batch, generator_terms
from toontalker.train.train import run, train
from toontalker.weights_io import load_network, notes_of

TINY = NetworkConfig(
    size=64, channels=tuple((4 << i, 24) for i in range(5)), style=24, motions=3, heads=2, feedforward=8, dropout=0.0
)
GUIDED = replace(
    CONFIGS["mini-puppets"], name="tiny", network=TINY, steps1=0, steps2=3, batch1=2, batch2=2, workers=1,
    checkpoint_every=1, log_every=1, synthetic_every=2,
)  # fmt: skip
DOMAINS = ("real", "cartoon")
UNGUIDED = {"readout": 0.0, "rest": 0.0, "regions": 0.0, "landmarks": 0.0, "openings": 0.0}


@pytest.fixture(scope="module")
def data():
    """Clips of noise that moves to the right, with rigs and landmarks that move with it."""
    rng, found = np.random.default_rng(0), {}
    for domain in DOMAINS:
        grounds = rng.integers(0, 255, (3, 1, 64, 64, 3), dtype=np.uint8)
        clips = [np.concatenate([np.roll(one, 3 * t, axis=2) for t in range(4)]) for one in grounds]
        rigs = np.zeros((4, len(CHANNELS)), np.float32)
        rigs[:, CHANNELS.index("tx")] = 0.05 * np.arange(4)
        points = rng.uniform(0.3, 0.5, (1, LANDMARKS, 2)) + np.array([3 / 64, 0]) * np.arange(4)[:, None, None]
        labels = {"rigs": (rigs, rigs), "landmarks": (points.astype(np.float32),) * 2}
        found[domain] = ClipSet((clips[1], clips[2]), (clips[0],), **labels)
    return found


def unlabelled(data):
    return {domain: replace(clips, rigs=(), landmarks=()) for domain, clips in data.items()}


def test_the_sharpness_term_asks_for_the_source_moved_by_the_finest_flow_and_the_flow_learns_nothing_from_it():
    source = torch.rand(1, 3, 16, 16)
    field = torch.zeros(1, 3, 16, 16)
    field[:, 0] = np.arctanh(2 * 2 / 16)  # looks two pixels to the right
    still, moved = moved_by(source, torch.zeros_like(field)), moved_by(source, field)
    assert torch.allclose(moved[..., 4:12], still[..., 6:14], atol=0.2), (
        "the grid of the released networks is a little larger"
    )
    field.requires_grad_()
    moved.requires_grad_()
    assert sharpness_l1(source, moved, field).item() == 0
    assert sharpness_l1(source, still, field).item() > 0.1
    loss = sharpness_l1(source, moved + 0.25, field)
    assert loss.item() == pytest.approx(0.25, abs=1e-5)
    loss.backward()
    assert field.grad is None
    assert moved.grad.abs().min() > 0


def test_the_sharpness_term_counts_with_its_weight(data):
    terms = []
    for weight in (0.0, 1.0, 2.0):
        state = new_state(replace(GUIDED, sharp=weight), "cpu")
        begin_stage2(state)
        pairs, extra = draw_supervised(state, data, group=ProcessGroup())
        terms.append(generator_terms(state.network, pairs, state.config, None, extra=extra)[0])
    assert "sharp_real" not in terms[0]
    for domain in DOMAINS:
        assert terms[2][f"sharp_{domain}"].item() == pytest.approx(2 * terms[1][f"sharp_{domain}"].item(), rel=1e-5)


def faces(opening):
    """Landmarks (1, 70, 2) of which only the corners, lids and lips matter: `opening` is the height of every eye and of the mouth."""
    points = torch.zeros(1, LANDMARKS, 2)
    for (left, right), pairs in LIDS_AND_LIPS:
        y = 0.6 if left == 60 else 0.3
        points[0, left], points[0, right] = torch.tensor([0.3, y]), torch.tensor([0.5, y])
        for upper, lower in pairs:
            points[0, upper], points[0, lower] = (
                torch.tensor([0.4, y - opening / 2]),
                torch.tensor([0.4, y + opening / 2]),
            )
    return points


def stretched(source, target):
    """A raw field whose flow, between the points around each lid and lip of the target, looks at those of the source."""
    rows = (torch.arange(64) + 0.5) / 64
    (s_low, s_high), (t_low, t_high) = (lid_points(one) for one in (source, target))
    looks = torch.zeros(64)
    for part in (0, 4):
        a, b = t_high[0, part, 1], t_low[0, part, 1]
        c, d = s_high[0, part, 1], s_low[0, part, 1]
        near = (rows > a - 0.05) & (rows < b + 0.05)
        looks = torch.where(near, 2 * (c + (rows - a) * (d - c) / (b - a) - rows), looks)
    grid = sampling_grid(64, torch.device("cpu"))
    still = torch.stack((rows.expand(64, 64), rows[:, None].expand(64, 64)))[None] * 2 - 1
    wanted = still - grid
    wanted[:, 1] += looks[:, None]
    return torch.cat((torch.atanh(wanted), torch.zeros(1, 1, 64, 64)), dim=1)


def test_the_openings_term_is_0_for_the_flow_that_opens_a_closed_eye_and_the_change_of_opening_without_one():
    opened, closed = faces(0.12), faces(0.0)
    assert opening_flow(stretched(closed, opened), closed, opened).item() == pytest.approx(0.0, abs=0.004)
    assert opening_flow(stretched(opened, closed), opened, closed).item() == pytest.approx(0.0, abs=0.02)
    still = stretched(opened, opened)
    assert opening_flow(still, opened, opened).item() == pytest.approx(0.0, abs=0.004)
    assert opening_flow(still, closed, opened).item() == pytest.approx(2 * 0.12 / 2, abs=0.004)  # the mean over x and y
    head = still.clone()
    head[:, :2] += 0.05
    assert opening_flow(head, closed, opened).item() == pytest.approx(2 * 0.12 / 2, abs=0.01), "moved as a whole"


def test_lids_are_looked_at_across_the_line_of_the_corners():
    points = faces(0.0)
    turned = torch.stack((-points[..., 1], points[..., 0]), dim=-1)  # a quarter turn
    for one, other in zip(lid_points(points), lid_points(turned), strict=True):
        assert torch.allclose(torch.stack((-one[..., 1], one[..., 0]), dim=-1), other, atol=1e-6)
    low, high = lid_points(points)
    assert torch.allclose(low[..., 1] - high[..., 1], torch.tensor(2 * ASIDE))


def test_the_term_of_the_rest_counts_what_descriptors_say_beyond_the_rig(data):
    state = new_state(replace(GUIDED, rest=3.0), "cpu")
    begin_stage2(state)
    pairs, extra = draw_supervised(state, data, group=ProcessGroup())
    terms = generator_terms(state.network, pairs, state.config, None, extra=extra)[0]
    for domain in DOMAINS:
        said = torch.cat([state.network.domain(domain).enc2.vector(image) for image in pairs[domain]])
        assert terms[f"rest_{domain}"].item() == pytest.approx(
            3.0 * said[:, len(CHANNELS) :].square().mean().item(), rel=1e-4
        )


def test_descriptors_that_state_the_rig_have_no_readout_error():
    rigs = torch.rand(3, len(CHANNELS))
    descriptors = torch.cat((rigs, torch.rand(3, 6)), 1)
    assert readout(descriptors, rigs) == 0
    descriptors[0, 0] += 1.0
    assert readout(descriptors, rigs).item() == pytest.approx(1 / (3 * len(CHANNELS)))


def test_boxes_hold_eyes_and_mouth_with_room_and_nothing_else():
    points = torch.full((1, LANDMARKS, 2), 0.9)
    points[0, 36:42] = torch.tensor([0.25, 0.25])
    points[0, 42:48] = torch.tensor([0.75, 0.25])
    points[0, 48:68] = torch.tensor([0.5, 0.75])
    points[0, 48, 0], points[0, 54, 0] = 0.25, 0.75
    mask = part_boxes(points, (*EYES, *MOUTH), size=64)[0, 0].bool()
    rows, columns = np.indices((64, 64))
    x, y = (columns + 0.5) / 64, (rows + 0.5) / 64
    expected = np.zeros((64, 64), bool)
    for left, right, height in ((0.25, 0.25, 0.25), (0.75, 0.75, 0.25), (0.25, 0.75, 0.75)):
        expected |= (x >= left - PAD) & (x <= right + PAD) & (np.abs(y - height) <= PAD)
    assert np.array_equal(mask.numpy(), expected)
    target, generated = torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 64)
    generated[0, :, ~mask] = 1.0
    assert region_l1(generated, target, points) == 0
    generated[0, :, mask] = 0.5
    assert region_l1(generated, target, points).item() == pytest.approx(0.5)


def test_the_flow_at_a_landmark_is_compared_with_the_landmark_of_the_source():
    torch.manual_seed(0)
    size, source, target = 8, torch.rand(2, LANDMARKS, 2), torch.rand(2, LANDMARKS, 2)
    field = torch.randn(2, 3, size, size)
    axis = torch.linspace(-1, 1, size)
    total = 0.0
    for sample in range(2):
        for index in range(LANDMARKS):
            column, row = (target[sample, index] * size - 0.5).clamp(0, size - 1).tolist()
            c, r = min(int(column), size - 2), min(int(row), size - 2)
            a, b = column - c, row - r
            for part, grid in ((0, lambda i, j: axis[j]), (1, lambda i, j: axis[i])):
                looked = {
                    (i, j): float(torch.tanh(field[sample, part, i, j]) + grid(i, j))
                    for i in (r, r + 1)
                    for j in (c, c + 1)
                }
                at = (1 - b) * ((1 - a) * looked[r, c] + a * looked[r, c + 1])
                at += b * ((1 - a) * looked[r + 1, c] + a * looked[r + 1, c + 1])
                weight = FACE_WEIGHT if index >= FACE else 1.0
                total += weight * abs(at - (2 * float(source[sample, index, part]) - 1)) / 2
    weights = FACE + FACE_WEIGHT * (LANDMARKS - FACE)
    assert landmark_flow([field], source, target).item() == pytest.approx(total / 2 / weights, rel=1e-4)


def test_a_mirrored_image_has_the_landmarks_of_the_other_side():
    points = np.random.default_rng(0).random((4, LANDMARKS, 2)).astype(np.float32)
    turned = mirrored_points(points)
    assert np.allclose(mirrored_points(turned), points)
    assert np.allclose(turned[:, 36], [1, 0] + points[:, 45] * [-1, 1])
    assert np.allclose(turned[:, 8], [1, 0] + points[:, 8] * [-1, 1])


@pytest.mark.parametrize(
    ("term", "learns", "does_not"),
    [
        ("readout", ("enc2.",), ("enc.", "dec.")),
        ("regions", ("enc.", "enc2.", "dec."), ()),
        ("landmarks", ("enc2.", "dec."), ()),
    ],
)
def test_terms_of_labels_reach_the_modules_that_they_are_for(data, term, learns, does_not):
    state = new_state(GUIDED, "cpu")
    pairs, extra = draw_supervised(state, data, group=ProcessGroup())
    terms, _ = generator_terms(state.network, pairs, GUIDED, None, extra=extra)
    terms[f"{term}_cartoon"].backward()
    parameters = dict(state.network.domain("cartoon").named_parameters())

    def moved(part):
        grads = [p.grad for name, p in parameters.items() if name.startswith(part) and p.grad is not None]
        return any(grad.abs().max() > 0 for grad in grads)

    assert all(moved(part) for part in learns)
    assert not any(moved(part) for part in does_not)


def test_labels_change_neither_the_drawn_pairs_nor_the_papers_terms(data):
    state = new_state(GUIDED, "cpu")
    pairs, extra = draw_supervised(state, data, group=ProcessGroup())
    plain = draw_batch(state, data, group=ProcessGroup())
    for domain in DOMAINS:
        assert all(torch.equal(one, other) for one, other in zip(pairs[domain], plain[domain], strict=True))
    guided, _ = generator_terms(state.network, pairs, GUIDED, None, extra=extra)
    bare = replace(GUIDED, **UNGUIDED)
    alone, _ = generator_terms(state.network, plain, bare, None)
    assert {name.rpartition("_")[0] for name in set(guided) - set(alone)} == set(UNGUIDED)
    for name, term in alone.items():
        assert torch.allclose(term, guided[name], atol=1e-6), name


def test_the_analogy_constraint_of_some_steps_counts_as_often_as_steps_are_without_it(data, tmp_path):
    run(GUIDED, data, tmp_path, device="cpu")
    steps = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    steps = [step for step in steps if "loss" in step]
    assert ["analogy_real_to_cartoon" in step for step in steps] == [True, False, True]
    state = new_state(GUIDED, "cpu")
    pairs = draw_batch(state, data, group=ProcessGroup())
    (often, _), (rare, _) = (
        generator_terms(state.network, pairs, replace(GUIDED, synthetic_every=n, **UNGUIDED), None) for n in (1, 4)
    )
    assert rare["analogy_real_to_cartoon"].item() == pytest.approx(
        4 * often["analogy_real_to_cartoon"].item(), rel=1e-5
    )


def test_guided_training_resumes_with_the_same_bytes(data, tmp_path):
    run(GUIDED, data, tmp_path / "whole", device="cpu")
    run(replace(GUIDED, steps2=1), data, tmp_path / "parts", device="cpu")
    run(GUIDED, data, tmp_path / "parts", device="cpu")
    whole, parts = ((tmp_path / part / "weights.safetensors").read_bytes() for part in ("whole", "parts"))
    assert whole == parts


def test_training_with_labels_refuses_clips_without_them(data, tmp_path):
    with pytest.raises(ToonbenchError, match="the real training clips have no ground-truth motion"):
        run(GUIDED, unlabelled(data), tmp_path, device="cpu")
    assert ToonTalker.clip_needs("mini-puppets").labels
    assert not ToonTalker.clip_needs("mini").labels
    with pytest.raises(ToonbenchError, match="paired training takes --config mini or paper"):
        find_config("mini-puppets", paired="labels")


def test_motion_encoders_have_a_rate_of_their_own():
    state = new_state(GUIDED, "cpu")
    rates = {group["scale"]: len(group["params"]) for group in state.optimiser.param_groups}
    encoders = sum(".enc2." in name for name, _ in state.network.named_parameters())
    assert rates[GUIDED.motion_rate] == encoders
    assert len(new_state(replace(MINI, network=TINY), "cpu").optimiser.param_groups) == 2


def test_training_starts_from_weights_of_both_domains_and_copies_nothing(data, tmp_path):
    first = replace(GUIDED, **UNGUIDED, steps2=2)
    run(first, data, tmp_path / "first", device="cpu")
    weights = tmp_path / "first" / "weights.safetensors"
    still = replace(first, lr2=0.0, start=file_digest(weights))
    again = run(still, data, tmp_path / "again", device="cpu", start=weights)
    before, after = load_network(weights).state_dict(), load_network(again).state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())
    assert not all(
        torch.equal(value, before[key.replace("cartoon", "real")]) for key, value in before.items() if "cartoon" in key
    )
    assert notes_of(again)["training"]["start"] == file_digest(weights)


def test_weights_of_another_network_cannot_be_started_from(data, tmp_path):
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(run(GUIDED, data, tmp_path / "tiny", device="cpu").read_bytes())
    with pytest.raises(ToonbenchError, match="has another network"):
        train(data, tmp_path / "out", config="mini", device="cpu", checkpoint=weights, overrides=["workers=1"])


def test_stage_2_after_a_start_from_weights_keeps_the_discriminators_apart():
    state = new_state(replace(GUIDED, adversarial=1.0, start="x"), "cpu")
    before = {key: value.clone() for key, value in state.network.domain("cartoon").state_dict().items()}
    begin_stage2(state)
    assert all(torch.equal(before[key], value) for key, value in state.network.domain("cartoon").state_dict().items())
