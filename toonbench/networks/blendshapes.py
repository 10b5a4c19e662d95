"""A stand-in for the face landmarker's blendshapes, for tests without its weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from toonbench.types import Frames, Rows

_DARK = 32  # mean grey level under which it finds no face
_SMALLEST = 8  # pixels a side under which a picture holds no face


def with_test_weights(count: int) -> Callable[[Frames], Rows]:
    """A reader that measures nothing: `count` scores are a random projection of 8 x 8 mean colours."""
    from PIL import Image

    weight = np.random.default_rng(0).standard_normal((8 * 8 * 3, count)) / 8

    def scores(frames: Frames) -> Rows:
        rows = np.full((len(frames), count), np.nan, np.float32)
        for row, frame in zip(rows, frames, strict=True):
            if min(frame.shape[:2]) >= _SMALLEST and frame.mean() >= _DARK:
                picture = Image.fromarray(frame).resize((8, 8), Image.Resampling.BOX)
                small = np.asarray(picture, np.float64).ravel() / 255
                row[:] = np.clip(0.5 + (small - small.mean()) @ weight, 0, 1)
        return rows

    return scores
