"""Read, probe, seek and write videos and images; no other package opens them.

The frames equal what players show: rotation metadata is applied, non-square pixels are stretched in width to square
ones, and transparency is drawn over white (the hidden alpha stream of VP8 and VP9 is ignored, as in players). HDR (PQ, HLG) is
shown as on an SDR screen, interlaced frames are deinterlaced, and a matrix that the file does not state is BT.709 for HD. Frames
of variable-rate video are kept unchanged and `fps` is their mean rate. A damaged or truncated file raises an error; it
never gives fewer frames silently.
"""

from toonbench.video.ahead import read_ahead
from toonbench.video.image import iter_pictures, read_image, write_jpeg, write_png
from toonbench.video.read import (
    Conversions,
    LazyFrame,
    Video,
    VideoInfo,
    iter_frames,
    iter_lazy_frames,
    pixels_of,
    probe,
    read_video,
)
from toonbench.video.reader import FrameReader
from toonbench.video.write import (
    write_exact_mp4,
    write_film,
    write_for_viewing,
    write_lossless,
    write_lossless_chunks,
    write_viewable,
    write_web_mp4,
)

__all__ = [
    "Conversions",
    "FrameReader",
    "LazyFrame",
    "Video",
    "VideoInfo",
    "iter_frames",
    "iter_lazy_frames",
    "iter_pictures",
    "pixels_of",
    "probe",
    "read_ahead",
    "read_image",
    "read_video",
    "write_exact_mp4",
    "write_film",
    "write_for_viewing",
    "write_jpeg",
    "write_lossless",
    "write_lossless_chunks",
    "write_png",
    "write_viewable",
    "write_web_mp4",
]
