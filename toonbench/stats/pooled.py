"""The measured rows of many clips as one long array that is read in blocks and never held in memory as a whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonbench.types import ToonbenchError

Values = NDArray[np.float64]
Features = NDArray[np.floating[Any]]  # (rows, values): stored rows are float32
BLOCK = 1024  # rows: 16 MB of 2048 values in float64


@dataclass(frozen=True, slots=True)
class Pooled:
    """Rows of several arrays, which may be memory-mapped files; rows with a NaN are left out.

    `kept` has the indices of the measured rows of each array, `starts` where each array begins in the pool.
    """

    arrays: tuple[Features, ...]
    kept: tuple[NDArray[np.intp], ...]
    starts: NDArray[np.intp]

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def width(self) -> int:
        """Values in a row; 0 if there is no row."""
        return self.arrays[0].shape[1] if self.arrays else 0

    def take(self, start: int, stop: int) -> Values:
        """Rows `start` to `stop` of the pool, (rows, values) float64."""
        first = int(np.searchsorted(self.starts, start, side="right")) - 1
        parts: list[Features] = []
        while first < len(self.arrays) and self.starts[first] < stop:
            offset = int(self.starts[first])
            chosen = self.kept[first][max(start - offset, 0) : stop - offset]
            parts.append(np.asarray(self.arrays[first])[chosen])
            first += 1
        return np.concatenate(parts).astype(np.float64) if parts else np.empty((0, self.width))

    def blocks(self, size: int = BLOCK, *, start: int = 0) -> Iterator[Values]:
        """The rows from `start` on, at most `size` at a time."""
        for begin in range(start, len(self), size):
            yield self.take(begin, min(begin + size, len(self)))

    def where(self, mask: NDArray[np.bool_]) -> Pooled:
        """The rows of the pool for which `mask` (rows,) is true."""
        parts = [mask[begin : begin + len(kept)] for begin, kept in zip(self.starts, self.kept, strict=False)]
        return _pooled(list(self.arrays), [kept[part] for kept, part in zip(self.kept, parts, strict=True)])

    def clips(self) -> list[Pooled]:
        """The rows of each array on their own."""
        return [_pooled([one], [kept]) for one, kept in zip(self.arrays, self.kept, strict=True)]

    def shuffled(self) -> NDArray[np.intp]:
        """The indices of all rows in a random order that is fixed by what the rows hold, not by how they are ordered."""
        hashes = [
            np.frombuffer(hashlib.blake2b(row.tobytes(), digest_size=8).digest(), np.uint64)[0]
            for block in self.blocks()
            for row in block
        ]
        return np.argsort(np.array(hashes, np.uint64), kind="stable")

    def fingerprint(self) -> str:
        """A checksum of all rows, in their order."""
        found = hashlib.blake2b(digest_size=16)
        for block in self.blocks():
            found.update(block.tobytes())
        return f"{len(self)}x{self.width}:{found.hexdigest()}"


def pool(rows: Sequence[Features]) -> Pooled:
    """The rows without a NaN of all arrays; arrays without any may have another width (a failed pair's have one value).

    Raises ToonbenchError if the others differ in width.
    """
    return _pooled(list(rows), [np.flatnonzero(np.isfinite(one).all(axis=1)) for one in rows])


def common_width(pools: Sequence[Pooled]) -> int:
    """The width of all that have a row, 0 if none has; ToonbenchError if they differ."""
    return _one_width([one.width for one in pools if len(one)])


def _pooled(arrays: list[Features], kept: list[NDArray[np.intp]]) -> Pooled:
    found = [(one, indices) for one, indices in zip(arrays, kept, strict=True) if len(indices)]
    _one_width([one.shape[1] for one, _ in found])
    starts = np.cumsum([0, *(len(indices) for _, indices in found)])
    return Pooled(tuple(one for one, _ in found), tuple(indices for _, indices in found), starts)


def _one_width(widths: Sequence[int]) -> int:
    if len(different := sorted(set(widths))) > 1:
        raise ToonbenchError(
            f"rows of {different[0]} and of {different[-1]} values cannot be compared: they are features of different "
            "networks; remove the stored rows and score again"
        )
    return max(widths, default=0)
