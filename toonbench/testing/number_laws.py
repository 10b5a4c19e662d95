"""Laws of numbers: what `value`, `counts`, `corpus` and `reduce` compute from rows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from toonbench.stats.summary import summarise
from toonbench.testing.inputs import DAMAGES, shifted
from toonbench.testing.laws import only_if
from toonbench.testing.metric_subject import MetricSubject, close
from toonbench.types import Frames, Metric, Rows

RESPONSE = (
    0.02  # of the change that an inverted picture makes: below it the metric does not look at this kind of damage
)
AMOUNTS = (0, 1, 2, 4)
FEWER = (0, 1, 3)
SLACK = 1e-6


def value_is_a_number(subject: MetricSubject) -> str:
    """The number of a pair, or of a set, is one number; NaN where nothing was measured."""
    metric, rows, reference = subject.metric, subject.measured_pairs(), subject.reference()
    if metric.aggregate == "corpus":
        return _no_number("corpus(rows, reference)", metric.corpus(rows, reference))
    if metric.aggregate in ("events", "proportion"):
        counts: Any = metric.counts(rows[0])
        if not isinstance(counts, tuple | list) or len(cast("Any", counts)) != 2:
            return f"counts(rows) returned {_kind(counts)}; return two numbers"
    return _no_number("value(rows)", metric.value(rows[0]))


def _no_number(what: str, value: Any) -> str:
    numbers = isinstance(value, int | float | np.number) or (isinstance(value, np.ndarray) and value.ndim == 0)
    return "" if numbers else f"{what} returned {_kind(value)}; return one number, NaN where nothing was measured"


def _kind(value: Any) -> str:
    return f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


def within_bounds(subject: MetricSubject) -> str:
    """Every number is within the declared bounds."""
    low, high = subject.metric.bounds
    shown, reference = subject.clip().frames, subject.reference()
    for frames in (shown, 255 - shown, subject.noisy().generated):
        value = subject.metric.reduce([subject.rows(subject.sample(frames))], reference)
        if not (math.isnan(value) or low - SLACK <= value <= high + SLACK):
            return f"the number {value:.6g} is outside of the bounds {low:g} to {high:g}"
    return ""


def printed_number(subject: MetricSubject) -> str:
    """The printed number is what the metric's own code computes from the rows, for one pair and for many."""
    metric, rows, reference = subject.metric, subject.measured_pairs(), subject.reference()
    drivings = [f"driving{at}" for at in range(len(rows))]
    printed = summarise(metric, rows, driving=drivings, reference=reference).printed.value
    own = own_number(metric, rows, reference)
    if not close(printed, own):
        return f"tables print {printed:.9g} for {len(rows)} pairs, the metric's own code gives {own:.9g}"
    if not close(float(metric.reduce(rows, reference)), own):
        return f"reduce gives {metric.reduce(rows, reference):.9g} for {len(rows)} pairs, its parts give {own:.9g}"
    if metric.aggregate == "corpus":
        return ""
    printed = summarise(metric, rows[:1], driving=drivings[:1]).printed.value
    return "" if close(printed, metric.value(rows[0])) else (
        f"tables print {printed:.9g} for one pair, its value(rows) is {metric.value(rows[0]):.9g}"
    )  # fmt: skip


def own_number(metric: Metric, rows: Sequence[Rows], reference: Sequence[Rows]) -> float:
    """The number of many pairs as `aggregate` defines it, from `value`, `weight`, `counts` or `corpus` alone."""
    if metric.aggregate == "corpus":
        return float(metric.corpus(rows, reference))
    if metric.aggregate in ("events", "proportion"):
        above, below = np.array([metric.counts(one) for one in rows], np.float64).sum(axis=0)
        return float(above / below) if below else math.nan
    values = np.array([metric.value(one) for one in rows])
    weights = np.array([metric.weight(one) for one in rows]) if metric.aggregate == "frames" else np.ones(len(rows))
    found = np.isfinite(values) & (weights > 0)
    return float(np.average(values[found], weights=weights[found])) if found.any() else math.nan


def leaves_out(subject: MetricSubject) -> str:
    """`leave_out` gives the numbers that `corpus` gives without each group."""
    metric = subject.metric
    only_if(metric.aggregate == "corpus", "it has a number for each pair")
    rows, reference = subject.measured_pairs(), subject.reference()
    whole, without = metric.leave_out([[one] for one in rows], reference)
    expected = [metric.corpus([*rows[:out], *rows[out + 1 :]], reference) for out in range(len(rows))]
    agree = close(whole, metric.corpus(rows, reference), relative=1e-6)
    agree = agree and all(close(one, other, relative=1e-6) for one, other in zip(without, expected, strict=True))
    return "" if agree else f"leave_out gives {list(without)} and corpus {expected}"


