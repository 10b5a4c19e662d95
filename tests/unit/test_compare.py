"""Scored runs against each other: ranks, who is incomplete, what is refused, and how it looks."""

import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from toonbench import cli, registry
from toonbench.compare import compare
from toonbench.metrics.l1 import L1
from toonbench.metrics.shared import mean_with_losses
from toonbench.report.comparison import print_comparison
from toonbench.score import equal_sets
from toonbench.stats.intervals import cluster_bootstrap, grouped_jackknife
from toonbench.store import Run, write_bytes, write_json
from toonbench.types import ToonbenchError

PLUGINS = Path(__file__).parent.parent / "plugins"
COLOUR = "toonbench_test_metrics:Colour"
VIDEOS, IMAGES = 10, 3
TASK = "real2cartoon@4"


@pytest.fixture(autouse=True)
def plugins(monkeypatch):
    monkeypatch.syspath_prepend(str(PLUGINS))
    monkeypatch.setenv("PYTHONPATH", str(PLUGINS))


def pairs(videos=VIDEOS):
    """Each driving video drives sources of its own: sources do not repeat."""
    return [(f"i{i}~v{v:02}", f"i{v:02}-{i}", f"v{v:02}") for v in range(videos) for i in range(IMAGES)]


def scored(
    root, name, *, level=0.1, spread=0.01, noise=0, videos=VIDEOS, without=(), metrics=("l1@1",), notes=(), **about
):
    """A run folder as `score` leaves it; `level` is the mean of l1, in pairs whose difficulty all methods share."""
    run = Run(root / "set@1" / TASK / name)
    common = {
        "data": "set@1",
        "data_fingerprint": "d",
        "task": TASK,
        "seed": 0,
        "limit": None,
        "pairs_fingerprint": "p",
    }
    write_json(run.description, {"task_fingerprint": "t"})
    results = [{"metric": one, "notes": list(notes)} for one in metrics]
    write_json(run.result, {"schema": 1, **common, "results": results, **about})
    lines = ["pair,source,driving,failure", *(",".join((*pair, "")) for pair in pairs(videos))]
    write_bytes(run.scores, ("\n".join(lines) + "\n").encode())
    hard, own = np.random.default_rng(99), np.random.default_rng(noise)
    for pair, _, _ in pairs(videos):
        value = level + hard.uniform(0, 0.05) + spread * own.normal()
        if pair in without:
            run.fail(pair, stage="generate", reason="RuntimeError: no luck")
            continue
        for metric in metrics:
            run.write_rows(metric, pair, np.full((4, 3 if metric == "colour@1" else 1), value, np.float32))
    return run


def runs(*found):
    return {run.root.name.partition("@")[0]: run for run in found}


def three(tmp_path, **options):
    return runs(
        scored(tmp_path, "good@1", level=0.1, noise=1, **options),
        scored(tmp_path, "alike@1", level=0.1, noise=2, **options),
        scored(tmp_path, "poor@1", level=0.2, noise=3, **options),
    )


def ranks(on_metric):
    return {one.method: one.rank for one in on_metric.methods}


def test_methods_that_nothing_sets_apart_share_the_first_rank(tmp_path):
    found = compare(three(tmp_path))
    (l1,) = found.metrics
    assert (found.pairs, found.clusters) == (30, 10)
    assert ranks(l1) == {"good": 1, "alike": 1, "poor": 3}
    assert [(d.a, d.b, d.better) for d in l1.differences] == [
        ("good", "alike", ""), ("good", "poor", "good"), ("alike", "poor", "alike"),
    ]  # fmt: skip
    assert all(d.pairs == 30 and d.clusters == 10 and d.exact and not d.partial for d in l1.differences)
    assert l1.differences[1].p == 2 / 2**10
    assert l1.differences[1].p_holm == 3 * 2 / 2**10
    assert l1.differences[1].difference == pytest.approx(-0.1, abs=0.01)
    assert l1.notes == ()


