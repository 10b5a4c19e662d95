"""One training batch of the landmark network: drawn, mirrored, moved, warped, damaged; a function of seed and step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from toonbench.landmarks.damage import Random, bend_field, damage, no_face, pixel_centres, sample_at
from toonbench.landmarks.data import Pictures
from toonbench.networks.landmarks import SIZE, limits, mirror_landmarks
from toonbench.puppets.rig import INDEX
from toonbench.training.sampling import step_rng
from toonbench.types import CHANNELS

NO_FACE = 0.1  # share of a batch
HIDDEN = 0.15  # weight of a landmark that cannot be seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The input of the network and its targets. A weight is 0 where the target is unknown."""

    pictures: Tensor  # (n, 3, 128, 128) in [-1, 1]
    landmarks: Tensor  # (n, 70, 2) pixels
    landmark_weight: Tensor  # (n, 70)
    rig: Tensor  # (n, channels), 0 to 1 between a channel's limits
    rig_weight: Tensor  # (n, channels)
    face: Tensor  # (n,) 1 or 0


def make_batch(data: Pictures, *, size: int, seed: int, step: int) -> Batch:
    """Batch number `step`, (size, ...): the same bytes whenever it is made."""
    random = step_rng(seed, step)
    chosen = np.sort(random.choice(len(data.frames), size, replace=False))
    x = torch.from_numpy(data.frames[chosen]).permute(0, 3, 1, 2).float() / 255
    order = torch.from_numpy(random.permutation(size))  # neighbours share damages, and must not share a style
    points, visible = torch.from_numpy(data.landmarks[chosen]), torch.from_numpy(data.visible[chosen])
    low, high = limits().T
    rig = (torch.from_numpy(data.rig[chosen]) - low) / (high - low)
    x, points, visible, rig = (value[order] for value in (x, points, visible, rig))
    x, points, visible, rig = _mirror(x, points, visible, rig, turned=torch.from_numpy(random.random(size) < 0.5))
    x, points, rig, rig_weight = _move(x, points, rig, random)
    face = torch.ones(size)
    x = damage(x, random)
    lost = max(1, round(NO_FACE * size))
    x[:lost] = no_face(x[:lost], points[:lost], random)
    face[:lost] = 0
    inside = ((points > 0) & (points < SIZE)).all(2)
    return Batch(
        pictures=(x * 2 - 1).contiguous(memory_format=torch.channels_last),
        landmarks=points,
        landmark_weight=torch.where(visible, 1.0, HIDDEN) * inside * face[:, None],
        rig=rig,
        rig_weight=rig_weight * face[:, None],
        face=face,
    )


def _mirror(
    x: Tensor, points: Tensor, visible: Tensor, rig: Tensor, *, turned: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Mirror the pictures marked in `turned`, left to right, with their landmarks and rig."""
    order, swapped, flipped = (
        mirror_landmarks(),
        list(range(len(CHANNELS))),
        torch.zeros(len(CHANNELS), dtype=torch.bool),
    )
    for left, right in (("blink_left", "blink_right"), ("brow_up_left", "brow_up_right")):
        swapped[INDEX[left]], swapped[INDEX[right]] = INDEX[right], INDEX[left]
    for name in ("yaw", "roll", "tx", "gaze_x"):
        flipped[INDEX[name]] = True
    other = points[:, order].clone()
    other[..., 0] = SIZE - other[..., 0]
    turned_rig = torch.where(flipped, 1 - rig[:, swapped], rig[:, swapped])
    return (
        torch.where(turned[:, None, None, None], x.flip(3), x),
        torch.where(turned[:, None, None], other, points),
        torch.where(turned[:, None], visible[:, order], visible),
        torch.where(turned[:, None], turned_rig, rig),
    )


def _move(x: Tensor, points: Tensor, rig: Tensor, random: Random) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Turn, zoom, shift and bend half of the pictures; the roll follows, position and size of the head become unknown (weight 0)."""
    weight = torch.ones_like(rig)
    moved = torch.from_numpy(np.flatnonzero(random.random(len(x)) < 0.5))
    n = len(moved)
    if not n:
        return x, points, rig, weight
    turn = torch.from_numpy((random.normal(0, 8, n) * (random.random(n) < 0.7)).astype(np.float32))
    zoom = torch.from_numpy(2.0 ** random.uniform(-0.4, 0.45, n)).float()
    shift = torch.from_numpy(random.uniform(-14, 14, (n, 1, 2)).astype(np.float32))
    angle = torch.deg2rad(turn)
    cos, sin = torch.cos(angle), torch.sin(angle)
    forward = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1) * zoom[:, None, None]
    backward = torch.linalg.inv(forward)
    field = bend_field(n, float(random.uniform(0, 3.5)), random, cells=int(random.integers(4, 9)))
    middle = SIZE / 2
    out = pixel_centres(SIZE).view(1, -1, 2) - middle - shift  # where each pixel of the new picture comes from
    places = (out @ backward.transpose(1, 2) + middle).view(n, SIZE, SIZE, 2) + field
    x, points, rig = x.clone(), points.clone(), rig.clone()
    x[moved] = sample_at(x[moved], places)
    old, new = points[moved], points[moved]
    for _ in range(4):  # the bend is read where the point comes to lie, which is not known before: a fixed point
        bent = sample_at(field.permute(0, 3, 1, 2), new[:, :, None]).squeeze(3).transpose(1, 2)
        new = (old - bent - middle) @ forward.transpose(1, 2) + middle + shift
    points[moved] = new
    low, high = limits()[INDEX["roll"]]
    rig[moved, INDEX["roll"]] += turn / (high - low)
    for name in ("tx", "ty", "scale"):
        weight[moved, INDEX[name]] = 0
    return x, points, rig, weight
