"""What the face landmarker says about photographs, as the motion reader learns it: 70 landmarks and seven curves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toonbench.motion.photographed import curves_of
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
    return Labels(landmarks=np.ascontiguousarray(points[:, MESH, :2]), curves=curves_of(points, scores))
