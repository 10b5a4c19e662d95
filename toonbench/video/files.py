"""Checks that every reader makes before it opens a file."""

from __future__ import annotations

from pathlib import Path

from toonbench.types import ToonbenchError

MAX_SIDE = 16_384
MAX_PIXELS = 100_000_000


def check_file(path: Path) -> None:
    """Raise ToonbenchError unless `path` is a regular, non-empty file."""
    if path.is_dir():
        raise ToonbenchError(f"{path}: is a folder, expected a file; name a file in it")
    if not path.exists():
        raise ToonbenchError(f"{path}: no such file; check the path")
    if not path.is_file():
        raise ToonbenchError(f"{path}: is not a regular file; copy its content to one")
    if path.stat().st_size == 0:
        raise ToonbenchError(f"{path}: is empty (0 bytes); fetch or export it again")


def check_size(width: int, height: int, path: Path) -> None:
    """Raise ToonbenchError for images so large that decoding them would fill the memory."""
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        limit = f"{MAX_SIDE} a side and {MAX_PIXELS // 1_000_000} megapixels"
        raise ToonbenchError(f"{path}: is {width}x{height} pixels, more than {limit}; shrink it first")
