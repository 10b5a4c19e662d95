"""What generated pictures do to faces, done to puppets: blur, warps, ghosts, holes, compression, and no face at all.

Damages take and return (n, 3, h, w) float tensors in [0, 1] and a strength in their own unit, for pictures of 128
pixels. The landmark network learns from them and its noise floor is measured under them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

Random = np.random.Generator
Damage = Callable[[Tensor, float, Random], Tensor]

_QUANTISE = (  # the luminance table of ITU-T T.81, Annex K
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip


def _separable(x: Tensor, kernel: Tensor) -> Tensor:
    reach, width = len(kernel) // 2, x.shape[1]
    x = functional.pad(x, (reach, reach, reach, reach), mode="replicate")
    x = functional.conv2d(x, kernel.view(1, 1, 1, -1).repeat(width, 1, 1, 1), groups=width)
    return functional.conv2d(x, kernel.view(1, 1, -1, 1).repeat(width, 1, 1, 1), groups=width)


def blur(x: Tensor, strength: float, random: Random) -> Tensor:  # noqa: ARG001
    """Gaussian blur; `strength` is sigma in pixels."""
    if strength <= 0:
        return x
    reach = int(np.ceil(2.5 * strength))
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / strength) ** 2)
    return _separable(x, kernel / kernel.sum())


def smear(x: Tensor, strength: float, random: Random) -> Tensor:
    """Motion blur along a random direction; `strength` is its length in pixels."""
    angle, taps = random.uniform(0, np.pi), max(2, round(strength))
    moved = [
        torch.roll(x, (round(np.sin(angle) * s), round(np.cos(angle) * s)), (2, 3))
        for s in np.linspace(-strength / 2, strength / 2, taps)
    ]
    return torch.stack(moved).mean(0)


def soften(x: Tensor, strength: float, random: Random) -> Tensor:
    """Scale down by `strength` and up again, smoothly or (one in five) in visible blocks."""
    small = max(4, round(x.shape[-1] / strength))
    low = functional.interpolate(x, size=(small, small), mode="bilinear", antialias=True, align_corners=False)
    if random.random() < 0.2:
        return functional.interpolate(low, size=x.shape[-2:], mode="nearest")
    return functional.interpolate(low, size=x.shape[-2:], mode="bilinear", align_corners=False)


def noise(x: Tensor, strength: float, random: Random) -> Tensor:
    """Normal noise of sigma `strength` (of 1), half of the time in grains of two pixels."""
    height, width = x.shape[-2:]
    coarse = random.random() < 0.5
    size = (len(x), 3, height // 2, width // 2) if coarse else x.shape
    grain = torch.from_numpy(random.standard_normal(size, dtype=np.float32))
    if coarse:
        grain = functional.interpolate(grain, size=(height, width), mode="bilinear", align_corners=False) * 1.4
    return x + strength * grain


def compress(x: Tensor, strength: float, random: Random) -> Tensor:  # noqa: ARG001
    """Quantise 8 x 8 blocks as JPEG does; `strength` multiplies the standard table of quality 50. Sides in eights."""
    k = torch.arange(8)
    basis = torch.cos((2 * k[None] + 1) * k[:, None] * np.pi / 16) * torch.where(k == 0, 8**-0.5, 0.5)[:, None]
    table = torch.tensor(_QUANTISE, dtype=torch.float32) * strength / 255
    blocks = x.unflatten(3, (-1, 8)).unflatten(2, (-1, 8)).transpose(3, 4)  # (n, 3, rows, columns, 8, 8)
    waves = basis @ blocks @ basis.T
    blocks = basis.T @ (torch.round(waves / table) * table) @ basis
    return blocks.transpose(3, 4).flatten(4, 5).flatten(2, 3)


def tint(x: Tensor, strength: float, random: Random) -> Tensor:
    """Change exposure, contrast, saturation and colour balance; `strength` about 0 to 1."""
    drawn = torch.from_numpy(random.uniform(-1, 1, (6, len(x), 1, 1, 1)).astype(np.float32)) * strength
    balance = torch.from_numpy(random.uniform(-1, 1, (len(x), 3, 1, 1)).astype(np.float32)) * strength
    x = x.clamp(1e-4, 1) ** torch.exp(0.45 * drawn[0])
    x = (x - 0.5) * torch.exp(0.4 * drawn[1]) + 0.5 + 0.12 * drawn[2]
    grey = x.mean(1, keepdim=True)
    return (grey + (x - grey) * torch.exp(0.8 * drawn[3] - 0.2 * drawn[4].abs())) * (1 + 0.15 * balance)


def ghost(x: Tensor, strength: float, random: Random) -> Tensor:
    """Mix in `strength` of another picture: the next of the batch, or itself shifted by some pixels."""
    if len(x) > 1 and random.random() < 0.5:
        return x + strength * (x.roll(1, 0) - x)
    down, right = (int(v) for v in random.integers(-9, 10, 2))
    return x + strength * (x.roll((down, right), (2, 3)) - x)


def wreck(x: Tensor, strength: float, random: Random) -> Tensor:
    """Spoil about `strength` of the area in up to five rectangles: flat, noisy, smeared or from elsewhere."""
    x, side = x.clone(), x.shape[-1]
    for one in x:
        for _ in range(count := int(random.integers(1, 6))):
            area = strength * side**2 / count * random.uniform(0.5, 1.5)
            height = int(np.clip(np.sqrt(area * random.uniform(0.4, 2.5)), 2, side - 1))
            width = int(np.clip(area / height, 2, side - 1))
            y, z = int(random.integers(0, side - height)), int(random.integers(0, side - width))
            hole = one[:, y : y + height, z : z + width]
            hole.copy_(_filling(one, hole.shape, random))
    return x


def _filling(picture: Tensor, shape: torch.Size, random: Random) -> Tensor:
    kind, side = int(random.integers(4)), picture.shape[-1]
    if kind == 0:
        return torch.from_numpy(random.random((3, 1, 1), dtype=np.float32)).expand(shape)
    if kind == 1:
        return torch.from_numpy(random.random(tuple(shape), dtype=np.float32))
    y, x = int(random.integers(0, side - shape[1])), int(random.integers(0, side - shape[2]))
    part = picture[:, y : y + shape[1], x : x + shape[2]].clone()
    return part.mean((1, 2), keepdim=True).expand(shape) if kind == 2 else part


def bend_field(n: int, strength: float, random: Random, *, cells: int = 5, side: int = 128) -> Tensor:
    """Smooth random displacements, (n, side, side, 2) pixels, of about `strength` at most."""
    coarse = torch.from_numpy(random.uniform(-strength, strength, (n, 2, cells, cells)).astype(np.float32))
    fine = functional.interpolate(coarse, size=(side, side), mode="bicubic", align_corners=True)
    return fine.permute(0, 2, 3, 1)


def sample_at(x: Tensor, places: Tensor) -> Tensor:
    """Read pictures (n, c, h, w) at places (n, h', w', 2) in pixels; the edge is repeated."""
    size = torch.tensor([x.shape[3], x.shape[2]], dtype=torch.float32)
    return functional.grid_sample(x, places * 2 / size - 1, padding_mode="border", align_corners=False)


def pixel_centres(side: int) -> Tensor:
    """(side, side, 2) the x and y of every pixel's centre."""
    at = torch.arange(side) + 0.5
    return torch.stack(torch.meshgrid(at, at, indexing="xy"), dim=-1)


