"""Findings about whole pictures: one video for several pairs, strips, mirrored and turned pictures, another part of the picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from toonbench.lint import time_findings
from toonbench.lint.geometry import TURNS
from toonbench.lint.judging import (
    AGREED,
    BLANK,
    Finding,
    Severity,
    Videos,
    by_majority,
    finding,
    measured_in,
    median,
    value,
)
from toonbench.lint.measured import Measured
from toonbench.lint.motion import STILL

TURNED = 0.5  # of the columns of TURNS: the median over pairs
TURNED_ALONE = 0.7  # the same for one pair that is compared with its target
CROPPED = 0.5  # of `crop_gain`
CROP_FIT = 0.75  # of `crop_fit`
OFFSET = 0.02  # of the width: a smaller difference of scale or place is none
WAYS: Mapping[str, str] = {
    "mirrored": "are mirrored left to right",
    "turned_90": "are turned clockwise by 90 degrees",
    "turned_180": "are turned upside down, by 180 degrees",
    "turned_270": "are turned anticlockwise by 90 degrees",
}


def one_for_several(videos: Videos) -> tuple[Finding, ...]:
    """The same content in pairs of different sources and driving videos, which a sound method never gives.

    Where only the source or only the driving video differs, pasted and still videos are equal for another reason.
    """
    shown = {pair: video for pair, video in videos.items() if not video.flat >= BLANK}
    groups = [
        group
        for group in _grouped(shown, lambda v: (v.start_1, v.start_2))
        if len(_prints(group, "source_print")) > 1 and len(_prints(group, "driving_print")) != 1
    ]
    rest = {pair: video for pair, video in shown.items() if not any(pair in group for group in groups)}
    groups += [group for group in _grouped(rest, lambda v: (v.content_1, v.content_2)) if _unexplained(group)]
    hit = {pair: videos[pair] for pair in videos if any(pair in group for group in groups)}
    what = "are one and the same video" if len(groups) == 1 else f"are only {len(groups)} different ones"
    advice = "each pair needs a video of its own: check where results are written, they may overwrite each other"
    return tuple(finding("same", hit, videos, what, advice=advice))


def _grouped(videos: Videos, key: Callable[[Measured], tuple[float, float]]) -> list[Videos]:
    """The groups of two and more videos with one print."""
    groups: dict[tuple[float, float], dict[str, Measured]] = {}
    for pair, video in videos.items():
        groups.setdefault(key(video), {})[pair] = video
    return [group for group in groups.values() if len(group) > 1]


def _prints(videos: Videos, column: str) -> set[float]:
    return {getattr(video, column) for video in measured_in(videos, column).values()}


def _unexplained(group: Videos) -> bool:
    """Whether equal videos of one source, or of one driving video, are neither pasted nor still."""
    sources, driving = len(_prints(group, "source_print")), len(_prints(group, "driving_print"))
    if sources > 1:
        return not any(time_findings.driving_pasted(group))
    still = any(time_findings.source_pasted(group)) or any(video.motion < STILL for video in group.values())
    return driving > 1 and not still


def strips(videos: Videos) -> tuple[Finding, ...]:
    """Several pictures in each frame, of which some are the source or the driving video."""
    hit = {pair: video for pair, video in videos.items() if abs(video.panels) >= 2}
    wrong = any((v.width, v.height) != (v.expected_width, v.expected_height) for v in hit.values())
    severity: Severity = "error" if wrong else "warning"
    return tuple(
        finding(
            "panels", hit, measured_in(videos, "panels"), "show several pictures in each frame, such as source, driving video and result",
            detail=_panels, advice="score the result alone, for example with `--panel 3/3` if it is the last of three", severity=severity,
        )
    )  # fmt: skip


def _panels(video: Measured) -> str:
    where = f"{abs(video.panels):.0f} {'beside' if video.panels > 0 else 'above'} each other"
    return f"{where}, the result is number {video.panel:.0f}" if np.isfinite(video.panel) else where


def turned(videos: Videos) -> tuple[Finding, ...]:
    """Mirrored or turned pictures, in most videos, or clearly in single ones that have a target."""
    advice = "write the picture as the source shows it: check flips, and the rotation in the header of the files that were read"
    best = max(WAYS, key=lambda name: median(videos, name))
    if found := tuple(by_majority(_kind(best), best, videos, WAYS[best], advice=advice, least=TURNED)):
        return found
    single: list[Finding] = []
    for name in TURNS:
        hit = {p: v for p, v in videos.items() if v.by_source == 0 and value(v, name) >= TURNED_ALONE}
        single += finding(_kind(name), hit, measured_in(videos, name), WAYS[name], advice=advice)
    return tuple(single)


def _kind(name: str) -> str:
    return name.partition("_")[0]


def cropped(videos: Videos) -> tuple[Finding, ...]:
    """Most videos show another part of the picture than their targets (or sources) do."""
    judged = measured_in(videos, "crop_gain")
    hit = {
        p: v for p, v in judged.items() if v.crop_gain >= CROPPED and v.crop_fit >= CROP_FIT and _offset(v) >= OFFSET
    }
    if len(hit) < AGREED * len(judged):
        return ()
    return tuple(
        finding(
            "crop", hit, judged, f"show another part of the picture than the data set's frames: {_part(hit)}",
            advice="run the tool on the frames of the data set, without cropping again, or paste its results back",
        )
    )  # fmt: skip


def _offset(video: Measured) -> float:
    return max(abs(np.log(video.crop_scale)), abs(video.crop_x), abs(video.crop_y))


def _part(videos: Videos) -> str:
    """In words: `about 70 % of the width, the middle 5 % to the right and 5 % up`."""
    scale, x, y = (median(videos, column) for column in ("crop_scale", "crop_x", "crop_y"))
    sides = [(x, "to the right", "to the left"), (y, "down", "up")]
    shifts = [f"{abs(by):.0%} {more if by > 0 else less}" for by, more, less in sides if round(abs(by), 2)]
    return f"about {scale:.0%} of the width" + (f", the middle {' and '.join(shifts)}" if shifts else "")
