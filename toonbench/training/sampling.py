"""Random choices of a training step, and the pairs of frames that are drawn from clips.

The choices of a step depend on the seed and on the step's number only, so a resumed run draws what an unbroken run draws.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from toonbench.training.images import to_tensor
from toonbench.types import Frames

Random = np.random.Generator
Part = tuple[int, int]  # of a batch: the number of the process, of how many
WHOLE: Part = (0, 1)


def step_rng(seed: int, *numbers: int) -> Random:
    """The source of all random choices of a step; `numbers` begin with the step."""
    return np.random.default_rng([seed, *numbers])


def seed_networks(rng: Random, *, rank: int) -> None:
    """Seed the random choices of networks (dropout) in the coming step, different ones in each process."""
    torch.manual_seed((int(rng.integers(2**63)) + rank) % 2**63)


def draw_gap(rng: Random, length: int, *, growth: int, step: int) -> int:
    """The frames between the two of a pair of a clip of `length` frames, at least 1.

    The largest gap grows from 2 to the whole clip over `growth` steps, and smaller gaps are likelier than with a uniform
    choice. With `growth` 0 every gap is equally likely.
    """
    if not growth:
        return int(rng.integers(1, length))
    largest = 2.0 + (length - 3.0) * min(1.0, step / growth)
    return max(1, min(length - 1, round(largest ** float(np.sqrt(rng.random())))))


def draw_pairs(
    clips: Sequence[Frames],
    rng: Random,
    *,
    batch: int,
    step: int,
    growth: int,
    flip: bool,
    jitter: float,
    device: str,
    part: Part = WHOLE,
) -> tuple[Tensor, Tensor]:
    """`batch` pairs of two frames of one clip in either order, (B, 3, H, W) twice in [-1, 1].

    The two frames of a pair share their mirroring (`flip`) and their change of colours, of strength `jitter`. With `part`, only the
    pairs of one of several processes are returned: together they have the batch that one process would have.
    """
    index, parts = part
    own = range(index * batch // parts, (index + 1) * batch // parts)
    first: list[Frames] = []
    second: list[Frames] = []
    for number in range(batch):
        clip = clips[int(rng.integers(len(clips)))]
        gap = draw_gap(rng, len(clip), growth=growth, step=step)
        a = int(rng.integers(len(clip) - gap))
        a, b = (a, a + gap) if rng.random() < 0.5 else (a + gap, a)
        mirrored = flip and rng.random() < 0.5
        if number not in own:
            continue
        for frames, place in ((first, a), (second, b)):
            frames.append(clip[place, :, ::-1] if mirrored else clip[place])
    images = to_tensor(np.stack(first + second), device=device)
    if jitter:
        gain = rng.normal(1.0, jitter, (batch, 3, 1, 1)).astype(np.float32)
        shift = rng.normal(0.0, jitter, (batch, 1, 1, 1)).astype(np.float32)
        both = [v[own.start : own.stop] for v in (gain, shift)]
        twice = [torch.from_numpy(np.concatenate((v, v))).to(device) for v in both]
        images = (images * twice[0] + twice[1]).clamp(-1.0, 1.0)
    return images[: len(own)], images[len(own) :]
