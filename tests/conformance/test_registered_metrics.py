"""What every registered metric must keep, ours or anybody's: name it in an entry point and it is tested here."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from toonbench import registry
from toonbench.types import CHANNEL_LIMITS, LANDMARKS, Clip, Metric, Pair, Sample, ToonbenchError, Truth

FRAMES, HEIGHT, WIDTH = 3, 128, 160
NEEDS = {"target", "driving", "source", "motion"}


def textured(seed):
    """A sharp clip with detail at every scale, (FRAMES, HEIGHT, WIDTH, 3)."""
    rng = np.random.default_rng(seed)
    layers = [gaussian_filter(rng.normal(size=(HEIGHT, WIDTH, 3)), (s, s, 0)) * s for s in (0.7, 2, 5)]
    picture = sum(layers)
    picture = (picture - picture.min()) / np.ptp(picture) * 255
    return np.stack([np.roll(picture, 2 * t, axis=1) for t in range(FRAMES)]).round().astype(np.uint8)


def motion(frames, seed):
    """Exact motion in which everything moves, made up: no metric may ask more of it than its shapes."""
    rng = np.random.default_rng(seed)
    low, high = np.array(list(CHANNEL_LIMITS.values())).T
    return Truth(
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
    return Sample(pair=pair, generated=generated, source=target[0], driving=target, target=target, truth=truth)


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
    return registry.load_metric(name)


def number(metric, rows):
    """The metric of one pair, turned so that more is better."""
    value = metric.reduce([rows])
    return value if metric.higher_is_better else -value


def need_mean(metric):
    if metric.distribution:
        pytest.skip(f"{metric.name} is a number of a whole set")


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


def test_rows_are_float32_with_one_row_a_frame(metric):
    need_mean(metric)
    for frames in (textured(0), textured(0)[:1]):
        rows = metric.measure(sample(frames, target=frames))
        assert rows.dtype == np.float32
        assert rows.ndim == 2
        assert len(rows) == len(frames)
        assert rows.shape[1] >= 1


def test_measuring_twice_or_after_another_pair_or_in_another_process_gives_the_same_bytes(metric, name):
    first, second = sample(noisy(textured(0), 1)), sample(blurred(textured(1), 1), seed=1)
    alone = [registry.load_metric(name).measure(one).tobytes() for one in (first, second)]
    assert [metric.measure(one).tobytes() for one in (first, second, first)] == [*alone, alone[0]]


def test_frames_handed_over_stay_as_they_were_and_may_be_read_only(metric):
    target = textured(0)
    generated = noisy(target, 2)
    before = generated.tobytes(), target.tobytes()
    for frames in (generated, target):
        frames.flags.writeable = False
    assert len(metric.measure(sample(generated, target=target)))
    assert (generated.tobytes(), target.tobytes()) == before


@pytest.mark.parametrize("level", [0, 128, 255])
def test_constant_frames_are_measured_or_nan_and_never_raise(metric, level):
    flat = np.full((FRAMES, HEIGHT, WIDTH, 3), level, np.uint8)
    for one in (sample(flat, target=flat), sample(flat), sample(textured(0), target=flat)):
        assert not np.isinf(metric.measure(one)).any()


def test_the_target_itself_has_the_best_value(metric):
    need_target(metric)
    target = textured(0)
    best = number(metric, metric.measure(sample(target)))
    for worse in (blurred(target, 0.7), noisy(target, 1), shifted(target, 1), 255 - target, np.zeros_like(target)):
        assert number(metric, metric.measure(sample(worse))) < best


@pytest.mark.parametrize("damage", [blurred, noisy, shifted], ids=lambda damage: damage.__name__)
def test_more_damage_never_scores_better_against_a_target(metric, damage):
    need_target(metric)
    values = [number(metric, metric.measure(sample(damage(textured(0), amount)))) for amount in (0, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1]


def test_blur_scores_worse_without_a_target_too(metric):
    need_mean(metric)
    if metric.needs:
        pytest.skip(f"{metric.name} compares with something")
    values = [number(metric, metric.measure(sample(blurred(textured(0), amount)))) for amount in (0, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1]


@pytest.mark.parametrize(("need", "field"), [("target", "target"), ("motion", "truth")])
def test_a_missing_need_is_an_error_of_one_line_that_names_the_pair(metric, need, field):
    if need not in metric.needs:
        pytest.skip(f"{metric.name} needs no {need}")
    with pytest.raises(ToonbenchError, match="pair0") as error:
        metric.measure(replace(sample(textured(0)), **{field: None}))
    assert "\n" not in str(error.value)


def measured_pairs(metric):
    return [metric.measure(sample(noisy(textured(seed), seed + 1), seed=seed)) for seed in range(3)]


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
    need_mean(metric)
    width = metric.measure(sample(textured(0))).shape[1]
    for nothing in ([], [np.full((2, width), np.nan, np.float32)], [np.empty((0, width), np.float32)]):
        assert math.isnan(metric.reduce(nothing))
