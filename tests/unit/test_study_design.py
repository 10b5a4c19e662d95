"""Questions and sheets of a preference study."""

from collections import Counter

import pytest

from toonbench.study.design import STILL, TARGET, Plan, draw
from toonbench.types import ToonbenchError

FOUR = ["a", "b", "c", "d"]


def spread(counts, every):
    values = [counts[one] for one in every]
    return max(values) - min(values)


def places(drawn, sheets=None):
    """How often each method of a set of options is at each place."""
    found = {}
    for sheet in drawn.sheets[:sheets]:
        for at, order in sheet:
            one = drawn.questions[at]
            for place, option in enumerate(order):
                found.setdefault((one.kind, one.attribute, one.options), Counter())[option, place] += 1
    return found


@pytest.mark.parametrize(
    ("form", "methods", "raters"), [("best", FOUR, 20), ("pairs", FOUR, 7), ("both", [*FOUR, "e"], 5)]
)
@pytest.mark.parametrize("seed", range(3))
def test_order_and_sides_are_balanced_to_within_one_for_any_number_of_raters(form, methods, raters, seed):
    drawn = draw(methods, [True] * 9, plan=Plan(seed=seed, form=form, raters=raters))
    for number in range(1, raters + 1):
        for key, counts in places(drawn, number).items():
            size = len(key[2])
            assert spread(counts, [(option, place) for option in range(size) for place in range(size)]) <= 1


@pytest.mark.parametrize("form", ["best", "pairs", "both"])
@pytest.mark.parametrize("methods", [FOUR[:3], FOUR, [*FOUR, "e"]])
@pytest.mark.parametrize(("raters", "most"), [(20, 1), (7, 2)])
def test_each_method_is_equally_often_at_each_place_over_all_sets_of_methods_too(form, methods, raters, most):
    drawn = draw(methods, [True] * 12, plan=Plan(form=form, raters=raters))
    found = {}
    for sheet in drawn.sheets:
        for at, order in sheet:
            one = drawn.questions[at]
            for place, option in enumerate(order if not one.catch else ()):
                found.setdefault((one.kind, one.options[option]), Counter())[place] += 1
    assert {name for _, name in found} == set(methods)
    for (kind, _), counts in found.items():
        assert spread(counts, range(2 if kind == "pair" else min(4, len(methods)))) <= most


def test_a_sheet_has_more_targets_than_still_pictures_among_its_catch_trials():
    """Of four videos, a rater who chooses at random passes a target once in four, and a still picture three times in four."""
    drawn = draw(FOUR, [True] * 12, plan=Plan(sets=2))
    for sheet in drawn.sheets:
        assert Counter(drawn.questions[at].catch for at, _ in sheet) == {"": 20, "target": 2, "static": 1}


@pytest.mark.parametrize("seed", range(3))
def test_items_methods_and_attributes_are_used_equally_often_within_one(seed):
    drawn = draw([*FOUR, "e"], [True] * 7, plan=Plan(seed=seed, form="pairs", questions=31, sets=2))
    asked = [one for one in drawn.questions if not one.catch]
    assert spread(Counter(one.attribute for one in asked), ["motion", "identity", "quality"]) <= 1
    for attribute in ("motion", "identity", "quality"):
        own = [one for one in asked if one.attribute == attribute]
        assert spread(Counter(one.item for one in own), range(7)) <= 1
        assert len({one.options for one in own}) == 10  # all comparisons
        assert spread(Counter(one.options for one in own), {one.options for one in own}) <= 1


def test_best_of_four_of_six_methods_shows_each_method_equally_often():
    drawn = draw([*FOUR, "e", "f"], [True] * 20, plan=Plan(questions=21))
    shown = Counter(option for one in drawn.questions if not one.catch for option in one.options)
    assert spread(shown, [*FOUR, "e", "f"]) <= 1
    assert {len(one.options) for one in drawn.questions} == {4}


def test_a_study_of_the_paper_has_twenty_questions_of_twenty_raters_about_different_pairs():
    drawn = draw(FOUR, [True] * 30, plan=Plan())
    assert len(drawn.sheets) == 20
    for sheet in drawn.sheets:
        asked = [drawn.questions[at] for at, _ in sheet if not drawn.questions[at].catch]
        assert len(asked) == len({one.item for one in asked}) == 20
    assert len({tuple(at for at, _ in sheet) for sheet in drawn.sheets}) == 20  # orders of their own


@pytest.mark.parametrize("questions", [1, 7, 9, 10, 18, 20, 45, 100])
@pytest.mark.parametrize("form", ["best", "pairs", "both"])
def test_at_least_a_tenth_of_each_sheet_are_catch_trials_of_both_sorts(questions, form):
    drawn = draw(FOUR, [True, False] * 30, plan=Plan(questions=questions, form=form, raters=2))
    for sheet in drawn.sheets:
        own = [drawn.questions[at] for at, _ in sheet]
        caught = [one for one in own if one.catch]
        assert len(own) - len(caught) == questions
        assert len(caught) >= 0.1 * len(own)
        assert len(caught) - 1 < 0.1 * len(own) + 0.1
        assert spread(Counter(one.catch for one in caught), ["static", "target"]) <= 1
        for one in caught:
            assert one.item % 2 == 0 or one.catch == "static"  # the other items have no target
            assert Counter(one.options)[TARGET] == (one.catch == "target")
            assert STILL in one.options


def test_a_still_picture_is_not_beside_the_method_that_repeats_the_source():
    drawn = draw([*FOUR, "static"], [False] * 5, plan=Plan(questions=40))
    assert not any(one.catch and "static" in one.options for one in drawn.questions)


def test_catch_trials_have_the_form_of_other_questions():
    drawn = draw(FOUR, [True] * 5, plan=Plan(form="both", questions=40))
    forms = {(one.kind, one.attribute, len(one.options)) for one in drawn.questions if not one.catch}
    assert {(one.kind, one.attribute, len(one.options)) for one in drawn.questions if one.catch} <= forms


def test_without_targets_all_catch_trials_are_still_pictures():
    drawn = draw(FOUR, [False] * 5, plan=Plan(questions=30))
    assert {one.catch for one in drawn.questions} == {"", "static"}


def test_the_order_of_methods_does_not_matter_and_the_seed_does():
    assert draw(FOUR, [True] * 5, plan=Plan()) == draw(FOUR[::-1], [True] * 5, plan=Plan())
    assert draw(FOUR, [True] * 5, plan=Plan()) != draw(FOUR, [True] * 5, plan=Plan(seed=1))


@pytest.mark.parametrize(
    ("methods", "items", "options", "message"),
    [
        (["a"], 3, {}, "1 methods to compare; a study has 2 to 20"),
        (FOUR, 0, {}, "no pair has a video of every method"),
        (FOUR, 3, {"catch": 0.05}, "give a share of catch trials from 0.1"),
        (FOUR, 3, {"form": "pairs", "attributes": ()}, "--attributes is empty"),
    ],
)
def test_what_cannot_be_drawn_is_refused(methods, items, options, message):
    with pytest.raises(ToonbenchError, match=message):
        draw(methods, [True] * items, plan=Plan(**options))
