"""From the rows of a run to the findings about its videos: a pure function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from toonbench.lint.measured import CODECS, Measured, from_row
from toonbench.lint.motion import LAGS, STILL
from toonbench.types import Rows

Severity = Literal["warning", "error"]
Videos = Mapping[str, Measured]

# Each threshold is in the middle of the gap between sound and damaged clips in docs/lint.md.
DAMAGED = (
    0.3  # of `swapped`, `crushed`, `wrapped`, `washed` and the shifts: the median over pairs; of colours, any one pair
)
ALIKE = 0.1  # of the range mistakes: two that differ by less explain a video as well
AGREED = 2 / 3  # share of the measured pairs that lean to the same mistake
STRETCHED = 0.8  # of `stretched`, for one pair that reaches from 0 to 255
STRETCHED_LOSSY = 0.5  # the same for one coded with loss, and how far from 0 and 255 it may then stay
SLACK_LOSSY = 8.0
TAPERED = 2.0  # of `pile`: a clip that was cut to its range has more at the ends
ALL_STRETCHED = 0.55  # share of the measured pairs
FEWEST_STRETCHED = 4  # one clip may reach from 0 to 255 by chance
FEWEST_BY_ENERGY = 6  # pairs, and half of all, that show a shift, if most of them show it by the amount of motion alone
SOURCE = 0.12  # of `to_source`: half the motion without a target reads 0.18 and more, the source itself 0
SOURCE_STILL = 0.5  # the same where nothing moves: a codec or a tint keeps the source from being exactly itself
DRIVING = 0.3  # of `to_driving`
COPIED = 0.5  # of `copied`
TAIL = 0.25  # of `tail`, and at least three changes
FLAT = 0.1  # of `flat`
BLANK = 0.5  # of `flat`: too few frames are left to judge colours by
STEERED = 0.006  # of `steered`: the median over pairs
FEWEST_STEERED = 6  # pairs: single ones vary too much


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A mistake in some videos of a run. `affected` are pair ids; `of` is how many videos could be judged."""

    kind: str
    affected: tuple[str, ...]
    of: int
    message: str
    severity: Severity = "warning"


def findings(rows_by_pair: Mapping[str, Rows]) -> tuple[Finding, ...]:
    """The findings about a run, from the rows of `measure` by pair id; one row of a lone NaN is a failed measurement.

    Sizes and lengths are errors, since scoring refuses such videos; everything else is a warning. Shifts and
    perturbations are judged over all pairs together, since they affect every video; colours too and, where no majority agrees, pair
    by pair; sizes, codecs and copies pair by pair.
    Raises ToonbenchError for rows of another version.
    """
    videos = {pair: from_row(rows_by_pair[pair]) for pair in sorted(rows_by_pair) if _measured(rows_by_pair[pair])}
    pasted, flat = _driving_pasted(videos), _flat(videos)
    strange = {pair for finding in (*pasted, *flat) for pair in finding.affected}
    shown = {pair: video for pair, video in videos.items() if pair not in strange}
    still = _source_pasted(shown)
    moving = {pair: video for pair, video in shown.items() if not any(pair in one.affected for one in still)}
    codes = _codes(
        {pair: video for pair, video in videos.items() if pair in shown or _dark_in_part(pair, video, pasted)}
    )
    coded = {pair for finding in codes for pair in finding.affected}
    flat = _flat({pair: video for pair, video in videos.items() if pair not in coded})  # a wrong range explains it
    right = {pair: video for pair, video in shown.items() if pair not in coded}
    return (
        *_not_examined(rows_by_pair, videos),
        *_facts(videos),
        *_lossy(videos),
        *codes,
        *_swapped(right),
        *_stretched(right),
        *_targets_copied(videos),
        *pasted,
        *still,
        *flat,
        *_constant(moving),
        *_shifted(moving),
        *_steered(videos),
    )


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


def _facts(videos: Videos) -> Iterable[Finding]:
    """Wrong size and length (errors), wrong rate."""
    sizes = {p: v for p, v in videos.items() if (v.width, v.height) != (v.expected_width, v.expected_height)}
    lengths = {p: v for p, v in videos.items() if v.expected_frames >= 1 and v.frames != v.expected_frames}
    rates = {p: v for p, v in videos.items() if abs(v.fps / v.expected_fps - 1) > 0.01}
    yield from _finding(
        "size", sizes, videos, "have another size than their source",
        detail=lambda v: f"{v.width:.0f}x{v.height:.0f} instead of {v.expected_width:.0f}x{v.expected_height:.0f}",
        advice="write videos in the source's size", severity="error",
    )  # fmt: skip
    yield from _finding(
        "length", lengths, videos, "have another number of frames than their driving video",
        detail=lambda v: f"{v.frames:.0f} instead of {v.expected_frames:.0f}",
        advice="write one frame for every driving frame", severity="error",
    )  # fmt: skip
    yield from _finding(
        "fps", rates, videos, "have another frame rate than their driving video",
        detail=lambda v: f"{v.fps:.4g} instead of {v.expected_fps:.4g} frames a second",
        advice="write the frame rate of the driving video, and check that no frame was dropped or doubled",
    )  # fmt: skip


