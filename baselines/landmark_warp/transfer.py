"""The motion of a driving face, carried over to a source face of other proportions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from baselines.landmark_warp.shape import EYES, MOUTH, PUPILS, Opening, Points, measures

HEAD = [0, 1, 2, 14, 15, 16, *range(27, 31), 36, 39, 42, 45]  # landmarks that no expression moves
LEAST, MOST = 0.4, 2.5  # a part of the source's face may be larger than the driving face's part by this
SHUT = 0.2  # of an eye's reference height: what the landmarks of a closed eye still leave open
OPEN_BLINK, SHUT_BLINK = (
    0.05,
    0.8,
)  # blinks below the first do not close an eye, above the second they close it completely
WIDEST = 1.35  # of the source's eye; puppets' eyes open by up to 1.2 in nine of ten frames
UPPER_LID = 0.85  # the share of a closing eye's motion


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """A similarity of the plane: z to `turn` * z + `shift`."""

    turn: complex
    shift: complex

    def __call__(self, points: Points) -> Points:
        """The points moved."""
        return self.turn * points + self.shift

    def inverse(self, points: Points) -> Points:
        """The points moved back."""
        return (points - self.shift) / self.turn


def fit_pose(before: Points, after: Points) -> Pose:
    """The similarity with the least squared error from one set of points to another."""
    start, end = before.mean(), after.mean()
    turn = complex(np.vdot(before - start, after - end) / max(np.vdot(before - start, before - start).real, 1e-9))
    return Pose(turn=turn, shift=complex(end - turn * start))


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The source's face in one frame: its landmarks, and the pose of its head relative to the source."""

    points: Points
    pose: Pose


class Transfer:
    """Carries the change of a driving face since `reference` over to `source`.

    The change is the pose of the head, a similarity, and the rest in the coordinates of the reference. The rest is scaled by the
    ratio of the two faces' width and height; that of eyes and mouth by the ratio of these parts, so that a large cartoon eye closes
    when the driving eye closes.
    """

    def __init__(self, source: Points, reference: Points, *, blinks: tuple[float, float] = (0.0, 0.0)) -> None:
        self._source, self._reference, self._blinks = source, reference, blinks
        self._to, self._by = measures(source), measures(reference)
        self._ratio = complex(self._to.width / self._by.width, self._to.height / self._by.height)
        self._size = (self._ratio.real * self._ratio.imag) ** 0.5

    def __call__(self, driving: Points, *, blinks: tuple[float, float] = (0.0, 0.0)) -> Moved:
        """The source's landmarks for one frame of the driving video; `blinks` are 0 for an open eye and 1 for a closed one."""
        by = fit_pose(self._reference[HEAD], driving[HEAD])
        rest = (by.inverse(driving) - self._reference) / self._by.right
        scaled = _stretched(rest, self._ratio)
        for k, (eye, pupil) in enumerate(zip(EYES, PUPILS, strict=True)):
            self._move_eye(scaled, rest, eye, pupil)
            self._close_eye(scaled, rest, eye, blinks[k] - self._blinks[k])
        self._move_mouth(scaled, rest)
        pivot = self._reference[HEAD].mean()
        to = self._source[HEAD].mean()
        end = to + (by(np.array([pivot]))[0] - pivot) * self._size
        pose = Pose(turn=by.turn, shift=complex(end - by.turn * to))
        return Moved(points=pose(self._source + scaled * self._to.right), pose=pose)

    def _move_eye(self, scaled: Points, rest: Points, eye: Opening, pupil: int) -> None:
        """Lids and pupil move with the corners, and relative to them by the ratio of the eyes."""
        corners = list(eye.corners)
        ratio = complex(
            _within(eye.width(self._source) / eye.width(self._reference), self._ratio.real),
            _within(eye.height(self._source) / max(eye.height(self._reference), 1e-6), self._ratio.imag),
        )
        anchor, own = scaled[corners].mean(), rest[corners].mean()
        for at in (*eye.landmarks, pupil):
            if at not in corners:
                scaled[at] = anchor + _stretched(rest[at] - own, ratio)

    def _close_eye(self, scaled: Points, rest: Points, eye: Opening, blink: float) -> None:
        """A closing eye keeps the share of its height that the driving eye keeps, or less if the blink is further.

        It closes completely a little earlier than the landmarks: those of closed lids do not meet exactly.
        """
        driving = eye.height(self._reference / self._by.right + rest) / max(eye.height(self._reference), 1e-6)
        if driving >= 1:
            self._hold_lids(scaled, eye)
            return
        share = max(0.0, min((driving - SHUT) / (1 - SHUT), 1 - (blink - OPEN_BLINK) / (SHUT_BLINK - OPEN_BLINK)))
        source = self._source / self._to.right
        lids = source + scaled
        for upper, lower in zip(eye.upper[1:-1], eye.lower[1:-1], strict=True):
            closing = (lids[lower] - lids[upper]) - share * (source[lower] - source[upper])
            scaled[upper] += closing * UPPER_LID
            scaled[lower] -= closing * (1 - UPPER_LID)

    def _hold_lids(self, scaled: Points, eye: Opening) -> None:
        """An eye opens at most WIDEST times as far as in the source."""
        source = self._source / self._to.right
        lids = source + scaled
        most = WIDEST * eye.height(source) / max(eye.height(lids), 1e-6)
        for upper, lower in zip(eye.upper[1:-1], eye.lower[1:-1], strict=True):
            extra = (lids[lower] - lids[upper]) * max(0.0, 1 - most) / 2
            scaled[upper] += extra
            scaled[lower] -= extra

    def _move_mouth(self, scaled: Points, rest: Points) -> None:
        mouth = list(MOUTH)
        wide = abs(self._source[54] - self._source[48]) / max(abs(self._reference[54] - self._reference[48]), 1e-6)
        across = self._ratio.real  # a mouth opens in proportion to the face's width
        ratio = complex(_within(wide, self._ratio.real), across)
        own = rest[mouth].mean()
        scaled[mouth] = _stretched(own, self._ratio) + _stretched(rest[mouth] - own, ratio)


def _within(ratio: float, face: float) -> float:
    return float(np.clip(ratio, LEAST * face, MOST * face))


def _stretched(values: Points, ratio: complex) -> Points:
    return np.asarray(values.real * ratio.real + 1j * values.imag * ratio.imag)
