"""CSIM by ArcFace: is the generated face still the same person?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from toonbench import weights
from toonbench.metrics._faces import cosine_rows
from toonbench.metrics.shared import mean_of_found, share_found, value_with_losses
from toonbench.types import Domain, Frames, Metric, Need, Rows, Sample

if TYPE_CHECKING:
    from toonbench.networks.arcface import FaceEmbedder


class CSIMArcFace(Metric):
    """Cosine of the ArcFace embeddings of each generated frame and the source image; -1 to 1, 1 is equal.

    insightface's buffalo_l: SCRFD-10G at 640 x 640 and threshold 0.5, the largest face of each picture, its five points
    moved to ArcFace's template at 112 x 112 (Deng et al. 2019), ResNet-50 of WebFace600K. Mean over each clip's frames,
    then over clips.

    A generated frame without a face counts -1, so losing faces never helps. Publications skip it; that number and
    the share of frames with a face are in `details`. A source without a face leaves its whole pair unmeasured. The networks were
    made for photographs: drawn faces are often not found, and the value then means little; see `csim_dinov2`.
    Values of other ArcFaces (antelopev2,
    IR-SE50 without alignment) and of FaceNet cannot be compared with these.
    """

    name = "csim_arcface"
    version = 1
    higher_is_better = True
    needs: frozenset[Need] = frozenset({"source"})
    weights = ("scrfd-10g", "arcface-r50")
    features = "arcface_r50@1"
    features_of: frozenset[Need] = frozenset({"source"})
    calibrated: frozenset[Domain] = frozenset({"real"})
    bounds = (-1.0, 1.0)

    def __init__(self, *, network: FaceEmbedder | None = None) -> None:
        self._network = network

    @classmethod
    def with_test_weights(cls) -> CSIMArcFace:
        """The metric with stand-ins for its networks: it runs without any download and measures nothing."""
        from toonbench.networks.arcface import with_test_weights

        return cls(network=with_test_weights())

    def extract_features(self, frames: Frames) -> Rows:
        """(frames, 512) float32 embeddings of length 1; NaN where no face is found."""
        return self._loaded().extract_features(frames)

    def measure(self, sample: Sample) -> Rows:
        """(frames, 2) float32: the cosine and -1, the worst value."""
        return cosine_rows(self, sample)

    def value(self, rows: Rows) -> float:
        """Mean over frames, lost faces as -1; NaN if the source has no face."""
        return value_with_losses(rows)

    def details(self, rows: Sequence[Rows], reference: Sequence[Rows] = ()) -> dict[str, float]:  # noqa: ARG002
        """The number of publications, which skips lost faces, and the share of frames with a face."""
        return {"over found faces only": mean_of_found(rows), "faces found": share_found(rows)}

    def _loaded(self) -> FaceEmbedder:
        if self._network is None:
            self._network = self._read()
        return self._network

    def _read(self) -> FaceEmbedder:
        from toonbench.networks.arcface import from_files

        return from_files(weights.path("scrfd-10g"), weights.path("arcface-r50"), device=self.device)
