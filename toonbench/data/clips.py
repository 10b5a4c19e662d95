"""The pixels of a clip: its first frame, or all of them."""

from __future__ import annotations

from toonbench import video
from toonbench.types import Clip, Frame, ToonbenchError


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