def order_of_pairs(subject: MetricSubject) -> str:
    """The number does not depend on the order of pairs or reference images."""
    rows, reference = subject.measured_pairs(), subject.reference()
    there, back = (subject.metric.reduce(rows[::step], reference[::step]) for step in (1, -1))
    return (
        ""
        if close(there, back, relative=1e-6)
        else f"the number is {there:.9g}, and {back:.9g} in another order; it must not change"
    )


def unmeasured_rows(subject: MetricSubject) -> str:
    """Rows and pairs that could not be measured, NaN in every column, are left out of the number."""
    rows, reference = subject.measured_pairs(), subject.reference()
    lost = np.full((4, rows[0].shape[1]), np.nan, np.float32)
    padded = [*rows, lost, lost[:0]]
    if not subject.metric.temporal:
        padded[0] = np.concatenate([rows[0], lost])
    value, same = subject.metric.reduce(rows, reference), subject.metric.reduce(padded, reference)
    return (
        ""
        if close(value, same, relative=1e-6)
        else f"the number is {value:.9g}, and {same:.9g} with NaN rows added; leave out rows and pairs that are NaN"
    )


def nothing_measured(subject: MetricSubject) -> str:
    """Where nothing was measured the number is NaN."""
    width = subject.rows(subject.noisy()).shape[1]
    reference = subject.reference()
    for nothing in ([], [np.full((2, width), np.nan, np.float32)], [np.empty((0, width), np.float32)]):
        value = float(subject.metric.reduce(nothing, reference))
        if not math.isnan(value):
            return f"the number of {len(nothing)} pairs without a measured row is {value:.6g}; give NaN"
    if reference and not math.isnan(float(subject.metric.reduce(subject.measured_pairs(), []))):
        return "without reference images there is a number; give NaN"
    return ""


def lost_frames(subject: MetricSubject) -> str:
    """A frame whose face is lost never improves the number."""
    metric = subject.metric
    only_if(metric.features_of or "motion" in metric.needs, "it looks for no faces")
    only_if(metric.aggregate != "corpus", "only a whole set has a number")
    shown, rows = subject.clip().frames, subject.rows(subject.noisy())
    whole = subject.number([rows])
    only_if(math.isfinite(whole), "the clip that is checked has no number")
    losses = [[at] for at in range(len(shown))] + [[*range(len(shown))]]
    scores: list[float] = []
    if metric.features_of and rows.shape[1] > 1:
        scores += [subject.number([_lost(rows, lost)]) for lost in losses]
    if subject.judges:
        scores += [subject.score(subject.sample(_black(subject.noisy().generated, lost))) for lost in losses[::-1][:2]]
    only_if(scores, "it cannot lose a face, and its test weights cannot judge one")
    if not all(math.isfinite(score) for score in scores):
        return (
            "without a face in any frame a pair has no number, and is left out of the mean; count it as the worst value"
        )
    gain = max(scores) - whole
    return f"a lost frame improves the number by {gain:.3g}; count it as the worst value" if gain > SLACK else ""


def target_is_best(subject: MetricSubject) -> str:
    """Nothing scores better than the target itself, and something scores worse."""
    needs_target(subject)
    shown = subject.clip().frames
    best = subject.score(subject.sample(shown))
    only_if(math.isfinite(best), "the clip that is checked has no number")
    others = {"a little noise": subject.noisy().generated, "the inverted target": 255 - shown}
    if subject.judges:
        others |= {"a frozen video": np.repeat(shown[:1], len(shown), axis=0), "the reversed target": shown[::-1]}
        others |= {"a shifted target": shifted(shown, 3), "a black video": np.zeros_like(shown)}
    scores = {what: subject.score(subject.sample(frames.copy())) for what, frames in others.items()}
    for what, score in scores.items():
        if score > best + SLACK * max(1, abs(best)):
            hint = f" (higher_is_better is {subject.metric.higher_is_better})" if min(scores.values()) >= best else ""
            return f"{what} scores {score - best:.3g} better than the target itself; nothing may{hint}"
    return "" if min(scores.values()) < best else "the inverted target has the same score as the target itself"


