"""Labelled videos side by side: source, driving video, target, methods, as an MP4 that every player shows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from toonbench import video
from toonbench.report.figures.pictures import EMPTY
from toonbench.report.figures.sources import SOURCE, TARGET, Pictures, frames_or_tile, tile_of_clip
from toonbench.report.figures.style import SETTINGS, drawable
from toonbench.types import Frame, Pair, ToonbenchError

BAR = 22  # pixels of a label above a tile
GAP = 4  # pixels between tiles
ACROSS = 6  # most tiles beside each other
Stream: TypeAlias = "Iterator[Frame] | str"


def write_strip(path: Path, pictures: Pictures, pair: Pair, *, size: int = 256, target: bool = True) -> int:
    """Write the video of a pair, each tile `size` pixels wide; return its number of frames.

    It is as long as the driving video. A tile whose video is missing shows a note; one that ends earlier keeps its last frame.
    """
    driving = pair.driving
    if driving.problem:
        raise ToonbenchError(f"{pair.id}: the driving video cannot be shown: {driving.problem}")
    first = tile_of_clip(pair.source, None)
    source: Stream = first if isinstance(first, str) else itertools.repeat(first)
    tiles: list[tuple[str, Stream]] = [(SOURCE, source), ("driving video", video.iter_frames(driving.path))]
    if target and pair.target is not None:
        tiles.append((TARGET, frames_or_tile(pair.target.path, "no target")))
    for entry, name in zip(pictures.entries, pictures.names, strict=True):
        tiles.append((name, frames_or_tile(pictures.video(entry, pair.id), "no video")))
    frames = _composed([name for name, _ in tiles], [one for _, one in tiles], size=size)
    return video.write_viewable(path, frames, fps=driving.fps or 25.0)


def _composed(names: Sequence[str], streams: Sequence[Stream], *, size: int) -> Iterator[Frame]:
    """Frames of the whole strip, until the driving video (the second tile) ends."""
    heads = [label(name, width=size) for name in names]
    held: list[Frame] = [_placeholder(one, size) if isinstance(one, str) else _blank(size) for one in streams]
    while True:
        for at, stream in enumerate(streams):
            found = None if isinstance(stream, str) else next(stream, None)
            if found is not None:
                held[at] = _fitted(found, size)
            elif at == 1:
                return
        yield _sheet(heads, held, size=size)


def _sheet(heads: Sequence[Frame], tiles: Sequence[Frame], *, size: int) -> Frame:
    across = min(ACROSS, len(tiles))
    down = -(-len(tiles) // across)
    step = (size + BAR + GAP, size + GAP)
    sheet = np.full((down * step[0] - GAP, across * step[1] - GAP, 3), 255, np.uint8)
    for at, (head, tile) in enumerate(zip(heads, tiles, strict=True)):
        top, left = (at // across) * step[0], (at % across) * step[1]
        sheet[top : top + BAR, left : left + size] = head
        sheet[top + BAR : top + BAR + size, left : left + size] = tile
    return sheet


def _fitted(frame: Frame, size: int) -> Frame:
    """The frame in a square of `size` pixels, whole, on white."""
    from PIL import Image

    height, width, _ = frame.shape
    scale = size / max(height, width)
    own = max(1, round(width * scale)), max(1, round(height * scale))
    small = (
        frame if own == (width, height) else np.asarray(Image.fromarray(frame).resize(own, Image.Resampling.BICUBIC))
    )
    square = np.full((size, size, 3), 255, np.uint8)
    top, left = (size - own[1]) // 2, (size - own[0]) // 2
    square[top : top + own[1], left : left + own[0]] = small
    return square


def _blank(size: int) -> Frame:
    return np.full((size, size, 3), 255, np.uint8)


def _placeholder(text: str, size: int) -> Frame:
    grey = np.array([int(EMPTY[at : at + 2], 16) for at in (1, 3, 5)], np.uint8)
    tile = np.broadcast_to(grey, (size, size, 3)).copy()
    top = (size - BAR) // 2
    tile[top : top + BAR] = np.minimum(tile[top : top + BAR], label(text, width=size))
    return tile


@lru_cache(maxsize=64)
def label(text: str, *, width: int, height: int = BAR) -> Frame:
    """Text in the middle of a white bar, (height, width, 3)."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    dpi, points = 100, 0.5 * height * 72 / 100
    longest = max(4, int(width / (0.62 * points * dpi / 72)))
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi)
        figure.text(0.5, 0.5, drawable(text, longest=longest), ha="center", va="center", fontsize=points)
        canvas: Any = FigureCanvasAgg(figure)
        canvas.draw()
        return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[:height, :width, :3])
