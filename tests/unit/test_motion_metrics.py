"""The motion metrics by hand, under injected errors of motion, and under lost frames; the network plays no part."""

import functools
import itertools
import math
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toonbench.metrics import _motion, landmark_nme
from toonbench.metrics.blink_f1 import BlinkF1
from toonbench.metrics.events import counts, matched, onsets
from toonbench.metrics.head_pose_deg import HeadPoseDeg, angles, rotations
from toonbench.metrics.landmark_nme import LandmarkNME
from toonbench.metrics.mouth_f1 import MouthF1
from toonbench.metrics.rig_corr import RigCorr, gini_correlations
from toonbench.metrics.rig_error import RigError, breakdown
from toonbench.motion.agreement import correlation
from toonbench.puppets.body.parts import rotation
from toonbench.puppets.rig import generate
from toonbench.types import CHANNEL_LIMITS, CHANNELS, Clip, GroundTruth, Pair, Sample, ToonbenchError

FPS = 30.0
METRICS = [LandmarkNME(), RigError(), RigCorr(), BlinkF1(), MouthF1(), HeadPoseDeg()]
LOW, HIGH = np.array(list(CHANNEL_LIMITS.values())).T
CLIP = Clip(id="clip", path=Path("clip"), domain="real")


def truth(frames=120, seed=3):
    """A talking face: its rig, and points that follow three channels of it."""
    rig = generate(seed, frames=frames)
    rest = np.random.default_rng(0).uniform(30, 100, (70, 2)).astype(np.float32)
    rest[36], rest[45] = (40, 60), (90, 60)
    landmarks = rest + rig[:, None, :2] * 0.3 + rig[:, None, 6:7] * 5
    visible = np.ones(landmarks.shape[:2], bool)
    visible[:, 3] = False
    return GroundTruth(rig=rig, landmarks=landmarks.astype(np.float32), visible=visible, fps=FPS)


def measured(patch, metric, wanted, *, rig=None, landmarks=None):
    """Measure a metric as if the network had read these curves from the frames."""
    rig = np.clip(wanted.rig if rig is None else rig, LOW, HIGH).astype(np.float32)
    seen = wanted.landmarks if landmarks is None else landmarks
    lost = np.isnan(rig).any(1)
    seen = np.where(lost[:, None, None], np.nan, seen).astype(np.float32)
    fake = _motion.Estimate(
        landmarks=seen, rig=rig, face=(~lost).astype(np.float32), doubt=np.zeros(len(rig), np.float32)
    )
    patch.setattr(_motion, "estimate", lambda frames: fake)
    pair = Pair(id="pair7", source=CLIP, driving=CLIP, target=CLIP)
    return metric.measure(Sample(pair=pair, generated=np.zeros((len(rig), 8, 8, 3), np.uint8), ground_truth=wanted))


@pytest.fixture
def measure(monkeypatch):
    return functools.partial(measured, monkeypatch)


def goodness(metric, rows):
    value = metric.reduce(rows)
    return value if metric.higher_is_better else -value


def channel(name):
    return CHANNELS.index(name)


def curve(**channels):
    """A rig of some channels, the rest at zero; (frames, channels)."""
    length = len(next(iter(channels.values())))
    rig = np.zeros((length, len(CHANNELS)), np.float32)
    for name, values in channels.items():
        rig[:, channel(name)] = values
    return rig


def known(rig):
    """GroundTruth of a rig whose points stand still."""
    base = truth(frames=len(rig))
    return replace(base, rig=rig, landmarks=np.repeat(base.landmarks[:1], len(rig), 0))


# by hand


