"""Driving videos and sources as two samples: coverage, level, and what does not change where no source repeats."""

import math

import numpy as np
import pytest

from toonbench.stats import flips, paired
from toonbench.stats.intervals import cluster_bootstrap
from toonbench.stats.twoway import source_repeats, two_way_bootstrap, variance_of_sum

LIMIT = 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


def crossed(videos, each, number):
    return np.repeat(np.arange(videos), each), np.arange(videos * each) % number


def drawn(rng, driving, sources, *, parts=(1, 1, 1)):
    """Values around 0 with a part of the driving video, one of the source and one of the pair."""
    video, source = rng.normal(size=driving.max() + 1), rng.normal(size=sources.max() + 1)
    return parts[0] * video[driving] + parts[1] * source[sources] + parts[2] * rng.normal(size=len(driving))


@pytest.mark.parametrize("parts", [(1, 1, 1), (0, 1, 1), (0, 0, 1)])
@pytest.mark.parametrize("videos", [12, 60])
def test_the_interval_covers_where_twelve_sources_repeat(videos, parts):
    driving, sources = crossed(videos, 5, 12)
    rng, covered, alone = np.random.default_rng(21), [], []
    for _ in range(200):
        values = drawn(rng, driving, sources, parts=parts)
        for found, interval in (
            (covered, two_way_bootstrap(values, driving.tolist(), sources.tolist(), resamples=400)),
            (alone, cluster_bootstrap(values, driving.tolist(), resamples=400)),
        ):
            found.append(interval.low <= 0 <= interval.high)
    assert np.mean(covered) >= 0.92 - 2 * math.sqrt(0.95 * 0.05 / 200)
    if parts[1]:
        assert np.mean(alone) < 0.90


@pytest.mark.parametrize("weights", [None, "frames"])
@pytest.mark.parametrize("videos", [4, 12])
def test_nothing_changes_where_no_source_repeats(videos, weights):
    rng = np.random.default_rng(2)
    driving, values = np.repeat(np.arange(videos), 3).tolist(), rng.normal(size=3 * videos)
    weight = None if weights is None else rng.integers(1, 9, 3 * videos)
    own = [f"source {at}" for at in range(3 * videos)]
    for sources in (None, own, ["only one"] * (3 * videos), [f"of {video}" for video in driving]):
        assert two_way_bootstrap(values, driving, sources, weights=weight) == cluster_bootstrap(
            values, driving, weights=weight
        )
        plain = paired.compare_means(values, np.zeros(3 * videos), driving, weights=weight)
        assert paired.compare_means(values, np.zeros(3 * videos), driving, sources=sources, weights=weight) == plain


def test_a_source_repeats_with_two_driving_videos_and_is_not_the_only_one():
    assert source_repeats("abc", "xxy")
    assert not source_repeats("aab", "xxy")
    assert not source_repeats("abc", "xxx")
    assert not source_repeats("abc", None)


def test_the_variance_by_hand():
    # Residuals 2, 0, -1, -1 of videos aabb and sources xyxy. Videos 2, -2: 2 * 8; sources 1, -1: 2 * 2; pairs 4 / 3 * 6 = 8.
    found = variance_of_sum([2, 0, -1, -1], "aabb", "xyxy")
    assert found.value == pytest.approx(max(16, 4, 16 + 4 - 8))
    assert found.degrees == 1


def test_two_sources_give_no_interval_and_a_reason():
    interval = two_way_bootstrap(np.arange(12.0), np.repeat(np.arange(6), 2).tolist(), [0, 1] * 6)
    assert interval.value == 5.5
    assert math.isnan(interval.low)
    assert "2 sources, at least 3" in interval.reason


def test_failed_pairs_do_not_matter_nor_the_order():
    rng = np.random.default_rng(4)
    driving, sources = crossed(12, 5, 12)
    values = drawn(rng, driving, sources)
    interval = two_way_bootstrap(values, driving.tolist(), sources.tolist())
    order = rng.permutation(60)
    assert two_way_bootstrap(values[order], driving[order].tolist(), sources[order].tolist()) == interval
    more = [*driving.tolist(), 99], [*sources.tolist(), 0]
    assert two_way_bootstrap([*values, math.nan], *more) == interval


def test_equal_values_have_an_interval_of_no_width_and_limits_stay_inside_the_values():
    driving, sources = (labels.tolist() for labels in crossed(12, 5, 12))
    assert two_way_bootstrap(np.full(60, 0.5), driving, sources).high == 0.5
    one = [1.0 if source == 0 else 0.0 for source in sources]
    interval = two_way_bootstrap(one, driving, sources)
    assert 0 <= interval.low < interval.value < interval.high <= 1


def test_labels_and_weights_of_another_length_are_refused():
    with pytest.raises(ValueError, match="3 pairs and 2 cluster labels"):
        two_way_bootstrap([1, 2, 3], "abc", "xy")
    with pytest.raises(ValueError, match="weight"):
        two_way_bootstrap([1, 2, 3, 4], "abab", "xxyy", weights=[1, 2])


@pytest.mark.parametrize("parts", [(1, 1, 1), (0, 1, 1), (1, 0, 1)])
def test_equal_methods_are_rarely_called_different_where_sources_repeat(parts):
    driving, sources = crossed(12, 5, 12)
    rng, found = np.random.default_rng(22), []
    for _ in range(300):
        values = drawn(rng, driving, sources, parts=parts)
        both = flips.sign_flip(values, driving.tolist(), sources=sources.tolist(), draws=199)
        found.append((both <= 0.05, flips.sign_flip(values, driving.tolist(), draws=199) <= 0.05))
    two_way, driving_only = np.mean(found, axis=0)
    assert two_way <= LIMIT
    if parts[1] > parts[0]:
        assert driving_only > 0.15


def test_a_clear_difference_is_found_where_sources_repeat():
    driving, sources = crossed(12, 5, 12)
    values = 2 + drawn(np.random.default_rng(23), driving, sources)
    assert flips.sign_flip(values, driving.tolist(), sources=sources.tolist()) < 0.01


def test_three_driving_videos_cannot_be_significant_whatever_the_sources():
    driving, sources = crossed(3, 12, 12)
    assert flips.sign_flip(np.ones(36), driving.tolist(), sources=sources.tolist()) == 0.25


def test_the_jackknife_of_both_samples_agrees_with_the_interval_of_a_mean():
    driving, sources = crossed(15, 4, 12)
    values = drawn(np.random.default_rng(24), driving, sources)

    def mean(rows):
        return float(np.mean(np.concatenate(rows), dtype=np.float64))

    rows = [np.array([[value]], np.float32) for value in values]
    videos, characters = (paired.leave_out(rows, labels.tolist(), mean) for labels in (driving, sources))
    wide, narrow = paired.set_interval(videos, sources=characters), paired.set_interval(videos)
    expected = two_way_bootstrap(values, driving.tolist(), sources.tolist())
    assert wide.value == pytest.approx(expected.value)
    assert narrow.high - narrow.low < expected.high - expected.low < wide.high - wide.low
    nothing = paired.leave_out([0 * row for row in rows], driving.tolist(), mean)
    none = paired.leave_out([0 * row for row in rows], sources.tolist(), mean)
    test = paired.compare_sets(videos, nothing, sources=(characters, none))
    assert test.p >= flips.sign_flip(values, driving.tolist(), sources=sources.tolist())
    assert test.interval.high == pytest.approx(wide.high)
