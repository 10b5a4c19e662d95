"""`validate`: checks a data folder, a folder of videos, a result, or an entry of a leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toonbench.commands.evaluate import Outputs, What, make_plan
from toonbench.commands.shared import Folder, Terminal
from toonbench.text import one_line
from toonbench.types import Pair, Rows, ToonbenchError

if TYPE_CHECKING:
    from toonbench.lint import Finding
    from toonbench.score.reading import Reading

NUMBERS = ("value", "low", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of a check: what was checked, its problems, the linter's findings, how videos were read, and what was not checked."""

    about: str
    problems: Sequence[str]
    findings: Sequence[Finding] = ()
    notes: Sequence[str] = ()
    unchecked: Sequence[str] = ()

    @property
    def warnings(self) -> list[str]:
        """The linter's findings that do not prevent scoring. The other findings are listed as problems, one for each file."""
        return [finding.message for finding in self.findings if finding.severity == "warning"]


def validate(
    path: str, *, what: What | None = None, outputs: Outputs | None = None, terminal: Terminal | None = None
) -> int:
    """Check a data folder, a folder of videos for a task, a result, or an entry of a leaderboard.

    Parameters
    ----------
    path
        A data set's folder or name, also hf:ORG/NAME@REV, a folder of videos (checked against --task and --data), a run's folder, a
        result.json, or an entry of a leaderboard.
    """
    from toonbench.data import is_plain_folder, shipped
    from toonbench.data.folder import hidden_by_shipped, locate
    from toonbench.hub.address import is_address
    from toonbench.leaderboard import is_entry

    terminal = terminal or Terminal()
    if note := hidden_by_shipped(path):
        terminal.message(note)
    place = locate(path) if is_address(path) else shipped().get(path, Path(path))
    if not place.exists():
        raise ToonbenchError(
            f"{place} does not exist: give a data folder, a shipped data set ({', '.join(shipped())}), a folder of videos, "
            "a run's folder or a result.json"
        )
    if is_entry(place):
        report = _entry(place)
    elif place.name == "result.json" or (place / "run.json").exists():
        report = _result(place if place.is_file() else place / "result.json")
    elif place.is_file():
        raise ToonbenchError(f"{place} cannot be checked: give a folder or a result.json")
    elif (place / "metadata.parquet").exists() or is_plain_folder(place):
        report = _data(place, (what or What()).folder, terminal)
    else:
        report = _videos(place, what or What(), outputs or Outputs(), terminal)
    _print(report, place, terminal=terminal)
    return 1 if report.problems else 0


def _print(report: Report, path: Path, *, terminal: Terminal) -> None:
    """Print a report, one line for each remark."""
    from toonbench.report.grouping import problem_lines

    console = terminal.start()
    if terminal.json:
        from toonbench.store import to_json

        fields = {"problems": report.problems, "warnings": report.warnings, "unchecked": report.unchecked}
        found = [asdict(finding) for finding in report.findings]
        about = {"path": str(path), "about": report.about, "notes": report.notes}
        console.out(to_json({**about, "findings": found, **fields}), end="")
        return
    lines = [f"{path}: {report.about}", *(f"  {note}" for note in report.notes)]
    lines += [f"  {problem}" for problem in problem_lines(report.problems)]
    lines += [f"  not checked: {one}" for one in report.unchecked]
    lines.append("no problem found" if not report.problems else _counted(len(report.problems), "problem"))
    if report.warnings:
        lines.append(f"{_counted(len(report.warnings), 'warning')} (see docs/lint.md):")
    lines += [f"  {warning}" for warning in report.warnings]
    for line in lines:
        console.print(one_line(line), soft_wrap=True)


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _data(root: Path, folder: Folder, terminal: Terminal) -> Report:
    """Decode every clip and compare it with its row of the table."""
    from toonbench.commands.shared import open_data
    from toonbench.data.clips import decoded_frames, read_source
    from toonbench.data.folder import file_sha256

    data = open_data(str(root.absolute()), terminal=terminal, folder=folder, silent=True)  # never a shipped set's name
    problems: list[str] = []
    clips = [*data.clips, *data.targets.values()]
    with terminal.progress("reading clips") as on_progress:
        for done, clip in enumerate(clips, start=1):
            try:
                found = 1 if clip.kind == "image" and read_source(clip).size else decoded_frames(clip)
                if clip.frames and found != clip.frames:
                    problems.append(f"{clip.id}: {found} frames, its row of the table has {clip.frames}")
                if clip.sha256 and file_sha256(clip.path) != clip.sha256:
                    problems.append(f"{clip.id}: {clip.path} does not have its checksum (it was changed or is damaged)")
            except ToonbenchError as error:
                problems.append(str(error))
            on_progress(done, len(clips))
    about = f"data set of {len(data.clips)} clips and {len(data.targets)} targets"
    return Report(about=about, problems=problems, notes=data.notes)


