"""Chunks of a clip: their number of frames, and the adapters of plug-ins that take whole clips."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from toonbench.types import Frames, GroundTruth, Metric, Rows, Sample, ToonbenchError

WHOLE_CLIP_BYTES = 2 * 2**30
"""The most that a metric or method without a streaming form may hold of one clip's frames, bytes of uint8 RGB. Joining its chunks
takes as much again, until they are released."""
PIXELS = 2**22  # of a chunk: 64 frames of 256 x 256
FEWEST, MOST = 16, 64  # frames of a chunk; multiples of every network's batch, so that chunks do not change batches
STEP = 16


def chunk_frames(height: int, width: int) -> int:
    """Frames in a chunk of this size of picture: 16 to 64, a multiple of 16. It depends on the size only."""
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


class Measuring:
    """Measures one clip with one metric: `add` chunks in order, then `rows`.

    A `temporal` metric without a streaming form of its own receives the whole clip at once. Raises ToonbenchError where that
    would hold more than WHOLE_CLIP_BYTES of frames.
    """

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._whole = metric.temporal and type(metric).add is Metric.add
        self._state = None if self._whole else metric.start()
        self._chunks: list[Sample] = []
        self._held = 0
        self._rows: list[Rows] = []

    def add(self, chunk: Sample) -> None:
        """Measure the next chunk, or keep it."""
        if not self._whole:
            self._rows.append(self._metric.add(self._state, chunk))
            return
        parts = (chunk.generated, chunk.driving, chunk.target)
        self._held += sum(part.nbytes for part in parts if part is not None)
        _check_size(self._held, user=f"metric {self._metric.name}")
        self._chunks.append(chunk)

    def rows(self) -> Rows:
        """All rows of the clip, (rows, values) float32."""
        if self._whole:
            return self._metric.measure(join(self._chunks))
        last = self._metric.finish(self._state)
        parts = [part for part in (*self._rows, last) if part is not None and part.size]
        if parts:
            return parts[0] if len(parts) == 1 else np.concatenate(parts)
        return self._rows[0] if self._rows else np.empty((0, 1), np.float32)


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
            "clip, or give it a streaming form (see 'Long clips' in CONTRIBUTING.md)"
        )
