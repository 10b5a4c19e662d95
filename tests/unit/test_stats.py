"""Intervals: their coverage in simulation, what they do with few clusters, order and seed."""

import math

import numpy as np
import pytest

from toonbench.stats.intervals import cluster_bootstrap, grouped_jackknife, paired_bootstrap

SIMULATIONS = 600
PAIRS = 5  # per driving video, as in the paper


def drawn(rng, clusters, *, skewed=False, pairs=PAIRS):
    """Values around 0 of which half the variance belongs to the cluster, and their labels."""
    common = rng.exponential(size=clusters) - 1 if skewed else rng.normal(size=clusters)
    labels = np.repeat(np.arange(clusters), pairs)
    return (common[labels] + rng.normal(size=len(labels))) / math.sqrt(2), labels


def coverage(interval_of, *, truth=0.0, simulations=SIMULATIONS):
    rng = np.random.default_rng(7)
    intervals = [interval_of(rng) for _ in range(simulations)]
    return np.mean([one.low <= truth <= one.high for one in intervals])


@pytest.mark.parametrize("skewed", [False, True])
@pytest.mark.parametrize("clusters", [15, 60])
def test_the_interval_of_a_mean_covers_the_truth(clusters, skewed):
    assert coverage(lambda rng: cluster_bootstrap(*drawn(rng, clusters, skewed=skewed))) >= 0.90


@pytest.mark.parametrize("clusters", [3, 5, 8])
def test_few_clusters_still_cover(clusters):
    assert coverage(lambda rng: cluster_bootstrap(*drawn(rng, clusters))) >= 0.90


@pytest.mark.parametrize("clusters", [15, 60])
def test_a_bootstrap_over_pairs_would_not_cover(clusters):
    def naive(rng):
        values, _ = drawn(rng, clusters)
        return cluster_bootstrap(values, range(len(values)))

    assert coverage(naive) < 0.80


def test_coverage_follows_the_level_asked_for():
    half = coverage(lambda rng: cluster_bootstrap(*drawn(rng, 30), level=0.5))
    assert 0.43 <= half <= 0.57


def test_the_paired_interval_covers_and_is_much_narrower_than_two_apart():
    widths = []

    def paired(rng):
        hard, labels = drawn(rng, 20)
        a, b = hard + 0.1 * rng.normal(size=len(hard)), hard + 0.1 * rng.normal(size=len(hard))
        interval = paired_bootstrap(a + 0.3, b, labels)
        alone = cluster_bootstrap(a, labels)
        widths.append((interval.high - interval.low) / (alone.high - alone.low))
        return interval

    assert coverage(paired, truth=0.3, simulations=300) >= 0.90
    assert np.median(widths) < 0.3


@pytest.mark.parametrize("clusters", [20, 60])
def test_the_jackknife_interval_of_a_pooled_spread_covers(clusters):
    def spread(rows):
        return float(np.concatenate(rows).std())

    def jackknife(rng):
        values, labels = drawn(rng, clusters)
        return grouped_jackknife(list(values.astype(np.float32).reshape(-1, 1)), list(labels), spread)

    assert coverage(jackknife, truth=1.0, simulations=200) >= 0.88


def test_a_jackknife_that_ignores_clusters_would_not_cover():
    def jackknife(rng):
        values, _ = drawn(rng, 60)
        rows = list(values.astype(np.float32).reshape(-1, 1))
        return grouped_jackknife(rows, [(7919 * at) % 300 for at in range(300)], lambda kept: float(np.mean(kept)))

    assert coverage(jackknife, simulations=200) < 0.85


def test_the_value_is_the_mean_over_pairs_and_counts_clusters():
    interval = cluster_bootstrap([1, 2, 3, 6], ["a", "a", "b", "c"])
    assert interval.value == 3
    assert interval.clusters == 3
    assert interval.low < 3 < interval.high


def test_jackknife_of_a_mean_by_hand():
    rows = [np.full((1, 1), value, np.float32) for value in (1, 2, 6)]
    interval = grouped_jackknife(rows, ["a", "b", "c"], lambda kept: float(np.mean(kept)))
    # Without each: 4, 3.5, 1.5; variance 2/3 * 3.5 = 7/3 = s^2 / n; t of 2 degrees at 0.975 is 4.302653.
    assert interval.value == 3
    assert interval.high - 3 == pytest.approx(4.302653 * math.sqrt(7 / 3), rel=1e-6)
    assert 3 - interval.low == pytest.approx(interval.high - 3)


@pytest.mark.parametrize(("labels", "reason"), [(["a"] * 4, "1 driving video,"), (list("aabb"), "2 driving videos,")])
def test_one_or_two_clusters_give_no_interval_and_a_reason(labels, reason):
    for interval in (
        cluster_bootstrap([1, 2, 3, 4], labels),
        grouped_jackknife([np.ones((2, 1), np.float32)] * 4, labels, lambda rows: 2.5),
    ):
        assert interval.value == 2.5
        assert math.isnan(interval.low)
        assert math.isnan(interval.high)
        assert reason in interval.reason


