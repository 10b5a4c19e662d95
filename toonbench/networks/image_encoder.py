"""The image encoder of ToonTalker and LIA: a stem, residual blocks down to 4 x 4 and, for motion, one vector."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from toonbench.networks.stylegan2 import SQRT2, ActivatedConv, EqualConv2d, Smooth

OFFICIAL_CHANNELS = ((4, 512), (8, 512), (16, 512), (32, 512), (64, 256), (128, 128), (256, 64), (512, 32), (1024, 16))


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside a 1 x 1 skip; halves the resolution."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv1 = ActivatedConv(conv=EqualConv2d(channels, channels, kernel=3, pad=1, gain=SQRT2))
        down = EqualConv2d(channels, out, kernel=3, stride=2)
        self.conv2 = ActivatedConv(Smooth(pad=2), conv=down)
        # The 1 x 1 convolution of the skip has stride 2: the filter before it computes only the samples that are used.
        self.skip = nn.Sequential(Smooth(pad=1, stride=2), EqualConv2d(channels, out, kernel=1, gain=1.0 / SQRT2))

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) to (B, out, H / 2, W / 2)."""
        smooth, thin = self.skip
        inner = self.conv1(x).contiguous(memory_format=torch.channels_last)
        return self.conv2(inner) + thin(smooth(x))  # (main + skip) / sqrt2


class ImageEncoder(nn.Module):
    """RGB in [-1, 1] to feature maps of every resolution from `size` down to 4, and a vector if `vector` is its width."""

    def __init__(self, size: int, channels: Mapping[int, int], *, vector: int = 0) -> None:
        super().__init__()
        stem = ActivatedConv(conv=EqualConv2d(3, channels[size], kernel=1, gain=SQRT2))
        sides = [size >> step for step in range(int(math.log2(size)) - 2)]
        blocks = [ResidualBlock(channels[side], channels[side // 2]) for side in sides]
        last = [EqualConv2d(channels[4], vector, kernel=4)] if vector else []
        self.convs = nn.ModuleList([stem, *blocks, *last])
        self.levels = 1 + len(blocks)

    def maps(self, image: Tensor) -> list[Tensor]:
        """Feature maps in ascending resolution: 4, 8, ..., size."""
        image = image.contiguous(memory_format=torch.channels_last)
        found: list[Tensor] = []
        for block in self.convs[: self.levels]:
            image = block(image)
            found.insert(0, image)
        return found

    def vector(self, image: Tensor) -> Tensor:
        """(B, width) descriptor."""
        return self.convs[self.levels](self.maps(image)[0]).flatten(1)