def bend(x: Tensor, strength: float, random: Random) -> Tensor:
    """Warp elastically by up to about `strength` pixels."""
    field = bend_field(len(x), strength, random, side=x.shape[-1])
    return sample_at(x, pixel_centres(x.shape[-1]) + field)


def shuffle(x: Tensor, strength: float, random: Random) -> Tensor:
    """Cut into squares of `strength` pixels (a divisor of the side) and put them back in another order."""
    side, cell = x.shape[-1], int(strength)
    n = side // cell
    blocks = x.unflatten(3, (n, cell)).unflatten(2, (n, cell)).transpose(3, 4).flatten(2, 3)
    blocks = blocks[:, :, torch.from_numpy(random.permutation(n * n))]
    return blocks.unflatten(2, (n, n)).transpose(3, 4).flatten(4, 5).flatten(2, 3)


TRAINING: tuple[tuple[Damage, float, float, float], ...] = (  # damage, how often, weakest, strongest
    (tint, 0.7, 0.2, 1.0),
    (ghost, 0.12, 0.05, 0.4),
    (wreck, 0.22, 0.03, 0.3),
    (blur, 0.35, 0.3, 2.6),
    (smear, 0.15, 2.0, 10.0),
    (soften, 0.4, 1.2, 4.0),
    (noise, 0.35, 0.01, 0.13),
    (compress, 0.3, 0.4, 4.0),
)


