"""How often intervals cover the truth, how wide they are, and how often tests call equal methods different.

    OMP_NUM_THREADS=1 python benchmarks/interval_coverage.py [SECTION ...] [--simulations 1000]

Sections: means, events, sources, tests, differences. Each prints a Markdown table; they are in docs/statistics.md.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import beta

from toonbench.stats.events import event_interval
from toonbench.stats.flips import flip_ratio, sign_flip
from toonbench.stats.intervals import Interval, cluster_bootstrap
from toonbench.stats.paired import compare_events
from toonbench.stats.twoway import student, two_way_bootstrap

Values = NDArray[np.float64]
Codes = NDArray[np.intp]
Limits = tuple[float, float]

TRUE_F1 = (0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.98)
EVENTS = 2.0  # true events of a driving video on average
SHAPES: dict[str, Callable[[np.random.Generator, int], Values]] = {
    "normal": lambda rng, size: rng.normal(size=size),
    "exponential": lambda rng, size: rng.exponential(size=size) - 1,
    "lognormal(1)": lambda rng, size: (rng.lognormal(size=size) - math.exp(0.5)) / math.sqrt((math.e - 1) * math.e),
}
DESIGNS = ((12, 5, 12), (60, 5, 12), (12, 5, 6), (60, 5, 60))  # driving videos, sources of each, sources in all
EFFECTS = ((1, 1, 1), (0, 1, 1), (1, 0, 1), (0, 0, 1), (1, 1, 0))  # standard deviations: driving video, source, pair


def draw_counts(
    rng: np.random.Generator, *, videos: int, pairs: int, f1: float, correlation: float
) -> tuple[Values, list[int]]:
    """Counts (videos * pairs, 2) as of blink_f1 and each pair's driving video; precision and recall are both `f1`.

    The pairs of a driving video share its true events. The chance of a match and the rate of false events are the video's own:
    `correlation` is that of two matches in one video.
    """
    true = rng.poisson(EVENTS, videos)
    chance, rate = np.full(videos, f1), np.ones(videos)
    if correlation:
        size = (1 - correlation) / correlation
        chance, rate = rng.beta(f1 * size, (1 - f1) * size, videos), rng.gamma(1 / correlation, correlation, videos)
    of = np.repeat(np.arange(videos), pairs)
    matched = rng.binomial(true[of], chance[of])
    false = rng.poisson((1 - f1) * EVENTS * rate[of])
    return np.stack([2 * matched, matched + false + true[of]], axis=1).astype(np.float64), of.tolist()


def jackknife_f1(counts: Values, videos: Sequence[int]) -> Limits:
    """The t interval of leaving out one of up to 20 groups of driving videos, as a general set statistic has it."""
    sums = np.stack([np.bincount(np.asarray(videos) % 20, column) for column in counts.T], axis=1)
    without = counts.sum(axis=0) - sums
    values = without[:, 0] / np.maximum(without[:, 1], 1)
    groups = len(values)
    reach = student(0.95, groups - 1) * math.sqrt((groups - 1) / groups * np.square(values - values.mean()).sum())
    value = counts[:, 0].sum() / counts[:, 1].sum()
    return max(value - reach, 0.0), min(value + reach, 1.0)


def clopper_pearson_width(matched: Values, number: float) -> float:
    """The median width for F1 of Clopper-Pearson's intervals of the proportions `matched` among `number` events."""
    hits = matched * number
    low = np.where(hits > 0, beta.ppf(0.025, np.maximum(hits, 1e-9), number - hits + 1), 0)
    high = np.where(matched < 1, beta.ppf(0.975, hits + 1, np.maximum(number - hits, 1e-9)), 1)
    return float(np.median(2 * high / (1 + high) - 2 * low / (1 + low)))


def event_cell(
    *, videos: int, pairs: int, f1: float, correlation: float, simulations: int
) -> tuple[float, float, float]:
    """Coverage, median width relative to Clopper-Pearson's on the true effective number, and the jackknife's coverage."""
    rng = np.random.default_rng(1)
    found: list[tuple[bool, float, float, bool]] = []
    for _ in range(simulations):
        counts, of = draw_counts(rng, videos=videos, pairs=pairs, f1=f1, correlation=correlation)
        interval = event_interval(counts, of)
        if math.isnan(interval.low):
            continue
        low, high = jackknife_f1(counts, of)
        covered = interval.low <= f1 <= interval.high
        found.append((covered, interval.high - interval.low, interval.value, low <= f1 <= high))
    covers, widths, values, jackknife = np.array(found, np.float64).T
    matched, truth = values / (2 - values), f1 / (2 - f1)
    number = truth * (1 - truth) / float(np.square(matched - truth).mean())
    return (
        float(covers.mean()),
        float(np.median(widths)) / clopper_pearson_width(matched, number),
        float(jackknife.mean()),
    )


