"""Still and animated images, through Pillow."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toonbench.store import write_bytes
from toonbench.types import Frame, ToonbenchError
from toonbench.video.files import MAX_PIXELS, check_file, check_size, head_of

if TYPE_CHECKING:
    from PIL.Image import Image

HEIF_BRANDS = {
    b"heic": "HEIC", b"heix": "HEIC", b"heim": "HEIC", b"heis": "HEIC", b"hevc": "HEIC", b"hevx": "HEIC", b"mif1": "HEIF",
    b"msf1": "HEIF", b"avif": "AVIF", b"avis": "AVIF",
}  # fmt: skip
RAW = frozenset({".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2"})
_PILLOW_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    NotImplementedError,
    MemoryError,
    struct.error,
    zlib.error,
)


def read_image(path: Path) -> Frame:
    """Read a still image as (h, w, 3) uint8 RGB: EXIF rotation applied, transparency on white, 16-bit grey scaled to 8.

    An animated image gives its first frame. Raises ToonbenchError if it is missing, not an image, damaged, or larger than
    16384 pixels a side or 100 megapixels.
    """
    check_file(path)
    return image_frames(path, first_only=True)[0][0]


def iter_pictures(paths: Sequence[Path]) -> Iterator[Frame]:
    """The frames of a video that is stored as one picture a frame, in this order. Raises ToonbenchError for pictures of another size."""
    first: tuple[int, ...] | None = None
    for path in paths:
        frame = read_image(path)
        if first not in (None, frame.shape):
            raise ToonbenchError(f"{path}: is {_size(frame.shape)}, the pictures before it are {_size(first or ())}")
        first = frame.shape
        yield frame


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]} pixels"


def write_png(path: Path, frame: Frame) -> None:
    """Write one frame, (h, w, 3) uint8 RGB, as PNG."""
    _write_image(path, frame, format="PNG")


def write_jpeg(path: Path, frame: Frame, *, quality: int = 88) -> None:
    """Write one frame, (h, w, 3) uint8 RGB, as JPEG without colour subsampling, for viewing."""
    _write_image(path, frame, format="JPEG", quality=quality, subsampling=0, optimize=True)


def _write_image(path: Path, frame: Frame, **options: Any) -> None:
    from PIL import Image

    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
        raise ToonbenchError(f"{path}: an image must be uint8 (h, w, 3), got {frame.dtype} {frame.shape}")
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(frame)).save(buffer, **options)
    write_bytes(path, buffer.getvalue())


def image_frames(path: Path, *, first_only: bool = False) -> tuple[list[Frame], float]:
    """All frames of a still or animated image and its mean rate, 0 for a still."""
    from PIL import Image

    _with_heif()
    with warnings.catch_warnings():  # Pillow warns about sizes, which are checked here, and about unused metadata
        warnings.simplefilter("ignore")
        try:
            with Image.open(path) as image:
                check_size(image.width, image.height, path)
                count = 1 if first_only else int(getattr(image, "n_frames", 1))
                frames, milliseconds = list[Frame](), 0.0
                for index in range(count):
                    image.seek(index)
                    frames.append(_image_rgb(image, path))
                    milliseconds += float(image.info.get("duration") or 40)
        except Image.DecompressionBombError as error:
            raise ToonbenchError(f"{path}: has more than {MAX_PIXELS // 1_000_000} megapixels; shrink it") from error
        except _PILLOW_ERRORS as error:
            if isinstance(error, Image.UnidentifiedImageError) and (photo := _photo_format(path)):
                raise ToonbenchError(f"{path}: {photo}") from error
            reason = "not an image" if isinstance(error, Image.UnidentifiedImageError) else str(error) or "damaged"
            raise ToonbenchError(f"{path}: cannot be read as image ({reason}); fetch or export it again") from error
    return frames, 1000 * count / milliseconds if count > 1 else 0.0


def is_heif(path: Path) -> bool:
    """Whether a file is a HEIC, HEIF or AVIF photo by its beginning."""
    return bool(_heif(path))


def _heif(path: Path) -> str:
    head = head_of(path)
    return HEIF_BRANDS.get(head[8:12], "") if head[4:8] == b"ftyp" else ""


def _photo_format(path: Path) -> str:
    """What to do with a HEIC, AVIF or raw photo that Pillow does not read; empty for other files."""
    if kind := _heif(path):
        return f"is a {kind} photo, which is not read here: convert it to PNG or JPEG, or run pip install pillow-heif"
    if path.suffix.lower() in RAW:
        return f"is a camera's raw file ({path.suffix}), which is not read here: convert it to PNG or JPEG"
    return ""


def _with_heif() -> None:
    """Let Pillow read HEIC where the package pillow-heif is installed."""
    if find_spec("pillow_heif") is not None:
        import_module("pillow_heif").register_heif_opener()


def _image_rgb(image: Image, path: Path) -> Frame:
    from PIL import ImageOps

    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):  # 16-bit grey; convert() would clip it to white
        grey = np.asarray(upright).astype(np.int64)
        grey = (np.clip(grey, 0, 65535) * 255 + 32767) // 65535
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    if upright.mode == "F":
        raise ToonbenchError(f"{path}: holds floating-point pixels of unknown range; export it with 8 or 16 bits")
    if upright.has_transparency_data:
        return on_white(np.asarray(upright.convert("RGBA")))
    return np.array(upright.convert("RGB"))


def on_white(rgba: Frame) -> Frame:
    """RGBA drawn over white, rounded to 8 bits."""
    colour, alpha = rgba[..., :3].astype(np.uint16), rgba[..., 3:].astype(np.uint16)
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
