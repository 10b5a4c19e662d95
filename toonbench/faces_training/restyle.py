"""Other hands and other media: what makes one drawing look like another, applied to whole scenes.

Functions take and return (n, 3, h, w) float tensors in [0, 1].
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from toonbench.landmarks.damage import Damage, Random, bend, blur, compress, noise, smear, soften, tint


def recolour(x: Tensor, strength: float, random: Random) -> Tensor:
    """Turn hue by up to `strength` turns around the grey axis, the same for a picture."""
    angle = torch.from_numpy(random.uniform(-1, 1, len(x)).astype(np.float32)) * strength * 2 * np.pi
    cos, sin = torch.cos(angle), torch.sin(angle)
    axis = torch.full((3, 3), 1 / 3)
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / 3**0.5
    turn = cos[:, None, None] * torch.eye(3) + (1 - cos)[:, None, None] * axis + sin[:, None, None] * cross
    return torch.einsum("nij,njhw->nihw", turn, x).clamp(0, 1)


def grey(x: Tensor, strength: float, random: Random) -> Tensor:  # noqa: ARG001
    """Mix in `strength` of the picture without colour."""
    return x + strength * (x.mean(1, keepdim=True) - x)


def flatten(x: Tensor, strength: float, random: Random) -> Tensor:
    """Few tones: `strength` levels for each channel, after a slight blur."""
    x = blur(x, 0.8, random)
    return torch.round(x * strength) / strength


def ink(x: Tensor, strength: float, random: Random) -> Tensor:
    """Lines by a sharpened difference of Gaussians (Winnemoeller 2012): over the colours, or alone on paper."""
    light = x.mean(1, keepdim=True)
    sigma = float(random.uniform(0.6, 1.2))
    fine, coarse = blur(light, sigma, random), blur(light, 1.6 * sigma, random)
    edge = 1 + torch.tanh(strength * (fine - 0.98 * coarse - 0.005).clamp(max=0) * 4)
    if random.random() < 0.5:
        return x * edge
    paper = torch.from_numpy(random.uniform(0.7, 1, (len(x), 3, 1, 1)).astype(np.float32))
    return paper * edge * (1 - float(random.uniform(0, 0.5)) * (1 - light))


def light(x: Tensor, strength: float, random: Random) -> Tensor:
    """A smooth field of coloured light and shade over the picture."""
    field = torch.from_numpy(random.normal(0, strength, (len(x), 3, 3, 3)).astype(np.float32))
    field = 0.3 * field + 0.7 * field.mean(1, keepdim=True)
    return x * torch.exp(functional.interpolate(field, size=x.shape[-2:], mode="bicubic", align_corners=False))


def glow(x: Tensor, strength: float, random: Random) -> Tensor:
    """Bright parts shine over their surroundings, as soft filters of animation do."""
    return 1 - (1 - x) * (1 - strength * blur(x**2, float(random.uniform(2, 6)), random))


def hatch(x: Tensor, strength: float, random: Random) -> Tensor:
    """Dark parts are hatched with lines of a random direction."""
    height, width = x.shape[-2:]
    y, z = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    angle, step = float(random.uniform(0, np.pi)), float(random.uniform(3, 8))
    wave = torch.sin((y * np.sin(angle) + z * np.cos(angle)) * (2 * np.pi / step))
    dark = (0.55 - x.mean(1, keepdim=True)).clamp(0, 0.3) / 0.3
    return x * (1 - strength * dark * (wave > 0.3))


STYLES: tuple[tuple[Damage, float, float, float], ...] = (  # function, how often, weakest, strongest
    (bend, 0.3, 0.5, 3.0),
    (recolour, 0.3, 0.02, 0.5),
    (light, 0.45, 0.1, 0.7),
    (flatten, 0.12, 3.0, 9.0),
    (ink, 0.15, 2.0, 30.0),
    (hatch, 0.06, 0.3, 1.0),
    (glow, 0.15, 0.1, 0.7),
    (tint, 0.5, 0.2, 1.0),
    (grey, 0.12, 0.5, 1.0),
    (blur, 0.25, 0.3, 2.0),
    (smear, 0.08, 2.0, 8.0),
    (soften, 0.2, 1.2, 2.6),
    (noise, 0.15, 0.01, 0.08),
    (compress, 0.4, 0.3, 3.0),
)


def restyle(x: Tensor, random: Random, *, group: int = 4) -> Tensor:
    """Restyle scenes as in training: an eighth stay as they are; `group` neighbours share what happens to them."""
    done: list[Tensor] = []
    for part in x.split(group):
        spare = random.random() < 0.125
        for function, often, low, high in STYLES:
            if random.random() < often and not spare:
                part = function(part, float(random.uniform(low, high)), random).clamp(0, 1)
        done.append(part)
    return torch.cat(done)
