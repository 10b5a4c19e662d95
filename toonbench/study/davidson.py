"""Strengths from choices between two, with ties: the model of Davidson (1970), which extends that of Bradley and Terry (1952).

With strengths p and a tie parameter v, i is preferred to j with probability p_i / s, j with p_j / s, and neither with
v sqrt(p_i p_j) / s, where s = p_i + p_j + v sqrt(p_i p_j). Without ties v is 0, and the model is that of Bradley and Terry.

In the logarithms of p and v this is a multinomial logit model, so that the likelihood is concave: Newton's method finds its maximum
if it has one. It has none if the votes are separated, for example if one method was always preferred.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toonbench.stats.intervals import Interval, grouped_jackknife

Values = NDArray[np.float64]

STEPS = 200
SLACK = 1e-7  # of a linear programme whose variables are at most 1
NOT_FINITE = "no finite strengths: the votes set no limit to a difference, as where a method is always preferred"
NOT_COMPARED = "no strength: no votes connect it with other methods"
UNSTEADY = "no interval: without one of the raters, strengths have no finite value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Logarithms of strengths (m,), whose mean is 0, and the tie parameter. NaN, with the `reason`, if they are not finite."""

    strengths: Values
    tie: float
    reason: str = ""


def fit(wins: ArrayLike, ties: ArrayLike) -> Fit:
    """The strengths of greatest likelihood. `wins` (m, m): how often row i was preferred to column j; `ties` (m, m), symmetric.

    There are none for methods that comparisons do not connect: see `components`.
    """
    won, tied = np.asarray(wins, np.float64), np.asarray(ties, np.float64)
    number = len(won)
    if number < 2 or len(components(won + tied)) > 1:
        return Fit(strengths=np.full(number, math.nan), tie=math.nan, reason=NOT_COMPARED)
    counts, terms = _terms(won, tied)
    if _separated(counts, terms):
        return Fit(strengths=np.full(number, math.nan), tie=math.nan, reason=NOT_FINITE)
    found = _newton(counts, terms)
    strengths = found[:number] - found[:number].mean()
    return Fit(strengths=strengths, tie=math.exp(found[number]) if len(found) > number else 0.0)


def components(compared: ArrayLike) -> list[list[int]]:
    """The groups of methods that comparisons connect; `compared` (m, m) is above 0 where two were compared."""
    from scipy.sparse.csgraph import connected_components

    matrix = np.asarray(compared, np.float64) > 0
    number, label = connected_components(matrix | matrix.T, directed=False)
    return [np.flatnonzero(label == one).tolist() for one in range(number)]


def rater_intervals(
    wins: ArrayLike, ties: ArrayLike, raters: Sequence[str], *, level: float = 0.95
) -> tuple[Fit, list[Interval]]:
    """The fit of all votes, and an interval of each strength over raters: the jackknife that leaves out one rater at a time.

    `wins` and `ties` are (raters, m, m).
    """
    won, tied = np.asarray(wins, np.float64), np.asarray(ties, np.float64)
    whole = fit(won.sum(axis=0), tied.sum(axis=0))
    names = sorted(raters)
    order = [list(raters).index(name) for name in names]  # the jackknife deals clusters in the order of their labels
    if whole.reason:
        return whole, [Interval(math.nan, math.nan, math.nan, len(raters), whole.reason) for _ in whole.strengths]
    without = np.array([fit(won.sum(axis=0) - won[at], tied.sum(axis=0) - tied[at]).strengths for at in order])
    strengths = whole.strengths.tolist()
    return whole, [_interval(one, without[:, at], names, level=level) for at, one in enumerate(strengths)]


def _interval(value: float, without: Values, raters: Sequence[str], *, level: float) -> Interval:
    found = grouped_jackknife(
        [np.ones((1, 1), np.float32)] * len(raters),
        raters,
        lambda _: value,
        groups=len(raters),
        level=level,
        reduce_groups=lambda _: (value, without.tolist()),
    )
    return (
        found if not found.reason or len(raters) < 3 else Interval(value, math.nan, math.nan, found.clusters, UNSTEADY)
    )


def _terms(won: Values, tied: Values) -> tuple[Values, Values]:
    """The counts (pairs, outcomes) of each compared pair, and how parameters enter the outcomes (pairs, outcomes, parameters)."""
    number, some = len(won), bool(tied.sum() > 0)
    counts: list[list[float]] = []
    terms: list[Values] = []
    for i in range(number):
        for j in range(i + 1, number):
            own = [won[i, j], won[j, i], *([tied[i, j]] if some else [])]
            if sum(own) > 0:
                term = np.zeros((len(own), number + some))
                term[0, i] = term[1, j] = 1
                if some:
                    term[2, [i, j, number]] = 0.5, 0.5, 1
                counts.append([float(one) for one in own])
                terms.append(term)
    return np.array(counts), np.array(terms)


def _separated(counts: Values, terms: Values) -> bool:
    """Whether the likelihood rises without end in some direction: none lowers an outcome that was observed, relative to any other."""
    from scipy.optimize import linprog

    pair, outcome = np.nonzero(counts)
    rises = (terms[pair, outcome][:, None] - terms[pair]).reshape(-1, terms.shape[-1])
    found = linprog(-rises.sum(axis=0), A_ub=-rises, b_ub=np.zeros(len(rises)), bounds=(-1, 1))
    return bool(-found.fun > SLACK)


def _newton(counts: Values, terms: Values) -> Values:
    """The parameters of greatest likelihood; steps are halved until they raise it."""
    totals = counts.sum(axis=1)
    at = np.zeros(terms.shape[-1])
    value = _likelihood(at, counts, terms)
    for _ in range(STEPS):
        chances = _chances(at, terms)
        gradient = np.einsum("po,pok->k", counts - totals[:, None] * chances, terms)
        if np.abs(gradient).max() < 1e-10 * totals.sum():
            break
        means = np.einsum("po,pok->pk", chances, terms)
        curvature = np.einsum("p,po,pok,pol->kl", totals, chances, terms, terms)
        curvature -= np.einsum("p,pk,pl->kl", totals, means, means)
        step = np.linalg.lstsq(curvature, gradient, rcond=1e-12)[0]
        size, new = 1.0, _likelihood(at + step, counts, terms)
        while size > 1e-9 and new < value:
            size /= 2
            new = _likelihood(at + size * step, counts, terms)
        at, value = at + size * step, max(value, new)
    return at


def _chances(at: Values, terms: Values) -> Values:
    scores = terms @ at
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _likelihood(at: Values, counts: Values, terms: Values) -> float:
    with np.errstate(divide="ignore"):
        logs = np.log(_chances(at, terms))
    return float(np.where(counts > 0, counts * logs, 0.0).sum())
