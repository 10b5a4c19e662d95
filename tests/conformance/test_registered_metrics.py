"""What every registered metric must keep, ours or anybody's: name it in an entry point and it is tested here.

A metric whose weights are not on this machine runs on deterministic test weights (`with_test_weights`): its arithmetic is the same,
only what it means is not, so tests of meaning are skipped for it, visibly.
"""

import functools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from toonbench import registry, video, weights
from toonbench.data import shipped
from toonbench.score import unavailable
from toonbench.types import CHANNEL_LIMITS, LANDMARKS, Clip, GroundTruth, Metric, Pair, Sample, ToonbenchError

FRAMES, HEIGHT, WIDTH = 3, 128, 160
NEEDS = {"target", "driving", "source", "motion", "reference"}


def textured(seed):
    """A sharp clip with detail at every scale, (FRAMES, HEIGHT, WIDTH, 3)."""
    rng = np.random.default_rng(seed)
    layers = [gaussian_filter(rng.normal(size=(HEIGHT, WIDTH, 3)), (s, s, 0)) * s for s in (0.7, 2, 5)]
    picture = sum(layers)
    picture = (picture - picture.min()) / np.ptp(picture) * 255
    return np.stack([np.roll(picture, 2 * t, axis=1) for t in range(FRAMES)]).round().astype(np.uint8)


@functools.cache
def faces(seed):
    """Three frames, far apart, of a moving puppet in the real style, (FRAMES, 128, 128, 3)."""
    paths = sorted((shipped()["puppets@1"] / "clips").glob("*-real-*.mkv"))
    return np.ascontiguousarray(video.read_video(paths[seed % len(paths)]).frames[1:8:3])


def clip_for(metric, seed=0):
    """Faces for metrics that look for them, texture for the others."""
    return faces(seed).copy() if bool(metric.features_of) else textured(seed)


def motion(frames, seed):
    """Exact motion in which everything moves, made up: no metric may ask more of it than its shapes."""
    rng = np.random.default_rng(seed)
    low, high = np.array(list(CHANNEL_LIMITS.values())).T
    return GroundTruth(
        rig=rng.uniform(low, high, (frames, len(low))).astype(np.float32),
        landmarks=rng.uniform(0, HEIGHT, (frames, LANDMARKS, 2)).astype(np.float32),
        visible=np.ones((frames, LANDMARKS), bool),
        fps=30.0,
    )


def sample(generated, *, target=None, seed=0):
    """One pair with everything a metric may ask for."""
    clip = Clip(id=f"clip{seed}", path=Path("clip"), domain="real")
    target = textured(seed) if target is None else target
    pair = Pair(id=f"pair{seed}", source=clip, driving=clip, target=clip)
    truth = motion(len(generated), seed)
    return Sample(pair=pair, generated=generated, source=target[0], driving=target, target=target, ground_truth=truth)


def blurred(frames, amount):
    return np.stack([gaussian_filter(frame, (amount, amount, 0)) for frame in frames])


def noisy(frames, amount):
    noise = np.random.default_rng(9).normal(size=frames.shape) * 6 * amount
    return (frames + noise).round().clip(0, 255).astype(np.uint8)


def shifted(frames, amount):
    return np.roll(frames, amount, axis=2)


@pytest.fixture(params=registry.names("metrics"))
def name(request):
    return request.param


@pytest.fixture
def metric(name):
    found = build(name)
    if isinstance(found, str):
        pytest.skip(found)
    return found


@functools.cache
def build(name, copy=0, *, remember=True):
    """A metric on its own weights, else on deterministic test weights, else why it cannot be had; another one for each `copy`.

    With `remember` the features of frames that it saw before are not made again: two dozen tests ask for the same ones.
    """
    metric = registry.load_metric(name)
    reason = unavailable(metric)
    if reason and name == "csim_arcface":
        import synthetic_faces

        metric = synthetic_faces.csim_arcface()
    elif reason and type(metric).with_test_weights() is not None:
        metric = type(metric).with_test_weights()
    elif reason:
        return f"{name}: {reason}"
    if reason:
        ON_TEST_WEIGHTS.add(id(metric))
    if remember and bool(metric.features):
        metric.extract_features = remembering(metric.extract_features)
    return metric


