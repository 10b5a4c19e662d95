"""Video out, a frame at a time: for films, which do not fit in memory as an array."""

from __future__ import annotations

import io
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np

from toonbench.store import write_bytes
from toonbench.types import Frame, ToonbenchError

MP4 = {"crf": "18", "preset": "veryfast"}


def write_film(path: Path, frames: Iterable[Frame], *, fps: int, width: int, height: int) -> int:
    """Write RGB frames, (height, width, 3) of even sides, as an H.264 MP4 (BT.709, 4:2:0, crf 18); return how many.

    The file appears under its name when it is whole. The same frames give the same bytes: one thread, no dates.
    Raises ToonbenchError for odd or other sizes, no frames, and a place that cannot be written.
    """
    import av
    from av.codec.context import Flags
    from av.error import FFmpegError
    from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

    if width % 2 or height % 2:
        raise ToonbenchError(f"{path}: a film's sides must be even, got {width}x{height}")
    buffer, reformatter, count = io.BytesIO(), VideoReformatter(), 0
    try:
        with av.open(buffer, "w", format="mp4", container_options={"fflags": "+bitexact"}) as output:
            stream = output.add_stream("libx264", rate=Fraction(fps), options=MP4)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            context = stream.codec_context
            context.flags |= Flags.bitexact
            context.thread_count = 1
            context.colorspace = context.color_primaries = context.color_trc = 1
            context.color_range = int(ColorRange.MPEG)
            for count, array in enumerate(frames, start=1):
                if array.shape != (height, width, 3):
                    raise ToonbenchError(f"{path}: frame {count - 1} is {array.shape}, not {(height, width, 3)}")
                rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format="rgb24")
                frame = reformatter.reformat(
                    rgb, format="yuv420p", dst_colorspace=int(Colorspace.ITU709), dst_color_range=int(ColorRange.MPEG)
                )
                frame.pts = count - 1
                output.mux(stream.encode(frame))
            output.mux(stream.encode())
    except (FFmpegError, ValueError) as error:
        raise ToonbenchError(f"{path}: cannot be encoded as H.264 ({error})") from error
    if not count:
        raise ToonbenchError(f"{path}: a film needs at least one frame")
    write_bytes(path, buffer.getvalue())
    return count