def events(simulations: int) -> Iterator[str]:
    """Coverage of `event_interval`."""
    yield "| driving videos | true F1 | coverage at correlation 0; 0.1; 0.2; 0.3; 0.5 | widest | jackknife, 0 to 0.2 |"
    yield "|---|---|---|---|---|"
    for videos in (6, 12, 60):
        for f1 in TRUE_F1:
            cells = [
                [
                    event_cell(videos=videos, pairs=pairs, f1=f1, correlation=correlation, simulations=simulations)
                    for pairs in (1, 5)
                ]
                for correlation in (0, 0.1, 0.2, 0.3, 0.5)
            ]
            coverage = "; ".join(f"{min(one[0] for one in cell):.3f}" for cell in cells)
            widest = max(one[1] for cell in cells for one in cell)
            jackknife = min(one[2] for cell in cells[:3] for one in cell)
            yield f"| {videos} | {f1} | {coverage} | {widest:.2f} × | {jackknife:.2f} |"


def resampled(values: Values) -> tuple[Values, Values]:
    """The means (2000,) of resampled clusters and their standard errors."""
    number = len(values)
    drawn = np.random.default_rng(0).multinomial(number, np.full(number, 1 / number), size=2000)
    means = drawn @ values / number
    spread = np.maximum(drawn @ np.square(values) / number - np.square(means), 1e-12)
    return means, np.sqrt(spread / (number - 1))


def percentile(values: Values) -> Limits:
    """The plain percentile interval."""
    low, high = np.quantile(resampled(values)[0], [0.025, 0.975])
    return float(low), float(high)


def bca(values: Values) -> Limits:
    """Efron's bias-corrected and accelerated interval."""
    means, _ = resampled(values)
    away = values - values.mean()
    acceleration = float((away**3).sum() / (6 * (away**2).sum() ** 1.5))
    bias = ndtri(np.clip(np.mean(means < values.mean()), 1e-4, 1 - 1e-4))
    tails = [float(ndtr(bias + (bias + z) / (1 - acceleration * (bias + z)))) for z in ndtri([0.025, 0.975])]
    low, high = np.quantile(means, tails)
    return float(low), float(high)


def studentised(values: Values) -> Limits:
    """The bootstrap-t interval."""
    means, errors = resampled(values)
    low, high = np.quantile((means - values.mean()) / errors, [0.025, 0.975])
    error = values.std(ddof=1) / math.sqrt(len(values))
    return float(values.mean() - high * error), float(values.mean() - low * error)


def ours(values: Values) -> Limits:
    """`cluster_bootstrap` with one value in each cluster."""
    interval = cluster_bootstrap(values, range(len(values)))
    return interval.low, interval.high


def means(simulations: int) -> Iterator[str]:
    """Coverage and width of intervals of a mean of independent clusters."""
    kinds = {"cluster_bootstrap": ours, "percentile": percentile, "BCa": bca, "studentised": studentised}
    yield "| clusters | distribution | " + " | ".join(kinds) + " |"
    yield "|---|---|" + "---|" * len(kinds)
    for number in (6, 15, 30, 60):
        for shape, draw in SHAPES.items():
            rng = np.random.default_rng(2)
            samples = [draw(rng, number) for _ in range(simulations)]
            oracle = 2 * 1.96 / math.sqrt(number)
            cells: list[str] = []
            for interval in kinds.values():
                limits = np.array([interval(values) for values in samples])
                covers = np.mean((limits[:, 0] <= 0) & (limits[:, 1] >= 0))
                cells.append(f"{covers:.3f} ({np.median(limits[:, 1] - limits[:, 0]) / oracle:.2f} ×)")
            yield f"| {number} | {shape} | " + " | ".join(cells) + " |"


def crossed(design: tuple[int, int, int]) -> tuple[Codes, Codes]:
    """The driving video and the source of each pair, drawn as a task draws them."""
    videos, each, number = design
    return np.repeat(np.arange(videos), each), np.arange(videos * each) % number


def crossed_values(
    rng: np.random.Generator, driving: Codes, sources: Codes, *, effects: Sequence[float], shape: str
) -> Values:
    """Values (n,) around 0 with parts of the driving video, of the source and of the pair."""
    draw, (video, source, pair) = SHAPES[shape], effects
    own = (
        draw(rng, int(driving.max()) + 1)[driving],
        draw(rng, int(sources.max()) + 1)[sources],
        draw(rng, len(driving)),
    )
    return video * own[0] + source * own[1] + pair * own[2]


def true_error(driving: Codes, sources: Codes, effects: Sequence[float]) -> float:
    """The standard error of the mean of such values, from how they are made."""
    number = len(driving)
    parts = [np.square(np.bincount(labels)).sum() / number**2 for labels in (driving, sources)]
    return math.sqrt(float(np.dot(np.square(effects), [*parts, 1 / number])))