def _videos(root: Path, what: What, outputs: Outputs, terminal: Terminal) -> Report:
    """Check that every pair of the task has a video with the driving video's length and the source's size; then run the linter."""
    from toonbench import lint
    from toonbench.score.choice import find_videos

    plan = make_plan(what, metrics=None, terminal=terminal)
    found = find_videos(root, plan.pairs, plan.named, how=outputs.how, pool=terminal.pool(what.processes, reads=[root]))
    problems = [f"{name} does not have the name of a pair of {plan.task.id}" for name in found.about["unassigned"]]
    rows: dict[str, Rows] = {}
    with terminal.progress("reading videos") as on_progress:
        for done, pair in enumerate(plan.pairs, start=1):
            if pair.id not in found.readings:
                problems.append(f"{pair.id}: no video")
                continue
            try:
                rows[pair.id] = _lint_row(pair, found.readings[pair.id], problems=problems)
            except ToonbenchError as error:
                problems.append(str(error))
            on_progress(done, len(plan.pairs))
    return Report(
        about=f"{found.line}; {plan.task.id} on {plan.data.id}",
        problems=problems,
        notes=found.notes,
        findings=lint.findings(rows),
    )


def _lint_row(pair: Pair, made: Reading, *, problems: list[str]) -> Rows:
    """Read a video once, check its size and length, and return the linter's row. The memory is that of a chunk of frames."""
    from toonbench.data.clips import read_source
    from toonbench.score import PairLinter, Parts

    source = read_source(pair.source)
    parts, linter = Parts(pair, made, source=source), PairLinter(pair, made, source=source)
    for chunk in parts.chunks():
        linter.add(chunk)
    height, width, _ = source.shape
    expected = pair.driving.frames or parts.frames
    if (parts.frames, *parts.size) != (expected, height, width):
        problems.append(
            f"{made.path.name}: {parts.frames} frames of {parts.size[1]}x{parts.size[0]}, "
            f"expected {expected} of {width}x{height}"
        )
    return linter.row()


def _entry(root: Path) -> Report:
    """Check an entry of a leaderboard by its own files alone."""
    from toonbench.leaderboard import check_entry

    found = check_entry(root)
    return Report(about="entry of a leaderboard", problems=found.problems, unchecked=found.unchecked)


def _result(path: Path) -> Report:
    """Check a result's fields, and compute it again from its run's rows if these are in the same folder."""
    from toonbench.score.recount import recount
    from toonbench.score.stored import request_problems, shape_problems, unchanged
    from toonbench.store import read_json

    result = read_json(path)
    if problems := shape_problems(result):
        return Report(about="not a result", problems=problems)
    for row in result["results"]:
        value, low, high = (row[key] for key in NUMBERS)
        if None not in (value, low, high) and not low <= value <= high:
            problems.append(f"{row['metric']}: the value {value} is outside its interval")
        if not 0 <= row["coverage"] <= 1 or not 0 <= row["missing"] <= row["pairs"]:
            problems.append(
                f"{row['metric']}: coverage {row['coverage']} or {row['missing']} of {row['pairs']} missing is impossible"
            )
    made = recount(path.parent, result)
    problems += [*request_problems(path.parent, result), *made.problems]
    problems += [] if problems else unchanged(result)  # what differs is known otherwise
    about = f"{result['method']} on {result['task']} of {result['data']}, {result['pairs']} pairs"
    return Report(about=about, problems=problems, unchecked=made.unchecked)
