"""The perceptual loss of FOMM (Siarohin et al. 2019), which LIA and DaGAN share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toonbench.networks.hourglass import AntiAlias
from toonbench.networks.vgg19 import VGG19
from toonbench.training.perceptual import perceptual_network

from .config import TuneConfig

REDUCTIONS = (1, 2, 4, 8)  # of the picture's sides


class PyramidPerceptual(nn.Module):
    """L1 between the five features of VGG19, summed over layers and over pictures of full, 1/2, 1/4 and 1/8 size."""

    def __init__(self, network: VGG19) -> None:
        super().__init__()
        self.network = network
        self.reduce = nn.ModuleList(nn.Identity() if by == 1 else AntiAlias(3, reduction=by) for by in REDUCTIONS)

    def forward(self, generated: Tensor, target: Tensor) -> Tensor:
        """The loss of `generated` against `target`, which receives no gradient; both (B, 3, H, W) in [0, 1]."""
        loss = generated.new_zeros(())
        for reduce in self.reduce:
            with torch.no_grad():
                expected = self.network(reduce(target) * 2.0 - 1.0)
            for ours, theirs in zip(self.network(reduce(generated) * 2.0 - 1.0), expected, strict=True):
                loss = loss + (ours - theirs).abs().mean()
        return loss


def perceptual_loss(config: TuneConfig, device: str) -> PyramidPerceptual | None:
    """The perceptual loss of a configuration, or None."""
    network = perceptual_network(config.perceptual)
    return None if network is None else PyramidPerceptual(network).to(device)
