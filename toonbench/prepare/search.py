"""Search the frames of a shot for faces: some of them, and those where a face comes, goes or becomes another drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from toonbench.prepare import looks
from toonbench.prepare.detection import Box, Detect, overlap
from toonbench.prepare.linking import BRIDGE, Expected, Face, Linker, OpenTrack, Searched, assign
from toonbench.prepare.looks import Look
from toonbench.types import Frame
from toonbench.video import LazyFrame, pixels_of

PER_SECOND = 3
EVERYONE = 3  # searches: at least in one of so many, all detectors are asked
FLAT = 4.0  # grey levels: the standard deviation of a frame that shows nothing
SAME = 0.6  # grey levels: the largest mean change of a part of the picture that is held
HERE = 0.3  # overlap of boxes in one place
UNLIKE = 0.3  # unlikeness of a face in two frames, from which it may be another drawing
ABRUPT = 3.0  # the same over the largest one in the frames beside
FEW = 4  # pairs of frames in a row, in which what is usual can be shown


@dataclass(frozen=True, slots=True)
class _Pair:
    """A face in two searched frames."""

    before: Face
    after: Face

    @property
    def is_unlike(self) -> bool:
        """Whether it looks other in the second frame, so that the frames between are compared."""
        return unlikeness(self.before.look, self.after.look) >= UNLIKE


class ShotSearch:
    """The search in the clean frames of one shot, up to `last`, exclusive. Give it these frames in order."""

    def __init__(self, detect: Detect, *, last: int, fps: float, single: Mapping[str, Detect]) -> None:
        rate = fps or 25.0
        self._detect, self._single, self._last = detect, single, last
        self._alone = 0  # searches since all detectors were asked
        self._stride = max(1, round(rate / PER_SECOND))
        self._linker = Linker(bridge=max(1, round(BRIDGE * rate)))
        self._low: Searched | None = None  # the last searched frame
        self._between: dict[int, Frame | LazyFrame] = {}  # the frames since then
        self.searched: list[int] = []

    def add(self, index: int, frame: Frame | LazyFrame) -> None:
        """Look at the next frame."""
        self._between[index] = frame
        low = self._low
        ends = index == self._last - 1
        if low is not None and not ends:
            waited = index - low.index
            if waited < self._stride or (_is_empty(pixels_of(frame)) and waited < 2 * self._stride):
                return
        self._close(self._search(index, pixels_of(frame), expected=self._low.faces if self._low else ()))

    def _close(self, high: Searched) -> None:
        """Link the faces since the last searched frame."""
        inner = self._connect(self._low, high) if self._low else []
        for searched in [*inner, high]:
            self._linker.add(searched)
        self._low, self._between = high, {}

    def finish(self) -> list[OpenTrack]:
        """All tracks. The last frame that was given is searched too, if the shot ends earlier than was stated."""
        if self._between:
            index = max(self._between)
            self._close(self._search(index, pixels_of(self._between.pop(index))))
        return self._linker.finish()

    def _search(self, index: int, frame: Frame, *, expected: Sequence[Face] = ()) -> Searched:
        """Search a frame, which may show the `expected` faces. One that shows the same as the last searched one has the same faces."""
        self.searched.append(index)
        low = self._low
        if low is not None and _is_same(low.frame, frame):
            return Searched(index, frame, [replace(face, new=False) for face in low.faces if face.score > 0])
        faces = self._follow(frame, expected) if expected and self._alone < EVERYONE - 1 else []
        self._alone = self._alone + 1 if faces else 0
        if not faces:
            found = self._detect(frame)
            faces = [
                Face(one.box, one.score, one.agreement, Look.of(frame, one.box), found_by=one.found_by) for one in found
            ]
        return Searched(index, frame, faces)

    def _follow(self, frame: Frame, expected: Sequence[Face]) -> list[Face]:
        """The expected faces in a frame by one detector that found all of them; none if it does not find the same ones.

        They keep the score and the agreement of the detectors that were all asked.
        """
        name = next((name for name in self._single if all(name in face.found_by for face in expected)), None)
        found = self._single[name](frame) if name else []
        pairs = {
            place: n
            for n, one in enumerate(found)
            for place, face in enumerate(expected)
            if overlap(face.box, one.box) >= HERE
        }
        if len(found) != len(expected) or sorted(pairs.values()) != list(range(len(found))):
            return []
        return [
            replace(face, box=found[pairs[place]].box, look=Look.of(frame, found[pairs[place]].box), new=False)
            for place, face in enumerate(expected)
        ]

    def _connect(self, low: Searched, high: Searched) -> list[Searched]:
        """The frames between two searched ones that are searched, too: where not the same faces are, or one jumps."""
        if high.index - low.index < 2:
            return []
        pairs = self._pairs(low, high)
        jump = self._jump(low, high, pairs)
        if jump:
            before, after = self._inside(low, high, jump - 1), self._inside(low, high, jump)
            _renew(after, [pair for pair in pairs if self._changes(pair, low, high, jump)])
            parts = [before, after] if before is not low else [after]
            inner = [one for one in parts if one is not high]
            return [*self._connect(low, before), *inner, *self._connect(after, high)]
        paired = {id(face) for pair in pairs for face in (pair.before, pair.after)}
        if not any(face.matters for face in [*low.faces, *high.faces] if id(face) not in paired):
            return []
        middle = self._inside(low, high, (low.index + high.index) // 2)
        return [*self._connect(low, middle), middle, *self._connect(middle, high)]

    def _inside(self, low: Searched, high: Searched, index: int) -> Searched:
        if index in (low.index, high.index):
            return low if index == low.index else high
        return self._search(index, pixels_of(self._between[index]))

    def _pairs(self, low: Searched, high: Searched) -> list[_Pair]:
        """The faces that are in both frames. One that is missed in the second stays if its pixels are still there."""
        found = assign([Expected(face.box, [face]) for face in low.faces], high.faces)
        for place, face in enumerate(low.faces):
            if place not in found and _stays(face, high):
                found[place] = len(high.faces)
                high.faces.append(Face(face.box, 0.0, 0, face.look))
        return [_Pair(low.faces[place], high.faces[other]) for place, other in found.items()]

    def _jump(self, low: Searched, high: Searched, pairs: Sequence[_Pair]) -> int:
        """The first frame of another drawing of a face between two searched frames; 0 if there is none."""
        at = [jump_of(self._looks(pair, low, high)) for pair in pairs if pair.is_unlike]
        return low.index + max(at) if any(at) else 0

    def _changes(self, pair: _Pair, low: Searched, high: Searched, jump: int) -> bool:
        return pair.is_unlike and low.index + jump_of(self._looks(pair, low, high)) == jump

    def _looks(self, pair: _Pair, low: Searched, high: Searched) -> list[Look]:
        inside = [(index, pixels_of(self._between[index])) for index in range(low.index + 1, high.index)]
        frames = [(low.index, low.frame), *inside, (high.index, high.frame)]
        return [
            Look.of(frame, _between(pair, (index - low.index) / (high.index - low.index))) for index, frame in frames
        ]


def unlikeness(one: Look, other: Look) -> float:
    """How unlike a face is in two frames, 0 for the same pixels: by the pixels of the face, and by the colours of the head."""
    return 2 - looks.correlation(one.pixels, other.pixels) - looks.likeness(one, other)


def jump_of(shown: Sequence[Look]) -> int:
    """The position at which a face becomes another drawing, among its looks in frames in a row; 0 if it does not.

    The change is large, much larger than between the other frames, and it stays; a flash does not count as one.
    """
    unlike = [unlikeness(one, other) for one, other in pairwise(shown)]
    if len(unlike) < FEW:
        return 0
    at = int(np.argmax(unlike)) + 1
    usual = sorted(unlike)[-2]
    contrasts = sorted((float(shown[at - 1].pixels.std()), float(shown[at].pixels.std())))
    stays = unlikeness(shown[at - 1], shown[-1]) >= UNLIKE
    clear = unlike[at - 1] >= max(UNLIKE, ABRUPT * usual) and contrasts[1] <= 2 * contrasts[0]
    return at if clear and stays else 0


def _renew(searched: Searched, pairs: Sequence[_Pair]) -> None:
    """Mark the faces of a frame that are of another drawing than before; one that was not detected is added."""
    for pair in pairs:
        near = [face for face in searched.faces if overlap(face.box, pair.after.box) >= HERE]
        if not near:
            near = [Face(pair.after.box, 0.0, 0, Look.of(searched.frame, pair.after.box))]
            searched.faces.extend(near)
        near[0].new = True


def _stays(face: Face, searched: Searched) -> bool:
    """Whether a face that is not detected in a frame is still there: its pixels and those around it are, and no other face is."""
    if any(overlap(face.box, other.box) >= HERE for other in searched.faces):
        return False
    return unlikeness(face.look, Look.of(searched.frame, face.box)) < UNLIKE


def _between(pair: _Pair, part: float) -> Box:
    before, after = np.asarray(pair.before.box), np.asarray(pair.after.box)
    left, top, right, bottom = (before + part * (after - before)).tolist()
    return left, top, right, bottom


def _is_empty(frame: Frame) -> bool:
    """Whether a frame shows nothing, as in a fade or a flash."""
    return bool(looks.small(frame).std(axis=(0, 1)).max() < FLAT)


def _is_same(one: Frame, other: Frame) -> bool:
    """Whether the picture is held from one frame to another."""
    return one is other or float(np.abs(looks.small(one) - looks.small(other)).max()) < SAME
