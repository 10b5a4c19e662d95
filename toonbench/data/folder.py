"""A folder of clips as a data set: `metadata.parquet` beside the files, and `targets.parquet` where answers are known.

DIR/metadata.parquet   a row a clip: the fields of `Clip`, with `file` relative to DIR
DIR/clips/*.mkv|mp4    videos          DIR/images/*.png   sources
DIR/motion/<id>.npz    the exact motion of a clip or of an answer `<source>~<driving>` (puppets)
DIR/targets.parquet    source, driving, motion, file, frames, sha256: exact answers (puppets)
DIR/failures.parquet   id, file, domain, kind, reason: what could not be prepared, kept in sight
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any, cast

from toonbench.registry import unknown
from toonbench.types import DOMAINS, Clip, Motion, ToonbenchError

FROZEN = Path(__file__).parent.parent / "puppets" / "frozen"
PLAIN_FOLDERS = ("real_videos", "real_images", "cartoon_videos", "cartoon_images")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # a terminal would obey these
PROSE = frozenset({"title", "provenance", "licence", "reason"})  # of no path and no identity
REQUIRED = ("id", "file", "domain", "kind", "sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Clips, and the exact answers to some pairs of them. `id` names the content: it goes into every path and result."""

    name: str
    root: Path
    clips: tuple[Clip, ...]
    targets: Mapping[tuple[str, str, Motion], Clip] = field(default_factory=dict[tuple[str, str, Motion], Clip])
    fingerprint: str = ""

    @property
    def id(self) -> str:
        """The name, and for a data set without a version the start of its fingerprint."""
        return self.name if "@" in self.name else f"{self.name}-{self.fingerprint[:8]}"


def shipped() -> dict[str, Path]:
    """The data sets inside the package, by name."""
    return {path.name: path for path in sorted(FROZEN.glob("*@*")) if (path / "metadata.parquet").exists()}


def is_plain_folder(root: Path) -> bool:
    """Whether `root` is somebody's own folder of `real_videos/ real_images/ cartoon_videos/ cartoon_images/`."""
    return not (root / "metadata.parquet").exists() and any((root / name).is_dir() for name in PLAIN_FOLDERS)


def locate(spec: str) -> Path:
    """The folder that `spec` names: a shipped data set's name, or a path.

    Raises ToonbenchError where there is neither, or the folder holds no data set.
    """
    known = shipped()
    if spec in known:
        return known[spec]
    root = Path(spec)
    if root.is_dir():
        if (root / "metadata.parquet").exists() or is_plain_folder(root):
            return root
        raise ToonbenchError(
            f"{root} is not a data set: it needs metadata.parquet, or any of the folders {', '.join(PLAIN_FOLDERS)}"
        )
    if root.exists():
        raise ToonbenchError(f"{root} is a file: give the folder of a data set")
    if "/" in spec:
        raise ToonbenchError(f"{root} does not exist: give the folder of a data set, or one of {', '.join(known)}")
    raise unknown("data set (and no folder of that name)", spec, known)


def load(root: Path, *, name: str = "") -> Dataset:
    """Read a data set's tables; a shipped one is checked against its checksums first.

    A clip whose file is gone stays in the list with its `problem`. Raises ToonbenchError for a damaged table.
    """
    name = name or root.resolve().name
    if root.parent == FROZEN and (damaged := next(damaged_files(root), "")):
        raise ToonbenchError(f"data set {name}: {damaged}; install toonbench again")
    clips = [_clip(root, row) for row in _rows(root / "metadata.parquet", REQUIRED)]
    if (root / "failures.parquet").exists():
        clips += [
            _failed(root, row) for row in _rows(root / "failures.parquet", ("id", "file", "domain", "kind", "reason"))
        ]
    ids = [clip.id for clip in clips]
    if twice := next((identifier for identifier in ids if ids.count(identifier) > 1), ""):
        raise ToonbenchError(f"{root / 'metadata.parquet'}: id '{twice}' stands twice; ids must be unique")
    by_id = {clip.id: clip for clip in clips}
    targets: dict[tuple[str, str, Motion], Clip] = {}
    if (root / "targets.parquet").exists():
        for row in _rows(root / "targets.parquet", ("source", "driving", "motion", "file", "sha256")):
            targets[row["source"], row["driving"], cast(Motion, row["motion"])] = _target(root, row, by_id)
    lines = sorted(f"{clip.id}|{clip.sha256}|{clip.problem}" for clip in clips)
    lines += sorted(f"{'|'.join(key)}|{clip.sha256}" for key, clip in targets.items())
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return Dataset(name=name, root=root, clips=tuple(clips), targets=targets, fingerprint=digest)


