"""Decoded frames as RGB, as they are shown: colours, fields, shape of pixels, rotation, transparency."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from toonbench.types import Frame, ToonbenchError
from toonbench.video.files import check_size
from toonbench.video.hdr import TRANSFERS, to_sdr
from toonbench.video.image import on_white

if TYPE_CHECKING:
    from av import VideoFrame
    from av.filter import Graph
    from av.sidedata.sidedata import SideData
    from av.video.stream import VideoStream

Display: TypeAlias = tuple[int, int, int, int]  # a, b, c and d of a display matrix
UNSPECIFIED = 2  # a matrix that the file does not state, ITU-T H.273
BT2020 = 9
HD_WIDTH, HD_HEIGHT = (
    1280,
    577,
)  # from these sides on, players take an unstated matrix for BT.709, and below them for BT.601


class Converter:
    """Decoded frame -> RGB as shown. All frames share one swscale context, which halves the time of large ones.

    `longest` reduces frames whose longer side has more pixels, by area averaging while they are converted.
    """

    def __init__(self, stream: VideoStream, path: Path, *, longest: int | None = None) -> None:
        from av.video.reformatter import VideoReformatter

        self._path, self._longest = path, longest
        self._aspect = float(stream.sample_aspect_ratio or 1)
        self.hdr = ""  # the transfer function of HDR frames so far
        self._reformatter = VideoReformatter()
        self._rotation: float | None = None  # of the frame whose side data was read; None before the first frame
        self._display: Display | None = None
        self._dolby_vision = False

    def __call__(self, frame: VideoFrame) -> Frame:
        """Convert one frame. Raises ToonbenchError for a frame that is too large, and for Dolby Vision without HDR10 or HLG."""
        width = round(frame.width * self._aspect) if 1 / 8 <= self._aspect <= 8 else frame.width
        check_size(width, frame.height, self._path)
        width, height, how = self._reduced(width, frame.height)
        self._read_side_data(frame)
        if frame.color_trc in TRANSFERS:
            self.hdr = TRANSFERS[frame.color_trc]
            deep = self._reformatter.reformat(frame, width, height, "rgb48le", src_colorspace=_matrix(frame), **how)
            return _turned(to_sdr(cast("Any", deep.to_ndarray()), int(frame.color_trc)), self._display)
        if self._dolby_vision:
            raise ToonbenchError(
                f"{self._path}: is Dolby Vision of a profile without HDR10 or HLG, whose colours are not known here; "
                "export it as SDR"
            )
        alpha = any(component.is_alpha for component in frame.format.components) or frame.format.name == "pal8"
        kind = "rgba" if alpha else "rgb24"
        pixels = self._reformatter.reformat(frame, width, height, kind, src_colorspace=_matrix(frame), **how)
        shown = cast("Frame", pixels.to_ndarray())
        return _turned(on_white(shown) if alpha else shown, self._display)

    def _read_side_data(self, frame: VideoFrame) -> None:
        """Read the display matrix and the kind of HDR, of the first frame and of each frame with another rotation.

        They belong to the stream. Reading them of every frame would keep frames in memory: in PyAV a frame and its side data refer to
        each other, so that only the garbage collector frees them.
        """
        if self._rotation is not None and frame.rotation == self._rotation:
            return
        self._rotation = frame.rotation
        found = [*cast("Iterable[SideData]", frame.side_data)]
        self._dolby_vision = any(side.type.name == "DOVI_METADATA" for side in found)
        self._display = next((_display(side) for side in found if side.type.name == "DISPLAYMATRIX"), None)

    def _reduced(self, width: int, height: int) -> tuple[int, int, dict[str, int]]:
        """The width and height of the converted frame, and how it is scaled."""
        from av.video.reformatter import Interpolation

        if self._longest is None or max(width, height) <= self._longest:
            return width, height, {}
        scale = self._longest / max(width, height)
        area = {"interpolation": int(Interpolation.AREA)}
        return max(1, round(width * scale)), max(1, round(height * scale)), area


class Deinterlacer:
    """Frames as decoded, interlaced ones with FFmpeg's bwdif (one frame for each frame); others pass unchanged.

    A graph starts at the first frame that is flagged as interlaced and then takes all frames, since it needs the next one.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._stream = stream
        self._graph: Graph | None = None
        self.interlaced = 0  # frames so far

    def add(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        """The frames that are complete after this one."""
        self.interlaced += frame.interlaced_frame
        if self._graph is None and frame.interlaced_frame:
            self._graph = _bwdif(frame, self._stream)
        if self._graph is None:
            yield frame
        else:
            self._graph.push(frame)
            yield from self._finished()

    def finish(self) -> Iterator[VideoFrame]:
        """The frames that waited for the next one."""
        if self._graph is not None:
            self._graph.push(None)
            yield from self._finished()

    def _finished(self) -> Iterator[VideoFrame]:
        from av.error import BlockingIOError as Wait
        from av.error import EOFError as End

        while True:
            try:
                yield cast("VideoFrame", cast("Graph", self._graph).pull())
            except (Wait, End):
                return


def _bwdif(frame: VideoFrame, stream: VideoStream) -> Graph:
    from av.filter import Graph

    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or stream.time_base
    )
    chain = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    sink = graph.add("buffersink")
    source.link_to(chain)
    chain.link_to(sink)
    graph.configure()
    return graph


def _matrix(frame: VideoFrame) -> int | None:
    """The matrix from Y'CbCr to RGB where the file does not state it; None to use the stated one."""
    from av.video.reformatter import Colorspace

    if frame.colorspace != UNSPECIFIED:
        return None
    if frame.color_trc in TRANSFERS:
        return BT2020
    hd = frame.width >= HD_WIDTH or frame.height >= HD_HEIGHT
    return int(Colorspace.ITU709) if hd else None


def _display(side: SideData) -> Display:
    a, b, _, c, d = struct.unpack("<5i", bytes(cast("bytes", side))[:20])
    return a, b, c, d


def _turned(pixels: Frame, display: Display | None) -> Frame:
    """Apply the display matrix, to the nearest quarter turn: x' = a x + c y, y' = b x + d y."""
    if display is not None:
        a, b, c, d = display
        if abs(b) > abs(a):
            pixels, a, d = pixels.transpose(1, 0, 2), c, b
        pixels = pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
    return np.ascontiguousarray(pixels)
