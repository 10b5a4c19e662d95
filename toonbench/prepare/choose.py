"""Choose from what was watched in a clip: the frames to use and the square to crop, with remarks that a user should read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from toonbench.prepare.crops import Square, square_around
from toonbench.prepare.detectors import Box
from toonbench.prepare.watch import Seen, Track

Crop = Literal["auto", "none", "face"]
SHORTEST = 8  # frames of a part that is worth keeping where the rest is not sound
SQUARE = 0.02  # difference of the sides over the longer one, up to which a picture counts as square
FILLS = 0.3  # side of a face over that of a square picture, from which it is a crop of the face already
CENTRAL = 0.25  # distance of such a face's centre from the middle, in sides of the picture
FAR = 2.2  # side of the crop over that of the face and its margin, from which the face moves far
MIN_SHARE = 1 / 8  # of the searched frames of a drawn shot: a face in fewer of them is usually a false detection


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The frames from `first` to `last` (exclusive) are used, cropped to `square` (None: the whole picture).

    `faces` is the number of frames with a face, of `frames`. `problem` is why the clip cannot be used, or an empty string.
    """

    first: int = 0
    last: int = 0
    frames: int
    faces: int
    square: Square | None = None
    remarks: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Run:
    """Frames from `first` to `last`, both included, that show one face without a jump or an empty frame; its boxes there."""

    first: int
    last: int
    boxes: tuple[Box, ...]

    @property
    def weight(self) -> float:
        """Frames times the usual side of the face: how prominent it is."""
        return (self.last - self.first + 1) * float(np.median([_side(box) for box in self.boxes]))


def choose(
    watched: Seen,
    *,
    size: tuple[int, int],
    scale: float,
    crop: Crop,
    keep: bool = False,
    drawn: bool = False,
    is_image: bool = False,
) -> Choice:
    """Choose the frames and the square. `size` is (width, height) of the original, `scale` that of the watched frames over it.

    `keep` uses all frames whatever they show. `drawn` accepts a square picture without a detected face as a crop by hand.
    """
    runs = [
        run for track in watched.tracks for run in (_drawn_runs(track, watched) if drawn else _runs(track, watched))
    ]
    faces = _frames_with_faces(watched)
    square_picture = abs(size[0] - size[1]) <= SQUARE * max(size)
    if crop == "none" and not square_picture:
        return Choice(
            frames=watched.frames, faces=faces, problem=f"is {size[0]}x{size[1]}: --crop none needs square pictures"
        )
    if not runs:
        return _without_face(
            watched, square_picture=square_picture, crop=crop, drawn=drawn, keep=keep, is_image=is_image
        )
    best = max(runs, key=lambda run: (run.weight, -run.first))
    count = best.last - best.first + 1
    remarks = _remarks(watched, faces=faces)
    whole = count == watched.frames
    if not whole and not keep and count < min(SHORTEST, watched.frames):
        return Choice(
            frames=watched.frames,
            faces=faces,
            problem=f"{'; '.join(remarks)}: no {min(SHORTEST, watched.frames)} frames in a row show one face without a jump; "
            "cut the clip, or use --keep",
        )
    first, last = (0, watched.frames) if keep else (best.first, best.last + 1)
    boxes = [tuple(value / scale for value in box) for box in best.boxes]
    square, far = _square_of(boxes, size=size, crop=crop, square_picture=square_picture)
    if far:
        remarks.append(f"the face moves far: the crop is {far:.1f} times as large as it")
    if not whole:
        remarks.append(
            "all frames are kept" if keep else f"frames {first} to {last - 1} of 0 to {watched.frames - 1} are used"
        )
    return Choice(first=first, last=last, frames=watched.frames, faces=faces, square=square, remarks=tuple(remarks))


def _frames_with_faces(watched: Seen) -> int:
    """The number of frames between two detections of one face."""
    runs = [run for track in watched.tracks for run in _runs(track, watched)]
    return len({at for run in runs for at in range(run.first, run.last + 1)})


