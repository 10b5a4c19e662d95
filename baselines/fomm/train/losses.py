"""The terms of the objective of FOMM (Siarohin et al. 2019). Pictures are (B, 3, H, W) in [0, 1]; every loss is a scalar."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from toonbench.networks.first_order import KeyPoints, coordinate_grid, heat_maps, inverse
from toonbench.networks.thin_plate import SmoothWarp


def equivariance_value(points: KeyPoints, warped: KeyPoints, warp: SmoothWarp) -> Tensor:
    """L1 between key points of a picture and those of the warped picture, brought back by the warp."""
    return (points.value - warp(warped.value)).abs().mean()


def equivariance_jacobian(points: KeyPoints, warped: KeyPoints, warp: SmoothWarp) -> Tensor:
    """L1 between the identity and the inverse Jacobian of a picture times that of the warped picture, brought back by the warp."""
    back = warp.jacobian(warped.value) @ warped.jacobian
    product = inverse(points.jacobian) @ back
    return (torch.eye(2, device=product.device) - product).abs().mean()


def with_heat_maps(images: Tensor, points: KeyPoints) -> Tensor:
    """Pictures with a heat map for each key point as further channels: what the discriminator sees. Key points get no gradient."""
    height, width = images.shape[-2:]
    heat = heat_maps(coordinate_grid((height, width), images.device), points.value.detach())
    return torch.cat([images, heat], dim=1)


def generator_loss(scores: Tensor) -> Tensor:
    """Least squares: scores of generated pictures should be 1."""
    return (1.0 - scores).square().mean()


def discriminator_loss(real: Tensor, generated: Tensor) -> Tensor:
    """Least squares: scores of pictures of the data set should be 1, those of generated ones 0."""
    return ((1.0 - real).square() + generated.square()).mean()


def feature_matching(real: Sequence[Tensor], generated: Sequence[Tensor]) -> Tensor:
    """L1 between the discriminator's maps of both pictures, summed over maps."""
    return torch.stack([(a - b).abs().mean() for a, b in zip(real, generated, strict=True)]).sum()
