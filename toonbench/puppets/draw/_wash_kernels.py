"""The loops of the watercolour, written so that numba can compile each of them alone (see `toonbench.compiled`)."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def blur_box(image: Floats, radius: int, out: Floats) -> None:
    """Write the mean of `image` (h, w, k) over squares of 2 radius + 1 pixels to `out`; the border is repeated outwards."""
    height, width, depth = image.shape
    share = np.float32(1.0 / (2 * radius + 1))
    rows = np.empty_like(image)
    for r in range(height):
        for k in range(depth):
            total = np.float32(0.0)
            for c in range(-radius, radius + 1):
                total += image[r, min(max(c, 0), width - 1), k]
            for c in range(width):
                rows[r, c, k] = total * share
                total += image[r, min(c + radius + 1, width - 1), k] - image[r, max(c - radius, 0), k]
    line = np.zeros((width, depth), np.float32)
    for r in range(-radius, radius + 1):
        line += rows[min(max(r, 0), height - 1)]
    for r in range(height):
        ahead, behind = rows[min(r + radius + 1, height - 1)], rows[max(r - radius, 0)]
        for c in range(width):
            for k in range(depth):
                out[r, c, k] = line[c, k] * share
                line[c, k] += ahead[c, k] - behind[c, k]
