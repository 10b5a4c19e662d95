"""The discriminator of FOMM and DaGAN: judges patches of a picture, and gives its maps for feature matching (Siarohin et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

OFFICIAL_WIDTHS = (64, 128, 256, 512)


class _Block(nn.Module):
    """Convolution of 4 x 4 without padding, instance normalisation (not in the first), leaky ReLU, mean of 2 x 2 (not in the last)."""

    def __init__(self, channels: int, out: int, *, first: bool, last: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 4)
        self.norm = None if first else nn.InstanceNorm2d(out, affine=True)
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.norm is not None:
            x = self.norm(x)
        x = F.leaky_relu(x, 0.2)
        return x if self.last else F.avg_pool2d(x, 2)


def smallest_side(widths: Sequence[int]) -> int:
    """The smallest side of pictures, in pixels, for which a discriminator of these widths has a score."""
    side = 4
    for _ in widths[1:]:
        side = 2 * side + 3
    return side


class PatchDiscriminator(nn.Module):
    """Pictures (B, channels, H, W) to a map of scores, 1 for pictures of the data set and 0 for generated ones."""

    def __init__(self, channels: int, *, widths: Sequence[int] = OFFICIAL_WIDTHS) -> None:
        super().__init__()
        last = len(widths) - 1
        self.blocks = nn.ModuleList(
            _Block(a, b, first=at == 0, last=at == last) for at, (a, b) in enumerate(pairwise([channels, *widths]))
        )
        self.score = nn.Conv2d(widths[-1], 1, 1)

    def forward(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        """The maps after each block, and the scores (B, 1, h, w)."""
        maps: list[Tensor] = []
        for block in self.blocks:
            images = block(images)
            maps.append(images)
        return maps, self.score(images)
