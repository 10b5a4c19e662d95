"""Random choices of a training step, and the pairs of frames that are drawn from clips.

The choices of a step depend on the seed and on the step's number only, so a resumed run draws what an unbroken run draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from toonbench.training.images import to_tensor
from toonbench.types import Frame, Frames

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


@dataclass(frozen=True, slots=True)
class Drawn:
    """Two frames of a clip, by their numbers, in the order in which they are used, and whether both are mirrored."""

    clip: int
    first: int
    second: int
    mirrored: bool


def draw_places(lengths: Sequence[int], rng: Random, *, batch: int, step: int, growth: int, flip: bool) -> list[Drawn]:
    """`batch` pairs of two frames of one clip in either order, for clips of these numbers of frames."""
    found: list[Drawn] = []
    for _ in range(batch):
        clip = int(rng.integers(len(lengths)))
        gap = draw_gap(rng, lengths[clip], growth=growth, step=step)
        a = int(rng.integers(lengths[clip] - gap))
        a, b = (a, a + gap) if rng.random() < 0.5 else (a + gap, a)
        found.append(Drawn(clip, a, b, flip and rng.random() < 0.5))
    return found


def share(places: Sequence[Drawn], part: Part) -> Sequence[Drawn]:
    """The pairs of one of several processes."""
    return [places[number] for number in _own(len(places), part)]


def _own(batch: int, part: Part) -> range:
    index, parts = part
    return range(index * batch // parts, (index + 1) * batch // parts)


def pictures_at(
    clips: Sequence[Frames], places: Sequence[Drawn], rng: Random, *, jitter: float, device: str, part: Part = WHOLE
) -> tuple[Tensor, Tensor]:
    """The pictures of drawn pairs, (B, 3, H, W) twice in [-1, 1]; the two of a pair share their change of colours, of strength `jitter`.

    With `part`, those of `share`.
    """
    batch, own = len(places), _own(len(places), part)
    first = [_picture(clips[one.clip][one.first], mirrored=one.mirrored) for one in share(places, part)]
    second = [_picture(clips[one.clip][one.second], mirrored=one.mirrored) for one in share(places, part)]
    images = to_tensor(np.stack(first + second), device=device)
    if jitter:
        gain = rng.normal(1.0, jitter, (batch, 3, 1, 1)).astype(np.float32)
        shift = rng.normal(0.0, jitter, (batch, 1, 1, 1)).astype(np.float32)
        both = [v[own.start : own.stop] for v in (gain, shift)]
        twice = [torch.from_numpy(np.concatenate((v, v))).to(device) for v in both]
        images = (images * twice[0] + twice[1]).clamp(-1.0, 1.0)
    return images[: len(own)], images[len(own) :]


def _picture(frame: Frame, *, mirrored: bool) -> Frame:
    return frame[:, ::-1] if mirrored else frame


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
    places = draw_places([len(clip) for clip in clips], rng, batch=batch, step=step, growth=growth, flip=flip)
    return pictures_at(clips, places, rng, jitter=jitter, device=device, part=part)
