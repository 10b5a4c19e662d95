"""What the face landmarker says about a photograph, as the motion reader learns it: 70 landmarks and seven curves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]

MESH = (
    127, 234, 93, 132, 58, 172, 150, 176, 152, 400, 379, 397, 288, 361, 323, 454, 356,  # from temple to temple over the chin
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,  # brows
    168, 197, 195, 4, 98, 97, 2, 326, 327,  # nose
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # eyes
    61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91, 78, 81, 13, 311, 308, 402, 14, 178,  # outer and inner lips
    468, 473,  # pupils
)  # fmt: skip
"""The point of the face landmarker's mesh for each of our landmarks."""


def landmarks_of(points: Values) -> Values:
    """(n, 70, 2) our landmarks out of the mesh's points (n, 478, 3)."""
    return np.ascontiguousarray(points[:, MESH, :2])