def _lossy(videos: Videos) -> Iterable[Finding]:
    return _finding(
        "lossy", {p: v for p, v in videos.items() if v.lossy == 1}, _measured_in(videos, "lossy"), "are coded with loss",
        detail=lambda v: CODECS[int(v.codec)],
        advice="metrics would measure the codec too; write FFV1 in RGB, or H.264 in RGB at quantiser 0 "
        "(toonbench.video.write_lossless; ffmpeg -c:v ffv1 -pix_fmt bgr0)",
    )  # fmt: skip


CODES: Mapping[str, str] = {
    "crushed": "everything darker than middle grey is black: a picture in [-1, 1] was written as [0, 1]",
    "wrapped": "dark values turned bright: a picture in [-1, 1] was written as [0, 1] without clipping",
    "washed": "nothing is darker than middle grey: a picture in [0, 1] was taken for [-1, 1]",
}


def _codes(videos: Videos) -> tuple[Finding, ...]:
    """The most likely mistake with the range of values, if any is likely; and the mistakes of other single videos."""
    best = max(CODES, key=lambda name: _median(videos, name))
    advice = "write x * 255 for x in [0, 1], (x + 1) / 2 * 255 for x in [-1, 1], clipped"
    found = [*_by_majority("range", best, videos, f"have a wrong range: {CODES[best]}", advice=advice)]
    named = {pair for finding in found for pair in finding.affected}
    for name, hit in _grouped({pair: video for pair, video in videos.items() if pair not in named}).items():
        judged = _measured_in(videos, name)
        found += _finding("range", hit, judged, f"have a wrong range: {CODES[name]}", advice=advice)
    return tuple(found)


def _grouped(videos: Videos) -> dict[str, Videos]:
    """The videos that a range mistake explains best, by mistake: the most frequent takes those that it explains as well."""
    best: dict[str, str] = {}
    for pair, video in videos.items():
        name = max(CODES, key=lambda code: _value(video, code))
        if _value(video, name) >= max(DAMAGED, _value(video, "swapped")):
            best[pair] = name
    groups: dict[str, Videos] = {}
    while best:
        names = list(best.values())
        lead = max(CODES, key=names.count)
        groups[lead] = {p: videos[p] for p, own in best.items() if _alike(videos[p], lead, own)}
        best = {pair: own for pair, own in best.items() if pair not in groups[lead]}
    return groups


def _alike(video: Measured, name: str, best: str) -> bool:
    return _value(video, name) >= _value(video, best) - ALIKE


def _value(video: Measured, column: str) -> float:
    value: float = getattr(video, column)
    return value if np.isfinite(value) else -np.inf


def _swapped(videos: Videos) -> Iterable[Finding]:
    """Red and blue swapped in most videos, or clearly in single ones."""
    what, advice = (
        "have red and blue swapped",
        "reverse the channels before writing (frames[..., ::-1]); OpenCV reads and writes BGR",
    )
    if found := tuple(_by_majority("bgr", "swapped", videos, what, advice=advice)):
        return found
    hit = {pair: video for pair, video in videos.items() if _value(video, "swapped") >= DAMAGED}
    return _finding("bgr", hit, _measured_in(videos, "swapped"), what, advice=advice)


def _stretched(videos: Videos) -> Iterable[Finding]:
    """Every clip reaches exactly from 0 to 255, with few pixels at the ends or as the stretched reference does."""
    found: dict[str, bool] = {}
    for pair, video in videos.items():
        exact = video.lossy == 0
        slack = 0.0 if exact else SLACK_LOSSY  # a codec moves the extremes, and adds values there
        enough = STRETCHED if exact else STRETCHED_LOSSY
        if video.floor > slack or video.ceiling < 255 - slack:
            found[pair] = False
        elif (video.reference_floor, video.reference_ceiling) == (0, 255):
            continue  # stretching would change nothing
        elif (exact and video.pile <= TAPERED) or video.stretched >= enough:
            found[pair] = True
        elif video.stretched < enough:
            found[pair] = False
    hit = {pair: videos[pair] for pair, stretched in found.items() if stretched}
    if len(hit) < max(FEWEST_STRETCHED, ALL_STRETCHED * len(found)):
        return ()
    return _finding(
        "minmax", hit, found, "seem stretched by their own darkest and lightest value, (v - min) / (max - min)",
        detail=lambda v: f"from {v.floor:.0f} to {v.ceiling:.0f}, its reference from {v.reference_floor:.0f} to "
        f"{v.reference_ceiling:.0f}",
        advice="write (x + 1) / 2 * 255 for x in [-1, 1], the same for every clip",
    )  # fmt: skip


def _shifted(videos: Videos) -> Iterable[Finding]:
    """The most likely shift in time, if any is likely."""
    best = max(LAGS, key=lambda name: _median(videos, name))
    judged = _measured_in(videos, best).values()
    weak = 2 * sum(video.by_energy for video in judged) > len(judged)
    if weak and len(judged) < max(FEWEST_BY_ENERGY, len(videos) / 2):
        return ()
    frames = f"{abs(LAGS[best])} frame{'s' * (abs(LAGS[best]) > 1)}"
    what = f"run {frames} {'late' if LAGS[best] > 0 else 'early'}"
    advice = "frame t must show the motion of driving frame t: check for a dropped, doubled or missing first frame"
    return _by_majority("shifted", best, videos, what, advice=advice)