def more_damage(subject: MetricSubject) -> str:
    """More blur, noise or shift never scores better, where the metric responds to it."""
    needs_target(subject)
    only_if(not subject.metric.temporal, "it looks across frames")
    only_if(subject.judges or not subject.metric.features_of, "its test weights cannot judge a face")
    shown = subject.clip().frames
    scores = {
        what: [subject.score(subject.sample(damage(shown, amount))) for amount in AMOUNTS]
        for what, damage in DAMAGES.items()
    }
    return _monotone(scores, inverted=subject.score(subject.sample(255 - shown)))


def motion_beats_none(subject: MetricSubject) -> str:
    """The target's motion scores better than a frozen first frame."""
    only_if("motion" in subject.metric.needs, "it needs no motion")
    only_if(subject.metric.aggregate != "corpus", "only a whole set has a number")
    shown = subject.clip().frames
    moving = subject.score(subject.sample(shown))
    still = subject.score(subject.sample(np.repeat(shown[:1], len(shown), axis=0)))
    only_if(math.isfinite(moving) and math.isfinite(still), "the clip that is checked has no number")
    return (
        ""
        if moving > still
        else f"the target scores {moving:.4g}, its frozen first frame {still:.4g} (higher is better)"
    )


def own_set_is_nearest(subject: MetricSubject) -> str:
    """No set scores better than the reference itself, and more blur or noise never scores better."""
    needs_reference(subject)
    clips = [subject.clip(seed).frames for seed in range(4)]
    reference = [subject.features(one) for one in clips]

    def score(changed: Sequence[Frames]) -> float:
        return subject.number([subject.features(one) for one in changed], reference)

    scores = {
        what: [score([DAMAGES[what](one, amount) for one in clips]) for amount in FEWER] for what in ("blur", "noise")
    }
    return _monotone(scores, inverted=score([255 - one for one in clips]))


def dealing_of_rows(subject: MetricSubject) -> str:
    """The number of a set does not depend on how its rows are dealt to pairs."""
    needs_reference(subject)
    rows, reference = subject.measured_pairs(), subject.reference()
    value = subject.metric.reduce(rows, reference)
    for dealt in ([np.concatenate(rows)], [row[None] for one in rows for row in one]):
        if not close(value, other := subject.metric.reduce(dealt, reference), relative=1e-6):
            return f"the number is {value:.9g}, and {other:.9g} when the same rows belong to {len(dealt)} pairs"
    return ""


def needs_target(subject: MetricSubject) -> None:
    """Raise DoesNotApply for a metric that has no number of a pair, or needs no target."""
    only_if(subject.metric.aggregate != "corpus", "only a whole set has a number")
    only_if("target" in subject.metric.needs, "it needs no target")


def needs_reference(subject: MetricSubject) -> None:
    """Raise DoesNotApply for a metric that compares no whole set with reference images."""
    only_if(
        subject.metric.aggregate == "corpus" and "reference" in subject.metric.needs, "it needs no reference images"
    )
    only_if(subject.metric.features, "it has no features")


def _monotone(scores: dict[str, list[float]], *, inverted: float) -> str:
    """Which kind of damage breaks the order; `scores` are for rising amounts of each, the first for none."""
    responds = {
        what: values
        for what, values in scores.items()
        if abs(values[0] - values[-1]) > RESPONSE * abs(values[0] - inverted)
    }
    only_if(responds, "it does not respond to blur, noise or shift")
    for what, values in responds.items():
        slack = SLACK * max(1, *map(abs, values))
        if any(later > earlier + slack for earlier, later in itertools.pairwise(values)):
            return f"more {what} scores better: {', '.join(f'{value:.5g}' for value in values)} (higher is better)"
    return ""


def _lost(rows: Rows, frames: Sequence[int]) -> Rows:
    """Rows in which the first value of some frames is NaN."""
    fewer = rows.copy()
    fewer[frames, 0] = np.nan
    return fewer


def _black(frames: Frames, lost: Sequence[int]) -> Frames:
    """Frames of which some are black."""
    fewer = frames.copy()
    fewer[lost] = 0
    return fewer


NUMBERS = (
    within_bounds,
    printed_number,
    leaves_out,
    order_of_pairs,
    unmeasured_rows,
    nothing_measured,
    lost_frames,
    target_is_best,
    more_damage,
    motion_beats_none,
    own_set_is_nearest,
    dealing_of_rows,
)
