"""`eval` = `generate` + `score`: a method generates the pairs of a task, then the metrics measure them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from toonbench.commands.shared import (
    DATA,
    Folder,
    Limit,
    Names,
    Processes,
    Seed,
    Terminal,
    parse_part,
    parse_shard,
    preparing_pool,
    report_problems,
)
from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from toonbench.evaluate import Evaluation, Generation, Plan
    from toonbench.pool import Pool
    from toonbench.score.fit import How


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Outputs:
    """How the files of a folder of videos are named and what they show (docs/score_your_method.md)."""

    names: str | None = None
    """A template of the files' names, for example "{source}--{driving}.mp4"; {pair} and * are allowed. Common tools need none."""
    panel: str = "1/1"
    """Videos are strips of n equal panels, of which number k is measured (written k/n, for example 3/3)."""
    region: Literal["auto", "face", "picture"] = "auto"
    """Videos show the face crop, or the whole picture that the source was cut from; auto decides by size, then by similarity."""

    @property
    def how(self) -> How:
        """The options as `toonbench.score` takes them."""
        from toonbench.score.fit import How

        return How(names=self.names, panel=parse_part(self.panel, option="--panel"), region=self.region)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class What:
    """What to evaluate, and where the run is stored."""

    task: str = "real2cartoon"
    """The task that draws the pairs: see `toonbench list tasks`."""
    data: str = DATA
    """A shipped data set, a data set's folder, hf:ORG/NAME@REV on the Hub, or a plain folder with real_videos/ real_images/
    cartoon_videos/ cartoon_images/."""
    out: Path = Path("runs")
    """Runs are stored in OUT/<data>/<task>/<method>."""
    pairs: Path | None = None
    """A CSV file with the columns source and driving: these pairs instead of those that the task draws."""
    limit: Limit = None
    """Only the first N pairs."""
    shard: str = "1/1"
    """Only part i of n of the pairs (written i/n), for several machines that share OUT."""
    processes: Processes = field(default_factory=Processes)
    seed: Seed = 0
    """The seed for drawing the pairs and for methods that use random numbers."""
    dry_run: Annotated[bool, Parameter(negative="")] = False
    """Print what would be done, without doing it."""
    fresh: Annotated[bool, Parameter(negative="--resume")] = False
    """Delete the stored files of this run and start again; by default the run resumes from them."""
    allow_trained_on: Annotated[bool, Parameter(negative="")] = False
    """Accept pairs whose source or driving video the method's weights were trained on, and mark the result."""
    folder: Folder = field(default_factory=Folder)


