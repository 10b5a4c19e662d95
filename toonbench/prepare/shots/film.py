"""All changes of shots in a film, block by block, and the shots between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from toonbench.prepare.shots import cuts as hard
from toonbench.prepare.shots import gradual
from toonbench.prepare.shots.fades import contrast_of, find_fades
from toonbench.prepare.shots.gradual import Window
from toonbench.prepare.shots.second import SURE, probabilities
from toonbench.prepare.shots.small import Smalls, inside_bars
from toonbench.prepare.shots.transition import Kind, Transition

BLOCK, OVERLAP = 3000, 120  # frames that are looked at together, and those that two blocks share
MEETING = 4  # frames between the two halves of a fade
FAINT = 0.3  # the least contrast of a fade over those before and after it
SLACK = 1.2  # of the rest in the frames of the line, over that in the window
MARGIN = 3  # frames left out beside a gradual transition


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """The frames [start, end) that belong to a shot, and those [first, last) that show nothing of another one."""

    start: int
    end: int
    first: int
    last: int


def find_transitions(smalls: NDArray[np.uint8], *, second: bool = False) -> list[Transition]:
    """The changes of shots in a film, (frames, HEIGHT, WIDTH, 3) uint8, in order.

    second: whether TransNetV2 decides about doubtful ones; without it they are no changes.
    The memory is that of a block of frames; `smalls` may be mapped from a file.
    """
    found: list[Transition] = []
    for start in range(0, max(1, len(smalls)), BLOCK - OVERLAP):
        block = smalls[start : start + BLOCK]
        late = start + (OVERLAP // 2 if start else 0)
        early = start + BLOCK - OVERLAP // 2 if start + BLOCK < len(smalls) else len(smalls) + 1
        for one in _in_block(block, second=second):
            moved = replace(one, start=one.start + start, end=one.end + start)
            if late <= moved.middle < early:
                found.append(moved)
        if start + BLOCK >= len(smalls):
            break
    return found


def _in_block(block: NDArray[np.uint8], *, second: bool) -> list[Transition]:
    if len(block) < 2:
        return []
    rows, columns = inside_bars(block)
    smalls = block[:, rows, columns].astype(np.float32)
    fades = find_fades(smalls)
    sharp = [one for one in hard.find_cuts(smalls) if not _covered(one, fades)]
    sharp = _confirmed(block, sharp, second=second)
    barriers = sorted({*(cut.start for cut in sharp), *(at for one in fades for at in range(one.start, one.end + 1))})
    slow = [_transition(smalls, one) for one in gradual.find_windows(smalls, cuts=barriers)]
    slow = _through_dark(smalls, _confirmed(block, slow, second=second))
    return sorted([*fades, *sharp, *slow], key=lambda one: one.start)


def _confirmed(block: NDArray[np.uint8], found: Sequence[Transition], *, second: bool) -> list[Transition]:
    """The clear ones, and the doubtful ones that the network agrees with."""
    doubtful = [one for one in found if 0 < one.score < 1] if second else []
    frames = {one.start: range(max(0, one.start - 1), min(len(block), one.end + 1)) for one in doubtful}
    likely = probabilities(block, {frame for near in frames.values() for frame in near}) if doubtful else {}
    agreed = [
        replace(one, score=1.0, by=f"{one.by}, transnetv2")
        for one in doubtful
        if max(likely[frame] for frame in frames[one.start]) >= SURE
    ]
    return sorted([*(one for one in found if one.score >= 1), *agreed], key=lambda one: one.start)


def _covered(cut: Transition, fades: Sequence[Transition]) -> bool:
    return any(one.start <= cut.start <= one.end for one in fades)


def _through_dark(smalls: Smalls, found: Sequence[Transition]) -> list[Transition]:
    """Two dissolves that meet in a frame of low contrast as one fade: it need not reach one colour."""
    contrast = contrast_of(smalls)
    kept: list[Transition] = []
    for one in found:
        before = kept[-1] if kept else None
        if before and one.start - before.end <= MEETING:
            ends = contrast[[max(before.start - 1, 0), min(one.end, len(smalls) - 1)]]
            between = smalls[before.end - 1 : one.start + 1]
            if contrast[before.end - 1 : one.start + 1].min() < FAINT * ends.min():
                kind: Kind = "fade_black" if float(between.mean()) < 128 else "fade_white"
                kept[-1] = replace(before, kind=kind, end=one.end, score=max(before.score, one.score))
                continue
        kept.append(one)
    return kept


def _transition(smalls: Smalls, window: Window) -> Transition:
    """The window as a transition in the frames of the line that fits its shares; what is left outside of them counts again."""
    _, shares, _ = gradual.mixed(smalls, window.first, window.last, window.kind)
    start, end = gradual.ramp(shares)
    start, end = window.first + 1 + start, window.first + 1 + end
    kept = gradual.measure(smalls, start - 1, end, window.kind, limit=window.rest * SLACK)
    score = (
        min(max(kept.explained, gradual.CLEAR * (window.rest > gradual.REST[window.kind])), window.explained)
        if kept
        else 0.0
    )
    return Transition(kind=window.kind, start=start, end=end, score=score / gradual.CLEAR, by="mixture")


def shots_between(transitions: Sequence[Transition], frames: int) -> list[Shot]:
    """The shots of a film of this many frames. A boundary is the middle of a transition; a shot may have no clean frame."""
    edges = [0, *(one.middle for one in transitions), frames]
    first = [0, *(one.end + (MARGIN if one.end > one.start else 0) for one in transitions)]
    last = [*(one.start - (MARGIN if one.end > one.start else 0) for one in transitions), frames]
    found: list[Shot] = []
    for start, end, clean, dirty in zip(edges[:-1], edges[1:], first, last, strict=True):
        if end > start:
            found.append(
                Shot(start=start, end=end, first=min(max(clean, start), end), last=max(min(dirty, end), start))
            )
    return found
