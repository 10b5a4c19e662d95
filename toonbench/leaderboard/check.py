"""An entry checked from its own files: schema, checksums, place, and every number that its rows determine."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toonbench.leaderboard.places import COPIED, ENTRY, FILES, ROWS, digest
from toonbench.leaderboard.rows import copy_weights, unpack
from toonbench.leaderboard.schema import entry_schema, problems
from toonbench.score.recount import Recount, read_pairs, recount
from toonbench.score.stored import read_object, request_problems, unchanged
from toonbench.store import Run, write_bytes
from toonbench.types import ToonbenchError


def is_entry(place: Path) -> bool:
    """Whether a folder is an entry of a leaderboard."""
    return (place / ENTRY).is_file()


def check_entry(root: Path) -> Recount:
    """What is wrong with the entry in `root`, and what could not be checked. No data set is opened, and no video is needed."""
    found = Recount()
    if absent := [name for name in (ENTRY, *FILES) if not (root / name).is_file()]:
        found.problems.append(f"{' and '.join(absent)} missing: an entry has the files {', '.join((ENTRY, *FILES))}")
        return found
    try:
        about, result, run = (read_object(root / name) for name in (ENTRY, "result.json", "run.json"))
    except ToonbenchError as error:
        found.problems.append(str(error))
        return found
    found.problems.extend(problems({"entry": about, "result": result, "run": run}, entry_schema()))
    if found.problems:
        return found  # the fields below may be of any type
    found.problems.extend([*_changed(root, about), *_misplaced(root, about, result), *request_problems(root, result)])
    if not found.problems:
        with tempfile.TemporaryDirectory() as folder:
            try:
                as_run(root, Path(folder), about=about)
            except ToonbenchError as error:
                found.problems.append(str(error))
                return found
            made = recount(Path(folder), result, left_out=_left_out(about))
            found.problems.extend(made.problems)
            found.unchecked.extend(made.unchecked)
    found.problems.extend([] if found.problems else unchanged(result))
    return found


def as_run(entry: Path, folder: Path, *, about: Mapping[str, Any]) -> None:
    """Write the entry as a run folder with rows (without videos); `about` is its entry.json, which fits the schema.

    Raises ToonbenchError for rows that do not fit the pairs.
    """
    for name in COPIED:
        write_bytes(folder / name, (entry / name).read_bytes())
    (folder / "rows").mkdir(exist_ok=True)
    rows, run = about["rows"], Run(folder)
    unpack(entry / ROWS, run, arrays=rows["arrays"], pairs=[pair.id for pair in read_pairs(folder / "scores.csv")])
    copy_weights(rows["weights"], run)


def _changed(root: Path, about: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} does not have the checksum in {ENTRY}: it was changed; submit the run again"
        for name, sha256 in about["files"].items()
        if digest((root / name).read_bytes()) != sha256
    ]


def _misplaced(root: Path, about: Mapping[str, Any], result: Mapping[str, Any]) -> list[str]:
    """Differences between the fields of entry.json, those of the result, and the folder's path."""
    own = {key: about[key] for key in ("data", "task")} | {"method": f"{about['method']}@{about['revision']}"}
    wrong = [
        f"{ENTRY} has {key} = {value!r}, result.json has {result[key]!r}"
        for key, value in own.items()
        if value != result[key]
    ]
    path = root.resolve()
    if (path.parent.parent.name, path.parent.name, path.name) != (own["data"], own["task"], own["method"]):
        wrong.append(f"the folder must be <leaderboards>/{own['data']}/{own['task']}/{own['method']}")
    return wrong


def _left_out(about: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: f"its rows are not in the entry, {one['bytes']} bytes" for name, one in about["rows"]["left_out"].items()
    }