def test_landmark_error_is_the_mean_distance_of_visible_points_over_the_distance_of_the_eyes(measure):
    wanted = known(curve(yaw=np.zeros(2)))
    seen = wanted.landmarks.copy()
    seen[0, :, 0] += 5.0  # every point by a tenth of 50 px
    seen[:, 3] += 40.0  # not visible
    rows = measure(LandmarkNME(), wanted, landmarks=seen)
    eyes = np.linalg.norm(wanted.landmarks[0, 36] - wanted.landmarks[0, 45])
    assert eyes == pytest.approx(50, abs=1e-3)
    np.testing.assert_allclose(rows, [[0.1, 69], [0, 69]], atol=1e-5)
    assert LandmarkNME().reduce([rows]) == pytest.approx(0.05)


def test_landmark_error_of_a_frame_is_at_most_one_and_one_without_a_face(measure):
    wanted = known(curve(yaw=np.zeros(2)))
    assert LandmarkNME().reduce([measure(LandmarkNME(), wanted, landmarks=wanted.landmarks + 900)]) == 1
    rig = wanted.rig.copy()
    rig[0] = np.nan
    rows = measure(LandmarkNME(), wanted, rig=rig)
    assert np.isnan(rows[0, 0])
    assert LandmarkNME().reduce([rows]) == pytest.approx(0.5)


def test_a_head_seen_from_the_side_keeps_a_unit_of_a_third_of_its_landmark_box():
    wanted = truth(frames=1)
    points = wanted.landmarks.copy()
    points[0, 45] = points[0, 36] + 0.01
    size = np.ptp(points[0], axis=0).max()
    assert landmark_nme.eye_distance(replace(wanted, landmarks=points)) == pytest.approx(0.35 * size)


def test_rig_error_is_in_parts_of_each_channels_range(measure):
    wanted = known(curve(yaw=[0.0], jaw_open=[0.5]))
    rows = measure(RigError(), wanted, rig=curve(yaw=[7.0], jaw_open=[0.3]))
    parts = breakdown([rows])
    assert parts["yaw"] == pytest.approx(0.1)
    assert parts["jaw_open"] == pytest.approx(0.2)
    assert RigError().reduce([rows]) == pytest.approx(0.3 / 18)


def test_rig_error_without_a_face_is_as_bad_as_the_truth_allows(measure):
    wanted = known(curve(yaw=[0.0], jaw_open=[0.7]))
    parts = breakdown([measure(RigError(), wanted, rig=np.full((1, 18), np.nan))])
    assert parts["yaw"] == pytest.approx(0.5)
    assert parts["jaw_open"] == pytest.approx(0.7)
    assert parts["smile"] == 1


def test_the_gini_correlation_of_three_frames_by_hand():
    truth_, seen = np.array([0.0, 1.0, 3.0]), np.array([0.0, 5.0, 4.0])
    assert correlation(truth_, seen) == pytest.approx((1 + 3 - 2) / 6)
    assert correlation(truth_, np.array([0.0, np.nan, 4.0])) == pytest.approx((-1 + 3 - 2) / 6)


def test_the_gini_correlation_is_free_of_offset_scale_and_any_rising_function():
    b = generate(5, frames=60)[:, 0].astype(float)
    assert correlation(b, b) == 1
    assert correlation(b, 0.1 * b + 3) == 1
    assert correlation(b, np.tanh(b / 10)) == 1
    assert correlation(b, -b) == -1
    assert correlation(b, np.full(60, 0.4)) == 0


@pytest.mark.parametrize("seed", range(4))
def test_rig_corr_is_the_mean_of_its_formula_over_all_pairs_of_frames(seed):
    random = np.random.default_rng(seed)
    truth_ = generate(seed, frames=90)
    estimate = truth_ + random.normal(size=truth_.shape) * (HIGH - LOW) * 0.1
    estimate[random.random(90) < 0.1] = np.nan
    estimate[:, :4] = np.round(estimate[:, :4])  # equal estimates have no order
    first, second = np.triu_indices(90, k=1)
    found = []
    for b, a, reach in zip(
        truth_.T.astype(float), estimate.astype(np.float32).T.astype(float), HIGH - LOW, strict=True
    ):
        if np.ptp(b) >= 0.15 * reach:
            rise, step = b[first] - b[second], a[first] - a[second]
            agree = np.where(np.isfinite(step), np.sign(step) * np.sign(rise), -1.0)
            found.append((np.abs(rise) * agree).sum() / np.abs(rise).sum())
    rows = np.concatenate([estimate, truth_], axis=1).astype(np.float32)
    assert RigCorr().value(rows) == pytest.approx(np.mean(found), abs=1e-12)


