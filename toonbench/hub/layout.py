"""Where the files of a data set are in its release: a pure function of its tables.

A folder of the release holds at most FOLDER files. A larger one is divided: `clips/0000/`, `clips/0001/`, and so on, in the order of
the clips. Ids stay as they are; names of files have only characters that every system and every address takes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from toonbench.data.table import Row
from toonbench.hub.release import FOLDER
from toonbench.store import safe_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Rows of a release with new paths. `sources`: each path's file in the data set; `motions`, `previews`: the paths by id, by video."""

    rows: list[Row]
    targets: list[Row]
    sources: Mapping[str, str]
    motions: Mapping[str, str]
    previews: Mapping[str, str]


def lay_out(rows: Sequence[Row], targets: Sequence[Row], *, motions: Sequence[str], limit: int = FOLDER) -> Layout:
    """The layout of a data set; `motions` are the ids that have a file of ground-truth motion."""
    videos = [row for row in rows if row["kind"] == "video"]
    images = [row for row in rows if row["kind"] == "image"]
    new = {
        **_paths(videos, "clips", limit=limit),
        **_paths(images, "images", limit=limit),
        **_paths(targets, "targets", limit=limit),
    }
    films = [new[row["file"]] for row in (*videos, *targets)]
    return Layout(
        rows=[{**row, "file": new[row["file"]]} for row in rows],
        targets=[{**row, "file": new[row["file"]]} for row in targets],
        sources={path: file for file, path in new.items()},
        motions=_divided(motions, "motion", limit=limit, ending=".npz"),
        previews=_divided(list(dict.fromkeys(films)), "previews", limit=limit, ending=".mp4"),
    )


def _paths(rows: Sequence[Row], folder: str, *, limit: int) -> dict[str, str]:
    """The file of each row to its path in the release: named by the clip's id, or as the target's file."""
    names = {row["file"]: f"{row['id']}{_ending(row['file'])}" if "id" in row else _name(row["file"]) for row in rows}
    return {
        file: f"{_folder(folder, at, len(names), limit=limit)}/{name}"
        for at, (file, name) in enumerate(_distinct(names).items())
    }


def _divided(names: Sequence[str], folder: str, *, limit: int, ending: str) -> dict[str, str]:
    """Ids, or paths of videos, to the path of their motion or preview."""
    made = _distinct({name: f"{PurePosixPath(name).stem}{ending}" for name in names}) if folder == "previews" else {}
    return {
        name: f"{_folder(folder, at, len(names), limit=limit)}/{made.get(name, f'{name}{ending}')}"
        for at, name in enumerate(names)
    }


def _distinct(names: Mapping[str, str]) -> dict[str, str]:
    """Names that every system takes, each once, also where upper and lower case are the same."""
    found: dict[str, str] = {}
    used: set[str] = set()
    for key, name in names.items():
        new = plain(name)
        new = _with_checksum(new, key) if new.lower() in used else new
        used.add(new.lower())
        found[key] = new
    return found


def _name(path: str) -> str:
    return PurePosixPath(path).name


def _ending(path: str) -> str:
    return PurePosixPath(path).suffix


def _with_checksum(name: str, text: str) -> str:
    checksum = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:10]
    return f"{safe_name(PurePosixPath(name).stem)[:100]}-{checksum}{_ending(name)}"


def _folder(name: str, at: int, count: int, *, limit: int) -> str:
    return name if count <= limit else f"{name}/{at // limit:04d}"


def plain(name: str) -> str:
    """A file's name in the release: itself, or, with other characters than `store.safe_name` keeps, a safe one with a checksum."""
    return name if safe_name(name) == name else _with_checksum(name, name)
