"""The loops of `face_landmarker`, written so that numba can compile each of them; they also run uncompiled (slowly).

MediaPipe cuts squares out of frames with OpenCV's `getPerspectiveTransform` and `warpPerspective` (INTER_LINEAR, versions 3
and 4). Places are rounded to 1/32 pixel there, and in the frame of many sizes a quarter of them lies halfway between two such
steps: the last bits of the map decide. So the map is computed in the same order, and the pixels are the same bytes.
"""

import numpy as np
from numpy.typing import NDArray


def map_to_frame(corners: NDArray[np.float32], size: int) -> NDArray[np.float64]:
    """The map (3, 3) from places in a square of `size` pixels to places in the frame.

    `corners` (4, 2) are the square's lower left, upper left, upper right and lower right corner in the frame. The map from
    the frame is found by elimination with the largest pivots, and inverted by its cofactors.
    """
    system, right = np.zeros((8, 8)), np.zeros(8)
    for k in range(4):
        x, y = np.float64(corners[k, 0]), np.float64(corners[k, 1])
        to_x, to_y = (float(size) if k > 1 else 0.0), (float(size) if k % 3 == 0 else 0.0)
        system[k, :3] = system[k + 4, 3:6] = np.array([x, y, 1.0])
        system[k, 6], system[k, 7] = -x * to_x, -y * to_x
        system[k + 4, 6], system[k + 4, 7] = -x * to_y, -y * to_y
        right[k], right[k + 4] = to_x, to_y
    for k in range(8):
        pivot = k
        for row in range(k + 1, 8):
            if abs(system[row, k]) > abs(system[pivot, k]):
                pivot = row
        if pivot != k:
            for column in range(k, 8):
                system[k, column], system[pivot, column] = system[pivot, column], system[k, column]
            right[k], right[pivot] = right[pivot], right[k]
        share = -1 / system[k, k]
        for row in range(k + 1, 8):
            factor = system[row, k] * share
            for column in range(k + 1, 8):
                system[row, column] += factor * system[k, column]
            right[row] += factor * right[k]
    for k in range(7, -1, -1):
        for column in range(k + 1, 8):
            right[k] -= system[k, column] * right[column]
        right[k] /= system[k, k]
    a, b, c, d, e, f, g, h = right
    scale = 1 / (a * (e - f * h) - b * (d - f * g) + c * (d * h - e * g))
    out = np.empty((3, 3))
    out[0, 0], out[0, 1], out[0, 2] = (e - f * h) * scale, (c * h - b) * scale, (b * f - c * e) * scale
    out[1, 0], out[1, 1], out[1, 2] = (f * g - d) * scale, (a - c * g) * scale, (c * d - a * f) * scale
    out[2, 0], out[2, 1], out[2, 2] = (d * h - e * g) * scale, (b * g - a * h) * scale, (a * e - b * d) * scale
    return out


def sampled(frame: NDArray[np.uint8], places: NDArray[np.float64], size: int, repeat: bool) -> NDArray[np.uint8]:
    """Pixels (size, size, 3) of a frame at the places of the map `places` (3, 3), mixed from four pixels each.

    Weights are multiples of 1/32 a side. Nothing is averaged where the square is made smaller. Outside the frame lies its
    edge (`repeat`) or black. Places are summed up in blocks of 64 columns.
    """
    height, width = frame.shape[:2]
    out = np.zeros((size, size, 3), np.uint8)
    for row in range(size):
        for column in range(size):
            start, after = float(column // 64 * 64), float(column % 64)
            x = places[0, 0] * start + places[0, 1] * row + places[0, 2] + places[0, 0] * after
            y = places[1, 0] * start + places[1, 1] * row + places[1, 2] + places[1, 0] * after
            depth = places[2, 0] * start + places[2, 1] * row + places[2, 2] + places[2, 0] * after
            step = 32 / depth if depth != 0 else 0.0
            across, down = np.int64(np.rint(x * step)), np.int64(np.rint(y * step))
            left, top, right_share, low_share = across >> 5, down >> 5, across & 31, down & 31
            for channel in range(3):
                total = np.int64(512)
                for k in range(4):
                    at_x, at_y = left + (k & 1), top + (k >> 1)
                    inside = 0 <= at_x < width and 0 <= at_y < height
                    if repeat:
                        at_x, at_y = min(max(at_x, 0), width - 1), min(max(at_y, 0), height - 1)
                    if repeat or inside:
                        beside = right_share if k & 1 else 32 - right_share
                        below = low_share if k >> 1 else 32 - low_share
                        total += beside * below * np.int64(frame[at_y, at_x, channel])
                out[row, column, channel] = total >> 10
    return out
