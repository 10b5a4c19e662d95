"""The network of FOMM: a key point detector and a generator that warps the source's features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from toonbench.networks.first_order import KeyPointDetector, KeyPoints, Trace, WarpingGenerator


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """Sizes of the network, of the published one (vox-256, vox-adv-256) by default.

    detector, motion: widths of the hourglasses: of the output, then of the map after each halving.
    generator: widths of the generator's maps at full, half and quarter size.
    """

    points: int = 10
    detector: tuple[int, ...] = (32, 64, 128, 256, 512, 1024)
    motion: tuple[int, ...] = (64, 128, 256, 512, 1024, 1024)
    generator: tuple[int, ...] = (64, 128, 256)
    residuals: int = 6

    @property
    def multiple(self) -> int:
        """Sides of pictures must be a multiple of it."""
        return 4 << max(len(self.detector), len(self.motion)) - 1


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

    def source(self, image: Tensor) -> Source:
        """Encode a source."""
        small = self.generator.dense_motion_network.down(image)
        return Source(self.key_points(image), small, self.generator.encode(image))

    def render(self, source: Source, points: KeyPoints, *, trace: Trace | None = None) -> Tensor:
        """Pictures of the source with its key points moved to `points`; `source` holds B samples, or one for all."""
        generator = self.generator
        places, visible = generator.dense_motion_network(
            source.small, source=source.points, driving=points, trace=trace
        )
        return generator.decode(generator.warp(source.features, places, visible=visible, trace=trace))


def infer_config(state: Mapping[str, Tensor]) -> NetworkConfig:
    """Sizes from a state dict with the prefixes `kp_detector.` and `generator.`. Raises KeyError if it is none."""
    return NetworkConfig(
        points=state["kp_detector.kp.weight"].shape[0],
        detector=hourglass_widths(state, "kp_detector.predictor"),
        motion=hourglass_widths(state, "generator.dense_motion_network.hourglass"),
        generator=(state["generator.first.conv.weight"].shape[0], *block_widths(state, "generator.down_blocks")),
        residuals=_count(state, "generator.bottleneck.r{}.conv1.weight"),
    )


def hourglass_widths(state: Mapping[str, Tensor], prefix: str) -> tuple[int, ...]:
    """Widths of the hourglass `prefix` of a state dict."""
    down = block_widths(state, f"{prefix}.encoder.down_blocks")
    return (state[f"{prefix}.decoder.up_blocks.{len(down) - 1}.conv.weight"].shape[0], *down)


def block_widths(state: Mapping[str, Tensor], prefix: str) -> tuple[int, ...]:
    """Output widths of a list of convolution blocks; at least one."""
    count = max(1, _count(state, f"{prefix}.{{}}.conv.weight"))
    return tuple(state[f"{prefix}.{index}.conv.weight"].shape[0] for index in range(count))


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    """How many keys of the pattern there are, from 0 on."""
    found = 0
    while pattern.format(found) in state:
        found += 1
    return found
