"""The one door to pixels on disk: read, probe, seek, write lossless, write for viewing.

What is read is what ffplay shows: rotation metadata is applied, non-square pixels are stretched in width to square
ones, transparency lies on white (the hidden alpha stream of VP8 and VP9 is ignored, as players do). Frames of
variable-rate video are kept as they are and `fps` is their mean rate. A damaged or truncated file raises: never
silently fewer frames.
"""

from toonbench.video.image import read_image, write_png
from toonbench.video.read import Video, VideoInfo, iter_frames, probe, read_video
from toonbench.video.reader import FrameReader
from toonbench.video.write import write_film, write_for_viewing, write_lossless

__all__ = [
    "FrameReader",
    "Video",
    "VideoInfo",
    "iter_frames",
    "probe",
    "read_image",
    "read_video",
    "write_film",
    "write_for_viewing",
    "write_lossless",
    "write_png",
]
