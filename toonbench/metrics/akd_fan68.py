"""AKD: average keypoint distance, how far the face's landmarks are from the target's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from toonbench import weights
from toonbench.metrics._faces import generated_and_target, in_square
from toonbench.metrics.shared import mean_of_found, share_found, value_with_losses, with_worst
from toonbench.networks.fan import POINTS, SIZE, LandmarkFinder, from_files, with_test_weights
from toonbench.networks.running import measuring
from toonbench.types import Domain, Frames, Metric, Need, Rows, Sample


class AKDFan68(Metric):
    """Average Keypoint Distance: mean of |dx| and |dy| over 68 landmarks, in pixels of a 256 x 256 frame; 0 is equal.

    AliaksandrSiarohin/pose-evaluation, which FOMM, LIA and DaGAN use: face-alignment's 2DFAN4 without flipped input on
    the face of which S3FD is most certain; the mean absolute difference of coordinates, not the Euclidean distance (`details` has that one,
    about 1.57 times as large); mean over all frames of all clips. Frames of another size are first put into a square and
    brought to 256 x 256, so the unit is the same. FAN gives whole pixels.

    Where the target's face is not found the frame is left out; where only the generated face is not found, the frame
    counts as its worst case, every coordinate at the far edge of the frame, and no found face counts as worse. Publications
    skip these frames, which rewards losing difficult faces; that number is in `details`. FAN was made for photographed
    faces and fails on many drawn ones.
    """

    name = "akd_fan68"
    version = 1
    higher_is_better = False
    aggregate = "frames"
    needs: frozenset[Need] = frozenset({"target"})
    weights = ("fan68", "s3fd")
    features = "fan68@1"
    features_of: frozenset[Need] = frozenset({"target"})
    calibrated: frozenset[Domain] = frozenset({"real"})
    bounds = (0.0, float("inf"))

    def __init__(self, *, network: LandmarkFinder | None = None) -> None:
        self._network = network

    @classmethod
    def with_test_weights(cls) -> AKDFan68:
        """The metric with deterministic test weights and a fixed face: it runs without any download and measures nothing."""
        return cls(network=with_test_weights())

    def extract_features(self, frames: Frames) -> Rows:
        """(frames, 136) float32: x and y of each landmark in pixels of the 256 x 256 frame; NaN where no face is found."""
        with measuring(self.device):
            return self._loaded().landmarks(in_square(frames, SIZE), self.device).reshape(len(frames), 2 * POINTS)

    def measure(self, sample: Sample) -> Rows:
        """(frames, 3) float32: mean |dx| and |dy|, mean Euclidean distance, worst value of the first; all in pixels."""
        return distances(*generated_and_target(self, sample))

    def value(self, rows: Rows) -> float:
        """Mean over frames, lost faces as the worst case; NaN if there is nothing."""
        return value_with_losses(rows)

    def details(self, rows: Sequence[Rows], reference: Sequence[Rows] = ()) -> dict[str, float]:  # noqa: ARG002
        """The number of publications and the Euclidean one, both over frames whose faces were found, and the share of these."""
        return {
            "over found faces only": mean_of_found(rows, pooled=True),
            "Euclidean over found faces": mean_of_found([one[:, 1:] for one in rows if one.shape[1] > 1], pooled=True),
            "faces found": share_found(rows),
        }

    def _loaded(self) -> LandmarkFinder:
        if self._network is None:
            self._network = from_files(weights.path("fan68"), weights.path("s3fd"))
        return self._network


def distances(generated: Rows, target: Rows) -> Rows:
    """(frames, 3) from two (frames, 2 * landmarks) in pixels of a frame of SIZE; see `AKDFan68.measure`."""
    truth: NDArray[np.float64] = target.astype(np.float64)
    difference = np.abs(generated - truth)
    worst = np.maximum(np.abs(truth), np.abs(SIZE - truth)).mean(axis=1)
    euclidean = np.hypot(difference[:, 0::2], difference[:, 1::2]).mean(axis=1)
    return with_worst(np.minimum(difference.mean(axis=1), worst), euclidean, worst)
