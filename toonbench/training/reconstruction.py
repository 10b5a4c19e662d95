"""Losses between generated pictures and their targets that need no measuring network. Every loss is a scalar mean."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from toonbench.networks.flow_heads import sampling_grid


def pyramid_l1(generated: Tensor, target: Tensor, *, levels: int) -> Tensor:
    """Mean absolute difference, averaged over `levels` scales, each half the one before."""
    loss = (generated - target).abs().mean()
    for _ in range(levels - 1):
        generated, target = F.avg_pool2d(generated, 2), F.avg_pool2d(target, 2)
        loss = loss + (generated - target).abs().mean()
    return loss / levels


def flow_l1(source: Tensor, target: Tensor, fields: Sequence[Tensor]) -> Tensor:
    """The source picture, moved by the flow of each level, against the target; averaged over the levels.

    This connects the flows directly with pictures. Through the decoder alone, training learns blur before motion. `fields` are the
    raw outputs of the flow heads (B, 3, H, W).
    """
    loss = source.new_zeros(())
    for field in fields:
        small_target = F.adaptive_avg_pool2d(target, field.shape[-1])
        loss = loss + (moved_by(source, field) - small_target).abs().mean()
    return loss / len(fields)


def moved_by(source: Tensor, field: Tensor) -> Tensor:
    """The source picture at the size of a flow head's raw output `field` (B, 3, H, W), moved by its flow."""
    size = field.shape[-1]
    flow = torch.tanh(field[:, :2]) + sampling_grid(size, field.device)
    small = F.adaptive_avg_pool2d(source, size)
    return F.grid_sample(small, flow.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)
