"""The analysis of a preference study: hand calculations, oracles and simulated raters."""

import json
import math

import numpy as np
import pytest

from made_study import METHODS, chooser, made_key, rater, votes_of
from toonbench.study.agreement import nominal_alpha
from toonbench.study.analyse import analyse, rater_mean
from toonbench.study.davidson import components, fit, rater_intervals
from toonbench.study.design import STILL
from toonbench.study.key import Key, KeyQuestion
from toonbench.study.tables import summary, tables
from toonbench.study.votes import Vote, merge, read_votes
from toonbench.types import ToonbenchError

TRUE = {"alpha": 0.8, "beta": 0.2, "gamma": -0.3, "delta": -0.7}


def whole(key, votes, **options):
    return analyse(key, merge(votes), **options)


def found(analysis, method, attribute="overall"):
    part = next(one for one in analysis.parts if one.attribute == attribute)
    return next(one for one in part.methods if one.method == method)


# Davidson's model


def test_strengths_without_ties_equal_those_of_choix():
    choix = pytest.importorskip("choix")
    rng = np.random.default_rng(0)
    wins = rng.integers(1, 30, (6, 6)) * (1 - np.eye(6, dtype=int))
    data = [(i, j) for i in range(6) for j in range(6) for _ in range(wins[i, j])]
    expected = choix.ilsr_pairwise(6, data, alpha=0, tol=1e-12)
    ours = fit(wins, np.zeros((6, 6)))
    np.testing.assert_allclose(ours.strengths, expected - expected.mean(), atol=1e-7)
    assert ours.tie == 0


def test_two_methods_with_ties_have_the_strengths_computed_by_hand():
    # 8 wins, 2 losses, 10 ties. With two methods the model fits the shares exactly: p_1 / p_2 = 8 / 2, so that the logarithms are
    # ± log(4) / 2 = ± 0.6931, and v = 10 / sqrt(8 * 2) = 2.5.
    ours = fit([[0, 8], [2, 0]], [[0, 10], [10, 0]])
    np.testing.assert_allclose(ours.strengths, [math.log(4) / 2, -math.log(4) / 2], atol=1e-9)
    assert ours.tie == pytest.approx(2.5)


def test_strengths_with_ties_are_where_the_likelihood_has_no_slope():
    rng = np.random.default_rng(1)
    wins = rng.integers(1, 9, (4, 4)) * (1 - np.eye(4, dtype=int))
    ties = np.triu(rng.integers(1, 9, (4, 4)), 1)
    ties = ties + ties.T
    ours = fit(wins, ties)

    def likelihood(strengths, tie):
        total = 0.0
        for i in range(4):
            for j in range(i + 1, 4):
                a, b = np.exp(strengths[[i, j]])
                c = tie * math.sqrt(a * b)
                total += (
                    wins[i, j] * math.log(a / (a + b + c))
                    + wins[j, i] * math.log(b / (a + b + c))
                    + ties[i, j] * math.log(c / (a + b + c))
                )
        return total

    best = likelihood(ours.strengths, ours.tie)
    for at in range(4):
        for step in (-1e-3, 1e-3):
            assert likelihood(ours.strengths + step * np.eye(4)[at], ours.tie) < best
    for factor in (0.999, 1.001):
        assert likelihood(ours.strengths, factor * ours.tie) < best


@pytest.mark.parametrize(
    ("wins", "ties"),
    [
        ([[0, 5], [0, 0]], [[0, 0], [0, 0]]),  # always preferred
        ([[0, 5], [0, 0]], [[0, 2], [2, 0]]),  # never beaten: as the tie parameter grows, so may the difference
        ([[0, 0], [0, 0]], [[0, 4], [4, 0]]),  # nothing but ties
        ([[0, 2, 9], [3, 0, 9], [0, 0, 0]], np.zeros((3, 3))),  # one of three always loses
    ],
)
def test_separated_votes_have_no_finite_strengths(wins, ties):
    ours = fit(wins, ties)
    assert "no finite strengths" in ours.reason
    assert np.isnan(ours.strengths).all()


def test_a_tie_parameter_from_other_methods_makes_a_method_that_only_ties_and_wins_finite():
    wins, ties = np.zeros((3, 3)), np.zeros((3, 3))
    wins[0, 1] = wins[1, 0] = ties[0, 1] = ties[1, 0] = 4  # sets the tie parameter
    wins[2, 0], ties[2, 0] = 3, 1
    ties[0, 2] = 1
    ours = fit(wins, ties)
    assert not ours.reason
    assert ours.strengths[2] == max(ours.strengths)


