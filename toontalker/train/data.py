"""Training clips in memory, and the pairs drawn from them.

Pairs of a step depend on the seed and the step's number alone, so that a resumed run sees what an unbroken one sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from toonbench.types import Domain, Frames, ToonbenchError

from .config import TrainConfig

COLUMNS = ("file", "domain", "split")


@dataclass(frozen=True, slots=True)
class ClipSet:
    """Decoded clips of one domain, each uint8 (frames, size, size, 3) RGB: those to train on, those held out."""

    train: tuple[Frames, ...]
    heldout: tuple[Frames, ...]


def load_clips(data: Path, *, size: int, domains: Sequence[Domain]) -> dict[Domain, ClipSet]:
    """Read a data set's folder: metadata.parquet and its lossless videos, resized to `size` with an area filter.

    Clips whose split is `train` are trained on; a twentieth of the identities (at least one) is held out for samples.
    """
    table = data / "metadata.parquet"
    if not table.is_file():
        raise ToonbenchError(
            f"{data}: no metadata.parquet; make a training set with `toonbench make-puppets --split train`"
        )
    import pandas as pd

    rows = pd.read_parquet(table)
    missing = [name for name in COLUMNS if name not in rows.columns]
    if missing:
        raise ToonbenchError(f"{table}: column {missing[0]} is missing; make the data set again")
    rows = (
        rows[(rows["split"] == "train") & (rows["kind"] == "video")]
        if "kind" in rows
        else rows[rows["split"] == "train"]
    )
    found: dict[Domain, ClipSet] = {}
    for domain in domains:
        part = rows[rows["domain"] == domain]
        if len(part) < 2:
            raise ToonbenchError(
                f"{data}: {len(part)} {domain} training clips; two or more are needed, make more clips"
            )
        identities = part["identity"] if "identity" in part else part["file"]
        names = sorted(set(identities))
        kept_back = set(names[:: max(2, min(20, len(names)))])
        clips = [_read(data / str(file), size=size) for file in part["file"]]
        held = [name in kept_back for name in identities]
        train = tuple(c for c, h in zip(clips, held, strict=True) if not h and len(c) > 1)
        heldout = tuple(c for c, h in zip(clips, held, strict=True) if h and len(c) > 1)
        if not train or not heldout:
            raise ToonbenchError(f"{data}: the {domain} clips show {len(names)} identities; two or more are needed")
        found[domain] = ClipSet(train, heldout)
    return found


def _read(path: Path, *, size: int) -> Frames:
    from PIL import Image

    from toonbench.video import iter_frames

    frames = [
        frame
        if frame.shape[:2] == (size, size)
        else np.asarray(Image.fromarray(frame).resize((size, size), Image.Resampling.BOX))
        for frame in iter_frames(path)
    ]
    return np.stack(frames)


def to_tensor(frames: Frames, *, device: str) -> Tensor:
    """uint8 (B, H, W, 3) to float32 (B, 3, H, W) in [-1, 1]."""
    pixels = torch.from_numpy(np.array(frames)).to(device)
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1.0


def step_rng(config: TrainConfig, step: int, *, rank: int = 0) -> np.random.Generator:
    """All random choices of a worker's step come from their numbers."""
    return np.random.default_rng([config.seed, step, rank])


def draw_gap(rng: np.random.Generator, length: int, *, growth: int, step: int) -> int:
    """Frames between the two of a pair, at least 1: see TrainConfig.gap_growth."""
    if not growth:
        return int(rng.integers(1, length))
    largest = 2.0 + (length - 3.0) * min(1.0, step / growth)
    return max(1, min(length - 1, round(largest ** float(np.sqrt(rng.random())))))


def draw_pairs(
    clips: Sequence[Frames], rng: np.random.Generator, *, batch: int, config: TrainConfig, step: int, device: str
) -> tuple[Tensor, Tensor]:
    """`batch` pairs of frames of one clip each, in either order, flipped and coloured alike: (B, 3, H, W) twice."""
    first: list[Frames] = []
    second: list[Frames] = []
    for _ in range(batch):
        clip = clips[int(rng.integers(len(clips)))]
        gap = draw_gap(rng, len(clip), growth=config.gap_growth, step=step)
        a = int(rng.integers(len(clip) - gap))
        a, b = (a, a + gap) if rng.random() < 0.5 else (a + gap, a)
        mirrored = config.flip and rng.random() < 0.5
        for frames, index in ((first, a), (second, b)):
            frames.append(clip[index, :, ::-1] if mirrored else clip[index])
    images = to_tensor(np.stack(first + second), device=device)
    if config.jitter:
        gain = rng.normal(1.0, config.jitter, (batch, 3, 1, 1)).astype(np.float32)
        shift = rng.normal(0.0, config.jitter, (batch, 1, 1, 1)).astype(np.float32)
        twice = [torch.from_numpy(np.concatenate((v, v))).to(device) for v in (gain, shift)]
        images = (images * twice[0] + twice[1]).clamp(-1.0, 1.0)
    return images[:batch], images[batch:]
