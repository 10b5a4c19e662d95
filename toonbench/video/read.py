"""Read videos: decode, probe, detect damage."""

from __future__ import annotations

import errno
import functools
import hashlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import numpy as np

from toonbench.types import Frame, Frames, ToonbenchError
from toonbench.video.convert import Converter, Deinterlacer
from toonbench.video.files import check_file
from toonbench.video.image import image_frames, is_heif
from toonbench.video.timing import Ends, Timing, read_timing, stated_seconds

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

# Formats that open other files, or connections: a video from outside must not choose what is read.
REFERRING = frozenset(
    {
        "applehttp",
        "avisynth",
        "concat",
        "dash",
        "hls",
        "imf",
        "lavfi",
        "rtsp",
        "sdp",
        "vapoursynth",
        "webm_dash_manifest",
    }
)
# Matroska tags of our own lossless files: the hash of their pixels, and how many frames they hold.
DIGEST_TAG = "TOONBENCH_SHA256"
COUNT_TAG = "TOONBENCH_FRAMES"
OWN_PIXELS = ("bgr0", "gbrp")  # the pixel formats of those files
HELD = 3_000_000  # pixels of a frame, above which a lazy one that is reduced does not keep what was decoded


@dataclass(frozen=True, slots=True)
class Video:
    """Decoded frames, (t, h, w, 3) uint8 RGB, and their mean rate in frames per second (0 for a still image)."""

    frames: Frames
    fps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoInfo:
    """What a file states before its frames are decoded.

    Sizes are those of the shown frames; `frames` and `seconds` are 0 if the header does not state them. `fps` is the
    stated rate where the timestamps agree with it, otherwise the mean rate of the timestamps, and 0 where there are none.
    `uneven` counts the gaps between frames that differ from the usual one by more than half of it.
    """

    width: int
    height: int
    fps: float
    frames: int
    seconds: float
    codec: str
    pixel_format: str
    uneven: int = 0


@dataclass(slots=True)
class Conversions:
    """What was done to frames so that they are as shown; filled in while a video is decoded."""

    frames: int = 0
    interlaced: int = 0
    hdr: str = ""

    def lines(self) -> list[str]:
        """A line about each kind of conversion that a user should know of."""
        lines = [f"interlaced: {self.interlaced} of {self.frames} frames were deinterlaced"] if self.interlaced else []
        return [*lines, *([f"HDR ({self.hdr}): tone-mapped to BT.709"] if self.hdr else [])]


def read_video(path: Path, *, max_frames: int | None = None) -> Video:
    """Decode a whole video (or its first `max_frames`); any format of FFmpeg or Pillow.

    Raises ToonbenchError, which names the file, if it is missing, not a video, damaged, or shorter than its header states.
    """
    frames = list(iter_frames(path, max_frames=max_frames))
    return Video(frames=np.stack(frames), fps=probe(path).fps)


def iter_frames(
    path: Path,
    *,
    max_frames: int | None = None,
    longest: int | None = None,
    conversions: Conversions | None = None,
) -> Iterator[Frame]:
    """Yield the frames of a video one by one, (h, w, 3) uint8 RGB, in constant memory. Raises as `read_video` does.

    `longest` reduces larger frames as they are decoded, so that their longer side has this many pixels; the hash of our own lossless
    files is not checked then, and images (GIF, WebP, ...) keep their size. `conversions` is filled in as the frames are decoded.
    """
    if max_frames is not None and max_frames < 1:
        raise ToonbenchError(f"{path}: max_frames is {max_frames}, must be 1 or more")
    with opened(path) as container:
        still = container is None
        if container is not None:
            _check_gif_end(container, path)
            yield from decoded(container, path, max_frames=max_frames, longest=longest, conversions=conversions)
    if still:
        yield from image_frames(path)[0][:max_frames]


class LazyFrame:
    """A decoded frame whose pixels are converted to RGB when they are first used."""

    __slots__ = ("_convert", "_pixels")

    def __init__(self, pixels: Frame | None = None, *, convert: Callable[[], Frame] | None = None) -> None:
        self._pixels, self._convert = pixels, convert

    @property
    def pixels(self) -> Frame:
        """(h, w, 3) uint8 RGB, as `iter_frames` gives it."""
        if self._pixels is None:
            self._pixels, self._convert = cast("Callable[[], Frame]", self._convert)(), None
        return self._pixels


def iter_lazy_frames(path: Path, *, longest: int | None = None) -> Iterator[LazyFrame]:
    """As `iter_frames`, for a user who needs the pixels of few frames. The hash of our own lossless files is not checked.

    Where `longest` reduces a frame of more than HELD pixels it is converted at once, so that a user may keep many of them.
    """
    with opened(path) as container:
        still = container is None
        if container is not None:
            _check_gif_end(container, path)
            yield from _lazy(container, path, longest=longest)
    if still:
        yield from map(LazyFrame, image_frames(path)[0])


def pixels_of(frame: Frame | LazyFrame) -> Frame:
    """The pixels of a frame, (h, w, 3) uint8 RGB."""
    return frame.pixels if isinstance(frame, LazyFrame) else frame


def probe(path: Path) -> VideoInfo:
    """Read the header, the timestamps and the first frame. Later damage is not detected."""
    if info := _info(path):
        return info
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
        if getattr(error, "errno", 0) in (errno.EAGAIN, errno.ENOMEM):  # of this machine, not of the file
            raise ToonbenchError(
                f"{path}: cannot be read now ({reason}): this process may not take more memory or threads; raise its limit, or "
                "use fewer --workers"
            ) from error
        message = f"{path}: cannot be read as video ({reason}); it is damaged, truncated or not a video; fetch or export it again"
        raise ToonbenchError(message) from error


