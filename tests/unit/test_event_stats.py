"""Pooled F1: intervals that hold at 0 and 1, exchange tests with few differing driving videos, level where sources repeat."""

import itertools
import math

import numpy as np
import pytest

from toonbench.stats import flips, paired
from toonbench.stats.events import effective_number, event_interval, proportion_interval

MATCHED, MISSED = (2, 2), (0, 1)


def f1(counts):
    top, whole = np.sum(counts, axis=0)
    return top / whole


def simulated(rng, videos, *, true_f1, correlation, pairs=1):
    """Counts and driving videos; both precision and recall are `true_f1`, and vary between videos."""
    true, chance, rate = rng.poisson(2.0, videos), np.full(videos, true_f1), np.ones(videos)
    if correlation:
        size = (1 - correlation) / correlation
        chance = rng.beta(true_f1 * size, (1 - true_f1) * size, videos)
        rate = rng.gamma(1 / correlation, correlation, videos)
    of = np.repeat(np.arange(videos), pairs)
    matched, false = rng.binomial(true[of], chance[of]), rng.poisson((1 - true_f1) * 2.0 * rate[of])
    return np.stack([2 * matched, matched + false + true[of]], axis=1), of.tolist()


@pytest.mark.parametrize("correlation", [0, 0.2])
@pytest.mark.parametrize("true_f1", [0.05, 0.3, 0.7, 0.98])
@pytest.mark.parametrize("videos", [6, 12, 60])
def test_the_interval_covers_the_true_f1_at_the_edges_too(videos, true_f1, correlation):
    rng = np.random.default_rng(8)
    intervals = [event_interval(*simulated(rng, videos, true_f1=true_f1, correlation=correlation)) for _ in range(300)]
    known = [one for one in intervals if not math.isnan(one.low)]
    assert np.mean([one.low <= true_f1 <= one.high for one in known]) >= 0.90


@pytest.mark.parametrize(("value", "counts"), [(1.0, MATCHED), (0.0, MISSED)])
def test_ten_blinks_all_matched_or_all_missed_have_an_interval_of_some_width(value, counts):
    interval = event_interval([counts] * 10, range(10))
    assert interval.value == value
    assert interval.low <= value <= interval.high
    # Clopper-Pearson of 10 in 10: 0.6915 of the events, an F1 of 0.8176; of 0 in 10: 0.3085, 0.4715.
    assert 0.15 <= interval.high - interval.low <= 1.25 * (0.1824 if value else 0.4715)


def test_independent_events_have_wilsons_interval_converted_to_f1():
    # 8 of 10 events matched, one a video: Wilson's 0.95 interval of 0.8 is 0.490162 ... 0.943318; F1 = 2J / (1 + J).
    interval = event_interval([MATCHED] * 8 + [MISSED] * 2, range(10))
    assert interval.value == 16 / 18
    assert interval.low == pytest.approx(2 * 0.490162 / 1.490162, abs=1e-6)
    assert interval.high == pytest.approx(2 * 0.943318 / 1.943318, abs=1e-6)


def test_events_that_cluster_count_as_fewer():
    alike = np.array([[5, 5], [0, 5]] * 6, float)
    mixed = np.array([[3, 5], [2, 5]] * 6, float)
    assert effective_number(mixed, range(12)) == pytest.approx(60, rel=0.01)
    assert effective_number(alike, range(12)) < 15


def test_fewer_than_three_events_are_too_few():
    for counts in ([MATCHED, MATCHED, (0, 0), (0, 0)], [MATCHED, MISSED, (0, 0)]):
        interval = event_interval(counts, range(len(counts)))
        assert interval.value == f1(counts)
        assert math.isnan(interval.low)
        assert math.isnan(interval.high)
        assert interval.reason == "too few events"
    assert event_interval([MATCHED] * 3, range(3)).low < 1


def test_events_in_two_driving_videos_give_no_interval_and_a_reason():
    interval = event_interval([(4, 6), (6, 8), (0, 0), (0, 0)], range(4))
    assert math.isnan(interval.low)
    assert "events in 2 driving videos" in interval.reason
    assert interval.clusters == 4


def test_no_events_have_no_value():
    interval = event_interval([(0, 0)] * 4, range(4))
    assert math.isnan(interval.value)
    assert interval.reason == "too few events"
    assert event_interval(np.empty((0, 2)), []).reason == "nothing was measured"


def test_pairs_that_failed_are_left_out():
    counts = np.array([MATCHED, MISSED, MATCHED, MATCHED, (math.nan, math.nan)], float)
    assert event_interval(counts, range(5)) == event_interval(counts[:4], range(4))


def test_counts_that_are_no_f1_are_refused():
    with pytest.raises(ValueError, match="above its denominator"):
        event_interval([(3, 2)], ["a"])
    with pytest.raises(ValueError, match="shape"):
        event_interval([1, 2], ["a", "b"])
    with pytest.raises(ValueError, match="2 pairs and 1 cluster"):
        event_interval([MATCHED, MISSED], ["a"])


def test_a_mean_of_zeros_and_ones_has_an_interval_at_the_edge():
    interval = proportion_interval(np.ones((8, 2)), range(8))
    assert (interval.value, interval.high) == (1, 1)
    assert 0.6 < interval.low < 0.8  # Wilson's of 8 in 8 is 0.676


def test_repeated_sources_widen_the_interval_of_events():
    driving, sources = np.repeat(np.arange(12), 5).tolist(), (np.arange(60) % 12).tolist()
    counts = [MATCHED if source < 6 else MISSED for source in sources]
    alone, both = event_interval(counts, driving), event_interval(counts, driving, sources=sources)
    assert both.low < alone.low
    assert alone.high < both.high


