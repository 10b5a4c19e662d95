"""The loops of the guard, written so that numba can compile each of them alone; `_guard.py` does so on first use.

They are ordinary Python on arrays and also run uncompiled (slowly). None calls another one, because a compiled function
cannot call an uncompiled one.
"""

import numpy as np
from numpy.typing import NDArray

_FAR, _NEAR = 1.5, 0.02  # pixels: the longest step of a registration, and the one after which it ends
_LARGE = 10  # pixels from the middle of a window to its end


def search(template: NDArray[np.float32], picture: NDArray[np.float32]) -> tuple[float, int, int]:
    """The place in a larger picture that correlates best with a template: correlation, top and left.

    Places with less than 15 % of the template's contrast count less, so that noise in flat areas is no match.
    """
    height, width = template.shape
    down, across = picture.shape[0] - height + 1, picture.shape[1] - width + 1
    if height < 2 or width < 2 or down < 1 or across < 1:
        return -1.0, 0, 0
    pattern = (template - template.mean()).astype(np.float32)
    norm = np.sqrt(float((pattern * pattern).sum())) + 1e-6
    products = np.zeros((down, across), np.float32)
    for y in range(down):
        for i in range(height):
            for j in range(width):
                value = pattern[i, j]
                for x in range(across):
                    products[y, x] += value * picture[y + i, x + j]
    sums = np.zeros(
        (picture.shape[0] + 1, picture.shape[1] + 1, 2)
    )  # of all pixels above and to the left, and their squares
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            value = float(picture[y, x])
            for k in range(2):
                sums[y + 1, x + 1, k] = (
                    sums[y, x + 1, k] + sums[y + 1, x, k] - sums[y, x, k] + (value * value if k else value)
                )
    best, top, left = -1.0, 0, 0
    for y in range(down):
        for x in range(across):
            box = sums[y + height, x + width] - sums[y, x + width] - sums[y + height, x] + sums[y, x]
            spread = box[1] - box[0] * box[0] / (height * width)
            fit = float(products[y, x]) / (norm * max(np.sqrt(max(spread, 0.0)), 0.15 * norm))
            if fit > best:
                best, top, left = fit, y, x
    return best, top, left


