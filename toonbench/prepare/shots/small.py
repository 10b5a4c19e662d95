"""Small pictures of the frames of a film, from which shots are found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from toonbench.compiled import compile_loops
from toonbench.types import Frame

HEIGHT, WIDTH = 27, 48  # as TransNetV2 takes them
BLOCK = 9  # pixels a side of a block that is matched
BAR = 24  # grey levels: a row or column that is never brighter is a bar

Small = NDArray[np.float32]  # (HEIGHT, WIDTH, 3), RGB from 0 to 255
Smalls = NDArray[np.float32]  # (frames, HEIGHT, WIDTH, 3)


def shrink(frames: Iterable[Frame]) -> Iterator[NDArray[np.uint8]]:
    """Each frame, (h, w, 3) uint8 RGB, as (HEIGHT, WIDTH, 3): means of areas."""
    from PIL import Image

    for frame in frames:
        yield np.asarray(Image.fromarray(frame).resize((WIDTH, HEIGHT), Image.Resampling.BOX))


def inside_bars(smalls: NDArray[np.uint8]) -> tuple[slice, slice]:
    """The rows and columns of the picture without black bars, one row or column further in, where a bar ends within it."""
    brightest = smalls.max(axis=(0, 3))
    return _inner(brightest.max(axis=1) > BAR), _inner(brightest.max(axis=0) > BAR)


def _inner(bright: NDArray[np.bool_]) -> slice:
    if bright.all() or not bright.any():
        return slice(None)
    first, last = int(np.argmax(bright)), len(bright) - int(np.argmax(bright[::-1]))
    return slice(first + (first > 0), max(first + 2, last - (last < len(bright))))


def difference(one: Small, other: Small, *, reach: int) -> float:
    """How unlike two pictures are when each block of the other may come from up to `reach` pixels away, in grey levels."""
    return float(compile_loops("toonbench.prepare.shots._small_kernels").matched_difference(one, other, BLOCK, reach))
