"""`validate`: whether a data folder, a folder of videos, or a result is what it should be."""

from __future__ import annotations

from pathlib import Path

from toonbench.commands.evaluate import What, make_plan
from toonbench.commands.shared import Talk
from toonbench.types import ToonbenchError


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
        problems, about = _result(path if path.is_file() else path / "result.json")
    elif path.is_file():
        raise ToonbenchError(f"{path} is a file of no kind known here: give a folder, or a result.json")
    elif (path / "metadata.parquet").exists() or is_plain_folder(path):
        problems, about = _data(path, talk)
    else:
        problems, about = _videos(path, what or What(), talk)
    console = talk.start()
    if talk.json:
        from toonbench.store import to_json

        console.out(to_json({"path": path, "about": about, "problems": problems}), end="")
    else:
        console.print(f"{path}: {about}", markup=False, soft_wrap=True)
        for problem in problems:
            console.print(f"  {problem}", markup=False, soft_wrap=True)
        console.print("no problem found" if not problems else f"{len(problems)} problems", markup=False)
    return 1 if problems else 0


def _data(root: Path, talk: Talk) -> tuple[list[str], str]:
    """Every clip decoded and compared with its row."""
    from toonbench.commands.shared import open_data
    from toonbench.data.folder import file_sha256
    from toonbench.generate import read_frames, read_source

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
    return problems, f"data set of {len(data.clips)} clips and {len(data.targets)} exact targets"


def _videos(root: Path, what: What, talk: Talk) -> tuple[list[str], str]:
    """One video for every pair of the task, of the driver's length and the source's size."""
    from toonbench import video
    from toonbench.generate import read_source

    plan = make_plan(what, metrics=None, talk=talk)
    found = {path.stem: path for path in sorted(root.iterdir()) if path.is_file() and not path.name.startswith(".")}
    ids = {pair.id for pair in plan.pairs}
    problems = [f"{path.name} is no pair of {plan.task.id}" for stem, path in found.items() if stem not in ids]
    for pair in plan.pairs:
        if pair.id not in found:
            problems.append(f"{pair.id}: no video")
            continue
        try:
            frames = video.read_video(found[pair.id]).frames
            height, width, _ = read_source(pair.source).shape
            expected = pair.driving.frames or len(frames)
            if frames.shape[:3] != (expected, height, width):
                problems.append(
                    f"{found[pair.id].name}: {len(frames)} frames of {frames.shape[2]}x{frames.shape[1]}, "
                    f"expected {expected} of {width}x{height}"
                )
        except ToonbenchError as error:
            problems.append(str(error))
    return problems, f"{len(found)} videos for the {len(plan.pairs)} pairs of {plan.task.id} on {plan.data.id}"


def _result(path: Path) -> tuple[list[str], str]:
    """A result that can be made again from its run's rows."""
    from toonbench.score import SCHEMA
    from toonbench.store import read_json

    result = read_json(path)
    needed = ("schema", "data", "task", "method", "results", "failures", "pairs", "pairs_fingerprint")
    problems = [f"lacks the field '{key}'" for key in needed if not isinstance(result, dict) or key not in result]
    if problems:
        return problems, "not a result"
    if result["schema"] != SCHEMA:
        problems.append(f"schema {result['schema']}, this toonbench reads {SCHEMA}")
    for row in result["results"]:
        if row["value"] is not None and row["low"] is not None and not row["low"] <= row["value"] <= row["high"]:
            problems.append(f"{row['metric']}: the value {row['value']} is outside its interval")
        if not 0 <= row["coverage"] <= 1 or row["missing"] > row["pairs"]:
            problems.append(
                f"{row['metric']}: coverage {row['coverage']} or {row['missing']} of {row['pairs']} missing cannot be"
            )
    return problems, f"{result['method']} on {result['task']} of {result['data']}, {result['pairs']} pairs"
