"""The pixel loops of CPBD, written so that numba can compile each of them alone; `cpbd.py` does so on first use.

They are ordinary Python on arrays, integers wherever the reference is exact in integers, and also run uncompiled
(slowly). Each is one function without calls to others, because a compiled function cannot call an uncompiled one.
"""

import numpy as np
from numpy.typing import NDArray

PLAIN, EDGE, DOUBTFUL = 0, 1, 2  # is a block an edge block?


def sobel_strength(gray: NDArray[np.uint8]) -> tuple[NDArray[np.int32], np.int64]:
    """Squared response of the vertical-edge Sobel kernel (edge pixels repeat outside), and its sum."""
    height, width = gray.shape
    strength = np.empty((height, width), np.int32)
    column = np.empty(width + 2, np.int32)  # [1 2 1] down each column
    total = np.int64(0)
    for y in range(height):
        above, below = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(width):
            column[x + 1] = np.int32(gray[above, x]) + 2 * np.int32(gray[y, x]) + np.int32(gray[below, x])
        column[0], column[width + 1] = column[1], column[width]
        for x in range(width):
            response = column[x + 2] - column[x]
            strength[y, x] = response * response
            total += np.int64(strength[y, x])
    return strength, total


def has_direction(gray: NDArray[np.uint8]) -> bool:
    """Whether any gradient points elsewhere than exactly to the right.

    The reference measures no width in an image whose gradient angles are all zero, so neither do we.
    """
    height, width = gray.shape
    for y in range(height):
        above, below = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(width):
            gx = np.int32(gray[y, min(x + 1, width - 1)]) - np.int32(gray[y, max(x - 1, 0)])
            if gx < 0 or (gx > 0 and gray[below, x] != gray[above, x]):
                return True
    return False


