"""The questions of a preference study and the sheets of its raters, drawn from a seed and balanced to within one.

A sheet is what one rater answers: the questions of a set in an order of its own, and an order of the videos of each question.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from toonbench.types import ToonbenchError

Form = Literal["best", "pairs", "both"]
Kind = Literal["best", "pair"]
Catch = Literal["", "static", "target"]
Attribute = Literal["motion", "identity", "quality"]
ATTRIBUTES: tuple[Attribute, ...] = ("motion", "identity", "quality")
OVERALL = "overall"
STILL, TARGET = "(static)", "(target)"  # options of catch trials, beside labels of methods
MOST_METHODS = 20
LEAST_CATCH = 0.1  # the share of catch trials
SQUARES = 8  # orders to choose from


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is drawn. `questions` is the number on a sheet without catch trials; `sets` of questions are given to raters in turn.

    `best_of` is the number of videos of a best-of question; `catch` is the least share of catch trials on a sheet.
    """

    seed: int = 0
    form: Form = "best"
    raters: int = 20
    questions: int = 20
    sets: int = 1
    best_of: int = 4
    attributes: tuple[Attribute, ...] = ATTRIBUTES
    catch: float = LEAST_CATCH

    @property
    def catches(self) -> int:
        """The number of catch trials on a sheet."""
        return max(1, math.ceil(self.questions * self.catch / (1 - self.catch) - 1e-9))


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question about an item (its index). `options` are labels of methods; those of a catch trial also STILL and TARGET."""

    kind: Kind
    attribute: str
    item: int
    options: tuple[str, ...]
    catch: Catch = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """All questions, and the sheets: each a sequence of (question, order of its options), both as indices."""

    questions: tuple[Question, ...]
    sheets: tuple[tuple[tuple[int, tuple[int, ...]], ...], ...]


def draw(methods: Sequence[str], targets: Sequence[bool], *, plan: Plan) -> Drawn:
    """Draw the questions about items, of which `targets` says whether each has a target. Equal arguments give an equal study.

    Balanced to within one: how often each item is asked about, each set of methods and each attribute is used, and, over all sheets
    and over the first ones of them, how often each method of a set of methods is at each place (for two videos: on each side).

    Raises ToonbenchError for fewer than two methods or too many, for no items, and for a plan that cannot be drawn.
    """
    _check(methods, targets, plan)
    rng = np.random.default_rng(plan.seed)
    dealer = _Dealer(rng, methods=sorted(methods), targets=list(targets), plan=plan)
    sets = [dealer.question_set() for _ in range(plan.sets)]
    questions = [one for found in sets for one in found]
    first = list(itertools.accumulate((len(found) for found in sets), initial=0))
    orders = _Orders(rng)
    sheets: list[tuple[tuple[int, tuple[int, ...]], ...]] = []
    for rater in range(plan.raters):
        at = rater % plan.sets
        places = rng.permutation(len(sets[at])) + first[at]
        sheets.append(tuple((place, orders.draw(questions[place])) for place in places.tolist()))
    return Drawn(questions=tuple(questions), sheets=tuple(sheets))


def _check(methods: Sequence[str], targets: Sequence[bool], plan: Plan) -> None:
    if not 2 <= len(methods) <= MOST_METHODS:
        raise ToonbenchError(
            f"{len(methods)} methods to compare; a study has 2 to {MOST_METHODS}: give runs of them, or choose with --methods"
        )
    if not targets:
        raise ToonbenchError(
            "no pair has a video of every method: generate the missing videos, or choose with --methods"
        )
    if not LEAST_CATCH <= plan.catch <= 0.5:
        raise ToonbenchError(f"--catch {plan.catch:g}: give a share of catch trials from {LEAST_CATCH:g} to 0.5")
    if plan.form != "best" and not plan.attributes:
        raise ToonbenchError("--attributes is empty: give one or several of motion, identity, quality")


class _Least:
    """Values of which each is taken equally often, within one; ties are broken at random."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._used: Counter[Hashable] = Counter()

    def take(
        self, values: Sequence[Hashable], *, avoid: Sequence[Hashable] = (), weight: Counter[str] | None = None
    ) -> int:
        """The place of the value to take: not one of `avoid` if possible, the least used, and of the least used parts."""
        order = self._rng.permutation(len(values)).tolist()

        def rank(at: int) -> tuple[bool, int, int]:
            value = values[at]
            parts = sum(weight[name] for name in value) if weight and isinstance(value, tuple) else 0
            return value in avoid, self._used[value], parts

        found = min(order, key=rank)
        self._used[values[found]] += 1
        return found


