"""Paired tests: exact p-values by hand and brute force, their level and power in simulation, and what they do not depend on."""

import itertools
import math

import numpy as np
import pytest

from toonbench.stats import flips, paired
from toonbench.stats.intervals import grouped_jackknife, paired_bootstrap

PAIRS = 5  # per driving video, as in the paper


def differences(rng, clusters, *, effect=0.0, pairs=PAIRS):
    """Differences of two methods, half of whose variance belongs to the driving video, and their labels."""
    labels = np.repeat(np.arange(clusters), pairs)
    return effect + (rng.normal(size=clusters)[labels] + rng.normal(size=len(labels))) / math.sqrt(2), labels


def true_error(clusters):
    """The standard error of the mean of such differences, from how they are made."""
    return math.sqrt((0.5 + 0.5 / PAIRS) / clusters)


def found(p_of, *, simulations):
    """How often a test says p <= 0.05."""
    rng = np.random.default_rng(11)
    return np.mean([p_of(rng) <= paired.ALPHA for _ in range(simulations)])


def brute_force(values, labels):
    """The same test by writing out every assignment of signs and the mean of the pairs under it."""
    names = sorted(set(labels))
    means = [
        abs(np.mean([signs[names.index(label)] * value for value, label in zip(values, labels, strict=True)]))
        for signs in itertools.product((1, -1), repeat=len(names))
    ]
    return np.mean(np.array(means) >= means[0] - 1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_p_is_that_of_every_assignment_of_signs_written_out(seed):
    rng = np.random.default_rng(seed)
    labels = list(rng.permutation(np.repeat(list("abcdefgh"), rng.integers(1, 5, 8))))
    values = rng.normal(loc=0.3, size=len(labels))
    assert flips.sign_flip(values, labels) == brute_force(values, labels)


def test_p_of_three_driving_videos_by_hand():
    # Sums 1, 2, 3: of the 8 assignments only +++ and --- reach 6. Sums 3, 2, -1: |4| is reached by 6, 4, -4, -6.
    assert flips.sign_flip([1, 2, 3], "abc") == 2 / 8
    assert flips.sign_flip([3, 2, -1], "abc") == 4 / 8


@pytest.mark.parametrize("clusters", range(1, 12))
def test_the_smallest_p_is_reached_when_every_video_agrees(clusters):
    assert flips.sign_flip(np.ones(clusters), range(clusters)) == flips.smallest_p(clusters)
    assert flips.smallest_p(clusters) == min(1.0, 2.0 ** (1 - clusters))


def test_the_smallest_p_tells_how_many_driving_videos_it_takes():
    for comparisons in (1, 3, 10, 45):
        enough = paired.fewest_clusters(comparisons)
        assert flips.smallest_p(enough) * comparisons <= paired.ALPHA
        assert flips.smallest_p(enough - 1) * comparisons > paired.ALPHA


def test_random_signs_agree_with_all_signs(monkeypatch):
    values, labels = differences(np.random.default_rng(5), 15, effect=0.35)
    exact = flips.sign_flip(values, labels)
    monkeypatch.setattr(flips, "EXACT", 10)
    drawn = [flips.sign_flip(values, labels, seed=seed) for seed in range(3)]
    error = math.sqrt(exact * (1 - exact) / flips.DRAWS)
    assert 0.01 < exact < 0.5
    assert all(abs(p - exact) < 4 * error for p in drawn)
    assert len(set(drawn)) > 1
    assert drawn[0] == flips.sign_flip(values, labels)


def test_random_signs_never_give_zero():
    assert flips.sign_flip(np.ones(60), range(60)) == flips.smallest_p(60) == 1 / (1 + flips.DRAWS)


@pytest.mark.parametrize("clusters", [8, 40])
def test_neither_order_nor_labels_nor_who_is_first_changes_a_bit_of_p(clusters):
    rng = np.random.default_rng(2)
    values, labels = differences(rng, clusters, effect=0.2)
    p = flips.sign_flip(values, labels)
    order = rng.permutation(len(values))
    names = [f"video{(7 * label) % clusters}" for label in labels]
    assert p < 1
    assert flips.sign_flip(values[order], labels[order]) == p
    assert flips.sign_flip(values, names) == p
    assert flips.sign_flip(-values, labels) == p
    assert flips.sign_flip(1e-6 * values, labels) == p


@pytest.mark.parametrize("clusters", [6, 15, 30])
def test_the_test_holds_its_level_when_pairs_of_a_video_go_together(clusters):
    level = found(lambda rng: flips.sign_flip(*differences(rng, clusters)), simulations=1500)
    assert level <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1500)
    assert level >= 0.01  # with 6 videos the only p below 0.05 is 1/32


def test_a_test_that_takes_pairs_for_separate_observations_does_not_hold_it():
    def naive(rng):
        values, _ = differences(rng, 15)
        return flips.sign_flip(values, range(len(values)), draws=499)

    assert found(naive, simulations=300) > 0.15


