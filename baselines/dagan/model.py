"""The network of DaGAN: FOMM's with the disparity of the face beside its colours, and attention from the source's depth."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toonbench.networks.first_order import KeyPointDetector, KeyPoints, Trace, WarpingGenerator
from toonbench.networks.hourglass import ConvBlock, DownBlock

from ..first_order_weights import NetworkConfig
from .depth import DepthConfig, DepthDecoder, DepthEncoder

QUERIES = 512  # positions attended from at a time: the whole matrix has 4096 x 4096 numbers


@dataclass(frozen=True, slots=True)
class Source:
    """A source picture, encoded once: key points, the reduced picture, features, and the attention's queries (B, N, width)."""

    points: KeyPoints
    small: Tensor
    features: Tensor
    queries: Tensor


class CrossAttention(nn.Module):
    """Adds to moved features what the places of the source's depth attend to; softmax without scaling, ReLU on all three inputs."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.query_conv = nn.Conv2d(channels, inner, 1)
        self.key_conv = nn.Conv2d(channels, inner, 1)
        self.value_conv = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def queries(self, depth_features: Tensor) -> Tensor:
        """(B, N, inner) of (B, channels, h, w); constant for a source."""
        return F.relu(self.query_conv(depth_features)).flatten(2).transpose(1, 2)

    def forward(self, x: Tensor, queries: Tensor, *, trace: Trace | None = None) -> Tensor:
        """`x` (B, channels, h, w) and queries of B samples, or of one for all."""
        keys = F.relu(self.key_conv(x)).flatten(2)
        values = F.relu(self.value_conv(x)).flatten(2).transpose(1, 2)
        queries = queries.expand(len(x), -1, -1)
        rows = [torch.softmax(part @ keys, dim=-1) @ values for part in queries.split(QUERIES, dim=1)]
        found = torch.cat(rows, dim=1).transpose(1, 2).reshape(x.shape)
        made = torch.addcmul(x, found, self.gamma)
        if trace is not None:
            trace.update(attention_rows=torch.softmax(queries @ keys, dim=-1), attended_feature=made)
        return made


class DepthAwareGenerator(WarpingGenerator):
    """The generator with an encoder of the source's depth and cross attention after the warp."""

    def __init__(self, config: NetworkConfig, *, attention: int, corners: bool) -> None:
        widths = config.generator
        super().__init__(
            widths, motion=config.motion, points=config.points, residuals=config.residuals, corners=corners
        )
        self.src_first = ConvBlock(1, widths[0], kernel=7)
        self.src_down_blocks = nn.ModuleList(DownBlock(a, b) for a, b in pairwise(widths))
        self.AttnModule = CrossAttention(widths[-1], attention)

    def queries(self, depth: Tensor) -> tuple[Tensor, Tensor]:
        """The attention's queries (B, N, width) for a source's depth (B, 1, H, W), and the features they come from."""
        x = self.src_first(depth)
        for block in self.src_down_blocks:
            x = block(x)
        return self.AttnModule.queries(x), x


class DaGANNetwork(nn.Module):
    """Pictures are (B, 3, H, W) RGB in [0, 1]; `corners` is the sampling convention (see `toonbench.networks.first_order`)."""

    def __init__(
        self, config: NetworkConfig, depth: DepthConfig, *, attention: int = 32, corners: bool = False
    ) -> None:
        super().__init__()
        self.config = config
        self.depth = depth
        self.attention = attention
        self.kp_detector = KeyPointDetector(4, config.detector, points=config.points)
        self.generator = DepthAwareGenerator(config, attention=attention, corners=corners)
        self.depth_encoder = DepthEncoder(depth)
        self.depth_decoder = DepthDecoder(depth)

    def disparity(self, image: Tensor, *, trace: Trace | None = None) -> Tensor:
        """(B, 1, H, W) in (0, 1), larger is nearer."""
        maps = self.depth_encoder(image)
        if trace is not None:
            trace.update({f"enc{index}": value for index, value in enumerate(maps)})
        return self.depth_decoder(maps, trace=trace)

    def key_points(self, image: Tensor, *, trace: Trace | None = None) -> KeyPoints:
        """Key points of pictures, from their colours and disparity."""
        return self._points(image, self.disparity(image), trace=trace)

    def _points(self, image: Tensor, disparity: Tensor, *, trace: Trace | None = None) -> KeyPoints:
        return self.kp_detector(torch.cat([image, disparity], dim=1), trace=trace)

    def source(self, image: Tensor, *, trace: Trace | None = None) -> Source:
        """Encode a source."""
        depth = self.disparity(image)
        small = self.generator.dense_motion_network.down(image)
        queries, features = self.generator.queries(depth)
        if trace is not None:
            trace["depth_feature"] = features
        return Source(self._points(image, depth), small, self.generator.encode(image), queries)

    def render(self, source: Source, points: KeyPoints, *, trace: Trace | None = None) -> Tensor:
        """Pictures of the source with its key points moved to `points`; `source` holds B samples, or one for all."""
        generator = self.generator
        places, visible = generator.dense_motion_network(
            source.small, source=source.points, driving=points, trace=trace
        )
        moved = generator.warp(source.features, places, visible=visible, trace=trace)
        attended = generator.AttnModule(moved, source.queries, trace=trace)
        return generator.decode(attended.contiguous(memory_format=torch.channels_last))
