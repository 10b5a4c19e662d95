"""Write videos: lossless for measuring, H.264 for viewing."""

from __future__ import annotations

import errno
import hashlib
import io
import itertools
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, cast

import numpy as np

from toonbench.store import partial_file, write_bytes, writing
from toonbench.types import Frame, Frames, ToonbenchError
from toonbench.video.read import COUNT_TAG, DIGEST_TAG, decoded, loud, open_container

if TYPE_CHECKING:
    from av.video.stream import VideoStream

Codec = Literal["ffv1", "ffv1-fast", "h264"]
SHORT = 64  # frames that are encoded in memory

_LOSSLESS: dict[Codec, tuple[str, dict[str, str]]] = {
    "ffv1": ("ffv1", {"level": "3", "coder": "1", "g": "1", "slicecrc": "1"}),
    "ffv1-fast": ("ffv1", {"level": "3", "coder": "rice", "g": "1", "slicecrc": "1"}),
    "h264": ("libx264rgb", {"qp": "0", "preset": "veryslow", "g": "50"}),
}
_VIEWING = {"crf": "18", "preset": "medium"}
# For pages: no frames out of order, so that frame k is shown at k / fps, and a key frame every 12, so that seeking is fast.
_WEB = {"crf": "20", "preset": "veryfast", "bf": "0", "g": "12", "profile": "high"}


def write_lossless(path: Path, frames: Frames, *, fps: float, codec: Codec = "ffv1") -> None:
    """Write RGB frames bit-exactly to Matroska. They are decoded and compared before the file gets its name.

    The same frames give the same bytes. FFV1 is smaller for camera images, `codec="h264"` (x264 RGB, quantiser 0) for smooth
    rendered ones; "ffv1-fast" (Golomb-Rice codes) needs 0.7 of FFV1's time and 1.05 of its bytes. The hash of the pixels is
    stored in the file and checked when all frames are read.
    """
    _check_frames(frames, fps)
    encoder, options = _LOSSLESS[codec]
    digest = hashlib.sha256(np.ascontiguousarray(frames).data).hexdigest()
    tags = {DIGEST_TAG: digest, COUNT_TAG: str(len(frames))}
    data = _encode(path, frames, width=frames.shape[2], height=frames.shape[1], fps=fps, container="matroska", codec=encoder,
                   pixels="bgr0", options=options, tags=tags)  # fmt: skip
    with loud(path), open_container(io.BytesIO(data)) as container:
        read = sum(np.array_equal(got, put) for got, put in zip(decoded(container, path), frames, strict=True))
    if read != len(frames):
        raise ToonbenchError(f"{path}: {encoder} returned {read} of {len(frames)} frames unchanged; use another codec")
    write_bytes(path, data)


def write_lossless_chunks(path: Path, chunks: Iterable[Frames], *, fps: float, codec: Codec = "ffv1") -> int:
    """Write chunks of RGB frames as `write_lossless` does, in the memory of one chunk; return the number of frames.

    The bytes depend on the frames alone, not on how they are cut. A video of at most SHORT frames has those of `write_lossless`. A
    longer one is encoded into a partial file, which is copied with its checksum and read once more before it gets its name.
    """
    source, short, held = iter(chunks), list[Frames](), 0
    for chunk in source:
        short.append(chunk)
        held += len(chunk)
        if held > SHORT:
            break
    if not held:
        raise ToonbenchError(f"{path}: a video needs at least one frame")
    if held <= SHORT:
        write_lossless(path, np.concatenate(short), fps=fps, codec=codec)
        return held
    first = short[0]
    encoder, options = _LOSSLESS[codec]
    hashed = _Hashed(itertools.chain(short, source), like=first, fps=fps)
    with writing(path) as final, partial_file(path) as raw:
        height, width = first.shape[1:3]
        _encode_into(path, str(raw), hashed, width=width, height=height, fps=fps, container="matroska", codec=encoder,
                     pixels="bgr0", options=options)  # fmt: skip
        tags = {DIGEST_TAG: hashed.digest.hexdigest(), COUNT_TAG: str(hashed.count)}
        with loud(path):
            _copy_with_tags(str(raw), final, tags)
        with loud(path), open_container(str(final)) as container:
            read = sum(1 for _ in decoded(container, path))  # raises if the pixels do not have their checksum
    if read != hashed.count:
        raise ToonbenchError(f"{path}: {encoder} returned {read} of {hashed.count} frames; use another codec")
    return hashed.count


