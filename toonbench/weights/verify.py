"""Verify files of the weights folder by their hashes, which are cached so that 500 MB are not read at each use."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

from toonbench.types import ToonbenchError
from toonbench.weights.manifest import Entry

State = Literal["there", "missing", "damaged", "half"]
Progress = Callable[[int, int], None]  # bytes done, bytes in total
BLOCK = 1 << 20
KEPT = "first-downloads.json"
NOT_PUBLISHED = "no sha256 is published; the sha256 of the first download is used"
log = logging.getLogger(__name__)
_remembered: dict[Path, dict[str, Any]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The state of an entry: whether its file is valid, the file's sha256 if it was read, a problem and a note."""

    entry: Entry
    path: Path
    state: State
    sha256: str = ""
    problem: str = ""
    note: str = ""


def folder() -> Path:
    """The folder of the weights: `TOONBENCH_WEIGHTS`, or `weights` in the user's data folder."""
    import platformdirs

    chosen = os.environ.get("TOONBENCH_WEIGHTS")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_data_dir("toonbench", False)) / "weights"


def check(item: Entry, *, full: bool = False, on_progress: Progress | None = None) -> Check:
    """Check the file of an entry. `full` reads all of it; otherwise the cached hash of an unchanged file is used."""
    path = folder() / item.file
    try:
        if not path.is_file():
            half = any((folder() / f"{name}.part").is_file() for name in (item.file, item.archive) if name)
            return Check(entry=item, path=path, state="half" if half else "missing")
        found = hashes(path, git=bool(item.git_blob), full=full, on_progress=on_progress)
    except OSError as error:
        return Check(entry=item, path=path, state="damaged", problem=f"cannot be read ({error.strerror or error})")
    kept = first_download(item, folder())
    problem = wrong(item, found, kept=kept)
    if problem:
        from toonbench.weights.tensors import file_reason

        problem = file_reason(path) or problem
    note = (
        ""
        if item.hashed
        else NOT_PUBLISHED
        if kept
        else "no sha256 is published or stored yet: fetch or verify the file to store it"
    )
    return Check(
        entry=item,
        path=path,
        state="damaged" if problem else "there",
        sha256=found["sha256"],
        problem=problem,
        note=note,
    )


def verify(item: Entry, *, on_progress: Progress | None = None) -> Check:
    """`check` with the whole file; if no sha256 is published, the computed one is stored."""
    found = check(item, full=True, on_progress=on_progress)
    if found.state != "there" or item.hashed or first_download(item, found.path.parent):
        return found
    try:
        keep_first(item, found.sha256, found.path.parent)
    except OSError:  # a read-only folder: nothing is stored, and the note reports it
        return found
    return replace(found, note=NOT_PUBLISHED)


def wrong(item: Entry, found: dict[str, str], *, kept: str = "") -> str:
    """Why hashes differ from those of the entry (or of its first download), or an empty string."""
    if not found["sha256"].startswith(item.sha256):
        return f"sha256 is {found['sha256'][:16]}…, expected {item.sha256[:16]}{'…' if len(item.sha256) > 16 else ''}"
    if item.git_blob and found["git_blob"] != item.git_blob:
        return f"git blob sha1 is {found['git_blob'][:16]}…, expected {item.git_blob[:16]}…"
    if kept and found["sha256"] != kept:
        return f"sha256 is {found['sha256'][:16]}…, that of the first download was {kept[:16]}… (stored in {KEPT})"
    return ""


def first_download(item: Entry, where: Path) -> str:
    """The stored sha256 of the first download of a file without a published one, or an empty string."""
    return "" if item.hashed else str(read_json(where / KEPT).get(item.file, ""))


def keep_first(item: Entry, sha256: str, where: Path) -> None:
    """Store the sha256 of a first download in the weights folder. Raises OSError if it cannot be written."""
    if not item.hashed and not first_download(item, where):
        update_json(where / KEPT, item.file, sha256)


def hashes(path: Path, *, git: bool = False, full: bool = False, on_progress: Progress | None = None) -> dict[str, str]:
    """`sha256` of a file, and `git_blob` (the sha1 of git) if `git`, cached until the file's stat changes."""
    place = path.absolute()
    if not full and (cached := _recall(place)) and (not git or cached.get("git_blob")):
        return cached
    before = _signature(place)
    found = read_hashes(place, git=git, on_progress=on_progress)
    if _signature(place) == before:
        _remember(place, before, found)
    return found


def remember(path: Path, found: dict[str, str]) -> None:
    """Cache the hashes of `path`, which was just written."""
    place = path.absolute()
    _remember(place, _signature(place), found)


def read_hashes(path: Path, *, git: bool = False, on_progress: Progress | None = None) -> dict[str, str]:
    """`hashes` of the whole file, without the cache."""
    size = path.stat().st_size
    sha256 = hashlib.sha256()
    blob = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False) if git else None
    done = 0
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            sha256.update(block)
            if blob is not None:
                blob.update(block)
            done += len(block)
            if on_progress is not None:
                on_progress(done, size)
    return {"sha256": sha256.hexdigest()} | ({"git_blob": blob.hexdigest()} if blob is not None else {})


def _signature(path: Path) -> dict[str, int]:
    """What changes with a file. The ctime also detects a copy with the old modification time and size."""
    stat = path.stat()
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "ctime_ns": stat.st_ctime_ns, "inode": stat.st_ino}


def _note(path: Path) -> Path:
    """The cache file for the hashes of `path`: in the user's cache, because the weights folder may be read-only."""
    import platformdirs

    cache = Path(os.environ.get("TOONBENCH_CACHE") or platformdirs.user_cache_dir("toonbench", False))
    return cache / "weights" / f"{path.name}-{hashlib.sha256(str(path).encode()).hexdigest()[:16]}.json"


def _recall(path: Path) -> dict[str, str] | None:
    """The cached hashes of a file, from this process or from disk, if it has not changed."""
    signature = _signature(path)
    found = _remembered.get(path)
    if found is None:
        with contextlib.suppress(OSError, ValueError):
            found = json.loads(_note(path).read_text(encoding="utf-8"))
    if not isinstance(found, dict) or found.get("signature") != signature or not isinstance(found.get("hashes"), dict):
        return None
    cached = cast("dict[str, str]", found["hashes"])
    return cached if len(str(cached.get("sha256", ""))) == 64 else None


def _remember(path: Path, signature: dict[str, int], found: dict[str, str]) -> None:
    note = {"signature": signature, "hashes": found}
    _remembered[path] = note
    with contextlib.suppress(OSError):  # without the cache the next process reads the file again: slower, but correct
        write_json(_note(path), note)


@contextlib.contextmanager
def locked(where: Path, name: str) -> Generator[None]:
    """Hold the lock of `name` in the folder across processes; a killed process releases it. Raises OSError without write access."""
    from filelock import FileLock, Timeout

    lock = FileLock(where / f".{name}.lock", mode=_file_mode())
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.warning("another process holds %s; waiting for it", lock.lock_file)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file of the weights folder, empty if there is no file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise ToonbenchError(
            f"{path} cannot be read ({error}): remove it, and fetch or verify the weights again"
        ) from error
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def update_json(path: Path, key: str, value: str) -> None:
    """Set one key of such a file; other processes may set other keys at the same time."""
    with locked(path.parent, path.name):
        write_json(path, {**read_json(path), key: value})


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".part-", suffix=".json", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(value, stream, indent=2, sort_keys=True)
        Path(name).chmod(_file_mode())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@functools.cache
def _file_mode() -> int:
    """The permissions of a new file: those of the umask, so that others can read it on a shared disk."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
