"""The exponential moving average of a network's weights, which is evaluated and exported instead of the last weights."""

from __future__ import annotations

from itertools import chain

import torch
from torch import nn


def ema_decay(largest: float, step: int) -> float:
    """The decay at `step`: it grows from 0.1 to `largest`, because early weights would count for too long."""
    return min(largest, (1.0 + step) / (10.0 + step))


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, *, decay: float) -> None:
    """Move the parameters and buffers of `average` towards those of `network`; counters are copied."""
    pairs = chain(
        zip(average.parameters(), network.parameters(), strict=True),
        zip(average.buffers(), network.buffers(), strict=True),
    )
    for slow, fast in pairs:
        if slow.is_floating_point():
            slow.lerp_(fast, 1.0 - decay)
        else:
            slow.copy_(fast)
