"""`check`: whether a metric, method or task keeps the laws that the benchmark relies on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from toonbench.commands.shared import Terminal
from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from rich.console import Console

    from toonbench.testing import Outcome

MARKS = {
    "passed": "passed        ",
    "failed": "FAILED        ",
    "does not apply": "does not apply",
    "not checked": "not checked   ",
}


def check(
    *names: Annotated[str, Parameter(negative="")],
    device: str = "cpu",
    checkpoint: Path | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Check metrics, methods and tasks: one line for each law that they must keep. Exits with 1 if a law is broken.

    If a basic law is broken (rows of the wrong type, inputs that are changed), the laws that rely on it are not checked.

    Parameters
    ----------
    names
        Registered names, `module:Class`, TOML files of programs, or installed packages (for all that they register).
    device
        Where networks run: cpu or cuda.
    checkpoint
        A checkpoint file for the methods.
    """
    from toonbench.store import to_json
    from toonbench.testing import Setting, find
    from toonbench.testing import check as laws_of

    terminal = terminal or Terminal()
    if not names:
        raise ToonbenchError("check needs a name: a metric, method or task, module:Class, or an installed package")
    console = terminal.start()
    setting = Setting(device=device, checkpoint=checkpoint)
    checked: list[dict[str, Any]] = []
    for plugin in [plugin for name in names for plugin in find(name)]:
        if not terminal.json:
            console.out(f"{plugin.kind} {plugin.name}", highlight=False)
        found = [_shown(one, console, terminal=terminal) for one in laws_of(plugin, setting=setting)]
        checked.append({"kind": plugin.kind, "name": plugin.name, "laws": found})
    failed = sum(law["status"] == "failed" for one in checked for law in one["laws"])
    if terminal.json:
        console.out(to_json({"checked": checked, "failed": failed}), end="")
    else:
        console.out(_summary(checked), highlight=False)
    return 1 if failed else 0


def _shown(outcome: Outcome, console: Console, *, terminal: Terminal) -> dict[str, str]:
    """Print one law, unless it holds and the user wants errors only; return it as data."""
    if not terminal.json and (outcome.status in ("failed", "not checked") or not terminal.quiet):
        law = outcome.law if outcome.status == "passed" else f"{outcome.law.rstrip('.')}: {outcome.why}"
        console.out(f"  {MARKS[outcome.status]}  {law}", highlight=False)
    return {"law": outcome.law, "status": outcome.status, "why": outcome.why}


def _summary(checked: list[dict[str, Any]]) -> str:
    """How many laws passed, failed and do not apply, over everything that was checked."""
    every = [law["status"] for one in checked for law in one["laws"]]
    counts = {status: every.count(status) for status in MARKS}
    apply = "1 does not apply" if counts["does not apply"] == 1 else f"{counts['does not apply']} do not apply"
    return f"{counts['passed']} passed, {counts['failed']} failed, {apply} ({len(checked)} checked)"
