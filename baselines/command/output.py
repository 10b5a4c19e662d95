"""Find and read the video that a program wrote."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from baselines.command.settings import Settings
from toonbench import video
from toonbench.types import Frame, Frames, ToonbenchError

CHUNK = 16  # frames
VIDEOS = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".gif")


def find_output(settings: Settings, output: Path, *, since: float) -> Path:
    """The one file that the program wrote, where the settings expect it. `output` is a resolved path.

    Raises ToonbenchError, with what was written instead, if there is none, several, or anything but a regular file. `since` is
    the time at which the program was started.
    """
    found = sorted(output.glob(settings.output)) if settings.output else [output] if _exists(output) else []
    expected = f"{{output}}/{settings.output}" if settings.output else "the file {output}"
    if not found:
        others = _others(settings, output, since=since)
        instead = f"; it wrote {', '.join(others)} instead" if others else ", and no other video"
        raise ToonbenchError(f"the program did not write {expected}{instead}")
    if len(found) > 1:
        names = ", ".join(path.name for path in found[:3])
        raise ToonbenchError(
            f"the program wrote {len(found)} files like {expected} ({names}); make the pattern narrower"
        )
    path = found[0]
    if path.resolve() != path or path.is_symlink():
        raise ToonbenchError("the program wrote a symbolic link instead of a video; let it write the file itself")
    if not stat.S_ISREG(path.lstat().st_mode):
        raise ToonbenchError(f"the program wrote {path.name}, which is not a regular file")
    return path


def _exists(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _others(settings: Settings, output: Path, *, since: float) -> list[str]:
    """The names of new videos in the temporary folder and in the program's folder."""
    given = {"source.png", "driving.mp4"}
    inside = [p for p in output.parent.rglob("*") if p.suffix.lower() in VIDEOS and p.name not in given]
    beside = [p for p in settings.folder.iterdir() if p.suffix.lower() in VIDEOS and p.lstat().st_mtime >= since]
    return [*(str(p.relative_to(output.parent)) for p in sorted(inside)[:3]), *(str(p) for p in sorted(beside)[:3])]


def read_output(path: Path, *, like: Frame, frames: int, resize: bool) -> Iterator[Frames]:
    """The frames of the video in chunks. Raises ToonbenchError if it has another number or size of frames, or is damaged."""
    count, chunk = 0, list[Frame]()
    for frame in video.iter_frames(path):
        if frame.shape != like.shape:
            frame = _resized(frame, like=like, resize=resize)
        count += 1
        chunk.append(frame)
        if len(chunk) == CHUNK:
            yield np.stack(chunk)
            chunk = []
        if count > frames:
            break
    if count != frames:
        found = f"more than {frames}" if count > frames else str(count)
        raise ToonbenchError(f"the program wrote {found} frames; the driving video has {frames}")
    if chunk:
        yield np.stack(chunk)


def _resized(frame: Frame, *, like: Frame, resize: bool) -> Frame:
    height, width = like.shape[:2]
    if not resize:
        raise ToonbenchError(
            f"the program wrote frames of {frame.shape[1]}x{frame.shape[0]} pixels; the source has {width}x{height}. "
            "Change its options, or write resize = true into the method's file"
        )
    from PIL import Image

    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC))