def test_nothing_measured_is_nan_with_a_reason():
    for interval in (
        cluster_bootstrap([], []),
        cluster_bootstrap([math.nan], ["a"]),
        grouped_jackknife([], [], lambda rows: 0.0),
        grouped_jackknife([np.empty((0, 1), np.float32)], ["a"], lambda rows: 0.0),
    ):
        assert math.isnan(interval.value)
        assert interval.clusters == 0
        assert interval.reason == "nothing was measured"


def test_failed_pairs_are_left_out_with_their_clusters():
    rng = np.random.default_rng(0)
    values, labels = drawn(rng, 10)
    with_failures = np.append(values, [np.nan] * 3)
    assert cluster_bootstrap(with_failures, [*labels, 0, 98, 99]) == cluster_bootstrap(values, labels)


def test_a_difference_needs_both_methods():
    a, b = [1.0, 2.0, 3.0, math.nan], [0.0, math.nan, 1.0, 9.0]
    assert paired_bootstrap(a, b, list("abcd")).value == 1.5


def test_neither_the_order_of_pairs_nor_another_call_changes_a_bit():
    rng = np.random.default_rng(3)
    values, labels = drawn(rng, 12)
    names = np.array([f"video{label}" for label in labels])
    order = rng.permutation(len(values))
    first = cluster_bootstrap(values, names)
    cluster_bootstrap(values, names, seed=5)
    assert cluster_bootstrap(values[order], list(names[order])) == first
    assert cluster_bootstrap(values, names, seed=5) != first


def test_equal_values_have_an_interval_of_no_width_that_holds_the_value():
    interval = cluster_bootstrap([0.1] * 30, [at % 10 for at in range(30)])
    assert interval.low <= interval.value <= interval.high
    assert interval.high - interval.low < 1e-12


def test_the_interval_of_many_clusters_stays_inside_the_range_of_the_values():
    interval = cluster_bootstrap([1, 1, 1, 1, 1, 1, 0.2], range(7))
    assert interval.low >= 0.2
    assert interval.high <= 1 + 1e-12


def test_a_reduction_that_fails_without_a_group_gives_no_interval():
    rows = [np.full((1, 1), value, np.float32) for value in range(4)]

    def fragile(kept):
        return float(np.mean(kept)) if len(kept) == 4 else math.nan

    interval = grouped_jackknife(rows, list("abcd"), fragile)
    assert interval.value == 1.5
    assert math.isnan(interval.low)
    assert "without one group" in interval.reason


def test_labels_of_another_length_are_refused():
    with pytest.raises(ValueError, match="3 pairs and 2 cluster labels"):
        cluster_bootstrap([1, 2, 3], ["a", "b"])
    with pytest.raises(ValueError, match="same pairs in the same order"):
        paired_bootstrap([1, 2], [1], ["a", "b"])


def test_an_interval_is_cut_where_the_number_cannot_be():
    rows = [np.full((3, 1), value, np.float32) for value in (1, 1, 1, 0, 1, 1, 1)]

    def mean(found):
        return float(np.mean([one.mean() for one in found]))

    free = grouped_jackknife(rows, range(7), mean)
    cut = grouped_jackknife(rows, range(7), mean, bounds=(0.0, 1.0))
    assert free.high > 1
    assert (cut.low, cut.high, cut.value) == (free.low, 1.0, free.value)


def test_weights_give_the_mean_over_frames_and_count_as_repeated_values_do():
    values, clusters, frames = [1.0, 4.0, 2.0, 8.0, 5.0, 7.0, 3.0], list("aabbcde"), [3, 1, 2, 2, 1, 4, 1]
    repeated = np.repeat(values, frames)
    weighted = cluster_bootstrap(values, clusters, weights=frames)
    assert weighted.value == pytest.approx(repeated.mean())
    whole = cluster_bootstrap(repeated, np.repeat(clusters, frames).tolist())
    assert (weighted.low, weighted.high) == pytest.approx((whole.low, whole.high))
    assert cluster_bootstrap(values, clusters, weights=[1] * 7) == cluster_bootstrap(values, clusters)


def test_a_pair_of_weight_zero_is_not_there():
    with_it = cluster_bootstrap([1.0, 2.0, 3.0, 99.0], list("abcd"), weights=[1, 1, 1, 0])
    assert with_it == cluster_bootstrap([1.0, 2.0, 3.0], list("abc"))


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [1.0, float("nan")]])
def test_weights_that_cannot_be_are_refused(weights):
    with pytest.raises(ValueError, match="one weight of 0 or more for each pair"):
        cluster_bootstrap([1.0, 2.0], list("ab"), weights=weights)
