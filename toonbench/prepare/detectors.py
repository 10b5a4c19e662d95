"""Face detectors behind one interface. Boxes are in pixels of the frame that was given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from toonbench.types import Frame, ToonbenchError

Box = tuple[float, float, float, float]  # left, top, right, bottom
Name = Literal["mtcnn", "yunet"]
Points = NDArray[np.float64]
THRESHOLDS = (0.6, 0.7, 0.7)
LOW_THRESHOLDS = (0.5, 0.6, 0.6)
LOW_SCORE = 0.4  # of YuNet
SMALLEST = 20  # pixels: MTCNN's smallest face; its pyramid is empty for smaller frames


@dataclass(frozen=True, slots=True)
class Detection:
    """A face: its box, a score in [0, 1], and five points (5, 2) where the detector gives them: eyes, nose, corners of the mouth."""

    box: Box
    score: float
    points: Points | None = None


Detect = Callable[[Frame], list[Detection]]


def detector(name: str, *, low: bool = False) -> Detect:
    """The detector called `name`. `low` accepts less sure faces, which finds more drawn ones. Raises for an unknown name."""
    found = {
        ("mtcnn", False): _mtcnn,
        ("mtcnn", True): _mtcnn_low,
        ("yunet", False): _yunet,
        ("yunet", True): _yunet_low,
    }
    if (name, low) not in found:
        raise ToonbenchError(f"unknown detector {name!r}: choose mtcnn or yunet")
    return found[name, low]


def detectors() -> tuple[str, ...]:
    """The names of the detectors."""
    return "mtcnn", "yunet"


def _yunet(frame: Frame) -> list[Detection]:
    from toonbench.networks import yunet

    return [Detection(one.box, one.score, one.points) for one in yunet.find_faces(frame)]


def _yunet_low(frame: Frame) -> list[Detection]:
    from toonbench.networks import yunet

    return [Detection(one.box, one.score, one.points) for one in yunet.find_faces(frame, least=LOW_SCORE)]


def _mtcnn(frame: Frame) -> list[Detection]:
    return _by_mtcnn(frame, THRESHOLDS)


def _mtcnn_low(frame: Frame) -> list[Detection]:
    """Lower thresholds, in a grey border of a quarter of the longer side."""
    border = max(frame.shape[:2]) // 4
    sides = ((border, border), (border, border), (0, 0))
    found = _by_mtcnn(np.pad(frame, sides, constant_values=128), LOW_THRESHOLDS)
    return [_moved(one, -border) for one in found]


def _moved(one: Detection, by: float) -> Detection:
    left, top, right, bottom = one.box
    points = None if one.points is None else one.points + by
    return Detection((left + by, top + by, right + by, bottom + by), one.score, points)


def _by_mtcnn(frame: Frame, thresholds: tuple[float, float, float]) -> list[Detection]:
    from PIL import Image

    from toonbench.training.processes import one_thread

    if min(frame.shape[:2]) < SMALLEST:
        return []
    with one_thread():
        boxes, scores, points = _network(thresholds).detect(Image.fromarray(frame), landmarks=True)
    if boxes is None:
        return []
    return [
        Detection(
            (float(box[0]), float(box[1]), float(box[2]), float(box[3])), float(score), np.asarray(five, np.float64)
        )
        for box, score, five in zip(boxes, scores, points, strict=True)
    ]


@cache
def _network(thresholds: tuple[float, float, float]) -> Any:
    """MTCNN, created once per process. It runs on the CPU, where results do not depend on the device."""
    from facenet_pytorch import MTCNN

    return MTCNN(keep_all=True, thresholds=list(thresholds), device="cpu")
