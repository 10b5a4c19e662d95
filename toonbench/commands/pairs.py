"""`pairs`: the pairs of a task in the form that a tool needs, with the prepared clips as files that it reads."""

from __future__ import annotations

import csv
import io
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from toonbench.commands.evaluate import What, make_plan
from toonbench.commands.shared import DATA, Folder, Limit, Seed, Terminal, export_clips
from toonbench.text import one_line
from toonbench.types import Clip, Pair, ToonbenchError

if TYPE_CHECKING:
    from toonbench.evaluate import Plan

Form = Literal["liveportrait", "csv", "json"]
COLUMNS: tuple[str, ...] = ("pair", "source", "driving", "source_file", "driving_file", "target_file")
READS = (".mp4", ".mov", ".avi", ".png", ".jpg", ".jpeg")  # suffixes that LivePortrait accepts


def pairs(
    *,
    task: str = "real2cartoon",
    data: str = DATA,
    pairs: Path | None = None,
    limit: Limit = None,
    seed: Seed = 0,
    folder: Folder | None = None,
    form: Annotated[Form, Parameter(name="--for")] = "csv",
    export: Path | None = None,
    to: Path | None = None,
    terminal: Terminal | None = None,
) -> int:
    """List the pairs of a task for running a tool on exactly these pairs; `toonbench score --videos` then scores its output.

    Parameters
    ----------
    task
        The task that draws the pairs: see `toonbench list tasks`.
    data
        A shipped data set, a data set's folder, or a plain folder.
    pairs
        A CSV file with the columns source and driving: these pairs instead of those that the task draws.
    limit
        Only the first N pairs.
    seed
        The seed for drawing the pairs.
    form
        csv, json, or liveportrait: a shell script that runs LivePortrait on every pair.
    export
        Write the pairs' clips into this folder, as lossless MP4 and PNG named by their ids, and list these files.
    to
        Write the list to this file instead of printing it.
    """
    from toonbench.store import write_bytes

    terminal = terminal or Terminal()
    what = What(task=task, data=data, pairs=pairs, limit=limit, seed=seed, folder=folder or Folder())
    plan = make_plan(what, metrics=None, terminal=terminal)
    rows = [_row(pair, export) for pair in plan.pairs]
    if form == "liveportrait":
        _check_readable(rows)
    if export is not None:
        clips = {clip.id: clip for pair in plan.pairs for clip in (pair.source, pair.driving)}
        export_clips([*clips.values()], export, terminal=terminal)
    text = {"csv": _csv, "json": _json, "liveportrait": _liveportrait}["json" if terminal.json else form](plan, rows)
    if to is None:
        terminal.start().out(text, end="")
        return 0
    write_bytes(to, text.encode(errors="surrogateescape"))  # file names as they are
    terminal.message(f"written: {to}, {len(rows)} pairs")
    return 0


def _row(pair: Pair, export: Path | None) -> dict[str, str]:
    from toonbench.data.export import exported

    def place(clip: Clip) -> str:
        return str((exported(clip, export) if export else clip.path).resolve())

    return {
        "pair": pair.id,
        "source": pair.source.id,
        "driving": pair.driving.id,
        "source_file": place(pair.source),
        "driving_file": place(pair.driving),
        "target_file": str(pair.target.path.resolve()) if pair.target else "",
    }


def _check_readable(rows: list[dict[str, str]]) -> None:
    files = {row[key] for row in rows for key in ("source_file", "driving_file")}
    if unread := sorted(file for file in files if Path(file).suffix.lower() not in READS):
        raise ToonbenchError(
            f"{len(unread)} of {len(files)} clips are in a format that LivePortrait does not read, for example "
            f"{Path(unread[0]).name}: give --export DIR"
        )


def _csv(plan: Plan, rows: list[dict[str, str]]) -> str:
    del plan
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def _json(plan: Plan, rows: list[dict[str, str]]) -> str:
    from toonbench.store import to_json

    return to_json({**plan.about, "pairs": rows})


def _liveportrait(plan: Plan, rows: list[dict[str, str]]) -> str:
    """A shell script. The clips are face crops already, so LivePortrait must not crop them again."""
    motion = "" if plan.task.motion == "relative" else " --no_flag_relative_motion"
    lines = [
        f"# {len(rows)} pairs of {one_line(plan.task.id)} on {one_line(plan.data.id)}. Run it in the folder of LivePortrait: sh THIS_FILE",
        "# Then: toonbench score --videos animations, with the same --task, --data, --pairs and --limit.",
        *(
            f"python inference.py -s {shlex.quote(row['source_file'])} -d {shlex.quote(row['driving_file'])} "
            f"-o animations --no_flag_do_crop{motion}"
            for row in rows
        ),
    ]
    return "\n".join(lines) + "\n"
