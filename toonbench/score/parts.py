"""The frames of one pair, chunk by chunk: its video, its driving video and its target, in step."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np

from toonbench import lint
from toonbench.chunks import chunk_frames
from toonbench.data.clips import frame_chunks, iter_chunks
from toonbench.score.reading import Reading
from toonbench.types import Frame, Frames, GroundTruth, Pair, Rows, ToonbenchError

Chunk: TypeAlias = "tuple[Frames | None, Frames | None, Frames | None]"  # generated, driving, target

log = logging.getLogger(__name__)


class Parts:
    """The video of a pair, its driving video and its target, in chunks of the same frames. Memory does not grow with their length.

    The first chunk has `skip` frames more than the others.
    """

    def __init__(self, pair: Pair, made: Reading | Path, *, source: Frame, skip: int = 0) -> None:
        self._reading = made if isinstance(made, Reading) else Reading(path=made)
        self._pair, self._source, self._skip = pair, source, skip
        self._counts = {"generated": 0, "driving": 0, "target": 0}
        self._wrong_size = ""
        self.size = (0, 0)  # height and width of the generated frames

    @property
    def frames(self) -> int:
        """The number of generated frames that were read."""
        return self._counts["generated"]

    def chunks(self) -> Iterator[Chunk]:
        """All frames. A part that is shorter than the others is None after its end."""
        made = self._reading.frames()
        start = next(made)
        pair, size, first = self._pair, self._chunk_frames(start), self._skip
        same = pair.target is pair.driving
        streams = (
            frame_chunks(itertools.chain([start], made), first=first, size=size),
            iter_chunks(pair.driving, first=first, size=size),
            iter(()) if same or pair.target is None else iter_chunks(pair.target, first=first, size=size),
        )
        for generated, driving, target in itertools.zip_longest(*streams):
            chunk = (generated, driving, driving if same else target)
            for name, part in zip(self._counts, chunk, strict=True):
                self._counts[name] += 0 if part is None else len(part)
            if generated is not None:
                self.size = generated.shape[1], generated.shape[2]
            yield chunk

    def fit(self, chunk: Chunk) -> bool:
        """Whether everything read so far has one length and the source's size."""
        generated, _, target = chunk
        if generated is not None and not self._wrong_size:
            self._wrong_size = self._size_error(generated, target)
        return not self._wrong_size and not self._length_error()

    def skip(self, chunk: Chunk) -> int:
        """How many frames at the beginning are not measured: the task's `skip`, but never all frames."""
        frames = 0 if chunk[0] is None else len(chunk[0])
        return min(self._skip, frames - 1)

    def beyond(self, truth: GroundTruth) -> bool:
        """Whether more frames were read than the ground-truth motion has."""
        return self.frames > len(truth.rig)

    def check(self, truth: GroundTruth | None) -> None:
        """Raise ToonbenchError if the video does not have the length and size of its clips."""
        if error := self._length_error() or self._wrong_size:
            raise ToonbenchError(error)
        target = self._pair.target
        if truth is not None and target is not None and target.motion and len(truth.rig) != self.frames:
            raise ToonbenchError(
                f"{target.motion.name} has motion for {len(truth.rig)} frames and the video has {self.frames} frames: "
                "write one frame for every driving frame"
            )

    def _chunk_frames(self, made: Frame) -> int:
        """Frames in a chunk, by the largest picture of the pair: a video of the wrong size must not take more memory."""
        clips = [clip for clip in (self._pair.driving, self._pair.target) if clip is not None]
        sizes = [self._source.shape[:2], made.shape[:2], *((clip.height, clip.width) for clip in clips)]
        return chunk_frames(*max(sizes, key=lambda size: size[0] * size[1]))

    def _length_error(self) -> str:
        for what, clip in (("target", self._pair.target), ("driving", self._pair.driving)):
            if clip is not None and self._counts[what] != self.frames:
                return (
                    f"the video has {self.frames} frames instead of {self._counts[what]}: "
                    "write one frame for every driving frame"
                )
        return ""

    def _size_error(self, generated: Frames, target: Frames | None) -> str:
        for other in (target, self._source[None]):
            if other is not None and other.shape[1:] != generated.shape[1:]:
                return f"the video has {_size(generated)} pixels instead of {_size(other)}: write videos in the source's size"
        return ""


class PairLinter:
    """The linter's row of one pair; the linter only warns: a video that it cannot measure is scored nevertheless."""

    def __init__(self, pair: Pair, made: Reading | Path, *, source: Frame) -> None:
        self._id = pair.id
        path = made.files[0] if isinstance(made, Reading) else made
        self._linter: lint.Linter | None = lint.Linter(pair, path, source=source)

    def add(self, chunk: Chunk) -> None:
        """Pass the next frames to the linter."""
        if self._linter is None:
            return
        generated, driving, target = chunk
        try:
            self._linter.add(generated=generated, driving=driving, target=target)
        except Exception:
            log.debug("the linter failed on pair %s", self._id, exc_info=True)
            self._linter = None

    def row(self) -> Rows:
        """The row, NaN where the linter failed."""
        if self._linter is not None:
            try:
                return self._linter.row()
            except Exception:
                log.debug("the linter failed on pair %s", self._id, exc_info=True)
        return np.full((1, 1), np.nan, np.float32)


def _size(frames: Frames) -> str:
    return f"{frames.shape[2]}x{frames.shape[1]}"