@pytest.mark.parametrize("differing", [1, 2, 3])
def test_three_driving_videos_that_differ_cannot_be_significant(differing):
    """`static` against `static` with the target in three of twelve videos had p = 0.0005."""
    static = [MISSED] * 12
    helped = [MATCHED] * differing + [MISSED] * (12 - differing)
    result = paired.compare_events(helped, static, range(12))
    assert result.p == flips.flip_ratio(helped, static, range(12)) == 2.0 ** (1 - differing)
    assert result.p >= 0.25
    assert flips.differing(helped, static, range(12)) == differing


def test_equal_counts_have_p_one():
    assert flips.flip_ratio([MATCHED, MISSED], [MATCHED, MISSED], "ab") == 1


@pytest.mark.parametrize("seed", range(4))
def test_p_of_a_ratio_is_that_of_every_exchange_written_out(seed):
    rng = np.random.default_rng(seed)
    (a, labels), (b, _) = (simulated(rng, 6, true_f1=0.5, correlation=0.2, pairs=2) for _ in range(2))
    counts = np.array([np.where(np.array(labels)[:, None] == video, 1, 0) * a for video in range(6)]).sum(axis=1)
    others = np.array([np.where(np.array(labels)[:, None] == video, 1, 0) * b for video in range(6)]).sum(axis=1)
    differences = []
    for exchanged in itertools.product((False, True), repeat=6):
        chosen = np.array(exchanged)[:, None]
        differences.append(abs(f1(np.where(chosen, others, counts)) - f1(np.where(chosen, counts, others))))
    expected = np.mean(np.array(differences) >= abs(f1(a) - f1(b)) - 1e-9)
    assert flips.flip_ratio(a, b, labels) == expected


def test_random_exchanges_agree_with_all_exchanges(monkeypatch):
    rng = np.random.default_rng(3)
    (a, labels), (b, _) = (simulated(rng, 15, true_f1=value, correlation=0.2) for value in (0.4, 0.5))
    exact = flips.flip_ratio(a, b, labels)
    monkeypatch.setattr(flips, "EXACT", 5)
    assert 0.005 < exact < 0.5
    assert flips.flip_ratio(a, b, labels) == pytest.approx(exact, abs=4 * math.sqrt(exact / flips.DRAWS))


@pytest.mark.parametrize("videos", [9, 30])
def test_p_of_a_ratio_depends_neither_on_order_nor_on_the_first_name(videos):
    rng = np.random.default_rng(5)
    (a, labels), (b, _) = (simulated(rng, videos, true_f1=value, correlation=0.3) for value in (0.4, 0.6))
    p = flips.flip_ratio(a, b, labels, draws=999)
    order = rng.permutation(videos)
    assert flips.flip_ratio(b, a, labels, draws=999) == p
    assert flips.flip_ratio(a[order], b[order], np.array(labels)[order].tolist(), draws=999) == p


@pytest.mark.parametrize("true_f1", [0.2, 0.9])
def test_equal_methods_are_rarely_called_different(true_f1):
    rng = np.random.default_rng(12)

    def p_of():
        (a, labels), (b, _) = (simulated(rng, 10, true_f1=true_f1, correlation=0.3, pairs=3) for _ in range(2))
        return flips.flip_ratio(a, b, labels)

    assert np.mean([p_of() <= 0.05 for _ in range(600)]) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 600)


def test_a_clear_difference_is_found():
    rng = np.random.default_rng(13)
    (a, labels), (b, _) = (simulated(rng, 12, true_f1=value, correlation=0.1) for value in (0.9, 0.2))
    assert flips.flip_ratio(a, b, labels) < 0.01


def test_equal_methods_that_differ_by_source_are_rarely_called_different():
    rng = np.random.default_rng(14)
    driving, sources = np.repeat(np.arange(12), 5), np.arange(60) % 6

    def counts():
        matched = rng.random(60) < 1 / (1 + np.exp(-2 * rng.normal(size=6)[sources]))
        return np.where(matched[:, None], MATCHED, MISSED)

    found = []
    for _ in range(300):
        a, b = counts(), counts()
        both = flips.flip_ratio(a, b, driving.tolist(), sources=sources.tolist(), draws=199)
        found.append((both <= 0.05, flips.flip_ratio(a, b, driving.tolist(), draws=199) <= 0.05))
    two_way, driving_only = np.mean(found, axis=0)
    assert two_way <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)
    assert driving_only > 0.2


def test_the_difference_of_two_f1_has_an_interval_at_the_edges():
    best, worst = [MATCHED] * 12, [MISSED] * 12
    apart, equal = paired.compare_events(best, worst, range(12)), paired.compare_events(best, best, range(12))
    assert apart.interval.value == 1
    assert 0.5 < apart.interval.low < 1
    assert apart.p == 2.0**-11
    assert equal.interval.low < 0 < equal.interval.high
    assert equal.p == 1


def test_the_interval_of_a_difference_covers():
    rng = np.random.default_rng(15)

    def interval():
        true = rng.poisson(2, 12)
        hard = rng.normal(size=12)
        sides = []
        for middle in (1.0, -0.5):
            matched = rng.binomial(true, 1 / (1 + np.exp(-middle - hard)))
            sides.append(np.stack([2 * matched, matched + true], axis=1))
        return paired.compare_events(*sides, range(12)).interval

    chance = 1 / (1 + np.exp(-np.array([[1.0], [-0.5]]) - np.random.default_rng(0).normal(size=(1, 200_000))))
    a, b = (2 * side.mean() / (side.mean() + 1) for side in chance)
    assert np.mean([one.low <= a - b <= one.high for one in (interval() for _ in range(400))]) >= 0.90
