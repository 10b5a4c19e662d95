"""The tracks of faces in a film: in one pass over its frames, shot by shot.

Faces are searched about three times a second, at both ends of the clean frames of a shot, and, by halving, where they come
or go. A face that the detector misses for up to a second is one track if it returns; a track ends where its drawing becomes
another one. Memory is that of the frames between two searches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonbench.prepare.detection import Detect
from toonbench.prepare.linking import OpenTrack
from toonbench.prepare.search import ShotSearch
from toonbench.prepare.shots.film import Shot
from toonbench.types import Frame
from toonbench.video import LazyFrame

SURE, OFTEN = 0.7, 4  # a track was detected with this score once, or this often


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FaceTrack:
    """A face in the frames [first, last) of a shot, whose number is `shot`.

    `at` are the frames where it was detected, ascending, with `boxes` (k, 4), `scores` (k,) in [0, 1], and in `agreement` (k,)
    how many detectors found it. `searched` is how many frames of [first, last) were searched.
    """

    shot: int
    first: int
    last: int
    at: tuple[int, ...]
    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    agreement: NDArray[np.int64]
    searched: int

    @property
    def face_share(self) -> float:
        """The share of the searched frames of [first, last) in which the face was detected."""
        inside = sum(self.first <= at < self.last for at in self.at)
        return inside / self.searched if self.searched else 0.0

    def box_at(self, frame: int) -> NDArray[np.float64]:
        """The box in a frame, (4,), between the detections on both sides. Raises ValueError for a track without a face."""
        if not self.at:
            raise ValueError("the track has no face")
        return np.array([np.interp(frame, self.at, self.boxes[:, edge]) for edge in range(4)])

    def scaled(self, factor: float) -> FaceTrack:
        """The track in a picture that is `factor` times as large."""
        return replace(self, boxes=self.boxes * factor)

    def between(self, first: int, last: int) -> FaceTrack:
        """The part in the frames [first, last): the detections inside, and the nearest one on a side that has none at its end.

        Those outside keep the numbers of their frames. The number of searched frames is that of the same share of the track.
        """
        first, last = max(first, self.first), min(last, self.last)
        at = np.asarray(self.at)
        low = max(0, int(np.searchsorted(at, first, side="right")) - 1)
        high = min(len(at), int(np.searchsorted(at, last - 1)) + 1)
        part = slice(low, max(high, low + 1))
        inside = sum(first <= one < last for one in self.at)
        share = max(0, last - first) / max(1, self.last - self.first)
        return FaceTrack(
            shot=self.shot,
            first=first,
            last=last,
            at=self.at[part],
            boxes=self.boxes[part],
            scores=self.scores[part],
            agreement=self.agreement[part],
            searched=max(inside, round(self.searched * share)),
        )

    def to_json(self) -> dict[str, Any]:
        """The track as values of JSON."""
        return {
            "shot": self.shot,
            "first": self.first,
            "last": self.last,
            "at": list(self.at),
            "boxes": self.boxes.tolist(),
            "scores": self.scores.tolist(),
            "agreement": self.agreement.tolist(),
            "searched": self.searched,
        }

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> FaceTrack:
        """The track that `to_json` gave."""
        return FaceTrack(
            shot=record["shot"],
            first=record["first"],
            last=record["last"],
            at=tuple(record["at"]),
            boxes=np.asarray(record["boxes"], np.float64).reshape(-1, 4),
            scores=np.asarray(record["scores"], np.float64),
            agreement=np.asarray(record["agreement"], np.int64),
            searched=record["searched"],
        )


def no_track(shot: int, first: int, last: int) -> FaceTrack:
    """The frames [first, last) of a shot without a face."""
    empty = {"shot": shot, "first": first, "last": last, "at": [], "boxes": [], "scores": [], "agreement": []}
    return FaceTrack.from_json({**empty, "searched": 0})


def find_tracks(
    frames: Iterable[Frame | LazyFrame],
    shots: Sequence[Shot],
    detect: Detect,
    *,
    fps: float,
    single: Mapping[str, Detect] | None = None,
) -> list[FaceTrack]:
    """The tracks in all frames of a film, (h, w, 3) uint8 RGB of one size, in order of shots and beginnings.

    `shots` are in order; only their clean frames are searched. `fps` is the film's rate; 0 counts as 25.
    `single` are the detectors of which `detect` consists (`single_detectors`): while one of them finds all faces, only it is asked,
    and all are asked about once a second.
    """
    from toonbench.training.processes import one_thread

    with (
        one_thread()
    ):  # once: PyTorch needs more time to change its number of threads than to find the faces of a frame
        return _find_tracks(frames, shots, detect, fps=fps, single=single or {})


def _find_tracks(
    frames: Iterable[Frame | LazyFrame],
    shots: Sequence[Shot],
    detect: Detect,
    *,
    fps: float,
    single: Mapping[str, Detect],
) -> list[FaceTrack]:
    clean = [(number, shot) for number, shot in enumerate(shots) if shot.last > shot.first]
    tracks: list[FaceTrack] = []
    search: ShotSearch | None = None
    for index, frame in enumerate(frames):
        if clean and index == clean[0][1].first:
            search = ShotSearch(detect, last=clean[0][1].last, fps=fps, single=single)
        if search:
            search.add(index, frame)
        if search and index == clean[0][1].last - 1:
            tracks += _finished(search, clean.pop(0)[0])
            search = None
    if search:  # the film is shorter than was stated
        tracks += _finished(search, clean[0][0])
    return tracks


def _finished(search: ShotSearch, shot: int) -> list[FaceTrack]:
    found = [_track(track, shot, searched=search.searched) for track in search.finish()]
    kept = [one for one in found if one and (len(one.at) >= OFTEN or one.scores.max() >= SURE)]
    return sorted(kept, key=lambda one: (one.first, one.last, one.boxes[0].tolist()))


def _track(track: OpenTrack, shot: int, *, searched: Sequence[int]) -> FaceTrack | None:
    """A track that ended; None if the face was never detected."""
    found = [(at, face) for at, face in zip(track.at, track.faces, strict=True) if face.score > 0]
    if not found:
        return None
    first, last = track.at[0], found[-1][0] + 1
    return FaceTrack(
        shot=shot,
        first=first,
        last=last,
        at=tuple(at for at, _ in found),
        boxes=np.asarray([face.box for _, face in found], np.float64).reshape(-1, 4),
        scores=np.asarray([face.score for _, face in found], np.float64),
        agreement=np.asarray([face.agreement for _, face in found], np.int64),
        searched=sum(first <= at < last for at in searched),
    )
