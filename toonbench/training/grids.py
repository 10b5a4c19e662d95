"""Sample grids: pictures that show during training what a network generates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from toonbench.types import Frame, Frames

SAMPLES = "samples"


def evenly(clip: Frames, count: int) -> Frames:
    """`count` frames evenly over a clip, without the first frame."""
    return clip[np.linspace(len(clip) / (count + 1), len(clip) - 1, count).astype(int)]


def grid(rows: Sequence[Sequence[Frame]]) -> Frame:
    """One picture of rows of equally large pictures; all rows have the same number."""
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def write_grid(folder: Path, picture: Frame, *, step: int) -> None:
    """Write the grid of a step as PNG below `folder`, whole or not at all."""
    from toonbench.video import write_png

    (folder / SAMPLES).mkdir(exist_ok=True)
    write_png(folder / SAMPLES / f"{step:07d}.png", picture)
