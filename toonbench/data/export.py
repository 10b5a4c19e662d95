"""Clips as files that other tools read: lossless MP4 for videos, PNG for images."""

from __future__ import annotations

from pathlib import Path

from toonbench import video
from toonbench.data.clips import read_source
from toonbench.types import Clip, ToonbenchError


def exported(clip: Clip, folder: Path) -> Path:
    """The file of a clip in a folder of exported clips, named by the clip's id."""
    return folder / f"{clip.id}{'.png' if clip.kind == 'image' else '.mp4'}"


def export_clip(clip: Clip, folder: Path) -> Path:
    """Write a clip's frames unchanged to `exported(clip, folder)`, and return it. The same frames give the same bytes.

    Memory does not grow with the length of the clip. Raises ToonbenchError for a clip that cannot be read.
    """
    path = exported(clip, folder)
    if clip.kind == "image":
        video.write_png(path, read_source(clip))
        return path
    if clip.problem:
        raise ToonbenchError(f"{clip.id}: {clip.problem}")
    video.write_exact_mp4(path, video.iter_frames(clip.path), fps=clip.fps or video.probe(clip.path).fps)
    return path