def test_where_higher_is_better_the_higher_one_is(tmp_path):
    metrics = ("psnr@1", "l1@1")
    found = compare(runs(*(scored(tmp_path, f"{n}@1", level=v, metrics=metrics) for n, v in (("a", 0.1), ("b", 0.3)))))
    assert [(one.metric, one.differences[0].better) for one in found.metrics] == [("psnr@1", "b"), ("l1@1", "a")]


def test_the_value_and_interval_of_a_method_are_those_of_score(tmp_path):
    own = three(tmp_path)
    (l1,) = compare(own).metrics
    values = [float(own["poor"].read_rows("l1@1", pair).mean()) for pair, _, _ in pairs()]
    wanted = cluster_bootstrap(values, [video for _, _, video in pairs()])
    seen = l1.methods[2]
    assert [seen.value, seen.low, seen.high] == pytest.approx([wanted.value, wanted.low, wanted.high], rel=1e-6)


def test_methods_with_the_same_rows_differ_by_nothing(tmp_path):
    found = compare(runs(scored(tmp_path, "a@1", noise=1), scored(tmp_path, "b@1", noise=1)))
    (difference,) = found.metrics[0].differences
    assert (difference.difference, difference.low, difference.high, difference.p_holm) == (0, 0, 0, 1)
    assert ranks(found.metrics[0]) == {"a": 1, "b": 1}


def test_methods_get_no_rank_by_a_metric_whose_results_say_so(tmp_path):
    found = three(tmp_path)
    assert any(one.rank for one in compare(found).metrics[0].methods)
    for run in found.values():
        result = json.loads(run.result.read_text())
        result["results"][0] |= {
            "unranked": "doing nothing is better",
            "notes": ["l1@1 does not rank methods: doing nothing is better"],
        }
        write_json(run.result, result)
    (metric,) = compare(found).metrics
    assert [one.rank for one in metric.methods] == [None] * 3
    assert not any(one.better for one in metric.differences)
    assert "l1@1 does not rank methods: doing nothing is better" in metric.notes
    assert all(math.isfinite(one.difference) for one in metric.differences)


def test_an_incomplete_method_is_listed_unranked_and_compared_on_common_pairs(tmp_path):
    lost = [pair for pair, _, video in pairs() if video in ("v00", "v01")]
    own = three(tmp_path)
    (l1,) = compare({**own, "lazy": scored(tmp_path, "lazy@1", level=0.05, without=lost)}).metrics
    assert ranks(l1) == {"good": 1, "alike": 1, "poor": 3, "lazy": None}
    lazy = l1.methods[3]
    assert (lazy.pairs, lazy.missing) == (24, 6)
    assert lazy.reason == "6 of 30 pairs failed (RuntimeError: no luck)"
    partial = [d for d in l1.differences if d.partial]
    assert {d.b for d in partial} == {"lazy"}
    assert {(d.pairs, d.clusters) for d in partial} == {(24, 8)}
    assert all(not d.partial and d.pairs == 30 for d in l1.differences if d.b != "lazy")


def test_a_pair_that_one_method_could_not_be_measured_on_makes_it_incomplete(tmp_path):
    own = three(tmp_path)
    own["good"].write_rows("l1@1", pairs()[0][0], np.full((4, 1), np.nan, np.float32))
    (l1,) = compare(own).metrics
    assert ranks(l1) == {"good": None, "alike": 1, "poor": 2}
    assert l1.methods[0].reason == "1 of 30 pairs failed (no value)"


def test_a_pair_that_no_method_has_for_the_same_reason_is_nobodys_fault(tmp_path):
    lost = [pair for pair, _, video in pairs() if video == "v03"]
    (l1,) = compare(three(tmp_path, without=lost)).metrics
    assert ranks(l1) == {"good": 1, "alike": 1, "poor": 3}
    assert l1.notes == ("3 of 30 pairs left out, no method has a value: RuntimeError: no luck",)
    assert {d.clusters for d in l1.differences} == {9}


def test_a_pair_that_two_methods_lost_for_different_reasons_is_both_their_fault(tmp_path):
    own = runs(*(scored(tmp_path, f"{name}@1", without=[pairs()[0][0]]) for name in "ab"))
    own["a"].fail(pairs()[0][0], stage="generate", reason="another")
    (l1,) = compare(own).metrics
    assert ranks(l1) == {"a": None, "b": None}