def _without_face(
    watched: Seen, *, square_picture: bool, crop: Crop, drawn: bool, keep: bool, is_image: bool
) -> Choice:
    """The choice where no face was found: a square picture may be a crop by hand."""
    empty = len(watched.empty) == watched.frames
    accepted = square_picture and not empty and (crop == "none" or (crop == "auto" and drawn))
    if not accepted:
        where = "the picture" if is_image else f"{len(watched.searched)} searched frames of {watched.frames}"
        reason = "it is empty" if empty else f"no face found in {where}"
        advice = "leave it out" if empty else "use --crop none if it is a square crop of a face, or leave it out"
        return Choice(frames=watched.frames, faces=0, problem=f"{reason}: {advice}")
    first, last = (0, watched.frames) if keep else max(_shots(watched), key=lambda part: part[1] - part[0])
    remarks = [*_remarks(watched, faces=None), "no face was found: the picture is used as it is"]
    if last - first < watched.frames:
        remarks.append(f"frames {first} to {last - 1} of 0 to {watched.frames - 1} are used")
    return Choice(first=first, last=last, frames=watched.frames, faces=0, remarks=tuple(remarks))


def _shots(watched: Seen) -> list[tuple[int, int]]:
    """The frames between jumps and empty frames."""
    ends = sorted({0, *watched.cuts, *watched.empty, *(at + 1 for at in watched.empty), watched.frames})
    empty = set(watched.empty)
    return [(a, b) for a, b in pairwise(ends) if a not in empty] or [(0, watched.frames)]


def _runs(track: Track, watched: Seen) -> Iterator[_Run]:
    """The parts of a track in which every searched frame has the face and none is empty."""
    searched = {at: place for place, at in enumerate(watched.searched)}
    empty = np.asarray(watched.empty)
    start = 0
    for place in range(1, len(track.at) + 1):
        if place < len(track.at):
            before, now = track.at[place - 1], track.at[place]
            gap = searched[now] - searched[before] > 1
            if not gap and not ((empty >= before) & (empty <= now)).any():
                continue
        if not (empty == track.at[start]).any():
            yield _Run(track.at[start], track.at[place - 1], tuple(track.boxes[start:place]))
        start = place


def _drawn_runs(track: Track, watched: Seen) -> Iterator[_Run]:
    """The whole shot of a track, because detectors miss drawn faces in some frames; parts of it where frames are empty."""
    for first, end in _shots(watched):
        inside = [place for place, at in enumerate(track.at) if first <= at < end]
        if inside and len(inside) >= MIN_SHARE * sum(first <= at < end for at in watched.searched):
            yield _Run(first, end - 1, tuple(track.boxes[place] for place in inside))


def _remarks(watched: Seen, *, faces: int | None) -> list[str]:
    remarks: list[str] = []
    if faces is not None and faces < watched.frames:
        remarks.append(f"face in {faces} of {watched.frames} frames")
    if watched.cuts:
        remarks.append(f"jump at frame {', '.join(map(str, watched.cuts[:5]))}{', …' if len(watched.cuts) > 5 else ''}")
    if watched.empty:
        remarks.append(f"frames {_ranges(watched.empty)} are empty")
    return remarks


def _ranges(at: Sequence[int]) -> str:
    """Numbers as ranges, at most three: `0 to 4, 9`."""
    parts = np.split(np.asarray(at), np.flatnonzero(np.diff(at) > 1) + 1)
    words = [f"{part[0]}" if len(part) == 1 else f"{part[0]} to {part[-1]}" for part in parts]
    return ", ".join(words[:3]) + (", …" if len(words) > 3 else "")


def _square_of(
    boxes: Sequence[tuple[float, ...]], *, size: tuple[int, int], crop: Crop, square_picture: bool
) -> tuple[Square | None, float]:
    """The square around all boxes, or None for the whole picture; and how far the face moves, 0 where it stays."""
    if crop == "none" or (crop == "auto" and square_picture and _is_crop(boxes, size[0])):
        return None, 0.0
    array = np.asarray(boxes)
    union = (*array[:, :2].min(axis=0), *array[:, 2:].max(axis=0))
    longer = max(union[2] - union[0], union[3] - union[1])
    far = longer / float(np.median([max(box[2] - box[0], box[3] - box[1]) for box in boxes]))
    return square_around(boxes), far if far >= FAR else 0.0


def _is_crop(boxes: Sequence[tuple[float, ...]], side: int) -> bool:
    """Whether a face fills a square picture as in the data sets of the field."""
    array = np.asarray(boxes) / side
    fills = np.median(np.maximum(array[:, 2] - array[:, 0], array[:, 3] - array[:, 1]))
    centres = np.median((array[:, :2] + array[:, 2:]) / 2, axis=0)
    return bool(fills >= FILLS and np.abs(centres - 0.5).max() <= CENTRAL)


def _side(box: Sequence[float]) -> float:
    return max(box[2] - box[0], box[3] - box[1])
