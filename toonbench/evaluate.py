"""Evaluation as a library: plan, generate, measure, reduce. Every function returns data; the commands print it.

import toonbench

result = toonbench.evaluate("static", task="real2cartoon", data="puppets@2", metrics=["psnr", "rig_corr"])
for one in result.results:
    print(one.metric, one.value, one.low, one.high)
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from toonbench import __version__, registry
from toonbench.compare import Comparison, ReferenceOf
from toonbench.compare import compare as compare_runs
from toonbench.compare.find import find_runs, reference_of
from toonbench.data import DEFAULT_DATA, Dataset
from toonbench.data.open import listed_clips, open_data
from toonbench.environment import pick_device, record
from toonbench.generate import MethodSpec, generate_pairs
from toonbench.hub.fetch import checkpoint_file
from toonbench.pool import OpenProgress, Pool, auto_workers, no_progress
from toonbench.prepare.options import Options
from toonbench.score.availability import release_weights
from toonbench.score.choice import Videos, find_videos
from toonbench.score.features import extract_references
from toonbench.score.fit import How, Region
from toonbench.score.measure import measure, unfinished
from toonbench.score.reading import Reading
from toonbench.score.results import Scores, reduce
from toonbench.score.trained import caveats_of, refuse_other_clips, refuse_trained, trained_pairs
from toonbench.store import Run, run_folder
from toonbench.tasks import draw_pairs, fingerprint, needed_clips, shard_of, with_clips
from toonbench.tasks.listed import MARK, is_listed, listed_task
from toonbench.types import Clip, Pair, Result, Task, ToonbenchError

TASK = "real2cartoon"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A resolved request: data, task, all pairs, the pairs of this shard, and the metrics."""

    data: Dataset
    named: tuple[Clip, ...]  # also those that no pair needs, and that may not be prepared
    task: Task
    pairs: list[Pair]
    share: list[Pair]
    metrics: list[str]
    out: Path
    seed: int
    limit: int | None
    allow_trained_on: bool = False

    @property
    def clips(self) -> tuple[Clip, ...]:
        """All clips of the data set."""
        return self.data.clips

    @property
    def about(self) -> dict[str, Any]:
        """The fields of run.json and result.json that define the pairs."""
        return {
            "data": self.data.id,
            "data_fingerprint": self.data.fingerprint,
            "task": self.task.id,
            "seed": self.seed,
            "limit": self.limit,
            "pairs_fingerprint": fingerprint(self.task, self.pairs),
        }

    def run(self, method: str, revision: str) -> Run:
        """The run folder of a method: OUT/<data>/<task>/<method>@<revision>."""
        return Run(self.out / self.data.id / self.task.id / run_folder(method, revision))


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """The result of `generate`: its plan, its run, and the failed pairs (pair id to reason)."""

    plan: Plan
    run: Run
    failures: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A scored run. `scores` is None while pairs of other shards are still `waiting`. `videos` are those of a scored folder."""

    plan: Plan
    run: Run
    scores: Scores | None
    waiting: tuple[str, ...] = field(default=())
    videos: Videos | None = None

    @property
    def results(self) -> tuple[Result, ...]:
        """A `Result` for each metric that has one; empty while pairs are waiting."""
        return self.scores.results if self.scores else ()


def plan(
    *,
    task: str = TASK,
    data: str | None = None,
    metrics: Sequence[str] | None = None,
    out: Path | str = "runs",
    limit: int | None = None,
    shard: tuple[int, int] = (1, 1),
    seed: int = 0,
    pairs: Path | str | None = None,
    preparation: Options | None = None,
    allow_trained_on: bool = False,
    pool: Pool | None = None,
) -> Plan:
    """Resolve names, open the data and draw the pairs; `shard` (i, n) is part i of n.

    `pairs` is a CSV file with the columns source and driving, which replaces the pairs that the task draws.
    `allow_trained_on` accepts pairs with a clip that a method was trained on, and marks the result.
    `preparation` says how a plain folder of videos and images is prepared. With `limit` or `pairs`, only the clips of the pairs of
    all shards are prepared, and are the data set.
    Raises ToonbenchError for anything unknown.
    """
    rule = registry.load_task(task)
    chosen = [registry.full_name(name) for name in metrics or rule.metrics]
    if limit is not None and limit < 1:
        raise ToonbenchError(f"limit is {limit}: give 1 or more pairs")
    if not 1 <= shard[0] <= shard[1]:
        raise ToonbenchError(f"shard is {shard}: give (i, n), part i of n, with 1 <= i <= n")
    listed = listed_clips(data or DEFAULT_DATA, options=preparation)
    opened = None if listed else open_data(data or DEFAULT_DATA, options=preparation, pool=pool or Pool())
    clips, targets = (opened.clips, opened.targets) if opened else (listed or (), {})
    if pairs is None:
        drawn = draw_pairs(rule, clips, targets=targets, seed=seed)[:limit]
    else:
        rule, drawn = listed_task(rule, Path(pairs), clips=clips, targets=targets)
        drawn = drawn[:limit]
    if opened is None:
        only = None if limit is None and pairs is None else needed_clips(rule, drawn, clips)
        opened = open_data(data or DEFAULT_DATA, options=preparation, only=only, pool=pool or Pool())
        drawn = with_clips(drawn, opened.clips)
    return Plan(
        data=opened,
        named=clips,
        task=rule,
        pairs=drawn,
        share=shard_of(drawn, shard),
        metrics=chosen,
        out=Path(out),
        seed=seed,
        limit=limit,
        allow_trained_on=allow_trained_on,
    )


def evaluate(
    method: str,
    *,
    task: str = TASK,
    data: str | None = None,
    metrics: Sequence[str] | None = None,
    out: Path | str = "runs",
    limit: int | None = None,
    shard: tuple[int, int] = (1, 1),
    seed: int = 0,
    preparation: Options | None = None,
    workers: int = 1,
    device: str = "auto",
    checkpoint: Path | None = None,
    fresh: bool = False,
    pairs: Path | str | None = None,
    allow_trained_on: bool = False,
    progress: OpenProgress = no_progress,
) -> Evaluation:
    """Generate the pairs of a task with a method, and score them. Files of an earlier call are reused.

    `method` is a registered name, `module:Class`, or the TOML file of a program.
    `pairs` is a CSV file of pairs that replaces those of the task. `metrics`
    replaces the task's own. `workers` is the number of processes,
    0 for one per core; a script that uses more than one must start under `if __name__ == "__main__":`. Raises ToonbenchError for unknown
    names, a folder with another run, and errors that stop the whole run. A failed pair is listed in the result.
    """
    pool = _pool(workers, device, progress)
    made = plan(
        task=task, data=data, metrics=metrics, out=out, limit=limit, shard=shard, seed=seed, preparation=preparation, pairs=pairs,
        allow_trained_on=allow_trained_on, pool=pool,
    )  # fmt: skip
    return evaluate_run(made, method, pool=pool, checkpoint=checkpoint, fresh=fresh)


def generate(
    method: str,
    *,
    task: str = TASK,
    data: str | None = None,
    metrics: Sequence[str] | None = None,
    out: Path | str = "runs",
    limit: int | None = None,
    shard: tuple[int, int] = (1, 1),
    seed: int = 0,
    preparation: Options | None = None,
    workers: int = 1,
    device: str = "auto",
    checkpoint: Path | None = None,
    fresh: bool = False,
    pairs: Path | str | None = None,
    allow_trained_on: bool = False,
    progress: OpenProgress = no_progress,
) -> Generation:
    """Generate the pairs of a task with a method, without scoring; the arguments are those of `evaluate`."""
    pool = _pool(workers, device, progress)
    made = plan(
        task=task, data=data, metrics=metrics, out=out, limit=limit, shard=shard, seed=seed, preparation=preparation, pairs=pairs,
        allow_trained_on=allow_trained_on, pool=pool,
    )  # fmt: skip
    return generate_run(made, method, pool=pool, checkpoint=checkpoint, fresh=fresh)


def score(
    videos: Path | str | None = None,
    *,
    method: str | None = None,
    name: str | None = None,
    task: str = TASK,
    data: str | None = None,
    metrics: Sequence[str] | None = None,
    out: Path | str = "runs",
    limit: int | None = None,
    shard: tuple[int, int] = (1, 1),
    seed: int = 0,
    preparation: Options | None = None,
    workers: int = 1,
    device: str = "auto",
    checkpoint: Path | None = None,
    fresh: bool = False,
    pairs: Path | str | None = None,
    names: str | None = None,
    panel: tuple[int, int] = (1, 1),
    region: Region = "auto",
    allow_trained_on: bool = False,
    progress: OpenProgress = no_progress,
) -> Evaluation:
    """Score a folder of videos, or the run that `generate` made with `method`.

    Videos have the name of their pair, or a name that a common tool gives them; `names` is the template of other names. `panel` (k, n)
    cuts the k-th of n panels. `region` says whether videos show the face or the whole picture (docs/score_your_method.md).
    `name` is the name of the method that made `videos`; by default the folder's name. Raises ToonbenchError as `evaluate` does.
    """
    if (videos is None) == (method is None):
        raise ToonbenchError("score needs exactly one of a folder of videos and a method with a run in OUT")
    pool = _pool(workers, device, progress)
    made = plan(
        task=task, data=data, metrics=metrics, out=out, limit=limit, shard=shard, seed=seed, preparation=preparation, pairs=pairs,
        allow_trained_on=allow_trained_on, pool=pool,
    )  # fmt: skip
    if videos is not None:
        how = How(names=names, panel=panel, region=region)
        return score_videos(made, Path(videos), name=name, how=how, fresh=fresh, pool=pool)
    run, spec = method_run(made, method or "", device=pool.device, checkpoint=checkpoint)
    if not run.description.exists():
        raise ToonbenchError(f"{run.root} does not exist: run `toonbench generate` with the same options first")
    return score_run(made, run, pool=pool, spec=spec)


def compare(
    *methods: str,
    task: str | None = None,
    data: str | None = None,
    out: Path | str = "runs",
    metrics: Sequence[str] | None = None,
) -> Comparison:
    """Compare scored methods on the same pairs: names of methods with a run in `out`, or run folders; two or more.

    Raises ToonbenchError for a method without a run and for runs of different pairs.
    """
    named = data or DEFAULT_DATA
    runs = find_runs(methods, task=task, data=named, out=Path(out))
    return compare_runs(runs, metrics=metrics, reference_of=references(runs, data=named))


def references(runs: Mapping[str, Run], *, data: str) -> ReferenceOf:
    """The function that finds the reference rows of a metric such as FID for stored runs; it opens the data set when first called."""
    return reference_of(runs, plan=functools.partial(_plan_again, runs=runs, data=data), data=data)


def _plan_again(*, task: str, seed: int, limit: int | None, runs: Mapping[str, Run], data: str) -> Plan:
    """The plan of scored runs; the pairs of a list are those of their table of scores."""
    if not is_listed(task):
        return plan(task=task, data=data, seed=seed, limit=limit)
    name, _, version = task.rpartition("@")
    found = plan(
        task=f"{name.partition(MARK)[0]}@{version}", data=data, seed=seed, pairs=next(iter(runs.values())).scores
    )
    return replace(found, task=replace(found.task, name=name), limit=limit)


def method_run(plan: Plan, method: str, *, device: str, checkpoint: Path | None) -> tuple[Run, MethodSpec]:
    """The run folder of a method, and how to build it; the method is built once to learn its revision.

    Raises ToonbenchError for pairs with a clip it was trained on, unless the plan allows them, and for other pairs than a model's only one.
    """
    spec = MethodSpec(name=method, device=device, checkpoint=checkpoint_file(checkpoint))
    built = spec.load()
    refuse_other_clips(built, plan.pairs, data=plan.data.id, name=method)
    if not plan.allow_trained_on:
        refuse_trained(trained_pairs(built, plan.pairs, data=plan.data.id), plan.pairs, method=method)
    return plan.run(built.name if registry.is_method_file(method) else method, built.revision), spec


def evaluate_run(
    plan: Plan, method: str, *, pool: Pool, checkpoint: Path | None = None, fresh: bool = False
) -> Evaluation:
    """Generate the share of a plan and score it; see `evaluate`. The run is in use all the time, also between the two."""
    run, spec = method_run(plan, method, device=pool.device, checkpoint=checkpoint)
    run.begin(_description(plan, run, device=spec.device, checkpoint=spec.checkpoint_facts()), fresh=fresh)
    with run.in_use():
        _generate(plan, run, spec, pool=pool)
        return score_run(plan, run, pool=pool, spec=spec)


def generate_run(
    plan: Plan, method: str, *, pool: Pool, checkpoint: Path | None = None, fresh: bool = False
) -> Generation:
    """Generate the share of a plan; see `generate`."""
    run, spec = method_run(plan, method, device=pool.device, checkpoint=checkpoint)
    run.begin(_description(plan, run, device=spec.device, checkpoint=spec.checkpoint_facts()), fresh=fresh)
    with run.in_use():
        return Generation(plan=plan, run=run, failures=_generate(plan, run, spec, pool=pool))


def _generate(plan: Plan, run: Run, spec: MethodSpec, *, pool: Pool) -> Mapping[str, str]:
    return generate_pairs(run, plan.share, method=spec, motion=plan.task.motion, seed=plan.seed, pool=pool)


def score_videos(
    plan: Plan, videos: Path, *, name: str | None = None, how: How | None = None, fresh: bool = False, pool: Pool
) -> Evaluation:
    """Score a folder of videos; see `score`."""
    if not videos.is_dir():
        raise ToonbenchError(f"--videos {videos} is not a folder: give a folder with a video for every pair")
    found = find_videos(videos, plan.pairs, plan.named, how=how, pool=pool)
    if not found.readings:
        raise ToonbenchError(
            f"--videos {videos}: none of its files is named after one of the {len(plan.pairs)} pairs ({found.line}); name them "
            f"like {plan.pairs[0].id}.mkv, or give --names, or --panel for strips of panels (`toonbench pairs` lists all pairs)"
        )
    run = plan.run(name or videos.resolve().name, found.revision)
    run.begin(_description(plan, run, device="given videos"), fresh=fresh)
    return score_run(plan, run, pool=pool, videos=found)


def score_run(
    plan: Plan, run: Run, *, pool: Pool, videos: Videos | None = None, spec: MethodSpec | None = None
) -> Evaluation:
    """Measure the videos of a run, and reduce the rows when the pairs of all shards are measured; see `score`.

    `spec` is the method that generated them.
    """
    trained = trained_pairs(spec.load(), plan.pairs, data=plan.data.id) if spec else []
    with run.in_use():
        return _score(plan, run, pool=pool, videos=videos, trained=trained)


def _score(plan: Plan, run: Run, *, pool: Pool, videos: Videos | None, trained: Sequence[str]) -> Evaluation:
    missing = Reading(path=Path("missing"))
    measure(
        run,
        plan.share,
        task=plan.task,
        metrics=plan.metrics,
        video_of=None if videos is None else lambda pair: videos.readings.get(pair, missing),
        pool=pool,
    )
    waiting = unfinished(run, plan.pairs, metrics=plan.metrics)
    if waiting and len(plan.share) < len(plan.pairs):
        return Evaluation(plan=plan, run=run, scores=None, waiting=tuple(waiting), videos=videos)
    extract_references(run, plan.pairs, task=plan.task, clips=plan.data.clips, metrics=plan.metrics, pool=pool)
    release_weights(run, plan.pairs, metrics=plan.metrics)
    about = {**plan.about, "method": run.root.name, "environment": record()}
    if checkpoint := run.checkpoint:
        about["checkpoint"] = checkpoint
    if videos is not None:
        about["videos"] = videos.about
    if trained:
        about["trained_on"] = trained
    scores = reduce(
        run,
        plan.pairs,
        task=plan.task,
        metrics=plan.metrics,
        clips=plan.data.clips,
        about=about,
        caveats=(*plan.data.caveats, *caveats_of(trained, plan.pairs), *(videos.notes if videos else ())),
    )
    return Evaluation(plan=plan, run=run, scores=scores, videos=videos)


def _pool(workers: int, device: str, progress: OpenProgress) -> Pool:
    chosen = pick_device(device)
    return Pool(workers=auto_workers(workers, device=chosen), device=chosen, progress=progress)


def _description(plan: Plan, run: Run, *, device: str, checkpoint: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The description of the run: every field except `environment` and `checkpoint` must be equal to resume it."""
    about = {key: value for key, value in plan.about.items() if key not in ("limit", "pairs_fingerprint")}
    return {
        "schema": 1,
        "toonbench": __version__,
        **about,
        "task_fingerprint": fingerprint(plan.task, []),
        "method": run.root.name,
        "device": device,
        **({"checkpoint": dict(checkpoint)} if checkpoint else {}),
        "environment": record(),
    }
