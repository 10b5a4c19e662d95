"""A release: a folder whose files are those of the repository, and the list of them with sizes and checksums.

<folder>/release.json           what it is, and one checksum of all other files; uploaded first
<folder>/.toonbench-plan.json   what the last dry run listed; not uploaded
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast

from toonbench.data.folder import RELEASE, file_sha256
from toonbench.hub.address import Kind
from toonbench.store import read_json, remove_leftovers, write_json
from toonbench.types import ToonbenchError

MARK = RELEASE
PLAN = ".toonbench-plan.json"
FOLDER = 1_000  # files in a folder of a data set
MOST = 10_000  # files in any folder, a limit of the Hub
COMMIT = 100  # files in a commit
COMMIT_BYTES = 2_000_000_000  # bytes in a commit; a larger file has a commit of its own
REPOSITORY = 100_000  # files in a repository
FILE = 50_000_000_000  # bytes of a file
LAST = (
    ".parquet",
    ".md",
    ".yaml",
)  # endings of tables and cards, which name other files: they are committed after these
READ = ("README.md", "eval.yaml", ".eval_results/toonbench.yaml")  # files that the Hub reads as YAML
What = Literal["dataset", "list", "weights", "results", "site"]
KINDS: Mapping[What, Kind] = {
    "dataset": "dataset", "list": "dataset", "weights": "model", "results": "dataset", "site": "space",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReleaseFile:
    """A file of a release: its path in the repository, its place here, its size in bytes, and its sha256."""

    path: str
    place: Path
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What is published. `gated` is whether readers must ask for access; `notes` are lines for the publisher."""

    what: What
    name: str
    folder: Path
    files: tuple[ReleaseFile, ...]
    digest: str
    gated: bool = False
    notes: tuple[str, ...] = field(default=())

    @property
    def kind(self) -> Kind:
        """The kind of its repository."""
        return KINDS[self.what]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def release_of(
    folder: Path,
    *,
    what: What,
    name: str,
    about: Mapping[str, Any] | None = None,
    gated: bool = False,
    notes: Sequence[str] = (),
) -> Release:
    """The release that a finished folder is; writes its MARK.

    Raises ToonbenchError for a folder that breaks a limit of the Hub.
    """
    files = list(_listed(folder))
    _refuse_yaml(folder, files)
    digest = _digest(files)
    write_json(
        folder / MARK,
        {"toonbench": "release", "version": 1, "what": what, "name": name, **(about or {}), "digest": digest},
    )
    files.insert(0, _file(folder, MARK))
    _refuse_sizes(files)
    return Release(
        what=what, name=name, folder=folder, files=tuple(files), digest=digest, gated=gated, notes=tuple(notes)
    )  # fmt: skip


def batches(files: Sequence[ReleaseFile]) -> Iterator[list[ReleaseFile]]:
    """The files in commits of at most COMMIT files and COMMIT_BYTES bytes: the MARK first, tables and cards last."""
    batch: list[ReleaseFile] = []
    for file in sorted(files, key=lambda one: (one.path != MARK, one.path.endswith(LAST), one.path)):
        if batch and (len(batch) == COMMIT or sum(one.size for one in batch) + file.size > COMMIT_BYTES):
            yield batch
            batch = []
        batch.append(file)
    if batch:
        yield batch


def fullest_folder(files: Sequence[ReleaseFile]) -> tuple[str, int]:
    """The folder with the most files, and their number."""
    return Counter(str(PurePosixPath(file.path).parent) for file in files).most_common(1)[0]


