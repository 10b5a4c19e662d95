"""Random smooth warps of pictures: an affine map and thin-plate splines, as FOMM's equivariance losses use (Siarohin et al. 2019).

Coordinates are pairs (x, y) from -1 (left, top) to 1 (right, bottom), at the centres of the outermost pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from toonbench.networks.first_order import coordinate_grid

AFFINE, SPLINE = 0.05, 0.005  # standard deviations of the affine numbers and of the splines' weights
SIDE = 5  # control points a side
_TINY = 1e-6  # keeps the logarithm finite


@dataclass(frozen=True, slots=True)
class SmoothWarp:
    """A warp for each of B pictures: `affine` (B, 2, 3), `weights` (B, SIDE²) of the control points.

    The splines use the sum of absolute differences as distance, and add the same number to x and y, as the published training does.
    """

    affine: Tensor
    weights: Tensor

    def __call__(self, points: Tensor) -> Tensor:
        """Points (B, N, 2) after the warp."""
        linear, shift = self.affine[:, :, :2], self.affine[:, :, 2]
        distance = (points[:, :, None] - self._controls()).abs().sum(-1)
        bent = (self.weights[:, None] * distance.square() * torch.log(distance + _TINY)).sum(-1)
        return points @ linear.transpose(1, 2) + shift[:, None] + bent[..., None]

    def jacobian(self, points: Tensor) -> Tensor:
        """(B, N, 2, 2) derivatives of the warped points by the points (rows: warped x, y)."""
        apart = points[:, :, None] - self._controls()
        distance = apart.abs().sum(-1)
        slope = 2.0 * distance * torch.log(distance + _TINY) + distance.square() / (distance + _TINY)
        bent = ((self.weights[:, None] * slope)[..., None] * apart.sign()).sum(2)
        return self.affine[:, None, :, :2] + bent[:, :, None]

    def picture(self, images: Tensor, *, corners: bool) -> Tensor:
        """Pictures (B, C, H, W) whose pixel at z is that of `images` at the warped z; the border is reflected."""
        height, width = images.shape[-2:]
        grid = coordinate_grid((height, width), images.device).view(1, -1, 2).expand(len(images), -1, -1)
        places = self(grid).view(-1, height, width, 2)
        return F.grid_sample(images, places, padding_mode="reflection", align_corners=corners)

    def _controls(self) -> Tensor:
        return coordinate_grid((SIDE, SIDE), self.weights.device).view(-1, 2)


def random_warp(batch: int, *, device: str | torch.device = "cpu") -> SmoothWarp:
    """A warp near the identity for each of `batch` pictures, from PyTorch's random numbers on the CPU."""
    affine = torch.eye(2, 3) + AFFINE * torch.randn(batch, 2, 3)
    return SmoothWarp(affine.to(device), (SPLINE * torch.randn(batch, SIDE**2)).to(device))
