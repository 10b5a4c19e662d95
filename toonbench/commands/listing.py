"""`list`: the methods, tasks, metrics and data sets that are available."""

from __future__ import annotations

from typing import Any, Literal

from toonbench.commands.shared import Terminal

_STATES = {"weights": "no weights", "damaged": "damaged weights", "package": "no package"}

What = Literal["methods", "tasks", "metrics", "data"]


def show(what: What, *, terminal: Terminal | None = None) -> int:
    """List methods, tasks, metrics or data.

    Parameters
    ----------
    what
        methods, tasks, metrics or data.
    """
    from rich.table import Table

    from toonbench.report.console import cell
    from toonbench.store import to_json

    terminal = terminal or Terminal()
    rows = {"methods": _methods, "tasks": _tasks, "metrics": _metrics, "data": _data}[what]()
    console = terminal.start()
    if terminal.json:
        console.out(to_json(rows), end="")
        return 0
    table = Table()
    for column in rows[0] if rows else ("nothing",):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(cell, row.values()))
    console.print(table)
    return 0


def _first_line(thing: Any) -> str:
    return (thing.__doc__ or "").strip().partition("\n")[0]


def _methods() -> list[dict[str, Any]]:
    from toonbench import registry

    return [{"method": name, "what": _first_line(registry.load("methods", name))} for name in registry.names("methods")]


def _tasks() -> list[dict[str, Any]]:
    from toonbench import registry

    return [
        {"task": task.id, "what": task.about, "motion": task.motion, "paper": task.paper}
        for task in (registry.load_task(name) for name in registry.names("tasks"))
    ]


def _metrics() -> list[dict[str, Any]]:
    from toonbench import registry
    from toonbench.score import unavailable

    rows: list[dict[str, Any]] = []
    for name in registry.names("metrics"):
        metric = registry.load_metric(name)
        better = "higher" if metric.higher_is_better else "lower"
        needs = ", ".join(sorted(metric.needs)) or "nothing else"
        reason = unavailable(metric)
        state = _STATES[reason.kind] if reason else "available"
        rows.append(
            {
                "metric": registry.metric_id(metric),
                "better": better,
                "needs": needs,
                "state": state,
                "what": _first_line(metric),
            }
        )
    return rows


def _data() -> list[dict[str, Any]]:
    from toonbench.data import load, shipped

    rows: list[dict[str, Any]] = []
    for name, root in shipped().items():
        data = load(root)
        kinds = [f"{clip.domain} {clip.kind}" for clip in data.clips]
        counts = ", ".join(f"{kinds.count(kind)} {kind}s" for kind in sorted(set(kinds)))
        rows.append({"data": name, "clips": counts, "targets": len(data.targets), "folder": str(root)})
    return rows