def test_three_driving_videos_say_that_p_cannot_be_small(tmp_path):
    (l1,) = compare(three(tmp_path, videos=3)).metrics
    assert set(ranks(l1).values()) == {1}
    assert l1.notes == (
        "3 driving videos: p cannot be below 0.25, or below 0.75 after Holm's correction for 3 comparisons; "
        "no difference can be significant with fewer than 7 driving videos",
    )
    assert all(math.isnan(d.detectable) and d.smallest_p == 0.25 for d in l1.differences)


def test_holm_decides_not_the_comparison_by_itself(tmp_path):
    own = three(tmp_path, videos=6)
    (l1,) = compare(own).metrics
    assert [d.p for d in l1.differences[1:]] == [1 / 32, 1 / 32]
    assert l1.differences[1].p_holm == 3 / 32
    assert set(ranks(l1).values()) == {1}
    del own["alike"]
    (l1,) = compare(own).metrics
    assert ranks(l1) == {"good": 1, "poor": 2}


class Pooled(L1):
    """The mean over all frames."""

    name = "pooled"
    aggregate = "frames"

    def value(self, rows):
        return mean_with_losses([rows])


def test_where_a_metric_pools_frames_a_longer_pair_counts_more(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "load_metric", lambda name: Pooled())
    own = runs(*(scored(tmp_path, f"{name}@1", metrics=("pooled@1",)) for name in "ab"))
    for name, run in own.items():
        for at, (pair, _, _) in enumerate(pairs()):
            long = at < IMAGES  # the first driving video is ten times as long, and a is worse there
            value = 0.6 if long and name == "a" else 0.5
            run.write_rows("pooled@1", pair, np.tile(np.float32([value, 1]), (40 if long else 4, 1)))
    (found,) = compare(own, metrics=["pooled"]).metrics
    frames = [40 * IMAGES, 4 * IMAGES * (VIDEOS - 1)]
    assert found.methods[0].value == pytest.approx((0.6 * frames[0] + 0.5 * frames[1]) / sum(frames))
    assert found.differences[0].difference == pytest.approx(0.1 * frames[0] / sum(frames))
    assert found.methods[0].value == pytest.approx(
        Pooled().reduce([own["a"].read_rows("pooled@1", pair) for pair, _, _ in pairs()])
    )


def test_a_distribution_is_compared_over_groups_of_driving_videos(tmp_path):
    own = runs(*(scored(tmp_path, f"{n}@1", level=v, metrics=("colour@1",)) for n, v in (("near", 0.1), ("far", 0.4))))
    reference = [np.full((2, 3), 0.1, np.float32)]
    (colour,) = compare(own, metrics=[COLOUR], reference_of=lambda _: (reference, False)).metrics
    difference = colour.differences[0]
    assert difference.better == "near"
    assert difference.p == 2 / 2**10
    assert difference.low < difference.difference < difference.high < 0

    def reduce(rows):
        return float(np.abs(np.concatenate(rows).mean(0, dtype=np.float64) - reference[0].mean(0)).sum())

    rows = [own["far"].read_rows("colour@1", pair) for pair, _, _ in pairs()]
    wanted = grouped_jackknife(rows, [video for _, _, video in pairs()], reduce)
    far = colour.methods[1]
    assert [far.value, far.low, far.high] == pytest.approx([wanted.value, wanted.low, wanted.high], rel=1e-5)


def test_sets_of_equal_numbers_are_cut_as_in_scoring(tmp_path):
    own = runs(*(scored(tmp_path, f"{name}@1", metrics=("colour@1",)) for name in "ab"))
    for run in own.values():
        for at, (pair, _, _) in enumerate(pairs()):
            run.write_rows("colour@1", pair, np.full((4, 3), at, np.float32))
    reference = [np.zeros((3, 3), np.float32)]
    (colour,) = compare(own, metrics=[COLOUR], reference_of=lambda _: (reference, True)).metrics
    kept, _ = equal_sets([own["a"].read_rows("colour@1", pair) for pair, _, _ in pairs()], reference)
    assert sum(map(len, kept)) == 3
    assert colour.methods[0].value == pytest.approx(np.abs(np.concatenate(kept).mean(0)).sum())


