"""The loop that compares small pictures, written so that numba can compile it (see `toonbench.compiled`)."""

import numpy as np
from numpy.typing import NDArray


def matched_difference(one: NDArray[np.float32], other: NDArray[np.float32], block: int, reach: int) -> float:
    """The mean over blocks of the least mean absolute difference of a block of `other` to `one` shifted by up to `reach` pixels.

    Pixels outside `one` repeat its edge. Blocks of at least `block` x `block` pixels share the picture evenly.
    """
    height, width, channels = other.shape
    rows, columns = max(1, height // block), max(1, width // block)
    tall, wide = height // rows, width // columns
    total = 0.0
    for row in range(rows):
        for column in range(columns):
            best = np.inf
            for down in range(-reach, reach + 1):
                for right in range(-reach, reach + 1):
                    apart = 0.0
                    for y in range(row * tall, (row + 1) * tall):
                        from_y = min(max(y + down, 0), height - 1)
                        for x in range(column * wide, (column + 1) * wide):
                            from_x = min(max(x + right, 0), width - 1)
                            for channel in range(channels):
                                apart += abs(one[from_y, from_x, channel] - other[y, x, channel])
                        if apart >= best:
                            break
                    best = min(best, apart)
            total += best / (tall * wide * channels)
    return total / (rows * columns)
