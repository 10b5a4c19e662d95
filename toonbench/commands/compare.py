"""`compare`: which scored method is better, by how much, and whether the difference is significant."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from toonbench.commands.shared import DATA, Names, Terminal


def compare(
    *methods: str,
    task: str | None = None,
    data: str = DATA,
    out: Path = Path("runs"),
    metrics: Names = None,
    terminal: Terminal | None = None,
) -> int:
    """Compare scored methods on the same pairs: which is better, by how much, and is the difference significant?

    Every two methods are compared; their order only sets the sign. Each difference has an interval, a p-value (randomisation of
    whole driving videos, Holm's correction over the comparisons of the same metric) and the smallest difference that could be
    detected. Methods that do not differ significantly share a rank. See docs/compare.md.

    Parameters
    ----------
    methods
        Two or more: names of methods with a run in OUT, `name@revision` where a method has several runs, or run folders.
    task
        The task of the runs; real2cartoon by default.
    data
        The data set of the runs, written as for `eval`.
    out
        The folder of the runs: OUT/<data>/<task>/<method>.
    metrics
        Only these metrics; by default all metrics that every method has rows of.
    """
    from toonbench.data import DEFAULT_DATA
    from toonbench.evaluate import compare as compare_methods
    from toonbench.report.comparison import print_comparison
    from toonbench.store import to_json

    terminal = terminal or Terminal()
    found = compare_methods(*methods, task=task, data=data or DEFAULT_DATA, out=out, metrics=metrics)
    console = terminal.start()
    if terminal.json:
        console.out(to_json(asdict(found)), end="")
    else:
        print_comparison(console, found)
    return 0