def edge_widths(
    gray: NDArray[np.uint8], strength: NDArray[np.int32], cutoff: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Edge pixels per whole 64 x 64 block, and how many of them are at most as wide as the just noticeable blur.

    An edge pixel has a strength above `cutoff` and above both neighbours of its row or of its column, and a gradient
    within 22.5 degrees of horizontal. Its width (Marziliano) is 2 plus the strictly monotone steps from the second
    neighbour outwards on both sides; blocks of contrast up to 50 bear 5 pixels of blur, others 3.
    """
    height, width = gray.shape
    blocks_y, blocks_x = height // 64, width // 64
    edges = np.zeros((blocks_y, blocks_x), np.int64)
    sharp = np.zeros((blocks_y, blocks_x), np.int64)
    steps_borne = np.empty(blocks_x, np.int32)
    for block_y in range(blocks_y):
        for block_x in range(blocks_x):
            darkest, brightest = np.int32(255), np.int32(0)
            for y in range(block_y * 64, block_y * 64 + 64):
                for x in range(block_x * 64, block_x * 64 + 64):
                    darkest = min(darkest, np.int32(gray[y, x]))
                    brightest = max(brightest, np.int32(gray[y, x]))
            steps_borne[block_x] = 3 if brightest - darkest <= 50 else 1

        for y in range(max(block_y * 64, 1), min(block_y * 64 + 64, height - 1)):
            for x in range(1, min(blocks_x * 64, width - 1)):
                middle = strength[y, x]
                if middle <= cutoff:
                    continue
                if (middle <= strength[y, x - 1] or middle <= strength[y, x + 1]) and (
                    middle <= strength[y - 1, x] or middle <= strength[y + 1, x]
                ):
                    continue
                gx = np.int32(gray[y, x + 1]) - np.int32(gray[y, x - 1])
                gy = np.int32(gray[y + 1, x]) - np.int32(gray[y - 1, x])
                if gx != 0 and (abs(gx) + abs(gy)) ** 2 >= 2 * gx * gx:  # |gy| >= (sqrt 2 - 1) |gx|
                    continue
                sign = np.int32(-1) if gx < 0 else np.int32(1)
                borne = steps_borne[x // 64]
                steps = np.int32(0)
                left, right = x - 2, x + 2
                while left >= 0 and steps <= borne and sign * (np.int32(gray[y, left + 1]) - gray[y, left]) > 0:
                    steps += 1
                    left -= 1
                while right < width and steps <= borne and sign * (np.int32(gray[y, right]) - gray[y, right - 1]) > 0:
                    steps += 1
                    right += 1
                edges[block_y, x // 64] += 1
                if steps <= borne:
                    sharp[block_y, x // 64] += 1
    return edges, sharp


def edge_blocks(
    gray: NDArray[np.uint8], candidates: NDArray[np.bool_], weights: NDArray[np.float64]
) -> NDArray[np.int64]:
    """For each candidate block: EDGE, PLAIN or DOUBTFUL, by bounds on its number of Canny pixels; nine make an edge block.

    Canny's strong local maxima (above 0.2) all survive its hysteresis and its weak ones (above 0.1) are all that can,
    so the counts of both bound the true one. `margin` swallows the rounding of another order of summation. Rows are
    smoothed (`weights`: one half of the Gaussian, centre first) only until every candidate block has its nine.
    """
    height, width = gray.shape
    blocks_y, blocks_x = candidates.shape
    radius = len(weights) - 1
    high, low, margin, enough = 0.2, 0.1, 1e-6, 9

    inside_x = np.zeros(width)  # share of the kernel inside the image: the reference divides by it
    for x in range(width):
        for k in range(-radius, radius + 1):
            if 0 <= x + k < width:
                inside_x[x] += weights[abs(k)]

    state = np.zeros((blocks_y, blocks_x), np.int64)
    padded = np.zeros(width + 2 * radius)
    smooth = np.empty((68, width))
    down = np.empty((66, width))
    across = np.empty((66, width))
    size = np.empty((66, width))
    strong = np.zeros(blocks_x, np.int64)
    possible = np.zeros(blocks_x, np.int64)
    for block_y in range(blocks_y):
        strong[:] = 0
        possible[:] = 0
        open_blocks = 0
        for block_x in range(blocks_x):
            open_blocks += candidates[block_y, block_x]
        top = block_y * 64
        smoothed, graded = max(top - 2, 0), max(top - 1, 0)  # the next row of each kind to be made
        for y in range(max(top, 1), min(top + 64, height - 1)):
            if open_blocks == 0:
                break
            for row in range(smoothed, min(y + 3, height)):
                inside_y = 0.0
                padded[:] = 0.0
                for k in range(-radius, radius + 1):
                    if 0 <= row + k < height:
                        weight = weights[abs(k)]
                        inside_y += weight
                        for x in range(width):
                            padded[x + radius] += weight * gray[row + k, x]
                out = smooth[row - top + 2]
                for x in range(width):
                    out[x] = weights[0] * padded[x + radius]
                for k in range(1, radius + 1):
                    weight = weights[k]
                    for x in range(width):
                        out[x] += weight * (padded[x + radius - k] + padded[x + radius + k])
                for x in range(width):
                    out[x] /= inside_y * inside_x[x]
            smoothed = min(y + 3, height)
            for row in range(graded, min(y + 2, height)):
                before = smooth[max(row - 1, 0) - top + 2]
                middle = smooth[row - top + 2]
                after = smooth[min(row + 1, height - 1) - top + 2]
                at = row - top + 1
                for x in range(width):
                    left, right = max(x - 1, 0), min(x + 1, width - 1)
                    gy = after[left] + 2 * after[x] + after[right] - before[left] - 2 * before[x] - before[right]
                    gx = (
                        before[right] + 2 * middle[right] + after[right] - before[left] - 2 * middle[left] - after[left]
                    )
                    down[at, x], across[at, x], size[at, x] = gy, gx, np.sqrt(gy * gy + gx * gx)
            graded = min(y + 2, height)

            at = y - top + 1
            for block_x in range(blocks_x):
                if not candidates[block_y, block_x] or strong[block_x] >= enough:
                    continue
                for x in range(max(block_x * 64, 1), min(block_x * 64 + 64, width - 1)):
                    mine = size[at, x]
                    if mine < low - margin:
                        continue
                    gy, gx = down[at, x], across[at, x]
                    step = 1 if (gy >= 0) == (gx >= 0) else -1
                    if abs(gy) > abs(gx):
                        lean = abs(gx) / abs(gy)
                        one = lean * size[at + 1, x + step] + (1 - lean) * size[at + 1, x]
                        other = lean * size[at - 1, x - step] + (1 - lean) * size[at - 1, x]
                    else:
                        lean = abs(gy) / abs(gx)
                        one = lean * size[at + step, x + 1] + (1 - lean) * size[at, x + 1]
                        other = lean * size[at - step, x - 1] + (1 - lean) * size[at, x - 1]
                    largest = max(one, other)
                    possible[block_x] += largest <= mine + margin
                    strong[block_x] += mine >= high + margin and largest <= mine - margin
                open_blocks -= strong[block_x] >= enough
        for block_x in range(blocks_x):
            if candidates[block_y, block_x]:
                if strong[block_x] >= enough:
                    state[block_y, block_x] = 1
                elif possible[block_x] >= enough:
                    state[block_y, block_x] = 2
    return state
