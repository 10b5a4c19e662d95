"""MediaPipe's face landmarker in torch: 478 points and 52 blendshape scores of the surest face of each frame.

The `.task` file holds three networks. The detector (`blazeface`) sees the whole frame; the landmark network sees a square
around the face, turned so that the eyes are level; the blendshape network sees 146 of the points. The steps between them
are those of MediaPipe's graph for single pictures: no tracking, no smoothing, one face. Frames are read one by one, since
one frame's bytes would depend on the others in a batch.
"""

from __future__ import annotations

import math
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from toonbench import weights
from toonbench.compiled import compile_loops
from toonbench.networks import blazeface
from toonbench.networks.blazeface import NAME
from toonbench.networks.running import measuring
from toonbench.networks.tflite import Network, UnreadableModel, read_network
from toonbench.types import Frame, Frames

POINTS = 478
NAMES = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthLeft",
    "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight",
    "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight",
)  # fmt: skip
OF_BLENDSHAPES = (  # the points that the blendshape network sees
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80,
    81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153, 154,
    155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263,
    267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317,
    318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385,
    386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476,
    477,
)  # fmt: skip
SIDE = 256  # pixels of the square that the landmark network sees
WIDER = 1.5  # this square's side by the longer side of the detector's box
LEAST = 0.5  # score of a face, of the detector and of the landmark network
OVERLAP = 0.5  # overlap (IoU) of the detector's candidates that are averaged into one face
_SMALLEST = 8  # pixels a side under which a frame holds no face


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceReading:
    """What is read of each frame; NaN in every row of a frame without a face.

    `points` (frames, 478, 3) float32 are x, y and depth in pixels of the frame, depth negative towards the camera.
    `blendshapes` (frames, 52) float32 in [0, 1] are named by `NAMES`. `score` (frames,) float32 in [0.5, 1] is the landmark
    network's probability of a face.
    """

    points: NDArray[np.float32]
    blendshapes: NDArray[np.float32]
    score: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """A turned square of a frame: its middle and side in pixels, and its direction in radians, clockwise on the picture."""

    x: float
    y: float
    side: float
    turn: float

    def sampled(self, frame: Frame, size: int, *, repeat: bool) -> Frame:
        """Its pixels, (size, size, 3) uint8; the frame's edge is repeated outside, or black lies there."""
        loops = _loops()
        return loops.sampled(np.ascontiguousarray(frame), loops.map_to_frame(self._corners(), size), size, repeat)

    def _corners(self) -> NDArray[np.float32]:
        """Lower left, upper left, upper right and lower right, in single precision as OpenCV's `boxPoints` computes them."""
        x, y, side = np.float32(self.x), np.float32(self.y), np.float32(self.side)
        down = np.float32(math.cos(self.turn)) * np.float32(0.5) * side
        across = np.float32(math.sin(self.turn)) * np.float32(0.5) * side
        low, high = (x - across - down, y + down - across), (x + across - down, y - down - across)
        return np.array([low, high, (2 * x - low[0], 2 * y - low[1]), (2 * x - high[0], 2 * y - high[1])], np.float32)

    def placed(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (n, 3) in units of the square, 0 to 1 from its upper left corner, in pixels of the frame."""
        cos, sin = math.cos(self.turn), math.sin(self.turn)
        x, y, depth = (points - [0.5, 0.5, 0]).T * self.side
        return np.stack([self.x + cos * x - sin * y, self.y + sin * x + cos * y, depth], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceLandmarker:
    """The three networks. `from_file` builds it."""

    detector: Network
    landmarks: Network
    expression: Network

    def read(self, frames: Frames) -> FaceReading:
        """The surest face of each frame, (n, h, w, 3) uint8 RGB, on one thread."""
        count = len(frames)
        points = np.full((count, POINTS, 3), np.nan, np.float32)
        shapes = np.full((count, len(NAMES)), np.nan, np.float32)
        score = np.full(count, np.nan, np.float32)
        with measuring("cpu"):
            for at, frame in enumerate(frames):
                square = self.square(frame)
                found = None if square is None else self.within(frame, square)
                if found is not None:
                    points[at], score[at] = found
                    shapes[at] = self.scores(found[0])
        return FaceReading(points=points, blendshapes=shapes, score=score)

    def square(self, frame: Frame) -> Square | None:
        """The square around the surest face of a frame, None without a face."""
        height, width = frame.shape[:2]
        if min(height, width) < _SMALLEST:
            return None
        whole = Square(x=width / 2, y=height / 2, side=max(height, width), turn=0.0)
        picture = torch.from_numpy(whole.sampled(frame, blazeface.SIDE, repeat=False))[None].float() / 127.5 - 1
        rows = blazeface.merged(blazeface.candidates(self.detector(picture), least=LEAST), OVERLAP)
        if not rows or not np.isfinite(rows[0]).all():
            return None
        corner = np.array([width, height]) / 2 - whole.side / 2
        left, top, right, bottom, *eyes = rows[0][1:9] * (whole.side / blazeface.SIDE) + np.tile(corner, 4)
        turn = math.atan2(eyes[3] - eyes[1], eyes[2] - eyes[0])
        side = WIDER * max(right - left, bottom - top)
        return Square(x=(left + right) / 2, y=(top + bottom) / 2, side=side, turn=turn) if side > 0 else None

    def within(self, frame: Frame, square: Square) -> tuple[NDArray[np.float64], float] | None:
        """The points (478, 3) of the face in a square, and the probability that there is one; None if it is under `LEAST`."""
        picture = torch.from_numpy(square.sampled(frame, SIDE, repeat=True))[None].float() / 255
        points, logit, _ = (output.double().numpy().ravel() for output in self.landmarks(picture))
        score = 1 / (1 + math.exp(-float(np.clip(logit[0], -80, 80))))
        return (square.placed(points.reshape(POINTS, 3) / SIDE), score) if score >= LEAST else None

    def scores(self, points: NDArray[np.float64]) -> NDArray[np.float32]:
        """(52,) blendshape scores of one face's points in pixels."""
        chosen = torch.from_numpy(points[list(OF_BLENDSHAPES), :2]).float()[None]
        return self.expression(chosen)[0][0].clamp(0, 1).numpy()


def read_faces(frames: Frames) -> FaceReading:
    """The surest face of each frame, (n, h, w, 3) uint8 RGB. Raises WeightsMissing without the weights."""
    return from_file(weights.path(NAME)).read(frames)


def from_file(path: Path) -> FaceLandmarker:
    """The networks of a `.task` file, read once per process. Raises ToonbenchError if they are not these networks."""
    return _from_file(str(path))


@cache
def _from_file(path: str) -> FaceLandmarker:
    try:
        with zipfile.ZipFile(path) as opened:
            detector, landmarks, expression = (
                _checked(read_network(opened.read(name)), shape)
                for name, shape in (
                    (blazeface.MEMBER, [1, blazeface.SIDE, blazeface.SIDE, 3]),
                    ("face_landmarks_detector.tflite", [1, SIDE, SIDE, 3]),
                    ("face_blendshapes.tflite", [1, len(OF_BLENDSHAPES), 2]),
                )
            )
    except (zipfile.BadZipFile, KeyError, OSError, RuntimeError, UnreadableModel) as error:
        raise blazeface.unusable(path, error) from error
    return FaceLandmarker(detector=detector, landmarks=landmarks, expression=expression)


def _checked(network: Network, shape: list[int]) -> Network:
    found = network.shapes[network.inputs[0]]
    if found != shape:
        raise UnreadableModel(f"a network takes inputs of shape {found}, not {shape}")
    return network


@cache
def _loops() -> Any:
    return compile_loops("toonbench.networks.sampling_kernels")
