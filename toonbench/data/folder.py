"""A folder of clips as a data set: `metadata.parquet` beside the files, and `targets.parquet` where targets exist.

DIR/metadata.parquet   one row per clip
DIR/clips/*.mkv|mp4    videos          DIR/images/*.png   sources
DIR/motion/<id>.npz    the ground-truth motion of a clip or of a target `<source>~<driving>` (puppets)
DIR/targets.parquet    one row per target (puppets)
DIR/failures.parquet   one row per raw file that could not be prepared

The columns of the tables are in `toonbench.data.table`.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

from toonbench import store
from toonbench.data.table import ABOUT, CLIPS, FAILURES, TARGETS, Row
from toonbench.hub.address import is_address
from toonbench.registry import unknown
from toonbench.types import Clip, Motion, ToonbenchError

FROZEN = Path(__file__).parent.parent / "puppets" / "frozen"
DEFAULT_DATA = "puppets@2"
RELEASE = "release.json"  # in the folder of a release
SUMS = "SHA256SUMS"  # in a shipped set: of all files; in a release: of the motion, which no table states
PUPPETS = "toonbench puppets"  # how the provenance of every drawn clip begins
NOT_OF_CLIPS = frozenset(
    {"file", "style", "identity_by", "film_fps", "first", "detected", "remarks"}
)  # columns about the making of a clip
PLAIN_FOLDERS = ("real_videos", "real_images", "cartoon_videos", "cartoon_images")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Clips, and the targets of some pairs of them. `id` names the content: it goes into every path and result."""

    name: str
    root: Path
    clips: tuple[Clip, ...]
    targets: Mapping[tuple[str, str, Motion], Clip] = field(default_factory=dict[tuple[str, str, Motion], Clip])
    fingerprint: str = ""
    notes: tuple[str, ...] = ()
    is_shipped: bool = False

    @property
    def id(self) -> str:
        """The name of a shipped data set, or of a release of it; for any other, its folder's name and the start of its fingerprint."""
        return self.name if self.is_shipped else f"{self.name}-{self.fingerprint[:8]}"

    @property
    def caveats(self) -> tuple[str, ...]:
        """Notes that must be shown beside every number measured on this data, by the provenance of its clips."""
        if any(clip.provenance.startswith(PUPPETS) for clip in self.clips):
            return ("Measured on puppets, not on people: do not compare with the numbers of the paper.",)
        return ()


def shipped() -> dict[str, Path]:
    """The data sets inside the package, by name."""
    return {path.name: path for path in sorted(FROZEN.glob("*@*")) if CLIPS.is_in(path)}


def is_plain_folder(root: Path) -> bool:
    """Whether `root` is a user's folder of `real_videos/ real_images/ cartoon_videos/ cartoon_images/`."""
    plain = any((root / name).is_dir() for name in PLAIN_FOLDERS)
    return plain and not (CLIPS.is_in(root) and CLIPS.fits(root))


def locate(spec: str) -> Path:
    """The folder that `spec` names: a shipped data set's name, a path, or `hf:ORG/NAME@REV` on the Hub, which is downloaded.

    A folder that is called like a shipped data set needs a slash: `./puppets@2`. Raises ToonbenchError where there is neither, or
    the folder holds no data set.
    """
    sets = shipped()
    if spec in sets:
        return sets[spec]
    if is_address(spec):
        from toonbench.hub.fetch import data_folder

        root = data_folder(spec)
        _refuse_altered(root, spec)
        return root
    root = Path(spec)
    if root.is_dir():
        if CLIPS.is_in(root) or is_plain_folder(root):
            return root
        raise ToonbenchError(
            f"{root} is not a data set: it needs metadata.parquet, or any of the folders {', '.join(PLAIN_FOLDERS)}"
        )
    if root.exists():
        raise ToonbenchError(f"{root} is a file: give the folder of a data set")
    if "/" in spec:
        raise ToonbenchError(f"{root} does not exist: give the folder of a data set, or one of {', '.join(sets)}")
    raise unknown("data set (and no folder of that name)", spec, sets)


