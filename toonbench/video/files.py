"""Checks that every reader makes before it opens a file."""

from __future__ import annotations

from pathlib import Path

from toonbench.types import ToonbenchError

MAX_SIDE = 16_384
MAX_PIXELS = 100_000_000


# The first characters of a file, lower case and without leading white space, and what it is.
TEXTS = {
    "version https://git-lfs.github.com/spec/": "is a Git LFS pointer, not the file itself: run git lfs pull in its repository",
    "<!doctype html": "is a web page: open the address in a browser, look for a login, and download the file itself",
    "<html": "is a web page: open the address in a browser, look for a login, and download the file itself",
    "#extm3u": "is a playlist, which names other files or addresses: give the video itself",
    "ffconcat version": "is a list of files for FFmpeg: give the video itself",
    "[playlist]": "is a playlist, which names other files or addresses: give the video itself",
    "<smil": "is a playlist, which names other files or addresses: give the video itself",
    "<asx": "is a playlist, which names other files or addresses: give the video itself",
    "<mpd": "is a DASH manifest, which names other files or addresses: give the video itself",
}
XML = "<?xml"


def disguise(head: bytes) -> str:
    """What a file is instead of media or weights and what to do, by its first 512 bytes or fewer; empty if they do not tell."""
    text = head[:512].lstrip(b"\xef\xbb\xbf \t\r\n").decode("latin-1").lower()
    if text.startswith(XML):
        text = text.partition("?>")[2].lstrip()
    return next((what for start, what in TEXTS.items() if text.startswith(start)), "")


def head_of(path: Path) -> bytes:
    """The first 512 bytes of a file."""
    with path.open("rb") as stream:
        return stream.read(512)


def check_file(path: Path) -> None:
    """Raise ToonbenchError unless `path` is a regular, non-empty file that can be media by its beginning."""
    if path.is_dir():
        raise ToonbenchError(f"{path}: is a folder, expected a file; name a file in it")
    if not path.exists():
        raise ToonbenchError(f"{path}: no such file; check the path")
    if not path.is_file():
        raise ToonbenchError(f"{path}: is not a regular file; copy its content to one")
    if path.stat().st_size == 0:
        raise ToonbenchError(f"{path}: is empty (0 bytes); fetch or export it again")
    try:
        head = head_of(path)
    except OSError as error:
        raise ToonbenchError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    if what := disguise(head):
        raise ToonbenchError(f"{path}: {what}")


def check_size(width: int, height: int, path: Path) -> None:
    """Raise ToonbenchError for images so large that decoding them would fill the memory."""
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        limit = f"{MAX_SIDE} a side and {MAX_PIXELS // 1_000_000} megapixels"
        raise ToonbenchError(f"{path}: is {width}x{height} pixels, more than {limit}; shrink it first")
