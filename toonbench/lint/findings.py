"""From the rows of a run to what should be told about its videos: a pure function."""

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

# Each stands in the middle of the gap between sound and damaged clips that docs/lint.md tells.
DAMAGED = (
    0.3  # of `swapped`, `crushed`, `wrapped`, `washed` and the shifts: the median over pairs; of colours, any one pair
)
ALIKE = 0.1  # of the range mistakes: two that differ by less explain a video as well
AGREED = 2 / 3  # share of the pairs, of those that can tell, that lean to the same mistake
STRETCHED = 0.8  # of `stretched`, for one pair that reaches from 0 to 255
STRETCHED_LOSSY = 0.5  # the same for one coded with loss, and how far from 0 and 255 it may then stay
SLACK_LOSSY = 8.0
TAPERED = 2.0  # of `pile`: a clip that was cut to its range has more at the ends
ALL_STRETCHED = 0.55  # share of the pairs, of those that can tell
FEWEST_STRETCHED = 4  # one clip may reach from 0 to 255 by chance
FEWEST_BY_ENERGY = (
    6  # pairs, and half of all, that can tell a shift where most of them tell it by the amount of motion alone
)
SOURCE = 0.12  # of `to_source`: half the motion without a target reads 0.18 and more, the source itself 0
SOURCE_STILL = 0.5  # the same where nothing moves: a codec or a tint keeps the source from being exactly itself
DRIVER = 0.3  # of `to_driver`
COPIED = 0.5  # of `copied`
TAIL = 0.25  # of `tail`, and at least three changes
FLAT = 0.1  # of `flat`
BLANK = 0.5  # of `flat`: too few frames are left to judge colours by


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong with some videos of a run. `affected` are pair ids; `of` is how many videos could tell."""

    kind: str
    affected: tuple[str, ...]
    of: int
    message: str
    severity: Severity = "warning"


def findings(rows_by_pair: Mapping[str, Rows]) -> tuple[Finding, ...]:
    """What should be told about a run, from the rows of `measure` by pair id; one row of a lone NaN is a failed measurement.

    Sizes and lengths are errors, since scoring refuses such videos; everything else is a warning. Shifts are judged over
    all pairs together, since a mistake in writing hits every video; colours so and, where no majority agrees, pair by pair;
    sizes, codecs and copies pair by pair.
    Raises ToonbenchError for rows of another version.
    """
    videos = {pair: from_row(rows_by_pair[pair]) for pair in sorted(rows_by_pair) if _measured(rows_by_pair[pair])}
    pasted, flat = _driver_pasted(videos), _flat(videos)
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
        *_unseen(rows_by_pair, videos),
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
    )


def _measured(rows: Rows) -> bool:
    return rows.shape[1] > 1 or bool(np.isfinite(rows).any())


def _unseen(rows_by_pair: Mapping[str, Rows], videos: Videos) -> Iterable[Finding]:
    """The videos of which nothing is known, because the linter failed on them: they must not pass for sound."""
    lost = tuple(pair for pair in sorted(rows_by_pair) if pair not in videos)
    if lost:
        yield Finding(
            kind="unseen",
            affected=lost,
            of=len(rows_by_pair),
            message=f"{len(lost)} of {len(rows_by_pair)} videos could not be looked at ({lost[0]}): the linter failed, so "
            "mistakes in them would go unnoticed; see why with `toonbench validate DIR --verbose`, and report it",
        )


def _facts(videos: Videos) -> Iterable[Finding]:
    """Wrong size and length (errors), wrong rate."""
    sizes = {p: v for p, v in videos.items() if (v.width, v.height) != (v.expected_width, v.expected_height)}
    lengths = {p: v for p, v in videos.items() if v.expected_frames >= 1 and v.frames != v.expected_frames}
    rates = {p: v for p, v in videos.items() if abs(v.fps / v.expected_fps - 1) > 0.01}
    yield from _told(
        "size", sizes, videos, "have another size than their source",
        seen=lambda v: f"{v.width:.0f}x{v.height:.0f} instead of {v.expected_width:.0f}x{v.expected_height:.0f}",
        advice="write videos in the source's size", severity="error",
    )  # fmt: skip
    yield from _told(
        "length", lengths, videos, "have another number of frames than their driver",
        seen=lambda v: f"{v.frames:.0f} instead of {v.expected_frames:.0f}",
        advice="write one frame for every driving frame", severity="error",
    )  # fmt: skip
    yield from _told(
        "fps", rates, videos, "have another frame rate than their driver",
        seen=lambda v: f"{v.fps:.4g} instead of {v.expected_fps:.4g} frames a second",
        advice="write the driver's rate, and check that no frame was dropped or doubled on the way",
    )  # fmt: skip


def _lossy(videos: Videos) -> Iterable[Finding]:
    return _told(
        "lossy", {p: v for p, v in videos.items() if v.lossy == 1}, _telling(videos, "lossy"), "are coded with loss",
        seen=lambda v: CODECS[int(v.codec)],
        advice="metrics would measure the codec too; write FFV1 in RGB, or H.264 in RGB at quantiser 0 "
        "(toonbench.video.write_lossless; ffmpeg -c:v ffv1 -pix_fmt bgr0)",
    )  # fmt: skip


CODES: Mapping[str, str] = {
    "crushed": "all that is darker than middle grey is black: a picture in [-1, 1] was written as [0, 1]",
    "wrapped": "dark values turned bright: a picture in [-1, 1] was written as [0, 1] without clipping",
    "washed": "nothing is darker than middle grey: a picture in [0, 1] was taken for [-1, 1]",
}


def _codes(videos: Videos) -> tuple[Finding, ...]:
    """The likeliest of the mistakes with the range of values, if any is likely; and what other single videos show."""
    best = max(CODES, key=lambda name: _median(videos, name))
    advice = "write x * 255 for x in [0, 1], (x + 1) / 2 * 255 for x in [-1, 1], clipped"
    told = [*_by_majority("range", best, videos, f"have a wrong range: {CODES[best]}", advice=advice)]
    named = {pair for finding in told for pair in finding.affected}
    for name, hit in _grouped({pair: video for pair, video in videos.items() if pair not in named}).items():
        telling = _telling(videos, name)
        told += _told("range", hit, telling, f"have a wrong range: {CODES[name]}", advice=advice)
    return tuple(told)


def _grouped(videos: Videos) -> dict[str, Videos]:
    """The videos that a range mistake explains best, by mistake: the commonest takes those it explains as well as theirs."""
    best: dict[str, str] = {}
    for pair, video in videos.items():
        name = max(CODES, key=lambda code: _known(video, code))
        if _known(video, name) >= max(DAMAGED, _known(video, "swapped")):
            best[pair] = name
    groups: dict[str, Videos] = {}
    while best:
        names = list(best.values())
        lead = max(CODES, key=names.count)
        groups[lead] = {p: videos[p] for p, own in best.items() if _alike(videos[p], lead, own)}
        best = {pair: own for pair, own in best.items() if pair not in groups[lead]}
    return groups


def _alike(video: Measured, name: str, best: str) -> bool:
    return _known(video, name) >= _known(video, best) - ALIKE


def _known(video: Measured, column: str) -> float:
    value: float = getattr(video, column)
    return value if np.isfinite(value) else -np.inf


def _swapped(videos: Videos) -> Iterable[Finding]:
    """Red and blue swapped in most videos, or plainly in single ones."""
    what, advice = (
        "have red and blue swapped",
        "reverse the channels before writing (frames[..., ::-1]); OpenCV reads and writes BGR",
    )
    if found := tuple(_by_majority("bgr", "swapped", videos, what, advice=advice)):
        return found
    hit = {pair: video for pair, video in videos.items() if _known(video, "swapped") >= DAMAGED}
    return _told("bgr", hit, _telling(videos, "swapped"), what, advice=advice)


def _stretched(videos: Videos) -> Iterable[Finding]:
    """Every clip reaching exactly from 0 to 255, and as only stretching does: thinly at the ends, or explained by it."""
    told: dict[str, bool] = {}
    for pair, video in videos.items():
        exact = video.lossy == 0
        slack = 0.0 if exact else SLACK_LOSSY  # a codec moves the extremes, and piles up values there by itself
        enough = STRETCHED if exact else STRETCHED_LOSSY
        if video.floor > slack or video.ceiling < 255 - slack:
            told[pair] = False
        elif (video.reference_floor, video.reference_ceiling) == (0, 255):
            continue  # stretching would change nothing
        elif (exact and video.pile <= TAPERED) or video.stretched >= enough:
            told[pair] = True
        elif video.stretched < enough:
            told[pair] = False
    hit = {pair: videos[pair] for pair, stretched in told.items() if stretched}
    if len(hit) < max(FEWEST_STRETCHED, ALL_STRETCHED * len(told)):
        return ()
    return _told(
        "minmax", hit, told, "seem stretched by their own darkest and lightest value, (v - min) / (max - min)",
        seen=lambda v: f"from {v.floor:.0f} to {v.ceiling:.0f}, its reference from {v.reference_floor:.0f} to "
        f"{v.reference_ceiling:.0f}",
        advice="write (x + 1) / 2 * 255 for x in [-1, 1], the same for every clip",
    )  # fmt: skip


def _shifted(videos: Videos) -> Iterable[Finding]:
    """The likeliest shift in time, if any is likely."""
    best = max(LAGS, key=lambda name: _median(videos, name))
    telling = _telling(videos, best).values()
    weak = 2 * sum(video.by_energy for video in telling) > len(telling)
    if weak and len(telling) < max(FEWEST_BY_ENERGY, len(videos) / 2):
        return ()
    frames = f"{abs(LAGS[best])} frame{'s' * (abs(LAGS[best]) > 1)}"
    what = f"run {frames} {'late' if LAGS[best] > 0 else 'early'}"
    advice = "frame t must show the motion of driving frame t: check for a dropped, doubled or missing first frame"
    return _by_majority("shifted", best, videos, what, advice=advice)


def _driver_pasted(videos: Videos) -> tuple[Finding, ...]:
    hit = {pair: video for pair, video in videos.items() if video.to_driver < DRIVER}
    advice = "the character of the source must be shown: check what was saved"
    return tuple(_told("driver", hit, _telling(videos, "to_driver"), "show the driving video itself", advice=advice))


def _source_pasted(videos: Videos) -> tuple[Finding, ...]:
    hit = {
        pair: video
        for pair, video in videos.items()
        if video.to_source < (SOURCE_STILL if video.motion < STILL else SOURCE)
    }
    advice = "it must move as the driver does: check what was saved (expected of the method 'static')"
    return tuple(_told("source", hit, _telling(videos, "to_source"), "show the source, unmoved", advice=advice))


def _targets_copied(videos: Videos) -> Iterable[Finding]:
    hit = {pair: video for pair, video in videos.items() if video.copied >= COPIED}
    return _told(
        "target", hit, _telling(videos, "copied"), "are the targets, pixel by pixel",
        advice="they measure the metrics and no method (expected of the method 'oracle')",
    )  # fmt: skip


def _dark_in_part(pair: str, video: Measured, pasted: Sequence[Finding]) -> bool:
    """Whether some frames are flat, as a cut range makes dark ones, and the colours of the others can be judged."""
    return FLAT <= video.flat < BLANK and not any(pair in finding.affected for finding in pasted)


def _flat(videos: Videos) -> tuple[Finding, ...]:
    hit = {pair: video for pair, video in videos.items() if video.flat >= FLAT}
    return tuple(
        _told("flat", hit, _telling(videos, "flat"), "have frames of a single colour",
              seen=lambda v: f"{v.flat:.0%} of the frames, values {v.floor:.0f} to {v.ceiling:.0f}",
              advice="check the range of values and what was saved")
    )  # fmt: skip


def _constant(videos: Videos) -> Iterable[Finding]:
    still = {pair: video for pair, video in videos.items() if video.motion < STILL}
    tails = {
        pair: video
        for pair, video in videos.items()
        if pair not in still and video.tail >= TAIL and round(video.tail * (video.frames - 1)) >= 3
    }
    telling = _telling(videos, "motion")
    yield from _told("constant", still, telling, "show the same frame throughout though the driver moves",
                     advice="check that every frame was generated and saved")  # fmt: skip
    yield from _told("frozen", tails, telling, "stop moving before the end though the driver goes on",
                     seen=lambda v: f"the last {v.tail:.0%} of the clip",
                     advice="check that every driving frame was used")  # fmt: skip


def _telling(videos: Videos, column: str) -> dict[str, Measured]:
    """The videos in which a column could be measured."""
    return {pair: video for pair, video in videos.items() if np.isfinite(getattr(video, column))}


def _median(videos: Videos, column: str) -> float:
    values = [getattr(video, column) for video in _telling(videos, column).values()]
    return float(np.median(values)) if values else -np.inf


def _by_majority(kind: str, column: str, videos: Videos, what: str, *, advice: str) -> Iterable[Finding]:
    """A finding if the median over pairs says so and most of them agree; nothing otherwise."""
    telling = _telling(videos, column)
    hit = {pair: video for pair, video in telling.items() if getattr(video, column) > 0}
    if _median(videos, column) < DAMAGED or len(hit) < AGREED * len(telling):
        return ()
    return _told(kind, hit, telling, what, advice=advice)


def _told(
    kind: str,
    hit: Videos,
    telling: Mapping[str, object],
    what: str,
    *,
    advice: str,
    seen: Callable[[Measured], str] | None = None,
    severity: Severity = "warning",
) -> Iterable[Finding]:
    """One finding over the videos hit, with an example; nothing where there are none."""
    if not hit:
        return
    pair, video = next(iter(hit.items()))
    example = f"{pair}: {seen(video)}" if seen else pair
    yield Finding(
        kind=kind,
        affected=tuple(hit),
        of=len(telling),
        message=f"{len(hit)} of {len(telling)} videos {what} ({example}); {advice}",
        severity=severity,
    )
