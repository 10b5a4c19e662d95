"""The only module that reads and writes run folders. Files are written completely or not at all.

    RUN = out/<data>/<task>@<v>/<method>@<revision>/
        run.json                        the request: data, task, method, options
        videos/<pair>.mkv               generated frames, lossless
        failures/<pair>.json            why a pair has no video
        logs/<pair>.txt                 what the program of a command method printed, where it failed
        rows/<metric>@<v>/<pair>.npy    a metric's rows of a pair
        scores.csv  result.json         pure functions of the rows
    out/<data>/features/<features>@<v>/<part>/<clip>~<checksum>.npy    features of data set frames, shared by tasks and methods

The path is the identity. A file that exists is complete (it is renamed atomically) and is never written again.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import platform
import re
import shutil
import sys
import tempfile
import time
import unicodedata
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toonbench.arrays import UnreadableArrays, load_array
from toonbench.types import CannotWrite, Rows, ToonbenchError

PART = ".part-"  # the names of files that are being written begin with this
FOREIGN_AGE = 86_400.0  # seconds after which a partial file whose lock cannot be checked counts as abandoned
LONGEST = 150  # characters of a name in a path
LONGEST_METHOD = 120  # bytes of a method's name in the name of its run
SAFE = re.compile(r"[^A-Za-z0-9._@~=+-]+")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")  # a reason may quote any text, and is printed to terminals
HALVES = re.compile("[\ud800-\udfff]")  # of characters: the undecodable bytes of a file name, which UTF-8 cannot hold
WRITE_ERRORS = {
    errno.ENOSPC: "the disk is full: free some space and run again; finished files are kept",
    errno.EFBIG: "the file is larger than the disk or the limit of this process (ulimit -f) allows: choose another place",
    errno.EDQUOT: "the disk quota is used up: free some space and run again; finished files are kept",
    errno.EACCES: "no permission to write there: choose another place",
    errno.EPERM: "no permission to write there: choose another place",
    errno.EROFS: "the file system is read-only: choose another place",
    errno.ENOTDIR: "a part of the path is a file, not a folder: choose another place",
    errno.EEXIST: "a part of the path is a file, not a folder: choose another place",
}


def safe_name(text: str) -> str:
    """`text` as a file name of at most LONGEST characters that is never empty or hidden.

    Other characters than letters, digits and `._@~=+-` become dashes. A longer name ends with a checksum of the text
    instead, so that names that differ at their end stay different.
    """
    name = SAFE.sub("-", text).strip("-.") or "unnamed"
    if len(name) <= LONGEST:
        return name
    checksum = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:10]
    return f"{name[: LONGEST - len(checksum) - 1]}-{checksum}"


def run_folder(method: str, revision: str) -> str:
    """The name of a run's folder, `<method>@<revision>`, of at most LONGEST bytes; see `method_name`."""
    return f"{method_name(method)}@{safe_name(revision)}"


def method_name(method: str) -> str:
    """A method's name in the names of its runs: letters, digits and marks of any script, and `._@~=+-`; others become dashes.

    A name without any of them, or a long one, ends with a checksum of the text.
    """
    text = unicodedata.normalize("NFC", method)
    kept = "".join(one if unicodedata.category(one)[0] in "LMN" or one in "._@~=+-" else "\0" for one in text)
    name = re.sub("\0+", "-", kept).lstrip("-.")
    if name and len(name.encode()) <= LONGEST_METHOD:
        return name
    checksum = hashlib.sha256(method.encode("utf-8", "surrogateescape")).hexdigest()[:10]
    start = name.encode()[: LONGEST_METHOD - len(checksum) - 1].decode("utf-8", "ignore")
    return f"{start or 'unnamed'}-{checksum}"


def reason_of(error: BaseException) -> str:
    """An error as one line for a failure: the message, with the exception's type first unless it is a ToonbenchError."""
    if isinstance(error, ToonbenchError):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


@contextmanager
def writing(path: Path) -> Generator[Path]:
    """A temporary path beside `path`, renamed to it when the block ends well and removed when it does not.

    Raises ToonbenchError where the file cannot be written (full disk, no permission), naming the file.
    """
    with partial_file(path) as temporary:
        temporary.chmod(0o666 & ~_umask())
        yield temporary
        temporary.replace(path)


