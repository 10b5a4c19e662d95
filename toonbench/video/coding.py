"""The codec of a video, and whether it can be lossless."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from toonbench.video.read import DIGEST_TAG, opened, own_tag, video_stream

if TYPE_CHECKING:
    from av import VideoFormat
    from av.video.codeccontext import VideoCodecContext

Loss = Literal["lossless", "lossy", "unknown"]

# Lossy and lossless files exist and the header does not distinguish them; FFmpeg's own list counts VP9 as lossy.
_EITHER = frozenset({"vp9", "hevc", "av1", "jpeg2000", "webp"})
_LOSSLESS_IMAGES = frozenset({"PNG", "BMP", "TIFF", "PPM", "TGA"})
_LOSSY_IMAGES = frozenset({"JPEG", "MPO", "GIF"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """A file's codec and pixel format as FFmpeg names them, its mean rate (0 for images), and whether RGB frames survive.

    "unknown" if the codec and pixel format allow both and the header does not distinguish them (VP9, HEVC or AV1 in RGB).
    """

    codec: str
    pixel_format: str
    fps: float
    loss: Loss


def coding(path: Path) -> Coding:
    """Read a video's header without decoding frames. Raises ToonbenchError as `read_video` does.

    8-bit YUV cannot represent all RGB colours, so it is lossy for every codec; palettes and fewer than 8 bits are lossy, too.
    H.264 is lossless if its sequence parameters bypass the transform (x264: qp 0 or crf 0). Files made by
    `write_lossless` store a hash of their pixels, which marks them as lossless.
    """
    with opened(path) as container:
        if container is None:
            return _image(path)
        stream = video_stream(container, path)
        context = stream.codec_context
        fps = float(stream.average_rate or stream.guessed_rate or 0)
        return Coding(
            codec=context.codec.canonical_name,
            pixel_format=context.pix_fmt or "",
            fps=fps,
            loss="lossless" if own_tag(container, stream, DIGEST_TAG) else _loss(context),
        )


def _loss(context: VideoCodecContext) -> Loss:
    import av

    name, codec = context.codec.canonical_name, context.codec
    if name == "gif" or (context.pix_fmt and not _holds_rgb(av.VideoFormat(context.pix_fmt))):
        return "lossy"
    if name == "h264":
        return "lossless" if _bypasses_transform(context.extradata or b"") else "lossy"
    if name in _EITHER or codec.lossy == codec.lossless:
        return "unknown"
    return "lossy" if codec.lossy else "lossless"


def _holds_rgb(pixels: VideoFormat) -> bool:
    """Whether this format keeps 8-bit RGB unchanged: 8-bit RGB or grey, or YUV 4:4:4 with 10 bits or more."""
    if pixels.has_palette or min(component.bits for component in pixels.components) < 8:
        return False
    if pixels.is_rgb or len(pixels.components) <= 2:
        return True
    subsampled = pixels.chroma_width(64) < 64 or pixels.chroma_height(64) < 64
    return not subsampled and pixels.components[0].bits > 8


def _bypasses_transform(extradata: bytes) -> bool:
    """Whether an H.264 header has `qpprime_y_zero_transform_bypass_flag` (ITU-T H.264, 7.3.2.1.1), which x264 sets at qp 0.

    `extradata` holds the sequence parameter set either in an avcC record or after a start code.
    """
    at = 8 if extradata[:1] == b"\x01" else extradata.find(b"\x00\x00\x01") + 3
    header = extradata[at : at + 24]
    if len(header) < 8 or header[0] & 0x1F != 7 or header[1] != 244:  # 244: High 4:4:4 Predictive, which has the flag
        return False
    bits = iter("".join(f"{byte:08b}" for byte in header[4:]))
    _golomb(bits)  # id of the set
    if _golomb(bits) == 3:  # chroma 4:4:4
        next(bits)  # separate planes
    _golomb(bits)  # bits of luma
    _golomb(bits)  # bits of chroma
    return next(bits) == "1"


def _golomb(bits: Iterator[str]) -> int:
    """The next exponential Golomb code."""
    zeros = 0
    while next(bits) == "0":
        zeros += 1
    return int("1" + "".join(next(bits) for _ in range(zeros)), 2) - 1


def _image(path: Path) -> Coding:
    """Stills and animated images, which Pillow reads."""
    from PIL import Image

    with Image.open(path) as image:
        kind, mode = image.format or "", image.mode
    loss: Loss = "lossless" if kind in _LOSSLESS_IMAGES else "lossy" if kind in _LOSSY_IMAGES else "unknown"
    return Coding(codec=kind.lower(), pixel_format=mode.lower(), fps=0.0, loss=loss)