def test_components_are_the_methods_that_comparisons_connect():
    compared = np.zeros((5, 5))
    compared[0, 3] = compared[4, 1] = 1
    assert components(compared) == [[0, 3], [1, 4], [2]]


def test_the_interval_of_a_strength_is_the_jackknife_over_raters_computed_by_hand():
    # Three raters, two methods, no ties: (6, 2), (4, 4), (5, 2) wins and losses: 15 to 8, half the log odds is log(15 / 8) / 2 = 0.31430.
    # Without one rater: log(9 / 6) / 2 = 0.20273, log(11 / 4) / 2 = 0.50580, log(10 / 6) / 2 = 0.25541; their mean is 0.32131.
    # Error: sqrt(2 / 3 * (0.11858^2 + 0.18449^2 + 0.06590^2)) = sqrt(2 / 3 * 0.05244) = 0.18698; t(2) = 4.30265: reach 0.80450.
    wins = np.array([[[0, 6], [2, 0]], [[0, 4], [4, 0]], [[0, 5], [2, 0]]])
    _, intervals = rater_intervals(wins, np.zeros_like(wins), ["c", "a", "b"])
    assert intervals[0].value == pytest.approx(0.31430, abs=1e-5)
    assert intervals[0].high - intervals[0].value == pytest.approx(0.80450, abs=2e-4)
    assert intervals[0].value - intervals[0].low == pytest.approx(0.80450, abs=2e-4)
    assert intervals[1].value == -intervals[0].value


# Krippendorff's alpha


def test_alpha_of_krippendorffs_example():
    rows = [
        "1 2 3 3 2 1 4 1 2 . . .",
        "1 2 3 3 2 2 4 1 2 5 . 3",
        ". 3 3 3 2 3 4 2 2 5 1 .",
        "1 2 3 3 2 4 4 1 2 5 1 .",
    ]
    units = [[one for one in column if one != "."] for column in zip(*(row.split() for row in rows), strict=True)]
    assert nominal_alpha(units) == pytest.approx(0.743, abs=5e-4)  # Krippendorff (2011), section C


def test_alpha_of_a_case_computed_by_hand():
    # Units aa, ab, bb, bb: n = 8, n_a = 3, n_b = 5. o of unlike ordered pairs: 2 / 1 = 2. alpha = 1 - 7 * 2 / (2 * 3 * 5) = 0.5333.
    assert nominal_alpha(["aa", "ab", "bb", "bb", "a"]) == pytest.approx(1 - 14 / 30)


def test_alpha_is_one_for_full_agreement_and_undefined_without_variation():
    assert nominal_alpha(["aa", "bbb"]) == 1
    assert math.isnan(nominal_alpha(["aa", "aa"]))
    assert math.isnan(nominal_alpha(["a", "b"]))


# Three made-up files, computed by hand


def hand_key():
    """Five best-of-two questions on one sheet, of which the last is a catch trial."""
    questions = {
        f"q{at}": KeyQuestion(
            kind="best", attribute="overall", task="t", pair=f"p{at}", options=(f"x{at}", f"y{at}"), catch=""
        )
        for at in range(1, 5)
    }
    questions["q5"] = KeyQuestion(
        kind="best", attribute="overall", task="t", pair="p5", options=("z", "y5"), catch="static"
    )
    videos = {f"x{at}": "one" for at in range(1, 5)} | {f"y{at}": "two" for at in range(1, 6)} | {"z": STILL}
    sheet = {name: one.options for name, one in questions.items()}
    return Key(study="s" * 20, plan={}, methods=("one", "two"), videos=videos, questions=questions, sheets=(sheet,) * 3, files={},
               numbers={}, higher={}, scores={})  # fmt: skip


def write_answers(path, number, choices, *, study="s" * 20):
    votes = [{"question": f"q{at}", "choice": choice, "at": at} for at, choice in enumerate(choices, start=1)]
    path.write_text(json.dumps({"study": study, "rater": rater(number), "sheet": number, "votes": votes}))