def evaluate(
    *,
    what: What | None = None,
    method: str = "toontalker",
    metrics: Names = None,
    device: str = "auto",
    checkpoint: Path | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Generate the pairs of a task with a method, and score them.

    Parameters
    ----------
    method
        A registered method (`toonbench list methods`), `module:Class`, or the TOML file of a program (docs/methods/command.md).
    metrics
        Metrics instead of the task's own: see `toonbench list metrics`; `module:Class` names an unregistered one.
    device
        The device of the method's and the metrics' networks: auto, cpu, cuda or mps.
    checkpoint
        The method's weights, a file or hf:ORG/NAME[/file]@REV on the Hub; by default those that toonbench includes.
    """
    from toonbench.evaluate import evaluate_run

    what, terminal = what or What(), terminal or Terminal()
    plan = make_plan(what, metrics=metrics, terminal=terminal)
    if what.dry_run:
        return _show_plan(plan, method, terminal=terminal)
    pool = _pool(what, plan, device=device, files=[checkpoint], terminal=terminal)
    _announce(plan, method, pool=pool, checkpoint=checkpoint, terminal=terminal)
    return _show(evaluate_run(plan, method, pool=pool, checkpoint=checkpoint, fresh=what.fresh), terminal=terminal)


def generate(
    *,
    what: What | None = None,
    method: str = "toontalker",
    device: str = "auto",
    checkpoint: Path | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Generate the pairs of a task with a method, without scoring.

    Parameters
    ----------
    method
        A registered method (`toonbench list methods`), `module:Class`, or the TOML file of a program (docs/methods/command.md).
    device
        auto, cpu, cuda or mps.
    checkpoint
        The method's weights, a file or hf:ORG/NAME[/file]@REV on the Hub; by default those that toonbench includes.
    """
    from toonbench.evaluate import generate_run

    what, terminal = what or What(), terminal or Terminal()
    plan = make_plan(what, metrics=None, terminal=terminal)
    if what.dry_run:
        return _show_plan(plan, method, terminal=terminal)
    pool = _pool(what, plan, device=device, files=[checkpoint], terminal=terminal)
    _announce(plan, method, pool=pool, checkpoint=checkpoint, terminal=terminal)
    made = generate_run(plan, method, pool=pool, checkpoint=checkpoint, fresh=what.fresh)
    return _show_generation(made, terminal=terminal)


def score(
    *,
    what: What | None = None,
    videos: Path | None = None,
    outputs: Outputs | None = None,
    name: str | None = None,
    method: str | None = None,
    metrics: Names = None,
    device: str = "auto",
    checkpoint: Path | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Score a folder of videos, or a method's run in OUT.

    Parameters
    ----------
    videos
        A folder of generated videos: one for every pair, named `<pair>.mkv|mp4|...` or as common tools name them
        (`toonbench pairs` lists the pairs). Sub-folders, folders of frames and GIFs are understood.
    name
        The name of the method that made `--videos`; the folder's name by default.
    method
        Instead of `--videos`: score what `generate` made with this method.
    metrics
        Metrics instead of the task's own: see `toonbench list metrics`; `module:Class` names an unregistered one.
    device
        The device of the metrics' networks: auto, cpu, cuda or mps. With `--method`, give the device that `generate` ran on.
    checkpoint
        The weights that `generate` used (with `--method`).
    """
    what, terminal = what or What(), terminal or Terminal()
    if (videos is None) == (method is None):
        raise ToonbenchError(
            "score needs one of --videos DIR (a folder of generated videos) and --method NAME (a run in --out)"
        )
    from toonbench.evaluate import method_run, score_run, score_videos

    plan = make_plan(what, metrics=metrics, terminal=terminal)
    pool = _pool(what, plan, device=device, files=[videos, checkpoint], terminal=terminal)
    if videos is not None:
        how = (outputs or Outputs()).how
        return _show(score_videos(plan, videos, name=name, how=how, fresh=what.fresh, pool=pool), terminal=terminal)
    run, spec = method_run(plan, method or "", device=pool.device, checkpoint=checkpoint)
    if not run.description.exists():
        raise ToonbenchError(f"{run.root} does not exist: run `toonbench generate` with the same options first")
    return _show(score_run(plan, run, pool=pool, spec=spec), terminal=terminal)


def make_plan(what: What, *, metrics: list[str] | None, terminal: Terminal) -> Plan:
    """The plan for these options; prints a message for every file that cannot be used."""
    from toonbench.evaluate import plan

    made = plan(
        task=what.task,
        data=what.data,
        metrics=metrics,
        out=what.out,
        limit=what.limit,
        shard=parse_shard(what.shard),
        seed=what.seed,
        pairs=what.pairs,
        preparation=what.folder.options(),
        allow_trained_on=what.allow_trained_on,
        pool=preparing_pool(what.processes, what.data, terminal=terminal),
    )
    report_problems(made.data, what.data, terminal=terminal)
    return made


def _pool(what: What, plan: Plan, *, device: str, files: Sequence[Path | None], terminal: Terminal) -> Pool:
    from toonbench.environment import pick_device
    from toonbench.hub.fetch import checkpoint_file
    from toonbench.weights.verify import folder

    reads = [plan.data.root, folder(), *(found for path in files if (found := checkpoint_file(path)) is not None)]
    return terminal.pool(what.processes, device=pick_device(device), writes=[what.out], reads=reads)


def _announce(plan: Plan, method: str, *, pool: Pool, checkpoint: Path | None, terminal: Terminal) -> None:
    """Print what is generated, and where."""
    from toonbench.evaluate import method_run

    run, _ = method_run(plan, method, device=pool.device, checkpoint=checkpoint)
    terminal.message(f"{method} on {plan.task.id} of {plan.data.id}: {len(plan.share)} pairs, in {run.root}")


def _show_generation(made: Generation, *, terminal: Terminal) -> int:
    """Print how many videos there are and why pairs failed."""
    console, pairs = terminal.start(), len(made.plan.share)
    if terminal.json:
        from toonbench.store import to_json

        console.out(to_json({"run": made.run.root, "pairs": pairs, "failures": dict(made.failures)}), end="")
    else:
        from toonbench.report.terminal import print_failures

        console.print(f"{pairs - len(made.failures)} of {pairs} videos in {made.run.root / 'videos'}", markup=False)
        print_failures(console, dict(made.failures), pairs=pairs)
    return 1 if len(made.failures) == pairs else 0


def _show(found: Evaluation, *, terminal: Terminal) -> int:
    """Print the results, or a message that other shards are not finished."""
    from toonbench.report.terminal import print_scores

    plan, scores = found.plan, found.scores
    if found.videos is not None:
        terminal.message(f"videos: {found.videos.line}")
    if scores is None:
        terminal.message(
            f"this shard is finished; {len(found.waiting)} of {len(plan.pairs)} pairs belong to other shards and are missing"
        )
        return 0
    print_scores(
        terminal.start(), scores, run=found.run, metrics=plan.metrics, as_json=terminal.json, title=_title(found)
    )
    return 1 if len(scores.failures) == len(plan.pairs) else 0


def _title(found: Evaluation) -> str:
    return f"{found.run.root.name.partition('@')[0]} on {found.plan.task.id} of {found.plan.data.id}"


def _show_plan(plan: Plan, method: str, *, terminal: Terminal) -> int:
    """Print what would be done."""
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
    console = terminal.start()
    if terminal.json:
        console.out(to_json({**plan.about, "method": method, "metrics": plan.metrics, "pairs": rows}), end="")
        return 0
    console.print(f"{method} on {plan.task.id} of {plan.data.id}, motion {plan.task.motion}", markup=False)
    console.print(f"metrics: {', '.join(plan.metrics)}", markup=False)
    console.print(f"{len(rows)} of {len(plan.pairs)} pairs, each with a video <pair>.mkv:", markup=False)
    for row in rows:
        console.print(f"  {row['pair']}{'' if row['target'] else '  (no target)'}", markup=False)
    return 0
