"""Networks of the first-order motion model (Siarohin et al. 2019) that FOMM and DaGAN share: key points, dense motion, warped decoding.

Pictures are (B, 3, H, W) RGB in [0, 1]. Coordinates are pairs (x, y) from -1 (left, top) to 1 (right, bottom), at the
centres of the outermost pixels. PyTorch samples with that meaning only where `align_corners` is True: the published code
does on PyTorch up to 1.2 (with which FOMM was trained), and does not on later versions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toonbench.networks.hourglass import AntiAlias, ConvBlock, DownBlock, Hourglass, ResidualBlock, UpBlock
from toonbench.types import ToonbenchError

Trace = dict[str, Tensor]  # intermediates by name
TEMPERATURE = 0.1
VARIANCE = 0.01  # of the key points' heat maps, in grid units


@dataclass(frozen=True, slots=True)
class KeyPoints:
    """Key points (B, K, 2) and the Jacobian (B, K, 2, 2) of the motion at each."""

    value: Tensor
    jacobian: Tensor

    def __getitem__(self, batch: slice) -> KeyPoints:
        return KeyPoints(self.value[batch], self.jacobian[batch])

    @staticmethod
    def cat(parts: Sequence[KeyPoints]) -> KeyPoints:
        """Several batches as one."""
        return KeyPoints(torch.cat([one.value for one in parts]), torch.cat([one.jacobian for one in parts]))


@lru_cache(maxsize=16)
def coordinate_grid(size: tuple[int, int], device: torch.device) -> Tensor:
    """(height, width, 2) coordinates (x, y) of the pixels: the outermost are at -1 and 1."""
    with torch.inference_mode(mode=False):  # it is kept, and may be used in training later
        down, right = (torch.arange(side, dtype=torch.float32, device=device) * (2 / (side - 1)) - 1 for side in size)
        rows, columns = torch.meshgrid(down, right, indexing="ij")
        return torch.stack([columns, rows], dim=-1)


def inverse(matrices: Tensor) -> Tensor:
    """Inverses of matrices (..., 2, 2)."""
    (a, b), (c, d) = matrices[..., 0, :].unbind(-1), matrices[..., 1, :].unbind(-1)
    adjugate = torch.stack([d, -b, -c, a], dim=-1).view(matrices.shape)
    return adjugate / (a * d - b * c)[..., None, None]


class KeyPointDetector(nn.Module):
    """Key points of pictures with `channels` channels, by the mean of each heat map."""

    def __init__(self, channels: int, widths: Sequence[int], *, points: int) -> None:
        super().__init__()
        self.predictor = Hourglass(channels, widths)
        self.kp = nn.Conv2d(self.predictor.channels, points, 7)
        self.jacobian = nn.Conv2d(self.predictor.channels, 4 * points, 7)
        self.down = AntiAlias(channels)

    def forward(self, image: Tensor, *, trace: Trace | None = None) -> KeyPoints:
        """Key points of (B, channels, H, W)."""
        small = self.down(image)
        features = self.predictor(small)
        logits = self.kp(features)
        batch, points, height, width = logits.shape
        heat = torch.softmax(logits.reshape(batch, points, -1) / TEMPERATURE, dim=-1)
        value = heat @ coordinate_grid((height, width), heat.device).view(-1, 2)
        maps = self.jacobian(features).reshape(batch, points, 4, -1)
        jacobian = (maps @ heat[..., None]).view(batch, points, 2, 2)
        if trace is not None:
            trace.update(input_down=small, logits=logits, heatmap=heat.view(logits.shape))
        return KeyPoints(value, jacobian)


def hull_area(points: Tensor) -> float:
    """The area of the convex hull of points (K, 2), in double precision."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        return float(ConvexHull(points.double().cpu().numpy().astype(np.float64)).volume)  # in 2-D, the area
    except (QhullError, ValueError) as error:
        raise ToonbenchError(
            "the key points lie on one line or are not numbers, so that no scale of motion exists"
        ) from error


def movement_scale(source: KeyPoints, start: KeyPoints) -> float:
    """How much larger motion is in the source than in the driving video: by the hulls of the key points of the first of each batch."""
    return float(np.sqrt(hull_area(source.value[0])) / np.sqrt(hull_area(start.value[0])))


def relative_points(
    driving: KeyPoints, *, source: KeyPoints, start: KeyPoints, scale: float = 1.0, jacobians: bool = True
) -> KeyPoints:
    """Key points of the source, moved as the driving video moved since `start`; without `jacobians`, those of the driving video stay."""
    value = (driving.value - start.value) * scale + source.value
    if not jacobians:
        return KeyPoints(value, driving.jacobian)
    return KeyPoints(value, driving.jacobian @ inverse(start.jacobian) @ source.jacobian)