def remembering(extract):
    known = {}

    def described(frames):
        rows = [known.get(frame.tobytes() + str(frame.shape).encode()) for frame in frames]
        if not len(rows) or any(row is None for row in rows):
            fresh = extract(frames)
            known.update({f.tobytes() + str(f.shape).encode(): row for f, row in zip(frames, fresh, strict=True)})
            return fresh
        return np.stack(rows)

    return described


ON_TEST_WEIGHTS: set[int] = set()


def need_meaning(metric):
    """Skip what asks for a network's judgement of faces: deterministic test weights have none."""
    if id(metric) in ON_TEST_WEIGHTS and bool(metric.features_of):
        pytest.skip(f"{metric.name} runs on deterministic test weights, which know nothing of faces")


def is_set(metric):
    """Whether only a whole set, beside a reference, has a number."""
    return metric.aggregate == "corpus"


def number(metric, rows):
    """The metric of one pair, turned so that more is better."""
    value = metric.reduce([rows])
    return value if metric.higher_is_better else -value


def need_mean(metric):
    if metric.aggregate in ("corpus", "events"):
        pytest.skip(f"{metric.name} is a number of a whole set")


def need_set(metric):
    if not is_set(metric):
        pytest.skip(f"{metric.name} has a number for each pair")


def need_target(metric):
    need_mean(metric)
    if "target" not in metric.needs:
        pytest.skip(f"{metric.name} needs no target")


def test_a_metric_says_what_it_is(metric, name):
    assert isinstance(metric, Metric)
    assert metric.name == name
    assert metric.version >= 1
    assert metric.needs <= NEEDS
    assert isinstance(metric.higher_is_better, bool)
    assert type(metric).__doc__
    low, high = metric.bounds
    assert low < high
    assert metric.features_of <= {"source", "target"}
    assert set(metric.weights) <= set(weights.entries())


def test_rows_are_float32_with_one_row_a_frame(metric):
    for frames in (clip_for(metric), clip_for(metric)[:1]):
        rows = metric.measure(sample(frames, target=frames))
        assert rows.dtype == np.float32
        assert rows.ndim == 2
        assert len(rows) == len(frames)
        assert rows.shape[1] >= 1


def test_measuring_twice_or_after_another_pair_or_built_anew_gives_the_same_bytes(metric, name):
    frames = clip_for(metric)
    other = clip_for(metric, 1)
    first, second = sample(noisy(frames, 1), target=frames), sample(blurred(other, 1), target=other, seed=1)
    alone = [build(name, copy).measure(one).tobytes() for copy, one in ((1, first), (2, second))]
    metric = build(name, 3, remember=False)
    assert [metric.measure(one).tobytes() for one in (first, second, first)] == [*alone, alone[0]]


def test_a_frames_row_does_not_depend_on_the_other_frames(metric):
    """So videos may be measured in parts: in shards, in batches, on another machine."""
    if metric.needs & {"motion"}:
        pytest.skip(f"{metric.name} reads curves")
    frames = clip_for(metric)
    generated = noisy(frames, 2)
    whole = metric.measure(sample(generated, target=frames))
    metric = build(metric.name, 4, remember=False)
    for at in range(len(frames)):
        alone = metric.measure(replace(sample(generated[at : at + 1], target=frames[at : at + 1]), source=frames[0]))
        np.testing.assert_allclose(alone[0], whole[at], rtol=1e-4, atol=1e-6)


def test_frames_handed_over_stay_as_they_were_and_may_be_read_only(metric):
    target = clip_for(metric)
    generated = noisy(target, 2)
    before = generated.tobytes(), target.tobytes()
    for frames in (generated, target):
        frames.flags.writeable = False
    assert len(metric.measure(sample(generated, target=target)))
    assert (generated.tobytes(), target.tobytes()) == before


@pytest.mark.parametrize("level", [0, 128, 255])
def test_constant_frames_are_measured_or_nan_and_never_raise(metric, level):
    flat = np.full((2, HEIGHT, WIDTH, 3), level, np.uint8)
    for one in (sample(flat, target=flat), sample(flat, target=textured(0)[:2]), sample(textured(0)[:2], target=flat)):
        assert not np.isinf(metric.measure(one)).any()


