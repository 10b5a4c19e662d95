"""Prints of pictures: numbers that are equal for equal content, to find one video under several pairs."""

from __future__ import annotations

import hashlib

import numpy as np

from toonbench.lint.motion import Small

START = 8  # frames whose print is kept beside that of the whole video: it is the same for a video that was cut
_BITS = 24  # a float32 holds integers of so many bits exactly


class Print:
    """The print of pictures that arrive in chunks; it does not depend on the chunks."""

    def __init__(self, *, most: int | None = None) -> None:
        self._hash, self._left = hashlib.blake2b(digest_size=6), most

    def add(self, pictures: Small) -> None:
        """The next pictures; those after the first `most` are ignored."""
        if self._left is not None:
            pictures = pictures[: self._left]
            self._left -= len(pictures)
        self._hash.update(np.ascontiguousarray(pictures).tobytes())

    def numbers(self) -> tuple[float, float]:
        """Two whole numbers of 24 bits."""
        value = int.from_bytes(self._hash.digest(), "little")
        return float(value & ((1 << _BITS) - 1)), float(value >> _BITS)