@pytest.mark.parametrize(("clusters", "lowest"), [(10, 0.74), (20, 0.76)])
def test_a_difference_as_large_as_the_detectable_one_is_found_in_about_80_percent(clusters, lowest):
    effect = paired.minimum_detectable(true_error(clusters), clusters)
    power = found(lambda rng: flips.sign_flip(*differences(rng, clusters, effect=effect)), simulations=400)
    assert lowest <= power <= 0.86  # the binomial error of 400 simulations alone is 0.02


def test_the_detectable_difference_by_hand():
    # t of 11 degrees: 2.200985 at 0.975, 0.875530 at 0.8.
    assert paired.minimum_detectable(2.0, 12) == pytest.approx(2 * (2.200985 + 0.875530), rel=1e-6)


def test_nothing_is_detectable_with_five_videos_nor_known_to_be_without_spread():
    assert math.isnan(paired.minimum_detectable(1.0, 5))
    assert paired.minimum_detectable(1.0, 6) > 0
    assert math.isnan(paired.minimum_detectable(0.0, 12))
    assert math.isnan(paired.minimum_detectable(math.nan, 0))


def test_the_standard_error_is_that_of_cluster_means_and_right_on_average():
    values = np.array([1.0, 1, 2, 2, 6, 6])
    assert paired.standard_error(values, list("aabbcc")) == pytest.approx(np.std([1, 2, 6], ddof=1) / math.sqrt(3))
    rng = np.random.default_rng(0)
    seen = [paired.standard_error(*differences(rng, 20)) ** 2 for _ in range(400)]
    assert math.sqrt(np.mean(seen)) == pytest.approx(true_error(20), rel=0.05)
    assert math.isnan(paired.standard_error([1, 2], ["a", "a"]))


def test_holm_by_hand():
    # Sorted: 0.005 * 4, 0.01 * 3, 0.03 * 2, 0.04 * 1 -> 0.02, 0.03, 0.06, and 0.04 raised to 0.06.
    assert paired.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_keeps_the_order_and_counts_no_comparison_that_was_not_made():
    rng = np.random.default_rng(1)
    p = rng.uniform(size=20) ** 3
    adjusted = np.array(paired.holm(list(p)))
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()
    assert (adjusted >= p).all()
    assert adjusted.max() <= 1
    assert paired.holm([0.02, math.nan, 0.02])[::2] == [0.04, 0.04]
    assert math.isnan(paired.holm([0.02, math.nan])[1])
    assert paired.holm([]) == []


def test_methods_that_nothing_sets_apart_share_a_rank_which_is_not_transitive():
    assert paired.shared_ranks("abc", [("a", "c")]) == {"a": 1, "b": 1, "c": 2}
    assert paired.shared_ranks("abc", []) == {"a": 1, "b": 1, "c": 1}
    assert paired.shared_ranks("abcd", [("a", "d"), ("b", "d"), ("c", "d")])["d"] == 4
    assert paired.shared_ranks("ab", [("incomplete", "b")]) == {"a": 1, "b": 1}


def test_identical_methods_differ_by_nothing_with_p_1():
    values, labels = differences(np.random.default_rng(0), 10)
    same = paired.compare_means(values, values, labels)
    assert (same.p, same.interval.value, same.interval.low, same.interval.high) == (1, 0, 0, 0)
    rows = [np.full((2, 1), value, np.float32) for value in values]
    left = paired.leave_out(rows, labels, spread)
    same = paired.compare_sets(left, left)
    assert (same.p, same.interval.value, same.interval.low, same.interval.high) == (1, 0, 0, 0)


def test_naming_the_other_method_first_turns_the_sign_and_nothing_else():
    rng = np.random.default_rng(4)
    (a, labels), (b, _) = differences(rng, 12, effect=0.3), differences(rng, 12)
    sets = [paired.leave_out(rows_of(values), labels, spread) for values in (a, b)]
    for one, other in (
        (paired.compare_means(a, b, labels), paired.compare_means(b, a, labels)),
        (paired.compare_sets(*sets), paired.compare_sets(*reversed(sets))),
    ):
        assert one.p == other.p
        assert one.interval.value == -other.interval.value
        assert [one.interval.low, one.interval.high] == pytest.approx([-other.interval.high, -other.interval.low])
        assert one.detectable == pytest.approx(other.detectable)


def test_means_have_the_interval_of_the_paired_bootstrap_and_leave_out_what_one_lacks():
    a, b = np.array([1.0, 2, 3, math.nan, 5, 4, 3]), np.array([0.0, math.nan, 1, 9, 1, 2, 1])
    found = paired.compare_means(a, b, list("abcdefg"))
    assert found.interval == paired_bootstrap(a, b, list("abcdefg"))
    assert found.interval.clusters == 5
    assert found.p == found.smallest == 2 / 2**5


