"""What all findings share: the finding itself, and the judgement of one column over the pairs of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from toonbench.lint.measured import Measured

Severity = Literal["warning", "error"]
Videos = Mapping[str, Measured]

# Each threshold is in the middle of the gap between sound and damaged clips in docs/lint.md.
DAMAGED = (
    0.3  # of `swapped`, `crushed`, `wrapped`, `washed` and the shifts: the median over pairs; of colours, any one pair
)
BLANK = 0.5  # of `flat`: too few frames are left to judge colours by
AGREED = 2 / 3  # share of the measured pairs that lean to the same mistake


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A mistake in some videos of a run. `affected` are pair ids; `of` is how many videos could be judged."""

    kind: str
    affected: tuple[str, ...]
    of: int
    message: str
    severity: Severity = "warning"


def measured_in(videos: Videos, column: str) -> dict[str, Measured]:
    """The videos in which a column could be measured."""
    return {pair: video for pair, video in videos.items() if np.isfinite(getattr(video, column))}


def median(videos: Videos, column: str) -> float:
    """The median of a column over the videos in which it could be measured, -inf where there are none."""
    values = [getattr(video, column) for video in measured_in(videos, column).values()]
    return float(np.median(values)) if values else -np.inf


def without(videos: Videos, findings: Sequence[Finding]) -> dict[str, Measured]:
    """The videos that are in none of the findings."""
    affected = {pair for one in findings for pair in one.affected}
    return {pair: video for pair, video in videos.items() if pair not in affected}


def by_majority(
    kind: str, column: str, videos: Videos, what: str, *, advice: str, least: float = DAMAGED
) -> Iterable[Finding]:
    """A finding if the median over pairs reaches the threshold and most of them agree; nothing otherwise."""
    judged = measured_in(videos, column)
    hit = {pair: video for pair, video in judged.items() if getattr(video, column) > 0}
    if median(videos, column) < least or len(hit) < AGREED * len(judged):
        return ()
    return finding(kind, hit, judged, what, advice=advice)


def finding(
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


def value(video: Measured, column: str) -> float:
    """A column of one video, -inf where it could not be measured."""
    value: float = getattr(video, column)
    return value if np.isfinite(value) else -np.inf
