"""Motion curves of drawn, generated and damaged faces, read by a small network that puppets of every style trained.

Every frame is read three times: as it is, in a square around the face that was found, and mirrored in that square. The mean is
steadier than any one of them, and more so than the network is against the size of the face in the frame.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toonbench.motion.curves import SIDED, WIDTH, Curves, unread
from toonbench.networks.face_motion import Estimate, estimate, estimate_once
from toonbench.types import CHANNELS, Frame, Frames

ROOM = 1.45  # side of the square over the longer side of the landmarks' box
_SIZE = 128  # pixels a side of the square, what the network takes
_HEAD = [CHANNELS.index(name) for name in ("yaw", "pitch", "roll")]
_EYES = [CHANNELS.index(name) for name in ("blink_left", "blink_right")]
_SMILE, _GAZE = CHANNELS.index("smile"), CHANNELS.index("gaze_x")
_LIPS, _CORNERS = (62, 66), (36, 45)


def read_drawn(frames: Frames) -> Curves:
    """(frames, WIDTH) curves of frames (n, height, width, 3) uint8 RGB; NaN where no face is found. Results are the same in any chunks."""
    whole = estimate(frames)
    found = np.flatnonzero(np.isfinite(whole.landmarks).all(axis=(1, 2)))
    curves = unread(len(frames))
    if not found.size:
        return curves
    squares = _squares(frames[found], whole.landmarks[found])
    near = [estimate_once(squares), estimate_once(np.ascontiguousarray(squares[:, :, ::-1]))]
    parts = [_curves(whole)[found], _curves(near[0]), SIDED * _curves(near[1])]
    read = np.isfinite(np.stack(parts)).all(axis=2).sum(axis=0) >= 2
    mean = np.nanmean(np.stack(parts)[:, read], axis=0)
    curves[found[read]] = mean
    return curves


def _curves(found: Estimate) -> Curves:
    """The curves of one pass, (frames, WIDTH)."""
    points, rig = found.landmarks.astype(np.float64), found.rig.astype(np.float64)
    gap = np.linalg.norm(points[:, _LIPS[0]] - points[:, _LIPS[1]], axis=1)
    eyes = np.linalg.norm(points[:, _CORNERS[0]] - points[:, _CORNERS[1]], axis=1)
    rows = np.empty((len(rig), WIDTH), np.float32)
    rows[:, :3] = rig[:, _HEAD]
    rows[:, 3] = gap / np.maximum(eyes, 1.0)
    rows[:, 4] = rig[:, _EYES].mean(axis=1)
    rows[:, 5], rows[:, 6] = rig[:, _SMILE], rig[:, _GAZE]
    return rows


def _squares(frames: Frames, landmarks: NDArray[np.float32]) -> Frames:
    """A square around each face, (n, _SIZE, _SIZE, 3), in half pixels; black outside the frame."""
    points = landmarks[:, :68].astype(np.float64)
    low, high = points.min(axis=1), points.max(axis=1)
    middle, half = (low + high) / 2, (high - low).max(axis=1, keepdims=True) * ROOM / 2
    middle, half = np.round(middle * 2) / 2, np.round(half * 2) / 2  # else last bits of the landmarks would move pixels
    return np.stack([_cut(frame, *ends) for frame, *ends in zip(frames, middle - half, middle + half, strict=True)])


def _cut(frame: Frame, start: NDArray[np.float64], end: NDArray[np.float64]) -> Frame:
    """The part of a frame between two corners (x, y), in fractions of pixels, as (_SIZE, _SIZE, 3)."""
    from PIL import Image

    low, high = np.floor(start), np.maximum(np.ceil(end), np.floor(start) + 1)
    part = Image.fromarray(np.ascontiguousarray(frame)).crop((int(low[0]), int(low[1]), int(high[0]), int(high[1])))
    inside = (start[0] - low[0], start[1] - low[1], end[0] - low[0], end[1] - low[1])
    return np.asarray(part.resize((_SIZE, _SIZE), Image.Resampling.BILINEAR, box=inside))
