"""`validate`: whether a data folder, a folder of videos, or a result is what it should be."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from toonbench.commands.evaluate import What, make_plan
from toonbench.commands.shared import Talk
from toonbench.types import Clip, Frames, Pair, Rows, ToonbenchError

if TYPE_CHECKING:
    from toonbench.lint import Finding

log = logging.getLogger(__name__)
NEEDED = ("schema", "data", "task", "method", "results", "failures", "pairs", "pairs_fingerprint")
NUMBERS = ("value", "low", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was looked at, what makes it unusable, what the input linter found, and what could not be checked."""

    about: str
    problems: Sequence[str]
    findings: Sequence[Finding] = ()
    unchecked: Sequence[str] = ()

    @property
    def warnings(self) -> list[str]:
        """Findings that do not keep the videos from being scored; the others stand among the problems, file by file."""
        return [finding.message for finding in self.findings if finding.severity == "warning"]


def validate(path: Path, *, what: What | None = None, talk: Talk | None = None) -> int:
    """Check a data folder, a folder of videos for a task, or a result.

    Parameters
    ----------
    path
        A data set's folder or name, a folder of videos (checked against --task and --data), a run's folder, or a result.json.
    """
    from toonbench.data import is_plain_folder, shipped

    talk = talk or Talk()
    path = path if path.exists() else shipped().get(str(path), path)
    if not path.exists():
        raise ToonbenchError(
            f"{path} does not exist: give a data folder, a shipped data set ({', '.join(shipped())}), a folder of videos, "
            "a run's folder or a result.json"
        )
    if path.name == "result.json" or (path / "run.json").exists():
        report = _result(path if path.is_file() else path / "result.json")
    elif path.is_file():
        raise ToonbenchError(f"{path} is a file of no kind known here: give a folder, or a result.json")
    elif (path / "metadata.parquet").exists() or is_plain_folder(path):
        report = _data(path, talk)
    else:
        report = _videos(path, what or What(), talk)
    _say(report, path, talk=talk)
    return 1 if report.problems else 0


def _say(report: Report, path: Path, *, talk: Talk) -> None:
    """Print a report; names from outside are printed as they are, not as markup, nor as commands to the terminal."""
    console = talk.start()
    problems, warnings = [*map(_legible, report.problems)], [*map(_legible, report.warnings)]
    unchecked = [*map(_legible, report.unchecked)]
    if talk.json:
        from toonbench.store import to_json

        found = [asdict(finding) for finding in report.findings]
        told = {"problems": problems, "warnings": warnings, "findings": found, "unchecked": unchecked}
        console.out(to_json({"path": _legible(str(path)), "about": _legible(report.about), **told}), end="")
        return
    console.print(_legible(f"{path}: {report.about}"), markup=False, soft_wrap=True)
    for problem in problems:
        console.print(f"  {problem}", markup=False, soft_wrap=True)
    for one in unchecked:
        console.print(f"  not checked: {one}", markup=False, soft_wrap=True)
    console.print("no problem found" if not problems else _counted(len(problems), "problem"), markup=False)
    if warnings:
        console.print(f"{_counted(len(warnings), 'warning')} (docs/lint.md tells more):", markup=False)
    for warning in warnings:
        console.print(f"  {warning}", markup=False, soft_wrap=True)


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _legible(text: str) -> str:
    """`text` with what cannot be printed (control characters, half a code point) written as escapes."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def _shown(name: str) -> str:
    """A file's name: as it is, or as a literal where it cannot be printed."""
    return name if name.isprintable() else repr(name)


def _data(root: Path, talk: Talk) -> Report:
    """Every clip decoded and compared with its row."""
    from toonbench.commands.shared import open_data
    from toonbench.data.clips import read_frames, read_source
    from toonbench.data.folder import file_sha256

    data = open_data(str(root), talk=talk)
    problems: list[str] = []
    clips = [*data.clips, *data.targets.values()]
    with talk.progress("reading clips") as on_progress:
        for done, clip in enumerate(clips, start=1):
            try:
                found = 1 if clip.kind == "image" and read_source(clip).size else len(read_frames(clip).frames)
                if clip.frames and found != clip.frames:
                    problems.append(f"{clip.id}: {found} frames, its row says {clip.frames}")
                if clip.sha256 and file_sha256(clip.path) != clip.sha256:
                    problems.append(f"{clip.id}: {clip.path} does not have its checksum (it was changed or is damaged)")
            except ToonbenchError as error:
                problems.append(str(error))
            on_progress(done, len(clips))
    return Report(about=f"data set of {len(data.clips)} clips and {len(data.targets)} exact targets", problems=problems)


