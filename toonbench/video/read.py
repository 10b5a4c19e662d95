"""Read videos: decode, probe, detect damage."""

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
    """What the header of a file states. Sizes are those of the shown frames; `frames` and `seconds` are 0 if it does not state them."""

    width: int
    height: int
    fps: float
    frames: int
    seconds: float
    codec: str
    pixel_format: str


def read_video(path: Path, *, max_frames: int | None = None) -> Video:
    """Decode a whole video (or its first `max_frames`); any format of FFmpeg or Pillow.

    Raises ToonbenchError, which names the file, if it is missing, not a video, damaged, or shorter than its header states.
    """
    frames = list(iter_frames(path, max_frames=max_frames))
    return Video(frames=np.stack(frames), fps=probe(path).fps)


def iter_frames(path: Path, *, max_frames: int | None = None) -> Iterator[Frame]:
    """Yield the frames of a video one by one, (h, w, 3) uint8 RGB, in constant memory. Raises as `read_video` does."""
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
    """Read the header and the first frame. Fast; later damage is not detected."""
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
    """Raise FFmpeg's errors as ToonbenchError."""
    from av.error import FFmpegError

    try:
        yield
    except (FFmpegError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"{path}: cannot be read as video ({reason}); it is damaged, truncated or not a video; fetch or export it again"
        raise ToonbenchError(message) from error


def open_container(file: str | IO[bytes]) -> InputContainer:
    """Open for reading. Raises FFmpeg's errors."""
    import av

    # Only local files: a playlist must not open network connections.
    return av.open(file, mode="r", metadata_errors="replace", container_options={"protocol_whitelist": "file"})


@contextmanager
def opened(path: Path) -> Generator[InputContainer | None]:
    """Open with FFmpeg. None for still and animated images, which Pillow reads better."""
    check_file(path)
    # The prefix keeps FFmpeg from interpreting names such as "concat:a" or "shot%03d.png".
    with loud(path), open_container(f"file:{path}") as container:
        yield None if container.format.name.endswith("_pipe") or container.format.name == "image2" else container


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first video stream that is not a cover picture, set to raise an error at damage instead of concealing it."""
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            if stream.codec_context is None:  # pyright: ignore[reportUnnecessaryComparison]
                raise ToonbenchError(f"{path}: has an unknown codec or is damaged; convert it to H.264 or FFV1")
            stream.codec_context.options = {"err_detect": "explode"}
            return stream
    raise ToonbenchError(f"{path}: holds no video stream (sound only?); give a video")


def decoded(container: InputContainer, path: Path, *, max_frames: int | None = None) -> Iterator[Frame]:
    """Yield the frames of an open container as shown. Check at the end that none is missing."""
    stream = video_stream(container, path)
    convert = Converter(stream, path)
    ends = _Ends(stream, container)
    stored_digest = container.metadata.get(DIGEST_TAG)
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
                raise ToonbenchError(f"{path}: frame {count} has another size; split the file into one video per size")
            shape = pixels.shape
            if stored_digest:
                digest.update(pixels.data)
            ends.add(frame)
            count += 1
            yield pixels
            if count == max_frames:
                return
    if not count:
        raise ToonbenchError(f"{path}: has no frames, so it is truncated or empty; fetch or export it again")
    if missing := ends.missing(count):
        raise ToonbenchError(f"{path}: is damaged or truncated ({missing}); fetch or export it again")
    if stored_digest and stored_digest != digest.hexdigest():
        raise ToonbenchError(f"{path}: its pixels do not match the stored hash; generate it again")


def _check_gif_end(container: InputContainer, path: Path) -> None:
    """FFmpeg reads a truncated GIF as a shorter one; a complete GIF ends with its trailer byte."""
    if container.format.name == "gif" and not path.read_bytes().rstrip(b"\0").endswith(b";"):
        raise ToonbenchError(f"{path}: is truncated (no GIF trailer); fetch or export it again")


class _Ends:
    """Compares the decoded frames and seconds with those that the header states."""

    def __init__(self, stream: VideoStream, container: InputContainer) -> None:
        self.packets = 0
        self.discarded = 0
        self._stated = stream.frames
        self._seconds = _seconds(stream, container)
        self._first: float | None = None
        self._last = 0.0
        self._gap = float(1 / stream.average_rate) if stream.average_rate else 0.0

    def add(self, frame: VideoFrame) -> None:
        """Count a decoded frame."""
        if frame.pts is None:
            return
        if self._first is None:
            self._first = frame.time
        else:
            self._gap = max(self._gap, frame.time - self._last)
        self._last = frame.time

    def missing(self, count: int) -> str:
        """Why the file is too short, or an empty string. Frames hidden by an edit list do not count as missing."""
        if self.packets == self._stated and count + self.discarded < self._stated:
            return f"{count} frames of {self._stated}"
        span = max(self._last, self._last - (self._first or 0.0))
        if self._first is not None and span + 1.75 * self._gap < self._seconds:
            return f"ends at {span:.2f} of {self._seconds:.2f} seconds"
        return ""


def _seconds(stream: VideoStream, container: InputContainer) -> float:
    """Length of the video stream in seconds by its header, 0 if it is not stated."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    with suppress(KeyError, ValueError):
        hours, minutes, seconds = stream.metadata["DURATION"].split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    alone = len(container.streams.get()) == 1
    return container.duration / 1e6 if alone and container.duration else 0.0


class Converter:
    """Decoded frame -> RGB as shown. All frames share one swscale context, which halves the time of large ones."""

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
    frames = int(tag) if tag.isdecimal() else stream.frames
    fps = float(stream.average_rate or stream.guessed_rate or 25)
    if container.format.name == "gif" and frames and seconds:  # FFmpeg gives the shortest of a GIF's delays
        fps = frames / seconds
    codec, pixel_format = stream.codec_context.codec.canonical_name, stream.codec_context.pix_fmt or ""
    first = next(decoded(container, path, max_frames=1))
    return VideoInfo(
        width=first.shape[1],
        height=first.shape[0],
        fps=fps,
        frames=frames,
        seconds=seconds,
        codec=codec,
        pixel_format=pixel_format,
    )
