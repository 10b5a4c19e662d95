"""Blocks of the first-order-motion kind that FOMM and DaGAN share: convolution blocks, hourglass, antialiased reduction.

Names of modules and parameters are those of the published checkpoints. Maps are (batch, channels, height, width) float32.
Batch normalisation uses running statistics; `fold_norms` multiplies it into the convolution before it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

REDUCTION = 4  # of the picture's sides, for key points and dense motion
WIDEST_DOUBLED = 512  # input channels; wider blocks have maps of 8 x 8 pixels and fewer


class ConvBlock(nn.Module):
    """Convolution, batch normalisation, ReLU; the size is kept."""

    def __init__(self, channels: int, out: int, *, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, padding=kernel // 2)
        self.norm: nn.Module = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to (B, out, H, W)."""
        return F.relu_(self.norm(self.conv(x)))


class DownBlock(ConvBlock):
    """`ConvBlock`, then the mean of 2 x 2: half the size."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to (B, out, H / 2, W / 2)."""
        return F.avg_pool2d(super().forward(x), 2)


class UpBlock(ConvBlock):
    """Every pixel repeated 2 x 2, then `ConvBlock`: twice the size.

    A 3 x 3 convolution of repeated pixels multiplies each pixel several times. As a transposed convolution with `doubling`, a
    kernel of 4 x 4, it has 4 products instead of 9; `merge` makes it once the normalisation is folded.
    """

    doubling: Tensor | None

    def __init__(self, channels: int, out: int) -> None:
        super().__init__(channels, out)
        self.register_buffer("doubling", None, persistent=False)

    def merge(self) -> None:
        """Make `doubling`, for maps that are not so small that it is slower."""
        weight = self.conv.weight.detach()
        if weight.shape[1] > WIDEST_DOUBLED:
            return
        planes = weight.flip(2, 3).reshape(-1, 1, 3, 3).double()
        kernel = F.conv2d(planes, planes.new_ones(1, 1, 2, 2), padding=1).to(weight.dtype)
        self.doubling = kernel.view(*weight.shape[:2], 4, 4).transpose(0, 1).contiguous()

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to (B, out, 2 H, 2 W)."""
        if self.doubling is not None:
            return F.relu_(F.conv_transpose2d(x, self.doubling, self.conv.bias, stride=2, padding=1))
        return super().forward(F.interpolate(x, scale_factor=2, mode="nearest"))


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with normalisation and ReLU before each, beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(channels)
        self.norm2: nn.Module = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """A map of the same shape."""
        return self.conv2(F.relu_(self.norm2(self.conv1(F.relu_(self.norm1(x)))))).add_(x)


class _Encoder(nn.Module):
    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        inputs = [channels, *widths[1:-1]]
        self.down_blocks = nn.ModuleList(DownBlock(a, b) for a, b in zip(inputs, widths[1:], strict=True))

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = [x]
        for block in self.down_blocks:
            maps.append(block(maps[-1]))
        return maps


class _Decoder(nn.Module):
    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        last = len(widths) - 2
        self.up_blocks = nn.ModuleList(
            UpBlock(widths[at + 1] * (1 if at == last else 2), widths[at]) for at in range(last, -1, -1)
        )

    def forward(self, maps: list[Tensor]) -> Tensor:
        x = maps.pop()
        for block in self.up_blocks:
            x = torch.cat([block(x), maps.pop()], dim=1)
        return x


class Hourglass(nn.Module):
    """An encoder and a decoder with skips: (B, channels, H, W) to (B, widths[0] + channels, H, W), the input last.

    `widths`: of the output, then of the map after each halving.
    """

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.encoder = _Encoder(channels, widths)
        self.decoder = _Decoder(widths)
        self.channels = widths[0] + channels

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return self.decoder(self.encoder(x))


class AntiAlias(nn.Module):
    """A Gaussian filter, then every `reduction`-th sample from the first one on. The filter is stored."""

    weight: Tensor

    def __init__(self, channels: int, *, reduction: int = REDUCTION) -> None:
        super().__init__()
        sigma = (reduction - 1) / 2
        self.pad = round(4 * sigma)
        self.reduction = reduction
        place = torch.arange(2 * self.pad + 1, dtype=torch.float32) - self.pad
        bell = torch.exp(-place.square() / (2 * sigma**2))
        kernel = torch.outer(bell, bell)
        self.register_buffer("weight", (kernel / kernel.sum()).expand(channels, 1, -1, -1).contiguous())

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to (B, channels, H / reduction, W / reduction)."""
        return F.conv2d(x, self.weight, stride=self.reduction, padding=self.pad, groups=x.shape[1])


def fold_norms(network: nn.Module) -> None:
    """Multiply each normalisation that follows a convolution into it, in place; the network computes the same, faster."""
    for part in network.modules():
        if isinstance(part, ConvBlock) and isinstance(part.norm, nn.BatchNorm2d):
            fold(part.conv, part.norm)
            part.norm = nn.Identity()
            if isinstance(part, UpBlock):
                part.merge()
        elif isinstance(part, ResidualBlock) and isinstance(part.norm2, nn.BatchNorm2d):
            fold(part.conv1, part.norm2)
            part.norm2 = nn.Identity()


def fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    """Multiply a normalisation into the convolution before it, in place."""
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        raise ValueError("a normalisation without running statistics cannot be folded")
    with torch.no_grad():
        gain = norm.weight.double() * torch.rsqrt(variance.double() + norm.eps)
        before = 0.0 if conv.bias is None else conv.bias.double()
        shift = norm.bias.double() + gain * (before - mean.double())
        conv.weight.copy_(conv.weight.double() * gain[:, None, None, None])
        conv.bias = nn.Parameter(shift.to(conv.weight.dtype), requires_grad=False)
