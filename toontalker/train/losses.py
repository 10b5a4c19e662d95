"""The terms of the objective (paper Eq. 9 to 12). Images are (B, 3, H, W) in [-1, 1]; every loss is a scalar mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from toonbench.networks.flow_heads import sampling_grid
from toonbench.networks.vgg19 import VGG19, PerceptualLoss
from toonbench.types import ToonbenchError

from .config import Perceptual


def pyramid_l1(generated: Tensor, target: Tensor, *, levels: int) -> Tensor:
    """Mean absolute difference, averaged over `levels` scales, each half the one before."""
    loss = (generated - target).abs().mean()
    for _ in range(levels - 1):
        generated, target = F.avg_pool2d(generated, 2), F.avg_pool2d(target, 2)
        loss = loss + (generated - target).abs().mean()
    return loss / levels


def warp_l1(source: Tensor, target: Tensor, fields: Sequence[Tensor]) -> Tensor:
    """The source image, moved by the flow of each level, against the target; averaged over the levels.

    This connects the flows directly with images. Through the decoder alone, training learns blur before motion. `fields`
    are the raw outputs of the flow heads (B, 3, H, W).
    """
    loss = source.new_zeros(())
    for field in fields:
        size = field.shape[-1]
        flow = torch.tanh(field[:, :2]) + sampling_grid(size, field.device)
        small, small_target = F.adaptive_avg_pool2d(source, size), F.adaptive_avg_pool2d(target, size)
        moved = F.grid_sample(small, flow.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)
        loss = loss + (moved - small_target).abs().mean()
    return loss / len(fields)


def gradient_l1(generated: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of horizontal and vertical image gradients, for edges at the target's places."""
    error = generated - target
    return error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()


def analogy(w_g: Tensor, w_s: Tensor, w_a: Tensor, w_b: Tensor, *, detach_driving: bool = False) -> Tensor:
    """Eq. 9: the synthetic image moves from its source as the driving video moves from a to b, L1 in canonical space.

    All are w_{r->x}, (B, K, width); `w_g` belongs to the generated image, which is encoded again (Eq. 8).
    """
    driven = w_b - w_a
    return ((w_g - w_s) - (driven.detach() if detach_driving else driven)).abs().mean()


def perceptual_loss(kind: Perceptual, *, weights: Path | None = None) -> PerceptualLoss | None:
    """The perceptual loss on VGG19 with `weights`, on the same network with random weights, or None.

    Raises ToonbenchError for "vgg19" without weights.
    """
    if kind == "none":
        return None
    if kind == "vgg19" and weights is None:
        raise ToonbenchError(
            "the perceptual loss has no VGG19 weights: run `toonbench weights fetch vgg19`, or name a file with torchvision's "
            "vgg19().state_dict() in TOONTALKER_VGG19, or train with --config mini, which does not use it"
        )
    return PerceptualLoss(VGG19(weights if kind == "vgg19" else None))