@cache
def _refuse_altered(root: Path, spec: str) -> None:
    """Raise ToonbenchError for downloaded files that do not have their checksum: of the tables, for motion of SHA256SUMS.

    The checksums of the tables make the fingerprint of a data set, so that files of other content would give numbers of another set.
    The fingerprint does not cover motion: a release of a shipped set must have the motion of that set.
    """
    rows = [*CLIPS.read(root), *(TARGETS.read(root) if TARGETS.is_in(root) else [])]
    stated = {row["file"]: row["sha256"] for row in rows if row["sha256"].strip("0")}
    stated |= _motion_sums(root)
    wrong = [file for file in stated if (root / file).is_file() and file_sha256(root / file) != stated[file]]
    if wrong:
        raise ToonbenchError(
            f"{spec}: {len(wrong)} of {len(stated)} files do not have their checksum, for example {wrong[0]}: remove "
            f"{root.parent.parent} to download them again; if that does not help, report it to the publisher"
        )


def _motion_sums(root: Path) -> dict[str, str]:
    """The checksums that the motion files of a downloaded set should have, by path; none of a set that states none."""
    paths = {one: path.relative_to(root).as_posix() for one, path in motion_files(root).items()}
    data = load(root)
    own = shipped()[data.name] if data.is_shipped else root
    sums = read_sums(own)
    true = {one: sums.get(path.relative_to(own).as_posix(), "") for one, path in motion_files(own).items()}
    return {path: true.get(one, "") for one, path in paths.items()} if sums else {}


def load(root: Path, *, name: str = "", tables: Path | None = None) -> Dataset:
    """Read a data set's tables; a shipped one is checked against its checksums first.

    `tables` is the folder of the tables if it is not `root`, to which the paths of files are relative. A clip whose file is gone
    stays in the list with its `problem`. Raises ToonbenchError for a damaged table.
    """
    released = "" if name else _released_name(root)
    name = name or released or root.resolve().name
    if root.parent == FROZEN and (damaged := next(damaged_files(root), "")):
        raise ToonbenchError(f"data set {name}: {damaged}; install toonbench again")
    tables = tables or root
    rows = CLIPS.read(tables)
    files, motions = _files(root, {row["file"] for row in rows}), motion_files(root)
    clips = [_clip(root, row, files=files, motions=motions) for row in rows]
    if FAILURES.is_in(tables):
        clips += [_failed(root, row) for row in FAILURES.read(tables)]
    if twice := [identifier for identifier, count in Counter(clip.id for clip in clips).items() if count > 1]:
        raise ToonbenchError(
            f"{tables / CLIPS.file}: {len(twice)} ids appear more than once, for example '{twice[0]}': make ids unique"
        )
    by_id = {clip.id: clip for clip in clips}
    targets: dict[tuple[str, str, Motion], Clip] = {}
    if TARGETS.is_in(tables):
        for row in TARGETS.read(tables):
            targets[row["source"], row["driving"], cast(Motion, row["motion"])] = _target(
                root, row, by_id, motions=motions
            )
    lines = sorted(f"{clip.id}|{clip.sha256}|{clip.problem}" for clip in clips)
    lines += sorted(f"{'|'.join(key)}|{clip.sha256}" for key, clip in targets.items())
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    is_shipped = root.parent == FROZEN or (released in shipped() and load(shipped()[released]).fingerprint == digest)
    return Dataset(
        name=name,
        root=root,
        clips=tuple(clips),
        targets=targets,
        fingerprint=digest,
        notes=_notes(tables),
        is_shipped=is_shipped,
    )


def _released_name(root: Path) -> str:
    """The name of the data set whose release the folder is, by the file that `toonbench publish` writes; otherwise empty."""
    if not (root / RELEASE).is_file():
        return ""
    try:
        found: Any = store.read_json(root / RELEASE)
    except ToonbenchError:
        return ""
    name: Any = cast("dict[str, Any]", found).get("name") if isinstance(found, dict) else None
    return store.safe_name(name) if isinstance(name, str) and name else ""


