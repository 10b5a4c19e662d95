"""Things before a face: hands, microphones and bars, drawn as capsules over training pictures."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toonbench.landmarks.damage import Random, pixel_centres
from toonbench.networks.landmarks import SIZE

Capsule = tuple[float, float, float, float, float]  # both ends and the radius, pixels


def cover(picture: Tensor, landmarks: Tensor, random: Random) -> Tensor:
    """Draw one thing over a picture (3, 128, 128) in place, most often before the mouth; returns (128, 128), true where it is."""
    low, high = landmarks[:68].amin(0), landmarks[:68].amax(0)
    long = float((high - low).amax())
    target = (
        landmarks[48:68].mean(0)
        if random.random() < 0.65
        else low + (high - low) * torch.rand(2, generator=_torch(random))
    )
    x, y = (float(v) for v in target + torch.from_numpy(random.normal(0, 0.08 * long, 2)))
    kind = (_hand, _hand, _microphone, _microphone, _bar)[int(random.integers(5))]
    capsules = kind(x, y, long, random)
    grid = pixel_centres(SIZE)
    distance = torch.stack([_distance(grid, one) for one in capsules]).amin(0)
    alpha = (0.5 - distance).clamp(0, 1)
    picture.copy_(picture + alpha * (_paint(kind is _hand, distance, random) - picture))
    return alpha > 0.5


def _torch(random: Random) -> torch.Generator:
    return torch.Generator().manual_seed(int(random.integers(1 << 62)))


def _distance(grid: Tensor, capsule: Capsule) -> Tensor:
    """(128, 128) pixels to a capsule, negative in it."""
    start, end = torch.tensor(capsule[:2]), torch.tensor(capsule[2:4])
    along = end - start
    share = ((grid - start) @ along / along.square().sum().clamp(min=1e-6)).clamp(0, 1)
    return (grid - start - share[..., None] * along).norm(dim=2) - capsule[4]


def _paint(skin: bool, distance: Tensor, random: Random) -> Tensor:
    colour = random.random(3) * random.random()
    if skin:
        colour = (np.array([0.95, 0.75, 0.62]) ** random.uniform(0.6, 3.0)) * random.uniform(0.7, 1.0)
    shade = 1 - 0.5 * random.random() * torch.exp(distance / 6)[None].clamp(max=1)
    grain = torch.from_numpy(random.standard_normal((1, SIZE, SIZE), dtype=np.float32)) * 0.06 * float(random.random())
    return (torch.from_numpy(colour).float().view(3, 1, 1) * shade + grain).clamp(0, 1)


def _hand(x: float, y: float, long: float, random: Random) -> list[Capsule]:
    """A palm and its fingers, which point to (x, y) from below or from a side."""
    angle, wide = float(random.uniform(-1.3, 1.3)), long * float(random.uniform(0.035, 0.06))
    up = np.array([np.sin(angle), -np.cos(angle)])
    side = np.array([-up[1], up[0]])
    palm = np.array([x, y]) - up * long * float(random.uniform(0.1, 0.45))
    capsules = [
        _capsule(palm - up * 0.1 * long, palm - up * long, wide * 3.2),
        _capsule(palm - side * wide * 1.5, palm + side * wide * 1.5, wide * 2),
    ]
    for finger in (-1.5, -0.5, 0.5, 1.5):
        root = palm + side * finger * wide * 2
        tip = root + up * long * float(random.uniform(0.12, 0.4)) + side * finger * float(random.uniform(-1, 2))
        capsules.append(_capsule(root, tip, wide))
    return capsules


def _capsule(start: NDArray[np.float64], end: NDArray[np.float64], radius: float) -> Capsule:
    return float(start[0]), float(start[1]), float(end[0]), float(end[1]), radius


def _microphone(x: float, y: float, long: float, random: Random) -> list[Capsule]:
    radius, angle = long * float(random.uniform(0.07, 0.17)), float(random.uniform(-1.0, 1.0))
    far = (x + 2 * long * np.sin(angle), y + 2 * long * np.cos(angle))
    return [(x, y, x + 0.1, y, radius), (x, y, float(far[0]), float(far[1]), radius * float(random.uniform(0.35, 0.8)))]


def _bar(x: float, y: float, long: float, random: Random) -> list[Capsule]:
    """A stick, a strand or the edge of something, across the picture."""
    angle, radius = float(random.uniform(0, np.pi)), long * float(random.uniform(0.02, 0.12))
    dx, dy = 2 * SIZE * float(np.cos(angle)), 2 * SIZE * float(np.sin(angle))
    return [(x - dx, y - dy, x + dx, y + dy, radius)]
