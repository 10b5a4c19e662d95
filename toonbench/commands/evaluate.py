"""`eval` = `generate` + `score`: pairs of a task through a method, then measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from toonbench.commands.shared import Names, Talk, open_data, parse_shard
from toonbench.types import Pair, Task, ToonbenchError

if TYPE_CHECKING:
    from toonbench.data import Dataset
    from toonbench.store import Run

DATA = "puppets@1"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class What:
    """What to evaluate, and where the run goes."""

    task: str = "real2cartoon"
    """Which pairs: see `toonbench list tasks`."""
    data: str = DATA
    """A shipped data set, a data set's folder, or a plain folder of real_videos/ real_images/ cartoon_videos/ cartoon_images/."""
    out: Path = Path("runs")
    """Runs go to OUT/<data>/<task>/<method>."""
    limit: int | None = None
    """Only the first N pairs."""
    shard: str = "1/1"
    """Only part i of n of the pairs, for several machines that share OUT."""
    workers: int = 0
    """Local processes; 0 chooses. Results do not depend on it."""
    seed: int = 0
    """Draws the pairs, and seeds methods that use chance."""
    dry_run: Annotated[bool, Parameter(negative="")] = False
    """Say what would be done, and do nothing."""
    fresh: Annotated[bool, Parameter(negative="--resume")] = False
    """Begin anew and delete what this run had; the default goes on with what is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A resolved request: data, task, all its pairs, and those that are this call's share."""

    what: What
    data: Dataset
    task: Task
    pairs: list[Pair]
    share: list[Pair]
    metrics: list[str]

    @property
    def about(self) -> dict[str, Any]:
        """What the pairs are, for run.json and result.json."""
        from toonbench.tasks import fingerprint

        return {
            "data": self.data.id,
            "data_fingerprint": self.data.fingerprint,
            "task": self.task.id,
            "seed": self.what.seed,
            "limit": self.what.limit,
            "pairs_fingerprint": fingerprint(self.task, self.pairs),
        }


def evaluate(
    *,
    what: What | None = None,
    method: str = "toontalker",
    metrics: Names = None,
    device: str = "auto",
    checkpoint: Path | None = None,
    talk: Talk | None = None,
) -> int:
    """Generate the pairs of a task with a method, and score them.

    Parameters
    ----------
    method
        A registered method (`toonbench list methods`) or `module:Class`.
    metrics
        Metrics instead of the task's own: see `toonbench list metrics`; `module:Class` names an unregistered one.
    device
        Where the method's and the metrics' networks run: auto, cpu, cuda or mps.
    checkpoint
        The method's weights; without it, those that come with toonbench.
    """
    return _generate(
        what or What(), method, device=device, checkpoint=checkpoint, metrics=metrics, talk=talk or Talk(), scoring=True
    )


def generate(
    *,
    what: What | None = None,
    method: str = "toontalker",
    device: str = "auto",
    checkpoint: Path | None = None,
    talk: Talk | None = None,
) -> int:
    """Generate the pairs of a task with a method, without scoring.

    Parameters
    ----------
    method
        A registered method (`toonbench list methods`) or `module:Class`.
    device
        auto, cpu, cuda or mps.
    checkpoint
        The method's weights; without it, those that come with toonbench.
    """
    return _generate(
        what or What(), method, device=device, checkpoint=checkpoint, metrics=None, talk=talk or Talk(), scoring=False
    )


def score(
    *,
    what: What | None = None,
    videos: Path | None = None,
    name: str | None = None,
    method: str | None = None,
    metrics: Names = None,
    device: str = "auto",
    checkpoint: Path | None = None,
    talk: Talk | None = None,
) -> int:
    """Score a folder of videos, `<pair>.mkv|mp4|...` each, or a method's run in OUT.

    Parameters
    ----------
    videos
        Somebody's outputs: a video for every pair, named by the pair's id (`generate --dry-run --json` lists them).
    name
        What to call the method of `--videos`; its folder's name by default.
    method
        Instead of `--videos`: score what `generate` made with this method.
    metrics
        Metrics instead of the task's own: see `toonbench list metrics`; `module:Class` names an unregistered one.
    device
        Where metrics' networks run: auto, cpu, cuda or mps; with `--method` the device that `generate` ran on.
    checkpoint
        The weights that `generate` used (with `--method`).
    """
    what, talk = what or What(), talk or Talk()
    if (videos is None) == (method is None):
        raise ToonbenchError("score needs one of --videos DIR (somebody's outputs) and --method NAME (a run in --out)")
    plan = make_plan(what, metrics=metrics, talk=talk)
    if videos is None:
        run, _ = _method_run(plan, method or "", device=device, checkpoint=checkpoint)
        if not run.description.exists():
            raise ToonbenchError(f"{run.root} does not exist: run `toonbench generate` with the same options first")
        return _score(plan, run, device=device, talk=talk)
    return _score_videos(plan, videos, name=name, device=device, talk=talk)


