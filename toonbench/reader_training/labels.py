"""What the face landmarker says about photographs, as the motion reader learns it: 70 landmarks and seven curves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toonbench.store import writing
from toonbench.types import Frames

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
_CHEEKS, _MIDDLE = (234, 454), (10, 152)  # left and right in the picture; top of the forehead and chin
_LIPS, _CORNERS = (13, 14), (33, 263)  # inner lips; outer corners of the eyes


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Landmarks and curves of frames; NaN where the landmarker finds no face."""

    landmarks: Values  # (frames, 70, 2) pixels
    curves: Values  # (frames, 7) in the order of networks.motion_reader.CURVES

    @property
    def found(self) -> NDArray[np.int64]:
        """The frames with a face."""
        return np.flatnonzero(np.isfinite(self.curves).all(axis=1))


def read_labels(frames: Frames) -> Labels:
    """Let the face landmarker read frames (n, height, width, 3). Raises WeightsMissing without its file."""
    from toonbench.networks.face_landmarker import NAMES, read_faces

    read = read_faces(frames)
    return labels_of(read.points, dict(zip(NAMES, read.blendshapes.T, strict=True)))


def stored_labels(frames: Frames, path: Path) -> Labels:
    """`read_labels` of the frames of a video, or what an earlier call left at `path`."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        labels = read_labels(frames)
        with writing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, landmarks=labels.landmarks, curves=labels.curves)
    with np.load(path) as stored:
        return Labels(landmarks=stored["landmarks"], curves=stored["curves"])


def labels_of(points: Values, scores: dict[str, Values]) -> Labels:
    """Our landmarks and curves out of the mesh's points (n, 478, 3) and the scores (n,) of each blendshape."""
    curves = np.empty((len(points), 7), np.float32)
    curves[:, :3] = _head(points.astype(np.float64))
    curves[:, 3] = _distance(points, _LIPS) / np.maximum(_distance(points, _CORNERS), 1.0)
    curves[:, 4] = (scores["eyeBlinkLeft"] + scores["eyeBlinkRight"]) / 2
    curves[:, 5] = (scores["mouthSmileLeft"] + scores["mouthSmileRight"]) / 2
    right = scores["eyeLookOutLeft"] + scores["eyeLookInRight"]
    curves[:, 6] = (right - scores["eyeLookInLeft"] - scores["eyeLookOutRight"]) / 2
    return Labels(landmarks=np.ascontiguousarray(points[:, MESH, :2]), curves=curves)


def _head(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3) yaw, pitch and roll in degrees, from the axes through both cheeks, and through forehead and chin."""
    across = points[:, _CHEEKS[1]] - points[:, _CHEEKS[0]]
    down = points[:, _MIDDLE[1]] - points[:, _MIDDLE[0]]
    yaw = np.arctan2(across[:, 2], np.hypot(across[:, 0], across[:, 1]))
    pitch = np.arctan2(-down[:, 2], np.hypot(down[:, 0], down[:, 1]))
    roll = np.arctan2(across[:, 1], across[:, 0])
    return np.degrees(np.stack([yaw, pitch, roll], axis=1))


def _distance(points: Values, ends: tuple[int, int]) -> Values:
    return np.linalg.norm(points[:, ends[0]] - points[:, ends[1]], axis=1)
