"""What people preferred: selection rates, strengths, agreement, metrics and people. Raters are the clusters of all intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from toonbench.stats.events import proportion_interval
from toonbench.stats.intervals import FEWEST, Interval, cluster_bootstrap
from toonbench.study.agreement import nominal_alpha
from toonbench.study.davidson import NOT_COMPARED, components, rater_intervals
from toonbench.study.design import STILL, TARGET
from toonbench.study.key import Key, KeyQuestion
from toonbench.study.votes import Merged, Vote, by_rater

PASS = 0.6  # the share of catch trials that a rater must pass
FEWEST_METHODS = 3  # of a rank correlation


@dataclass(frozen=True, slots=True, kw_only=True)
class Rater:
    """A rater: how many votes, how many catch trials among them and how many of these were passed; `excluded` for too few."""

    rater: str
    sheet: int
    votes: int
    catches: int
    passed: int
    excluded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """A method: how often it was shown and chosen, its selection rate, and its strength (a logarithm), where choices were between two."""

    method: str
    shown: int
    chosen: int
    rate: Interval
    strength: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The votes on one attribute, asked in one way. `undecided` are votes for "cannot decide"; `alpha` is Krippendorff's.

    `groups` are the methods that comparisons connect; strengths of different groups cannot be compared. `ties` is the tie parameter.
    """

    kind: str
    attribute: str
    votes: int
    undecided: int
    raters: int
    alpha: float
    ties: tuple[float, ...]
    groups: tuple[tuple[str, ...], ...]
    methods: tuple[Preference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """A metric and people. `correlation` is Spearman's over methods (NaN with a `reason`).

    `followed` is the share of decided votes whose video is the best one shown by the metric's value of the pair.
    """

    metric: str
    kind: str
    attribute: str
    methods: int
    correlation: float
    reason: str
    followed: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """The analysis of a study."""

    study: str
    raters: tuple[Rater, ...]
    parts: tuple[Part, ...]
    metrics: tuple[Agreement, ...]
    duplicated: int
    changed: int
    unreadable: int


def analyse(key: Key, merged: Merged, *, least_passed: float = PASS, level: float = 0.95, seed: int = 0) -> Analysis:
    """Analyse votes without those of raters who pass less than `least_passed` of their catch trials."""
    raters = tuple(_rater(name, own, key, least_passed) for name, own in by_rater(merged.votes).items())
    excluded = {one.rater for one in raters if one.excluded}
    kept = [one for one in merged.votes if one.rater not in excluded and not key.questions[one.question].catch]
    kept.sort(key=lambda one: (one.rater, one.question))
    asked = dict.fromkeys((one.kind, one.attribute) for one in key.questions.values() if not one.catch)
    votes = {part: [one for one in kept if _part_of(key.questions[one.question]) == part] for part in sorted(asked)}
    parts = tuple(_part(key, part, own, level=level, seed=seed) for part, own in votes.items())
    metrics = tuple(
        _agreement(key, metric, part, votes[part.kind, part.attribute], level=level, seed=seed)
        for metric in key.numbers
        for part in parts
    )
    return Analysis(
        study=key.study,
        raters=raters,
        parts=parts,
        metrics=metrics,
        duplicated=merged.duplicated,
        changed=merged.changed,
        unreadable=merged.unreadable,
    )


def _part_of(question: KeyQuestion) -> tuple[str, str]:
    return question.kind, question.attribute


def _rater(name: str, votes: Sequence[Vote], key: Key, least: float) -> Rater:
    caught = [one for one in votes if key.questions[one.question].catch]
    passed = sum(_passes(one, key) for one in caught)
    return Rater(
        rater=name,
        sheet=votes[0].sheet,
        votes=len(votes),
        catches=len(caught),
        passed=passed,
        excluded=bool(caught) and passed < least * len(caught) - 1e-9,
    )


def _passes(vote: Vote, key: Key) -> bool:
    """A target beside still videos must be chosen; a still video beside methods must not."""
    chosen = key.videos.get(vote.choice, "")
    return chosen == TARGET if key.questions[vote.question].catch == "target" else chosen != STILL


def _part(key: Key, part: tuple[str, str], votes: Sequence[Vote], *, level: float, seed: int) -> Part:
    kind, attribute = part
    methods = list(key.methods)
    strengths, ties, groups = _strengths(key, methods, votes, level=level) if kind == "pair" else ([], [], [])
    return Part(
        kind=kind,
        attribute=attribute,
        votes=len(votes),
        undecided=sum(not one.choice for one in votes),
        raters=len({one.rater for one in votes}),
        alpha=nominal_alpha(_units(key, votes)),
        ties=tuple(ties),
        groups=tuple(groups),
        methods=tuple(
            _preference(key, name, votes, strength=strengths[at] if strengths else NOT_FOUND, level=level, seed=seed)
            for at, name in enumerate(methods)
        ),
    )


NOT_FOUND = Interval(math.nan, math.nan, math.nan, 0, "strengths are computed from choices between two")


def _preference(
    key: Key, method: str, votes: Sequence[Vote], *, strength: Interval, level: float, seed: int
) -> Preference:
    own = [one for one in votes if method in _shown(key, one)]
    chosen = [float(key.videos.get(one.choice) == method) for one in own]
    rate = rater_mean(chosen, [one.rater for one in own], level=level, seed=seed)
    return Preference(method=method, shown=len(own), chosen=int(sum(chosen)), rate=rate, strength=strength)


def rater_mean(values: Sequence[float], raters: Sequence[str], *, level: float = 0.95, seed: int = 0) -> Interval:
    """The mean of values from 0 to 1, with an interval over raters.

    It is the bootstrap of whole raters (a jackknife for three to five of them). Where all values are 0, or all 1, that has no spread:
    there it is Wilson's interval with the effective number of votes.
    """
    number = len(set(raters))
    if len(values) and number >= FEWEST and (min(values) == max(values)) and values[0] in (0.0, 1.0):
        found = proportion_interval(np.stack([values, np.ones(len(values))], axis=1), raters, level=level)
    else:
        found = cluster_bootstrap(values, raters, level=level, seed=seed)
    if not len(values):
        return replace(found, reason="no votes")
    if math.isnan(found.low):
        noun = "rater" if number == 1 else "raters"
        return replace(found, reason=f"no interval: {number} {noun}, at least {FEWEST} are needed")
    return replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))