@pytest.mark.parametrize("size", [(1, 1), (8, 13), (33, 64)], ids=str)
def test_tiny_frames_are_measured_or_nan_and_never_raise(metric, size):
    tiny = np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    rows = metric.measure(sample(tiny, target=tiny))
    assert len(rows) == 2
    assert not np.isinf(rows).any()


def test_every_number_is_within_its_bounds(metric):
    if is_set(metric):
        pytest.skip(f"{metric.name} is asked below, as a set")
    target = clip_for(metric)
    low, high = metric.bounds
    for other in (target, blurred(target, 2), noisy(target, 9), 255 - target, np.zeros_like(target), target[::-1]):
        value = metric.reduce([metric.measure(sample(other.copy(), target=target))])
        assert math.isnan(value) or low - 1e-6 <= value <= high + 1e-6


def test_the_target_itself_has_the_best_value(metric):
    need_target(metric)
    target = clip_for(metric)
    best = number(metric, metric.measure(sample(target, target=target)))
    if metric.higher_is_better or bool(metric.features_of):
        assert best == pytest.approx(metric.bounds[1] if metric.higher_is_better else metric.bounds[0], abs=1e-6)
    for worse in (blurred(target, 2), noisy(target, 4), shifted(target, 3), 255 - target, np.zeros_like(target)):
        assert number(metric, metric.measure(sample(worse, target=target))) < best


def test_a_frozen_or_reversed_video_scores_worse_than_the_right_one(metric):
    need_target(metric)
    need_meaning(metric)
    target = clip_for(metric)
    best = number(metric, metric.measure(sample(target, target=target)))
    for wrong in (np.repeat(target[:1], len(target), axis=0), target[::-1].copy()):
        assert number(metric, metric.measure(sample(wrong, target=target))) < best


def test_reversing_both_videos_changes_nothing(metric):
    need_target(metric)
    target = clip_for(metric)
    generated = noisy(target, 2)
    there = metric.measure(sample(generated, target=target))
    back = metric.measure(replace(sample(generated[::-1].copy(), target=target[::-1].copy()), source=target[0]))
    np.testing.assert_allclose(back[::-1], there, rtol=1e-4, atol=1e-6)


