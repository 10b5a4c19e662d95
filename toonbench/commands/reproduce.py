"""`reproduce`: run what a table of the paper needs, then print the table."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from toonbench.commands.shared import DATA, Limit, Processes, Seed, Terminal
from toonbench.commands.table import Format, show
from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from rich.console import Console

    from toonbench.reproduce import Reproduction, Step

PREFIX = "table"


def reproduce(
    name: str,
    *,
    data: str = DATA,
    weights: Path | None = None,
    out: Path = Path("runs"),
    limit: Limit = None,
    seed: Seed = 0,
    device: str = "auto",
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    form: Annotated[Format, Parameter(name="--format")] = "terminal",
    processes: Processes | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Run what a table of the paper needs and is not stored yet, then print the table as `toonbench table` does.

    FOMM, LIA and DaGAN run with fine-tuned weights for Tables 1 and 4, with official ones for Tables 2 and 3: another kind is refused.
    An interrupted call resumes. docs/reproducing.md explains the names of the files in --weights.

    Parameters
    ----------
    name
        table1 to table7.
    data
        The data set: its name, or its folder.
    weights
        The folder of checkpoints: toontalker.pt, official/vox.pt, fine-tuned/lia.pt, ...
    out
        Runs are stored in OUT/<data>/<task>/<method>.
    limit
        Only the first N pairs of each task.
    seed
        The seed for drawing the pairs.
    device
        The device of the networks: auto, cpu, cuda or mps.
    dry_run
        Print the runs with their state and an estimate of the time, without running anything.
    form
        The format of the table: terminal, md, latex, csv or html.
    """
    from toonbench.reproduce import plan_table

    terminal = terminal or Terminal()
    number = name.removeprefix(PREFIX)
    made = plan_table(number, data=data, weights=weights, out=out, limit=limit, seed=seed)
    if dry_run:
        return _show_plan(made, terminal=terminal)
    failed = _run(made, out, weights=weights, device=device, processes=processes or Processes(), terminal=terminal)
    return _show_table(made, out, data=data, form=form, terminal=terminal) or int(bool(failed))


def _run(
    made: Reproduction, out: Path, *, weights: Path | None, device: str, processes: Processes, terminal: Terminal
) -> list[Step]:
    """Run the steps that have something to run; a step that fails is reported, and the others go ahead. Returns the failed ones."""
    from toonbench.environment import pick_device
    from toonbench.evaluate import evaluate_run

    failed: list[Step] = []
    for step in made.steps:
        if not step.runs:
            reason = f": {step.reason}" if step.reason else ""
            terminal.message(f"{step.name} on {step.task}: {step.state}{reason}")
            continue
        terminal.message(f"{step.name} on {step.task}: {step.pairs - step.videos} of {step.pairs} videos to generate")
        plan = made.plans[step.task]
        reads = [plan.data.root, *([weights] if weights else [])]
        pool = terminal.pool(processes, device=pick_device(device), writes=[out], reads=reads)
        try:
            evaluate_run(plan, step.method, pool=pool, checkpoint=step.checkpoint)
        except ToonbenchError as error:
            terminal.message(f"{step.name} on {step.task} failed: {error}")
            failed.append(step)
    return failed


def _show_table(made: Reproduction, out: Path, *, data: str, form: Format, terminal: Terminal) -> int:
    from toonbench.report.entries import find_entries
    from toonbench.report.paper_cells import Request
    from toonbench.report.paper_tables import paper_tables
    from toonbench.report.task_runs import references_of

    data_id = next(iter(made.plans.values())).data.id
    entries = [
        entry for entry in (find_entries([out]) if any(out.glob("*/*/*/run.json")) else []) if entry.data == data_id
    ]
    request = Request(entries=entries, data=data, out=out, references=references_of(data))
    return show({made.number: paper_tables(made.number, request)}, form=form, terminal=terminal)


def _show_plan(made: Reproduction, *, terminal: Terminal) -> int:
    from toonbench.store import to_json

    console = terminal.start()
    if terminal.json:
        console.out(to_json([asdict(step) for step in made.steps]), end="")
    else:
        _print_plan(console, made)
    return 0


def _print_plan(console: Console, made: Reproduction) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from toonbench.report.console import cell
    from toonbench.report.writers.terminal import unlimited

    found = Table(box=SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    for column in ("run", "task", "weights", "checkpoint", "state", "videos", "estimate"):
        found.add_column(column, justify="right" if column in ("videos", "estimate") else "left")
    for step in made.steps:
        texts = (
            step.name, step.task, step.weights, step.checkpoint.name if step.checkpoint else "—", step.state,
            f"{step.videos}/{step.pairs}", duration(step.seconds) if step.runs else "—",
        )  # fmt: skip
        found.add_row(*map(cell, texts))
    console.print(cell(f"Table {made.number} of the paper: {len(made.steps)} runs", "bold"))
    with unlimited(console):
        console.print(found)
    for reason in dict.fromkeys(step.reason for step in made.steps if step.reason):
        console.print(reason, soft_wrap=True)
    running = [step for step in made.steps if step.runs]
    if running:
        basis = ", ".join(dict.fromkeys(step.basis for step in running))
        total = duration(sum(step.seconds for step in running))
        console.print(
            f"together about {total}: an estimate from {basis}, and 0.25 s for scoring a frame", soft_wrap=True
        )


def duration(seconds: float) -> str:
    """A rough time in words: 40 s, 12 min, 3.5 h, 2 days."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"