def open_container(file: str | IO[bytes]) -> InputContainer:
    """Open for reading. Raises FFmpeg's errors."""
    import av

    options = {"protocol_whitelist": "file", "format_whitelist": _formats()}
    return av.open(file, mode="r", metadata_errors="replace", container_options=options)


@functools.cache
def _formats() -> str:
    """FFmpeg's names of all formats but those whose files name other files or addresses."""
    import av

    return ",".join(sorted(set(av.formats_available) - REFERRING))


@contextmanager
def opened(path: Path) -> Generator[InputContainer | None]:
    """Open with FFmpeg. None for still and animated images, which Pillow reads better."""
    check_file(path)
    if is_heif(path):  # FFmpeg reads one tile of a photo
        yield None
        return
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


def own_tag(container: InputContainer, stream: VideoStream, name: str) -> str:
    """A tag of our own lossless files, or nothing: FFmpeg copies tags into files that it encodes again, in a format of its own."""
    return container.metadata.get(name, "") if stream.codec_context.pix_fmt in OWN_PIXELS else ""


def decoded(
    container: InputContainer,
    path: Path,
    *,
    max_frames: int | None = None,
    longest: int | None = None,
    conversions: Conversions | None = None,
) -> Iterator[Frame]:
    """Yield the frames of an open container as shown; see `iter_frames`. Check at the end that none is missing."""
    stream = video_stream(container, path)
    convert, deinterlace, ends = Converter(stream, path, longest=longest), Deinterlacer(stream), Ends(stream, container)
    stored_digest = own_tag(container, stream, DIGEST_TAG) if longest is None else ""
    digest = hashlib.sha256()
    shape: tuple[int, ...] = ()
    count = 0
    for frame in _frames(container, stream, deinterlace, ends, path=path):
        pixels = convert(frame)
        if shape not in ((), pixels.shape):
            raise _other_size(path, count)
        shape = pixels.shape
        if stored_digest:
            digest.update(pixels.data)
        count += 1
        if conversions:
            conversions.frames, conversions.interlaced, conversions.hdr = count, deinterlace.interlaced, convert.hdr
        yield pixels
        if count == max_frames:
            return
    _check_end(path, count, ends)
    if stored_digest and stored_digest != digest.hexdigest():
        raise ToonbenchError(
            f"{path}: its pixels do not match the stored hash; generate it again, or, if another program made it from such a file, "
            f"remove the tag {DIGEST_TAG} (ffmpeg -i IN -map_metadata -1 -c copy OUT)"
        )


def _lazy(container: InputContainer, path: Path, *, longest: int | None) -> Iterator[LazyFrame]:
    stream = video_stream(container, path)
    convert, deinterlace, ends = Converter(stream, path, longest=longest), Deinterlacer(stream), Ends(stream, container)
    size: tuple[int, ...] = ()
    count = 0
    for frame in _frames(container, stream, deinterlace, ends, path=path):
        if size not in ((), (frame.width, frame.height)):
            raise _other_size(path, count)
        size = (frame.width, frame.height)
        count += 1
        is_large = longest is not None and frame.width * frame.height > HELD
        yield LazyFrame(convert(frame)) if is_large else LazyFrame(convert=functools.partial(convert, frame))
    _check_end(path, count, ends)


def _other_size(path: Path, count: int) -> ToonbenchError:
    return ToonbenchError(f"{path}: frame {count} has another size; split the file into one video per size")


def _check_end(path: Path, count: int, ends: Ends) -> None:
    if not count:
        raise ToonbenchError(f"{path}: has no frames, so it is truncated or empty; fetch or export it again")
    if missing := ends.missing():
        raise ToonbenchError(f"{path}: is damaged or truncated ({missing}); fetch or export it again")


def _frames(
    container: InputContainer, stream: VideoStream, deinterlace: Deinterlacer, ends: Ends, *, path: Path
) -> Iterator[VideoFrame]:
    """The decoded frames, interlaced ones deinterlaced."""
    for packet in container.demux(stream):
        ends.add_packet(packet)
        for frame in packet.decode():
            if frame.is_corrupt:
                raise ToonbenchError(f"{path}: frame {ends.count} is damaged; fetch or export the file again")
            ends.add(frame)
            yield from deinterlace.add(frame)
    yield from deinterlace.finish()


def _check_gif_end(container: InputContainer, path: Path) -> None:
    """FFmpeg reads a truncated GIF as a shorter one; a complete GIF ends with its trailer byte."""
    if container.format.name == "gif" and not path.read_bytes().rstrip(b"\0").endswith(b";"):
        raise ToonbenchError(f"{path}: is truncated (no GIF trailer); fetch or export it again")


def _info(path: Path) -> VideoInfo | None:
    with opened(path) as container:
        if container is None:
            return None
        stream = video_stream(container, path)
        seconds, tag = stated_seconds(stream, container), own_tag(container, stream, COUNT_TAG)
        frames = int(tag) if tag.isdecimal() else stream.frames
        timing = Timing(float(stream.average_rate or 0)) if tag else None
        codec, pixel_format = stream.codec_context.codec.canonical_name, stream.codec_context.pix_fmt or ""
        first = next(decoded(container, path, max_frames=1))
    timing = timing or _timing(path)
    return VideoInfo(
        width=first.shape[1],
        height=first.shape[0],
        fps=timing.fps,
        frames=frames,
        seconds=seconds,
        codec=codec,
        pixel_format=pixel_format,
        uneven=timing.uneven,
    )


def _timing(path: Path) -> Timing:
    """The timing of a video file; it is opened again, because all of it is read."""
    with opened(path) as container:
        return Timing(0.0) if container is None else read_timing(container, video_stream(container, path))
