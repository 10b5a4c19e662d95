"""Head pose: the angle between the generated head pose and the target's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toonbench.metrics._motion import MotionMetric, curves, estimate_and_truth
from toonbench.types import Rows, Sample

WORST = 90.0
Values = NDArray[np.float64]


class HeadPoseDeg(MotionMetric):
    """Angle of the rotation that takes the estimated head pose to the true one, in degrees; 0 to 90.

    arccos((trace(R_estimate R_truth^T) - 1) / 2), the geodesic distance on SO(3) (Huynh 2009, "Metrics for 3D
    rotations", function 6), with R of yaw, pitch and roll as `rotations` says. Larger angles count 90, and so does a
    frame without a face.
    """

    name = "head_pose_deg"
    version = 1
    higher_is_better = False
    bounds = (0.0, WORST)

    def measure(self, sample: Sample) -> Rows:
        """(frames, 6) float32 degrees: estimated yaw, pitch, roll, NaN where that face is not found, then the true ones."""
        return curves(sample, ("yaw", "pitch", "roll"), metric=self.name)

    def value(self, rows: Rows) -> float:
        """Mean over frames; NaN if the ground truth is unknown in all frames."""
        found = angles(*estimate_and_truth(rows, width=3))
        return float(found.mean()) if len(found) else float("nan")


def angles(estimate: Values, truth: Values) -> Values:
    """(frames,) degrees between two (frames, 3) poses in degrees; 90 where the estimate is NaN."""
    trace = np.einsum("fij,fij->f", rotations(estimate), rotations(truth))
    apart = np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))
    return np.minimum(np.nan_to_num(apart, nan=WORST), WORST)


def rotations(pose: Values) -> Values:
    """(frames, 3) yaw, pitch and roll in degrees to (frames, 3, 3), the rig's convention.

    Axes: x to the right of the picture, y up, z to the camera. Yaw > 0 turns the face to the right of the picture,
    pitch > 0 up; roll > 0 tips the crown to the right and comes last.
    """
    yaw, pitch, roll = np.radians(pose).T
    zero, one = np.zeros_like(yaw), np.ones_like(yaw)

    def stack(*values: Values) -> Values:
        return np.stack(values, axis=1).reshape(-1, 3, 3)

    turn = stack(np.cos(yaw), zero, np.sin(yaw), zero, one, zero, -np.sin(yaw), zero, np.cos(yaw))
    nod = stack(one, zero, zero, zero, np.cos(pitch), np.sin(pitch), zero, -np.sin(pitch), np.cos(pitch))
    tip = stack(np.cos(roll), np.sin(roll), zero, -np.sin(roll), np.cos(roll), zero, zero, zero, one)
    return tip @ turn @ nod
