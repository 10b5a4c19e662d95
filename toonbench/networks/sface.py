"""SFace (Zhong et al. 2021) embeddings of the largest face of each frame, in the int8 file of OpenCV Zoo that a package carries.

YuNet finds the face and its five points; insightface's alignment moves them to ArcFace's template, which SFace uses, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonbench.networks import int8_onnx, yunet
from toonbench.networks.arcface import FaceEmbedder
from toonbench.networks.running import FETCH
from toonbench.types import Frame, ToonbenchError

NAME = "sface"
WIDTH = 128  # numbers of an embedding
_CROP = 112  # pixels a side of the aligned face


def from_file(path: Path) -> FaceEmbedder:
    """SFace behind YuNet, whose weights are found by name. Raises ToonbenchError if the file is not SFace's."""
    session = int8_onnx.session(path)
    found = [list(one.shape) for one in (*session.get_inputs(), *session.get_outputs())]
    if found != [[1, 3, _CROP, _CROP], [1, WIDTH]]:
        raise ToonbenchError(f"weights '{path}' cannot be used (it holds a network of other shapes, {found}): {FETCH}")
    return FaceEmbedder(detector=_YuNet(), recogniser=_SFace(session))


class _YuNet:
    """YuNet as a detector of `FaceEmbedder`."""

    def detect(self, picture: Frame) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Boxes with scores (faces, 5), and points (faces, 5, 2), of a blue green red picture."""
        faces = yunet.find_faces(np.ascontiguousarray(picture[..., ::-1]))
        if not faces:
            return np.empty((0, 5), np.float32), None
        boxes = np.array([[*face.box, face.score] for face in faces], np.float32)
        return boxes, np.stack([face.points for face in faces]).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _SFace:
    """SFace as a recogniser of `FaceEmbedder`; the network scales the colours itself."""

    session: Any
    output_shape = (1, WIDTH)

    def get_feat(self, face: Frame) -> NDArray[np.float32]:
        """The embedding (128,) of an aligned face, (112, 112, 3) blue green red."""
        colours = np.ascontiguousarray(face[..., ::-1].transpose(2, 0, 1)[None], np.float32)
        return self.session.run(None, {self.session.get_inputs()[0].name: colours})[0][0]
