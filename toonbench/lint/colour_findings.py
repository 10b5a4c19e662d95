"""Findings about colours: red and blue swapped, wrong ranges of values, stretched clips, mixed matrices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from toonbench.lint.judging import AGREED, DAMAGED, Finding, Videos, by_majority, finding, measured_in, median, value
from toonbench.lint.measured import Measured

ALIKE = 0.1  # of the range mistakes: two that differ by less explain a video as well
STRETCHED = 0.8  # of `stretched`, for one pair that reaches from 0 to 255
STRETCHED_LOSSY = 0.5  # the same for one coded with loss, and how far from 0 and 255 it may then stay
SLACK_LOSSY = 8.0
TAPERED = 2.0  # of `pile`: a clip that was cut to its range has more at the ends
ALL_STRETCHED = 0.55  # share of the measured pairs
FEWEST_STRETCHED = 4  # one clip may reach from 0 to 255 by chance
LIMITED = 0.5  # of `squeezed` and `expanded`, the median over pairs: 8 % more contrast is at most 0.14, limited range 0.6 and more
# The medians of `paired` and `skipped`: signs in the levels. Without them the contrast of a network looks alike, so that `squeezed`
# or `expanded` must be higher.
PAIRED = 1.4
SKIPPED = 0.4
BY_CONTRAST = 0.93
SURELY = 0.7  # of `expanded`, for a clip whose ends are those of a stretched one
SQUEEZED_TO = (16, 235)
SLACK = 2.0  # how far a squeezed clip may reach beyond, coded without loss
BEYOND = 8  # how far a reference must reach beyond to show that values were cut
FEWEST_CUT = 3  # pairs: one may end there by chance
MIXED = 0.5  # of `as_709` and `as_601`, the median over pairs: a tint is 0.05
CODES: Mapping[str, str] = {
    "crushed": "everything darker than middle grey is black: a picture in [-1, 1] was written as [0, 1]",
    "wrapped": "dark values turned bright: a picture in [-1, 1] was written as [0, 1] without clipping",
    "washed": "nothing is darker than middle grey: a picture in [0, 1] was taken for [-1, 1]",
}


def codes(videos: Videos, *, singly: bool) -> tuple[Finding, ...]:
    """The most likely mistake with the range of values, if any is likely; and, if `singly`, the mistakes of other single videos."""
    best = max(CODES, key=lambda name: median(videos, name))
    advice = "write x * 255 for x in [0, 1], (x + 1) / 2 * 255 for x in [-1, 1], clipped"
    found = [*by_majority("range", best, videos, f"have a wrong range: {CODES[best]}", advice=advice)]
    named = {pair for finding in found for pair in finding.affected}
    single = {pair: video for pair, video in videos.items() if singly and pair not in named}
    for name, hit in _grouped(single).items():
        judged = measured_in(videos, name)
        found += finding("range", hit, judged, f"have a wrong range: {CODES[name]}", advice=advice)
    return tuple(found)


def _grouped(videos: Videos) -> dict[str, Videos]:
    """The videos that a range mistake explains best, by mistake: the most frequent takes those that it explains as well."""
    best: dict[str, str] = {}
    for pair, video in videos.items():
        name = max(CODES, key=lambda code: value(video, code))
        if value(video, name) >= max(DAMAGED, value(video, "swapped")):
            best[pair] = name
    groups: dict[str, Videos] = {}
    while best:
        names = list(best.values())
        lead = max(CODES, key=names.count)
        groups[lead] = {p: videos[p] for p, own in best.items() if _alike(videos[p], lead, own)}
        best = {pair: own for pair, own in best.items() if pair not in groups[lead]}
    return groups


def _alike(video: Measured, name: str, best: str) -> bool:
    return value(video, name) >= value(video, best) - ALIKE


def swapped(videos: Videos) -> Iterable[Finding]:
    """Red and blue swapped in most videos, or clearly in single ones."""
    what, advice = (
        "have red and blue swapped",
        "reverse the channels before writing (frames[..., ::-1]); OpenCV reads and writes BGR",
    )
    if found := tuple(by_majority("bgr", "swapped", videos, what, advice=advice)):
        return found
    hit = {pair: video for pair, video in videos.items() if value(video, "swapped") >= DAMAGED}
    return finding("bgr", hit, measured_in(videos, "swapped"), what, advice=advice)


def stretched(videos: Videos) -> Iterable[Finding]:
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
    return finding(
        "minmax", hit, found, "seem stretched by their own darkest and lightest value, (v - min) / (max - min)",
        detail=lambda v: f"from {v.floor:.0f} to {v.ceiling:.0f}, its reference from {v.reference_floor:.0f} to "
        f"{v.reference_ceiling:.0f}",
        advice="write (x + 1) / 2 * 255 for x in [-1, 1], the same for every clip",
    )  # fmt: skip


def limited(videos: Videos) -> tuple[Finding, ...]:
    """Limited range shown as full range, or full range taken for limited range."""
    advice = "convert between full and limited range once: FFmpeg's -color_range or scale=in_range=...:out_range=... states it"
    narrow = {pair: video for pair, video in videos.items() if _narrow(video)}
    squeezed = tuple(
        by_majority(
            "limited", "squeezed", narrow, "have values squeezed to 16 to 235: limited range is shown as full range",
            advice=advice, least=LIMITED if median(narrow, "paired") >= PAIRED else BY_CONTRAST,
        )
    )  # fmt: skip
    if squeezed and len(squeezed[0].affected) >= len(measured_in(videos, "squeezed")) / 2:
        return squeezed
    what = "have 16 to 235 stretched to 0 to 255: full range was taken for limited range"
    wide = {pair: video for pair, video in videos.items() if not _tapered(video)}
    least = LIMITED if median(wide, "skipped") <= SKIPPED else BY_CONTRAST
    expanded = tuple(by_majority("limited", "expanded", wide, what, advice=advice, least=least))
    if expanded and len(expanded[0].affected) >= len(measured_in(videos, "expanded")) / 2:
        return expanded
    ends = {pair: cut for pair, video in videos.items() if (cut := _cut_to_limited(video)) is not None}
    hit = {pair: videos[pair] for pair, cut in ends.items() if cut}
    if len(hit) < max(FEWEST_CUT, AGREED * len(ends)):
        return ()
    return tuple(finding("limited", hit, ends, "have values cut to 16 to 235, the limited range", advice=advice))


def _narrow(video: Measured) -> bool:
    slack = SLACK if video.lossy == 0 else SLACK_LOSSY
    return video.floor >= SQUEEZED_TO[0] - slack and video.ceiling <= SQUEEZED_TO[1] + slack


def _tapered(video: Measured) -> bool:
    """Whether a clip reaches from 0 to 255 with few values there, as one does that is stretched by its own extremes."""
    ends = video.lossy == 0 and (video.floor, video.ceiling) == (0, 255) and video.pile <= TAPERED
    return ends and (value(video, "expanded") < SURELY or value(video, "stretched") >= value(video, "expanded"))


def _cut_to_limited(video: Measured) -> bool | None:
    """Whether values end at 16 and 235 where the reference goes on; None where it does not."""
    low, high = SQUEEZED_TO
    ends: list[bool] = []
    if video.reference_floor <= low - BEYOND:
        ends.append(abs(video.floor - low) <= 1)
    if video.reference_ceiling >= high + BEYOND:
        ends.append(abs(video.ceiling - high) <= 1)
    return all(ends) and video.pile > TAPERED if ends and video.lossy == 0 else None


def mixed(videos: Videos) -> Iterable[Finding]:
    """Written as Y'CbCr by one standard and read by another."""
    names = {"as_709": ("BT.601", "BT.709"), "as_601": ("BT.709", "BT.601")}
    best = max(names, key=lambda name: median(videos, name))
    written, read = names[best]
    return by_majority(
        "matrix", best, videos, f"have colours as if written by {written} and read by {read}",
        advice="use one matrix for both ways, and state it in the file (FFmpeg: -colorspace); files without a statement are "
        "read differently by different programs", least=MIXED,
    )  # fmt: skip
