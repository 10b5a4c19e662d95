"""Dissolves, wipes and fades: stretches whose frames are mixtures of the frame before and the frame after.

Between two frames A and B, a dissolve shows A + a (B - A) with one `a` for all pixels that grows from 0 to 1; a fade is a dissolve to or
from one colour. A wipe shows A in some pixels and B in the others, and the part of B grows. Motion and pans are neither: the rest,
which no mixture explains, is large. Windows of many lengths are tried, so slow transitions are candidates as well as fast ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from toonbench.prepare.shots.small import Small, Smalls, difference

LENGTHS = (6, 9, 13, 18, 25, 34, 46)  # frames between the two ends of a window
LEAST = 1.2  # grey levels between the ends
ALIKE = 0.8  # the same with motion allowed
REST = {"dissolve": 0.28, "wipe": 0.12}  # what a mixture may leave unexplained, over the difference of the ends
SHORT, STRICT = 8, 0.12  # frames of a window, up to which less is allowed: a whip pan is short
GATE = 0.35  # the same for the three frames of the first look
BACK = 0.08  # how far the share of the new shot may fall
STEP, STEPS = 0.3, 2.0  # the largest rise between two frames, and over the mean rise
BETWEEN, LOOSE = 4, 0.4  # frames between two parts of one transition, and the rest that is allowed for both together
CLEAR = 9.0  # grey levels that the mixture explains, from which it is a transition
EXACT = 0.03  # of the rest: below it, few grey levels are enough
UNSURE = 5.0  # the same, from which a second detector may confirm it
REACH = 3  # pixels of motion between the ends

Mixture = Literal["dissolve", "wipe"]
Shares = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A transition that is completed between the frames `first` and `last`, neither of which need belong to it."""

    kind: Mixture
    first: int
    last: int
    explained: float  # grey levels
    rest: float  # what the mixture leaves unexplained, over the difference of the ends

    def overlaps(self, other: Window) -> bool:
        """Whether the inner frames of two windows have one in common."""
        return self.first < other.last and other.first < self.last


def find_windows(smalls: Smalls, *, cuts: Sequence[int]) -> list[Window]:
    """The clearest windows that do not overlap, in order; none holds a cut. Those below CLEAR need a second opinion."""
    found: list[Window] = []
    inside = np.asarray(cuts)
    for length in LENGTHS:
        for first, kind in _first_look(smalls, length):
            last = first + length
            if not _crossed(inside, first, last) and (window := measure(smalls, first, last, kind)):
                found.append(window)
    return _all_grown(smalls, _clearest(found), inside)


def _crossed(cuts: NDArray[np.int_], first: int, last: int) -> bool:
    """Whether a sorted list of cuts has one in the frames (first, last]."""
    return bool(np.searchsorted(cuts, first, side="right") < np.searchsorted(cuts, last, side="right"))


def _clearest(found: Sequence[Window]) -> list[Window]:
    kept: list[Window] = []
    for one in sorted(found, key=lambda window: (-window.explained, window.first, window.last)):
        if one.explained >= UNSURE and not any(one.overlaps(other) for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda window: window.first)


