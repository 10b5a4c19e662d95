"""The network of LIA: motion as steps along learned directions in the latent space, and a generator that warps the source's maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from toonbench.networks.flow_heads import FlowHead, RGBHead
from toonbench.networks.image_encoder import OFFICIAL_CHANNELS, ImageEncoder
from toonbench.networks.stylegan2 import (
    SQRT2,
    ActivatedConv,
    ConstantInput,
    EqualConv2d,
    EqualLinear,
    StyledConv,
)

Trace = dict[str, Tensor]  # intermediates by name, such as l64.flow_skip
LINEAR = 5  # layers between the encoder's vector and the steps; no activation between them
LARGEST_STEP = 8  # of the generator: images of 2048 x 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """Sizes, of the published networks by default. `channels` holds (resolution, channels) rows; those above `size` are unused.

    size: image side in pixels, a power of two from 8. style: width of the latent space. motions: number of directions.
    """

    size: int = 256
    channels: tuple[tuple[int, int], ...] = OFFICIAL_CHANNELS
    style: int = 512
    motions: int = 20

    def __post_init__(self) -> None:
        table = dict(self.channels)
        if self.size < 8 or self.size & (self.size - 1) or any(side not in table for side in self.sides):
            raise ValueError(
                f"size {self.size}: a power of two from 8 with a row in channels {sorted(table)} is needed"
            )
        if not 0 < self.motions <= self.style:
            raise ValueError(
                f"{self.motions} directions: 1 to {self.style}, the width of the latent space, are possible"
            )

    @property
    def table(self) -> dict[int, int]:
        """Channels by resolution."""
        return dict(self.channels)

    @property
    def used(self) -> NetworkConfig:
        """The same sizes without unused rows of channels, for comparison."""
        return replace(self, channels=tuple((side, self.table[side]) for side in self.sides))

    @property
    def sides(self) -> list[int]:
        """Resolutions 4, 8, ..., size."""
        return [4 << step for step in range(self.size.bit_length() - 2)]


class Encoder(nn.Module):
    """A picture to feature maps and a vector, and the vector to steps along the directions."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.net_app = ImageEncoder(config.size, config.table, vector=config.style)
        outputs = [config.style] * (LINEAR - 1) + [config.motions]
        self.fc = nn.Sequential(*(EqualLinear(config.style, width) for width in outputs))

    def steps(self, image: Tensor) -> Tensor:
        """Steps (B, motions) of pictures."""
        return self.fc(self.net_app.vector(image))


class Directions(nn.Module):
    """The directions, stored unordered; used as the orthonormal factor of their QR decomposition."""

    def __init__(self, style: int, motions: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(style, motions))

    def orthonormal(self) -> Tensor:
        """(style, motions); the signs are those of the decomposition, and matter."""
        return torch.linalg.qr(self.weight + 1e-8, mode="reduced").Q


class _UnusedHead(nn.Module):
    """Colours at 4 x 4, which the checkpoints hold and the network does not use."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))
        self.conv = ActivatedConv(conv=EqualConv2d(channels, 3, kernel=1, gain=SQRT2))


class Decoder(nn.Module):
    """Directions and the progressive generator. Attribute names are those of the published checkpoints."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        width, table, sides = config.style, config.table, config.sides[1:]
        self.direction = Directions(width, config.motions)
        self.input = ConstantInput(table[4])
        self.conv1 = StyledConv(table[4], table[4], style=width)
        self.to_rgb1 = _UnusedHead(table[4])
        self.convs = nn.ModuleList()
        for side in sides:
            self.convs.append(StyledConv(table[side // 2], table[side], style=width, upsample=True))
            self.convs.append(StyledConv(table[side], table[side], style=width))
        self.to_rgbs = nn.ModuleList(RGBHead(table[side]) for side in sides)
        self.to_flows = nn.ModuleList(FlowHead(table[side], style=width) for side in sides)

    def forward(self, z: Tensor, pyramid: tuple[Tensor, ...], *, trace: Trace | None = None) -> Tensor:
        """Picture (B, 3, size, size), nominal [-1, 1], not clamped, of latents `z` (B, style) and the source's maps (B or 1)."""
        x = self.input.input.expand(len(z), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        x = self.conv1(x, z)
        if trace is not None:
            trace["conv1_out"] = x
        rgb = field = None
        for level, features in enumerate(pyramid):
            x = self.convs[2 * level](x, z)
            entered = x = self.convs[2 * level + 1](x, z)
            warped, unmasked, field = self.to_flows[level](x, z, features, field)
            rgb = self.to_rgbs[level](warped, rgb)
            if level + 1 == len(pyramid) and trace is None:
                break  # nothing reads the last level's state
            x = torch.addcmul(warped, entered, unmasked)
            if trace is not None:
                found = {"x": entered, "warp": warped, "blend": x, "flow_skip": field, "rgb_skip": rgb, "x_next": x}
                trace.update({f"l{features.shape[-1]}.{name}": value for name, value in found.items()})
        if rgb is None:
            raise ValueError("a source needs at least one feature map")
        return rgb


@dataclass(frozen=True, slots=True)
class Source:
    """A source picture, encoded once: maps 8, 16, ..., size, its latent (B, style) and its steps (B, motions)."""

    pyramid: tuple[Tensor, ...]
    latent: Tensor
    steps: Tensor


class LIANetwork(nn.Module):
    """Pictures are (B, 3, size, size) RGB in [-1, 1]."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.enc = Encoder(config)
        self.dec = Decoder(config)

    def source(self, image: Tensor) -> Source:
        """Encode a source."""
        maps = self.enc.net_app.maps(image)
        latent = self.enc.net_app.convs[self.enc.net_app.levels](maps[0]).flatten(1)
        return Source(tuple(maps[1:]), latent, self.enc.fc(latent))

    def render(self, source: Source, steps: Tensor, *, directions: Tensor, trace: Trace | None = None) -> Tensor:
        """Pictures of the source at `steps` (B, motions) from its latent; `source` holds B samples, or one for all.

        `directions` is `dec.direction.orthonormal()`, which depends on the weights only.
        """
        return self.dec(source.latent + steps @ directions.T, source.pyramid, trace=trace)


def infer_config(state: Mapping[str, Tensor]) -> NetworkConfig:
    """Read the sizes from a state dict in the official layout. Raises KeyError if it is none."""
    levels = [int(key.split(".")[2]) for key in state if key.startswith("dec.to_rgbs.") and key.endswith(".bias")]
    if not 0 <= max(levels, default=-1) <= LARGEST_STEP:
        raise KeyError("dec.to_rgbs.0.bias")
    channels = [(4, state["dec.conv1.activate.bias"].shape[1])]
    for level in range(max(levels) + 1):
        channels.append((8 << level, state[f"dec.convs.{2 * level}.activate.bias"].shape[1]))
    style, motions = state["dec.direction.weight"].shape
    return NetworkConfig(size=channels[-1][0], channels=tuple(channels), style=style, motions=motions)