class DenseMotion(nn.Module):
    """From key points of source and driving frame to where each pixel comes from, and which pixels are visible."""

    def __init__(self, widths: Sequence[int], *, points: int, corners: bool) -> None:
        super().__init__()
        self.hourglass = Hourglass(4 * (points + 1), widths)
        self.mask = nn.Conv2d(self.hourglass.channels, points + 1, 7, padding=3)
        self.occlusion = nn.Conv2d(self.hourglass.channels, 1, 7, padding=3)
        self.down = AntiAlias(3)
        self.corners = corners

    def forward(
        self, small: Tensor, *, source: KeyPoints, driving: KeyPoints, trace: Trace | None = None
    ) -> tuple[Tensor, Tensor]:
        """Places (B, h, w, 2) and visibility (B, 1, h, w) in [0, 1], for the reduced source `small`; it and `source` may be one for all."""
        batch, (height, width) = len(driving.value), small.shape[-2:]
        grid = coordinate_grid((height, width), small.device)
        motions = _sparse_motions(grid, source=source, driving=driving)
        count = motions.shape[1]
        heat = heat_maps(grid, driving.value) - heat_maps(grid, source.value)
        heat = torch.cat([heat.new_zeros(batch, 1, height, width), heat], dim=1)
        copies = small[:, None].expand(batch, count, -1, -1, -1).reshape(batch * count, -1, height, width)
        moved = F.grid_sample(copies, motions.view(-1, height, width, 2), align_corners=self.corners)
        moved = moved.view(batch, count, -1, height, width)
        given = torch.cat([heat[:, :, None], moved], dim=2).view(batch, -1, height, width)
        features = self.hourglass(given.contiguous(memory_format=torch.channels_last))
        # Both heads in one convolution: with a single output channel it would use a fraction of the processor.
        weight, bias = (
            torch.cat([a, b]) for a, b in zip(self.mask.parameters(), self.occlusion.parameters(), strict=True)
        )
        logits = F.conv2d(features, weight, bias, padding=3)
        mask = torch.softmax(logits[:, :count], dim=1)
        places = (mask[..., None] * motions).sum(1)
        visible = torch.sigmoid(logits[:, count:])
        if trace is not None:
            trace.update(heatmaps=heat[:, :, None], sparse_motion=motions, sparse_deformed=moved, mask=mask)
            trace.update(deformation=places, occlusion_map=visible)
        return places, visible


def heat_maps(grid: Tensor, value: Tensor) -> Tensor:
    """(B, K, h, w): exp(-distance² / (2 variance)) to each key point."""
    apart = grid - value[:, :, None, None]
    return torch.exp(apart.square().sum(-1) * (-0.5 / VARIANCE))


def _sparse_motions(grid: Tensor, *, source: KeyPoints, driving: KeyPoints) -> Tensor:
    """(B, K + 1, h, w, 2): the identity, and the affine motion around each key point."""
    batch, points = driving.value.shape[:2]
    affine = source.jacobian @ inverse(driving.jacobian)
    apart = grid.view(1, 1, -1, 2) - driving.value[:, :, None]
    moved = (apart @ affine.transpose(-1, -2) + source.value[:, :, None]).view(batch, points, *grid.shape)
    return torch.cat([grid.expand(batch, 1, *grid.shape), moved], dim=1)


class WarpingGenerator(nn.Module):
    """Encodes a source, moves its features, and decodes them. Sizes: (B, 3, H, W) and features (B, widths[-1], H / 4, W / 4)."""

    def __init__(
        self, widths: Sequence[int], *, motion: Sequence[int], points: int, residuals: int, corners: bool
    ) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        self.dense_motion_network = DenseMotion(motion, points=points, corners=corners)
        self.first = ConvBlock(3, widths[0], kernel=7)
        self.down_blocks = nn.ModuleList(DownBlock(a, b) for a, b in pairs)
        self.bottleneck = nn.Sequential()
        for index in range(residuals):
            self.bottleneck.add_module(f"r{index}", ResidualBlock(widths[-1]))
        self.up_blocks = nn.ModuleList(UpBlock(b, a) for a, b in reversed(pairs))
        self.final = nn.Conv2d(widths[0], 3, 7, padding=3)
        self.corners = corners

    def encode(self, image: Tensor) -> Tensor:
        """Features of a source."""
        x = self.first(image.contiguous(memory_format=torch.channels_last))
        for block in self.down_blocks:
            x = block(x)
        return x

    def warp(self, features: Tensor, places: Tensor, *, visible: Tensor, trace: Trace | None = None) -> Tensor:
        """Features (B or 1, C, h, w) moved to where `places` (B, h, w, 2) shows, weighted by what is visible (B, 1, h, w)."""
        moved = F.grid_sample(features.expand(len(places), -1, -1, -1), places, align_corners=self.corners)
        if trace is not None:
            trace["warped_feature"] = moved
        return (moved * visible).contiguous(memory_format=torch.channels_last)

    def decode(self, features: Tensor) -> Tensor:
        """(B, 3, H, W) in (0, 1) of moved features."""
        x = self.bottleneck(features)
        for block in self.up_blocks:
            x = block(x)
        return torch.sigmoid(self.final(x))