def _driving_pasted(videos: Videos) -> tuple[Finding, ...]:
    hit = {pair: video for pair, video in videos.items() if video.to_driving < DRIVING}
    advice = "the character of the source must be shown: check what was saved"
    return tuple(
        _finding("driving", hit, _measured_in(videos, "to_driving"), "show the driving video itself", advice=advice)
    )


def _source_pasted(videos: Videos) -> tuple[Finding, ...]:
    hit = {
        pair: video
        for pair, video in videos.items()
        if video.to_source < (SOURCE_STILL if video.motion < STILL else SOURCE)
    }
    advice = "it must move as the driving video does: check what was saved (expected of the method 'static')"
    return tuple(
        _finding("source", hit, _measured_in(videos, "to_source"), "show the source without motion", advice=advice)
    )


def _targets_copied(videos: Videos) -> Iterable[Finding]:
    hit = {pair: video for pair, video in videos.items() if video.copied >= COPIED}
    return _finding(
        "target", hit, _measured_in(videos, "copied"), "are the targets, pixel by pixel",
        advice="they measure the metrics and no method (expected of the method 'oracle')",
    )  # fmt: skip


def _dark_in_part(pair: str, video: Measured, pasted: Sequence[Finding]) -> bool:
    """Whether some frames are flat, as a cut range makes dark ones, and the colours of the others can be judged."""
    return FLAT <= video.flat < BLANK and not any(pair in finding.affected for finding in pasted)


def _steered(videos: Videos) -> Iterable[Finding]:
    """The error of the estimated motion grows with a slight blur in most videos."""
    measured = _measured_in(videos, "steered")
    hit = {pair: video for pair, video in measured.items() if video.steered >= STEERED}
    if len(measured) < FEWEST_STEERED or _median(videos, "steered") < STEERED:
        return ()
    return _finding(
        "steered", hit, measured, "lose measured motion when they are blurred slightly",
        detail=lambda v: f"the error of the rig grows by {v.steered:.3f} of its range",
        advice="fine detail, as of a perturbation made for the landmark network, moves the estimates: do not rely on the "
        "motion metrics",
    )  # fmt: skip


def _flat(videos: Videos) -> tuple[Finding, ...]:
    hit = {pair: video for pair, video in videos.items() if video.flat >= FLAT}
    return tuple(
        _finding("flat", hit, _measured_in(videos, "flat"), "have frames of a single colour",
              detail=lambda v: f"{v.flat:.0%} of the frames, values {v.floor:.0f} to {v.ceiling:.0f}",
              advice="check the range of values and what was saved")
    )  # fmt: skip


def _constant(videos: Videos) -> Iterable[Finding]:
    still = {pair: video for pair, video in videos.items() if video.motion < STILL}
    tails = {
        pair: video
        for pair, video in videos.items()
        if pair not in still and video.tail >= TAIL and round(video.tail * (video.frames - 1)) >= 3
    }
    judged = _measured_in(videos, "motion")
    yield from _finding("constant", still, judged, "show the same frame throughout although the driving video moves",
                     advice="check that every frame was generated and saved")  # fmt: skip
    yield from _finding("frozen", tails, judged, "stop moving before the end although the driving video moves",
                     detail=lambda v: f"the last {v.tail:.0%} of the clip",
                     advice="check that every driving frame was used")  # fmt: skip


def _measured_in(videos: Videos, column: str) -> dict[str, Measured]:
    """The videos in which a column could be measured."""
    return {pair: video for pair, video in videos.items() if np.isfinite(getattr(video, column))}


def _median(videos: Videos, column: str) -> float:
    values = [getattr(video, column) for video in _measured_in(videos, column).values()]
    return float(np.median(values)) if values else -np.inf


def _by_majority(kind: str, column: str, videos: Videos, what: str, *, advice: str) -> Iterable[Finding]:
    """A finding if the median over pairs reaches the threshold and most of them agree; nothing otherwise."""
    judged = _measured_in(videos, column)
    hit = {pair: video for pair, video in judged.items() if getattr(video, column) > 0}
    if _median(videos, column) < DAMAGED or len(hit) < AGREED * len(judged):
        return ()
    return _finding(kind, hit, judged, what, advice=advice)


def _finding(
    kind: str,
    hit: Videos,
    judged: Mapping[str, object],
    what: str,
    *,
    advice: str,
    detail: Callable[[Measured], str] | None = None,
    severity: Severity = "warning",
) -> Iterable[Finding]:
    """One finding about the videos hit, with an example; nothing where there are none."""
    if not hit:
        return
    pair, video = next(iter(hit.items()))
    example = f"{pair}: {detail(video)}" if detail else pair
    yield Finding(
        kind=kind,
        affected=tuple(hit),
        of=len(judged),
        message=f"{len(hit)} of {len(judged)} videos {what} ({example}); {advice}",
        severity=severity,
    )
