"""Training pictures for the landmark network: many looks of every style, a few frames each, with ground truth.

A shard holds the frames of some looks of one style as one npz file. A shard that exists is kept, so a killed run resumes.
The bytes do not depend on the number of workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toonbench.networks.landmarks import SIZE
from toonbench.pool import IN_PROCESS, Pool
from toonbench.puppets.catalogue import make_look, styles
from toonbench.puppets.draw.render import render_clip, warm_up
from toonbench.puppets.rig import INDEX, LIMITS, Rig, generate, seed_of
from toonbench.store import writing
from toonbench.types import CHANNELS, LANDMARKS, Frames, ToonbenchError

LOOKS = 25  # of a shard


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Faces with their ground truth."""

    frames: Frames  # (n, size, size, 3)
    landmarks: NDArray[np.float32]  # (n, 70, 2) pixels
    visible: NDArray[np.bool_]  # (n, 70)
    rig: Rig  # (n, channels)
    style: NDArray[np.int64]  # (n,) place in `names`
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shard:
    """Some looks of one style."""

    root: Path
    split: str
    style: str
    number: int
    frames: int
    size: int

    @property
    def path(self) -> Path:
        return self.root / self.split / f"{self.style}-{self.frames}-{self.number:04d}.npz"


def draw_pictures(
    root: Path,
    *,
    split: str,
    looks: int,
    frames: int,
    size: int = SIZE,
    style_names: Sequence[str] = (),
    pool: Pool = IN_PROCESS,
) -> Pictures:
    """Draw `looks` looks of each style (a multiple of 25), `frames` poses each, `size` pixels a side, into `root`, and load them.

    Looks are seeded by `split`, apart from those of `make-puppets`. A folder holds pictures of one size. Raises ToonbenchError
    for bad numbers.
    """
    if looks < LOOKS or looks % LOOKS or frames < 1:
        raise ToonbenchError(f"looks must be a multiple of {LOOKS} and frames >= 1; got {looks} and {frames}.")
    names = tuple(style_names or styles())
    shards = [
        _Shard(root=root, split=split, style=name, number=number, frames=frames, size=size)
        for number in range(looks // LOOKS)  # styles in turn, so that a part of the work holds all of them
        for name in names
    ]
    warm_up()
    pool.map(_draw_shard, shards, title="drawing pictures")
    return _load(shards, names=names)


def poses(seed: int, *, count: int) -> Rig:
    """Draw poses that cover the rig: half from motion as in speech, half with independent channels."""
    rng = np.random.default_rng(seed)
    speech = generate(seed, frames=240)[rng.integers(0, 240, count)]
    rig = rng.uniform(LIMITS[:, 0], LIMITS[:, 1], (count, len(CHANNELS)))
    for name in CHANNELS[6:16]:  # mouth, lids and brows rest half of the time
        rig[:, INDEX[name]] *= rng.random(count) < 0.5
    both = rng.random(count) < 0.7
    rig[both, INDEX["blink_right"]] = rig[both, INDEX["blink_left"]]
    rig[both, INDEX["brow_up_right"]] = rig[both, INDEX["brow_up_left"]]
    for one, other in (("smile", "frown"), ("mouth_wide", "mouth_pucker")):
        first = rng.random(count) < 0.5
        rig[first, INDEX[one]], rig[~first, INDEX[other]] = 0, 0
    shy = rng.random(count) < 0.5
    rig[shy, :3] *= 0.45
    return np.where(rng.random(count)[:, None] < 0.5, speech, rig).astype(np.float32)


def _draw_shard(shard: _Shard) -> None:
    if shard.path.is_file():
        return
    parts = []
    for index in range(shard.number * LOOKS, (shard.number + 1) * LOOKS):
        seed = seed_of("landmarks", shard.split, shard.style, index)
        rig = poses(seed, count=shard.frames)
        drawn = render_clip(make_look(shard.style, seed), rig, size=shard.size)
        parts.append((drawn.frames, drawn.landmarks, drawn.visible, rig))
    frames, landmarks, visible, rigs = (np.concatenate(values) for values in zip(*parts, strict=True))
    with writing(shard.path) as temporary, temporary.open("wb") as file:
        np.savez(file, frames=frames, landmarks=landmarks, visible=visible, rig=rigs)


def _load(shards: Sequence[_Shard], *, names: tuple[str, ...]) -> Pictures:
    count, size = LOOKS * shards[0].frames, shards[0].size
    total = count * len(shards)
    pictures = Pictures(
        frames=np.empty((total, size, size, 3), np.uint8),
        landmarks=np.empty((total, LANDMARKS, 2), np.float32),
        visible=np.empty((total, LANDMARKS), np.bool_),
        rig=np.empty((total, len(CHANNELS)), np.float32),
        style=np.repeat([names.index(shard.style) for shard in shards], count),
        names=names,
    )
    for number, shard in enumerate(shards):
        part = slice(number * count, (number + 1) * count)
        with np.load(shard.path) as stored:
            for field in ("frames", "landmarks", "visible", "rig"):
                getattr(pictures, field)[part] = stored[field]
    return pictures
