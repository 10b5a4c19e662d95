"""`submit`, `leaderboard`, `export`: results to entries of a leaderboard, their tables, and other formats."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from toonbench.commands.shared import Paths, Terminal
from toonbench.commands.values import between
from toonbench.types import ToonbenchError

Format = Literal["terminal", "md", "latex", "csv", "html"]
Relationship = Literal["first_party", "third_party", "collaborative", "other"]


def submit(
    *runs: Path,
    to: Path = Path("leaderboards"),
    about: str = "",
    paper: str = "",
    code: str = "",
    licence: str = "",
    replace: Annotated[bool, Parameter(negative="")] = False,
    rows_kb: Annotated[int, between(1, 60_000)] = 256,
    terminal: Terminal | None = None,
) -> int:
    """Write the entry of a run for a leaderboard: its result, table, request and rows, checked before it is written.

    Refused with the reason: runs of uncommitted code, with --limit, with pairs that were never generated, whose numbers do not follow
    from their rows, or on other pairs than the entries of the same task. See docs/leaderboard.md.

    Parameters
    ----------
    runs
        Folders of scored runs: OUT/<data>/<task>/<method>@<revision>. The facts below are those of all of them.
    to
        The folder of the leaderboards.
    about
        One sentence about the method; by default the first line of its documentation, if it is a registered one.
    paper
        A link to its paper.
    code
        A link to its code.
    licence
        The licence of its code and weights.
    replace
        Replace an entry of the same revision.
    rows_kb
        Most kilobytes of rows; larger rows are left out, and the entry lists them.
    """
    from toonbench.leaderboard import Facts, Submitted
    from toonbench.leaderboard import submit as write_entry

    terminal = terminal or Terminal()
    if not runs:
        raise ToonbenchError("no run is given: give the folder of a scored run, OUT/<data>/<task>/<method>@<revision>")
    console, done = terminal.start(), list[Submitted]()
    for run in runs:
        method = _registered(run)
        facts = Facts(about=about or _first_line(method), paper=paper, code=code, licence=licence)
        command = _command(run, method)
        one = write_entry(run, to, facts=facts, command=command, replace=replace, limit=rows_kb * 1024)
        done.append(one)
        if not terminal.json:
            console.print(f"{one.folder}: {'written' if one.new else 'unchanged'}", soft_wrap=True, markup=False)
            for name, reason in one.left_out.items():
                console.print(f"  without rows of {name}: {reason}", soft_wrap=True, markup=False)
    if terminal.json:
        from toonbench.store import to_json

        console.out(to_json([{"entry": d.folder, "new": d.new, "left_out": dict(d.left_out)} for d in done]), end="")
    return 0


def _registered(run: Path) -> Any:
    """The class of the run's method, if it is a registered one, or None."""
    from toonbench import registry

    name = run.resolve().name.rpartition("@")[0]
    return registry.load("methods", name) if name in registry.names("methods") else None


def _first_line(method: Any) -> str:
    return (getattr(method, "__doc__", None) or "").strip().partition("\n")[0]


def _command(run: Path, method: Any) -> str:
    """The command that makes the run of a registered method again; empty for other runs."""
    from toonbench.data import shipped
    from toonbench.score import read_object

    if method is None or not (run / "run.json").is_file():
        return ""
    request = read_object(run / "run.json")
    if request.get("device") == "given videos":
        return ""
    name, task, seed = run.resolve().name.rpartition("@")[0], str(request.get("task")), request.get("seed")
    data = request.get("data") if request.get("data") in shipped() else "DIR"
    file = (request.get("checkpoint") or {}).get("file", "")
    place = Path(inspect.getfile(method)).parent / "weights" / file
    checkpoint = f" --checkpoint {file}" if file and not place.is_file() else ""  # bundled weights need no option
    return f"toonbench eval --method {name}{checkpoint} --task {task.partition('@')[0]} --data {data}" + (
        f" --seed {seed}" if seed else ""
    )


def leaderboard(
    *places: Path,
    update: Paths = None,
    form: Annotated[Format, Parameter(name="--format")] = "terminal",
    terminal: Terminal | None = None,
) -> int:
    """Print the tables of leaderboards, or write them into documents.

    Best values are bold where the paired test separates methods (docs/compare.md). Dummies are listed apart and have no ranks.

    Parameters
    ----------
    places
        Entries, or folders above them; by default leaderboards.
    update
        Markdown documents whose parts between <!-- leaderboard TASK METRIC... --> and <!-- end --> are written again.
    form
        terminal, md, latex, csv or html.
    """
    from toonbench.leaderboard.tables import board_tables, refreshed, unpacked
    from toonbench.report.writers import TEXTS
    from toonbench.report.writers.terminal import print_tables
    from toonbench.store import write_bytes

    console = (terminal or Terminal()).start()
    with unpacked(places or [Path("leaderboards")]) as entries:
        for document in update or ():
            before = document.read_text(encoding="utf-8")
            if (after := refreshed(before, entries)) != before:
                write_bytes(document, after.encode())
            console.print(f"{document}: {'unchanged' if after == before else 'written'}", markup=False, soft_wrap=True)
        if update:
            return 0
        tables = board_tables(entries)
    if form == "terminal":
        print_tables(console, tables)
    else:
        console.out(TEXTS[form](tables), end="")
    return 0


def export(
    *runs: Path,
    out: Path,
    every_eval_ever: Annotated[bool, Parameter(negative="")] = False,
    schema: Path | None = None,
    organization: str = "unknown",
    relationship: Relationship = "other",
    moment: Annotated[int | None, between(0)] = None,
    terminal: Terminal | None = None,
) -> int:
    """Write results as JSON records of another format: --every-eval-ever, schema 0.2.0.

    The official schema of this format is not part of toonbench. Give its file as --schema to check records by it; without it they are
    checked by our own list of its fields. See docs/leaderboard.md.

    Parameters
    ----------
    runs
        Folders of scored runs or of entries, or folders above them.
    out
        The folder to write to: OUT/<data>/<method>@<revision>/<uuid>.json.
    every_eval_ever
        The format; it is the only one, and must be given.
    schema
        The official file `eval.schema.json` of the format.
    organization
        Who ran the evaluation.
    relationship
        What this is to the authors of the method.
    moment
        Seconds since 1970 that the records carry; by default now. Equal moments give equal files.
    """
    import time

    from toonbench.leaderboard import every_eval_ever as form
    from toonbench.leaderboard.schema import problems, read_schema
    from toonbench.store import write_json

    terminal = terminal or Terminal()
    if not every_eval_ever:
        raise ToonbenchError("which format? give --every-eval-ever, the only one so far")
    rule = read_schema(schema) if schema else form.SHAPE
    at = int(time.time()) if moment is None else moment
    roots, refused = form.sound_results(runs)
    for root, reason in refused.items():
        terminal.message(f"not exported: {root}: {reason}")
    written: list[Path] = []
    for root in roots:
        found = form.record(root, organization=organization, moment=at, relationship=relationship)
        if wrong := problems(found, rule):
            raise ToonbenchError(f"the record of {root} does not fit {schema or 'our list of fields'}: {wrong[0]}")
        written.append(out / form.file_name(found))
        write_json(written[-1], found)
    if not written:
        raise ToonbenchError("nothing was exported: give folders of runs that are scored completely")
    by = (
        f"{schema}"
        if schema
        else "our own list of the format's fields, not by the official schema (give it as --schema FILE)"
    )
    what = f"{len(written)} record{'' if len(written) == 1 else 's'}"
    terminal.start().print(f"{what} in {out}, checked by {by}", soft_wrap=True, markup=False)
    return 0
