"""Chunks of a clip: how many frames belong to one, and the adapters of plug-ins that take whole clips."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from toonbench.types import Frames, GroundTruth, Rows, Sample, ToonbenchError

WHOLE_CLIP_BYTES = 2 * 2**30
"""The most that a metric or method without a streaming form may hold of one clip's frames, bytes of uint8 RGB."""
PIXELS = 2**22  # of a chunk: 64 frames of 256 x 256
FEWEST, MOST = 16, 64  # frames of a chunk; multiples of every network's batch, so that chunks do not change batches
STEP = 16


def chunk_frames(height: int, width: int) -> int:
    """Frames in a chunk of this size of picture: 16 to 64, a multiple of 16; it depends on nothing else."""
    return max(FEWEST, min(MOST, PIXELS // max(1, height * width) // STEP * STEP))


def in_chunks(frames: Iterable[Any], size: int) -> Iterator[Frames]:
    """Single frames (height, width, 3) gathered into chunks (at most `size`, height, width, 3)."""
    chunk: list[Any] = []
    for frame in frames:
        chunk.append(frame)
        if len(chunk) == size:
            yield np.stack(chunk)
            chunk = []
    if chunk:
        yield np.stack(chunk)


def whole_clip(chunks: Iterable[Frames], *, user: str) -> Frames:
    """All frames at once, for a plug-in without a streaming form. Raises ToonbenchError above WHOLE_CLIP_BYTES."""
    kept: list[Frames] = []
    held = 0
    for chunk in chunks:
        held += chunk.nbytes
        _check_size(held, user=user)
        kept.append(chunk)
    return np.concatenate(kept) if len(kept) != 1 else kept[0]


def keep(state: list[Sample], chunk: Sample, *, metric: str) -> Rows:
    """Add a chunk to those kept for `Metric.finish`; no rows yet."""
    parts = (chunk.generated, chunk.driving, chunk.target)
    size = sum(part.nbytes for part in parts if part is not None)
    held = sum(sum(p.nbytes for p in (s.generated, s.driving, s.target) if p is not None) for s in state)
    _check_size(held + size, user=f"metric {metric}")
    state.append(chunk)
    return np.empty((0, 0), np.float32)


def join(chunks: Sequence[Sample]) -> Sample:
    """The chunks of a clip, in order, as one sample."""
    if len(chunks) == 1:
        return chunks[0]
    first = chunks[0]
    truths = [one.ground_truth for one in chunks]
    features = {
        key: first.features[key] if key[0] == "source" else np.concatenate([one.features[key] for one in chunks])
        for key in first.features
    }
    return replace(
        first,
        generated=np.concatenate([one.generated for one in chunks]),
        driving=_joined([one.driving for one in chunks]),
        target=_joined([one.target for one in chunks]),
        ground_truth=None if truths[0] is None else _joined_truth([t for t in truths if t is not None]),
        features=features,
    )


def cut_truth(truth: GroundTruth, start: int, stop: int | None = None) -> GroundTruth:
    """The ground-truth motion of frames `start` to `stop`."""
    part = slice(start, stop)
    return GroundTruth(rig=truth.rig[part], landmarks=truth.landmarks[part], visible=truth.visible[part], fps=truth.fps)


def _joined(parts: Sequence[Frames | None]) -> Frames | None:
    given = [part for part in parts if part is not None]
    return np.concatenate(given) if given else None


def _joined_truth(parts: Sequence[GroundTruth]) -> GroundTruth:
    arrays = {
        one.name: np.concatenate([getattr(part, one.name) for part in parts])
        for one in fields(GroundTruth)
        if one.name != "fps"
    }
    return GroundTruth(**arrays, fps=parts[0].fps)


def _check_size(held: int, *, user: str) -> None:
    if held > WHOLE_CLIP_BYTES:
        raise ToonbenchError(
            f"{user} takes whole clips and this one has more than {WHOLE_CLIP_BYTES / 2**30:.0f} GiB of frames: shorten the "
            "clip, or give it a streaming form (see Metric.add and animate_chunks in CONTRIBUTING.md)"
        )