def _first_look(smalls: Smalls, length: int) -> list[tuple[int, Mixture]]:
    """Windows of one length whose frames at a quarter, a half and three quarters may be mixtures of the ends."""
    starts = np.arange(0, len(smalls) - length, max(1, length // 6))
    if not len(starts):
        return []
    pixels = smalls[:, ::2, ::2].reshape(len(smalls), -1)
    one, two = pixels[starts], pixels[starts + length]
    change = two - one
    apart = np.abs(change).mean(axis=1)
    power = np.maximum((change * change).sum(axis=1), 1e-6)
    dissolves, wipes = np.zeros(len(starts)), np.zeros(len(starts))
    for quarter in (1, 2, 3):
        inner = pixels[starts + length * quarter // 4]
        share = ((inner - one) * change).sum(axis=1) / power
        dissolves += np.abs(inner - one - share[:, None] * change).mean(axis=1) / 3
        wipes += np.minimum(np.abs(inner - one), np.abs(inner - two)).mean(axis=1) / 3
    rests: tuple[tuple[Mixture, Shares], ...] = (("dissolve", dissolves), ("wipe", wipes))
    return [(int(first), kind) for kind, rest in rests for first in starts[(apart >= LEAST) & (rest < GATE * apart)]]


def measure(smalls: Smalls, first: int, last: int, kind: Mixture, *, limit: float = 0.0) -> Window | None:
    """The window of these ends if its frames are such mixtures; otherwise None. `limit` replaces REST where it is larger."""
    apart, shares, rest = mixed(smalls, first, last, kind)
    if apart < LEAST or rest > max(limit, REST[kind] if last - first > SHORT else STRICT):
        return None
    rises = np.diff(np.concatenate([[0.0], shares, [1.0]]))
    if rises.max() > max(STEP, STEPS / len(rises)) or -np.minimum(rises, 0).sum() > BACK:
        return None
    moved = difference(smalls[first], smalls[last], reach=REACH)
    if moved < ALIKE:
        return None
    explained = moved * (1 - rest / 0.3)
    return Window(
        kind=kind, first=first, last=last, explained=max(explained, CLEAR) if rest < EXACT else explained, rest=rest
    )


def mixed(smalls: Smalls, first: int, last: int, kind: Mixture) -> tuple[float, Shares, float]:
    """The difference of the ends, the share of the second one in each frame between them, and what is left unexplained."""
    one, two = smalls[first], smalls[last]
    shares, rests = shares_of(smalls[first + 1 : last], one, two, kind)
    apart = float(np.abs(two - one).mean())
    return apart, shares, float(rests.mean()) / max(apart, 1e-6)


def shares_of(frames: Smalls, one: Small, two: Small, kind: Mixture) -> tuple[Shares, Shares]:
    """For each frame: the share of `two` in a mixture of `one` and `two`, and the mean rest in grey levels."""
    change = two - one
    if kind == "dissolve":
        moved = frames - one
        shares = (moved * change).sum(axis=(1, 2, 3)) / max(float((change * change).sum()), 1e-6)
        rests = np.abs(moved - shares[:, None, None, None] * change).mean(axis=(1, 2, 3))
        return shares.astype(np.float64), rests.astype(np.float64)
    weight = np.abs(change).mean(axis=-1)
    from_one, from_two = (np.abs(frames - end).mean(axis=-1) for end in (one, two))
    shares = ((from_two < from_one) * weight).sum(axis=(1, 2)) / max(float(weight.sum()), 1e-6)
    return shares.astype(np.float64), np.minimum(from_one, from_two).mean(axis=(1, 2)).astype(np.float64)


def _all_grown(smalls: Smalls, windows: Sequence[Window], cuts: NDArray[np.int_]) -> list[Window]:
    """The windows with their ends moved outwards as far as none overlaps another."""
    grown: list[Window] = []
    for at, one in enumerate(windows):
        least = grown[-1].last if grown else 0
        most = windows[at + 1].first if at + 1 < len(windows) else len(smalls) - 1
        grown.append(_grown(smalls, one, cuts, least=least, most=most))
    return _joined(smalls, grown, cuts)


def _joined(smalls: Smalls, windows: Sequence[Window], cuts: NDArray[np.int_]) -> list[Window]:
    """Windows that are parts of one slow transition as one: together, the share of the new shot still grows evenly."""
    kept: list[Window] = []
    for one in windows:
        before = kept[-1] if kept else None
        clear = before is not None and min(before.explained, one.explained) >= CLEAR
        if before and clear and before.kind == one.kind and one.first - before.last <= BETWEEN:
            crossed = _crossed(cuts, before.first, one.last)
            if not crossed and (whole := measure(smalls, before.first, one.last, one.kind, limit=LOOSE)):
                kept[-1] = replace(whole, explained=before.explained + one.explained)
                continue
        kept.append(one)
    return kept


def _grown(smalls: Smalls, window: Window, cuts: NDArray[np.int_], *, least: int, most: int) -> Window:
    """The window with its ends moved outwards as long as it explains more."""
    best = window
    for _ in range(len(smalls)):
        ends = [(best.first - by, best.last) for by in (1, 3)] + [(best.first, best.last + by) for by in (1, 3)]
        tried = [
            one
            for first, last in ends
            if least <= first and last <= most and not _crossed(cuts, first, last)
            if (one := measure(smalls, first, last, best.kind))
        ]
        better = max(tried, key=lambda one: one.explained, default=best)
        if better.explained <= best.explained * 1.005:
            return best
        best = better
    return best


def ramp(shares: Shares) -> tuple[int, int]:
    """The frames [start, end) of a window's inner ones in which the share of the new shot rises from 0 to 1 in a line.

    The line of least squares; `start` and `end` count from the first inner frame.
    """
    count = len(shares)
    best: tuple[float, int, int] = (np.inf, 0, count)
    at = np.arange(count)
    for start in range(count):
        for end in range(start + 1, count + 1):
            line = np.clip((at - start + 1) / (end - start + 1), 0, 1)
            wrong = float(((shares - line) ** 2).sum())
            if wrong < best[0]:
                best = (wrong, start, end)
    return best[1], best[2]
