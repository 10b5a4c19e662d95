"""Crop one face from a clip or an image as the paper does: detect, track, take the union box, enlarge, resize.

The steps are those of video-preprocessing (crop_vox) and of the first-order model's crop-video. Faces are detected in frames
whose longer side is at most 640 pixels. A face is tracked by IoU > 0.25 with the box of its first detection, and the union of
its boxes is enlarged by 10 % at each side to a square. The original drops clips whose square leaves the frame; toonbench
repeats the edge pixels of the frame instead, so that no clip is lost and no face is stretched. The detector is
facenet-pytorch's MTCNN. If it finds nothing it runs again with lower thresholds and a grey border, which finds more drawn faces.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonbench.types import Frame, Frames, ToonbenchError

Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels

LONGER_SIDE = 640
SAME_FACE_IOU = 0.25
ENLARGE = 0.1
SAMPLES = 16  # faces are detected in 9 to 16 evenly spaced frames of a clip, or in all frames of a shorter one
MIN_SHARE = 1 / 8  # a face detected in fewer of those frames is usually a false detection
THRESHOLDS = (0.6, 0.7, 0.7)
LOW_THRESHOLDS = (0.5, 0.6, 0.6)


class NoFace(ToonbenchError):
    """No face was found, although one is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """A tracked face: the square to crop (left, top, side in pixels; it may leave the frame), and the share of frames with it."""

    left: int
    top: int
    side: int
    detected: float
    searched: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """Cropped frames, (t, size, size, 3) uint8 RGB, the square that was cropped, and the share of frames with the face."""

    frames: Frames
    box: tuple[int, int, int]
    detected: float


def crop_clip(frames: Frames, *, size: int = 256) -> Crop:
    """Crop the most prominent face from all frames of a clip, with one square that contains it in all of them.

    Raises NoFace if no face is found in enough frames.
    """
    face = find_face(sample_frames(frames)[0])
    cut = np.stack([cut_out(frame, face, size=size) for frame in frames])
    return Crop(frames=cut, box=(face.left, face.top, face.side), detected=face.detected)


def crop_image(frame: Frame, *, size: int = 256) -> Crop:
    """`crop_clip` for a single picture, (h, w, 3)."""
    return crop_clip(frame[None], size=size)


def sample_frames(frames: Iterable[Frame], *, at_most: int = SAMPLES) -> tuple[list[Frame], int]:
    """Evenly spaced frames of a stream of unknown length (at most `at_most` in memory), and the length of the stream."""
    kept: list[Frame] = []
    stride, count = 1, 0
    for frame in frames:
        if count % stride == 0:
            if len(kept) == at_most:
                kept, stride = kept[::2], stride * 2
            if count % stride == 0:
                kept.append(frame)
        count += 1
    return kept, count


def find_face(frames: Sequence[Frame]) -> Face:
    """Track faces through frames of one clip and return the square around the most prominent one.

    The most prominent face has the largest sum over frames of box side times detection probability: a small face in all
    frames ranks before a large box in few frames, such as a print on a shirt. Raises NoFace.
    """
    if not frames:
        raise ToonbenchError("a clip without frames has no face: give at least one frame")
    for low in (False, True):
        tracks = _tracks([_detect(frame, low=low) for frame in frames])
        tracks = [track for track in tracks if track.count >= MIN_SHARE * len(frames)]
        if tracks:
            best = max(tracks, key=lambda track: track.weight)
            left, top, side = _square(best.union)
            return Face(left=left, top=top, side=side, detected=best.count / len(frames), searched=len(frames))
    searched = f"{len(frames)} of {len(frames)} frames" if len(frames) > 1 else "the picture"
    raise NoFace(f"no face found in {searched} (MTCNN): crop it by hand to a square around the face, or leave it out")