def _videos(root: Path, what: What, talk: Talk) -> Report:
    """One video for every pair of the task, of the driver's length and the source's size; then what the linter says."""
    from toonbench import lint

    plan = make_plan(what, metrics=None, talk=talk)
    found = {path.stem: path for path in sorted(root.iterdir()) if path.is_file() and not path.name.startswith(".")}
    ids = {pair.id for pair in plan.pairs}
    problems = [f"{_shown(path.name)} is no pair of {plan.task.id}" for stem, path in found.items() if stem not in ids]
    rows: dict[str, Rows] = {}
    real = _Real()
    with talk.progress("reading videos") as on_progress:
        for done, pair in enumerate(plan.pairs, start=1):
            if pair.id not in found:
                problems.append(f"{pair.id}: no video")
                continue
            try:
                rows[pair.id] = _look(pair, found[pair.id], real=real, problems=problems)
            except ToonbenchError as error:
                problems.append(str(error))
            on_progress(done, len(plan.pairs))
    return Report(
        about=f"{len(found)} videos for the {len(plan.pairs)} pairs of {plan.task.id} on {plan.data.id}",
        problems=problems,
        findings=lint.findings(rows),
    )


def _look(pair: Pair, path: Path, *, real: _Real, problems: list[str]) -> Rows:
    """The linter's row of one video, which is read once; its size and length are checked on the way."""
    import numpy as np

    from toonbench import lint, video
    from toonbench.data.clips import read_source

    frames = video.read_video(path).frames
    source = read_source(pair.source)
    height, width, _ = source.shape
    expected = pair.driving.frames or len(frames)
    if frames.shape[:3] != (expected, height, width):
        problems.append(
            f"{_shown(path.name)}: {len(frames)} frames of {frames.shape[2]}x{frames.shape[1]}, "
            f"expected {expected} of {width}x{height}"
        )
    target = None if pair.target is None else real.frames(pair.target)
    driving = real.frames(pair.driving)
    try:
        return lint.measure(pair, path, generated=frames, source=source, driving=driving, target=target)
    except Exception:  # told as a finding, as scoring does
        log.debug("the linter failed on pair %s", pair.id, exc_info=True)
        return np.full((1, 1), np.nan, np.float32)


class _Real:
    """The last two real clips read: the pairs of one driver follow each other."""

    def __init__(self) -> None:
        self._kept: dict[str, Frames] = {}

    def frames(self, clip: Clip) -> Frames:
        """All frames of a clip."""
        from toonbench.data.clips import read_frames

        if clip.id not in self._kept:
            while len(self._kept) > 1:
                self._kept.pop(next(iter(self._kept)))
            self._kept[clip.id] = read_frames(clip).frames
        self._kept[clip.id] = self._kept.pop(clip.id)
        return self._kept[clip.id]


def _result(path: Path) -> Report:
    """A result that can be made again from its run's rows, where these are beside it."""
    from toonbench.score import SCHEMA
    from toonbench.score.recount import recount
    from toonbench.store import read_json

    result = read_json(path)
    problems = [f"lacks the field '{key}'" for key in NEEDED if not isinstance(result, dict) or key not in result]
    if not problems and result["schema"] != SCHEMA:
        problems.append(f"schema {result['schema']}, this toonbench reads {SCHEMA}")
    if not problems:
        problems += _misshapen(result)
    if problems:
        return Report(about="not a result", problems=problems)
    for row in result["results"]:
        value, low, high = (row[key] for key in NUMBERS)
        if None not in (value, low, high) and not low <= value <= high:
            problems.append(f"{row['metric']}: the value {value} is outside its interval")
        if not 0 <= row["coverage"] <= 1 or not 0 <= row["missing"] <= row["pairs"]:
            problems.append(
                f"{row['metric']}: coverage {row['coverage']} or {row['missing']} of {row['pairs']} missing cannot be"
            )
    made = recount(path.parent, result)
    about = f"{result['method']} on {result['task']} of {result['data']}, {result['pairs']} pairs"
    return Report(about=about, problems=[*problems, *made.problems], unchecked=made.unchecked)


def _misshapen(result: dict[str, Any]) -> list[str]:
    """Which fields are not of the kind that scoring writes."""
    told = [
        f"the field '{key}' is {type(result[key]).__name__}, not {kind.__name__}"
        for key, kind in {"results": list, "failures": dict, "pairs": int}.items()
        if not isinstance(result[key], kind)
    ]
    if told:
        return told
    for row in cast("list[Any]", result["results"]):
        numbers = {"value": True, "low": True, "high": True, "coverage": False, "missing": False, "pairs": False}
        if not isinstance(row, dict) or not isinstance(row.get("metric"), str):
            return ["a result is without the name of its metric"]
        if not isinstance(row.get("details", {}), dict):
            return [f"{row['metric']}: details are not numbers by name"]
        for key, empty in numbers.items():
            number = row.get(key)
            if key not in row or not (isinstance(number, (int, float)) or (empty and number is None)):
                return [f"{row['metric']}: {key} is {number!r}, not a number"]
    return []