class _Hashed:
    """The frames of chunks one by one, counted, checked and hashed on the way."""

    def __init__(self, chunks: Iterable[Frames], *, like: Frames, fps: float) -> None:
        self._chunks, self._like, self._fps = chunks, like, fps
        self.digest = hashlib.sha256()
        self.count = 0

    def __iter__(self) -> Iterator[Frame]:
        for chunk in self._chunks:
            _check_frames(chunk, self._fps)
            if chunk.shape[1:] != self._like.shape[1:]:
                raise ToonbenchError(
                    f"a chunk has frames of {chunk.shape[1:]}, the first one had {self._like.shape[1:]}"
                )
            self.digest.update(np.ascontiguousarray(chunk).data)
            self.count += len(chunk)
            yield from chunk


def _copy_with_tags(source: str, target: Path, tags: dict[str, str]) -> None:
    """The packets of one file in another one with `tags`, neither decoded nor encoded."""
    import av

    options = {"fflags": "+bitexact"}
    with (
        open_container(source) as one,
        av.open(str(target), "w", format="matroska", container_options=options) as other,
    ):
        other.metadata.update(tags)
        stream = one.streams.video[0]
        copied = other.add_stream_from_template(stream)
        for packet in one.demux(stream):
            if packet.dts is not None:
                packet.stream = copied
                other.mux(packet)


def write_for_viewing(path: Path, frames: Frames, *, fps: float) -> None:
    """Write an H.264 MP4 that every player shows; do not measure it. Odd sizes repeat their last row or column."""
    _check_frames(frames, fps)
    _, height, width, _ = frames.shape
    padded = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    data = _encode(path, padded, width=padded.shape[2], height=padded.shape[1], fps=fps, container="mp4", codec="libx264",
                   pixels="yuv420p", options=_VIEWING)  # fmt: skip
    write_bytes(path, data)


def write_viewable(path: Path, frames: Iterable[Frame], *, fps: float, tags: dict[str, str] | None = None) -> int:
    """`write_for_viewing` of at least one frame at a time, in the memory of one; return the number of frames.

    `tags` are metadata of the file.
    """
    source, count = iter(frames), 0
    first = next(source)
    height, width, _ = first.shape

    def padded() -> Iterator[Frame]:
        nonlocal count
        for frame in itertools.chain([first], source):
            count += 1
            yield np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")

    with writing(path) as temporary:
        _encode_into(path, str(temporary), padded(), width=width + width % 2, height=height + height % 2, fps=fps,
                     container="mp4", codec="libx264", pixels="yuv420p", options=_VIEWING, tags=tags)  # fmt: skip
    return count


def write_web_mp4(path: Path, frames: Iterable[Frame], *, fps: float) -> int:
    """Write at least one frame as an H.264 MP4 (4:2:0) for pages, with its index at the start of the file; return how many.

    Frame k is shown from k / fps on. Odd sizes repeat their last row or column: nothing is scaled. The same frames give the same bytes.
    """
    source, count = iter(frames), 0
    first = next(source)
    height, width, _ = first.shape

    def padded() -> Iterator[Frame]:
        nonlocal count
        for frame in itertools.chain([first], source):
            count += 1
            yield np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")

    with writing(path) as temporary:
        _encode_into(path, str(temporary), padded(), width=width + width % 2, height=height + height % 2, fps=fps,
                     container="mp4", codec="libx264", pixels="yuv420p", options=_WEB, faststart=True)  # fmt: skip
    return count


def write_exact_mp4(path: Path, frames: Iterable[Frame], *, fps: float) -> None:
    """Write RGB frames bit-exactly as H.264 (RGB, quantiser 0) in MP4, which readers based on FFmpeg decode; streaming."""
    source = iter(frames)
    first = next(source)
    height, width, _ = first.shape
    with writing(path) as temporary:
        _encode_into(path, str(temporary), itertools.chain([first], source), width=width, height=height, fps=fps,
                     container="mp4", codec="libx264rgb", pixels="bgr0", options={"qp": "0", "preset": "fast"})  # fmt: skip


