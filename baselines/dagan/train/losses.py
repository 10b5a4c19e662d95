"""The terms that DaGAN (Hong et al. 2022) adds to FOMM's."""

from __future__ import annotations

import torch
from torch import Tensor

from ...first_order import Network
from ...fomm.train.step import Made, Terms
from ..model import DaGANNetwork
from .config import DaGANConfig

APART = 0.2  # the distance of two key points that are not too near


def kp_distance(value: Tensor) -> Tensor:
    """2 for each pair of key points (B, K, 2) that is nearer than APART, 0 for others, averaged; a point with itself counts 1.

    As published: it is built from signs, so its gradient is zero everywhere.
    """
    count = value.shape[1]
    distance = torch.cdist(value, value) + APART * torch.eye(count, device=value.device)
    return (1.0 - torch.sign(distance - APART)).mean()


def depth_constraint(network: DaGANNetwork, driving: Tensor, generated: Tensor) -> Tensor:
    """L1 between the depths of pictures in [0, 1]; the gradient reaches the generated ones through the depth network."""
    return (network.disparity(driving) - network.disparity(generated)).abs().mean()


def extra_terms(network: Network, driving: Tensor, made: Made, *, config: DaGANConfig) -> Terms:
    """See `baselines.fomm.train.step.Extra`."""
    with torch.no_grad():
        near = kp_distance(made.source.value) + kp_distance(made.driving.value)
    terms: Terms = {"log_kp_distance": config.kp_distance * near}
    if config.depth_constraint and isinstance(network, DaGANNetwork):
        terms["depth_constraint"] = config.depth_constraint * depth_constraint(network, driving, made.pictures)
    return terms