def test_rig_corr_of_a_long_clip_needs_no_memory_for_pairs_of_frames():
    truth_ = generate(1, frames=6000)
    rows = np.concatenate([truth_, truth_], axis=1)
    tracemalloc.start()
    try:
        assert RigCorr().value(rows) == 1
        assert tracemalloc.get_traced_memory()[1] < 20 * rows.nbytes
    finally:
        tracemalloc.stop()


def test_the_gini_correlation_of_noise_is_about_zero():
    b = generate(5, frames=100)[:, 0].astype(float)
    values = [correlation(b, np.random.default_rng(seed).normal(size=100)) for seed in range(60)]
    assert abs(np.mean(values)) < 0.03


def test_only_channels_that_move_count_for_rig_corr(measure):
    wanted = known(curve(yaw=np.linspace(0, 20, 9), smile=np.linspace(0, 0.1, 9)))
    rows = measure(RigCorr(), wanted, rig=curve(yaw=np.linspace(0, 20, 9), smile=np.linspace(0.1, 0, 9)))
    assert gini_correlations(rows) == {"yaw": 1.0}
    assert RigCorr().reduce([rows]) == 1
    still = measure(RigCorr(), known(curve(yaw=np.zeros(9))))
    assert math.isnan(RigCorr().reduce([still]))
    assert RigCorr().reduce([rows, still]) == 1


def test_an_onset_needs_a_low_frame_and_nothing_missing_between():
    nan = np.nan
    assert onsets(np.array([0.1, 0.9, 0.9, 0.1, 0.5, 0.7]), low=0.35, high=0.6) == [1, 5]
    assert onsets(np.array([0.9, 0.5, 0.9]), low=0.35, high=0.6) == []
    assert onsets(np.array([0.1, 0.5, nan, 0.9]), low=0.35, high=0.6) == []
    assert onsets(np.array([0.1, 0.65, 0.55, 0.65]), low=0.35, high=0.6) == [1]


def test_each_onset_is_matched_once_and_within_reach():
    assert matched([10, 20], [12, 40], reach=3) == 1
    assert matched([10, 11], [11], reach=3) == 1
    assert matched([8, 11], [11, 13], reach=3) == 2
    assert matched([10], [14], reach=3) == 0


def test_f1_of_blinks_by_hand(measure):
    shut, seen = np.zeros(40), np.zeros(40)
    shut[[5, 6, 20, 21]], seen[[7, 8, 30, 31]] = 1, 1  # one two frames late, one that is not there, one missed
    rows = measure(
        BlinkF1(), known(curve(blink_left=shut, blink_right=shut)), rig=curve(blink_left=seen, blink_right=seen)
    )
    assert rows.shape == (40, 5)
    assert BlinkF1().reduce([rows]) == pytest.approx(2 * 1 / (2 + 2))
    rows[0, :2] = np.nan
    assert BlinkF1().reduce([rows]) == pytest.approx(2 * 1 / (2 + 2 + 1))


def test_a_wink_is_no_blink(measure):
    shut = np.zeros(20)
    shut[5:8] = 1
    rows = measure(BlinkF1(), known(curve(blink_left=shut)))
    assert math.isnan(BlinkF1().reduce([rows]))