def _shown(key: Key, vote: Vote) -> list[str]:
    """The methods of a question, in the order of the key."""
    return [key.videos[name] for name in key.questions[vote.question].options]


def _units(key: Key, votes: Sequence[Vote]) -> list[list[str]]:
    """The values of each question: the chosen method if all questions have the same methods, otherwise a place among its videos.

    With different methods, methods as values would make chance agreement look smaller than it is. Places count from another video in
    each question: in the order of names, raters who agree on the first names would all choose one place, as if by chance.
    """
    sets = {frozenset(_shown(key, one)) for one in votes}
    units: dict[str, list[str]] = {name: [] for name in sorted({one.question for one in votes})}
    turn = {name: at for at, name in enumerate(units)}
    for one in votes:
        options = key.questions[one.question].options
        value = ""
        if one.choice:
            place = (options.index(one.choice) + turn[one.question]) % len(options)
            value = key.videos[one.choice] if len(sets) == 1 else str(place)
        units[one.question].append(value)
    return [*units.values()]


def _strengths(
    key: Key, methods: Sequence[str], votes: Sequence[Vote], *, level: float
) -> tuple[list[Interval], list[float], list[tuple[str, ...]]]:
    """The strength of each method, and the tie parameter and the methods of each group."""
    raters = sorted({one.rater for one in votes})
    wins, ties = _counts(key, methods, votes, raters)
    found = [Interval(math.nan, math.nan, math.nan, 0, NOT_COMPARED) for _ in methods]
    parameters: list[float] = []
    groups = components((wins + ties).sum(axis=0))
    for group in groups:
        if len(group) < 2:
            parameters.append(math.nan)
            continue
        own = np.ix_(range(len(raters)), group, group)
        whole, intervals = rater_intervals(wins[own], ties[own], raters, level=level)
        parameters.append(whole.tie)
        reason = _one_sided([methods[at] for at in group], wins[own].sum(axis=0)) if whole.reason else ""
        for at, interval in zip(group, intervals, strict=True):
            found[at] = replace(interval, reason=reason) if reason else _worded(interval, len(raters))
    return found, parameters, [tuple(methods[at] for at in group) for group in groups]