def make_plan(what: What, *, metrics: list[str] | None, talk: Talk) -> Plan:
    """Resolve names, open the data and draw the pairs. Raises ToonbenchError for anything unknown."""
    from toonbench import registry
    from toonbench.tasks import draw_pairs, shard_of

    task = registry.load_task(what.task)
    chosen = [registry.full_name(name) for name in metrics or task.metrics]
    shard = parse_shard(what.shard)
    if what.limit is not None and what.limit < 1:
        raise ToonbenchError(f"--limit {what.limit}: give 1 or more pairs")
    data = open_data(what.data, talk=talk, pool=talk.pool(what.workers))
    pairs = draw_pairs(task, data.clips, targets=data.targets, seed=what.seed)[: what.limit]
    return Plan(what=what, data=data, task=task, pairs=pairs, share=shard_of(pairs, shard), metrics=chosen)


def _generate(
    what: What,
    method: str,
    *,
    device: str,
    checkpoint: Path | None,
    metrics: list[str] | None,
    talk: Talk,
    scoring: bool,
) -> int:
    from toonbench import generate as generating
    from toonbench.pool import auto_workers

    plan = make_plan(what, metrics=metrics, talk=talk)
    if what.dry_run:
        return _show_plan(plan, method, talk=talk)
    run, spec = _method_run(plan, method, device=device, checkpoint=checkpoint)
    run.begin(_description(plan, run, device=spec.device), fresh=what.fresh)
    talk.say(f"{method} on {plan.task.id} of {plan.data.id}: {len(plan.share)} pairs, in {run.root}")
    with talk.progress("generating") as on_progress:
        failures = generating.generate(
            run,
            plan.share,
            method=spec,
            motion=plan.task.motion,
            seed=what.seed,
            workers=auto_workers(what.workers, device=spec.device),
            on_progress=on_progress,
        )
    if scoring:
        return _score(plan, run, device=device, talk=talk)
    console = talk.start()
    if talk.json:
        from toonbench.store import to_json

        console.out(to_json({"run": run.root, "pairs": len(plan.share), "failures": failures}), end="")
    else:
        from toonbench.report.terminal import print_failures

        console.print(
            f"{len(plan.share) - len(failures)} of {len(plan.share)} videos in {run.root / 'videos'}", markup=False
        )
        print_failures(console, failures, pairs=len(plan.share))
    return 1 if len(failures) == len(plan.share) else 0


def _method_run(plan: Plan, method: str, *, device: str, checkpoint: Path | None) -> tuple[Run, Any]:
    """The run folder of a method; builds the method once to learn its revision."""
    from toonbench.environment import pick_device
    from toonbench.generate import MethodSpec
    from toonbench.store import Run, safe_name

    spec = MethodSpec(name=method, device=pick_device(device), checkpoint=checkpoint)
    revision = spec.load().revision
    return Run(plan.what.out / plan.data.id / plan.task.id / safe_name(f"{method}@{revision}")), spec


def _description(plan: Plan, run: Run, *, device: str) -> dict[str, Any]:
    """What makes this run itself: everything but `environment` must be equal to go on with it."""
    from toonbench import __version__
    from toonbench.environment import record
    from toonbench.tasks import fingerprint

    about = {key: value for key, value in plan.about.items() if key not in ("limit", "pairs_fingerprint")}
    return {
        "schema": 1,
        "toonbench": __version__,
        **about,
        "task_fingerprint": fingerprint(plan.task, []),
        "method": run.root.name,
        "device": device,
        "environment": record(),
    }