def sources(simulations: int) -> Iterator[str]:
    """Intervals and p of means where sources repeat."""
    yield (
        "| driving videos × sources each, of all sources | parts of video, source, pair | distribution "
        "| coverage: two-way; driving videos only "
        "| width, two-way | equal methods called different: two-way; driving videos only |"
    )
    yield "|---|---|---|---|---|---|"
    for design in DESIGNS:
        driving, of = crossed(design)
        videos, characters = driving.tolist(), of.tolist()
        for effects in EFFECTS:
            for shape in ("normal", "lognormal(1)"):
                rng = np.random.default_rng(3)
                two, one, levels = list[Interval](), list[Interval](), list[tuple[bool, bool]]()
                for _ in range(simulations):
                    values = crossed_values(rng, driving, of, effects=effects, shape=shape)
                    two.append(two_way_bootstrap(values, videos, characters, resamples=1000))
                    one.append(cluster_bootstrap(values, videos, resamples=1000))
                    if shape == "normal":
                        both = sign_flip(values, videos, sources=characters, draws=499)
                        levels.append((both <= 0.05, sign_flip(values, videos, draws=499) <= 0.05))
                coverage = "; ".join(f"{np.mean([i.low <= 0 <= i.high for i in kind]):.3f}" for kind in (two, one))
                width = np.median([i.high - i.low for i in two]) / (2 * 1.96 * true_error(driving, of, effects))
                level = "; ".join(f"{100 * share:.1f} %" for share in np.mean(levels, axis=0)) if levels else "—"
                shares = ", ".join(map(str, effects))
                yield f"| {design[0]} × {design[1]}, {design[2]} | {shares} | {shape} | {coverage} | {width:.2f} × | {level} |"


def two_methods(
    rng: np.random.Generator, driving: Codes, sources: Codes, *, f1: tuple[float, float], own: float
) -> tuple[Values, Values]:
    """Counts (n, 2) of two methods on the same events.

    How hard a video is belongs to both. `own` is how much each method's success depends, beyond that, on the source and on the
    driving video.
    """
    true = rng.poisson(EVENTS, int(driving.max()) + 1)[driving]
    hard = rng.normal(size=len(true))[driving]
    counts: list[Values] = []
    for mean in f1:
        liking = rng.normal(size=len(true))[sources] + rng.normal(size=len(true))[driving]
        chance = 1 / (1 + np.exp(-(math.log(mean / (1 - mean)) + 0.5 * hard + own * liking)))
        matched, false = rng.binomial(true, chance), rng.poisson((1 - mean) * EVENTS, len(true))
        counts.append(np.stack([2 * matched, matched + false + true], axis=1).astype(np.float64))
    return counts[0], counts[1]


def tests(simulations: int) -> Iterator[str]:
    """How often `flip_ratio` calls equal methods different at 5 %."""
    yield "| driving videos × sources each, of all sources | true F1 | methods differ by video and source | two-way | driving videos only |"
    yield "|---|---|---|---|---|"
    for design in ((6, 1, 6), (12, 1, 12), (60, 1, 60), (12, 5, 12), (60, 5, 12)):
        driving, of = crossed(design)
        videos, characters = driving.tolist(), of.tolist()
        for f1 in (0.1, 0.5, 0.95):
            for own in (0.0, 1.0):
                rng = np.random.default_rng(4)
                found: list[tuple[bool, bool]] = []
                for _ in range(simulations):
                    a, b = two_methods(rng, driving, of, f1=(f1, f1), own=own)
                    both = flip_ratio(a, b, videos, sources=characters, draws=499)
                    found.append((both <= 0.05, flip_ratio(a, b, videos, draws=499) <= 0.05))
                share, alone = 100 * np.mean(found, axis=0)
                yield f"| {design[0]} × {design[1]}, {design[2]} | {f1} | {'yes' if own else 'no'} | {share:.1f} % | {alone:.1f} % |"


def differences(simulations: int) -> Iterator[str]:
    """Coverage of the interval of the difference of two F1."""
    yield "| driving videos × sources each, of all sources | F1 of both | coverage | median width |"
    yield "|---|---|---|---|"
    for design in ((6, 1, 6), (12, 1, 12), (60, 1, 60), (12, 5, 12)):
        driving, of = crossed(design)
        videos, characters = driving.tolist(), of.tolist()
        for f1 in ((0.1, 0.1), (0.5, 0.5), (0.95, 0.95), (0.1, 0.9), (0.6, 0.9)):
            rng = np.random.default_rng(5)
            drawn = [two_methods(rng, driving, of, f1=f1, own=0.5) for _ in range(simulations)]
            pooled = np.sum([[a.sum(axis=0), b.sum(axis=0)] for a, b in drawn], axis=0)
            truth = pooled[0, 0] / pooled[0, 1] - pooled[1, 0] / pooled[1, 1]  # of all simulations together
            intervals = [compare_events(a, b, videos, sources=characters).interval for a, b in drawn]
            known = [one for one in intervals if not math.isnan(one.low)]
            covers = np.mean([one.low <= truth <= one.high for one in known])
            width = np.median([one.high - one.low for one in known])
            yield f"| {design[0]} × {design[1]}, {design[2]} | {f1[0]}, {f1[1]} | {covers:.3f} | {width:.2f} |"


SECTIONS = {one.__name__: one for one in (means, events, sources, tests, differences)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", default=list(SECTIONS))
    parser.add_argument("--simulations", type=int, default=1000)
    arguments = parser.parse_args()
    for name in arguments.sections:
        print(f"\n## {name}, {arguments.simulations} simulations\n")
        for line in SECTIONS[name](arguments.simulations):
            print(line, flush=True)


if __name__ == "__main__":
    main()
