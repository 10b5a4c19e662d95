"""`compare`: which scored method is better, and by how much more than chance."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from toonbench.commands.shared import DATA, Names, Talk


def compare(
    *methods: str,
    task: str | None = None,
    data: str = DATA,
    out: Path = Path("runs"),
    metrics: Names = None,
    talk: Talk | None = None,
) -> int:
    """Compare scored methods on the same pairs: which is better, by how much, and is it more than chance?

    Each two methods are compared; the order only sets the sign. Differences have intervals, p-values (sign flips of whole driving
    videos, Holm over the methods), the difference that could have been detected; and methods share ranks. See docs/compare.md.

    Parameters
    ----------
    methods
        Two or more: names of methods with a run in OUT, `name@revision` where there are several, or run folders.
    task
        Which task's runs: real2cartoon by default.
    data
        Which data set's runs, as `eval` takes it.
    out
        Where the runs are: OUT/<data>/<task>/<method>.
    metrics
        Only these metrics; by default all that every method has rows of.
    """
    from toonbench.data import DEFAULT_DATA
    from toonbench.evaluate import compare as compare_methods
    from toonbench.report.comparison import print_comparison
    from toonbench.store import to_json

    talk = talk or Talk()
    found = compare_methods(*methods, task=task, data=data or DEFAULT_DATA, out=out, metrics=metrics)
    console = talk.start()
    if talk.json:
        console.out(to_json(asdict(found)), end="")
    else:
        print_comparison(console, found)
    return 0
