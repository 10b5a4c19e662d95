"""Face detectors behind one interface. Boxes are in pixels of the frame that was given."""

from __future__ import annotations

from functools import cache, partial
from typing import Any, Literal

import numpy as np

from toonbench import weights
from toonbench.prepare.detection import Box, Detect, Detection
from toonbench.prepare.fusion import Member, fused
from toonbench.types import Frame, ToonbenchError

__all__ = ["Box", "Detect", "Detection", "Name", "detector", "detectors", "missing_detectors", "single_detectors"]

Name = Literal["mtcnn", "yunet", "blazeface", "drawn", "fused"]
THRESHOLDS = (0.6, 0.7, 0.7)
LOW_THRESHOLDS = (0.5, 0.6, 0.6)
LOW_SCORE = 0.4  # of YuNet
LOW_BLAZEFACE = 0.35
DRAWN, LOW_DRAWN = 0.5, 0.3  # of the detector of drawn faces
SMALLEST = 20  # pixels: MTCNN's smallest face; its pyramid is empty for smaller frames
NEEDS = {"yunet": "yunet", "blazeface": "face-landmarker"}  # weights that are fetched


def detector(name: str, *, low: bool = False, animals: bool = False) -> Detect:
    """The detector called `name`. `low` accepts less sure faces, which finds more drawn ones. Raises for an unknown name.

    `animals` lets "drawn" and "fused" find faces of animals, too; the others do not distinguish them from human ones.
    """
    found: dict[tuple[str, bool], Detect] = {
        ("mtcnn", False): _mtcnn,
        ("mtcnn", True): _mtcnn_low,
        ("yunet", False): _yunet,
        ("yunet", True): _yunet_low,
        ("blazeface", False): _blazeface,
        ("blazeface", True): _blazeface_low,
        ("drawn", False): partial(_drawn, animals=animals),
        ("drawn", True): partial(_drawn, least=LOW_DRAWN, animals=animals),
        ("fused", False): partial(_fused, low=False, animals=animals),
        ("fused", True): partial(_fused, low=True, animals=animals),
    }
    if (name, low) not in found:
        raise ToonbenchError(f"unknown detector {name!r}: choose {', '.join(detectors())}")
    return found[name, low]


def detectors() -> tuple[str, ...]:
    """The names of the detectors: MTCNN, YuNet, BlazeFace, the detector of drawn faces, and all that are available, fused."""
    return "mtcnn", "yunet", "blazeface", "drawn", "fused"


def missing_detectors() -> dict[str, str]:
    """The detectors whose weights are missing, which "fused" leaves out, and how to get them."""
    reasons = {name: weights.missing([needed]) for name, needed in NEEDS.items()}
    return {name: reason for name, reason in reasons.items() if reason}


def single_detectors(name: str, *, animals: bool = False) -> dict[str, Detect]:
    """The fast detectors that the detector called `name` asks, by name, with boxes of its convention. Only "fused" has any.

    One that knows animals comes first.
    """
    if name != "fused":
        return {}
    return {one.name: fused([one], low=True, animals=animals) for one in _members() if not one.slow}


def _members() -> list[Member]:
    every = (
        Member(
            name="drawn",
            detect=partial(_drawn, least=LOW_DRAWN, animals=True),
            weight=0.8,
            convention=(-0.005, -0.265, -0.01, 0.0),
        ),
        Member(name="blazeface", detect=_blazeface_low, weight=0.7, convention=(-0.02, -0.05, -0.035, -0.02)),
        Member(name="yunet", detect=_yunet_low, weight=0.7, convention=(0.01, -0.18, 0.005, -0.025)),
        Member(name="mtcnn", detect=_mtcnn_low, weight=0.55, slow=True, convention=(0.02, -0.185, 0.0, -0.04)),
    )
    missing = missing_detectors()
    return [member for member in every if member.name not in missing]


def _fused(frame: Frame, *, low: bool, animals: bool) -> list[Detection]:
    return fused(_members(), low=low, animals=animals)(frame)


def _blazeface(frame: Frame) -> list[Detection]:
    from toonbench.networks import blazeface

    return [Detection(one.box, one.score) for one in blazeface.find_faces(frame)]


def _blazeface_low(frame: Frame) -> list[Detection]:
    from toonbench.networks import blazeface

    return [Detection(one.box, one.score) for one in blazeface.find_faces(frame, least=LOW_BLAZEFACE)]


def _drawn(frame: Frame, *, least: float = DRAWN, animals: bool = False) -> list[Detection]:
    from toonbench.networks import drawn_faces

    faces = drawn_faces.find_faces(frame, least=least, animals=animals)
    return [Detection(one.box, one.score, animal=one.kind == "animal") for one in faces]


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
