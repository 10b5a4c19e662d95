"""How well a reader reads: against the face landmarker on real videos, against exact motion on puppets, and faces in drawings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from toonbench.motion.agreement import FEWEST_FRAMES, MOVES
from toonbench.networks.motion_reader import CURVES, MIRRORED, MotionReader, read_closely, read_pictures
from toonbench.puppets.rig import INDEX
from toonbench.reader_training.labels import stored_labels
from toonbench.types import Frames, ToonbenchError

Values = NDArray[np.float32]
Reader = Callable[[Frames], tuple[Values, Values]]
"""Frames to landmarks (n, 70, 2) and curves (n, 7); NaN where no face is found."""

TIGHT, WIDE = 1.2, 1.9  # side of a crop over the face's, whose box is that of the landmarks with a forehead
FOREHEAD = 0.25  # of the height of the landmarks' box, above it
SIDE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class RealClip:
    """What was measured on one video: Pearson correlations of each curve, NaN where the video does not move it."""

    name: str
    tight: Values  # (7,) reader, crop TIGHT, against the landmarker
    wide: Values  # (7,) the same, crop WIDE
    mean: Values  # (7,) the mean of both crops and of the mirrored WIDE crop
    crops: Values  # (7,) the reader's crop TIGHT against its crop WIDE, where the video moves
    error: float  # mean distance of the 68 landmarks over that of the eyes' outer corners, mean of both crops
    found: float  # share of frames, mean of both crops


def reader_of(network: MotionReader, *, closely: bool = False) -> Reader:
    """The motion reader: one pass, or `read_closely`."""

    def read(frames: Frames) -> tuple[Values, Values]:
        found = (read_closely if closely else read_pictures)(frames, network=network)
        return found.landmarks, found.curves

    return read


def read_by_landmark_network(frames: Frames) -> tuple[Values, Values]:
    """The landmark network as a `Reader`, one pass."""
    from toonbench.networks.face_motion import estimate_once

    found = estimate_once(frames)
    return found.landmarks, curves_of_rig(found.rig, found.landmarks)


def curves_of_rig(rig: Values, landmarks: Values) -> Values:
    """(n, 7) curves of puppets: the rig's (n, channels), and the gap of the lips from the landmarks (n, 70, 2)."""
    gap = np.linalg.norm(landmarks[:, 62] - landmarks[:, 66], axis=1)
    eyes = np.linalg.norm(landmarks[:, 36] - landmarks[:, 45], axis=1)
    blink = (rig[:, INDEX["blink_left"]] + rig[:, INDEX["blink_right"]]) / 2
    own = [rig[:, INDEX[name]] for name in ("yaw", "pitch", "roll", "smile", "gaze_x")]
    return np.stack([*own[:3], gap / np.maximum(eyes, 1e-6), blink, *own[3:]], axis=1).astype(np.float32)


def correlations(true: NDArray[np.floating], read: NDArray[np.floating], *, moves: float = 1.0) -> Values:
    """(7,) Pearson's r of each curve, (n, 7) each; 0 for a flat reading.

    NaN where `true` moves by less than `moves` times MOVES, or where too few frames were read.
    """
    found = np.full(len(CURVES), np.nan, np.float32)
    for curve in range(len(CURVES)):
        available = np.isfinite(true[:, curve]) & np.isfinite(read[:, curve])
        one, other = true[available, curve], read[available, curve]
        if len(one) >= FEWEST_FRAMES and one.std() > moves * MOVES[curve]:
            found[curve] = np.corrcoef(one, other)[0, 1] if other.std() > 0 else 0.0
    return found