@contextmanager
def partial_file(path: Path) -> Generator[Path]:
    """A temporary path beside `path`, removed when the block ends; after a kill, by the next run on the folder.

    Raises ToonbenchError where the file cannot be written (full disk, no permission), naming `path`.
    """
    temporary: Path | None = None
    handle = -1
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = _open_part(path)
        yield temporary
    except OSError as error:
        reason = WRITE_ERRORS.get(error.errno or 0)
        if reason is None:
            raise
        raise CannotWrite(f"cannot write {path}: {reason}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if handle >= 0:
            os.close(handle)


@contextmanager
def folder_lock(root: Path, *, alone: bool, busy: str) -> Generator[None]:
    """A lock of a folder while the block runs, shared or alone; none where the system or the disk has no locks.

    Raises ToonbenchError with the message `busy` if it must be alone and another process has it.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    handle = os.open(root, os.O_RDONLY)
    try:
        with suppress(OSError):
            try:
                fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ToonbenchError(busy) from error
        yield
    finally:
        os.close(handle)


def remove_leftovers(root: Path) -> None:
    """Remove the partial files below `root` that killed processes left; those of living processes stay.

    A living writer holds a lock on its file. On a shared disk the locks of other machines may be invisible, so a file
    from another machine is removed only if it has not been written to for a day.
    """
    for folder, _, files in os.walk(root):
        for name in files:
            if name.startswith(PART):
                with suppress(OSError):
                    _remove_abandoned(Path(folder, name))


def _open_part(path: Path) -> tuple[int, Path]:
    """A new partial file beside `path` and its descriptor, locked until that is closed (not on Windows)."""
    while True:
        handle, name = tempfile.mkstemp(prefix=_own_prefix(), suffix=path.suffix, dir=path.parent)
        if sys.platform == "win32":  # an open file cannot be renamed there
            os.close(handle)
            return -1, Path(name)
        with suppress(OSError):  # a file system without locks
            _lock(handle)
        if os.fstat(handle).st_nlink:
            return handle, Path(name)
        os.close(handle)  # removed by another process between the two lines above


def _own_prefix() -> str:
    return f"{PART}{safe_name(platform.node())[:40]}~"


def _lock(handle: int) -> None:
    """Lock a file without waiting; BlockingIOError where another process has it, OSError where locks do not work."""
    if sys.platform == "win32":
        raise OSError(errno.ENOLCK, "no locks")
    import fcntl

    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _remove_abandoned(path: Path) -> None:
    old = time.time() - path.stat().st_mtime > FOREIGN_AGE
    if not (old or path.name.startswith(_own_prefix())):
        return
    handle = os.open(path, os.O_RDWR)
    try:
        try:
            _lock(handle)
        except BlockingIOError:
            return
        except OSError:
            if not old:
                return
        path.unlink()
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file completely or not at all."""
    with writing(path) as temporary:
        temporary.write_bytes(content)


def to_json(value: Any) -> str:
    """JSON with sorted keys and `null` for NaN; equal values give equal text. Undecodable bytes of file names are escapes."""
    text = json.dumps(_plain(value), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return HALVES.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Write `value` as the text of `to_json`."""
    write_bytes(path, to_json(value).encode())


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises ToonbenchError, naming it, if it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ToonbenchError(f"{path} is missing: give the folder of a run") from error
    except (OSError, ValueError, RecursionError) as error:  # also numbers of too many digits
        raise ToonbenchError(f"{path} cannot be read as JSON ({error}): remove it and run again") from error


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


@dataclass(frozen=True, slots=True)
class Run:
    """The folder of one method on one task of one data set."""

    root: Path

    @property
    def description(self) -> Path:
        """The file of the request: data, task, method, options."""
        return self.root / "run.json"

    @property
    def checkpoint(self) -> dict[str, str]:
        """What the description says about the method's weights: file, sha256, variant; empty if it has none."""
        stored = read_json(self.description) if self.description.exists() else None
        facts = stored.get("checkpoint") if isinstance(stored, dict) else None
        return {str(key): str(value) for key, value in facts.items()} if isinstance(facts, dict) else {}

    @property
    def scores(self) -> Path:
        """The table of scores: a row for each pair, with its value for every metric, or its failure."""
        return self.root / "scores.csv"

    @property
    def result(self) -> Path:
        """The file of the results, with intervals, pairs, coverage and failures."""
        return self.root / "result.json"

    @property
    def features(self) -> Path:
        """The folder of features of the data set's frames, which all methods and tasks share."""
        return self.root.parent.parent / "features"

    def video(self, pair: str) -> Path:
        """The video of a pair's generated frames."""
        return self.root / "videos" / f"{pair}.mkv"

    def failure(self, pair: str) -> Path:
        """The file with the reason why a pair has no video."""
        return self.root / "failures" / f"{pair}.json"

    def log(self, pair: str) -> Path:
        """The file with what the program of a failed pair printed."""
        return self.root / "logs" / f"{pair}.txt"

    def rows(self, metric: str, pair: str) -> Path:
        """The file of a metric's rows of a pair."""
        return self.root / "rows" / metric / f"{pair}.npy"

    def weights(self, name: str) -> Path:
        """The file with the sha256 of the weights that rows were measured with."""
        return self.root / "rows" / name / "weights.json"

    def begin(self, description: dict[str, Any], *, fresh: bool) -> None:
        """Open the run for `description`: create it or resume it; `fresh` first deletes its stored files.

        Partial files that killed processes left are removed.

        Raises ToonbenchError, naming the first difference, if the folder holds another run.
        """
        if fresh and self.root.exists():
            if not self.description.exists() and any(self.root.iterdir()):
                raise ToonbenchError(
                    f"{self.root} is not a run folder: --fresh does not delete it; choose another place"
                )
            with self._locked(alone=True):
                shutil.rmtree(self.root)
        for folder in (self.root, self.features):
            remove_leftovers(folder)
        if not self.description.exists():
            write_json(self.description, description)
            return
        stored, new = read_json(self.description), json.loads(to_json(description))
        if not isinstance(stored, dict):
            raise ToonbenchError(f"{self.description} is damaged: give --fresh to delete the run, or another --out")
        for key in sorted(set(stored) | set(new)):
            if key not in ("environment", "checkpoint") and stored.get(key) != new.get(key):
                raise ToonbenchError(
                    f"{self.root} holds a run with {key} = {_short(stored.get(key))}, this run has {_short(new.get(key))}: "
                    "choose another --out, or give --fresh to delete it and start again"
                )

    @contextmanager
    def in_use(self) -> Generator[None]:
        """The folder is in use while the block runs: `begin` with `fresh` in another process refuses to delete it."""
        with self._locked(alone=False):
            yield

    def _locked(self, *, alone: bool) -> AbstractContextManager[None]:
        """See `folder_lock`."""
        busy = (
            f"{self.root} is in use by another process, so --fresh does not delete it: wait until that has "
            "ended, or choose another --out"
        )
        return folder_lock(self.root, alone=alone, busy=busy)

    def fail(self, pair: str, *, stage: str, reason: str) -> None:
        """Record why a pair has no result."""
        write_json(self.failure(pair), {"pair": pair, "stage": stage, "reason": CONTROL.sub(" ", reason)})

    def keep_log(self, pair: str, text: str) -> Path:
        """Store what the program of a failed pair printed, and return the file."""
        path = self.log(pair)
        write_bytes(path, text.encode("utf-8", "replace"))
        return path

    def reason(self, pair: str) -> str:
        """Why the pair failed, or an empty string."""
        path = self.failure(pair)
        if not path.exists():
            return ""
        stored = read_json(path)
        return str(stored.get("reason", "unknown")) if isinstance(stored, dict) else "unknown"

    def clear_failure(self, pair: str) -> None:
        """Delete the record of an earlier failure of a pair that now has its video."""
        self.failure(pair).unlink(missing_ok=True)
        self.log(pair).unlink(missing_ok=True)

    def write_rows(self, name: str, pair: str, rows: Rows) -> None:
        """Store a metric's rows of a pair, (rows, values) float32."""
        write_array(self.rows(name, pair), rows)

    def read_rows(self, name: str, pair: str, *, lazy: bool = False) -> Rows | None:
        """The stored rows, or None where the pair has not been measured; `lazy` leaves them on disk (memory-mapped)."""
        return read_array(self.rows(name, pair), lazy=lazy)


def write_array(path: Path, rows: Rows) -> None:
    """Write (rows, values) float32 as .npy, completely or not at all."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(rows, dtype=np.float32), allow_pickle=False)
    write_bytes(path, buffer.getvalue())


def read_array(path: Path, *, lazy: bool = False) -> Rows | None:
    """Read an array of `write_array`; None if the file does not exist; `lazy` leaves it on disk (memory-mapped)."""
    try:
        found = load_array(path, lazy=lazy)
    except FileNotFoundError:
        return None
    except UnreadableArrays as error:
        raise ToonbenchError(f"{path} cannot be used ({error}): remove it and run again") from error
    if found.dtype != np.float32 or found.ndim != 2:
        raise ToonbenchError(
            f"{path} holds {found.ndim} dimensions of {found.dtype} instead of 2 of float32: remove it and run again"
        )
    return found


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
