"""Video in: decode, probe, notice damage."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import numpy as np

from toonbench.types import Frame, Frames, ToonbenchError
from toonbench.video.files import check_file, check_size
from toonbench.video.image import image_frames, on_white

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.sidedata.sidedata import SideData
    from av.video.stream import VideoStream

# Matroska tags of our own lossless files: the hash of their pixels, and how many frames they hold.
DIGEST_TAG = "TOONBENCH_SHA256"
COUNT_TAG = "TOONBENCH_FRAMES"


@dataclass(frozen=True, slots=True)
class Video:
    """Decoded frames, (t, h, w, 3) uint8 RGB, and their mean rate in frames per second (0 for a still image)."""

    frames: Frames
    fps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoInfo:
    """What a file says of itself. Sizes are as shown; `frames` and `seconds` are 0 where it does not say."""

    width: int
    height: int
    fps: float
    frames: int
    seconds: float
    codec: str
    pixel_format: str


def read_video(path: Path, *, max_frames: int | None = None) -> Video:
    """Decode a whole video (or its first `max_frames`); any format FFmpeg or Pillow knows.

    Raises ToonbenchError, naming the file, if it is missing, no video, damaged, or ends before its header says.
    """
    frames = list(iter_frames(path, max_frames=max_frames))
    return Video(frames=np.stack(frames), fps=probe(path).fps)


def iter_frames(path: Path, *, max_frames: int | None = None) -> Iterator[Frame]:
    """Yield the frames of a video one by one, (h, w, 3) uint8 RGB, in constant memory; raises as `read_video` does."""
    if max_frames is not None and max_frames < 1:
        raise ToonbenchError(f"{path}: max_frames is {max_frames}, must be 1 or more")
    with opened(path) as container:
        still = container is None
        if container is not None:
            _check_gif_end(container, path)
            yield from decoded(container, path, max_frames=max_frames)
    if still:
        yield from image_frames(path)[0][:max_frames]


def probe(path: Path) -> VideoInfo:
    """Read the header and the first frame. Cheap; does not notice damage further in."""
    with opened(path) as container:
        if container is not None:
            return _info(container, path)
    frames, fps = image_frames(path)
    height, width = frames[0].shape[:2]
    seconds = len(frames) / fps if fps else 0.0
    return VideoInfo(
        width=width, height=height, fps=fps, frames=len(frames), seconds=seconds, codec="image", pixel_format="rgb24"
    )


@contextmanager
def loud(path: Path) -> Generator[None]:
    """Turn FFmpeg's errors into ours."""
    from av.error import FFmpegError

    try:
        yield
    except (FFmpegError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = (
            f"{path}: cannot be read as video ({reason}); damaged, cut short or no video: fetch or export it again"
        )
        raise ToonbenchError(message) from error


def open_container(file: str | IO[bytes]) -> InputContainer:
    """Open for reading; raises FFmpeg's errors."""
    import av

    # Only local files: a playlist must not make us wait for a network.
    return av.open(file, mode="r", metadata_errors="replace", container_options={"protocol_whitelist": "file"})


@contextmanager
def opened(path: Path) -> Generator[InputContainer | None]:
    """Open with FFmpeg; None for still and animated images, which Pillow reads better."""
    check_file(path)
    # The prefix keeps FFmpeg from reading meaning into names such as "concat:a" or "shot%03d.png".
    with loud(path), open_container(f"file:{path}") as container:
        yield None if container.format.name.endswith("_pipe") or container.format.name == "image2" else container


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first video stream that is not a cover picture, set to raise at damage instead of painting over it."""
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            if stream.codec_context is None:  # pyright: ignore[reportUnnecessaryComparison]
                raise ToonbenchError(f"{path}: is in a codec unknown here, or damaged; convert it to H.264 or FFV1")
            stream.codec_context.options = {"err_detect": "explode"}
            return stream
    raise ToonbenchError(f"{path}: holds no video stream (sound only?); give a video")


def decoded(container: InputContainer, path: Path, *, max_frames: int | None = None) -> Iterator[Frame]:
    """Yield the frames of an open container as shown; at the end, check that all of them came."""
    stream = video_stream(container, path)
    convert = Converter(stream, path)
    ends = _Ends(stream, container)
    wanted = container.metadata.get(DIGEST_TAG)
    digest = hashlib.sha256()
    shape: tuple[int, ...] = ()
    count = 0
    for packet in container.demux(stream):
        ends.packets += packet.size > 0
        ends.discarded += packet.is_discard
        for frame in packet.decode():
            if frame.is_corrupt:
                raise ToonbenchError(f"{path}: frame {count} is damaged; fetch or export the file again")
            pixels = convert(frame)
            if shape not in ((), pixels.shape):
                raise ToonbenchError(f"{path}: frame {count} changes the size; split the file into one video per size")
            shape = pixels.shape
            if wanted:
                digest.update(pixels.data)
            ends.see(frame)
            count += 1
            yield pixels
            if count == max_frames:
                return
    if not count:
        raise ToonbenchError(f"{path}: holds no frames; it is cut short or empty: fetch or export it again")
    if missing := ends.missing(count):
        raise ToonbenchError(f"{path}: is damaged or cut short ({missing}); fetch or export it again")
    if wanted and wanted != digest.hexdigest():
        raise ToonbenchError(f"{path}: its pixels do not match the hash written with them; make it again")


def _check_gif_end(container: InputContainer, path: Path) -> None:
    """FFmpeg takes a GIF that is cut off for a shorter one; a whole one ends in its trailer byte."""
    if container.format.name == "gif" and not path.read_bytes().rstrip(b"\0").endswith(b";"):
        raise ToonbenchError(f"{path}: is cut short (no GIF trailer); fetch or export it again")


class _Ends:
    """Compares what was decoded with what the header promises, in frames and in seconds."""

    def __init__(self, stream: VideoStream, container: InputContainer) -> None:
        self.packets = 0
        self.discarded = 0
        self._promised = stream.frames
        self._seconds = _seconds(stream, container)
        self._first: float | None = None
        self._last = 0.0
        self._gap = float(1 / stream.average_rate) if stream.average_rate else 0.0

    def see(self, frame: VideoFrame) -> None:
        """Count a decoded frame in."""
        if frame.pts is None:
            return
        if self._first is None:
            self._first = frame.time
        else:
            self._gap = max(self._gap, frame.time - self._last)
        self._last = frame.time

    def missing(self, count: int) -> str:
        """Why the file is short, or an empty string. Frames that an edit list hides are not missing."""
        if self.packets == self._promised and count + self.discarded < self._promised:
            return f"{count} frames of {self._promised}"
        span = max(self._last, self._last - (self._first or 0.0))
        if self._first is not None and span + 1.75 * self._gap < self._seconds:
            return f"ends at {span:.2f} of {self._seconds:.2f} seconds"
        return ""


def _seconds(stream: VideoStream, container: InputContainer) -> float:
    """Length of the video stream as the header has it, 0 if it does not say."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    with suppress(KeyError, ValueError):
        hours, minutes, seconds = stream.metadata["DURATION"].split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    alone = len(container.streams.get()) == 1
    return container.duration / 1e6 if alone and container.duration else 0.0


class Converter:
    """Decoded frame -> RGB as shown. One swscale context serves all frames, which halves the time of large ones."""

    def __init__(self, stream: VideoStream, path: Path) -> None:
        from av.video.reformatter import VideoReformatter

        self._path = path
        self._aspect = float(stream.sample_aspect_ratio or 1)
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> Frame:
        """Convert one frame."""
        width = round(frame.width * self._aspect) if 1 / 8 <= self._aspect <= 8 else frame.width
        check_size(width, frame.height, self._path)
        alpha = any(component.is_alpha for component in frame.format.components) or frame.format.name == "pal8"
        shown = self._reformatter.reformat(frame, width, frame.height, "rgba" if alpha else "rgb24")
        pixels = cast("Frame", shown.to_ndarray())
        return _turned(on_white(pixels) if alpha else pixels, frame)


def _turned(pixels: Frame, frame: VideoFrame) -> Frame:
    """Apply the display matrix, to the nearest quarter turn: x' = a x + c y, y' = b x + d y."""
    for side in cast("Iterable[SideData]", frame.side_data):
        if side.type.name == "DISPLAYMATRIX":
            a, b, _, c, d = struct.unpack("<5i", bytes(cast("bytes", side))[:20])
            if abs(b) > abs(a):
                pixels, a, d = pixels.transpose(1, 0, 2), c, b
            pixels = pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
    return np.ascontiguousarray(pixels)


def _info(container: InputContainer, path: Path) -> VideoInfo:
    stream = video_stream(container, path)
    seconds = _seconds(stream, container)
    tag = container.metadata.get(COUNT_TAG, "")
    told = int(tag) if tag.isdecimal() else stream.frames
    fps = float(stream.average_rate or stream.guessed_rate or 25)
    if container.format.name == "gif" and told and seconds:  # FFmpeg gives the shortest of a GIF's delays
        fps = told / seconds
    codec, pixel_format = stream.codec_context.codec.canonical_name, stream.codec_context.pix_fmt or ""
    first = next(decoded(container, path, max_frames=1))
    return VideoInfo(
        width=first.shape[1],
        height=first.shape[0],
        fps=fps,
        frames=told,
        seconds=seconds,
        codec=codec,
        pixel_format=pixel_format,
    )
