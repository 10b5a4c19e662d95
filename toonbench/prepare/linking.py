"""Which faces of two searched frames are the same one: assignment on place and appearance, and the tracks that this gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from toonbench.prepare.detection import Box, overlap
from toonbench.prepare.looks import Look, apart, likeness
from toonbench.types import Frame

NEAR = 1.0  # sides of a face that it may move between two searches
ALIKE = 1.8  # ratio of sizes of one face in two searches
SIMILAR = 0.5  # likeness of one face in two searches
RETURNS, RECENT = 0.8, 8  # likeness of a face that was missed with one of those that were seen last
NEVER = 100.0  # cost of a pair that cannot be
EARLY = 4  # first appearances of a face that returns
CLEAR, TINY = 0.65, 24  # score and pixels of a face whose first and last frame are searched for
BRIDGE = 1.0  # seconds that a face may be missed


@dataclass(slots=True, eq=False)
class Face:
    """A face in a searched frame. A score of 0: not detected, but its pixels are still there.

    `new` marks the first frame of another drawing: it continues no track.
    """

    box: Box
    score: float
    agreement: int
    look: Look
    new: bool = False
    found_by: tuple[str, ...] = ()

    @property
    def matters(self) -> bool:
        """Whether the frames where it comes and goes are worth a search: it is sure, and not tiny."""
        return self.score >= CLEAR and max(self.box[2] - self.box[0], self.box[3] - self.box[1]) >= TINY


@dataclass(slots=True, eq=False)
class Searched:
    """A searched frame and its faces."""

    index: int
    frame: Frame
    faces: list[Face] = field(default_factory=list[Face])


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """A face to find again: where it should be, its last appearances, and whether it was missed in the frame searched before."""

    box: Box
    faces: Sequence[Face]
    missed: bool = False


@dataclass(slots=True, eq=False)
class OpenTrack:
    """A face that is followed: the frames where it was seen, and what it looked like in them."""

    at: list[int] = field(default_factory=list[int])
    faces: list[Face] = field(default_factory=list[Face])

    def predicted(self, index: int) -> Box:
        """Where the face should be: moved on as between its last two places, at most by as many frames again."""
        if len(self.at) < 2:
            return self.faces[-1].box
        before, now = np.asarray(self.faces[-2].box), np.asarray(self.faces[-1].box)
        step = self.at[-1] - self.at[-2]
        move = (now[:2] + now[2:] - before[:2] - before[2:]) / 2 / step * min(index - self.at[-1], step)
        left, top, right, bottom = (now + np.tile(move, 2)).tolist()
        return left, top, right, bottom


def assign(expected: Sequence[Expected], found: Sequence[Face]) -> dict[int, int]:
    """The found face of each expected one, by position in the two lists; the sum of distances and unlikeness is the least."""
    from scipy.optimize import linear_sum_assignment

    if not expected or not found:
        return {}
    costs = np.array([[_cost(one, face) for face in found] for one in expected])
    rows, columns = linear_sum_assignment(costs)
    return {int(row): int(column) for row, column in zip(rows, columns, strict=True) if costs[row, column] < NEVER}


def _cost(expected: Expected, face: Face) -> float:
    """How little a found face is the expected one; NEVER if it cannot be."""
    last = expected.faces[-1]
    distance, ratio = min(apart(expected.box, face.box), apart(last.box, face.box))
    if face.new or distance > NEAR or ratio > ALIKE:
        return NEVER
    like = max(likeness(one.look, face.look) for one in (expected.faces[-RECENT:] if expected.missed else [last]))
    if like < (RETURNS if expected.missed else SIMILAR):
        return NEVER
    return distance + 2 * (1 - like) - 0.5 * overlap(expected.box, face.box)


class Linker:
    """Collects the tracks of a shot from its searched frames, in order."""

    def __init__(self, *, bridge: int) -> None:
        self._bridge = bridge  # frames that a face may be missed
        self._open: list[OpenTrack] = []
        self._last = -1
        self._tracks: list[OpenTrack] = []

    def add(self, searched: Searched) -> None:
        """Add the next searched frame."""
        index = searched.index
        self._open = [track for track in self._open if index - track.at[-1] <= self._bridge]
        expected = [
            Expected(track.predicted(index), track.faces, missed=track.at[-1] < self._last) for track in self._open
        ]
        pairs = assign(expected, searched.faces)
        for number, place in pairs.items():
            self._open[number].at.append(index)
            self._open[number].faces.append(searched.faces[place])
        taken = set(pairs.values())
        for place, face in enumerate(searched.faces):
            if place not in taken and (face.score > 0 or face.new):
                self._begin(index, face)
        self._last = index

    def finish(self) -> list[OpenTrack]:
        """All tracks of the shot."""
        return join(self._tracks, bridge=self._bridge)

    def _begin(self, index: int, face: Face) -> None:
        if face.new:  # what was here before has ended
            self._open = [track for track in self._open if overlap(track.faces[-1].box, face.box) < 0.3]
        track = OpenTrack([index], [face])
        self._open.append(track)
        self._tracks.append(track)


def join(tracks: Sequence[OpenTrack], *, bridge: int) -> list[OpenTrack]:
    """The tracks of a shot, with those as one that show one face before and after it was missed for at most `bridge` frames.

    A face that appears beside another person looks different at first, so that its first appearances are compared, too.
    """
    from scipy.optimize import linear_sum_assignment

    if len(tracks) < 2:
        return list(tracks)
    costs = np.array([[_join_cost(one, other, bridge=bridge) for other in tracks] for one in tracks])
    rows, columns = linear_sum_assignment(costs)
    before = {int(b): int(a) for a, b in zip(rows, columns, strict=True) if costs[a, b] < NEVER}
    joined = [OpenTrack(list(track.at), list(track.faces)) for track in tracks]
    for place in sorted(
        before, key=lambda number: -tracks[number].at[0]
    ):  # the last one first: chains of more than two
        joined[before[place]].at.extend(joined[place].at)
        joined[before[place]].faces.extend(joined[place].faces)
    return [track for place, track in enumerate(joined) if place not in before]


def _join_cost(one: OpenTrack, other: OpenTrack, *, bridge: int) -> float:
    if not 0 < other.at[0] - one.at[-1] <= bridge or other.faces[0].new:
        return NEVER
    expected = Expected(one.predicted(other.at[0]), one.faces, missed=True)
    place = other.faces[0]
    return min(_cost(expected, Face(place.box, 1.0, 1, face.look)) for face in other.faces[:EARLY])
