"""The terms that MAA (Xu et al. 2022) adds across domains. Pictures are (B, 3, H, W) in [0, 1], key points (B, K, 2) from -1 to 1."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from toonbench.networks.first_order import KeyPoints, coordinate_grid
from toonbench.networks.vgg19 import VGG19

NEIGHBOURS = 2  # of each key point: its edges to them make its angle
_TINY = 1e-12  # keeps the length of an edge, and its gradient, finite


def neighbours(value: Tensor) -> Tensor:
    """(K, 2) numbers of each key point's two nearest others, nearest first, in the mean of the configurations (B, K, 2)."""
    mean = value.detach().mean(0)
    apart = torch.cdist(mean[None], mean[None])[0].fill_diagonal_(torch.inf)
    return apart.argsort(dim=1, stable=True)[:, :NEIGHBOURS]


def angles(value: Tensor, near: Tensor) -> Tensor:
    """(B, K, 2): cosine and sine of the angle at each key point from the edge to its first to that to its second neighbour.

    They do not change where all points are moved, turned or scaled together.
    """
    first, second = (value[:, near[:, one]] - value for one in range(NEIGHBOURS))
    lengths = (first.square().sum(-1) * second.square().sum(-1) + _TINY).sqrt()
    cosine = (first * second).sum(-1) / lengths
    sine = (first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]) / lengths
    return torch.stack([cosine, sine], dim=-1)


def motion_adaptation(generated: Tensor, driving: Tensor, near: Tensor) -> Tensor:
    """L1 between the angles of key points of generated pictures and of driving frames, which receive no gradient."""
    return (angles(generated, near) - angles(driving, near).detach()).abs().mean()


def patches(images: Tensor, points: KeyPoints, *, pixels: int, corners: bool) -> Tensor:
    """(B * K, 3, pixels, pixels): the picture around each key point, in the frame that its affine map comes from.

    A patch has the side of `pixels` pixels where the map is the identity. What is outside of the picture repeats its border.
    """
    batch, count = points.value.shape[:2]
    canonical = coordinate_grid((pixels, pixels), images.device).view(-1, 2) * (pixels / images.shape[-1])
    places = points.value[:, :, None] + canonical @ points.jacobian.transpose(-1, -2)
    copies = images.repeat_interleave(count, dim=0)
    return F.grid_sample(
        copies, places.view(batch * count, pixels, pixels, 2), padding_mode="border", align_corners=corners
    )


def appearance_consistency(
    generated: Tensor,
    at: KeyPoints,
    sources: Tensor,
    source_at: KeyPoints,
    *,
    pixels: int,
    corners: bool,
    network: VGG19 | None,
) -> Tensor:
    """L1 between patches around corresponding key points of generated pictures (`at`) and of their sources (`source_at`).

    It compares features of VGG19, summed over layers, or pixels without a `network`. Only the generated pictures receive a gradient:
    the key points say where to look.
    """
    where, source_where = (KeyPoints(one.value.detach(), one.jacobian.detach()) for one in (at, source_at))
    ours = patches(generated, where, pixels=pixels, corners=corners)
    with torch.no_grad():
        theirs = patches(sources, source_where, pixels=pixels, corners=corners)
        expected = [theirs] if network is None else network(theirs * 2.0 - 1.0)
    found = [ours] if network is None else network(ours * 2.0 - 1.0)
    return torch.stack([(a - b).abs().mean() for a, b in zip(found, expected, strict=True)]).sum()
