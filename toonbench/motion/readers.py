"""Which reader reads which video: the face landmarker photographs, the network drawings and everything generated.

| driving video | source | driving video's reader | output's reader |
|---|---|---|---|
| real | real or cartoon | photographs | drawings |
| cartoon | real | drawings | photographs |
| cartoon | cartoon | drawings | drawings |

The readers are different networks. The one of drawings learned puppets from their exact motion, and real faces from what the face
landmarker reads of other videos, so an error of the landmarker on photographs may be on both sides. Where both videos are drawn
one reader reads both, and its errors are common to both sides.
"""

from __future__ import annotations

from typing import Literal

from toonbench.networks.curves import WIDTH, Curves
from toonbench.types import Domain

Reader = Literal["photographs", "drawings"]
READERS: tuple[Reader, Reader] = ("photographs", "drawings")


def reader_of_driving(driving: Domain) -> Reader:
    """The reader of a driving video."""
    return "photographs" if driving == "real" else "drawings"


def reader_of_output(source: Domain, driving: Domain) -> Reader:
    """The reader of an output: never the driving video's, except where both videos are drawn."""
    return "photographs" if (source, driving) == ("real", "cartoon") else "drawings"


def other(reader: Reader) -> Reader:
    """The other one of READERS."""
    return "drawings" if reader == "photographs" else "photographs"


def by(reader: Reader, both: Curves) -> Curves:
    """One reader's curves out of those by both READERS, (frames, 2 * WIDTH)."""
    start = READERS.index(reader) * WIDTH
    return both[:, start : start + WIDTH]
