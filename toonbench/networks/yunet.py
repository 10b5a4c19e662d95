"""YuNet (Wu et al., 2023): faces with five points, in the int8 file of OpenCV Zoo that a package carries.

The file is read by `int8_onnx`. Frames are searched at SIDE pixels; the network's grid is fixed to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from toonbench import weights
from toonbench.networks import int8_onnx
from toonbench.types import Frame

NAME = "yunet"
SIDE = 640
STRIDES = (8, 16, 32)
LEAST = 0.6  # score of a face
SAME = 0.3  # overlap (IoU) of two boxes of one face


@dataclass(frozen=True, slots=True)
class FoundFace:
    """A box (left, top, right, bottom), a score in [0, 1], and five points (5, 2): the eyes, the nose tip, the corners of the mouth.

    All in pixels of the frame; the right eye and the right corner of the mouth of the person come first.
    """

    box: tuple[float, float, float, float]
    score: float
    points: NDArray[np.float64]


def find_faces(frame: Frame, *, least: float = LEAST) -> list[FoundFace]:
    """All faces in a frame, (h, w, 3) uint8 RGB, the surest first. Raises WeightsMissing without the weights."""
    picture, scale = _padded(frame)
    session = int8_onnx.session(weights.path(NAME))
    outputs = session.run(None, {"input": picture})
    named = dict(zip((output.name for output in session.get_outputs()), outputs, strict=True))
    found = np.concatenate([_decoded(named, stride) for stride in STRIDES])
    found = found[found[:, 4] >= least]
    found[:, :4] /= scale
    found[:, 5:] /= scale
    return [
        FoundFace(cast("Any", tuple(float(value) for value in row[:4])), float(row[4]), row[5:].reshape(5, 2))
        for row in _distinct(found)
    ]


def _padded(frame: Frame) -> tuple[NDArray[np.float32], float]:
    """The frame as the network takes it, (1, 3, SIDE, SIDE) BGR from 0 to 255, in its top left corner; and its scale."""
    from PIL import Image

    height, width = frame.shape[:2]
    scale = min(SIDE / width, SIDE / height, 1.0)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        frame = np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))
    picture = np.zeros((1, 3, SIDE, SIDE), np.float32)
    picture[0, :, : frame.shape[0], : frame.shape[1]] = frame[..., ::-1].transpose(2, 0, 1)
    return picture, scale


def _decoded(outputs: dict[str, Any], stride: int) -> NDArray[np.float64]:
    """Rows of box, score and points of every cell of one grid, in pixels of the picture."""
    parts = {kind: outputs[f"{kind}_{stride}"][0].astype(np.float64) for kind in ("cls", "obj", "bbox", "kps")}
    count = SIDE // stride
    cells = np.stack(np.meshgrid(np.arange(count), np.arange(count)), axis=-1).reshape(-1, 2)
    centre = (cells + parts["bbox"][:, :2]) * stride
    half = np.exp(parts["bbox"][:, 2:]) * stride / 2
    score = np.sqrt(np.clip(parts["cls"], 0, 1) * np.clip(parts["obj"], 0, 1))
    points = (np.tile(cells, 5) + parts["kps"]) * stride
    return np.concatenate([centre - half, centre + half, score, points], axis=1)


def _distinct(rows: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """The rows by falling score, without those that overlap a surer one."""
    kept: list[NDArray[np.float64]] = []
    for row in rows[np.argsort(-rows[:, 4], kind="stable")]:
        if all(_overlap(row, other) <= SAME for other in kept):
            kept.append(row)
    return kept


def _overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    sides = np.minimum(one[2:4], other[2:4]) - np.maximum(one[:2], other[:2])
    shared = float(np.prod(np.maximum(sides, 0)))
    areas = sum(float(np.prod(row[2:4] - row[:2])) for row in (one, other))
    return shared / max(areas - shared, 1e-9)
