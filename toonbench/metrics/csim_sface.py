"""CSIM by SFace: is the generated face still the same person? Its weights may be used commercially."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from toonbench import weights
from toonbench.metrics.csim_arcface import CSIMArcFace
from toonbench.types import Domain, Need

if TYPE_CHECKING:
    from toonbench.networks.arcface import FaceEmbedder


class CSIMSFace(CSIMArcFace):
    """Cosine of the SFace embeddings of each generated frame and the source image; -1 to 1, 1 is equal.

    SFace (Zhong et al. 2021) of OpenCV Zoo, int8, 128 numbers. YuNet at 640 pixels and threshold 0.6 finds the faces; the five
    points of the largest are moved to ArcFace's template at 112 x 112. The weights are free (Apache-2.0) and come with a package
    of the Python Package Index, so `csim_sface` runs where `csim_arcface` does not. Mean over each clip's frames, then over clips.

    A generated frame without a face counts -1, as in `csim_arcface`; the number over found faces and their share are in
    `details`. A source without a face leaves its whole pair unmeasured. The networks were made for photographs: methods are
    never ranked by it on drawn sources. Values of ArcFace cannot be compared with these.
    """

    name = "csim_sface"
    version = 1
    weights = ("yunet", "sface")
    features = "sface@1"
    features_of: frozenset[Need] = frozenset({"source"})

    @classmethod
    def with_test_weights(cls) -> CSIMSFace:
        """The metric with stand-ins for its networks: it runs without any download and measures nothing."""
        from toonbench.networks.arcface import with_test_weights
        from toonbench.networks.sface import WIDTH

        return cls(network=with_test_weights(WIDTH))

    def unranked(self, sources: AbstractSet[Domain]) -> str:
        """For drawn sources."""
        return "" if sources <= self.calibrated else "it does not distinguish drawn persons"

    def _read(self) -> FaceEmbedder:
        from toonbench.networks.sface import from_file

        weights.path("yunet")  # is missing before a frame is read
        return from_file(weights.path("sface"))