def test_f1_of_the_mouth_is_pooled_over_clips(measure):
    jaw = np.zeros(30)
    jaw[[5, 6, 15, 16]] = 0.8
    right = measure(MouthF1(), known(curve(jaw_open=jaw)))
    wrong = measure(MouthF1(), known(curve(jaw_open=jaw)), rig=curve(jaw_open=np.zeros(30)))
    assert MouthF1().reduce([right]) == 1
    assert MouthF1().reduce([wrong]) == 0
    assert MouthF1().reduce([right, wrong]) == pytest.approx(2 * 2 / (2 + 4))


def test_the_time_that_an_onset_may_be_off_follows_the_frame_rate():
    b = np.zeros(30)
    b[10:12] = 1
    late = np.roll(b, 2)
    assert counts(late, b, fps=30, low=0.3, high=0.6)[0] == 2
    assert counts(late, b, fps=15, low=0.3, high=0.6)[0] == 0
    assert counts(np.roll(b, 1), b, fps=5, low=0.3, high=0.6)[0] == 2


def test_head_pose_is_the_angle_of_the_rotation_between(measure):
    pose = np.array([[10.0, 0, 0], [0, 12, 0], [0, 0, 5], [0, 0, 0]])
    np.testing.assert_allclose(angles(pose, np.zeros((4, 3))), [10, 12, 5, 0], atol=1e-6)
    wanted = known(curve(yaw=[10.0, 10.0]))
    rig = curve(yaw=[13.0, 10.0])
    rig[1] = np.nan
    assert HeadPoseDeg().reduce([measure(HeadPoseDeg(), wanted, rig=rig)]) == pytest.approx((3 + 90) / 2, abs=1e-4)


def test_head_rotations_are_those_of_the_puppets():
    poses = np.random.default_rng(1).uniform(-40, 40, (20, 3))
    wanted = [rotation(yaw=y, pitch=p, roll=r) for y, p, r in np.radians(poses)]
    np.testing.assert_allclose(rotations(poses), wanted, atol=1e-12)


# what all of them keep


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: m.name)
def test_the_exact_motion_is_perfect(metric, measure):
    best = {"landmark_nme": 0, "rig_error": 0, "rig_corr": 1, "blink_f1": 1, "mouth_f1": 1, "head_pose_deg": 0}
    assert metric.reduce([measure(metric, truth(seed=s)) for s in range(3)]) == pytest.approx(
        best[metric.name], abs=1e-4
    )


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: m.name)
def test_without_exact_motion_the_error_names_the_pair(metric):
    frames = np.zeros((2, 8, 8, 3), np.uint8)
    bare = Sample(pair=Pair(id="pair7", source=CLIP, driving=CLIP), generated=frames)
    with pytest.raises(ToonbenchError, match=r"pair7.*make-puppets") as error:
        metric.measure(bare)
    assert "\n" not in str(error.value)
    with pytest.raises(ToonbenchError, match=r"pair7.*2 frames.*3"):
        metric.measure(replace(bare, ground_truth=truth(frames=3)))


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: m.name)
def test_a_pair_whose_measurement_failed_is_left_out(metric, measure):
    rows = measure(metric, truth())
    failed = np.full((5, 1), np.nan, np.float32)
    assert metric.reduce([rows, failed]) == metric.reduce([rows])
    assert math.isnan(metric.reduce([failed]))


def estimates(seed, noise):
    wanted = truth(frames=40, seed=seed)
    random = np.random.default_rng(seed)
    rig = wanted.rig + random.normal(size=wanted.rig.shape) * noise * (HIGH - LOW)
    return wanted, rig.clip(LOW, HIGH), wanted.landmarks + random.normal(size=wanted.landmarks.shape) * noise * 60


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: m.name)
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 30),
    noise=st.sampled_from([0.0, 0.05, 0.3, 3.0]),
    before=st.sets(st.integers(0, 39), max_size=8),
    lost=st.sets(st.integers(0, 39), min_size=1, max_size=40),
)
def test_losing_frames_never_scores_better(metric, seed, noise, before, lost):
    wanted, rig, landmarks = estimates(seed, noise)
    fewer = rig.copy()
    rig[sorted(before)] = np.nan
    fewer[sorted(before | lost)] = np.nan
    with pytest.MonkeyPatch.context() as patch:
        whole = goodness(metric, [measured(patch, metric, wanted, rig=rig, landmarks=landmarks)])
        less = goodness(metric, [measured(patch, metric, wanted, rig=fewer, landmarks=landmarks)])
    assert math.isnan(whole) or less <= whole + 1e-9


