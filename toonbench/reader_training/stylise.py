"""Photographs made into pictures that look drawn: smoothed, in few tones, with inked edges, as pencil drawings.

Functions take and return (n, 3, h, w) float tensors in [0, 1]. The motion in the pictures stays what it was.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from toonbench.faces_training.restyle import flatten, glow, grey, hatch, ink, light, recolour
from toonbench.landmarks.damage import Damage, Random, blur, tint


def smooth(x: Tensor, strength: float, random: Random) -> Tensor:
    """Even areas with their edges kept: a guided filter (He et al. 2010), whose own picture guides it."""
    reach = int(random.integers(2, 5))
    mean = _box(x, reach)
    spread = _box(x * x, reach) - mean * mean
    slope = spread / (spread + strength**2)
    return _box(slope, reach) * x + _box(mean - slope * mean, reach)


def pencil(x: Tensor, strength: float, random: Random) -> Tensor:
    """A pencil drawing: tones divided by their surroundings, dark where a line is; some keep their colours faintly."""
    tone = x.mean(1, keepdim=True)
    line = (tone / blur(tone, float(random.uniform(1.5, 4.0)), random).clamp(min=0.02)).clamp(0, 1) ** strength
    colour = float(random.uniform(0, 0.6)) if random.random() < 0.5 else 0.0
    return line * (1 + colour * (x - 1))


def _box(x: Tensor, reach: int) -> Tensor:
    padded = functional.pad(x, (reach, reach, reach, reach), mode="replicate")
    return functional.avg_pool2d(padded, 2 * reach + 1, stride=1)


STYLES: tuple[tuple[Damage, float, float, float], ...] = (  # function, how often, weakest, strongest
    (recolour, 0.3, 0.02, 0.3),
    (light, 0.2, 0.1, 0.5),
    (smooth, 0.65, 0.04, 0.25),
    (smooth, 0.3, 0.04, 0.25),
    (flatten, 0.3, 3.0, 9.0),
    (ink, 0.35, 2.0, 30.0),
    (pencil, 0.15, 1.0, 4.0),
    (hatch, 0.05, 0.3, 1.0),
    (glow, 0.1, 0.1, 0.7),
    (tint, 0.4, 0.2, 0.8),
    (grey, 0.1, 0.5, 1.0),
)


def stylise(x: Tensor, random: Random) -> Tensor:
    """Make pictures look drawn, each in a way of its own."""
    done: list[Tensor] = []
    for part in x.split(1):
        for function, often, low, high in STYLES:
            if random.random() < often:
                part = function(part, float(random.uniform(low, high)), random).clamp(0, 1)
        done.append(part)
    return torch.cat(done)