def cut_out(frame: Frame, face: Face, *, size: int) -> Frame:
    """Crop the face's square from a frame as (size, size, 3); edge pixels are repeated where it leaves the frame."""
    from PIL import Image

    height, width = frame.shape[:2]
    rows = np.clip(np.arange(face.top, face.top + face.side), 0, height - 1)
    columns = np.clip(np.arange(face.left, face.left + face.side), 0, width - 1)
    square = frame[rows[:, None], columns]
    if face.side == size:
        return square
    return np.asarray(Image.fromarray(square).resize((size, size), Image.Resampling.BICUBIC))  # Pillow antialiases


class _Track:
    """One face through the frames: its first box, the union of its boxes, how often it was detected and how large it was."""

    def __init__(self, box: Box) -> None:
        self.first = self.union = box
        self.count = 0
        self.weight = 0.0

    def add(self, box: Box, probability: float) -> None:
        """Add a detection."""
        old = self.union
        self.union = (min(old[0], box[0]), min(old[1], box[1]), max(old[2], box[2]), max(old[3], box[3]))
        self.count += 1
        self.weight += _area(box) ** 0.5 * probability


def _tracks(detections: Iterable[Sequence[tuple[Box, float]]]) -> list[_Track]:
    """Join detections to tracks. A track survives frames without a detection, because detections of drawn faces flicker."""
    tracks: list[_Track] = []
    for boxes in detections:
        free = list(tracks)
        for box, probability in sorted(boxes, key=lambda found: -found[1]):
            track = max(free, key=lambda one: _iou(one.first, box), default=None)
            if track is None or _iou(track.first, box) <= SAME_FACE_IOU:
                track = _Track(box)
                tracks.append(track)
            else:
                free.remove(track)
            track.add(box, probability)
    return tracks


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _iou(one: Box, other: Box) -> float:
    shared = _area((max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])))
    return shared / max(_area(one) + _area(other) - shared, 1e-9)


def _square(box: Box) -> tuple[int, int, int]:
    """Enlarge by 10 % of the longer side at each end: a square with 1.2 times that side around the box's centre."""
    side = max(1, int((1 + 2 * ENLARGE) * max(box[2] - box[0], box[3] - box[1])))
    return int(np.floor((box[0] + box[2] - side) / 2)), int(np.floor((box[1] + box[3] - side) / 2)), side


def _detect(frame: Frame, *, low: bool) -> list[tuple[Box, float]]:
    """All faces of a frame with their probabilities; boxes are in pixels of the frame."""
    from PIL import Image

    picture = Image.fromarray(frame)
    scale = min(1.0, LONGER_SIDE / max(picture.size))
    if scale < 1:
        small = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(small, Image.Resampling.BILINEAR)
    if min(picture.size) < 20:  # MTCNN's smallest face; its pyramid is empty for smaller pictures
        return []
    border = max(picture.size) // 4 if low else 0
    if low:
        framed = Image.new("RGB", (picture.width + 2 * border, picture.height + 2 * border), (128, 128, 128))
        framed.paste(picture, (border, border))
        picture = framed
    detector = _detector(LOW_THRESHOLDS if low else THRESHOLDS)
    with _one_thread():
        boxes, probabilities = detector.detect(picture)
    if boxes is None:
        return []
    places = (np.asarray(boxes, dtype=np.float64) - border) / scale
    return [(_box(place), float(chance)) for place, chance in zip(places, probabilities, strict=True)]


def _box(place: NDArray[np.float64]) -> Box:
    left, top, right, bottom = (float(value) for value in place)
    return left, top, right, bottom


@contextmanager
def _one_thread() -> Generator[None]:
    """Limit torch to one thread: the networks are small, and sums keep their order on every machine."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@cache
def _detector(thresholds: tuple[float, float, float]) -> Any:
    """The detector, created once per process. It runs on the CPU, where results do not depend on the device."""
    from facenet_pytorch import MTCNN

    return MTCNN(keep_all=True, thresholds=list(thresholds), device="cpu")
