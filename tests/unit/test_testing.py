"""The laws of `toonbench check`: each one finds a plug-in that breaks it, and sound plug-ins of every form keep them all."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from toonbench_test_metrics import Colour, Likeness, MeanDuck, MedianDuck, Pairwise

from toonbench import cli, registry
from toonbench.adapted import as_metric
from toonbench.metrics.shared import target_of
from toonbench.stats.summary import summarise
from toonbench.testing import Plugin, check, find, measuring_laws, method_laws, number_laws, task_laws
from toonbench.testing.laws import outcome, sentence
from toonbench.testing.method_laws import METHOD_LAWS, MethodSubject
from toonbench.testing.metric_subject import MetricSubject
from toonbench.testing.subjects import METRIC_LAWS
from toonbench.testing.task_laws import TASK_LAWS, TaskSubject
from toonbench.types import Metric, ToonbenchError

COUNTER = itertools.count(1)


class Sound(Metric):
    """Mean difference to the target."""

    name = "sound"
    higher_is_better = False
    needs = frozenset({"target"})
    bounds = (0.0, 1.0)

    def measure(self, sample):
        difference = np.abs(sample.generated.astype(float) - target_of(sample, self.name))
        return difference.mean(axis=(1, 2, 3), keepdims=True)[..., 0, 0].astype(np.float32) / 255


class Blind(Sound):
    def measure(self, sample):
        return super().measure(sample) * np.float32(np.nan)


class Valueless(Sound):
    def value(self, rows):
        return None


class Misnamed(Sound):
    name = "other"


class Wide(Sound):
    def measure(self, sample):
        return super().measure(sample).astype(np.float64)


class Moody(Sound):
    def measure(self, sample):
        return super().measure(sample) + np.float32(next(COUNTER))


class Remembering(Sound):
    last = ""

    def measure(self, sample):
        self.last = sample.pair.id
        return super().measure(sample)


class Writing(Sound):
    def measure(self, sample):
        sample.generated[0] = 0
        return super().measure(sample)


class AcrossFrames(Sound):
    def measure(self, sample):
        return super().measure(sample) + np.float32(len(sample.generated))


class Infinite(Sound):
    def measure(self, sample):
        rows = super().measure(sample)
        return np.where(rows == 0, np.float32(np.inf), rows)


class Forgetful(Likeness):
    def measure(self, sample):
        rows = super().measure(sample)
        return rows if sample.features else rows - 1


class Undeclared(Sound):
    needs = frozenset()


class Lenient(Sound):
    def measure(self, sample):
        return np.zeros((len(sample.generated), 1), np.float32) if sample.target is None else super().measure(sample)


class OutOfBounds(Sound):
    bounds = (0.0, 0.01)


class TwoNumbers(Sound):
    aggregate = "proportion"

    def counts(self, rows):
        return float((rows > 0).sum()), float(len(rows))

    def value(self, rows):
        return Metric.value(Sound(), rows) * 2


class LeavesOutNothing(Colour):
    def leave_out(self, groups, reference=()):
        whole = self.corpus([rows for group in groups for rows in group], reference)
        return whole, [whole] * len(groups)


class FirstPair(Colour):
    def corpus(self, rows, reference=()):
        return super().corpus(rows[:1], reference)


class Filling(Sound):
    def value(self, rows):
        return float(np.nan_to_num(rows).mean()) if rows.size else 0.0


class Skipping(Likeness):
    def value(self, rows):
        return Metric.value(self, rows)


class Backwards(Sound):
    higher_is_better = True


class Wavering(Sound):
    def measure(self, sample):
        rows = super().measure(sample)
        return np.where(rows < 0.04, rows, np.maximum(0.01, 0.08 - rows)).astype(np.float32)


class Stillness(Sound):
    needs = frozenset({"motion"})

    def measure(self, sample):
        moved = np.abs(sample.generated.astype(float) - sample.generated[0])
        return moved.mean(axis=(1, 2, 3), keepdims=True)[..., 0, 0].astype(np.float32)


class BackwardsSet(Colour):
    higher_is_better = True


class PairMedians(Colour):
    def corpus(self, rows, reference=()):
        return super().corpus([np.median(one, axis=0, keepdims=True) for one in rows], reference)


BROKEN = [
    (Misnamed, measuring_laws.declares_itself),
    (Wide, measuring_laws.rows_are_float32),
    (Moody, measuring_laws.repeats_itself),
    (Remembering, measuring_laws.keeps_its_attributes),
    (Writing, measuring_laws.keeps_its_inputs),
    (AcrossFrames, measuring_laws.chunks_give_the_same_rows),
    (Blind, measuring_laws.measures_something),
    (Infinite, measuring_laws.constant_frames),
    (Infinite, measuring_laws.any_size),
    (Forgetful, measuring_laws.stored_features),
    (Undeclared, measuring_laws.uses_only_its_needs),
    (Lenient, measuring_laws.missing_need),
    (Valueless, number_laws.value_is_a_number),
    (OutOfBounds, number_laws.within_bounds),
    (TwoNumbers, number_laws.printed_number),
    (LeavesOutNothing, number_laws.leaves_out),
    (FirstPair, number_laws.order_of_pairs),
    (Filling, number_laws.unmeasured_rows),
    (Filling, number_laws.nothing_measured),
    (Skipping, number_laws.lost_frames),
    (Backwards, number_laws.target_is_best),
    (Wavering, number_laws.more_damage),
    (Stillness, number_laws.motion_beats_none),
    (BackwardsSet, number_laws.own_set_is_nearest),
    (PairMedians, number_laws.dealing_of_rows),
]


def subject(build):
    return MetricSubject(lambda: as_metric(build()), name="sound")


@pytest.mark.parametrize(("broken", "law"), BROKEN, ids=lambda one: one.__name__)
def test_a_metric_that_breaks_a_law_is_found(broken, law):
    found = outcome(law, subject(broken))
    assert found.status == "failed"
    assert found.why
    assert "\n" not in found.why


def test_every_law_of_metrics_has_a_metric_that_breaks_it():
    needs_a_gpu = {measuring_laws.on_an_accelerator}
    assert set(METRIC_LAWS) - {law for _, law in BROKEN} == needs_a_gpu


@pytest.mark.parametrize("sound", [Sound, Colour, Likeness, MeanDuck, MedianDuck, Pairwise])
def test_sound_metrics_of_every_form_keep_every_law(sound):
    name = "" if sound is Sound else f"toonbench_test_metrics:{sound.__name__}"
    outcomes = [outcome(law, subject(sound)) for law in METRIC_LAWS] if sound is Sound else list(check(*find(name)))
    assert [f"{one.law} {one.why}" for one in outcomes if one.status == "failed"] == []


def test_the_printed_number_of_a_plug_in_with_its_own_reduce_is_that_reduce():
    metric = registry.load_metric("toonbench_test_metrics:MedianDuck")
    rows = [np.array([[value]], np.float32) for value in (1, 2, 9)]
    assert summarise(metric, rows, driving=["a", "b", "c"]).printed.value == 2


def test_a_plug_in_moves_to_a_device_as_a_copy():
    metric = as_metric(MeanDuck())
    moved = metric.on("cuda")
    assert (moved.device, moved.thing.device) == ("cuda", "cuda")
    assert (metric.device, metric.thing.device) == ("cpu", "cpu")


class Still:
    """Repeats the source."""

    name = "still"
    revision = "1"

    def animate(self, source, driving, *, motion, seed, source_domain, driving_domain):
        return np.repeat(source[None], len(driving), axis=0)

    def animate_chunks(self, source, driving, **options):
        return (self.animate(source, chunk, **options) for chunk in driving)


class Unrevised(Still):
    revision = ""


class Deaf(Still):
    def animate(self, source, driving):
        return driving


class Floating(Still):
    def animate(self, source, driving, **options):
        return super().animate(source, driving, **options).astype(float)


class OneSize(Still):
    def animate(self, source, driving, **options):
        if source.shape != (64, 96, 3):
            raise ValueError(f"wrong size\n{source.shape}")
        return super().animate(source, driving, **options)


class Dicing(Still):
    def animate(self, source, driving, **options):
        return super().animate(source, driving, **options) + np.uint8(next(COUNTER) % 250)


class Scribbling(Still):
    def animate(self, source, driving, **options):
        driving[0] = 0
        return super().animate(source, driving, **options)


class Losing(Still):
    def animate_chunks(self, source, driving, **options):
        return (self.animate(source, chunk[:1], **options) for chunk in driving)


BROKEN_METHODS = [
    (Unrevised, method_laws.declares_itself),
    (Deaf, method_laws.accepts_the_arguments),
    (Floating, method_laws.gives_a_frame_for_every_driving_frame),
    (OneSize, method_laws.any_size),
    (Dicing, method_laws.repeats_itself),
    (Scribbling, method_laws.keeps_its_inputs),
    (Losing, method_laws.chunks_give_the_same_frames),
]


@pytest.mark.parametrize(("broken", "law"), BROKEN_METHODS, ids=lambda one: one.__name__)
def test_a_method_that_breaks_a_law_is_found(broken, law):
    assert outcome(law, MethodSubject(broken, name="still")).status == "failed"
    assert outcome(law, MethodSubject(Still, name="still")).status == "passed"


def test_every_law_of_methods_has_a_method_that_breaks_it():
    assert {law for _, law in BROKEN_METHODS} == set(METHOD_LAWS)


def task(**changes):
    return TaskSubject(task=replace(registry.load_task("real2cartoon"), **changes), name="real2cartoon")


def drawing(change):
    """The real rule with its clips or pairs changed."""
    real = task_laws.draw_pairs
    return lambda task, clips: change(real, task, clips)


def as_they_come(real, task, clips):
    return real(task, clips)[:: 1 if clips[0].id.endswith("0000") else -1]


def with_random_ids(real, task, clips):
    return [replace(pair, id=f"{pair.id}{next(COUNTER)}") for pair in real(task, clips)]


def driven_by_itself(real, task, clips):
    return [replace(pair, source=pair.driving) for pair in real(task, clips)]


def impatient(real, task, clips):
    if len(clips) < 100:
        raise ToonbenchError("too few clips")
    return real(task, clips)


BROKEN_TASKS = [
    ({"about": ""}, None, task_laws.declares_itself),
    ({"metrics": ("no_such_metric",)}, None, task_laws.its_metrics_exist),
    ({"images": 0}, None, task_laws.draws_pairs_of_its_domains),
    ({}, as_they_come, task_laws.order_of_clips),
    ({}, with_random_ids, task_laws.pairs_repeat),
    ({}, driven_by_itself, task_laws.identities),
    ({}, impatient, task_laws.smaller_data),
]


@pytest.mark.parametrize(("changes", "rule", "law"), BROKEN_TASKS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_task_that_breaks_a_law_is_found(changes, rule, law, monkeypatch):
    assert outcome(law, task()).status == "passed"
    if rule:
        monkeypatch.setattr(task_laws, "draw_pairs", drawing(rule))
    assert outcome(law, task(**changes)).status == "failed"


def test_every_law_of_tasks_has_a_task_that_breaks_it():
    assert {law for *_, law in BROKEN_TASKS} == set(TASK_LAWS)


def test_a_law_reads_as_one_sentence():
    for law in (*METRIC_LAWS, *METHOD_LAWS, *TASK_LAWS):
        assert sentence(law).endswith("."), sentence(law)
        assert sentence(law)[0] in "ABCDEFGHIJKLMNOPQRSTUVWXYZ`"


def test_names_places_and_packages_are_found():
    assert find("l1@1") == [Plugin(group="metrics", name="l1@1")]
    assert find("baselines.dummies:Static") == [Plugin(group="methods", name="baselines.dummies:Static")]
    assert find("toonbench.tasks.real_self:task")[0].kind == "task"
    everything = [(group, name) for group in registry.GROUPS for name in registry.names(group)]
    assert {(one.group, one.name) for one in find("toonbench")} <= set(everything)
    with pytest.raises(ToonbenchError, match="did you mean"):
        find("real2carton")
    with pytest.raises(ToonbenchError, match="is no metric"):
        find("toonbench.types:Clip")


def test_check_exits_with_one_and_says_why_where_a_law_is_broken(capsys):
    assert cli.run(["check", "toonbench_test_methods:Faulty", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["failed"] > 0
    broken = [law for law in document["checked"][0]["laws"] if law["status"] == "failed"]
    assert all(law["why"] for law in broken)
    assert cli.run(["check", "toonbench_test_methods:Faulty", "real_self", "-q"]) == 1
    shown = capsys.readouterr().out
    assert "FAILED" in shown
    assert "passed " not in shown.rpartition("task real_self")[2].partition("\n")[0]


def test_check_prints_one_line_for_each_law_and_exits_with_zero(capsys):
    assert cli.run(["check", "real_self", "static"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 2 + 2 + len(TASK_LAWS) + len(METHOD_LAWS) + 1
    assert sum(line.startswith("  passed") for line in shown) == len(TASK_LAWS) + len(METHOD_LAWS) + 2


def test_a_plug_in_that_cannot_be_built_fails_in_one_line(capsys):
    assert cli.run(["check", "toonbench_test_metrics:Unweighted", "-q"]) == 1
    assert "with_test_weights()" in capsys.readouterr().out