def _notes(root: Path) -> tuple[str, ...]:
    """What the preparation of a user's folder noted; nothing if the file is not one of the preparation."""
    if not (root / ABOUT).is_file():
        return ()
    try:
        found: Any = store.read_json(root / ABOUT)
    except ToonbenchError as error:
        return (f"{error}",)
    notes: Any = cast("dict[str, Any]", found).get("notes") if isinstance(found, dict) else None
    listed = cast("list[Any]", notes) if isinstance(notes, list) else []
    return tuple(note for note in listed if isinstance(note, str))


def hidden_by_shipped(spec: str) -> str:
    """A note if `spec` names a shipped data set and also a folder, which is not used; otherwise empty."""
    if spec not in shipped() or not Path(spec).is_dir():
        return ""
    return f"{spec} is the data set that toonbench includes, not the folder here of this name: write ./{spec} for the folder"


def load_data(spec: str) -> Dataset:
    """A shipped data set by name, or a prepared data set's folder (a plain folder is prepared by the command line)."""
    return load(locate(spec))


def damaged_files(root: Path) -> Iterator[str]:
    """What is wrong with the files listed in SHA256SUMS, one line each, as they are found."""
    if not (root / SUMS).exists():
        yield f"{root / SUMS} is missing"
        return
    for file, expected in read_sums(root).items():
        path = root / file
        if not path.is_file():
            yield f"{path} is missing"
        elif file_sha256(path) != expected:
            yield f"{path} does not have its checksum (it was changed or is damaged)"


def read_sums(root: Path) -> dict[str, str]:
    """The checksums in SHA256SUMS by path relative to `root`; nothing without that file."""
    if not (root / SUMS).is_file():
        return {}
    lines = (root / SUMS).read_text(encoding="utf-8", errors="replace").splitlines()
    return {file: expected for expected, _, file in (line.partition("  ") for line in lines)}


def write_sums(root: Path, files: Iterable[str]) -> None:
    """Write SHA256SUMS of files of `root`, as `sha256sum -c` reads it."""
    lines = "".join(f"{file_sha256(root / file)}  {file}\n" for file in sorted(files))
    store.write_bytes(root / SUMS, lines.encode("utf-8", "surrogateescape"))


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _files(root: Path, paths: set[str]) -> set[str]:
    """The paths of all files in the folders of these paths; each folder is listed once."""
    found: set[str] = set()
    for folder in {path.rpartition("/")[0] for path in paths}:
        with suppress(OSError), os.scandir(root / folder) as entries:
            found |= {f"{folder}/{entry.name}" if folder else entry.name for entry in entries if entry.is_file()}
    return found


def motion_files(root: Path) -> dict[str, Path]:
    """The files of ground-truth motion by the ids of their clips and targets. A large release has them in folders of `motion`."""
    return {path.stem: path for pattern in ("*.npz", "*/*.npz") for path in (root / "motion").glob(pattern)}


def _clip(root: Path, row: Row, *, files: set[str], motions: Mapping[str, Path]) -> Clip:
    file = row["file"]
    problem = "" if file in files or (root / file).is_file() else f"its file {file} is missing"
    given = {key: value for key, value in row.items() if key not in NOT_OF_CLIPS}
    return Clip(path=root / file, problem=problem, motion=motions.get(row["id"]), **given)


def _failed(root: Path, row: Row) -> Clip:
    return Clip(
        id=row["id"],
        path=root / row["file"],
        domain=row["domain"],
        kind=row["kind"],
        identity=row.get("identity", ""),
        original=row["file"],
        problem=row["reason"],
    )


def _target(root: Path, row: Row, by_id: Mapping[str, Clip], *, motions: Mapping[str, Path]) -> Clip:
    source = by_id.get(row["source"])
    if source is None or row["driving"] not in by_id:
        raise ToonbenchError(
            f"{root / TARGETS.file}: no clips '{row['source']}' and '{row['driving']}'; make the data set again"
        )
    path = root / row["file"]
    problem = "" if path.is_file() else f"its file {row['file']} is missing"
    identifier = f"{row['source']}~{row['driving']}"
    return Clip(
        id=identifier,
        path=path,
        motion=motions.get(identifier),
        fps=by_id[row["driving"]].fps,
        domain=source.domain,
        identity=source.identity,
        frames=row.get("frames", 0),
        sha256=row["sha256"],
        problem=problem,
    )
