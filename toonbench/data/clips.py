"""The pixels of a clip: its first frame, or all of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from toonbench import video
from toonbench.chunks import chunk_frames, in_chunks
from toonbench.types import Clip, Frame, Frames, ToonbenchError


def read_source(clip: Clip) -> Frame:
    """The first frame of a clip, (height, width, 3)."""
    _refuse_problem(clip)
    if clip.kind == "image":
        return video.read_image(clip.path)
    return next(iter(video.iter_frames(clip.path)))


def read_frames(clip: Clip) -> video.Video:
    """All frames of a clip and its rate."""
    _refuse_problem(clip)
    return video.read_video(clip.path)


def _refuse_problem(clip: Clip) -> None:
    if clip.problem:
        raise ToonbenchError(f"{clip.id}: {clip.problem}")


def iter_chunks(clip: Clip, *, first: int = 0, size: int | None = None) -> Iterator[Frames]:
    """The frames of a clip in chunks of `size` (by default `chunk_frames` of its pictures); the first is `first` longer."""
    _refuse_problem(clip)
    return file_chunks(clip.path, first=first, size=size)


def file_chunks(path: Path, *, first: int = 0, size: int | None = None) -> Iterator[Frames]:
    """The frames of a video file in chunks; see `iter_chunks`."""
    return frame_chunks(video.iter_frames(path), first=first, size=size)


def frame_chunks(frames: Iterator[Frame], *, first: int = 0, size: int | None = None) -> Iterator[Frames]:
    """At least one frame, in chunks; see `iter_chunks`."""
    start = next(frames)
    size = size or chunk_frames(*start.shape[:2])
    head = [start, *itertools.islice(frames, first + size - 1)]
    yield np.stack(head)
    yield from in_chunks(frames, size)


def count_frames(clip: Clip) -> int:
    """The number of frames of a clip: what its data set states, or decoded and counted."""
    _refuse_problem(clip)
    return clip.frames or decoded_frames(clip)


def decoded_frames(clip: Clip) -> int:
    """The number of frames that decoding gives, one frame in memory at a time. Raises ToonbenchError as `video.iter_frames` does."""
    _refuse_problem(clip)
    return sum(1 for _ in video.iter_frames(clip.path))
