"""The discriminator of StyleGAN2 (Karras et al. 2020), without progressive growing."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toonbench.networks.image_encoder import ImageEncoder
from toonbench.networks.stylegan2 import SQRT2, ActivatedConv, EqualConv2d, EqualLinear

STDDEV_GROUP = 4


def minibatch_stddev(x: Tensor) -> Tensor:
    """Append one channel with the standard deviation over the samples of a group, which is low for a collapsed generator."""
    batch, _, height, width = x.shape
    group = min(batch, STDDEV_GROUP)
    while batch % group:
        group -= 1
    spread = x.reshape(group, batch // group, -1).var(0, unbiased=False).add(1e-8).sqrt().mean(1)
    return torch.cat((x, spread.repeat(group).view(batch, 1, 1, 1).expand(-1, 1, height, width)), dim=1)


class Discriminator(nn.Module):
    """Images (B, 3, size, size) in [-1, 1] to logits (B,), positive for images of the data set.

    `channels` holds the channels by resolution, from `size` down to 4.
    """

    def __init__(self, size: int, channels: Mapping[int, int]) -> None:
        super().__init__()
        width = channels[4]
        self.encoder = ImageEncoder(size, channels)
        self.last = ActivatedConv(conv=EqualConv2d(width + 1, width, kernel=3, pad=1, gain=SQRT2))
        self.hidden = EqualLinear(width * 16, width)
        self.logit = EqualLinear(width, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B,)."""
        x = self.last(minibatch_stddev(self.encoder.maps(images)[0])).flatten(1)
        return self.logit(F.leaky_relu(self.hidden(x), 0.2) * SQRT2).squeeze(1)