def register(
    fixed: NDArray[np.float32],
    moving: NDArray[np.float32],
    start: NDArray[np.float64],
    window: NDArray[np.int64],
    steps: int,
) -> tuple[float, NDArray[np.float64]]:
    """Fit the affine map that takes a window (top, bottom, left, right) of `fixed` into `moving`: correlation and map.

    The map (y, y by u, y by v, x, x by u, x by v) takes u and v, -1 to 1 from the window's middle to the ends of its longer
    side, to a place in `moving`. Least squares of gain times moving against fixed (Lucas and Kanade 1981), from `start`;
    what correlated best on the way is returned.
    """
    top, bottom, left, right = window
    height, width = moving.shape
    middle_y, middle_x = (top + bottom - 1) / 2, (left + right - 1) / 2
    reach = max(bottom - top, right - left) / 2
    stride = 2 if reach > _LARGE else 1  # of a large window every second pixel is enough
    count = ((bottom - top + stride - 1) // stride) * ((right - left + stride - 1) // stride)
    rows = np.empty((count, 7), np.float64)  # moving, then its change with each of the six
    values = np.empty(count, np.float64)
    best, chosen, place = -1.0, start.copy(), start.copy()
    for step in range(steps + 1):
        index = 0
        for y in range(top, bottom, stride):
            for x in range(left, right, stride):
                u, v = (y - middle_y) / reach, (x - middle_x) / reach
                at_y = min(max(place[0] + place[1] * u + place[2] * v, 0.0), height - 1.001)
                at_x = min(max(place[3] + place[4] * u + place[5] * v, 0.0), width - 1.001)
                i, j = int(at_y), int(at_x)
                p, q = at_y - i, at_x - j
                a, b, c, d = moving[i, j], moving[i, j + 1], moving[i + 1, j], moving[i + 1, j + 1]
                by_y = (1 - q) * (c - a) + q * (d - b)
                by_x = (1 - p) * (b - a) + p * (d - c)
                rows[index, 0] = (1 - p) * ((1 - q) * a + q * b) + p * ((1 - q) * c + q * d)
                rows[index, 1], rows[index, 2], rows[index, 3] = by_y, by_y * u, by_y * v
                rows[index, 4], rows[index, 5], rows[index, 6] = by_x, by_x * u, by_x * v
                values[index] = fixed[y, x]
                index += 1
        means = np.zeros(8)
        for n in range(count):
            for k in range(7):
                means[k] += rows[n, k]
            means[7] += values[n]
        means /= count
        system = np.zeros((7, 8))
        energy = 0.0
        for n in range(count):
            value = values[n] - means[7]
            energy += value * value
            for k in range(7):
                own = rows[n, k] - means[k]
                system[k, 7] += own * value
                for m in range(k, 7):
                    system[k, m] += own * (rows[n, m] - means[m])
        fit = system[0, 7] / (np.sqrt(system[0, 0] * energy) + 1e-9)
        if fit > best:
            best, chosen = fit, place.copy()
        if step == steps:
            break
        damping = 0.0
        for k in range(7):
            damping += system[k, k] * 1e-3 / 7
            for m in range(k):
                system[k, m] = system[m, k]
        for k in range(1, 7):
            system[k, k] += damping
        for k in range(7):  # elimination without pivots: the matrix is positive definite
            pivot = system[k, k] + 1e-12
            for m in range(k + 1, 7):
                factor = system[m, k] / pivot
                for n in range(k, 8):
                    system[m, n] -= factor * system[k, n]
        move = np.zeros(7)
        for k in range(6, -1, -1):
            value = system[k, 7]
            for m in range(k + 1, 7):
                value -= system[k, m] * move[m]
            move[k] = value / (system[k, k] + 1e-12)
        if not move[0] > 1e-3:
            break
        largest = 0.0
        for k in range(6):
            change = min(max(move[k + 1] / move[0], -_FAR), _FAR)
            largest = max(largest, abs(change))
            place[k] += change
        if largest < _NEAR:
            break
    return best, chosen


def compare(
    fixed: NDArray[np.float32], moving: NDArray[np.float32], place: NDArray[np.float64], window: NDArray[np.int64]
) -> tuple[float, float, float]:
    """A window of `fixed` beside `moving`, sampled through a map that `register` found.

    The correlation, the gain (of a regression of fixed on moving), and the standard deviation of moving.
    """
    top, bottom, left, right = window
    height, width = moving.shape
    middle_y, middle_x = (top + bottom - 1) / 2, (left + right - 1) / 2
    reach = max(bottom - top, right - left) / 2
    count = (bottom - top) * (right - left)
    one, other, both, squares, others = 0.0, 0.0, 0.0, 0.0, 0.0
    for y in range(top, bottom):
        for x in range(left, right):
            u, v = (y - middle_y) / reach, (x - middle_x) / reach
            at_y = min(max(place[0] + place[1] * u + place[2] * v, 0.0), height - 1.001)
            at_x = min(max(place[3] + place[4] * u + place[5] * v, 0.0), width - 1.001)
            i, j = int(at_y), int(at_x)
            p, q = at_y - i, at_x - j
            value = (1 - p) * ((1 - q) * moving[i, j] + q * moving[i, j + 1])
            value += p * ((1 - q) * moving[i + 1, j] + q * moving[i + 1, j + 1])
            own = float(fixed[y, x])
            one += own
            other += value
            both += own * value
            squares += own * own
            others += value * value
    one, other = one / count, other / count
    shared, own_variance, other_variance = (
        both / count - one * other,
        squares / count - one * one,
        others / count - other * other,
    )
    spread = np.sqrt(max(other_variance, 0.0))
    return shared / (np.sqrt(max(own_variance, 0.0)) * spread + 1e-9), shared / (other_variance + 1e-9), spread
