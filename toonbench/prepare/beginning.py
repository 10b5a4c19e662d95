"""Whether the first frame of a driving video is a good reference: relative motion is measured from it."""

from __future__ import annotations

import numpy as np

from toonbench.prepare.face import Found
from toonbench.prepare.watch import Track
from toonbench.types import Kind

TURNED = 20.0  # degrees of yaw
NOSE = 0.6  # how far the nose stands out from the eyes, over the distance of the eyes


def first_frame_remarks(kind: Kind, found: Found) -> list[str]:
    """A remark if the head is turned away in the first used frame, with the frame that faces the camera best."""
    choice = found.choice
    track = _track_at(found, choice.first)
    if kind == "image" or track is None:
        return []
    yaws = {at: yaw for at, five in zip(track.at, track.points, strict=True) if (yaw := _yaw(five)) is not None}
    own = {at: yaw for at, yaw in yaws.items() if choice.first <= at < choice.last}
    first = own.get(choice.first)
    if first is None or abs(first) <= TURNED:
        return []
    best = min(own, key=lambda at: (abs(own[at]), at))
    return [
        f"the head is turned by about {abs(first):.0f}° in the first frame, from which relative motion is measured; "
        f"frame {best} faces the camera best ({abs(own[best]):.0f}°): cut the clip to begin there"
    ]


def _track_at(found: Found, index: int) -> Track | None:
    tracks = [track for track in found.watched.tracks if index in track.at]
    return max(tracks, key=lambda track: len(track.at), default=None)


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
