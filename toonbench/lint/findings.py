"""From the rows of a run to the findings about its videos: a pure function."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from toonbench.lint import colour_findings, picture_findings, time_findings
from toonbench.lint.judging import BLANK, Finding, Severity, Videos, finding, measured_in, median, without
from toonbench.lint.measured import CODECS, Measured, from_row
from toonbench.types import Rows

__all__ = ["Finding", "Severity", "findings"]

FLAT = 0.1  # of `flat`
STEERED = 0.006  # of `steered`: the median over pairs
FEWEST_STEERED = 6  # pairs: single ones vary too much


def findings(rows_by_pair: Mapping[str, Rows]) -> tuple[Finding, ...]:
    """The findings about a run, from the rows of `measure` by pair id; one row of a lone NaN is a failed measurement.

    Sizes and lengths are errors, since scoring refuses such videos; everything else is a warning. Shifts and
    perturbations are judged over all pairs together, since they affect every video; colours too and, where no majority agrees, pair
    by pair; sizes, codecs and copies pair by pair.
    Raises ToonbenchError for rows of another version.
    """
    videos = {pair: from_row(rows_by_pair[pair]) for pair in sorted(rows_by_pair) if _measured(rows_by_pair[pair])}
    same = picture_findings.one_for_several(videos)
    single = without(videos, same)
    strips = picture_findings.strips(single)
    return (
        *_not_examined(rows_by_pair, videos),
        *same,
        *_lossy(videos),
        *strips,
        *_lengths_and_rates(single),
        *_of_single_pictures(without(single, strips)),
    )


def _of_single_pictures(videos: Videos) -> Iterable[Finding]:
    """The findings about videos that are neither copies of each other nor strips. A mistake that explains others suppresses them."""
    pasted, flat = time_findings.driving_pasted(videos), _flat(videos)
    shown = without(videos, (*pasted, *flat))
    still = time_findings.source_pasted(shown)
    turned = picture_findings.turned(without(shown, still))
    upright = without(shown, (*still, *turned))
    time = time_findings.in_time(upright)
    cropped = picture_findings.cropped(without(upright, time))
    dark = {pair: video for pair, video in videos.items() if pair in shown or _dark_in_part(pair, video, pasted)}
    codes = colour_findings.codes(dark, singly=not cropped)  # another part of a picture may have other colours
    flat = _flat(without(videos, codes))  # a wrong range explains it
    right = without(shown, codes)
    limited = colour_findings.limited(without(right, cropped))
    yield from _sizes(videos, turned=turned)
    yield from (*codes, *limited)
    yield from colour_findings.swapped(right)
    yield from colour_findings.mixed(without(upright, (*codes, *cropped, *limited)))
    yield from () if limited else colour_findings.stretched(right)
    yield from time_findings.targets_copied(without(videos, time))
    yield from (*pasted, *still, *flat, *turned, *cropped, *time)
    yield from _steered(videos)


def _measured(rows: Rows) -> bool:
    return rows.shape[1] > 1 or bool(np.isfinite(rows).any())


def _not_examined(rows_by_pair: Mapping[str, Rows], videos: Videos) -> Iterable[Finding]:
    """The videos on which the linter failed: nothing is known about them, so they do not count as sound."""
    lost = tuple(pair for pair in sorted(rows_by_pair) if pair not in videos)
    if lost:
        yield Finding(
            kind="unexamined",
            affected=lost,
            of=len(rows_by_pair),
            message=f"{len(lost)} of {len(rows_by_pair)} videos could not be examined ({lost[0]}): the linter failed, so "
            "mistakes in them would not be found; the reason is shown by `toonbench validate DIR --verbose`; please report it",
        )


def _sizes(videos: Videos, *, turned: Sequence[Finding]) -> Iterable[Finding]:
    """Wrong sizes, an error; a turn explains width and height that are exchanged."""
    explained = {pair for one in turned for pair in one.affected}
    sizes = {
        pair: v
        for pair, v in videos.items()
        if (v.width, v.height) != (v.expected_width, v.expected_height)
        and not (pair in explained and (v.height, v.width) == (v.expected_width, v.expected_height))
    }
    return finding(
        "size", sizes, videos, "have another size than their source",
        detail=lambda v: f"{v.width:.0f}x{v.height:.0f} instead of {v.expected_width:.0f}x{v.expected_height:.0f}",
        advice="write videos in the source's size", severity="error",
    )  # fmt: skip


def _lengths_and_rates(videos: Videos) -> Iterable[Finding]:
    """Wrong length (an error), wrong rate."""
    lengths = {p: v for p, v in videos.items() if v.expected_frames >= 1 and v.frames != v.expected_frames}
    rates = {p: v for p, v in videos.items() if abs(v.fps / v.expected_fps - 1) > 0.01}
    yield from finding(
        "length", lengths, videos, "have another number of frames than their driving video",
        detail=lambda v: f"{v.frames:.0f} instead of {v.expected_frames:.0f}",
        advice="write one frame for every driving frame", severity="error",
    )  # fmt: skip
    yield from finding(
        "fps", rates, videos, "have another frame rate than their driving video",
        detail=lambda v: f"{v.fps:.4g} instead of {v.expected_fps:.4g} frames a second",
        advice="write the frame rate of the driving video, and check that no frame was dropped or doubled",
    )  # fmt: skip


def _lossy(videos: Videos) -> Iterable[Finding]:
    return finding(
        "lossy", {p: v for p, v in videos.items() if v.lossy == 1}, measured_in(videos, "lossy"), "are coded with loss",
        detail=lambda v: CODECS[int(v.codec)],
        advice="metrics would measure the codec too; write FFV1 in RGB, or H.264 in RGB at quantiser 0 "
        "(toonbench.video.write_lossless; ffmpeg -c:v ffv1 -pix_fmt bgr0)",
    )  # fmt: skip


def _dark_in_part(pair: str, video: Measured, pasted: Sequence[Finding]) -> bool:
    """Whether some frames are flat, as a cut range makes dark ones, and the colours of the others can be judged."""
    return FLAT <= video.flat < BLANK and not any(pair in one.affected for one in pasted)


def _steered(videos: Videos) -> Iterable[Finding]:
    """The error of the estimated motion grows with a slight blur in most videos."""
    measured = measured_in(videos, "steered")
    hit = {pair: video for pair, video in measured.items() if video.steered >= STEERED}
    if len(measured) < FEWEST_STEERED or median(videos, "steered") < STEERED:
        return ()
    return finding(
        "steered", hit, measured, "lose measured motion when they are blurred slightly",
        detail=lambda v: f"the error of the rig grows by {v.steered:.3f} of its range",
        advice="fine detail, as of a perturbation made for the landmark network, moves the estimates: do not rely on the "
        "motion metrics",
    )  # fmt: skip


def _flat(videos: Videos) -> tuple[Finding, ...]:
    hit = {pair: video for pair, video in videos.items() if video.flat >= FLAT}
    return tuple(
        finding("flat", hit, measured_in(videos, "flat"), "have frames of a single colour",
              detail=lambda v: f"{v.flat:.0%} of the frames, values {v.floor:.0f} to {v.ceiling:.0f}",
              advice="check the range of values and what was saved")
    )  # fmt: skip