def test_three_made_up_files_give_the_preference_and_interval_computed_by_hand(tmp_path):
    # Votes for method one of four: 3, 4 and 2 (the last rater once cannot decide). Rate: 9 / 12 = 0.75.
    # Three raters take the jackknife: without one, 6 / 8 = 0.75, 5 / 8 = 0.625, 7 / 8 = 0.875; mean 0.75.
    # Error: sqrt(2 / 3 * (0 + 0.015625 + 0.015625)) = 0.144338; t(0.975, 2) = 4.302653: reach 0.621036, cut at 1.
    # Method two: 1 + 0 + 1 = 2 of 12 = 0.166667; without one: 1/8, 2/8, 1/8; mean 0.166667; error sqrt(2 / 3 * 0.0104167) = 0.0833333;
    # reach 0.358554. One vote of 12 is undecided.
    # Alpha: q1 xxx, q2 xxy, q3 xx-, q4 yxx: n = 12; n_x = 9, n_y = 2, n_- = 1; unlike ordered pairs: 3 units of 4 / 2 = 2, together 6.
    # alpha = 1 - 11 * 6 / (144 - 81 - 4 - 1) = 1 - 66 / 58 = -0.137931.
    write_answers(tmp_path / "a.json", 1, ["x1", "x2", "x3", "y4", "y5"])
    write_answers(tmp_path / "b.json", 2, ["x1", "x2", "x3", "x4", "y5"])
    write_answers(tmp_path / "c.json", 3, ["x1", "y2", "", "x4", "y5"])
    key = hand_key()
    analysis = analyse(key, read_votes([tmp_path], key))
    one, two = found(analysis, "one"), found(analysis, "two")
    assert (one.shown, one.chosen, one.rate.value, one.rate.high) == (12, 9, 0.75, 1.0)
    assert one.rate.low == pytest.approx(0.75 - 0.621036, abs=1e-5)
    assert (two.rate.value, two.rate.low) == (pytest.approx(1 / 6), 0.0)
    assert two.rate.high == pytest.approx(1 / 6 + 0.358554, abs=1e-5)
    part = analysis.parts[0]
    assert (part.votes, part.undecided, part.raters) == (12, 1, 3)
    assert part.alpha == pytest.approx(-8 / 58)


def test_raters_who_fail_the_catch_trials_are_listed_and_excluded(tmp_path):
    write_answers(tmp_path / "a.json", 1, ["x1", "x2", "x3", "y4", "y5"])
    write_answers(tmp_path / "b.json", 2, ["y1", "y2", "y3", "y4", "z"])
    key = hand_key()
    analysis = analyse(key, read_votes([tmp_path], key))
    assert [(one.rater, one.excluded, one.passed, one.catches) for one in analysis.raters] == [
        (rater(1), False, 1, 1),
        (rater(2), True, 0, 1),
    ]
    assert (found(analysis, "one").shown, found(analysis, "one").chosen) == (4, 3)
    assert found(analysis, "one").rate.reason == "no interval: 1 rater, at least 3 are needed"
    lines = summary(analysis)
    assert lines[0].startswith("1 of 2 raters")
    assert lines[1] == f"excluded: rater {rater(2)[:8]} (sheet 2) passed 0 of 1 catch trials"


def test_raters_with_one_number_are_counted():
    key = made_key(raters=2)
    votes = [vote for at in range(3) for vote in votes_of(key, at, lambda question, labels: labels[0])]
    assert "1 raters had the number of another one" in summary(whole(key, votes))[1]


def test_a_target_beside_still_pictures_must_be_chosen():
    key = made_key(form="pairs", questions=20, raters=4)
    votes = votes_of(key, 1, lambda question, labels: labels[0])
    cannot = [Vote(rater=rater(2), sheet=one.sheet, question=one.question, choice="", at=1) for one in votes]
    analysis = whole(key, votes + cannot)
    (first, second) = analysis.raters
    assert (first.catches, first.passed) == (3, 3)
    targets = sum(key.questions[one.question].catch == "target" for one in votes)
    assert (second.catches, second.passed) == (3, 3 - targets)


# Files of votes


def test_votes_stored_twice_count_once_and_the_last_change_counts_in_any_order(tmp_path):
    key = hand_key()
    write_answers(tmp_path / "a.json", 1, ["x1", "x2"])
    write_answers(tmp_path / "copy.json", 1, ["x1", "x2"])
    late = {"study": key.study, "rater": rater(1), "sheet": 1, "votes": [{"question": "q1", "choice": "y1", "at": 99}]}
    (tmp_path / "votes.jsonl").write_text(json.dumps(late) + "\n" + '{"study": "sss')
    merged = read_votes([tmp_path], key)
    assert (merged.duplicated, merged.changed, merged.unreadable) == (2, 1, 1)
    assert {one.question: one.choice for one in merged.votes} == {"q1": "y1", "q2": "x2"}
    again = read_votes([tmp_path / "votes.jsonl", tmp_path / "copy.json", tmp_path / "a.json"], key)
    assert again == merged
    text = " ".join(summary(analyse(key, merged)))
    assert "2 votes were stored twice" in text
    assert "1 votes were changed later" in text
    assert "1 lines cannot be read" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"study": "other"}, r"a.json: votes of another study \(other\)"),
        ({"rater": "<b>"}, "the rater's id is not 16 to 64 hexadecimal digits"),
        ({"sheet": 4}, "the sheet is 4; the study has sheets 1 to 3"),
        ({"sheet": True}, "the sheet is True"),
        ({"votes": 3}, "it holds no list of votes"),
        ({"votes": [{"question": "q9", "choice": "", "at": 1}]}, "sheet 1 has no question q9"),
        ({"votes": [{"question": "q1", "choice": "x2", "at": 1}]}, "question q1 has no video x2"),
        ({"votes": [{"question": "q1", "choice": "x1", "at": -1}]}, "the time of question q1 is -1"),
    ],
)
def test_a_file_that_the_study_cannot_have_is_refused_in_one_line(tmp_path, change, message):
    message_of = {"study": "s" * 20, "rater": rater(1), "sheet": 1, "votes": []}
    (tmp_path / "a.json").write_text(json.dumps(message_of | change))
    with pytest.raises(ToonbenchError, match=message):
        read_votes([tmp_path / "a.json"], hand_key())


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_a_file_that_holds_no_votes_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ToonbenchError, match=r"a\.json"):
        read_votes([tmp_path / "a.json"], hand_key())