def own_release_folder(folder: Path) -> None:
    """Make the folder of a release. Raises ToonbenchError for a folder of another kind; leftovers of killed processes go."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / PLAN).is_file():
        raise ToonbenchError(f"{folder} is not empty and no folder of a release: give a new one as --out")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / PLAN).is_file():
        write_json(folder / PLAN, {"made": []})
    remove_leftovers(folder)


def place(source: Path, target: Path, *, copy: bool) -> None:
    """Put a file into a release, unless it is there: as a link of the file, or with `copy` as a hard link or a copy."""
    if target.is_file() and (source.samefile(target) or (copy and _alike(source, target))):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    ways = [] if copy else [lambda: target.symlink_to(source.resolve())]
    for way in (*ways, lambda: os.link(source.resolve(), target)):
        with suppress(OSError):
            way()
            return
    shutil.copy2(source, target)


def _alike(one: Path, other: Path) -> bool:
    """Whether a copy is up to date."""
    a, b = one.stat(), other.stat()
    return a.st_size == b.st_size and a.st_mtime_ns == b.st_mtime_ns


def drop_others(folder: Path, paths: Sequence[str]) -> None:
    """Remove the files of a release's folder that are not among `paths`: those of an earlier release.

    Raises ToonbenchError for files that no release had: they are someone's.
    """
    kept, made = {*paths, MARK, PLAN}, _plan(folder).get("made")
    others = sorted(set(_paths(folder)) - kept)
    if isinstance(made, list) and (strange := sorted(set(others) - set(cast("list[str]", made)))):
        raise ToonbenchError(
            f"{folder} holds {len(strange)} files that are not of the release, for example {strange[0]}: move them elsewhere, they are "
            "not published"
        )
    # Before anything is removed, so that a killed process leaves no file that looks like someone's.
    write_json(folder / PLAN, {**_plan(folder), "made": sorted({*paths, *others})})
    for path in others:
        (folder / path).unlink()


def _paths(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() or path.is_symlink()]


def _listed(folder: Path) -> Iterator[ReleaseFile]:
    for path in sorted(_paths(folder)):
        if path not in (MARK, PLAN):
            yield _file(folder, path)


def _file(folder: Path, path: str) -> ReleaseFile:
    found = folder / path
    return ReleaseFile(path, found, found.stat().st_size, file_sha256(found))


def _digest(files: Sequence[ReleaseFile]) -> str:
    lines = "\n".join(f"{file.sha256}  {file.path}" for file in files)
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def _refuse_sizes(files: Sequence[ReleaseFile]) -> None:
    if len(files) > REPOSITORY:
        raise ToonbenchError(
            f"{len(files):,} files are more than a repository should have ({REPOSITORY:,}): publish in parts"
        )
    if big := [file for file in files if file.size > FILE]:
        raise ToonbenchError(
            f"{len(big)} files have more than {FILE / 1e9:.0f} GB, for example {big[0].path}: cut them into shorter clips"
        )
    name, count = fullest_folder(files)
    if count > MOST:
        raise ToonbenchError(f"{name}/ has {count:,} files, more than the limit of {MOST:,} for a folder: divide it")


def _refuse_yaml(folder: Path, files: Sequence[ReleaseFile]) -> None:
    """Raise ToonbenchError for a card or a YAML file that the Hub cannot read."""
    import yaml

    for file in files:
        if file.path in READ:
            text = (folder / file.path).read_text(encoding="utf-8")
            try:
                yaml.safe_load(text.split("---\n")[1] if file.path == "README.md" else text)
            except (yaml.YAMLError, IndexError) as error:
                reason = " ".join(str(error).split())[:120]
                raise ToonbenchError(f"{file.path} is not YAML that the Hub reads ({reason}); report it") from error


def remember(release: Release) -> None:
    """Write what a dry run lists, so that `refuse_changes` finds changes later."""
    old = _plan(release.folder)
    write_json(
        release.folder / PLAN, {**old, "listed": {file.path: [file.size, file.sha256] for file in release.files}}
    )


def refuse_changes(release: Release) -> None:
    """Raise ToonbenchError if files differ from those that the last dry run listed; nothing without a dry run."""
    listed: Any = _plan(release.folder).get("listed")
    if not isinstance(listed, dict):
        return
    before = {path: tuple(facts) for path, facts in cast("dict[str, list[Any]]", listed).items()}
    now = {file.path: (file.size, file.sha256) for file in release.files}
    changed = [path for path in now if now[path] != before.get(path)] + [path for path in before if path not in now]
    ours = [path for path in changed if path != MARK and not path.endswith(LAST)] or changed
    if ours:
        raise ToonbenchError(
            f"{len(changed)} files changed since the dry run, for example {ours[0]}: make the dry run again, and look at its list"
        )


def _plan(folder: Path) -> dict[str, Any]:
    try:
        found: Any = read_json(folder / PLAN)
    except ToonbenchError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def recorded(folder: Path, key: str) -> dict[str, str]:
    """A record of the folder's last preparation: texts by name."""
    found: Any = _plan(folder).get(key)
    return (
        {str(one): str(value) for one, value in cast("dict[Any, Any]", found).items()}
        if isinstance(found, dict)
        else {}
    )


def record(folder: Path, key: str, values: Mapping[str, str]) -> None:
    """Write such a record."""
    write_json(folder / PLAN, {**_plan(folder), key: dict(values)})
