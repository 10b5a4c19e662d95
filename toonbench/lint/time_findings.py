"""Findings about time: pasted and copied clips, shifts, the order of frames, repeated and missing motion."""

from __future__ import annotations

from collections.abc import Iterable

from toonbench.lint.judging import Finding, Videos, by_majority, finding, measured_in, median, without
from toonbench.lint.measured import Measured
from toonbench.lint.motion import LAGS, STILL
from toonbench.lint.order import ORDERS

FEWEST_BY_ENERGY = 6  # pairs, and half of all, that show a shift, if most of them show it by the amount of motion alone
SOURCE = 0.12  # of `to_source`: half the motion without a target reads 0.18 and more, the source itself 0
SOURCE_BY_DRIVING = (
    0.06  # the same without a target: the driving video may move more than the character, in grey levels
)
SOURCE_STILL = 0.5  # the same where nothing moves: a codec or a tint keeps the source from being exactly itself
DRIVING = 0.3  # of `to_driving`
COPIED = 0.5  # of `copied`
TAIL = 0.25  # of `tail`, and at least three changes
REPEATED = 0.2  # of `repeated`
LONGEST_REPEAT = 4.0  # of `repeats`: longer ones are pauses
DISORDERED = 0.3  # of `text_order` and `reversed`: the median over pairs


def in_time(videos: Videos) -> tuple[Finding, ...]:
    """Repeated frames, wrong order, missing motion and shifts; each explains those after it."""
    doubled = tuple(_doubled(videos))
    ordered = tuple(_disordered(without(videos, doubled)))
    explained = (*doubled, *ordered)
    rest = without(videos, explained)
    late = () if 2 * len(rest) < len(videos) else shifted(rest)
    return (*explained, *constant(rest), *late)


def _doubled(videos: Videos) -> Iterable[Finding]:
    hit = {p: v for p, v in videos.items() if v.repeated >= REPEATED and v.repeats <= LONGEST_REPEAT}
    return finding(
        "doubled", hit, measured_in(videos, "repeated"), "repeat frames in a regular pattern although the driving video moves",
        detail=lambda v: _pattern(v.repeated, v.repeats),
        advice="write one new frame for every driving frame: the method may run at another frame rate",
    )  # fmt: skip


def _pattern(share: float, repeats: float) -> str:
    """In words: `every second frame repeats the one before`."""
    if repeats > 1.5:
        return f"every frame is shown {round(repeats) + 1} times"
    names = {2: "every second", 3: "every third", 4: "every fourth"}
    return f"{names.get(round(1 / share), f'{share:.0%} of the frames')} {'frame repeats' if share > 0.22 else 'repeat'} the one before"


def _disordered(videos: Videos) -> Iterable[Finding]:
    """The frames sorted as text, or the last one first."""
    best = max(ORDERS, key=lambda name: median(videos, name))
    what, advice = {
        "text_order": (
            "have their frames sorted by name as text (0, 1, 10, 11, ..., 2)",
            "sort by number, or write names with leading zeros",
        ),
        "reversed": ("have their last frame first", "check the order in which frames were written"),
    }[best]  # fmt: skip
    judged = measured_in(videos, best)
    if 2 * len(judged) < len(videos) and all(v.by_source == 1 for v in judged.values()):
        return ()
    return by_majority("order", best, videos, what, advice=advice, least=DISORDERED)


def shifted(videos: Videos) -> Iterable[Finding]:
    """The most likely shift in time, if any is likely."""
    best = max(LAGS, key=lambda name: median(videos, name))
    judged = measured_in(videos, best).values()
    weak = 2 * sum(video.by_energy for video in judged) > len(judged)
    if weak and len(judged) < max(FEWEST_BY_ENERGY, len(videos) / 2):
        return ()
    frames = f"{abs(LAGS[best])} frame{'s' * (abs(LAGS[best]) > 1)}"
    what = f"run {frames} {'late' if LAGS[best] > 0 else 'early'}"
    advice = "frame t must show the motion of driving frame t: check for a dropped, doubled or missing first frame"
    return by_majority("shifted", best, videos, what, advice=advice)


def driving_pasted(videos: Videos) -> tuple[Finding, ...]:
    """The videos that are the driving video."""
    hit = {pair: video for pair, video in videos.items() if video.to_driving < DRIVING}
    advice = "the character of the source must be shown: check what was saved"
    return tuple(
        finding("driving", hit, measured_in(videos, "to_driving"), "show the driving video itself", advice=advice)
    )


def source_pasted(videos: Videos) -> tuple[Finding, ...]:
    """The videos that are the source, without motion."""
    hit = {pair: video for pair, video in videos.items() if video.to_source < _source_limit(video)}
    advice = "it must move as the driving video does: check what was saved (expected of the method 'static')"
    return tuple(
        finding("source", hit, measured_in(videos, "to_source"), "show the source without motion", advice=advice)
    )


def _source_limit(video: Measured) -> float:
    if video.motion < STILL:
        return SOURCE_STILL
    return SOURCE_BY_DRIVING if video.by_source == 1 else SOURCE


def targets_copied(videos: Videos) -> Iterable[Finding]:
    """The videos that are their targets."""
    hit = {pair: video for pair, video in videos.items() if video.copied >= COPIED}
    return finding(
        "target", hit, measured_in(videos, "copied"), "are the targets, pixel by pixel",
        advice="they measure the metrics and no method (expected of the method 'oracle')",
    )  # fmt: skip


def constant(videos: Videos) -> Iterable[Finding]:
    """The videos that do not move, or no longer move at the end."""
    still = {pair: video for pair, video in videos.items() if video.motion < STILL}
    tails = {
        pair: video
        for pair, video in videos.items()
        if pair not in still and video.tail >= TAIL and round(video.tail * (video.frames - 1)) >= 3
    }
    judged = measured_in(videos, "motion")
    yield from finding("constant", still, judged, "show the same frame throughout although the driving video moves",
                     advice="check that every frame was generated and saved")  # fmt: skip
    yield from finding("frozen", tails, judged, "stop moving before the end although the driving video moves",
                     detail=lambda v: f"the last {v.tail:.0%} of the clip",
                     advice="check that every driving frame was used")  # fmt: skip
