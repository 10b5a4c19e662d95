"""Cropping one face out of a clip or an image, the paper's way: detect, follow, take the union box, enlarge, resize.

After video-preprocessing (crop_vox) and the first-order model's crop-video: detection on frames whose longer side is at
most 640 pixels, one face followed by IoU > 0.25 with the box it was first seen in, the union of its boxes enlarged by
10 % a side to a square. The original drops clips whose square leaves the frame; here the frame's edge pixels are
repeated, so that no clip is lost and no face is stretched. The detector is facenet-pytorch's MTCNN; where it sees nothing
it is asked again with lower thresholds and a grey border, which finds more drawn faces.
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
SAMPLES = 16  # a clip is looked at in 9 to 16 evenly spaced frames, or in all of a shorter one
MIN_SHARE = 1 / 8  # a face seen in fewer of those frames is a false one more often than not
THRESHOLDS = (0.6, 0.7, 0.7)
LOW_THRESHOLDS = (0.5, 0.6, 0.6)


class NoFace(ToonbenchError):
    """No face was found where one is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """A followed face: the square to cut out (left, top, side; may leave the frame), and how often the face was seen."""

    left: int
    top: int
    side: int
    detected: float
    looked_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """Cropped frames, (t, size, size, 3) uint8 RGB, the square they came from, and the share of frames with the face."""

    frames: Frames
    box: tuple[int, int, int]
    detected: float


def crop_clip(frames: Frames, *, size: int = 256) -> Crop:
    """Cut the most prominent face out of all frames of a clip, in one square that holds it throughout.

    Raises NoFace where no face is found in enough frames.
    """
    face = find_face(sample_frames(frames)[0])
    cut = np.stack([cut_out(frame, face, size=size) for frame in frames])
    return Crop(frames=cut, box=(face.left, face.top, face.side), detected=face.detected)


def crop_image(frame: Frame, *, size: int = 256) -> Crop:
    """`crop_clip` of a single picture, (h, w, 3)."""
    return crop_clip(frame[None], size=size)


def sample_frames(frames: Iterable[Frame], *, at_most: int = SAMPLES) -> tuple[list[Frame], int]:
    """Evenly spaced frames of a stream of unknown length, in bounded memory, and the stream's length."""
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
    """Follow faces through frames of one clip and return the square around the most prominent one.

    Most prominent is the largest sum over frames of box side times detection probability: a large box seen in few frames,
    such as a print on a shirt, yields to a smaller lasting one. Raises NoFace.
    """
    if not frames:
        raise ToonbenchError("no frames to look for a face in")
    for low in (False, True):
        tracks = _tracks([_detect(frame, low=low) for frame in frames])
        tracks = [track for track in tracks if track.seen >= MIN_SHARE * len(frames)]
        if tracks:
            best = max(tracks, key=lambda track: track.weight)
            left, top, side = _square(best.union)
            return Face(left=left, top=top, side=side, detected=best.seen / len(frames), looked_at=len(frames))
    looked = f"{len(frames)} of {len(frames)} frames" if len(frames) > 1 else "the picture"
    raise NoFace(
        f"no face found in {looked} looked at (MTCNN): crop it by hand to a square around the face, or leave it out"
    )


def cut_out(frame: Frame, face: Face, *, size: int) -> Frame:
    """The face's square of a frame, edge pixels repeated where it leaves the frame, as (size, size, 3)."""
    from PIL import Image

    height, width = frame.shape[:2]
    rows = np.clip(np.arange(face.top, face.top + face.side), 0, height - 1)
    columns = np.clip(np.arange(face.left, face.left + face.side), 0, width - 1)
    square = frame[rows[:, None], columns]
    if face.side == size:
        return square
    return np.asarray(Image.fromarray(square).resize((size, size), Image.Resampling.BICUBIC))  # antialiased in Pillow


class _Track:
    """One face through the frames: where it was first seen, the union of its boxes, how often and how large."""

    def __init__(self, box: Box) -> None:
        self.first = self.union = box
        self.seen = 0
        self.weight = 0.0

    def add(self, box: Box, probability: float) -> None:
        """Take a box in."""
        old = self.union
        self.union = (min(old[0], box[0]), min(old[1], box[1]), max(old[2], box[2]), max(old[3], box[3]))
        self.seen += 1
        self.weight += _area(box) ** 0.5 * probability


def _tracks(detections: Iterable[Sequence[tuple[Box, float]]]) -> list[_Track]:
    """Join detections to tracks; a track outlives frames without a detection, as drawn faces flicker."""
    tracks: list[_Track] = []
    for boxes in detections:
        free = list(tracks)
        for box, probability in sorted(boxes, key=lambda found: -found[1]):
            track = max(free, key=lambda known: _iou(known.first, box), default=None)
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
    """Enlarge by 10 % of the longer side at each end: a square of 1.2 times it, about the box's centre."""
    side = max(1, int((1 + 2 * ENLARGE) * max(box[2] - box[0], box[3] - box[1])))
    return int(np.floor((box[0] + box[2] - side) / 2)), int(np.floor((box[1] + box[3] - side) / 2)), side


def _detect(frame: Frame, *, low: bool) -> list[tuple[Box, float]]:
    """All faces of a frame with their probabilities, boxes in the frame's own pixels."""
    from PIL import Image

    picture = Image.fromarray(frame)
    scale = min(1.0, LONGER_SIDE / max(picture.size))
    if scale < 1:
        small = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(small, Image.Resampling.BILINEAR)
    if min(picture.size) < 20:  # MTCNN's smallest face; below, its pyramid is empty
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
    """One thread of torch: these networks are tiny, and the sums keep their order on any machine."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@cache
def _detector(thresholds: tuple[float, float, float]) -> Any:
    """The detector, once per process, on the CPU: there it is the same for everybody."""
    from facenet_pytorch import MTCNN

    return MTCNN(keep_all=True, thresholds=list(thresholds), device="cpu")
