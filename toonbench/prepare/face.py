"""Crop one face from a clip or an image as the paper does: detect, track, take the union box, enlarge, resize.

The square is that of video-preprocessing (crop_vox) and of the first-order model's crop-video: the union of a face's boxes,
enlarged by 10 % of its longer side at each end. The original drops clips whose square leaves the frame; toonbench
repeats the edge pixels of the frame instead, so that no clip is lost and no face is stretched. Frames are searched with their
longer side at most LONGER_SIDE pixels. If the detector finds no usable face, it runs again with lower thresholds, which finds
more drawn faces.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from toonbench.prepare.choose import Choice, Square, choose
from toonbench.prepare.detectors import Detection, detector
from toonbench.prepare.options import Options
from toonbench.prepare.watch import Seen, watch
from toonbench.types import Frame

LONGER_SIDE = 640


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found in a clip: its size (width, height), the choice of frames and square, and what the tracks show of its beginning."""

    size: tuple[int, int]
    choice: Choice
    watched: Seen


def find_face(
    frames: Callable[[], Iterable[Frame]],
    options: Options,
    *,
    fps: float,
    drawn: bool,
    is_image: bool = False,
    size: tuple[int, int] | None = None,
) -> Found:
    """Watch a clip and choose its frames and square. `frames` opens the clip; it is called again for the lower thresholds.

    `size` is the (width, height) of the original where `frames` may be reduced; otherwise it is that of the frames.
    """
    for low in (False, True):
        sizes: list[tuple[int, int]] = []
        detect = functools.partial(_detect, low=low, name=options.detector)
        watched = watch(_searchable(frames(), sizes), detect, fps=fps)
        shown = size or sizes[0]
        scale = min(1.0, LONGER_SIDE / max(shown))
        choice = choose(
            watched, size=shown, scale=scale, crop=options.crop, keep=options.keep, drawn=drawn, is_image=is_image
        )
        if low or (choice.faces and not choice.problem):
            break
    return Found(size=shown, choice=choice, watched=watched)


def cut_frames(frames: Iterable[Frame], found: Found, *, size: int) -> Iterator[Frame]:
    """The chosen frames, cropped and resized to (size, size, 3)."""
    choice = found.choice
    whole = (0, 0, max(found.size))
    for index, frame in enumerate(frames):
        if index >= choice.last:
            return
        if index >= choice.first:
            yield cut_out(frame, choice.square or whole, size=size, stretch=choice.square is None)


def cut_out(frame: Frame, square: Square, *, size: int, stretch: bool = False) -> Frame:
    """Crop a square from a frame as (size, size, 3); edge pixels are repeated where it leaves the frame.

    `stretch` takes the whole frame, whose sides may differ by a few pixels.
    """
    from PIL import Image

    cut = frame
    if not stretch:
        left, top, side = square
        height, width = frame.shape[:2]
        rows, columns = (max(0, top), min(height, top + side)), (max(0, left), min(width, left + side))
        if rows == (top, top + side) and columns == (left, left + side):
            cut = np.ascontiguousarray(frame[top : top + side, left : left + side])
        else:
            down = np.clip(np.arange(top, top + side), 0, height - 1)
            right = np.clip(np.arange(left, left + side), 0, width - 1)
            cut = frame[down[:, None], right]
    if cut.shape[:2] == (size, size):
        return cut
    return np.asarray(Image.fromarray(cut).resize((size, size), Image.Resampling.BICUBIC))  # Pillow antialiases


def _detect(frame: Frame, *, low: bool, name: str = "mtcnn") -> list[Detection]:
    """The faces of one frame by the named detector."""
    return detector(name, low=low)(frame)


def _searchable(frames: Iterable[Frame], size: list[tuple[int, int]]) -> Iterator[Frame]:
    """The frames with their longer side at most LONGER_SIDE pixels; `size` receives (width, height) of the first one."""
    from PIL import Image

    for frame in frames:
        height, width = frame.shape[:2]
        if not size:
            size.append((width, height))
        scale = min(1.0, LONGER_SIDE / max(height, width))
        if scale < 1:
            sides = (max(1, round(width * scale)), max(1, round(height * scale)))
            yield np.asarray(Image.fromarray(frame).resize(sides, Image.Resampling.BILINEAR))
        else:
            yield frame
