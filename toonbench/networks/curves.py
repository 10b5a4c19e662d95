"""The motion curves of a clip: seven numbers of every frame that can be read from photographed and from drawn faces.

Units and signs are those of the puppets' rig (`toonbench.puppets.rig`): degrees for the head, and yaw above 0 turns the face to the
right of the picture. Brows, pucker and the vertical gaze are not among them: no reader was right about them on both kinds of faces.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

CURVES = ("yaw", "pitch", "roll", "jaw", "blink", "smile", "gaze_x")
"""yaw, pitch, roll in degrees; jaw: gap of the inner lips, divided by the distance of the eyes' outer corners; blink: mean of both
eyes, 0 open to 1 closed; smile: 0 to 1; gaze_x: -1 (left of the picture) to 1 (right)."""
WIDTH = len(CURVES)
MIRRORED = np.array([-1, 1, -1, 1, 1, 1, -1], np.float32)
"""What a mirror does to each curve."""

Curves: TypeAlias = "NDArray[np.float32]"
"""(frames, WIDTH) in the order of CURVES; a row is NaN where no face was read."""


def unread(frames: int) -> Curves:
    """The curves of frames without a face."""
    return np.full((frames, WIDTH), np.nan, np.float32)
