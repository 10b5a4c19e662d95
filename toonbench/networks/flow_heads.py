"""The output heads of one resolution that ToonTalker and LIA share: flow with mask, and colours."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toonbench.networks.stylegan2 import SQRT2, ActivatedConv, EqualConv2d, ModulatedConv2d, Smooth, up2


class RGBHead(nn.Module):
    """The colours of one level, added to those of the levels below; not modulated, with an activation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))
        self.upsample = Smooth(gain=4.0)
        self.conv = ActivatedConv(conv=EqualConv2d(channels, 3, kernel=1, gain=SQRT2))

    def forward(self, x: Tensor, previous: Tensor | None) -> Tensor:
        """Colours (B, 3, H, W) of `x`, on top of the `previous` level at half the size."""
        rgb = self.conv(x) + self.bias
        return rgb if previous is None else rgb + up2(previous)


@lru_cache(maxsize=32)
def sampling_grid(size: int, device: torch.device) -> Tensor:
    """(1, 2, size, size), x then y: end points at -1 and 1, although the sampler counts pixel centres (see FlowHead)."""
    axis = torch.linspace(-1.0, 1.0, size, dtype=torch.float64).to(torch.float32)
    rows, columns = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack((columns, rows))[None].to(device)


class FlowHead(nn.Module):
    """Flow and mask of one level, and the source map warped by them.

    A flow of zero is not the identity: the end points of the grid are at the corners, but `grid_sample` runs with
    `align_corners=False`. The result is a magnification by size / (size - 1). The published weights were trained with it.
    """

    def __init__(self, channels: int, *, style: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))
        self.upsample = Smooth(gain=4.0)
        self.conv = ModulatedConv2d(channels, 3, kernel=1, style=style, demodulate=False)

    def forward(self, x: Tensor, z: Tensor, source: Tensor, previous: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return the warped and masked source map, one minus the mask, and the raw (B, 3, H, W) field.

        `source` may hold one map for the whole batch.
        """
        raw = self.conv.single(x, z) if len(x) == 1 else self.conv(x, z)[0]
        field = raw.float() + self.bias
        if previous is not None:
            field = field + up2(previous)
        flow = torch.tanh(field[:, :2]) + sampling_grid(field.shape[-1], field.device)
        mask = torch.sigmoid(field[:, 2:3]).to(x.dtype)
        source = source.expand(len(x), -1, -1, -1)
        warped = F.grid_sample(source, flow.permute(0, 2, 3, 1).to(source.dtype), align_corners=False).mul_(mask)
        return warped, 1.0 - mask, field