def damage(x: Tensor, random: Random, *, group: int = 4) -> Tensor:
    """Damage pictures as in training: a fifth stay as they are; `group` neighbours share what happens to them."""
    done: list[Tensor] = []
    for part in x.split(group):
        spare = random.random() < 0.2
        for function, often, low, high in TRAINING:
            if random.random() < often and not spare:
                part = function(part, float(random.uniform(low, high)), random)
        done.append(part)
    return torch.cat(done).clamp(0, 1)


def no_face(x: Tensor, landmarks: Tensor, random: Random) -> Tensor:
    """Pictures without a face, made of faces (n, 3, 128, 128): flat, noise, shuffled, shredded, covered, background."""
    return torch.stack([
        _NOTHING[int(random.integers(len(_NOTHING)))](one[None], points, random)[0] for one, points in zip(x, landmarks, strict=True)
    ]).clamp(0, 1)  # fmt: skip


def _flat(x: Tensor, points: Tensor, random: Random) -> Tensor:  # noqa: ARG001
    ends = torch.from_numpy(random.random((1, 3, 2, 2), dtype=np.float32))
    return functional.interpolate(ends, size=x.shape[-2:], mode="bilinear", align_corners=False)


def _clouds(x: Tensor, points: Tensor, random: Random) -> Tensor:  # noqa: ARG001
    total: Any = 0.5
    for cells in (3, 8, 24, 64, 128):
        layer = torch.from_numpy(random.normal(0, 0.25, (1, 3, cells, cells)).astype(np.float32)) * float(
            random.random()
        )
        total = total + functional.interpolate(layer, size=x.shape[-2:], mode="bicubic", align_corners=False)
    return total


def _shuffled(x: Tensor, points: Tensor, random: Random) -> Tensor:  # noqa: ARG001
    return shuffle(x, float(random.choice([8, 16, 32])), random)


def _shredded(x: Tensor, points: Tensor, random: Random) -> Tensor:  # noqa: ARG001
    if random.random() < 0.5:
        return bend(x, 60.0, random)
    return noise(soften(x, 28.0, random), float(random.uniform(0, 0.1)), random)


def _covered(x: Tensor, points: Tensor, random: Random) -> Tensor:
    """The face's box filled with something else; hair and shoulders stay."""
    x = x.clone()
    low, high = points.amin(0) - random.uniform(2, 12), points.amax(0) + random.uniform(2, 12)
    left, top, right, bottom = (int(v) for v in torch.cat([low, high]).clamp(0, x.shape[-1]))
    hole = x[0, :, top:bottom, left:right]
    edge = x[0, :, :12].mean((1, 2), keepdim=True)
    fill = torch.from_numpy(random.random((3, 1, 1), dtype=np.float32)) if random.random() < 0.5 else edge
    hole.copy_(fill + 0.15 * random.random() * torch.from_numpy(random.standard_normal(hole.shape, dtype=np.float32)))
    return blur(x, float(random.uniform(0, 2)), random)


def _background(x: Tensor, points: Tensor, random: Random) -> Tensor:  # noqa: ARG001
    """A top corner of the picture, away from the face's box, at full size."""
    room = (points[:, 0].amin(), x.shape[-1] - points[:, 0].amax())
    side = int(np.clip(float(max(room)), 12, 48))
    corner = x[:, :, :side, :side] if room[0] >= room[1] else x[:, :, :side, -side:]
    return functional.interpolate(corner, size=x.shape[-2:], mode="bicubic", align_corners=False)


_NOTHING = (_flat, _clouds, _shuffled, _shredded, _covered, _covered, _background)
