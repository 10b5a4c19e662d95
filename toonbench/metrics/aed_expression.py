"""AED as others have it: distance of the facial expressions of generated and target frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from toonbench import weights
from toonbench.metrics._faces import generated_and_target
from toonbench.metrics.shared import mean_of_found, share_found, value_with_losses, with_worst
from toonbench.networks.blendshapes import SHAPES, from_file, with_test_weights
from toonbench.types import Domain, Frame, Frames, Metric, Need, Rows, Sample

Reader = Callable[[Frame], NDArray[np.float32] | None]


class AEDExpression(Metric):
    """Average Expression Distance: mean |difference| of 51 blendshape scores of generated and target frame; 0 to 1, 0 is equal.

    Scores come from MediaPipe's face landmarker, which can be had freely (52 blendshapes; `_neutral` is left out). The
    metric of this name in PIRenderer, StyleHEAT and OTAvatar takes 64 coefficients of Deep3DFaceRecon instead, so its
    values cannot be compared with these, only the order of methods. What FOMM prints as AED is `aed_identity`. Mean over
    each clip's frames, then over clips.

    Where the target's face is not found the frame is left out; where only the generated one's is not, every score counts
    as wrong as it could be. `details` has the mean over found faces, which rewards losing hard ones. Made for photographed
    faces.
    """

    name = "aed_expression"
    version = 1
    higher_is_better = False
    needs: frozenset[Need] = frozenset({"target"})
    weights = ("face-landmarker",)
    packages: Mapping[str, str] = {"mediapipe": "mediapipe"}
    features = "blendshapes@1"
    features_of: frozenset[Need] = frozenset({"target"})
    calibrated: frozenset[Domain] = frozenset({"real"})
    bounds = (0.0, 1.0)

    def __init__(self, *, network: Reader | None = None) -> None:
        self._network = network

    @classmethod
    def with_test_weights(cls) -> AEDExpression:
        """The metric with a stand-in for MediaPipe: it runs without any download or package and measures nothing."""
        return cls(network=with_test_weights())

    def extract_features(self, frames: Frames) -> Rows:
        """(frames, 51) float32 scores in [0, 1]; NaN where no face is found."""
        if self._network is None:
            self._network = from_file(weights.path("face-landmarker"))
        rows = np.full((len(frames), SHAPES), np.nan, np.float32)
        for row, frame in zip(rows, frames, strict=True):
            scores = self._network(frame)
            if scores is not None:
                row[:] = scores
        return rows

    def measure(self, sample: Sample) -> Rows:
        """(frames, 2) float32: mean |difference| and its worst value."""
        return expression_distances(*generated_and_target(self, sample))

    def value(self, rows: Rows) -> float:
        """Mean over frames, lost faces as the worst case; NaN if there is nothing."""
        return value_with_losses(rows)

    def details(self, rows: Sequence[Rows], reference: Sequence[Rows] = ()) -> dict[str, float]:  # noqa: ARG002
        """The mean over frames whose faces were found, and the share of these."""
        return {"over found faces only": mean_of_found(rows), "faces found": share_found(rows)}


def expression_distances(generated: Rows, target: Rows) -> Rows:
    """(frames, 2) from two (frames, scores) in [0, 1]; see `AEDExpression.measure`."""
    truth: NDArray[np.float64] = target.astype(np.float64)
    return with_worst(np.abs(generated - truth).mean(axis=1), np.maximum(truth, 1 - truth).mean(axis=1))
