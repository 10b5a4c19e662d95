"""The row of one video: what `measure` writes and `findings` reads."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

import numpy as np

from toonbench.types import Rows, ToonbenchError

VERSION = 2
"""Of the rows: a new number whenever what `measure` writes changes, so that rows of two kinds never meet."""
CODECS = (
    "another codec", "h264", "hevc", "vp8", "vp9", "av1", "mpeg1video", "mpeg2video", "mpeg4", "mjpeg", "gif", "jpeg",
    "webp", "theora", "wmv2", "wmv3", "vc1", "prores", "dnxhd", "jpeg2000", "ffv1", "huffyuv", "ffvhuff", "utvideo",
    "magicyuv", "png", "apng", "qtrle", "rawvideo",
)  # fmt: skip
"""What `Measured.codec` counts through; new ones go to the end, so that stored rows keep their meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One video against its source, its driver and its exact answer; NaN where something cannot be told.

    Colours are compared with the reference: the exact answer, or the source where there is none. `swapped`, `crushed`,
    `wrapped`, `washed` and `stretched` say how much nearer the video's colours are to the damaged reference than to the
    reference itself, over the distance of these two: -1 not damaged, 1 damaged in exactly this way. `late_1` and its
    like say how much better the motion fits when the video is taken as so many frames late, on the same scale.
    Colour distances are in grey levels of 0 to 255.
    """

    lossy: float  # 1 coded with loss, 0 without, NaN not to be told
    codec: float  # its place in CODECS
    fps: float
    frames: float
    width: float
    height: float
    expected_fps: float  # of the driver; NaN for an image
    expected_frames: float  # of the driver
    expected_width: float  # of the source
    expected_height: float
    swapped: float  # red for blue; NaN for nearly grey references
    crushed: float  # [-1, 1] written as [0, 1], what lies below 0 cut
    wrapped: float  # the same, what lies below 0 wrapped round
    washed: float  # [0, 1] taken for [-1, 1]: black became middle grey
    stretched: float  # to 0..255 by the clip's own darkest and lightest value; NaN where the reference fills that range
    floor: float  # darkest and lightest value in the whole clip
    ceiling: float
    reference_floor: float
    reference_ceiling: float
    pile: float  # pixels at the floor or ceiling (the greater) over those a level beside it: above 2 or so where values were cut
    late_1: float
    late_2: float
    early_1: float
    early_2: float
    by_energy: float  # 1 where the four before rest on the amount of motion alone
    to_source: float  # mean distance to the source over what the answer's (or driver's motion) is; 0 = source pasted
    to_driver: float  # mean distance to the driver over the answer's (or source's); 0 = driver pasted
    copied: (
        float  # share of frames equal to the target's in every pixel, of those whose target is not the source itself
    )
    motion: float  # mean change from frame to frame over the answer's (or driver's); 0 = constant frames
    tail: float  # share of the frame changes, counted from the end, in which nothing moves while the answer (or driver) does
    flat: float  # share of frames of one flat colour where the reference has none

    def row(self) -> Rows:
        """(1, len(COLUMNS)) float32."""
        return np.array([astuple(self)], np.float32)


COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(Measured))


def from_row(row: Rows) -> Measured:
    """The inverse of `Measured.row`. Raises ToonbenchError for rows of another kind."""
    if row.shape != (1, len(COLUMNS)):
        raise ToonbenchError(
            f"a row of the input linter has shape {row.shape}, expected (1, {len(COLUMNS)}): "
            "it was stored by another version; measure again"
        )
    return Measured(**dict(zip(COLUMNS, map(float, row[0]), strict=True)))
