"""Rigs and landmarks as labels: what the mirrored image of a clip shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toonbench.networks.landmarks import mirror_landmarks
from toonbench.types import CHANNELS

Rig = NDArray[np.float32]  # (frames, channels)
Landmarks = NDArray[np.float32]  # (frames, 70, 2), in parts of the image's sides
MIRRORED = ("yaw", "roll", "tx", "gaze_x")  # channels whose sign is another in a mirrored picture
LEFT, RIGHT = "_left", "_right"


def mirrored(rig: Rig) -> Rig:
    """The rig (..., channels) of the mirrored picture: left and right are exchanged."""
    order = [CHANNELS.index(_other_side(name)) for name in CHANNELS]
    signs = np.array([-1.0 if name in MIRRORED else 1.0 for name in CHANNELS], dtype=np.float32)
    return rig[..., order] * signs


def mirrored_points(points: Landmarks) -> Landmarks:
    """The landmarks (..., 70, 2), in parts of the image's sides, of the mirrored image."""
    turned = points[..., mirror_landmarks(), :].copy()
    turned[..., 0] = 1.0 - turned[..., 0]
    return turned


def _other_side(name: str) -> str:
    if name.endswith(LEFT):
        return name.removesuffix(LEFT) + RIGHT
    return name.removesuffix(RIGHT) + LEFT if name.endswith(RIGHT) else name
