"""The pixel loop of `face_landmarker`, written so that numba can compile it; it also runs uncompiled (slowly)."""

import numpy as np
from numpy.typing import NDArray


def turned_square(
    frame: NDArray[np.uint8], corner: NDArray[np.float64], across: NDArray[np.float64], size: int, repeat: bool
) -> NDArray[np.uint8]:
    """A square of a frame, turned in any direction, as (size, size, 3) uint8.

    `corner` is the x and y of its upper left corner, `across` the step in x and y from one sample of a row to the next;
    rows follow at a right angle. Samples lie at these places, between the middles of four pixels, whose weights are
    multiples of 1/32 a side (OpenCV's `warpPerspective`, INTER_LINEAR, of versions 3 and 4). No pixels are averaged
    where the square is made smaller. Outside the frame lies its edge (`repeat`) or black.
    """
    height, width = frame.shape[:2]
    out = np.zeros((size, size, 3), np.uint8)
    for row in range(size):
        for column in range(size):
            x = np.int64(np.rint(32 * (corner[0] + column * across[0] - row * across[1])))
            y = np.int64(np.rint(32 * (corner[1] + column * across[1] + row * across[0])))
            left, top = x >> 5, y >> 5
            right_share, low_share = x & 31, y & 31
            for channel in range(3):
                total = np.int64(0)
                for k in range(4):
                    at_x, at_y = left + (k & 1), top + (k >> 1)
                    inside = 0 <= at_x < width and 0 <= at_y < height
                    if repeat:
                        at_x, at_y = min(max(at_x, 0), width - 1), min(max(at_y, 0), height - 1)
                    if repeat or inside:
                        weight = (right_share if k & 1 else 32 - right_share) * (
                            low_share if k >> 1 else 32 - low_share
                        )
                        total += weight * np.int64(frame[at_y, at_x, channel])
                out[row, column, channel] = (total + 512) >> 10
    return out
