"""The network of FOMM: a key point detector and a generator that warps the source's features."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from toonbench.networks.first_order import KeyPointDetector, KeyPoints, Trace, WarpingGenerator

from ..first_order_weights import NetworkConfig


@dataclass(frozen=True, slots=True)
class Source:
    """A source picture, encoded once: its key points, the reduced picture, and the generator's features."""

    points: KeyPoints
    small: Tensor
    features: Tensor


class FOMMNetwork(nn.Module):
    """Pictures are (B, 3, H, W) RGB in [0, 1]; `corners` is the sampling convention (see `toonbench.networks.first_order`)."""

    def __init__(self, config: NetworkConfig, *, corners: bool = False) -> None:
        super().__init__()
        self.config = config
        self.kp_detector = KeyPointDetector(3, config.detector, points=config.points)
        self.generator = WarpingGenerator(
            config.generator,
            motion=config.motion,
            points=config.points,
            residuals=config.residuals,
            corners=corners,
        )

    def key_points(self, image: Tensor, *, trace: Trace | None = None) -> KeyPoints:
        """Key points of pictures."""
        return self.kp_detector(image, trace=trace)

    def source(self, image: Tensor, *, trace: Trace | None = None) -> Source:
        """Encode a source."""
        small = self.generator.dense_motion_network.down(image)
        features = self.generator.encode(image)
        if trace is not None:
            trace["source_feature"] = features
        return Source(self.key_points(image), small, features)

    def render(self, source: Source, points: KeyPoints, *, trace: Trace | None = None) -> Tensor:
        """Pictures of the source with its key points moved to `points`; `source` holds B samples, or one for all."""
        generator = self.generator
        places, visible = generator.dense_motion_network(
            source.small, source=source.points, driving=points, trace=trace
        )
        return generator.decode(generator.warp(source.features, places, visible=visible, trace=trace))
