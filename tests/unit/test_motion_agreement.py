"""Agreement of motion curves, and the metric that reads them from frames."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from toonbench.metrics.motion_agreement import MotionAgreement
from toonbench.motion.agreement import FEWEST_FRAMES, MOVES, agreement, correlation
from toonbench.motion.drawn import read_drawn
from toonbench.motion.readers import by, other, reader_of_driving, reader_of_output
from toonbench.networks.curves import CURVES, WIDTH
from toonbench.testing.inputs import face
from toonbench.types import Clip, Pair, Sample, ToonbenchError


def by_pairs(driving, output):
    """The formula of `correlation`, written out."""
    first, second = np.triu_indices(len(driving), k=1)
    rise, step = driving[first] - driving[second], output[first] - output[second]
    agree = np.where(np.isfinite(step), np.sign(step) * np.sign(rise), -1.0)
    return (np.abs(rise) * agree).sum() / np.abs(rise).sum()


def moving(seed=0, *, frames=40):
    """Curves (frames, WIDTH) in which every channel moves slowly and by ten times the least."""
    random = np.random.default_rng(seed)
    steps = random.normal(size=(frames + 8, WIDTH))
    smooth = np.stack([np.convolve(column, np.ones(9) / 9, "valid") for column in steps.T], axis=1)
    return (smooth / smooth.std(0) * 10 * MOVES).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_the_correlation_is_the_formula_over_all_pairs_of_frames(seed):
    random = np.random.default_rng(seed)
    driving, output = random.integers(0, 9, 30).astype(float), random.integers(0, 5, 30).astype(float)
    output[random.random(30) < 0.2] = np.nan
    assert correlation(driving, output) == pytest.approx(by_pairs(driving, output), abs=1e-12)


def test_the_correlation_of_normal_values_is_pearsons():
    random = np.random.default_rng(0)
    driving = random.normal(size=20_000)
    output = 0.6 * driving + 0.8 * random.normal(size=20_000)
    assert correlation(driving, output) == pytest.approx(0.6, abs=0.02)


def test_a_rising_function_of_the_driving_curve_agrees_fully_and_its_negative_not_at_all():
    driving = np.random.default_rng(1).normal(size=50)
    assert correlation(driving, np.exp(driving)) == pytest.approx(1)
    assert correlation(driving, -driving) == pytest.approx(-1)
    assert correlation(driving, np.zeros(50)) == 0


@pytest.mark.parametrize("seed", range(20))
def test_losing_frames_never_raises_the_agreement(seed):
    random = np.random.default_rng(seed)
    driving, output = moving(seed), moving(seed + 100) + random.choice([0, 2]) * moving(seed)
    output[:, random.integers(WIDTH)] *= random.choice([0.0, 0.02, 1.0])
    lost = output.copy()
    before = agreement(driving, output)
    for frame in random.permutation(len(driving)):
        lost[frame] = np.nan
        after = agreement(driving, lost)
        assert (after.best <= before.best + 1e-12).all()
        assert (after.at_once <= before.at_once + 1e-12).all()
        before = after
    assert before.value == -1


def test_an_output_two_frames_late_agrees_fully_and_one_ten_frames_late_does_not():
    driving = moving(3, frames=80)
    late = agreement(driving, np.roll(driving, 2, axis=0))
    assert late.value == pytest.approx(1, abs=1e-6)
    assert np.mean(late.at_once) < 0.97
    assert agreement(driving, np.roll(driving, 10, axis=0)).value < 0.6


def test_a_still_output_has_zero_and_noise_below_the_floor_gains_nothing():
    driving = moving(4)
    still = np.repeat(driving[:1], len(driving), axis=0)
    assert agreement(driving, still).value == 0
    assert agreement(driving, still + 1e-3 * driving).value == 0


def test_the_amplitude_is_that_of_the_output_over_that_of_the_driving_video():
    driving = moving(5)
    found = agreement(driving, 0.5 * driving)
    assert found.value == pytest.approx(1, abs=1e-6)
    assert found.amplitude == pytest.approx(np.full(WIDTH, 0.5), rel=1e-5)


def test_a_still_driving_video_is_not_measured_and_neither_are_two_channels_or_a_few_frames():
    driving = moving(6)
    assert np.isnan(agreement(np.repeat(driving[:1], 40, 0), driving).value)
    two = np.repeat(driving[:1], 40, 0)
    two[:, :2] = driving[:, :2]
    assert np.isnan(agreement(two, driving).value)
    assert np.isfinite(agreement(two, driving).best).sum() == 2
    assert np.isnan(agreement(driving[: FEWEST_FRAMES - 1], driving[: FEWEST_FRAMES - 1]).value)


def test_a_pair_without_a_value_says_whether_the_driving_video_is_still_or_its_face_is_lost(metric):
    driving = moving(6)
    still = np.repeat(driving[:1], 40, 0)
    assert metric.cautions([rows_of(driving, still), rows_of(still, driving)]) == [
        "1 of 2 measured pairs have no value: fewer than 3 of the 7 curves move in the driving video"
    ]
    lost = driving.copy()
    lost[FEWEST_FRAMES - 1 :] = np.nan
    short = driving[: FEWEST_FRAMES - 1]
    assert metric.cautions([rows_of(driving, lost), rows_of(short, short), np.full((9, 1), np.nan)]) == [
        "3 of 3 measured pairs have no value: the driving video's face was read in fewer than 12 frames"
    ]
    assert metric.cautions([rows_of(lost, driving), rows_of(driving, driving)]) == []


@pytest.mark.parametrize("failed", [np.nan, 0.5])
@pytest.mark.parametrize(("part", "what"), [(0, "outputs"), (1, "driving videos")])
def test_a_reader_that_fails_without_an_error_is_named_unless_the_other_one_finds_nothing_either(
    metric, failed, part, what
):
    pairs = [rows_of(moving(seed), moving(seed)) for seed in (13, 14)]
    assert metric.cautions(pairs) == []
    for rows in pairs:
        rows[:, part * WIDTH :][:, :WIDTH] = failed
    named = metric.cautions(pairs)
    assert f"its reader finds {'no face' if np.isnan(failed) else 'constant curves'} in a" in named[-1]
    assert what in named[-1]
    for rows in pairs:
        rows[:, (2 + part) * WIDTH :][:, :WIDTH] = -1e4 if np.isnan(failed) else failed
    assert not [line for line in metric.cautions(pairs) if "its reader" in line]


def test_frames_in_which_the_driving_videos_face_is_lost_are_left_out():
    driving = moving(7)
    output = driving.copy()
    driving[5:15] = np.nan
    assert agreement(driving, output).value == pytest.approx(1, abs=1e-6)
    driving[FEWEST_FRAMES - 1 :] = np.nan
    assert np.isnan(agreement(driving, output).value)


def test_no_video_is_read_by_the_reader_of_the_other_except_where_both_are_drawn():
    for source in ("real", "cartoon"):
        for driving in ("real", "cartoon"):
            same = reader_of_driving(driving) == reader_of_output(source, driving)
            assert same == (source == driving == "cartoon")
    assert reader_of_driving("real") == "photographs"
    assert reader_of_output("cartoon", "real") == "drawings"


def test_the_curves_of_each_reader_are_half_of_the_features():
    both = np.arange(2 * WIDTH, dtype=np.float32)[None]
    assert by("photographs", both)[0, 0] == 0
    assert by("drawings", both)[0, 0] == WIDTH
    assert other(other("drawings")) == "drawings"


def pair_of(source="real", driving="real"):
    return Pair(
        id="pair",
        source=Clip(id="source", path=Path("source"), domain=source),
        driving=Clip(id="driving", path=Path("driving"), domain=driving),
    )


def sample_of(generated, driving, **domains):
    """The target is the driving video itself, so that the guard against its face has nothing to refuse."""
    pair = pair_of(**domains)
    return Sample(pair=pair, generated=generated, source=generated[0], driving=driving, target=driving)


FRAMES = 18


@pytest.fixture(scope="module")
def shown():
    return face(0, frames=FRAMES).frames


@pytest.fixture(scope="module")
def metric():
    return MotionAgreement.with_test_weights()


@pytest.fixture(scope="module")
def own(metric, shown):
    """The rows of an output that is its target."""
    return metric.measure(sample_of(shown, shown))


def test_a_face_that_moves_as_the_driving_video_is_better_than_a_still_one(metric, shown, own):
    assert metric.value(own) > 0.99
    still = np.repeat(shown[:1], len(shown), 0)
    assert metric.value(metric.measure(sample_of(still, shown))) == 0


def test_a_mirrored_output_is_named_by_its_yaw(metric, shown, own):
    details = metric.details([metric.measure(sample_of(np.ascontiguousarray(shown[:, :, ::-1]), shown))])
    assert details["pairs that turn the other way (mirrored)"] == 1
    assert details["yaw"] < 0.5 < details["jaw"]
    assert metric.details([own])["pairs that turn the other way (mirrored)"] == 0


def rows_of(output, driving):
    """Rows of the metric from curves, read alike by both readers."""
    return np.concatenate([output, driving, output, driving, np.zeros((len(driving), 1))], axis=1, dtype=np.float32)


MIRRORED_PAIRS = "pairs that turn the other way (mirrored)"


def test_lost_faces_and_a_still_head_are_not_named_as_mirrored(metric):
    driving = moving(8)
    lost, still, turned, held = (driving.copy() for _ in range(4))
    lost[::2] = np.nan
    still[:, 0] = 1e-2 * -driving[:, 0]
    turned[:, [0, 2]] *= -1
    turned[::4] = np.nan
    held[:, 0] = driving[0, 0]
    leaning = np.where(np.arange(WIDTH) == 2, driving, turned)  # yaw is wrong, and roll is right
    named = [metric.details([rows_of(output, driving)])[MIRRORED_PAIRS] for output in (driving, lost, leaning, turned)]
    assert named == [0, 0, 0, 1]
    unknown = [(np.full_like(driving, np.nan), driving), (still, driving), (driving, held)]
    assert all(np.isnan(metric.details([rows_of(*one)])[MIRRORED_PAIRS]) for one in unknown)
    both = [rows_of(turned, driving), rows_of(still, driving)]
    assert metric.details(both)[MIRRORED_PAIRS] == 1, "a share of the pairs in which it can be known"


def test_an_output_is_compared_with_each_other_driving_video_once_however_many_pairs_that_drives(metric):
    first, second, third = (moving(seed) for seed in (9, 10, 11))
    pairs = [rows_of(first, first), *[rows_of(second, second)] * 6, rows_of(third, third)]
    own = [agreement(*two).value for two in ((second, first), (third, first), (third, second), (first, second))]
    rest = [agreement(*two).value for two in ((first, third), (second, third))]
    expected = np.mean([*own[:2], *[own[2], own[3]] * 6, *rest])
    assert metric.details(pairs)["wrong driving video"] == pytest.approx(expected, abs=1e-6)
    assert np.isnan(metric.details(pairs[1:-1])["wrong driving video"])


def test_the_amplitude_of_an_output_without_a_face_is_unknown(metric):
    driving = moving(12)
    nothing = np.full_like(driving, np.nan)
    assert np.isnan(agreement(driving, nothing).amplitude).all()
    assert metric.details([rows_of(nothing, driving), rows_of(driving, driving)])["amplitude"] == pytest.approx(1)


def test_details_say_what_the_value_is_to_be_compared_with(metric, own):
    details = metric.details([own, own[::-1]])
    assert details["wrong driving video"] < 0.5
    assert details["two readers on the driving video"] == pytest.approx(1, abs=1e-6)  # one reader stands in for both
    assert set(CURVES) <= set(details)
    assert np.isnan(metric.details([])["wrong driving video"])


def test_chunks_give_the_rows_of_the_whole_clip(metric, shown, own):
    parts = [metric.add(None, sample_of(shown[at : at + 9], shown[at : at + 9])) for at in range(0, FRAMES, 9)]
    assert np.concatenate(parts) == pytest.approx(own, abs=1e-4)


@pytest.mark.parametrize("frames", [1, 5, 16])
def test_curves_of_drawn_faces_are_the_same_bytes_in_any_chunks(shown, frames):
    parts = [read_drawn(shown[at : at + frames]) for at in range(0, FRAMES, frames)]
    np.testing.assert_array_equal(np.concatenate(parts), read_drawn(shown))


def test_a_black_output_has_the_worst_value_and_a_driving_video_without_a_face_none(metric, shown):
    black = np.zeros_like(shown)
    rows = metric.measure(replace(sample_of(black, shown), target=None))
    assert metric.value(rows) == -1
    assert metric.details([rows])["frames that show the driving video"] == 0
    assert np.isnan(metric.value(metric.measure(sample_of(shown, black))))


def test_the_driving_video_itself_is_the_worst_output_and_a_few_such_frames_are_chance(metric, shown, own):
    other = sample_of(shown, shown, source="cartoon")
    pasted = metric.measure(replace(other, target=None, source=np.ascontiguousarray(255 - shown[0])))
    assert metric.value(pasted) == -1
    assert metric.details([pasted])["frames that show the driving video"] == 1
    once = own.copy()
    once[3, -1] = 1
    assert metric.value(once) == metric.value(own)
    assert np.isnan(metric.value(own[:0]))


def test_another_number_of_frames_is_an_error_that_names_the_pair(metric, shown):
    few = replace(sample_of(shown[:2], shown[:2]), driving=shown[:1])
    with pytest.raises(ToonbenchError, match=r"pair 'pair': 2 frames were generated and the driving video has 1"):
        metric.measure(few)