@dataclass(slots=True)
class _Dealer:
    """Deals sets of questions."""

    rng: np.random.Generator
    methods: list[str]
    targets: list[bool]
    plan: Plan
    _least: dict[Hashable, _Least] = field(default_factory=dict[Hashable, _Least])
    _shown: dict[Hashable, Counter[str]] = field(default_factory=dict[Hashable, "Counter[str]"])
    _catches: int = 0

    def question_set(self) -> list[Question]:
        """The questions of one set, with catch trials."""
        plan, taken = self.plan, dict[Hashable, list[int]]()
        best = {"best": plan.questions, "pairs": 0, "both": plan.questions - plan.questions // 2}[plan.form]
        found = [self._question("best", OVERALL, taken) for _ in range(best)]
        for _ in range(plan.questions - best):
            at = self._deal("attributes").take(plan.attributes)
            found.append(self._question("pair", plan.attributes[at], taken))
        return found + [self._catch(at, taken) for at in range(plan.catches)]

    def _deal(self, key: Hashable) -> _Least:
        return self._least.setdefault(key, _Least(self.rng))

    def _size(self, kind: Kind) -> int:
        return 2 if kind == "pair" else min(self.plan.best_of, len(self.methods))

    def _item(self, key: Hashable, items: Sequence[int], taken: dict[Hashable, list[int]]) -> int:
        """An item that is used least often, and in a set not again before all others were."""
        used = taken.setdefault(key, [])
        if len(used) >= len(items):
            used.clear()
        item = items[self._deal(("items", key)).take(items, avoid=used)]
        used.append(item)
        return item

    def _options(self, key: Hashable, size: int, *, without: str = "") -> tuple[str, ...]:
        """The least used set of methods, not with the method `without` if enough others are there."""
        others = [one for one in self.methods if one != without]
        sets = list(itertools.combinations(others if len(others) >= size else self.methods, size))
        shown = self._shown.setdefault(key, Counter())
        options = sets[self._deal(("methods", key)).take(sets, weight=shown)]
        shown.update(options)
        return options

    def _question(self, kind: Kind, attribute: str, taken: dict[Hashable, list[int]]) -> Question:
        key = (kind, attribute)
        item = self._item(key, range(len(self.targets)), taken)
        return Question(kind=kind, attribute=attribute, item=item, options=self._options(key, self._size(kind)))

    def _catch(self, number: int, taken: dict[Hashable, list[int]]) -> Question:
        """A catch trial; those of a set are of both sorts in turn, beginning with a target, which a random choice seldom passes.

        Where no item has a target, all are static.
        """
        at, self._catches = self._catches, self._catches + 1
        having = [item for item, has in enumerate(self.targets) if has]
        catch: Catch = "target" if number % 2 == 0 and having else "static"
        kind: Kind = "best" if self.plan.form == "best" or (self.plan.form == "both" and at // 2 % 2 == 0) else "pair"
        size = self._size(kind)
        items = having if catch == "target" else range(len(self.targets))
        others = (
            (STILL,) * (size - 1) if catch == "target" else self._options(("catch", kind), size - 1, without="static")
        )
        return Question(
            kind=kind,
            attribute=OVERALL if kind == "best" else "motion",
            item=self._item(("catch", kind, catch), items, taken),
            options=(TARGET, *others) if catch == "target" else (STILL, *others),
            catch=catch,
        )


class _Orders:
    """Orders of the options of questions with equal options: rows of Latin squares, so that each option is at each place equally often.

    Of the rows that are left, the one is taken that also balances each option's places over all questions of a kind.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._left: dict[Hashable, list[tuple[int, ...]]] = {}
        self._used: Counter[tuple[bool, str, str, int]] = Counter()

    def draw(self, question: Question) -> tuple[int, ...]:
        """The next order."""
        left = self._left.setdefault((question.kind, question.attribute, question.options), [])
        choices = [left] if left else [self._square(len(question.options)) for _ in range(SQUARES)]
        costs = [[self._cost(question, row) for row in rows] for rows in choices]
        at = min(range(len(choices)), key=lambda one: min(costs[one]))
        row = choices[at].pop(costs[at].index(min(costs[at])))
        if not left:
            left += choices[at]
        self._used.update(self._places(question, row))
        return row

    def _square(self, size: int) -> list[tuple[int, ...]]:
        symbols, rows = self._rng.permutation(size).tolist(), self._rng.permutation(size).tolist()
        return [tuple(symbols[(row + place) % size] for place in range(size)) for row in rows]

    def _cost(self, question: Question, row: Sequence[int]) -> int:
        """How often its options were at their places already."""
        return sum(self._used[one] for one in self._places(question, row))

    @staticmethod
    def _places(question: Question, row: Sequence[int]) -> list[tuple[bool, str, str, int]]:
        return [
            (bool(question.catch), question.kind, question.options[option], place) for place, option in enumerate(row)
        ]
