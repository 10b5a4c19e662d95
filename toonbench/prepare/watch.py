"""Watch a clip once, frame by frame: where a face is, where the picture jumps, where it is empty.

Faces are detected in some frames: often at the beginning, then about three times a second, and on both sides of a jump. If a
face is in one of them and not in the next one, the frames between are searched by halving. Memory is that of the frames
between two detections.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from toonbench.prepare import looks
from toonbench.prepare.detectors import Box, Detect, Detection
from toonbench.prepare.looks import Small
from toonbench.types import Frame

DENSE, OFTEN = 48, 4  # the first DENSE frames are searched every OFTEN frames
PER_SECOND = 3
FLAT = 4.0  # grey levels: the standard deviation of a frame that shows nothing
CHANGE = 10.0  # grey levels of mean change of a small picture, below which nothing jumps
UNLIKE, SUDDEN = 0.4, 2.5  # 1 - correlation of two small pictures at a jump, and over the usual one
AT_ONCE = 0.75  # the same in the first frames, before anything is usual
BRIGHT, PART, ABRUPT = 25.0, 0.2, 4.0  # the same for a large change, as between two persons in one place
GROWING = 0.6  # share of the last change that is usual in motion that grows
EVERYWHERE = 6  # searches of the whole frame: one in so many
AROUND, SURROUNDINGS = 2.2, 144  # sides of a face that are searched near it, and pixels of that picture
MEMORY = 9  # frames that show what is usual
NEAR = 1.0  # sides of a face that it may move between two detections
ALIKE = 1.8  # ratio of sizes of one face in two detections


@dataclass(slots=True)
class Track:
    """One face in one shot: the frames where it was detected or is current to be, in order, with its boxes."""

    shot: int
    at: list[int] = field(default_factory=list[int])
    boxes: list[Box] = field(default_factory=list[Box])
    scores: list[float] = field(default_factory=list[float])
    points: list[NDArray[np.float64] | None] = field(default_factory=list["NDArray[np.float64] | None"])
    look: Small | None = None

    def add(self, index: int, one: Detection, look: Small) -> None:
        """Add a detection."""
        self.at.append(index)
        self.boxes.append(one.box)
        self.scores.append(one.score)
        self.points.append(one.points)
        self.look = look


@dataclass(slots=True)
class Seen:
    """What a clip shows: the number of frames, the first frame of each shot after the first, empty frames, tracks, searched frames."""

    frames: int = 0
    cuts: list[int] = field(default_factory=list[int])
    empty: list[int] = field(default_factory=list[int])
    tracks: list[Track] = field(default_factory=list[Track])
    searched: list[int] = field(default_factory=list[int])


def watch(frames: Iterable[Frame], detect: Detect, *, fps: float) -> Seen:
    """Watch the frames, (h, w, 3) uint8 RGB of one size, in order."""
    watcher = _Watcher(detect, stride=max(1, round((fps or 25.0) / PER_SECOND)))
    for frame in frames:
        watcher.add(frame)
    return watcher.finish()


class _Watcher:
    """The state of watching."""

    def __init__(self, detect: Detect, *, stride: int) -> None:
        self._detect, self._stride = detect, stride
        self._watched = Seen()
        self._between: list[tuple[int, Frame]] = []  # frames since the last search
        self._last: tuple[int, Frame] | None = None  # the last searched frame
        self._unlike: deque[float] = deque(maxlen=MEMORY)
        self._small: Small | None = None

    def add(self, frame: Frame) -> None:
        """Watch the next frame."""
        index = self._watched.frames
        small = looks.small(frame)
        if small.std(axis=(0, 1)).max() < FLAT:
            self._watched.empty.append(index)
        if self._is_jump(small):
            self._search_last()
            self._watched.cuts.append(index)
            self._between, self._last = [], None
        self._small = small
        self._watched.frames += 1
        self._between.append((index, frame))
        if self._last is None or index - self._last[0] >= (OFTEN if index < DENSE else self._stride):
            self._search()

    def finish(self) -> Seen:
        """What was watched."""
        self._search_last()
        return self._watched

    def _search_last(self) -> None:
        if self._between:
            self._search()

    def _is_jump(self, small: Small) -> bool:
        """Whether another scene begins. A picture that becomes brighter, or moves, correlates with the one before."""
        if self._small is None:
            return False
        change = float(np.abs(small - self._small).mean())
        unlike = 1 - looks.correlation(small, self._small)
        # The last change counts too: motion that grows fast is no jump.
        usual = max(float(np.median(self._unlike)), GROWING * self._unlike[-1]) if self._unlike else 0.0
        jump = change > CHANGE and (
            (unlike > (UNLIKE if len(self._unlike) > 1 else AT_ONCE) and unlike > SUDDEN * usual)
            or (len(self._unlike) > 1 and change > BRIGHT and unlike > PART and unlike > ABRUPT * usual)
        )
        if not jump:
            self._unlike.append(unlike)
        return jump

    def _search(self) -> None:
        """Search the newest frame, and the frames before it where a face came, left or was lost."""
        index, frame = self._between.pop()
        before, current = self._last, {id(track) for track in self._current(self._last)}
        self._find(index, frame)
        if before is not None:
            now = {id(track) for track in self._current((index, frame))}
            if current ^ now:
                self._halve(before[0], index, dict(self._between))
        self._last, self._between = (index, frame), []

    def _halve(self, low: int, high: int, frames: dict[int, Frame]) -> None:
        """Search between two searched frames in which not the same faces are."""
        while high - low > 1:
            middle = (low + high) // 2
            if middle not in frames:
                return
            self._find(middle, frames[middle])
            start = {id(track) for track in self._at(low)}
            if start == {id(track) for track in self._at(middle)}:
                low = middle
            else:
                high = middle

    def _current(self, searched: tuple[int, Frame] | None) -> list[Track]:
        return [] if searched is None else self._at(searched[0])

    def _at(self, index: int) -> list[Track]:
        return [track for track in self._watched.tracks if index in track.at[-8:]]

    def _find(self, index: int, frame: Frame) -> None:
        """Add the faces of a frame to their tracks. A face that the detector misses stays if its pixels are still there."""
        insort(self._watched.searched, index)
        shot = len(self._watched.cuts)
        open_tracks = [track for track in self._watched.tracks if track.shot == shot]
        for one in sorted(self._faces(frame, open_tracks), key=lambda found: -found.score):
            track = _nearest(open_tracks, one.box, index)
            if track is None:
                track = Track(shot)
                self._watched.tracks.append(track)
            else:
                open_tracks.remove(track)
            _insert(track, index, one, looks.look(frame, one.box))
        for track in open_tracks:
            place = _index_before(track, index)
            if place is not None and track.look is not None and looks.is_still(frame, track.boxes[place], track.look):
                _insert(track, index, Detection(track.boxes[place], 0.0), track.look)

    def _faces(self, frame: Frame, tracks: list[Track]) -> list[Detection]:
        """The faces of a frame: near those of the last search if all of them are there, and everywhere every EVERYWHERE searches."""
        current = [track for track in tracks if self._last is not None and track.at[-1] == self._last[0]]
        if current and len(self._watched.searched) % EVERYWHERE:
            found = [_near(frame, track.boxes[-1], self._detect) for track in current]
            if all(found):
                return [one for one in found if one]
        return self._detect(frame)


def _near(frame: Frame, box: Box, detect: Detect) -> Detection | None:
    """The face close to where it was, searched in a small picture of its surroundings."""
    from PIL import Image

    height, width = frame.shape[:2]
    side = AROUND * max(box[2] - box[0], box[3] - box[1])
    left, top = (max(0, int((box[n] + box[n + 2] - side) / 2)) for n in (0, 1))
    right, bottom = min(width, int(left + side)), min(height, int(top + side))
    cut = frame[top:bottom, left:right]
    if not cut.size:
        return None
    scale = min(1.0, SURROUNDINGS / max(cut.shape[:2]))
    if scale < 1:
        size = (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale)))
        cut = np.asarray(Image.fromarray(cut).resize(size, Image.Resampling.BILINEAR))
    fits = [_placed(one, scale, left, top) for one in detect(cut)]
    fits = [(looks.apart(one.box, box), one) for one in fits]
    close = [(apart, one) for apart, one in fits if apart[0] <= NEAR / 2 and apart[1] <= ALIKE]
    return min(close, key=lambda fit: fit[0])[1] if close else None


def _placed(one: Detection, scale: float, left: int, top: int) -> Detection:
    """A detection in a part of a frame, in pixels of the frame."""
    box = one.box
    points = None if one.points is None else one.points / scale + (left, top)
    return Detection(
        (box[0] / scale + left, box[1] / scale + top, box[2] / scale + left, box[3] / scale + top), one.score, points
    )


def _insert(track: Track, index: int, one: Detection, look: Small) -> None:
    if not track.at or index > track.at[-1]:
        track.add(index, one, look)
        return
    place = int(np.searchsorted(track.at, index))
    if track.at[place] != index:
        track.at.insert(place, index)
        track.boxes.insert(place, one.box)
        track.scores.insert(place, one.score)
        track.points.insert(place, one.points)


def _index_before(track: Track, index: int) -> int | None:
    """The place of the track's last entry before a frame."""
    place = int(np.searchsorted(track.at, index)) - 1
    return place if place >= 0 else None


def _nearest(tracks: list[Track], box: Box, index: int) -> Track | None:
    """The track whose box nearest in time is close to this one and of a similar size."""
    fits: list[tuple[float, int]] = []
    for number, track in enumerate(tracks):
        place = min(range(max(0, len(track.at) - 8), len(track.at)), key=lambda n: abs(track.at[n] - index))
        distance, ratio = looks.apart(track.boxes[place], box)
        if distance <= NEAR and ratio <= ALIKE:
            fits.append((distance, number))
    return tracks[min(fits)[1]] if fits else None