def test_a_distribution_without_its_reference_is_left_out_with_the_reason(tmp_path):
    own = runs(*(scored(tmp_path, f"{name}@1", metrics=("l1@1", "colour@1")) for name in "ab"))
    found = compare(own, metrics=["l1", COLOUR])
    assert [one.metric for one in found.metrics] == ["l1@1"]
    assert "features of the reference images are missing" in found.skipped["colour@1"]


def test_what_score_noted_and_left_out_is_said_again(tmp_path):
    own = runs(
        *(
            scored(tmp_path, f"{n}@1", notes=["not for cartoons"], skipped={"ssim@1": {"reason": "no weights"}})
            for n in "ab"
        )
    )
    found = compare(own)
    assert found.metrics[0].notes == ("not for cartoons",)
    assert found.skipped == {"ssim@1": "no weights"}


def test_a_metric_that_only_one_method_has_rows_of_is_left_out_or_refused(tmp_path):
    own = runs(scored(tmp_path, "a@1", metrics=("l1@1", "ssim@1")), scored(tmp_path, "b@1"))
    found = compare(own)
    assert [one.metric for one in found.metrics] == ["l1@1"]
    assert found.skipped == {"ssim@1": "not compared, because it has no rows in b"}
    with pytest.raises(ToonbenchError, match=r"b has no rows of ssim@1: .*--metrics ssim"):
        compare(own, metrics=["ssim"])
    with pytest.raises(ToonbenchError, match="no metric in common"):
        compare(runs(scored(tmp_path, "c@1", metrics=()), own["b"]))


@pytest.mark.parametrize(
    ("about", "told"),
    [
        ({"seed": 1}, "seed is 0 in a and 1 in b"),
        ({"data_fingerprint": "e"}, "data_fingerprint is d in a and e in b"),
        ({"task": "real_self@2"}, "task is real2cartoon@4 in a and real_self@2 in b"),
        ({"pairs_fingerprint": "q"}, "pairs_fingerprint is p in a and q in b"),
        ({"pairs_fingerprint": "q", "limit": 5}, "limit is None in a and 5 in b"),
    ],
)
def test_runs_of_something_else_are_refused_naming_the_difference(tmp_path, about, told):
    with pytest.raises(ToonbenchError, match=re.escape(told)):
        compare(runs(scored(tmp_path, "a@1"), scored(tmp_path, "b@1", **about)))


def test_a_run_that_is_not_scored_or_lists_other_pairs_is_refused(tmp_path):
    a, b = scored(tmp_path, "a@1"), scored(tmp_path, "b@1")
    b.scores.write_text("\n".join(b.scores.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(ToonbenchError, match="are not those in"):
        compare(runs(a, b))
    b.result.unlink()
    with pytest.raises(ToonbenchError, match="b is not scored"):
        compare(runs(a, b))


def on_line(*arguments):
    return cli.run(["compare", "--data", "set@1", *map(str, arguments)])


def test_names_find_runs_and_several_revisions_ask_for_one(tmp_path, capsys):
    three(tmp_path)
    scored(tmp_path, "good@2", level=0.2)
    scored(tmp_path, "poorest@1", level=0.3)
    assert on_line("good@1", "poor", "--out", tmp_path, "--json") == 0
    assert set(json.loads(capsys.readouterr().out)["runs"]) == {"good", "poor"}
    assert on_line("good@1", "good@2", "--out", tmp_path, "--json") == 0
    assert set(json.loads(capsys.readouterr().out)["runs"]) == {"good@1", "good@2"}
    assert on_line("good", "poor", "--out", tmp_path) == 2
    assert "good has 2 runs" in (told := capsys.readouterr().err)
    assert "write one of good@1, good@2" in told
    assert on_line("nobody", "poor", "--out", tmp_path) == 2
    told = capsys.readouterr().err
    assert "runs there: alike@1, good@1, good@2, poor@1, poorest@1" in told
    assert f"toonbench eval --method nobody --task real2cartoon --data set@1 --out {tmp_path}" in told


def test_run_folders_may_be_given_instead_of_names(tmp_path, capsys):
    one, other = scored(tmp_path / "x", "a@1"), scored(tmp_path / "y", "a@1", noise=1)
    assert on_line(one.root, other.root, "--json") == 0
    assert set(json.loads(capsys.readouterr().out)["runs"]) == {str(one.root), str(other.root)}
    assert on_line(one.root, other.root, "--task", "real_self") == 2
    assert "is not a run of real_self@" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "told"),
    [(["good"], "compare needs two methods or more, 1 given"), (["good", "good@1"], "are the same run")],
)
def test_one_method_is_not_compared_with_itself(tmp_path, capsys, names, told):
    three(tmp_path)
    assert on_line(*names, "--out", tmp_path) == 2
    assert told in capsys.readouterr().err


