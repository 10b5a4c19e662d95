"""The row of one video: what `measure` writes and `findings` reads."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, fields

import numpy as np

from toonbench.types import Rows, ToonbenchError

VERSION = 4
"""The version of the rows: a new number whenever the columns of `measure` change, so that rows of two kinds are never mixed."""
CODECS = (
    "another codec", "h264", "hevc", "vp8", "vp9", "av1", "mpeg1video", "mpeg2video", "mpeg4", "mjpeg", "gif", "jpeg",
    "webp", "theora", "wmv2", "wmv3", "vc1", "prores", "dnxhd", "jpeg2000", "ffv1", "huffyuv", "ffvhuff", "utvideo",
    "magicyuv", "png", "apng", "qtrle", "rawvideo",
)  # fmt: skip
"""The codecs that `Measured.codec` is an index of; new ones are added at the end, so that stored rows keep their meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One video compared with its source, driving video and target; NaN where a column cannot be measured.

    Colours are compared with the reference: the target, or the source where there is none. `swapped`, `crushed`,
    `wrapped`, `washed`, `squeezed`, `expanded` and `stretched` are how much nearer the video's colours are to the damaged
    reference than to the reference itself, over the distance of these two: -1 not damaged, 1 damaged in exactly this way.
    `late_1` and the three after it are how much better the motion fits when the video is taken as so many frames late (or
    early), on the same scale.
    Colour distances are in grey levels of 0 to 255.
    """

    lossy: float  # 1 coded with loss, 0 without, NaN unknown
    codec: float  # its place in CODECS
    fps: float
    frames: float
    width: float
    height: float
    expected_fps: float  # of the driving video; NaN for an image
    expected_frames: float  # of the driving video
    expected_width: float  # of the source
    expected_height: float
    swapped: float  # red for blue; NaN for nearly grey references
    crushed: float  # [-1, 1] written as [0, 1], values below 0 cut
    wrapped: float  # the same, values below 0 wrapped round
    washed: float  # [0, 1] taken for [-1, 1]: black became middle grey
    squeezed: float  # full range written as 16 to 235
    paired: float  # values at levels that two levels are squeezed to, over the levels beside: 2 where they were, otherwise near 1
    skipped: float  # values at levels that none is stretched to when 16 to 235 become 0 to 255, over those beside: 0 or near 1
    expanded: float  # 16 to 235 taken for the range used and stretched to 0 to 255, values outside cut or wrapped round
    as_709: float  # written by BT.601 and read by BT.709: 1 where this explains all differences of colour, 0 where none
    as_601: float  # the other way
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
    by_energy: float  # 1 where the four before are based on the amount of motion alone
    to_source: (
        float  # mean distance to the source over that of the target (or the driving video's motion); 0 = source pasted
    )
    to_driving: (
        float  # mean distance to the driving video over that of the target (or source); 0 = driving video pasted
    )
    copied: (
        float  # share of frames equal to the target's in every pixel, of those whose target is not the source itself
    )
    motion: float  # mean change from frame to frame over that of the target (or driving video); 0 = constant frames
    tail: float  # share of the frame changes, counted from the end, in which nothing moves while the target (or driving video) does
    repeated: float  # share of the frames equal to the one before in a regular pattern, although the target (or driving video) moves
    repeats: float  # mean number of such frames after each frame that is repeated
    text_order: float  # -1 frames in order, 1 sorted by their numbers as text (0, 1, 10, 11, ..., 2)
    reversed: float  # the same for the last frame first
    mirrored: float  # -1 as the target is (or the first frame as the source is), 1 mirrored left to right
    turned_90: float  # the same, turned clockwise
    turned_180: float
    turned_270: float
    crop_scale: float  # part of the width of the target's picture (or the source's) that the video shows
    crop_x: float  # where the middle of that part is, in widths to the right of the middle
    crop_y: float  # and in heights below it
    crop_fit: float  # correlation with that part
    crop_gain: float  # how much of the difference from the uncut target it explains, 0 to 1
    by_source: float  # 1 where the columns from `mirrored` on, `as_709` and `as_601` are based on the first frame and the source
    panels: float  # pictures beside each other in a frame, negative: above each other; 0: one picture
    panel: float  # which of them is neither source nor driving video, counted from 1
    content_1: float  # numbers of 24 bits that are equal for equal content: of the whole video
    content_2: float
    start_1: float  # of its first frames
    start_2: float
    source_print: float  # of the source
    driving_print: float  # of the first frames of the driving video
    flat: float  # share of frames of one flat colour where the reference has none
    steered: float  # how much the error of the estimated motion grows with a slight blur, parts of the channels' ranges

    def row(self) -> Rows:
        """(1, len(COLUMNS)) float32."""
        return np.array([astuple(self)], np.float32)


COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(Measured))


def from_row(row: Rows) -> Measured:
    """The inverse of `Measured.row`. Raises ToonbenchError for rows of another kind and for damaged ones."""
    if row.shape != (1, len(COLUMNS)):
        raise ToonbenchError(
            f"a row of the input linter has shape {row.shape}, expected (1, {len(COLUMNS)}): "
            "it was stored by another version; measure again"
        )
    found = Measured(**dict(zip(COLUMNS, map(float, row[0]), strict=True)))
    endless = any(math.isinf(value) for value in (found.frames, found.tail, found.repeated, found.repeats))
    if endless or not 0 <= found.codec < len(CODECS) or found.expected_fps == 0:
        raise ToonbenchError(
            "a row of the input linter holds impossible values: remove the run's rows/lint* and measure again"
        )
    return found
