"""Whether the first frame of a driving video is a good reference, from which relative motion is measured, and which frame is better.

A good reference faces the camera with the mouth closed and the eyes open. The turn of the head comes from the detector's points of the
face, mouth and eyes from the landmark network of the motion metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from toonbench.prepare.face import Found, cut_frames
from toonbench.prepare.watch import Track
from toonbench.types import CHANNELS, Frame

TURNED = 20.0  # degrees of yaw
OPEN_MOUTH = 0.35  # of the channel jaw_open, 0 to 1
CLOSED_EYES = 0.9  # of the channels blink_left and blink_right, 0 to 1: both
NOSE = 0.6  # how far the nose stands out from the eyes, over the distance of the eyes
MOST = 64  # frames that are compared
STEP = 0.1  # a frame is better if its penalty is lower by this


@dataclass(frozen=True, slots=True)
class Reference:
    """How a frame differs from a good reference: degrees of yaw, how open the mouth and how closed the more open eye is, 0 to 1."""

    yaw: float
    mouth: float
    eyes: float

    @property
    def penalty(self) -> float:
        """0 for a good reference; 1 where one of the three reaches its limit."""
        return abs(self.yaw) / TURNED + self.mouth / OPEN_MOUTH + self.eyes / CLOSED_EYES

    @property
    def faults(self) -> list[str]:
        """What is wrong with the frame as a reference."""
        return [
            *([f"the head is turned by about {abs(self.yaw):.0f}°"] if abs(self.yaw) > TURNED else []),
            *(["the mouth is open"] if self.mouth >= OPEN_MOUTH else []),
            *(["the eyes are closed"] if self.eyes >= CLOSED_EYES else []),
        ]


def first_frame_remarks(found: Found, first: Frame) -> list[str]:
    """A remark if the first used frame of a video, as it was cut, is a poor reference."""
    faults = (_measured(found, found.choice.first, first) or Reference(0, 0, 0)).faults
    if not faults:
        return []
    return [
        f"{', '.join(faults)} in the first frame, from which relative motion is measured: use --start best, or cut the clip"
    ]


def best_start(found: Found, frames: Callable[[], Iterable[Frame]], *, size: int) -> Found:
    """The clip from its best reference on, among at most MOST searched frames of its first half. `frames` opens the clip."""
    choice = found.choice
    half = choice.first + (choice.last - choice.first) // 2
    places = sorted({choice.first, *(at for at in found.watched.searched if choice.first <= at <= half)})
    places = [places[at] for at in np.unique(np.linspace(0, len(places) - 1, MOST).astype(int))]
    penalties = {
        at: round(reference.penalty / STEP)
        for at, frame in _at(places, cut_frames(frames(), found, size=size), first=choice.first)
        if (reference := _measured(found, at, frame)) is not None
    }
    best = min(penalties, key=lambda at: (penalties[at], at), default=choice.first)
    if best == choice.first:
        return found
    remark = f"begins at its best reference, frame {best} instead of {choice.first}"
    return replace(found, choice=replace(choice, first=best, remarks=(*choice.remarks, remark)))


def _at(places: list[int], frames: Iterator[Frame], *, first: int) -> Iterator[tuple[int, Frame]]:
    """The frames at these places; the first of `frames` is at `first`."""
    chosen = set(places)
    for at, frame in enumerate(frames, start=first):
        if at in chosen:
            yield at, frame
        if at >= places[-1]:
            return


def _measured(found: Found, at: int, frame: Frame) -> Reference | None:
    """The frame as a reference; None if the landmark network and the detector find no face."""
    from toonbench.networks.face_motion import estimate_once

    rig = dict(zip(CHANNELS, estimate_once(frame[None]).rig[0].tolist(), strict=True))
    turned = _detected_yaw(found, at)
    if np.isnan(rig["yaw"]):
        return None if turned is None else Reference(turned, 0, 0)
    return Reference(
        rig["yaw"] if turned is None else turned, rig["jaw_open"], min(rig["blink_left"], rig["blink_right"])
    )


def _detected_yaw(found: Found, at: int) -> float | None:
    """The yaw of the most lasting face that was detected in a frame."""
    tracks = [track for track in found.watched.tracks if at in track.at]
    if not tracks:
        return None
    track: Track = max(tracks, key=lambda one: len(one.at))
    return _yaw(track.points[track.at.index(at)])


def _yaw(five: np.ndarray | None) -> float | None:
    """Degrees by which a head is turned, from the eyes and the nose tip; None if they do not tell."""
    if five is None:
        return None
    eyes = five[1] - five[0]
    distance = float(np.hypot(*eyes))
    if distance < 1e-6:
        return None
    middle = (five[0] + five[1]) / 2
    along = float((five[2] - middle) @ eyes) / distance**2  # of the nose, along the line of the eyes
    return float(np.degrees(np.arctan(along / NOSE)))
