"""The rows of a run in one small file, whose bytes depend on the rows only.

`rows.npz` holds, without compression, an array `<metric>@<v>` for each metric: the rows of all its pairs below each other, in the
order of `scores.csv`; and `lengths`, (metrics, pairs) int32, sorted by metric: how many of them belong to a pair, -1 for a pair
without rows. Metrics with equal rows share an array.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toonbench.arrays import Array, UnreadableArrays, load_arrays
from toonbench.store import Run, write_bytes
from toonbench.types import Rows, ToonbenchError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIMIT = 256 * 1024  # bytes of rows in an entry
MOST = 64 * 2**20  # bytes that a file of rows may state, so that a hostile one cannot fill the memory
LENGTHS = "lengths"
MOMENT = (1980, 1, 1, 0, 0, 0)  # the time of every member of the file


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """Rows as an entry stores them: the file, the array of each metric, and the metrics without rows and why."""

    content: bytes
    arrays: Mapping[str, str]  # metric -> name of its array
    left_out: Mapping[str, Mapping[str, Any]]  # metric -> reason, bytes, sha256 of its rows below each other


def pack(run: Run, pairs: Sequence[str], *, limit: int = LIMIT) -> Packed:
    """Pack the rows of a run's pairs. Metrics come in by size, the smallest first, until `limit` bytes are full."""
    names = sorted(path.name for path in (run.root / "rows").iterdir() if path.is_dir())
    stacks = {name: stack for name in names if (stack := _stack(run, name, pairs=pairs)) is not None}
    arrays: dict[str, str] = {}
    left_out: dict[str, dict[str, Any]] = {}
    used = 0
    kept: dict[str, Rows] = {}
    lengths: dict[str, NDArray[np.int32]] = {}
    by_sum: dict[str, str] = {}
    for name in sorted(stacks, key=lambda one: (stacks[one][0].nbytes, one)):
        rows, counts = stacks[name]
        sha256 = hashlib.sha256(repr(rows.shape).encode() + rows.tobytes()).hexdigest()
        own = by_sum.get(sha256)
        if own is None and used + rows.nbytes > limit:
            reason = f"its rows ({rows.nbytes} bytes) exceed what is left of the {limit} bytes of rows of an entry"
            left_out[name] = {"reason": reason, "bytes": rows.nbytes, "sha256": sha256}
            continue
        if own is None:
            own, used = by_sum.setdefault(sha256, name), used + rows.nbytes
            kept[name] = rows
        arrays[name] = own
        lengths[name] = counts
    table = np.stack([lengths[name] for name in sorted(lengths)]) if lengths else np.zeros((0, len(pairs)), np.int32)
    return Packed(content=_npz({**kept, LENGTHS: table}), arrays=dict(sorted(arrays.items())), left_out=left_out)


def _stack(run: Run, name: str, *, pairs: Sequence[str]) -> tuple[Rows, NDArray[np.int32]] | None:
    """All rows of a metric and how many each pair has; None for a metric that has no rows of any of the pairs."""
    found = [run.read_rows(name, pair) for pair in pairs]
    own = [rows for rows in found if rows is not None]
    if not own:
        return None
    widths = {rows.shape[1] for rows in own}
    if len(widths) > 1:
        raise ToonbenchError(f"{run.root / 'rows' / name}: its rows have {sorted(widths)} values; score the run again")
    return np.concatenate(own), np.array([-1 if rows is None else len(rows) for rows in found], np.int32)


def _npz(arrays: Mapping[str, Array]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        for name, array in sorted(arrays.items()):
            member = io.BytesIO()
            np.save(member, np.ascontiguousarray(array), allow_pickle=False)
            file.writestr(zipfile.ZipInfo(f"{name}.npy", MOMENT), member.getvalue())
    return buffer.getvalue()


def unpack(path: Path, run: Run, *, arrays: Mapping[str, str], pairs: Sequence[str]) -> None:
    """Write the rows of a packed file into the folder of a run, a new temporary one.

    Raises ToonbenchError for a file that `pack` has not written.
    """
    try:
        _check_size(path)
        stored = load_arrays(path)
    except UnreadableArrays as error:
        raise ToonbenchError(f"{path.name} cannot be read ({error}): submit the run again") from error
    if alien := next((name for name, one in stored.items() if not isinstance(one, np.ndarray)), None):  # pyright: ignore[reportUnnecessaryIsInstance] - NumPy gives the bytes of other files
        raise ToonbenchError(f"{path.name} holds {alien}, which is no array: submit the run again")
    lengths = stored.pop(LENGTHS, None)
    shape = (len(arrays), len(pairs))
    if lengths is None or lengths.dtype != np.int32 or lengths.shape != shape:
        raise ToonbenchError(f"{path.name} has no lengths of {shape[0]} metrics and {shape[1]} pairs: submit again")
    if unlisted := sorted({*stored} ^ {*arrays.values()}):
        raise ToonbenchError(f"{path.name} and entry.json list different rows ({unlisted[0]}): submit the run again")
    for counts, (name, array) in zip(lengths, sorted(arrays.items()), strict=True):
        rows = stored[array]
        whole = rows.dtype == np.float32 and rows.ndim == 2 and (counts >= -1).all()
        if not whole or int(counts.clip(0).sum()) != len(rows):
            raise ToonbenchError(f"{path.name}: {array} is not the rows of its pairs: submit the run again")
        ends = np.cumsum(counts.clip(0))
        parts = [rows[end - count : end] for end, count in zip(ends, counts.clip(0), strict=True)]
        (run.root / "rows" / name).mkdir(parents=True)
        for pair, count, part in zip(pairs, counts, parts, strict=True):
            if count >= 0:
                np.save(run.rows(name, pair), part, allow_pickle=False)


def _check_size(path: Path) -> None:
    """Raise UnreadableArrays for a file that is no archive, or whose arrays would take more than MOST bytes."""
    try:
        with zipfile.ZipFile(path) as file:
            size = sum(member.file_size for member in file.infolist())
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise UnreadableArrays(f"it is no file of arrays ({error})") from error
    if size > MOST:
        raise UnreadableArrays(f"it states {size} bytes of rows, at most {MOST} are allowed")


def copy_weights(weights: Mapping[str, Mapping[str, str]], run: Run) -> None:
    """Write which weights each metric's rows were measured with, as measuring does."""
    from toonbench.store import to_json

    for name, sha256 in weights.items():
        write_bytes(run.weights(name), to_json(sha256).encode())
