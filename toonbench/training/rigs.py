"""Rigs as labels: what the mirrored picture of a rig shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toonbench.types import CHANNELS

Rig = NDArray[np.float32]  # (frames, channels)
MIRRORED = ("yaw", "roll", "tx", "gaze_x")  # channels whose sign is another in a mirrored picture
LEFT, RIGHT = "_left", "_right"


def mirrored(rig: Rig) -> Rig:
    """The rig (..., channels) of the mirrored picture: left and right are exchanged."""
    order = [CHANNELS.index(_other_side(name)) for name in CHANNELS]
    signs = np.array([-1.0 if name in MIRRORED else 1.0 for name in CHANNELS], dtype=np.float32)
    return rig[..., order] * signs


def _other_side(name: str) -> str:
    if name.endswith(LEFT):
        return name.removesuffix(LEFT) + RIGHT
    return name.removesuffix(RIGHT) + LEFT if name.endswith(RIGHT) else name
