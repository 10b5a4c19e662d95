"""AED as average expression distance: distance of the facial expressions of generated and target frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from toonbench import weights
from toonbench.metrics._faces import generated_and_target
from toonbench.metrics.shared import mean_of_found, share_found, value_with_losses, with_worst
from toonbench.types import Domain, Frames, Metric, Need, Rows, Sample

SHAPES = 51  # without `_neutral`, which says how little the others are there
Reader = Callable[[Frames], Rows]


class AEDExpression(Metric):
    """Average Expression Distance: mean |difference| of 51 blendshape scores of generated and target frame; 0 to 1, 0 is equal.

    Scores come from MediaPipe's face landmarker, which is freely available and runs in torch here (52 blendshapes;
    `_neutral` is left out). The metric of this name in PIRenderer, StyleHEAT and OTAvatar takes 64 coefficients of
    Deep3DFaceRecon instead, so its values cannot be compared with these, only the order of methods. What FOMM prints as AED
    is `aed_identity`. Mean over each clip's frames, then over clips.

    Where the target's face is not found, the frame is left out; where only the generated face is not found, every score counts
    as its largest possible error. `details` has the mean over found faces, which rewards losing difficult ones. The network was made for
    photographed faces. Methods are never ranked by it: the repeated source has a lower distance than methods that move the face.
    """

    name = "aed_expression"
    version = 1
    higher_is_better = False
    needs: frozenset[Need] = frozenset({"target"})
    weights = ("face-landmarker",)
    features = "blendshapes@1"
    features_of: frozenset[Need] = frozenset({"target"})
    calibrated: frozenset[Domain] = frozenset({"real"})
    bounds = (0.0, 1.0)

    def __init__(self, *, network: Reader | None = None) -> None:
        self._network = network

    @classmethod
    def with_test_weights(cls) -> AEDExpression:
        """The metric with a stand-in for the landmarker: it runs without any download and measures nothing."""
        from toonbench.networks.blendshapes import with_test_weights

        return cls(network=with_test_weights(SHAPES))

    def extract_features(self, frames: Frames) -> Rows:
        """(frames, 51) float32 scores in [0, 1]; NaN where no face is found."""
        if self._network is None:
            self._network = _reader()
        return self._network(frames)

    def unranked(self, sources: AbstractSet[Domain]) -> str:
        """Always: doing nothing is better by it than moving."""
        del sources
        return "the repeated source has a lower distance than a method that moves the face"

    def measure(self, sample: Sample) -> Rows:
        """(frames, 2) float32: mean |difference| and its worst value."""
        return expression_distances(*generated_and_target(self, sample))

    def value(self, rows: Rows) -> float:
        """Mean over frames, lost faces as the worst case; NaN if there is nothing."""
        return value_with_losses(rows)

    def details(self, rows: Sequence[Rows], reference: Sequence[Rows] = ()) -> dict[str, float]:  # noqa: ARG002
        """The mean over frames whose faces were found, and the share of these."""
        return {"over found faces only": mean_of_found(rows), "faces found": share_found(rows)}


def _reader() -> Reader:
    from toonbench.networks import face_landmarker

    landmarker = face_landmarker.from_file(weights.path(face_landmarker.NAME))

    def read(frames: Frames) -> Rows:
        return landmarker.read(frames).blendshapes[:, 1:]

    return read


def expression_distances(generated: Rows, target: Rows) -> Rows:
    """(frames, 2) from two (frames, scores) in [0, 1]; see `AEDExpression.measure`."""
    truth: NDArray[np.float64] = target.astype(np.float64)
    return with_worst(np.abs(generated - truth).mean(axis=1), np.maximum(truth, 1 - truth).mean(axis=1))