def shown(found, width):
    console = Console(width=width, file=io.StringIO(), highlight=False)
    print_comparison(console, found)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [100, 140])
def test_the_tables_fit_and_show_every_number(tmp_path, width):
    lost = [pairs()[0][0]]
    found = compare({**three(tmp_path), "lazy": scored(tmp_path, "lazy@1", level=0.05, without=lost)})
    text = shown(found, width)
    table = [line for line in text.splitlines() if line.startswith(("│", "┃"))]
    assert max(map(len, table)) <= width
    assert len(table) == 2 + 2 + 4 + 6  # two heads, a heading of the metric in each, methods, comparisons
    assert re.search(r"│ +poor +│ +3 │ +0\.2\d+ │ 0\.2\d+ … 0\.2\d+ │ +30 │", text)
    assert re.search(r"│ +lazy +│ +— │ +0\.1\d+ │ 0\.0\d+ … 0\.\d+ │ 29 of 30 │", text)
    assert re.search(r"│ +good − poor +│ +-0\.\d+ │ -0\.\d+ … -0\.\d+ │ +0\.012 \* │ +0\.\d+ │ good +│", text)
    assert "│ † poor − lazy " in text
    assert "l1@1: † poor − lazy on the 29 of 30 pairs that both methods have" in text
    assert "l1@1: lazy is unranked: 1 of 30 pairs failed (RuntimeError: no luck)" in text


def test_a_difference_that_rounds_to_nothing_has_no_sign_of_its_own(tmp_path):
    text = shown(compare(runs(scored(tmp_path, "a@1"), scored(tmp_path, "b@1"))), 100)
    assert "-0.00" not in text
    assert re.search(r"a − b +│ +\+0\.0000 │ \+0\.0000 … \+0\.0000 │ +1 +│ +— │ — ", text)


def test_methods_evaluated_on_real_data_are_compared_with_their_reference(tiny_data, tmp_path, capsys):
    common = ["--data", str(tiny_data), "--out", str(tmp_path)]
    for method in ("oracle", "static"):
        assert cli.run(["eval", "--method", method, *common, "--workers", "1", "--metrics", "l1", COLOUR]) == 0
    capsys.readouterr()
    assert cli.run(["compare", "static", "oracle", *common, "--metrics", "l1", COLOUR, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["skipped"] == {}
    assert (found["pairs"], found["clusters"]) == (12, 3)
    for one in found["metrics"]:
        result = json.loads(next(tmp_path.rglob("static@1/result.json")).read_text())["results"]
        own = next(row for row in result if row["metric"] == one["metric"])
        seen = one["methods"][0]
        assert [seen[key] for key in ("value", "low", "high")] == pytest.approx(
            [own[k] for k in ("value", "low", "high")]
        )
        assert one["differences"][0]["smallest_p"] == 0.25
        assert one["differences"][0]["p"] >= 0.25
        assert one["differences"][0]["better"] == ""


def test_rows_of_other_weights_are_not_compared(tmp_path):
    own = runs(*(scored(tmp_path, f"{name}@1", metrics=("l1@1",)) for name in "ab"))
    for name, sha in (("a", "1" * 64), ("b", "2" * 64)):
        own[name].weights("l1@1").write_text(json.dumps({"net": sha}))
    found = compare(own)
    assert not found.metrics
    assert "measured with different weights" in found.skipped["l1@1"]
