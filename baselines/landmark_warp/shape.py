"""The parts of a face in the 70 landmarks, its size and its upright direction. Points are complex numbers: x right, y down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.complex128]  # (landmarks,) or (points,)

CONTOUR = range(17)
BROWS = (range(17, 22), range(22, 27))
NOSE = range(27, 36)
OUTER_LIPS = (*range(48, 60), 48)
MOUTH = range(48, 68)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A hole of the skin between two curves of landmarks, both from the left to the right corner of the picture."""

    upper: tuple[int, ...]
    lower: tuple[int, ...]

    @property
    def corners(self) -> tuple[int, int]:
        """The landmarks of the left and the right corner."""
        return self.upper[0], self.upper[-1]

    @property
    def landmarks(self) -> list[int]:
        """All landmarks of the two curves, each once."""
        return sorted({*self.upper, *self.lower})

    def height(self, points: Points) -> float:
        """The mean distance of the two curves, without their ends."""
        return float(np.abs(points[list(self.upper[1:-1])] - points[list(self.lower[1:-1])]).mean())

    def width(self, points: Points) -> float:
        """The distance of the corners."""
        left, right = self.corners
        return float(abs(points[right] - points[left]))


EYES = (
    Opening(upper=(36, 37, 38, 39), lower=(36, 41, 40, 39)),
    Opening(upper=(42, 43, 44, 45), lower=(42, 47, 46, 45)),
)
LIPS = Opening(upper=(60, 61, 62, 63, 64), lower=(60, 67, 66, 65, 64))
OPENINGS = (*EYES, LIPS)
PUPILS = (68, 69)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Size and direction of a face: `right` is a unit number along the line of the eyes."""

    width: float
    height: float
    right: complex
    centre: complex


def measures(points: Points) -> Measures:
    """The measures of a face: its width at the ears, and its height from the line of the eyes to the chin."""
    eyes = [points[list(eye.corners)].mean() for eye in EYES]
    line = complex(eyes[1] - eyes[0])
    right = line / max(abs(line), 1e-9)
    middle = complex(sum(eyes) / 2)
    down = (complex(points[8]) - middle) / right
    return Measures(
        width=max(abs(complex(points[16] - points[0])), 1e-6),
        height=max(abs(down.imag), 1e-6),
        right=right,
        centre=complex(points[[0, 8, 16]].mean() + middle) / 2,
    )
