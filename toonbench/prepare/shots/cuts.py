"""Hard cuts: two sides that differ from each other by more than each changes in itself.

A difference of neighbouring frames alone confuses cuts with fast motion and flashes. Here the frames before and the frames after
a candidate are compared with each other, with motion allowed: the least difference between the two sides, over the largest one
between neighbours within a side. A flash, a lightning or a whip pan fails this test; a cut to a lookalike in the same place passes it.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from toonbench.prepare.shots.small import Smalls, difference
from toonbench.prepare.shots.transition import Transition

SIDE = 4  # frames on each side that are compared
NEAREST = 3  # those of a side that are compared with all of the other
REACH = 1  # pixels of motion
FLOOR = 0.7  # grey levels: noise within a side
APART = 1.85  # the ratio from which it is a cut
UNSURE = 1.3  # the ratio from which a second detector may confirm it
LEAST = 1.5  # grey levels of change at a cut
PEAK = 0.6  # of a candidate's change over the largest one around it
FLASHES = 2  # changes around a candidate that may be larger: a flash has two
AROUND = 6  # frames on each side that a candidate is compared with


def changes(smalls: Smalls) -> NDArray[np.float32]:
    """The mean absolute difference of each frame to the one before, in grey levels; 0 for the first one."""
    steps = np.abs(np.diff(smalls, axis=0)).mean(axis=(1, 2, 3))
    return np.concatenate([np.zeros(1, np.float32), steps])


def candidates(smalls: Smalls) -> list[int]:
    """Frames whose change stands out from those around them."""
    change = changes(smalls)
    found: list[int] = []
    for at in np.flatnonzero(change > LEAST):
        around = np.concatenate([change[max(1, at - AROUND) : at], change[at + 1 : at + 1 + AROUND]])
        usual = float(np.sort(around)[-FLASHES - 1]) if len(around) > FLASHES else 0.0
        if change[at] >= PEAK * usual:
            found.append(int(at))
    return found


def separation(smalls: Smalls, at: int) -> float:
    """The least difference between the frames before `at` and those from it on, over the largest change within them."""

    @functools.cache
    def apart(one: int, other: int) -> float:
        return difference(smalls[one], smalls[other], reach=REACH)

    before = range(max(0, at - SIDE), at)
    after = range(at, min(len(smalls), at + SIDE))
    if not before or not after:
        return 0.0
    between = min(apart(i, j) for i in before for j in after if i >= at - NEAREST or j < at + NEAREST)
    within = max([apart(i, i + 1) for i in [*before[:-1], *after[:-1]]], default=0.0)
    return between / (within + FLOOR)


def find_cuts(smalls: Smalls, *, also: frozenset[int] = frozenset()) -> list[Transition]:
    """All cuts, and candidates from UNSURE on, whose score is below 1.

    smalls: small pictures of consecutive frames.
    also: candidates of another detector.
    """
    found: list[Transition] = []
    for at in sorted({*candidates(smalls), *also}):
        if 0 < at < len(smalls) and (ratio := separation(smalls, at)) >= UNSURE:
            found.append(Transition(kind="cut", start=at, end=at, score=ratio / APART, by="separation"))
    return _distinct(found)


def _distinct(found: list[Transition]) -> list[Transition]:
    """One cut of those closer than NEAREST frames: the clearest."""
    kept: list[Transition] = []
    for one in sorted(found, key=lambda cut: (-cut.score, cut.start)):
        if all(abs(one.start - other.start) >= NEAREST for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda cut: cut.start)
