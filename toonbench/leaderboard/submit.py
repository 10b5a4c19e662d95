"""A run to an entry of a leaderboard: only complete, unchanged runs of committed code become one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from toonbench.leaderboard.check import check_entry
from toonbench.leaderboard.places import COPIED, ENTRY, FILES, ROWS, digest
from toonbench.leaderboard.rows import LIMIT, Packed, pack
from toonbench.leaderboard.schema import entry_schema, problems
from toonbench.score.recount import read_pairs, recount
from toonbench.score.stored import read_object, request_problems, shape_problems, unchanged
from toonbench.store import Run, read_json, to_json, write_bytes
from toonbench.types import ToonbenchError

NO_VIDEO = "no video"  # the reason of a pair that was never generated
SAME = ("data_fingerprint", "seed", "pairs_fingerprint")  # equal in all entries of a task


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the submitter says about a method; links begin with http:// or https://, and everything may be empty."""

    about: str = ""
    paper: str = ""
    code: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """An entry, whether it is new (or was there with the same content), and the rows that it leaves out, with the reason."""

    folder: Path
    new: bool
    left_out: Mapping[str, str]


def submit(
    root: Path, to: Path, *, facts: Facts | None = None, command: str = "", replace: bool = False, limit: int = LIMIT
) -> Submitted:
    """Write the entry of the run in `root` below `to`. `command` makes the run again, if one does. `limit` is the most
    bytes of rows.

    Raises ToonbenchError, with the first reason, for a run that is dirty, tampered or incomplete, that has other pairs than the entries
    beside it, or whose place holds another entry, unless `replace`.
    """
    result = _sound_result(root)
    pairs = [pair.id for pair in read_pairs(root / "scores.csv")]
    packed = pack(Run(root), pairs, limit=limit)
    method, _, revision = result["method"].rpartition("@")
    about = {
        "schema": 1,
        "data": result["data"],
        "task": result["task"],
        "method": method,
        "revision": revision,
        "facts": {**asdict(facts or Facts()), "command": command},
        "rows": {"arrays": packed.arrays, "left_out": packed.left_out, "weights": _weights(root)},
    }
    files = {**{name: (root / name).read_bytes() for name in COPIED}, ROWS: packed.content}
    content = {**files, ENTRY: to_json({**about, "files": {n: digest(files[n]) for n in FILES}}).encode()}
    folder = to / result["data"] / result["task"] / result["method"]
    _check_neighbours(folder, result)
    if _holds(folder, content):
        return Submitted(folder=folder, new=False, left_out=_reasons(packed))
    if folder.exists() and not replace:
        raise ToonbenchError(f"{folder} holds another entry of this revision: give --replace, or a new revision")
    _check_replaceable(folder)
    _write(folder, content)
    return Submitted(folder=folder, new=True, left_out=_reasons(packed))


def _sound_result(root: Path) -> dict[str, Any]:
    """The result of a run that may be published. Raises ToonbenchError with the first reason why it may not."""
    if not (root / "run.json").is_file():
        raise ToonbenchError(
            f"{root} is not a run: give a folder with run.json, as `toonbench eval` and `score` write it"
        )
    if not ((root / "result.json").is_file() and (root / "scores.csv").is_file()):
        raise ToonbenchError(f"{root} is not scored: run `toonbench eval` or `toonbench score` for it first")
    if not (root / "rows").is_dir():
        raise ToonbenchError(f"{root} has no rows, so that its numbers cannot be checked: score the run again")
    result = read_json(root / "result.json")
    if wrong := shape_problems(result):
        raise ToonbenchError(f"{root} cannot be submitted: result.json: {wrong[0]}; score the run again")
    request = read_object(root / "run.json")
    if reason := _dirty(request, "run.json") or _dirty(result, "result.json") or _incomplete(result):
        raise ToonbenchError(f"{root} cannot be submitted: {reason}")
    if wrong := [*request_problems(root, result), *recount(root, result).problems] or unchanged(result):
        more = f" (and {len(wrong) - 1} more; see `toonbench validate`)" if len(wrong) > 1 else ""
        raise ToonbenchError(f"{root} cannot be submitted: {wrong[0]}{more}")
    for name, document in (("result", result), ("run", request)):
        if wrong := problems(document, {"$defs": entry_schema()["$defs"], "$ref": f"#/$defs/{name}"}):
            raise ToonbenchError(f"{root} cannot be submitted: {name}.json: {wrong[0]}")
    return result


def _dirty(document: Mapping[str, Any], name: str) -> str:
    environment = document.get("environment")
    git = environment.get("git") if isinstance(environment, dict) else None
    if not isinstance(git, dict):
        return f"{name} does not say by which code it was made: run it again"
    if git.get("dirty"):
        return f"{name} was made by changed code (commit {str(git.get('commit'))[:10]} and uncommitted changes): commit, and run again"
    return ""


def _incomplete(result: Mapping[str, Any]) -> str:
    if result["limit"] is not None:
        return f"it has only {result['limit']} driving videos (--limit): run it without --limit"
    waiting = [pair for pair, reason in result["failures"].items() if reason == NO_VIDEO]
    if waiting:
        return f"{len(waiting)} of {result['pairs']} pairs have no video ({waiting[0]}): generate them and score again"
    return "" if result["results"] else "it has no result of any metric"


def _weights(root: Path) -> dict[str, Any]:
    return {path.parent.name: read_object(path) for path in sorted((root / "rows").glob("*/weights.json"))}


def _check_neighbours(folder: Path, result: Mapping[str, Any]) -> None:
    """Raise ToonbenchError if an entry of the same task has other pairs."""
    for path in sorted(folder.parent.glob("*/result.json")):
        if path.parent == folder:
            continue
        other = read_object(path)
        if key := next((key for key in SAME if other.get(key) != result[key]), None):
            raise ToonbenchError(
                f"{result['method']} was not run on the pairs of {path.parent.name}, an entry of the same task: {key} is "
                f"{result[key]} instead of {other.get(key)}; run it on the same data with the same --seed"
            )


def _check_replaceable(folder: Path) -> None:
    """Raise ToonbenchError for a folder that holds anything but an entry, such as a run with its videos: it would be lost."""
    own = {ENTRY, *FILES}
    foreign = [path.name for path in sorted(folder.iterdir()) if path.name not in own] if folder.is_dir() else []
    if folder.is_symlink() or foreign or (folder.exists() and not folder.is_dir()):
        what = f"it holds {foreign[0]}" if foreign else "it is a link or a file"
        raise ToonbenchError(f"{folder} is not an entry ({what}) and is not replaced: give another folder as --to")


def _holds(folder: Path, content: Mapping[str, bytes]) -> bool:
    return all((folder / name).is_file() and (folder / name).read_bytes() == own for name, own in content.items())


def _reasons(packed: Packed) -> dict[str, str]:
    return {name: str(one["reason"]) for name, one in packed.left_out.items()}


def _write(folder: Path, content: Mapping[str, bytes]) -> None:
    """Write an entry, check it, and move it to its place, completely or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".entry-", dir=folder.parent) as temporary:
        made = Path(temporary).joinpath(*folder.parts[-3:])
        for name, own in content.items():
            write_bytes(made / name, own)
        if wrong := check_entry(made).problems:
            raise ToonbenchError(f"the entry of {folder.name} does not pass its check: {wrong[0]}")
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)