def write_film(path: Path, frames: Iterable[Frame], *, fps: int, width: int, height: int) -> int:
    """Write RGB frames, (height, width, 3) of even sides, as an H.264 MP4 (BT.709, 4:2:0, crf 18); return how many.

    Takes one frame at a time, for films that do not fit in memory. The file gets its name when it is complete. The
    same frames give the same bytes. Raises ToonbenchError for odd or changing sizes, no frames, and a path that cannot
    be written.
    """
    if width % 2 or height % 2:
        raise ToonbenchError(f"{path}: a film's sides must be even, got {width}x{height}")
    count = 0

    def checked() -> Iterator[Frame]:
        nonlocal count
        for frame in frames:
            if frame.shape != (height, width, 3):
                raise ToonbenchError(f"{path}: frame {count} is {frame.shape}, not {(height, width, 3)}")
            count += 1
            yield frame

    options = {"crf": "18", "preset": "veryfast"}
    data = _encode(path, checked(), width=width, height=height, fps=fps, container="mp4", codec="libx264", pixels="yuv420p",
                   options=options)  # fmt: skip
    if not count:
        raise ToonbenchError(f"{path}: a film needs at least one frame")
    write_bytes(path, data)
    return count


def _check_frames(frames: Frames, fps: float) -> None:
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or not frames.size:
        raise ToonbenchError(f"video frames must be uint8 (t, h, w, 3) with t >= 1, got {frames.dtype} {frames.shape}")
    if not 0 < fps <= 1000:
        raise ToonbenchError(f"frames per second must lie in (0, 1000], got {fps}")


def _encode(
    path: Path,
    frames: Iterable[Frame],
    *,
    width: int,
    height: int,
    fps: float,
    container: str,
    codec: str,
    pixels: str,
    options: dict[str, str],
    tags: dict[str, str] | None = None,
) -> bytes:
    """Encode in memory; see `_encode_into`."""
    buffer = io.BytesIO()
    _encode_into(path, buffer, frames, width=width, height=height, fps=fps, container=container, codec=codec, pixels=pixels,
                 options=options, tags=tags)  # fmt: skip
    return buffer.getvalue()


def _encode_into(
    path: Path,
    target: IO[bytes] | str,
    frames: Iterable[Frame],
    *,
    width: int,
    height: int,
    fps: float,
    container: str,
    codec: str,
    pixels: str,
    options: dict[str, str],
    tags: dict[str, str] | None = None,
    faststart: bool = False,
) -> None:
    """Encode into a file. Bit-exact flags leave out dates and random ids; one thread gives the same bytes on every machine."""
    import av
    from av.codec.context import Flags
    from av.error import FFmpegError
    from av.video.reformatter import VideoReformatter

    reformatter = VideoReformatter()
    muxing = {"fflags": "+bitexact", **({"movflags": "+faststart"} if faststart else {})}
    try:
        with av.open(target, "w", format=container, container_options=muxing) as output:
            output.metadata.update(tags or {})
            rate = Fraction(fps).limit_denominator(1001)
            stream = cast("VideoStream", output.add_stream(codec, rate=rate, options=options))
            stream.width, stream.height, stream.pix_fmt = width, height, pixels
            stream.codec_context.flags |= Flags.bitexact
            stream.codec_context.thread_count = 1
            colours = _tag_bt709(stream) if pixels == "yuv420p" else {}
            for index, array in enumerate(frames):
                rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format="rgb24")
                frame = reformatter.reformat(rgb, format=pixels, **colours)
                frame.pts = index
                output.mux(stream.encode(frame))
            output.mux(stream.encode())
    except (FFmpegError, ValueError) as error:
        if isinstance(error, FFmpegError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(error.errno, error.strerror) from error  # `writing` says what to do
        raise ToonbenchError(f"{path}: cannot be encoded as {codec} ({error})") from error


def _tag_bt709(stream: VideoStream) -> dict[str, int]:
    """Store the matrix of the RGB to YUV conversion in the file and return it; without it players guess."""
    from av.video.reformatter import ColorRange, Colorspace

    context = stream.codec_context
    context.colorspace = context.color_primaries = context.color_trc = 1
    context.color_range = int(ColorRange.MPEG)
    return {"dst_colorspace": int(Colorspace.ITU709), "dst_color_range": int(ColorRange.MPEG)}