def _one_sided(methods: Sequence[str], wins: np.ndarray) -> str:
    """Why strengths are not finite, if single methods are the cause; otherwise empty. `wins`: of the row over the column."""
    unbeaten = [name for name, losses in zip(methods, wins.sum(axis=0), strict=True) if not losses]
    beaten = [name for name, won in zip(methods, wins.sum(axis=1), strict=True) if not won]
    if set(unbeaten) & set(beaten):  # only ties
        return ""
    never = [*(f"{name} was never beaten" for name in unbeaten), *(f"{name} was never preferred" for name in beaten)]
    return f"no finite strengths: {' and '.join(never)}" if never else ""


def _worded(interval: Interval, raters: int) -> Interval:
    if raters >= FEWEST or math.isnan(interval.value):
        return interval
    noun = "rater" if raters == 1 else "raters"
    return replace(interval, reason=f"no interval: {raters} {noun}, at least {FEWEST} are needed")


def _counts(
    key: Key, methods: Sequence[str], votes: Sequence[Vote], raters: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Wins of the row over the column, and ties, of each rater: (raters, methods, methods)."""
    place = {name: at for at, name in enumerate(methods)}
    rater = {name: at for at, name in enumerate(raters)}
    wins = np.zeros((len(raters), len(methods), len(methods)))
    ties = np.zeros_like(wins)
    for one in votes:
        first, second = (place[name] for name in _shown(key, one))
        if not one.choice:
            ties[rater[one.rater], [first, second], [second, first]] += 1
        elif key.videos[one.choice] == methods[first]:
            wins[rater[one.rater], first, second] += 1
        else:
            wins[rater[one.rater], second, first] += 1
    return wins, ties


def _agreement(key: Key, metric: str, part: Part, votes: Sequence[Vote], *, level: float, seed: int) -> Agreement:
    sign = 1 if key.higher[metric] else -1
    people = [one.rate.value for one in part.methods]
    if part.kind == "pair" and len(part.groups) == 1 and all(math.isfinite(one.strength.value) for one in part.methods):
        people = [one.strength.value for one in part.methods]
    numbers = [sign * key.numbers[metric].get(one.method, math.nan) for one in part.methods]
    both = [(a, b) for a, b in zip(people, numbers, strict=True) if math.isfinite(a) and math.isfinite(b)]
    correlation, reason = _spearman(both)
    rated = [(one, value) for one in votes if one.choice and not math.isnan(value := _follows(key, metric, one, sign))]
    return Agreement(
        metric=metric,
        kind=part.kind,
        attribute=part.attribute,
        methods=len(both),
        correlation=correlation,
        reason=reason,
        followed=rater_mean([value for _, value in rated], [one.rater for one, _ in rated], level=level, seed=seed),
    )


def _spearman(pairs: Sequence[tuple[float, float]]) -> tuple[float, str]:
    """Spearman's rank correlation (ties have mean ranks), or why there is none."""
    from scipy.stats import rankdata

    if len(pairs) < FEWEST_METHODS:
        return math.nan, f"no rank correlation: {len(pairs)} methods, at least {FEWEST_METHODS} are needed"
    first, second = (rankdata(column) - (len(pairs) + 1) / 2 for column in zip(*pairs, strict=True))
    size = math.sqrt(float(first @ first) * float(second @ second))
    if not size > 0:
        return math.nan, "no rank correlation: all methods are equal"
    return float(first @ second) / size, ""


def _follows(key: Key, metric: str, vote: Vote, sign: int) -> float:
    """1 if the chosen video is the best one shown by the metric (1 / n if n are best), otherwise 0; NaN without values."""
    question = key.questions[vote.question]
    found: Mapping[str, float] = key.scores.get(f"{question.task} {question.pair}", {}).get(metric, {})
    values = {name: sign * found.get(name, math.nan) for name in _shown(key, vote)}
    if not all(map(math.isfinite, values.values())):
        return math.nan
    best = [name for name, value in values.items() if value == max(values.values())]
    return 1 / len(best) if key.videos[vote.choice] in best else 0.0