def delay(rig, amount):
    return np.concatenate([np.repeat(rig[:1], amount, 0), rig[: len(rig) - amount]])


def fade(rig, amount):
    return rig[:1] + (rig - rig[:1]) * (1 - amount / 10)


def freeze(rig, amount):
    frozen = rig.copy()
    start = len(rig) - len(rig) * amount // 10
    frozen[start:] = rig[min(start, len(rig) - 1)]
    return frozen


def shake(rig, amount):
    return rig + np.random.default_rng(0).normal(size=rig.shape) * (HIGH - LOW) * amount * 0.04


FREE_OF_SCALE = {("rig_corr", fade)}
MEETS_THE_NEXT = {("mouth_f1", delay)}  # a syllable later, other onsets come within reach


@pytest.mark.parametrize("metric", METRICS[1:], ids=lambda m: m.name)
@pytest.mark.parametrize("injected", [delay, fade, freeze, shake], ids=lambda f: f.__name__)
def test_more_error_of_motion_never_scores_better(metric, injected, measure):
    clips = [truth(seed=seed) for seed in range(4)]
    values = [
        goodness(metric, [measure(metric, wanted, rig=injected(wanted.rig, amount)) for wanted in clips])
        for amount in ((0, 1, 3, 4) if (metric.name, injected) in MEETS_THE_NEXT else (0, 1, 3, 6, 10))
    ]
    if (metric.name, injected) in FREE_OF_SCALE:
        assert values[:4] == [1, 1, 1, 1]
        assert values[4] == 0
        return
    assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(values))
    assert values[-1] < values[0]


def test_frames_that_show_the_driver_count_as_lost_and_frames_of_a_shared_clip_do_not(monkeypatch):
    wanted = truth(frames=4)
    draw = np.random.default_rng(0)
    target, driving = (draw.integers(0, 255, (4, size, size, 3)).astype(np.uint8) for size in (32, 48))
    mixed = target.copy()
    mixed[2] = driving[2, :32, :32]
    small = np.stack([frame[:32, :32] for frame in driving])
    pair = Pair(id="pair7", source=CLIP, driving=CLIP, target=CLIP)
    ones = np.ones(4, np.float32)
    fake = _motion.Estimate(landmarks=wanted.landmarks, rig=wanted.rig, face=ones, doubt=ones)
    monkeypatch.setattr(_motion, "estimate", lambda frames: fake)

    def lost(generated, driving):
        sample = Sample(pair=pair, generated=generated, driving=driving, target=target, ground_truth=wanted)
        return np.isnan(_motion.detected(sample).rig).all(1).tolist()

    assert lost(target, driving) == [False] * 4
    assert lost(mixed, small) == [False, False, True, False]
    assert lost(np.repeat(target[:1], 4, 0), target) == [False] * 4  # a static picture, driven by the answer itself
    noisy = np.clip(target + 40.0 * draw.standard_normal(target.shape), 0, 255).astype(np.uint8)
    assert lost(noisy, small) == [False] * 4
    for metric in METRICS:
        sample = Sample(pair=pair, generated=small, driving=small, target=target, ground_truth=wanted)
        better = 1 if metric.higher_is_better else -1
        exact = metric.reduce(
            [metric.measure(Sample(pair=pair, generated=target, driving=small, target=target, ground_truth=wanted))]
        )
        pasted = metric.reduce([metric.measure(sample)])
        assert not better * pasted > better * exact
