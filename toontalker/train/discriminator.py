"""The discriminator of one domain: StyleGAN2's, as the paper names none."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import NetworkConfig
from ..encoders import ImageEncoder
from ..layers import SQRT2, ActivatedConv, BiasedLeaky, EqualConv2d, EqualLinear

STDDEV_GROUP = 4


def minibatch_stddev(x: Tensor) -> Tensor:
    """Append one channel that tells how much the samples of a group differ: a collapsed generator shows."""
    batch, _, height, width = x.shape
    group = min(batch, STDDEV_GROUP)
    while batch % group:
        group -= 1
    spread = x.reshape(group, batch // group, -1).var(0, unbiased=False).add(1e-8).sqrt().mean(1)
    return torch.cat((x, spread.repeat(group).view(batch, 1, 1, 1).expand(-1, 1, height, width)), dim=1)


class Discriminator(nn.Module):
    """Images (B, 3, size, size) in [-1, 1] to logits (B,), positive for real ones."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        channels = config.table[4]
        self.encoder = ImageEncoder(config.size, config.table)
        self.last = ActivatedConv(EqualConv2d(channels + 1, channels, kernel=3, pad=1), BiasedLeaky(channels))
        self.hidden = EqualLinear(channels * 16, channels)
        self.logit = EqualLinear(channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B,)."""
        x = self.last(minibatch_stddev(self.encoder.maps(images)[0])).flatten(1)
        return self.logit(F.leaky_relu(self.hidden(x), 0.2) * SQRT2).squeeze(1)
