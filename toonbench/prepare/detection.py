"""What a face detector finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toonbench.types import Frame

Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels of the frame that was given
Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Detection:
    """A face: its box, a score in [0, 1], and five points (5, 2) where the detector gives them: eyes, nose, corners of the mouth.

    `found_by` names the detectors that agree on it where several were asked. `animal` marks a face that looks like an
    animal's; the same face may be listed as a human one, too, with another score.
    """

    box: Box
    score: float
    points: Points | None = None
    found_by: tuple[str, ...] = ()
    animal: bool = False

    @property
    def agreement(self) -> int:
        """How many detectors found it."""
        return max(1, len(self.found_by))


Detect = Callable[[Frame], list[Detection]]


def overlap(one: Box, other: Box) -> float:
    """The intersection over union of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return shared / max(areas - shared, 1e-9)
