"""How the frames of one generated video are read: its files, a panel or a square of them, their size, and their rate.

Videos in the size, rate and length of their pair are read unchanged. For other files the way is decided once, before anything is
measured, and is part of the run's revision, so that rows of two ways never mix.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toonbench import video
from toonbench.prepare.face import cut_out
from toonbench.types import Frame, ToonbenchError

VERSION = 1  # of the ways of reading that change pixels; a new version measures such videos again

Size = tuple[int, int]  # width, height


@dataclass(frozen=True, slots=True)
class Rate:
    """Frames are matched by time: `count` frames at `driving` frames per second, chosen among those at `own` frames per second."""

    own: float
    driving: float
    count: int

    def index(self, at: int) -> int:
        """The frame nearest in time to frame `at` of the driving video."""
        return math.floor(at * self.own / self.driving + 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The file of a generated video and how it is read.

    pictures: the names of its frames in order, if `path` is a folder.
    panel: (k, n) is the k-th of n equal panels beside each other (or one below the other in a tall picture).
    square: left, top, side of the square that is cut from a whole picture, as the preparation cut the clip.
    size: the width and height to which frames are brought, by area averaging or, with `square`, as the preparation does.
    rate: frames are matched by time; None takes them one by one.
    """

    path: Path
    pictures: tuple[str, ...] = ()
    panel: tuple[int, int] = (1, 1)
    square: tuple[int, int, int] | None = None
    size: Size | None = None
    rate: Rate | None = None

    @property
    def files(self) -> list[Path]:
        """The file, or the frames in order."""
        return [self.path / name for name in self.pictures] or [self.path]

    @property
    def plain(self) -> bool:
        """Whether the frames are measured as they are in the file."""
        return self.panel == (1, 1) and self.square is None and self.size is None and self.rate is None

    @property
    def facts(self) -> str:
        """Everything that changes pixels, as text; empty for a plain reading."""
        return "" if self.plain else f"{VERSION}|{self.panel}|{self.square}|{self.size}|{self.rate}"

    def frames(self) -> Iterator[Frame]:
        """The frames as they are measured, one in memory at a time. Raises ToonbenchError as `video.iter_frames` does."""
        made = video.iter_pictures(self.files) if self.pictures else video.iter_frames(self.path)
        if self.plain:
            return made
        shown = (self._shown(frame) for frame in made)
        return shown if self.rate is None else _in_time(shown, self.rate)

    def _shown(self, frame: Frame) -> Frame:
        frame = cut_panel(frame, self.panel, path=self.path)
        if self.square is not None:
            return cut_out(frame, self.square, size=self.size[0] if self.size else self.square[2])
        return frame if self.size is None else reduced(frame, self.size)


def panel_size(size: Size, panel: tuple[int, int]) -> Size:
    """The size of one of n equal panels; (0, 0) if the picture cannot be divided evenly."""
    width, height = size
    _, count = panel
    if width >= height:
        return (width // count, height) if width % count == 0 else (0, 0)
    return (width, height // count) if height % count == 0 else (0, 0)


def cut_panel(frame: Frame, panel: tuple[int, int], *, path: Path) -> Frame:
    """The k-th of n equal panels, beside each other in a wide picture. Raises ToonbenchError for a width that n does not divide."""
    if panel == (1, 1):
        return frame
    at, count = panel
    whole = (frame.shape[1], frame.shape[0])
    width, height = panel_size(whole, panel)
    if not width:
        raise ToonbenchError(
            f"{path.name} is {whole[0]}x{whole[1]}, which cannot be divided into {count} equal panels: give another --panel"
        )
    if whole[0] >= whole[1]:
        return frame[:, (at - 1) * width : at * width]
    return frame[(at - 1) * height : at * height]


def reduced(frame: Frame, size: Size) -> Frame:
    """A larger frame brought to (width, height) by area averaging."""
    from PIL import Image

    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX))


def _in_time(frames: Iterator[Frame], rate: Rate) -> Iterator[Frame]:
    """The frame nearest in time to each frame of the driving video; the last one is kept where the video ends first."""
    given, frame = -1, None
    for at in range(rate.count):
        while given < rate.index(at):
            following = next(frames, None)
            given += 1
            if following is None:
                break
            frame = following
        if frame is not None:
            yield frame
    for _ in frames:  # damage at the end is an error, too
        pass
