"""For absolute motion: a driving face as it would look with the pose and expression of the source."""

from __future__ import annotations

import cmath
import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from baselines.landmark_warp.shape import CONTOUR, EYES, MOUTH, NOSE, PUPILS, Points, measures

Rig = Mapping[str, float]

# The numbers below were fitted to the landmarks of puppets.
JAW = 0.19  # of the face's height: how far the lower lip moves when the mouth opens completely
CHIN = 0.53  # of the lower lip's motion
GAZE = 0.24  # of the eye's width: how far a pupil moves
BROW = 0.06  # of the face's height
NECK = 0.45  # of the face's height: how far below its centre the head tips
STEEPEST = 0.35  # the least share of an eye that counts as open, so that a closed eye can be opened


def posed_as(points: Points, *, rig: Rig, other: Rig) -> Points:
    """Landmarks of a face that shows `rig`, moved to the rig `other`: pose, jaw, lids, brows and pupils; other channels stay."""
    face = measures(points)
    local = (points - face.centre) / face.right
    local = _turned(local, rig, other, width=face.width)
    _express(local, rig, other, height=face.height)
    change = {name: other[name] - rig[name] for name in rig}
    turn = cmath.rect(2.0 ** change["scale"], math.radians(change["roll"]))
    shift = complex(change["tx"], -change["ty"]) * face.height
    neck = 1j * NECK * face.height
    return face.centre + shift + face.right * (neck + turn * (local - neck))


def _turned(local: Points, rig: Rig, other: Rig, *, width: float) -> Points:
    """Upright points turned from one yaw and pitch to another, by the depth of a common face."""
    x = _rotated(local.real, math.radians(rig["yaw"]), math.radians(other["yaw"]), depth=DEPTH * width)
    y = _rotated(local.imag, -math.radians(rig["pitch"]), -math.radians(other["pitch"]), depth=DEPTH * width)
    return x + 1j * y


def _rotated(
    values: NDArray[np.float64], start: float, end: float, *, depth: NDArray[np.float64]
) -> NDArray[np.float64]:
    frontal = (values - depth * math.sin(start)) / math.cos(start)
    return frontal * math.cos(end) + depth * math.sin(end)


def _express(local: Points, rig: Rig, other: Rig, *, height: float) -> None:
    """Jaw, lids, brows and pupils of upright points, moved in place."""
    jaw = (other["jaw_open"] - rig["jaw_open"]) * JAW * height * 1j
    local[[*range(55, 60), *range(65, 68)]] += jaw
    local[range(4, 13)] += jaw * CHIN * np.sin(np.linspace(0.2, math.pi - 0.2, 9))
    gaze = complex(other["gaze_x"] - rig["gaze_x"], rig["gaze_y"] - other["gaze_y"])
    for side, (eye, pupil) in zip(("left", "right"), zip(EYES, PUPILS, strict=True), strict=True):
        local[pupil] += gaze * GAZE * eye.width(local)
        brow = (other[f"brow_up_{side}"] - rig[f"brow_up_{side}"]) * BROW * height
        local[range(17, 22) if side == "left" else range(22, 27)] -= 1j * brow
        left = max(1 - other[f"blink_{side}"], STEEPEST) / max(1 - rig[f"blink_{side}"], STEEPEST)
        for upper, lower in zip(eye.upper[1:-1], eye.lower[1:-1], strict=True):
            local[upper] = local[lower] + (local[upper] - local[lower]) * left


def _depth() -> NDArray[np.float64]:
    """How far each landmark of a common face lies in front of the axis that the head turns about, in widths of the face."""
    depth = np.full(70, 0.68)
    depth[list(CONTOUR)] = 0.18 + 0.35 * np.sin(np.linspace(0, math.pi, 17))
    depth[list(NOSE)] = (0.76, 0.82, 0.88, 0.94, 0.78, 0.82, 0.84, 0.82, 0.78)
    depth[list(MOUTH)] = 0.8
    depth[[36, 45]] = 0.6
    return depth


DEPTH = _depth()