def test_a_file_too_large_to_be_of_a_rater_is_refused_unread(tmp_path):
    with (tmp_path / "a.json").open("wb") as file:
        file.truncate(10**11)  # takes no room on the disk
    with pytest.raises(ToonbenchError, match=r"a\.json has 100000000000 bytes, and a rater's file at most 16000000"):
        read_votes([tmp_path], hand_key())


# Simulated raters


def simulated(seed, *, raters=24, tie=0.0, **options):
    rng = np.random.default_rng(seed)
    key = made_key(raters=raters, seed=seed, **options)
    return key, [vote for at in range(raters) for vote in votes_of(key, at, chooser(TRUE, rng, tie=tie))]


def test_selection_rates_of_simulated_raters_are_recovered_within_their_intervals():
    chances = {name: math.exp(one) / sum(map(math.exp, TRUE.values())) for name, one in TRUE.items()}
    inside = []
    for seed in range(12):
        key, votes = simulated(seed)
        analysis = whole(key, votes)
        inside += [(rate := found(analysis, name).rate).low <= chances[name] <= rate.high for name in METHODS]
        assert found(analysis, "alpha").rate.value == max(found(analysis, name).rate.value for name in METHODS)
    assert np.mean(inside) >= 0.88  # of 48; 0.95 is the level


def test_strengths_of_simulated_raters_are_recovered_within_their_intervals():
    inside = []
    for seed in range(6):
        key, votes = simulated(seed, form="pairs", attributes=("quality",), tie=0.5, questions=18)
        analysis = whole(key, votes)
        strengths = {name: found(analysis, name, "quality").strength for name in METHODS}
        inside += [strengths[name].low <= TRUE[name] <= strengths[name].high for name in METHODS]
        assert analysis.parts[0].ties[0] == pytest.approx(0.5, abs=0.25)
    assert np.mean(inside) >= 0.87  # of 24


def test_raters_who_vote_alike_have_wider_intervals_than_independent_votes():
    rng = np.random.default_rng(0)
    key = made_key(raters=20, form="best")
    independent = [vote for at in range(20) for vote in votes_of(key, at, chooser(TRUE, rng))]
    alike = []
    for at in range(20):  # every rater has one favourite
        favourite = chooser(TRUE, rng)(None, list(METHODS))
        alike += votes_of(key, at, lambda question, labels, favourite=favourite: favourite)
    widths = [(rate := found(whole(key, votes), "alpha").rate).high - rate.low for votes in (independent, alike)]
    assert widths[1] > 2 * widths[0]


def test_random_raters_have_no_agreement_and_equal_ones_have_full_agreement():
    rng = np.random.default_rng(0)
    equal = dict.fromkeys(METHODS, 0.0)
    for form in ("best", "pairs"):
        key = made_key(raters=20, form=form, questions=40, items=12)
        votes = [vote for at in range(20) for vote in votes_of(key, at, chooser(equal, rng))]
        assert all(abs(part.alpha) < 0.08 for part in whole(key, votes).parts)
        votes = [
            vote
            for at in range(3)
            for vote in votes_of(key, at, lambda question, labels: labels[int(question.pair[1:]) % len(labels)])
        ]
        assert all(part.alpha == 1 for part in whole(key, votes).parts)


