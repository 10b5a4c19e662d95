"""Landmark error: how far the face's landmarks are from the target's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toonbench.metrics._motion import MotionMetric, detected, estimate_and_truth, truth_of
from toonbench.types import GroundTruth, Rows, Sample

WORST = 1.0
_OUTER_CORNERS = (36, 45)
_LEAST_EYES = (
    0.35  # of the face box's longer side: the outer corners are 0.45 to 0.7 of it in a face seen from the front
)


class LandmarkNME(MotionMetric):
    """Normalised mean error of the landmarks: mean over visible points of |estimate - truth| / distance of the eyes; 0 to 1.

    Points are estimated in the generated frame by the landmark network and compared with the exact ones of the target
    (70 points: iBUG 68 and the pupils; only those that the target shows). The unit is the distance of the target's outer
    eye corners in the picture, at least 0.35 of the longer side of the target's landmark box, so that a turned head
    cannot blow errors up. A frame's error is at most 1, and a frame without the character's face counts 1. Error of the network
    itself: `weights/landmarks.md`. Normalisation: Sagonas et al. 2013, "300 faces in-the-wild challenge".
    """

    name = "landmark_nme"
    version = 1
    higher_is_better = False
    bounds = (0.0, WORST)

    def measure(self, sample: Sample) -> Rows:
        """(frames, 2) float32: the frame's error, NaN where that face is not found, and the number of points it rests on."""
        truth = truth_of(sample, self.name)
        points = detected(sample).landmarks.astype(np.float64)
        distance = np.linalg.norm(points - truth.landmarks, axis=2)
        counts = truth.visible.sum(axis=1).astype(np.float64)
        counts[counts == 0] = np.nan  # no point to compare with
        error = np.where(truth.visible, distance, 0).sum(axis=1) / counts / eye_distance(truth)
        return np.stack([np.minimum(error, WORST), counts], axis=1).astype(np.float32)

    def value(self, rows: Rows) -> float:
        """Mean over frames, a frame without the character's face as 1; NaN if the ground truth is unknown in all frames."""
        errors = estimate_and_truth(rows, width=1)[0]
        return float(np.nan_to_num(errors, nan=WORST).mean()) if len(errors) else float("nan")


def eye_distance(truth: GroundTruth) -> NDArray[np.float64]:
    """(frames,) distance of the outer eye corners in pixels, at least 0.35 of the landmark box's longer side."""
    points = truth.landmarks.astype(np.float64)
    left, right = _OUTER_CORNERS
    eyes = np.linalg.norm(points[:, left] - points[:, right], axis=1)
    return np.maximum(eyes, _LEAST_EYES * np.ptp(points, axis=1).max(axis=1))
