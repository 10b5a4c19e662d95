"""Text as a terminal may show it: one place that escapes what a terminal would interpret, for everything that is printed."""

from __future__ import annotations

import codecs
import os
import re
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Control characters without tab and line break, marks that change the direction of text, invisible characters, and halves of
# characters (the undecodable bytes of a file name). Joiners (U+200C, U+200D) stay: names in Persian and emoji have them.
UNSHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
BREAKS = re.compile(r"\n(?!  )|\t")  # a line break before two spaces begins an item of a list
PLAIN = str.maketrans(
    {"↑": "^", "↓": "v", "—": "-", "–": "-", "…": "~", "×": "x", "±": "~", "·": "-", "→": ">", "−": "-"}
)


def legible(text: str) -> str:
    """`text` with escapes (as JSON writes them) for characters that a terminal interprets or does not show."""
    return UNSHOWN.sub(_escaped, text)


def one_line(text: str) -> str:
    """`legible` text in which line breaks and tabs are escaped, too, unless they begin an item of a list."""
    return BREAKS.sub(_escaped, legible(text))


def _escaped(found: re.Match[str]) -> str:
    return _escape(found[0])


def _escape(text: str) -> str:
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _for_narrow_encodings(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return _escape(error.object[error.start : error.end]), error.end


ESCAPE = "toonbench.escape"  # the error handler of streams: characters that the encoding lacks, as escapes
codecs.register_error(ESCAPE, _for_narrow_encodings)


class LegibleStream:
    """A text stream that escapes what a terminal would interpret. `raw` is the stream below it."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def write(self, text: str) -> int:
        """Write `legible` text; return the length of the given text."""
        self.raw.write(legible(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)


@contextmanager
def legible_streams() -> Generator[None]:
    """Standard output and error as `LegibleStream`, which can write every character in any encoding, while the block runs.

    A closed stream is replaced by one that drops what it is given.
    """
    before = sys.stdout, sys.stderr
    given = tuple(_opened(stream) for stream in before)
    sys.stdout, sys.stderr = (LegibleStream(stream) for stream in given)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = given


def _opened(stream: Any) -> Any:
    if stream is None:  # closed by the shell
        stream = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - lives as long as the process
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors=ESCAPE)
    return stream
