"""Motion curves of photographed faces, read from MediaPipe's face landmarker: points in space and blendshape scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from toonbench.networks.curves import Curves, unread
from toonbench.types import Frames

_CHEEKS, _MIDDLE = (234, 454), (10, 152)  # left and right in the picture; top of the forehead and chin
_LIPS, _CORNERS = (13, 14), (33, 263)  # inner lips; outer corners of the eyes


def read_photographed(frames: Frames) -> Curves:
    """(frames, WIDTH) curves of frames (n, height, width, 3) uint8 RGB; NaN where no face is found. Results are the same in any chunks.

    Raises WeightsMissing without the face landmarker's file.
    """
    from toonbench.networks.face_landmarker import NAMES, read_faces

    read = read_faces(frames)
    return curves_of(read.points, dict(zip(NAMES, read.blendshapes.T, strict=True)))


def curves_of(points: NDArray[np.float32], scores: Mapping[str, NDArray[np.float32]]) -> Curves:
    """The curves of the landmarker's points (frames, 478, 3) and the scores (frames,) of each blendshape; NaN where these are."""
    places = points.astype(np.float64)
    column = {name: values.astype(np.float64) for name, values in scores.items()}
    curves = unread(len(points))
    curves[:, :3] = _head(places)
    curves[:, 3] = _distance(places, _LIPS) / np.maximum(_distance(places, _CORNERS), 1.0)
    curves[:, 4] = (column["eyeBlinkLeft"] + column["eyeBlinkRight"]) / 2
    curves[:, 5] = (column["mouthSmileLeft"] + column["mouthSmileRight"]) / 2
    to_right = column["eyeLookOutLeft"] + column["eyeLookInRight"]
    curves[:, 6] = (to_right - column["eyeLookInLeft"] - column["eyeLookOutRight"]) / 2
    curves[~np.isfinite(curves).all(axis=1)] = np.nan
    return curves


def _head(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(frames, 3) yaw, pitch and roll in degrees, from the axes through both cheeks, and through forehead and chin."""
    across = points[:, _CHEEKS[1]] - points[:, _CHEEKS[0]]
    down = points[:, _MIDDLE[1]] - points[:, _MIDDLE[0]]
    yaw = np.arctan2(across[:, 2], np.hypot(across[:, 0], across[:, 1]))
    pitch = np.arctan2(-down[:, 2], np.hypot(down[:, 0], down[:, 1]))
    roll = np.arctan2(across[:, 1], across[:, 0])
    return np.degrees(np.stack([yaw, pitch, roll], axis=1))


def _distance(points: NDArray[np.float64], ends: tuple[int, int]) -> NDArray[np.float64]:
    return np.linalg.norm(points[:, ends[0]] - points[:, ends[1]], axis=1)
