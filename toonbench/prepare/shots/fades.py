"""Fades through one colour: the frames between full contrast, none, and full contrast again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toonbench.prepare.shots.small import Smalls, difference
from toonbench.prepare.shots.transition import Kind, Transition

PLAIN = 3.5  # grey levels: the standard deviation of a frame of one colour
RISING = 1.01  # contrast over that of the frame before, in a fade
SLOWEST = 72  # frames of half a fade
GROWN = 1.6  # full contrast over that of the frame beside one of one colour, in a fade
GENTLE = 2  # frames of half a fade, at least; fewer are a cut to one colour
LONG = 5  # frames: a stretch of one colour that is a part of its own between two changes
DIP = 8  # frames: a shorter one of one colour in an unchanged picture is a flash or a blink, and no boundary
CHANGED = 8.0  # grey levels between both sides of a fade, with motion allowed, from which they are two shots
REACH = 2
FLOOR = 0.5  # grey levels: the least change between frames that is counted on


def contrast_of(smalls: Smalls) -> NDArray[np.float32]:
    """The standard deviation of each frame, of its channel with most."""
    return smalls.std(axis=(1, 2)).max(axis=-1)


def find_fades(smalls: Smalls) -> list[Transition]:
    """Fades through one colour, from or to one at the film's ends, and stretches of one colour between cuts."""
    contrast = contrast_of(smalls)
    found: list[Transition] = []
    for first, last in _runs(contrast < PLAIN):
        into = _steps(contrast[max(0, first - SLOWEST) : first][::-1])
        out = _steps(contrast[last : last + SLOWEST])
        start, end = first - into, last + out
        if _is_dip(smalls, first, last, start, end):
            continue
        kind: Kind = "fade_black" if float(smalls[first:last].mean()) < 128 else "fade_white"
        found += _parts(kind, (start, first), (last, end), frames=len(smalls))
    return _joined(found)


def _parts(kind: Kind, into: tuple[int, int], out: tuple[int, int], *, frames: int) -> list[Transition]:
    """One fade; or where a long stretch of one colour begins or ends with a cut, that cut and the rest."""
    (start, first), (last, end) = into, out
    sharp_in, sharp_out = start == first > 0, last == end < frames
    if last - first < LONG or not (sharp_in or sharp_out):
        return [Transition(kind=kind, start=start, end=end, score=2.0, by="contrast")]
    cuts = [at for at, sharp in ((first, sharp_in), (last, sharp_out)) if sharp]
    found = [Transition(kind="cut", start=at, end=at, score=2.0, by="contrast") for at in cuts]
    if not sharp_in:
        found.append(Transition(kind=kind, start=start, end=first + 1, score=2.0, by="contrast"))
    if not sharp_out and end > last:
        found.append(Transition(kind=kind, start=last - 1, end=end, score=2.0, by="contrast"))
    return sorted(found, key=lambda one: one.start)


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(first), int(last)) for first, last in zip(edges[::2], edges[1::2], strict=True)]


def _steps(contrast: NDArray[np.float32]) -> int:
    """Frames of growing contrast before it is full; 0 where it is full at once."""
    if not len(contrast):
        return 0
    at = 0
    while at + 1 < len(contrast) and contrast[at + 1 : at + 3].max() > contrast[at] * RISING:
        at += 1
    return at if at >= GENTLE and contrast[at] > GROWN * contrast[0] else 0


def _is_dip(smalls: Smalls, first: int, last: int, start: int, end: int) -> bool:
    """Whether the picture before and after a short stretch of one colour is the same."""
    if last - first > DIP or first == 0 or last == len(smalls):
        return False
    before, after = smalls[max(start - 1, 0)], smalls[min(end, len(smalls) - 1)]
    usual = max(difference(smalls[max(first - 2, 0)], smalls[first - 1], reach=0), FLOOR)
    allowed = max(CHANGED, usual * (end - start + 2)) if start == first and end == last else CHANGED
    return difference(before, after, reach=REACH) < allowed


def _joined(found: list[Transition]) -> list[Transition]:
    kept: list[Transition] = []
    for one in found:
        if kept and one.start < kept[-1].end:
            before = kept.pop()
            one = Transition(kind=before.kind, start=before.start, end=one.end, score=one.score, by=one.by)
        kept.append(one)
    return kept