def test_weights_are_worth_as_many_equal_pairs():
    rng = np.random.default_rng(6)
    values, labels = differences(rng, 9, effect=0.3)
    counts = rng.integers(1, 4, len(values))
    many, of = np.repeat(values, counts), np.repeat(labels, counts)
    assert flips.sign_flip(values, labels, weights=counts) == flips.sign_flip(many, of)
    assert paired.standard_error(values, labels, weights=counts) == pytest.approx(paired.standard_error(many, of))
    one, other = (
        paired.compare_means(values, 0 * values, labels, weights=counts),
        paired.compare_means(many, 0 * many, of),
    )
    assert one.interval.value == pytest.approx(other.interval.value)
    assert one.interval.low == pytest.approx(other.interval.low)
    assert one.detectable == pytest.approx(other.detectable)


def test_the_interval_of_a_difference_is_cut_where_no_difference_can_be():
    a, b = np.array([1.0, 1, 1, 1]), np.array([0.0, 0, 0, 0.9])
    assert paired.compare_means(a, b, list("abcd")).interval.high > 1
    assert paired.compare_means(a, b, list("abcd"), bounds=(0, 1)).interval.high == 1


def test_a_metric_may_leave_out_its_groups_itself():
    values, labels = differences(np.random.default_rng(3), 33)

    def at_once(groups):
        flat = [[one for group in groups for one in group]]
        flat += [[one for group in groups if group is not left for one in group] for left in groups]
        return spread(flat[0]), [spread(some) for some in flat[1:]]

    quick = paired.leave_out(rows_of(values), labels, spread, reduce_groups=at_once)
    slow = paired.leave_out(rows_of(values), labels, spread)
    assert quick.without == pytest.approx(slow.without, rel=1e-6)
    assert (quick.value, quick.clusters) == (pytest.approx(slow.value, rel=1e-6), slow.clusters)


def spread(rows):
    return float(np.concatenate(rows).std())


def rows_of(values):
    return [np.array([[value], [value + 1]], np.float32) for value in values]


def test_the_interval_of_a_set_is_that_of_the_jackknife():
    values, labels = differences(np.random.default_rng(3), 33)
    for bounds in ((-math.inf, math.inf), (1.0, 1.01)):
        one = paired.set_interval(paired.leave_out(rows_of(values), labels, spread), bounds=bounds)
        other = grouped_jackknife(rows_of(values), list(labels), spread, bounds=bounds)
        assert [one.value, one.low, one.high, one.clusters] == pytest.approx(
            [other.value, other.low, other.high, other.clusters]
        )


def test_the_pseudo_values_of_a_mean_are_the_means_of_the_videos():
    (a, labels), (b, _) = (differences(np.random.default_rng(seed), 9, effect=0.2) for seed in (1, 2))
    a, b = a.astype(np.float32), b.astype(np.float32)

    def mean(rows):
        return float(np.mean(np.concatenate(rows), dtype=np.float64))

    sets = [paired.leave_out([np.array([[x]]) for x in values], labels, mean) for values in (a, b)]
    assert paired.compare_sets(*sets).p == flips.sign_flip(a.astype(float) - b, labels)


def test_the_test_of_sets_holds_its_level_and_finds_what_is_there():
    def p_of(rng, *, factor):
        common, labels = differences(rng, 12)
        a, b = (common + differences(rng, 12)[0] for _ in range(2))
        return paired.compare_sets(*(paired.leave_out(rows_of(x), labels, spread) for x in (a, factor * b))).p

    assert found(lambda rng: p_of(rng, factor=1.0), simulations=300) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)
    assert found(lambda rng: p_of(rng, factor=2.0), simulations=50) > 0.8


def test_a_set_that_cannot_spare_a_group_is_not_tested_and_says_why():
    rows = rows_of(range(4))
    left = paired.leave_out(rows, "abcd", lambda some: 1.0 if len(some) == 4 else math.nan)
    result = paired.compare_sets(left, left)
    assert math.isnan(result.p)
    assert "without one group" in result.interval.reason
    nothing = paired.leave_out([], [], spread)
    assert paired.compare_sets(nothing, nothing).interval.reason == "nothing was measured"


@pytest.mark.parametrize("clusters", [1, 2])
def test_a_set_of_one_or_two_driving_videos_has_a_difference_without_an_interval(clusters):
    sets = [
        paired.leave_out(rows_of(values), range(clusters), spread) for values in ([1, 5][:clusters], [2, 3][:clusters])
    ]
    result = paired.compare_sets(*sets)
    assert math.isfinite(result.interval.value)
    assert math.isnan(result.interval.low)
    assert f"{clusters} driving" in result.interval.reason
    assert not result.p <= paired.ALPHA


def test_labels_of_another_length_are_refused():
    with pytest.raises(ValueError, match="3 pairs and 2 cluster labels"):
        flips.sign_flip([1, 2, 3], ["a", "b"])
