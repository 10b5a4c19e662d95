"""CSIM by DINOv2: does the generated frame still look like the source, also where faces are drawn?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from toonbench import weights
from toonbench.metrics._faces import cosine_rows
from toonbench.metrics.shared import value_with_losses
from toonbench.networks.deterministic import deterministic_state
from toonbench.networks.running import built, in_batches, measuring, read_state
from toonbench.types import Frames, Metric, Need, Rows, Sample

if TYPE_CHECKING:
    from torch import Tensor

    from toonbench.networks.dinov2 import DINOv2

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet, red green blue


class CSIMDINOv2(Metric):
    """Cosine of the DINOv2 (ViT-S/14) class tokens of each generated frame and the source image; -1 to 1, 1 is equal.

    The counterpart of `csim_arcface` for cartoons. DINOv2 (Oquab et al. 2023) was trained on 142 million images of all kinds
    without labels, including drawn ones, and no face has to be detected. The whole frame is squashed to 224 x 224 (Pillow's
    antialiased bicubic on uint8), scaled to [0, 1] and normalised with ImageNet's mean and deviation; no crop. Mean over
    each clip's frames, then over clips.

    It is a similarity of images, not of persons: pose, expression and background change it too. A method that returns the
    source gets 1. It is not calibrated to distinguish two people of one style. Compare methods on the same pairs, and use
    it together with a motion metric.
    """

    name = "csim_dinov2"
    version = 1
    higher_is_better = True
    needs: frozenset[Need] = frozenset({"source"})
    weights = ("dinov2-small",)
    features = "dinov2_small@1"
    features_of: frozenset[Need] = frozenset({"source"})
    bounds = (-1.0, 1.0)

    def __init__(self, *, network: DINOv2 | None = None) -> None:
        self._network = network

    @classmethod
    def with_test_weights(cls) -> CSIMDINOv2:
        """The metric with deterministic test weights: it runs without any download and measures nothing."""
        from toonbench.networks.dinov2 import DINOv2, from_state

        return cls(network=from_state(deterministic_state(DINOv2().state_dict(), "dinov2-small")))

    def extract_features(self, frames: Frames) -> Rows:
        """(frames, 384) float32 class tokens of length 1."""
        from toonbench.networks.dinov2 import WIDTH

        rows = np.empty((len(frames), WIDTH), np.float32)
        network, done = self._loaded(), 0
        with measuring(self.device):
            for batch in in_batches(frames, self.device):
                tokens = network(_pictures(batch).to(self.device)).double()
                tokens = tokens / tokens.norm(dim=1, keepdim=True)
                rows[done : done + len(batch)] = tokens.cpu().numpy()
                done += len(batch)
        return rows

    def measure(self, sample: Sample) -> Rows:
        """(frames, 2) float32: the cosine and -1, the worst value."""
        return cosine_rows(self, sample)

    def value(self, rows: Rows) -> float:
        """Mean over frames; NaN if there is nothing."""
        return value_with_losses(rows)

    def _loaded(self) -> DINOv2:
        if self._network is None:
            from toonbench.networks.dinov2 import from_state

            path = weights.path("dinov2-small")
            self._network = built(lambda: from_state(read_state(path)), path)
        return self._network.to(self.device)


def _pictures(frames: Frames) -> Tensor:
    """(batch, 3, 224, 224) as the network expects them."""
    import torch
    from PIL import Image

    from toonbench.networks.dinov2 import SIZE

    small = [
        np.asarray(Image.fromarray(np.ascontiguousarray(frame)).resize((SIZE, SIZE), Image.Resampling.BICUBIC))
        for frame in frames
    ]
    x = (np.stack(small).astype(np.float32) / 255 - np.array(_MEAN, np.float32)) / np.array(_DEVIATION, np.float32)
    return torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()