def crop_face(frames: Frames, landmarks: Values, room: float, *, turned: float = 0.0) -> tuple[Frames, Values]:
    """One square for all frames of a clip, `room` times as large as all their faces, and the landmarks in it; `turned` in degrees."""
    low, high = landmarks[:, :68].min(1), landmarks[:, :68].max(1)
    low = low - [0, FOREHEAD] * (high - low)
    start, end = low.min(0), high.max(0)
    side, middle = float((end - start).max()) * room, (start + end) / 2
    scale, angle = SIDE / side, np.radians(turned)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corner = middle - turn.T @ np.array([side / 2, side / 2])
    places = np.hstack([turn.T / scale, corner[:, None]]).ravel()
    squares = [_warp(frame, places, shrink=1 / scale) for frame in frames]
    return np.stack(squares), ((landmarks - corner) @ turn.T * scale).astype(np.float32)


def _warp(frame: NDArray[np.uint8], places: NDArray[np.float64], *, shrink: float) -> NDArray[np.uint8]:
    """Pillow's affine transform; a frame that becomes much smaller is reduced first."""
    image, half = Image.fromarray(frame), max(1, int(shrink))
    if half > 1:
        image, places = image.reduce(half), places / half
    return np.asarray(image.transform((SIDE, SIDE), Image.Transform.AFFINE, tuple(places), Image.Resampling.BILINEAR))


def measure_clip(video: Path, readers: Sequence[Reader], *, work: Path) -> list[RealClip]:
    """Every reader on one real video; its labels are kept in `work`. Raises WeightsMissing without the face landmarker's file,
    and ToonbenchError for a video without a face.
    """
    from toonbench.video.read import read_video

    frames = read_video(video).frames
    labels = stored_labels(frames, work / f"{video.stem}.npz")
    if not labels.found.size:
        raise ToonbenchError(f"{video}: the face landmarker finds no face in it; nothing can be compared with it")
    frames, landmarks, true = frames[labels.found], labels.landmarks[labels.found], labels.curves[labels.found]
    crops = [crop_face(frames, landmarks, room) for room in (TIGHT, WIDE)]
    return [_measure(video.stem, reader, crops, true) for reader in readers]


def _measure(name: str, reader: Reader, crops: Sequence[tuple[Frames, Values]], true: Values) -> RealClip:
    (tight, own), (wide, wide_own) = crops
    near, far = reader(tight), reader(wide)
    mirrored = reader(np.ascontiguousarray(wide[:, :, ::-1]))[1] * MIRRORED
    moves = np.isfinite(correlations(true, true))
    return RealClip(
        name=name,
        tight=correlations(true, near[1]),
        wide=correlations(true, far[1]),
        mean=correlations(true, _mean([near[1], far[1], mirrored])),
        crops=np.where(moves, correlations(near[1], far[1], moves=0.0), np.nan),
        error=float(np.mean([landmark_error(near[0], own), landmark_error(far[0], wide_own)])),
        found=float(np.mean([np.isfinite(part[1][:, 0]).mean() for part in (near, far)])),
    )


def _mean(parts: Sequence[Values]) -> Values:
    """The mean of what was read; NaN in frames where nothing was."""
    stack = np.stack(parts)
    available = np.isfinite(stack)
    total = np.where(available, stack, 0).sum(0) / np.maximum(available.sum(0), 1)
    return np.where(available.any(0), total, np.nan).astype(np.float32)


def landmark_error(read: Values, true: Values) -> float:
    """Mean distance of the 68 landmarks over that of the eyes' outer corners, of frames in which a face was found."""
    found = np.isfinite(read).all(axis=(1, 2))
    eyes = np.linalg.norm(true[found, 36] - true[found, 45], axis=1)
    away = np.linalg.norm(read[found, :68] - true[found, :68], axis=2).mean(1)
    return float((away / eyes).mean()) if found.any() else float("nan")


def share_found(folder: Path, reader: Reader) -> tuple[int, int]:
    """Frames with a face, and all frames, of the videos in a folder that `toonbench prepared --export` wrote."""
    from toonbench.video.read import read_video

    found = [np.isfinite(reader(read_video(path).frames)[1][:, 0]) for path in sorted(folder.glob("*.mp4"))]
    return int(sum(part.sum() for part in found)), int(sum(len(part) for part in found))
