"""Print results to the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toonbench.report.grouping import failure_lines
from toonbench.types import Result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from toonbench.score import Scores, Skip
    from toonbench.store import Run


def print_scores(console: Console, scores: Scores, *, run: Run, metrics: list[str], as_json: bool, title: str) -> None:
    """Print the results in the order of `metrics`, the skipped metrics, the failures, and the paths of the files."""
    if as_json:
        console.out(run.result.read_text(encoding="utf-8"), end="")
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from toonbench.report.console import cell

    table = Table(
        title=cell(title, "bold"), title_justify="left", box=SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False
    )
    for column, justify in (
        ("metric", "left"),
        ("value", "right"),
        ("95 % interval", "right"),
        ("pairs", "right"),
        ("videos", "right"),
        ("missing", "right"),
        ("coverage", "right"),
    ):
        table.add_column(column, justify=justify)  # pyright: ignore[reportArgumentType]
    cells = {result.metric: _cells(result) for result in scores.results}
    for name in sorted(cells, key=lambda name: metrics.index(name) if name in metrics else len(metrics)):
        table.add_row(*map(cell, cells[name]))
    console.print(table)
    for line in _left_out(scores.skipped):
        console.print(line, markup=False, soft_wrap=True)
    for result in scores.results:
        if result.details:
            details = ", ".join(f"{what} {_amount(value)}" for what, value in result.details.items())
            console.print(f"{result.metric}: {details}", markup=False, soft_wrap=True)
    for note in dict.fromkeys(note for result in scores.results for note in result.notes):
        console.print(note, markup=False, soft_wrap=True)
    print_failures(console, scores.failures, pairs=scores.pairs)
    warnings = [
        one for one in scores.warnings if not (scores.failures and one.severity == "error")
    ]  # listed as failures
    if warnings:
        console.print("warnings of the linter (explained in docs/lint.md):", style="yellow", markup=False)
    for finding in warnings:
        console.print(f"  {finding.message}", markup=False, soft_wrap=True)
    for caveat in scores.caveats:
        console.print(caveat, style="dim", markup=False, soft_wrap=True)
    console.print(f"written: {run.scores} and {run.result.name}", markup=False, soft_wrap=True)


def _left_out(skipped: Mapping[str, Skip]) -> list[str]:
    """Why metrics were skipped, one line for each reason; metrics without weights share a line with one command."""
    without_weights = [name for name, skip in skipped.items() if skip.kind == "weights"]
    if len({skipped[name].missing for name in without_weights}) < 2:
        without_weights = []
    others = {name: skip.reason for name, skip in skipped.items() if name not in without_weights}
    lines = [f"{', '.join(n for n in others if others[n] == why)}: {why}" for why in dict.fromkeys(others.values())]
    if without_weights:
        command = f"toonbench weights fetch --for {' '.join(name.partition('@')[0] for name in without_weights)}"
        lines.append(f"{', '.join(without_weights)}: skipped, their weights are missing: run {command}")
    return lines


def print_failures(console: Console, failures: dict[str, str], *, pairs: int) -> None:
    """Print how many pairs failed and why, one line for each kind of reason."""
    if not failures:
        return
    console.print(f"{len(failures)} of {pairs} pairs failed:", style="red", markup=False)
    for line in failure_lines(failures, pairs=pairs):
        console.print(f"  {line}", markup=False, soft_wrap=True)


def _cells(result: Result) -> tuple[str, ...]:
    arrow = "↑" if result.higher_is_better else "↓"
    interval = "—" if result.low != result.low else f"{_number(result.low)} … {_number(result.high)}"
    value = "—" if result.value != result.value else _number(result.value)
    return (
        f"{result.metric} {arrow}",
        value,
        interval,
        str(result.pairs),
        str(result.clusters),
        str(result.missing),
        f"{result.coverage:.0%}",
    )


def _amount(value: float) -> str:
    return "—" if value != value else f"{value:.0f}" if value == round(value) else _number(value)


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4f}"
