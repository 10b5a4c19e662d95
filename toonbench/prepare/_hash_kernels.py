"""The loop that compares perceptual hashes, written so that numba can compile it (see `toonbench.compiled`)."""

import numpy as np
from numpy.typing import NDArray


def near_hashes(
    hashes: NDArray[np.uint64], mirrored: NDArray[np.uint64], start: int, stop: int, most: int
) -> NDArray[np.int32]:
    """(n, 3): the pairs of rows that differ in at most `most` bits, and 1 where the second one is nearer in its mirrored form.

    `hashes` and `mirrored` are (rows, words). Each pair comes once, with the smaller row first, which is from `start` to `stop`.
    """
    rows, words = hashes.shape
    found = np.empty((1024, 3), np.int32)
    size = 0
    one, two, four, top = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
    fives, threes = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
    nibbles, bytes_ = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)
    for row in range(start, min(stop, rows)):
        for column in range(row + 1, rows):
            least, form = most + 1, 0
            for flipped in range(2):
                apart = 0
                for word in range(words):
                    other = mirrored[column, word] if flipped else hashes[column, word]
                    bits = hashes[row, word] ^ other
                    bits -= (bits >> one) & fives
                    bits = (bits & threes) + ((bits >> two) & threes)
                    bits = (bits + (bits >> four)) & nibbles
                    apart += np.int64((bits * bytes_) >> top)
                    if apart >= least:
                        break
                if apart < least:
                    least, form = apart, flipped
            if least <= most:
                if size == len(found):
                    more = np.empty((2 * size, 3), np.int32)
                    more[:size] = found
                    found = more
                found[size, 0], found[size, 1], found[size, 2] = row, column, form
                size += 1
    return found[:size]
