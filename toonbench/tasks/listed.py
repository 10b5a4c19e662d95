"""A task of one's own: a task's rules with the pairs of a list, such as a published one.

The list is a CSV file with the columns `source` and `driving`: ids of clips, or names of the user's own files. Rows may have two fields
under a header of more, as in public lists of pairs; they are then the source and the driving video in the order of the header.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from toonbench.store import method_name
from toonbench.tasks.draw import Targets
from toonbench.types import Clip, Pair, Task, ToonbenchError

MARK = "+"  # between the name of the task and that of the list
FEW = 5  # unknown names that an error lists
SOURCES = ("source", "source_id", "source_image", "src")
DRIVING = ("driving", "driving_id", "driving_video", "drv")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the list, by its line in the file."""

    line: int
    source: str
    driving: str


def is_listed(task: str) -> bool:
    """Whether a task's name is that of a task with a list of pairs."""
    return MARK in task


def listed_task(task: Task, path: Path, *, clips: Sequence[Clip], targets: Targets) -> tuple[Task, list[Pair]]:
    """The task with the pairs of the list in the file `path`; its name has the file's name and a checksum of the pairs.

    Raises ToonbenchError for a file that is no list, and for names that no clip or several clips have.
    """
    pairs = _pairs(task, read_rows(path), path=path, clips=clips, targets=targets)
    lines = "".join(f"{pair.source.id}|{pair.driving.id}\n" for pair in pairs)
    name = f"{task.name}{MARK}{method_name(path.stem)[:40]}-{hashlib.sha256(lines.encode()).hexdigest()[:8]}"
    return replace(task, name=name), pairs


def read_rows(path: Path) -> list[Row]:
    """The rows of a list of pairs. Raises ToonbenchError if it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise ToonbenchError(f"--pairs {path} cannot be read ({reason}): give a CSV file") from error
    lines = [
        (at, [cell.strip() for cell in row])
        for at, row in enumerate(csv.reader(text.splitlines()), start=1)
        if any(row)
    ]
    header = [cell.lower() for cell in lines[0][1]] if lines else []
    source, driving = (next((header.index(one) for one in names if one in header), -1) for names in (SOURCES, DRIVING))
    if source < 0 or driving < 0:
        found = ", ".join(header)[:80] or "nothing"
        raise ToonbenchError(f"--pairs {path}: its first line is {found}; it needs the columns source and driving")
    return [_row(line, cells, path=path, at=(source, driving), width=len(header)) for line, cells in lines[1:]]


def _row(line: int, cells: list[str], *, path: Path, at: tuple[int, int], width: int) -> Row:
    if len(cells) == 2 < width:
        source, driving = cells if at[0] < at[1] else reversed(cells)
    elif len(cells) > max(at):
        source, driving = cells[at[0]], cells[at[1]]
    else:
        source = driving = ""
    if not (source and driving):
        raise ToonbenchError(f"--pairs {path}, line {line}: no source or no driving video; write two names in each row")
    return Row(line, source, driving)


def _pairs(task: Task, rows: Sequence[Row], *, path: Path, clips: Sequence[Clip], targets: Targets) -> list[Pair]:
    sources = [clip for clip in clips if clip.domain == task.source]
    videos = [clip for clip in clips if clip.domain == task.driving and clip.kind == "video"]
    source_of = _resolved({row.source for row in rows}, sources, path=path, what=f"{task.source} source")
    driving_of = _resolved({row.driving for row in rows}, videos, path=path, what=f"{task.driving} driving video")
    pairs: dict[tuple[str, str], Pair] = {}
    for row in rows:
        source, driving = source_of[row.source], driving_of[row.driving]
        if (source.id, driving.id) in pairs:
            raise ToonbenchError(
                f"--pairs {path}, line {row.line}: {source.id} and {driving.id} are listed twice; keep one"
            )
        if task.images == 0 and source.id != driving.id:
            raise ToonbenchError(
                f"--pairs {path}, line {row.line}: {task.id} takes one clip as source and driving video, not {row.source} and {row.driving}"
            )
        pairs[source.id, driving.id] = _pair(task, source, driving, targets)
    if not pairs:
        raise ToonbenchError(f"--pairs {path}: it has no rows; write one for each pair")
    return [*pairs.values()]


def _pair(task: Task, source: Clip, driving: Clip, targets: Targets) -> Pair:
    if source.id == driving.id:
        identifier = driving.id if task.images == 0 else f"{source.id}~{driving.id}"
        return Pair(id=identifier, source=source, driving=driving, target=driving)
    target = targets.get((source.id, driving.id, task.motion))
    return Pair(id=f"{source.id}~{driving.id}", source=source, driving=driving, target=target)


def _resolved(names: Iterable[str], clips: Sequence[Clip], *, path: Path, what: str) -> Mapping[str, Clip]:
    """The clip of each name. Raises ToonbenchError that lists unknown names with near ones, and for a name of several clips."""
    found: dict[str, list[Clip]] = {}
    for clip in clips:
        for name in clip_names(clip):
            found.setdefault(name, []).append(clip)
    unknown = sorted(name for name in names if _nfc(name) not in found)
    if unknown:
        lines = [f"  {name}{_near(name, found)}" for name in unknown[:FEW]]
        rest = [f"  and {len(unknown) - FEW} more"] if len(unknown) > FEW else []
        raise ToonbenchError(
            "\n".join([f"--pairs {path}: {len(unknown)} names are no {what} of the data:", *lines, *rest])
        )
    for name in names:
        own = sorted({clip.id for clip in found[_nfc(name)]})
        if len(own) > 1:
            raise ToonbenchError(f"--pairs {path}: {name} can be {own[0]} or {own[1]}: write the id")
    return {name: found[_nfc(name)][0] for name in names}


def _near(name: str, found: Iterable[str]) -> str:
    near = difflib.get_close_matches(_nfc(name), [*found], n=2, cutoff=0.6)
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def clip_names(clip: Clip) -> set[str]:
    """The names by which a clip may be called: its id, its file, and the user's own file with and without its folders."""
    names = {clip.id, clip.path.name, clip.path.stem}
    if clip.original:
        path = PurePosixPath(clip.original)
        inner = path.parts[1:] or path.parts
        for parts in (inner, (*inner[:-1], path.stem)):
            names |= {parts[-1], *(joint.join(parts) for joint in ("/", "--", "_", "-"))}
        names |= {str(path), str(path.with_suffix(""))}
    return {_nfc(name) for name in names}


def _nfc(text: str) -> str:
    """One form for names that look the same."""
    return unicodedata.normalize("NFC", text)