def test_a_distance_to_the_target_is_the_same_the_other_way_round(metric):
    need_target(metric)
    need_meaning(metric)
    target = clip_for(metric)
    generated = noisy(target, 2)
    there, back = (metric.measure(sample(a, target=b))[:, 0] for a, b in ((generated, target), (target, generated)))
    np.testing.assert_allclose(there, back, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("damage", [blurred, noisy, shifted], ids=lambda damage: damage.__name__)
def test_more_damage_never_scores_better_against_a_target(metric, damage):
    need_target(metric)
    need_meaning(metric)
    target = clip_for(metric)
    values = [number(metric, metric.measure(sample(damage(target, n), target=target))) for n in (0, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1]


def test_blur_scores_worse_without_a_target_too(metric):
    need_mean(metric)
    if metric.needs:
        pytest.skip(f"{metric.name} compares with something")
    values = [number(metric, metric.measure(sample(blurred(textured(0), amount)))) for amount in (0, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1]


@pytest.mark.parametrize(("need", "field"), [("target", "target"), ("motion", "ground_truth"), ("source", "source")])
def test_a_missing_need_is_an_error_of_one_line_that_names_the_pair(metric, need, field):
    if need not in metric.needs:
        pytest.skip(f"{metric.name} needs no {need}")
    with pytest.raises(ToonbenchError, match="pair0") as error:
        metric.measure(replace(sample(clip_for(metric)), **{field: None}))
    assert "\n" not in str(error.value)


def measured_pairs(metric):
    pairs = [
        sample(noisy(clip_for(metric, seed), seed + 1), target=clip_for(metric, seed), seed=seed) for seed in range(3)
    ]
    return [metric.measure(one) for one in pairs]


def test_the_number_does_not_depend_on_the_order_of_pairs(metric):
    need_mean(metric)
    rows = measured_pairs(metric)
    assert metric.reduce(rows[::-1]) == pytest.approx(metric.reduce(rows), rel=1e-12)


def test_rows_that_were_not_measured_are_left_out(metric):
    need_mean(metric)
    rows = measured_pairs(metric)
    lost = np.full((4, rows[0].shape[1]), np.nan, np.float32)
    padded = [np.concatenate([rows[0], lost]), *rows[1:], lost, lost[:0]]
    assert metric.reduce(padded) == pytest.approx(metric.reduce(rows), rel=1e-12)


def test_nothing_measured_is_nan(metric):
    frames = clip_for(metric)[:1]
    width = metric.measure(sample(frames, target=frames)).shape[1]
    for nothing in ([], [np.full((2, width), np.nan, np.float32)], [np.empty((0, width), np.float32)]):
        assert math.isnan(metric.reduce(nothing))


def test_losing_frames_never_improves_the_number(metric):
    """Where a face is not found the real side still is: the frame counts as the worst case."""
    need_mean(metric)
    if not bool(metric.features_of):
        pytest.skip(f"{metric.name} looks for nothing that could be lost")
    rows = measured_pairs(metric)
    if rows[0].shape[1] == 1:
        pytest.skip(f"{metric.name} measures every frame")
    whole = number(metric, rows[0])
    for lost in ([0], [1], [0, 2], [0, 1, 2]):
        fewer = rows[0].copy()
        fewer[lost, 0] = np.nan
        assert number(metric, fewer) <= whole


def pictures(damage, amount=0):
    """Twelve pictures, changed: a row of rows for each of six clips."""
    return [damage(textured(seed)[:2], amount) if damage else textured(seed)[:2] for seed in range(6)]


def test_a_set_is_nearest_to_itself_and_the_distance_is_symmetric(metric):
    need_set(metric)
    own, other = ([metric.extract_features(one) for one in pictures(*how)] for how in ((None,), (noisy, 4)))
    assert metric.reduce(own, own) <= 1e-9 * metric.reduce(other, own)
    assert metric.reduce(other, own) > 0
    assert metric.reduce(other, own) == pytest.approx(metric.reduce(own, other), rel=1e-6)
    assert metric.bounds[0] <= metric.reduce(own, own)


@pytest.mark.parametrize("damage", [blurred, noisy], ids=lambda damage: damage.__name__)
def test_more_damage_takes_a_set_further_from_its_reference(metric, damage):
    need_set(metric)
    reference = [metric.extract_features(one) for one in pictures(None)]
    values = [
        metric.reduce([metric.extract_features(one) for one in pictures(damage, n)], reference) for n in (0, 1, 2, 4)
    ]
    assert values == sorted(values)
    assert values[0] < values[-1]


def test_a_sets_number_does_not_depend_on_order_or_on_how_rows_are_dealt(metric):
    need_set(metric)
    rows, reference = ([metric.extract_features(one) for one in pictures(*how)] for how in ((noisy, 2), (None,)))
    value = metric.reduce(rows, reference)
    lost = np.full((2, rows[0].shape[1]), np.nan, np.float32)
    for dealt in (rows[::-1], [np.concatenate(rows)], [row[None] for one in rows for row in one], [*rows, lost]):
        assert metric.reduce(dealt, reference) == pytest.approx(value, rel=1e-6)
    assert metric.reduce(rows, reference[::-1]) == pytest.approx(value, rel=1e-6)


def test_a_set_too_small_for_a_number_is_nan(metric):
    need_set(metric)
    rows = [metric.extract_features(textured(0)[:2])]
    for mine, theirs in (([], rows), (rows, []), ([rows[0][:1]], rows), (rows, [rows[0][:1]])):
        assert math.isnan(metric.reduce(mine, theirs))


def test_an_accelerator_measures_what_the_cpu_does(metric, name):
    torch = pytest.importorskip("torch")
    if not hasattr(metric, "device"):
        pytest.skip(f"{metric.name} runs on the CPU only")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    frames = clip_for(metric)
    one = sample(noisy(frames, 1), target=frames)
    other = build(name, "cuda")
    other.device = "cuda"
    np.testing.assert_allclose(other.measure(one), metric.measure(one), rtol=1e-3, atol=1e-4)
