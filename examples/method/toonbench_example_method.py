"""A method of toonbench: the source image moves as the brightness of the driving video moves."""

from pathlib import Path
from typing import Any

import numpy as np

from toonbench.types import Frame, Frames


class Follow:
    """Moves the source by the way that the driving video's centre of brightness went since its first frame."""

    name = "follow"
    revision = "1"

    def __init__(self, *, device: str = "cpu", checkpoint: Path | None = None) -> None:
        pass

    def animate(self, source: Frame, driving: Frames, **options: Any) -> Frames:
        """A frame in the source's size for each driving frame; `options` are motion, seed, source_domain, driving_domain."""
        centres = np.array([[centre(frame.mean(axis=2)), centre(frame.mean(axis=2).T)] for frame in driving])
        steps = ((centres - centres[0]) * source.shape[:2]).round().astype(int)
        return np.stack([np.roll(source, (down, right), axis=(0, 1)) for down, right in steps])


def centre(grey: np.ndarray) -> float:
    """Where the centre of brightness lies between the first row (0) and the last (1)."""
    return float(np.average(np.linspace(0, 1, len(grey)), weights=grey.mean(axis=1) + 1))