@pytest.mark.parametrize("best", [sorted, lambda labels: sorted(labels)[::-1]])
def test_agreement_on_pairs_does_not_depend_on_the_names_of_methods(best):
    key = made_key(raters=20, form="pairs", attributes=("motion",), questions=18)
    votes = [vote for at in range(19) for vote in votes_of(key, at, lambda question, labels: best(labels)[0])]
    votes += votes_of(key, 19, lambda question, labels: best(labels)[1])  # one of 20 raters always disagrees
    (part,) = whole(key, votes).parts
    # In each question 19 and 1 votes: of ordered pairs, 2 * 19 of 20 * 19 differ; half of all values are each place.
    assert part.alpha == pytest.approx(1 - 0.1 * 359 / 360 / 0.5)


def test_a_method_that_all_raters_choose_has_an_interval_that_is_not_a_point():
    rate = rater_mean([1.0] * 60, [f"r{at % 6}" for at in range(60)])
    assert (rate.value, rate.high) == (1.0, 1.0)
    assert 0.8 < rate.low < 0.98


def test_a_method_that_always_wins_or_loses_is_named_where_strengths_are_not_finite():
    key = made_key(("alpha", "beta", "gamma"), form="pairs", attributes=("motion",), questions=18, raters=4)

    def choose(question, labels):
        return "alpha" if "alpha" in labels else labels[int(question.pair[1:]) % 2]

    analysis = whole(key, [vote for at in range(4) for vote in votes_of(key, at, choose)])
    strengths = [found(analysis, name, "motion").strength for name in key.methods]
    assert all(math.isnan(one.value) for one in strengths)
    assert {one.reason for one in strengths} == {"no finite strengths: alpha was never beaten"}
    assert next(row.name for row in tables(analysis)[0].rows) == "alpha"  # by the selection rates


def test_comparison_graphs_in_parts_are_reported():
    key = made_key(form="pairs", attributes=("motion",), questions=60, raters=4)
    together = [{"alpha", "beta"}, {"gamma", "delta"}]
    votes = [
        vote
        for at in range(4)
        for vote in votes_of(key, at, lambda question, labels, at=at: labels[(int(question.pair[1:]) + at) % 2])
        if key.questions[vote.question].catch
        or {key.videos[one] for one in key.questions[vote.question].options} in together
    ]
    analysis = whole(key, votes)
    assert sorted(map(sorted, analysis.parts[0].groups)) == [["alpha", "beta"], ["delta", "gamma"]]
    assert all(math.isfinite(found(analysis, name, "motion").strength.value) for name in METHODS)
    table = tables(analysis)[0]
    assert {row.section for row in table.rows} == {"group 1", "group 2"}
    assert "cannot be compared" in table.notes[0]


def test_metrics_are_compared_with_people():
    numbers = {"good@1": dict(zip(METHODS, [4, 3, 2, 1], strict=True)), "bad@1": dict(zip(METHODS, [1, 2, 3, 4], strict=True)),
               "flat@1": dict.fromkeys(METHODS, 1.0)}  # fmt: skip
    scores = {f"t@1 p{at}": {name: dict(values) for name, values in numbers.items()} for at in range(10)}
    key = made_key(raters=6, numbers=numbers, scores=scores)
    order = list(METHODS)
    rng = np.random.default_rng(3)
    votes = [
        vote
        for at in range(6)
        for vote in votes_of(key, at, lambda q, labels: order[min(rng.choice(4, p=[0.4, 0.3, 0.2, 0.1]), 3)])
    ]
    metrics = {one.metric: one for one in whole(key, votes).metrics}
    assert (metrics["good@1"].correlation, metrics["bad@1"].correlation) == (pytest.approx(1), pytest.approx(-1))
    assert metrics["flat@1"].reason == "no rank correlation: all methods are equal"
    first = found(whole(key, votes), "alpha").rate.value
    assert metrics["good@1"].followed.value == pytest.approx(first)
    assert metrics["flat@1"].followed.value == pytest.approx(0.25)


def test_a_lower_is_better_metric_is_turned_and_two_methods_have_no_rank_correlation():
    numbers = {"error@1": {"alpha": 0.1, "beta": 0.5}}
    key = made_key(
        ("alpha", "beta"),
        form="pairs",
        attributes=("motion",),
        raters=3,
        numbers=numbers,
        scores={f"t@1 p{at}": numbers for at in range(10)},
    )
    key.higher["error@1"] = False
    votes = [vote for at in range(3) for vote in votes_of(key, at, lambda question, labels: "alpha")]
    (one,) = whole(key, votes).metrics
    assert one.followed.value == 1
    assert one.reason == "no rank correlation: 2 methods, at least 3 are needed"
    reason = found(whole(key, votes), "alpha", "motion").strength.reason
    assert reason == "no finite strengths: alpha was never beaten and beta was never preferred"
