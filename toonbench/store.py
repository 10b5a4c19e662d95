"""The one door to run folders: where everything lies, written whole or not at all.

    RUN = out/<data>/<task>@<v>/<method>@<revision>/
        run.json                        what was asked, and of what
        videos/<pair>.mkv               generated frames, lossless
        failures/<pair>.json            why a pair has no video
        rows/<metric>@<v>/<pair>.npy    what a metric measured of a pair
        scores.csv  result.json         pure functions of the rows
    out/<data>/features/<features>@<v>/<part>/<clip>~<checksum>.npy    features of dataset frames, shared by tasks and methods

The path is the identity. A file that exists is complete (it came by atomic rename) and is never made again.
"""

from __future__ import annotations

import errno
import io
import json
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toonbench.types import Rows, ToonbenchError

PART = ".part-"  # begins the name of a file that is being written
FOREIGN_AGE = 86_400.0  # seconds after which a partial file that cannot be judged by its lock is abandoned
SAFE = re.compile(r"[^A-Za-z0-9._@~=+-]+")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")  # a reason may quote anything, and goes to terminals
WRITE_ERRORS = {
    errno.ENOSPC: "the disk is full: free some space and run again, what was finished is kept",
    errno.EDQUOT: "the disk quota is used up: free some space and run again, what was finished is kept",
    errno.EACCES: "no permission to write there: choose another place",
    errno.EPERM: "no permission to write there: choose another place",
    errno.EROFS: "the file system is read-only: choose another place",
    errno.ENOTDIR: "a part of the path is a file, not a folder: choose another place",
    errno.EEXIST: "a part of the path is a file, not a folder: choose another place",
}


def safe_name(text: str) -> str:
    """`text` as a file name: anything but letters, digits and `._@~=+-` becomes a dash; never empty, never hidden."""
    return SAFE.sub("-", text).strip("-.")[:150] or "unnamed"


def reason_of(error: BaseException) -> str:
    """An error as one line for a failure: a ToonbenchError's own words, else with the error's kind before them."""
    if isinstance(error, ToonbenchError):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


@contextmanager
def writing(path: Path) -> Generator[Path]:
    """A temporary path beside `path`, renamed to it when the block ends well and removed when it does not.

    Raises ToonbenchError where the file cannot be written (full disk, no permission), naming the file.
    """
    temporary: Path | None = None
    handle = -1
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = _open_part(path)
        temporary.chmod(0o666 & ~_umask())
        yield temporary
        temporary.replace(path)
    except OSError as error:
        reason = WRITE_ERRORS.get(error.errno or 0)
        if reason is None:
            raise
        raise ToonbenchError(f"cannot write {path}: {reason}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if handle >= 0:
            os.close(handle)


def remove_leftovers(root: Path) -> None:
    """Remove the partial files below `root` that killed processes left; those of living processes stay.

    A living writer holds a lock on its file. On a shared disk the locks of other machines may be invisible, so a file
    from another machine is removed only when nobody has written to it for a day.
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
    """Write a whole file or none of it."""
    with writing(path) as temporary:
        temporary.write_bytes(content)


def to_json(value: Any) -> str:
    """JSON with sorted keys and `null` for NaN, one form for equal values."""
    return json.dumps(_plain(value), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Write `value` as `to_json` prints it."""
    write_bytes(path, to_json(value).encode())


def read_json(path: Path) -> Any:
    """Read a JSON file; a damaged one is an error that names it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ToonbenchError(f"{path} is missing: give the folder of a run that was begun") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
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
        """What was asked, and of what."""
        return self.root / "run.json"

    @property
    def scores(self) -> Path:
        """A row a pair: its value for every metric, or its failure."""
        return self.root / "scores.csv"

    @property
    def result(self) -> Path:
        """The results, with intervals, pairs, coverage and failures."""
        return self.root / "result.json"

    @property
    def features(self) -> Path:
        """Features of the data set's own frames, which all its methods and tasks share."""
        return self.root.parent.parent / "features"

    def video(self, pair: str) -> Path:
        """The generated frames of a pair."""
        return self.root / "videos" / f"{pair}.mkv"

    def failure(self, pair: str) -> Path:
        """Why a pair has no video."""
        return self.root / "failures" / f"{pair}.json"

    def rows(self, metric: str, pair: str) -> Path:
        """What a metric measured of a pair."""
        return self.root / "rows" / metric / f"{pair}.npy"

    def weights(self, name: str) -> Path:
        """The sha256 of the weights that rows were made with."""
        return self.root / "rows" / name / "weights.json"

    def begin(self, description: dict[str, Any], *, fresh: bool) -> None:
        """Open the run for `description`: make it, or resume it, or (`fresh`) remove what was there first.

        Partial files that killed processes left are removed.

        Raises ToonbenchError where the folder holds a run of something else, naming the first difference.
        """
        if fresh and self.root.exists():
            if not self.description.exists() and any(self.root.iterdir()):
                raise ToonbenchError(
                    f"{self.root} is not a run folder: --fresh does not delete it; choose another place"
                )
            shutil.rmtree(self.root)
        for folder in (self.root, self.features):
            remove_leftovers(folder)
        if not self.description.exists():
            write_json(self.description, description)
            return
        seen, wanted = read_json(self.description), json.loads(to_json(description))
        for key in sorted(set(seen) | set(wanted)):
            if key != "environment" and seen.get(key) != wanted.get(key):
                raise ToonbenchError(
                    f"{self.root} holds a run with {key} = {_short(seen.get(key))}, this one has {_short(wanted.get(key))}: "
                    "choose another --out, or --fresh to begin anew"
                )

    def fail(self, pair: str, *, stage: str, reason: str) -> None:
        """Record why a pair has no result."""
        write_json(self.failure(pair), {"pair": pair, "stage": stage, "reason": CONTROL.sub(" ", reason)})

    def reason(self, pair: str) -> str:
        """Why the pair failed, or an empty string."""
        path = self.failure(pair)
        return str(read_json(path)["reason"]) if path.exists() else ""

    def clear_failure(self, pair: str) -> None:
        """Forget an earlier failure of a pair that now has its video."""
        self.failure(pair).unlink(missing_ok=True)

    def write_rows(self, name: str, pair: str, rows: Rows) -> None:
        """Store what a metric measured of a pair, (rows, values) float32."""
        write_array(self.rows(name, pair), rows)

    def read_rows(self, name: str, pair: str, *, lazy: bool = False) -> Rows | None:
        """The stored rows, or None where the pair has not been measured; `lazy` leaves them on disk (memory-mapped)."""
        return read_array(self.rows(name, pair), lazy=lazy)


def write_array(path: Path, rows: Rows) -> None:
    """Write (rows, values) float32 as .npy, whole or not at all."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(rows, dtype=np.float32), allow_pickle=False)
    write_bytes(path, buffer.getvalue())


def read_array(path: Path, *, lazy: bool = False) -> Rows | None:
    """What `write_array` wrote, or None where there is no such file; `lazy` leaves it on disk (memory-mapped)."""
    try:
        return np.load(path, allow_pickle=False, mmap_mode="r" if lazy else None)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError) as error:
        raise ToonbenchError(f"{path} is damaged ({error}): remove it and run again") from error


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