def _score_videos(plan: Plan, videos: Path, *, name: str | None, device: str, talk: Talk) -> int:
    import hashlib

    from toonbench.data.folder import file_sha256
    from toonbench.store import Run, safe_name

    if not videos.is_dir():
        raise ToonbenchError(f"--videos {videos} is not a folder: give one with a video for every pair")
    found = {path.stem: path for path in sorted(videos.iterdir()) if path.is_file() and not path.name.startswith(".")}
    mine = {pair.id: found[pair.id] for pair in plan.pairs if pair.id in found}
    if not mine:
        example = plan.pairs[0].id
        raise ToonbenchError(
            f"--videos {videos}: none of its {len(found)} files is named after one of the {len(plan.pairs)} pairs; "
            f"name them like {example}.mkv (`toonbench generate --dry-run --json` lists all)"
        )
    content = hashlib.sha256("".join(f"{p}:{file_sha256(path)}\n" for p, path in mine.items()).encode())
    folder = safe_name(f"{name or videos.resolve().name}@{content.hexdigest()[:12]}")
    run = Run(plan.what.out / plan.data.id / plan.task.id / folder)
    run.begin(_description(plan, run, device="given videos"), fresh=plan.what.fresh)
    return _score(plan, run, device=device, talk=talk, videos=mine)


def _score(plan: Plan, run: Run, *, device: str, talk: Talk, videos: dict[str, Path] | None = None) -> int:
    from toonbench import score as scoring
    from toonbench.environment import pick_device
    from toonbench.pool import auto_workers
    from toonbench.report.terminal import print_scores

    missing, device = Path("missing"), pick_device(device)
    workers = auto_workers(plan.what.workers, device=device)
    with talk.progress("scoring") as on_progress:
        scoring.measure(
            run,
            plan.share,
            task=plan.task,
            metrics=plan.metrics,
            video_of=(lambda pair: (videos or {}).get(pair, missing)) if videos is not None else None,
            device=device,
            workers=workers,
            on_progress=on_progress,
        )
    waiting = scoring.unfinished(run, plan.pairs, metrics=plan.metrics)
    if waiting and len(plan.share) < len(plan.pairs):
        talk.say(f"this share is done; {len(waiting)} of {len(plan.pairs)} pairs are other shards' and not there yet")
        return 0
    with talk.progress("reference") as on_progress:
        scoring.extract_references(
            run, plan.pairs, task=plan.task, clips=plan.data.clips, metrics=plan.metrics, device=device, workers=workers,
            on_progress=on_progress,
        )  # fmt: skip
    scoring.release_weights(run, plan.pairs, metrics=plan.metrics)
    about = {**plan.about, "method": run.root.name}
    scores = scoring.reduce(run, plan.pairs, task=plan.task, metrics=plan.metrics, clips=plan.data.clips, about=about)
    print_scores(talk.start(), scores, run=run, metrics=plan.metrics, as_json=talk.json, title=_title(plan, run))
    return 1 if len(scores.failures) == len(plan.pairs) else 0


def _title(plan: Plan, run: Run) -> str:
    return f"{run.root.name.partition('@')[0]} on {plan.task.id} of {plan.data.id}"


def _show_plan(plan: Plan, method: str, *, talk: Talk) -> int:
    from toonbench.store import to_json

    rows = [
        {
            "pair": p.id,
            "source": p.source.path,
            "driving": p.driving.path,
            "target": p.target.path if p.target else None,
        }
        for p in plan.share
    ]
    console = talk.start()
    if talk.json:
        console.out(to_json({**plan.about, "method": method, "metrics": plan.metrics, "pairs": rows}), end="")
        return 0
    console.print(f"{method} on {plan.task.id} of {plan.data.id}, motion {plan.task.motion}", markup=False)
    console.print(f"metrics: {', '.join(plan.metrics)}", markup=False)
    console.print(f"{len(rows)} of {len(plan.pairs)} pairs, each with a video <pair>.mkv:", markup=False)
    for row in rows:
        console.print(f"  {row['pair']}{'' if row['target'] else '  (no exact target)'}", markup=False)
    return 0