def load_data(spec: str) -> Dataset:
    """A shipped data set by name, or a prepared data set's folder (a plain folder is prepared by the command line)."""
    return load(locate(spec))


def damaged_files(root: Path) -> Iterator[str]:
    """What is wrong with the files listed in SHA256SUMS, one line each, as they are found."""
    sums = root / "SHA256SUMS"
    if not sums.exists():
        yield f"{sums} is missing"
        return
    for line in sums.read_text(encoding="utf-8").splitlines():
        wanted, _, file = line.partition("  ")
        path = root / file
        if not path.is_file():
            yield f"{path} is missing"
        elif file_sha256(path) != wanted:
            yield f"{path} does not have its checksum (it was changed or is damaged)"


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _rows(path: Path, required: tuple[str, ...]) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise ToonbenchError(
            f"{path} cannot be read ({str(error).splitlines()[0]}): make the data set again"
        ) from error
    for row in rows:
        if absent := [column for column in required if row.get(column) is None]:
            raise ToonbenchError(f"{path}: a row lacks {', '.join(absent)}; needed are {', '.join(required)}")
    return [{key: _legible(path, key, value) for key, value in row.items()} for row in rows]


def _legible(path: Path, key: str, value: Any) -> Any:
    """A cell without control characters: names must have none, in prose they are written as escapes."""
    if not isinstance(value, str) or not CONTROL.search(value):
        return value
    if key in PROSE:
        return CONTROL.sub(lambda found: repr(found[0])[1:-1], value)
    raise ToonbenchError(f"{path}: {key} {value!r} holds control characters: give it a name that can be printed")


def _inside(root: Path, file: str) -> Path:
    place = PurePosixPath(file)
    if place.is_absolute() or ".." in place.parts:
        raise ToonbenchError(
            f"{root}: file '{file}' points outside the data set; paths must be relative and stay inside"
        )
    return root / place


def _clip(root: Path, row: dict[str, Any]) -> Clip:
    known = {f.name for f in fields(Clip)} - {"path", "problem", "motion"}
    path = _inside(root, row["file"])
    if row["domain"] not in DOMAINS or row["kind"] not in ("video", "image"):
        raise ToonbenchError(
            f"{root}: clip '{row['id']}' has domain '{row['domain']}' and kind '{row['kind']}'; "
            "allowed are real or cartoon, video or image"
        )
    if "/" in row["id"] or row["id"].startswith("."):
        raise ToonbenchError(f"{root}: id '{row['id']}' is not fit for a file name; leave out '/' and a leading '.'")
    problem = "" if path.is_file() else f"its file {row['file']} is missing"
    given = {key: value for key, value in row.items() if key in known and value is not None}
    return Clip(path=path, problem=problem, motion=_motion(root, row["id"]), **given)


def _motion(root: Path, identifier: str) -> Path | None:
    path = root / "motion" / f"{identifier}.npz"
    return path if path.is_file() else None


def _failed(root: Path, row: dict[str, Any]) -> Clip:
    return Clip(id=row["id"], path=root / row["file"], domain=row["domain"], kind=row["kind"], problem=row["reason"])


def _target(root: Path, row: dict[str, Any], by_id: Mapping[str, Clip]) -> Clip:
    source = by_id.get(row["source"])
    if source is None or row["driving"] not in by_id:
        raise ToonbenchError(
            f"{root / 'targets.parquet'}: no clips '{row['source']}' and '{row['driving']}'; make the data set again"
        )
    path = _inside(root, row["file"])
    problem = "" if path.is_file() else f"its file {row['file']} is missing"
    identifier = f"{row['source']}~{row['driving']}"
    return Clip(
        id=identifier,
        path=path,
        motion=_motion(root, identifier),
        fps=by_id[row["driving"]].fps,
        domain=source.domain,
        identity=source.identity,
        frames=int(row.get("frames") or 0),
        sha256=row["sha256"],
        problem=problem,
    )
