"""AED as FOMM computes it: distance of the OpenFace embeddings of generated and target frames."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from toonbench import weights
from toonbench.metrics._faces import generated_and_target
from toonbench.metrics.shared import mean_of_found
from toonbench.networks.deterministic import deterministic_state
from toonbench.networks.running import built, in_batches, measuring, read_state
from toonbench.types import Domain, Frames, Metric, Need, Rows, Sample

if TYPE_CHECKING:
    from torch import Tensor

    from toonbench.networks.openface import OpenFace


class AEDIdentity(Metric):
    """Average Euclidean Distance: |e(generated) - e(target)|^2 of OpenFace nn4.small2.v1 embeddings; 0 (equal) to 4.

    What FOMM, Monkey-Net, LIA and DaGAN print as AED, by AliaksandrSiarohin/pose-evaluation: the whole frame, blue green
    red, squashed to 96 x 96 (order 1, no antialiasing) and scaled to [0, 1]; the sum of squared differences of the unit
    embeddings, not its root, so its range is [0, 4]; mean over all frames of all clips. `details` has the root. Nothing is
    detected or aligned, so no face can be lost, and shift and background count as well as identity. "Average Expression
    Distance", which other papers call AED, is `aed_expression`.
    """

    name = "aed_identity"
    version = 1
    higher_is_better = False
    aggregate = "frames"
    needs: frozenset[Need] = frozenset({"target"})
    weights = ("openface",)
    features = "openface@1"
    features_of: frozenset[Need] = frozenset({"target"})
    calibrated: frozenset[Domain] = frozenset({"real"})
    bounds = (0.0, 4.0)

    def __init__(self, *, network: OpenFace | None = None) -> None:
        self._network = network

    @classmethod
    def with_test_weights(cls) -> AEDIdentity:
        """The metric with deterministic test weights: it runs without any download and measures nothing."""
        from toonbench.networks.openface import OpenFace, from_state

        return cls(network=from_state(deterministic_state(OpenFace().state_dict(), "openface")))

    def extract_features(self, frames: Frames) -> Rows:
        """(frames, 128) float32 embeddings of length 1."""
        from toonbench.networks.openface import WIDTH

        rows = np.empty((len(frames), WIDTH), np.float32)
        network, done = self._loaded(), 0
        with measuring(self.device):
            for batch in in_batches(frames, self.device):
                rows[done : done + len(batch)] = network(_pictures(batch).to(self.device)).cpu().numpy()
                done += len(batch)
        return rows

    def measure(self, sample: Sample) -> Rows:
        """(frames, 1) float32, one squared distance a frame."""
        return squared_distances(*generated_and_target(self, sample))

    def details(self, rows: Sequence[Rows], reference: Sequence[Rows] = ()) -> dict[str, float]:  # noqa: ARG002
        """The same with the Euclidean distance itself, the root of each frame's."""
        return {"Euclidean": mean_of_found([np.sqrt(one) for one in rows], pooled=True)}

    def _loaded(self) -> OpenFace:
        if self._network is None:
            from toonbench.networks.openface import from_state

            path = weights.path("openface")
            self._network = built(lambda: from_state(read_state(path)), path)
        return self._network.to(self.device)


def squared_distances(generated: Rows, target: Rows) -> Rows:
    """(frames, 1) float32: the sum of squared differences of two (frames, values) of length 1; at most 4."""
    difference = generated.astype(np.float64) - target
    return np.minimum(np.square(difference).sum(axis=1, keepdims=True), 4).astype(np.float32)


def _pictures(frames: Frames) -> Tensor:
    """(batch, 3, 96, 96) blue green red in [0, 1]."""
    import torch

    from toonbench.networks.openface import SIZE

    transform: Any = importlib.import_module("skimage.transform")
    small = [
        transform.resize(frame[..., ::-1], (SIZE, SIZE), order=1, mode="constant", anti_aliasing=False)
        for frame in frames
    ]
    return torch.from_numpy(np.stack(small).astype(np.float32)).permute(0, 3, 1, 2).contiguous()
