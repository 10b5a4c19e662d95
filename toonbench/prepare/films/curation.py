"""How films become a data set: the options of `prepare-cartoon`, and the parts of a film that are candidates for a clip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from toonbench.prepare.crops import ENLARGE
from toonbench.prepare.detection import Box, overlap
from toonbench.prepare.detectors import detector, missing_detectors
from toonbench.prepare.quality import Limits
from toonbench.prepare.shots import second
from toonbench.prepare.splits import By
from toonbench.prepare.tracks import FaceTrack
from toonbench.types import Domain, ToonbenchError

VERSION = 1  # of the preparation of films; a new version prepares every film again
CropRule = Literal["union", "smoothed"]
LEAST_OVERLAP = 0.25  # IoU with the first box of a part, below which another one begins, as in FOMM's crop-video


@dataclass(frozen=True, slots=True, kw_only=True)
class Curation:
    """Options of the preparation of films; a change prepares again what it changes.

    detector: a name from `detectors()`.
    animals: faces of animals count, too.
    crop: "union" cuts one square around all boxes of a part of a track, "smoothed" one that moves with the face.
    margin: room around the faces, at each side of the square, as a share of their longer side.
    size: side of the clips in pixels.
    fps: the rate of the clips; 0 keeps the film's own.
    shortest, longest: seconds of a clip; longer tracks are divided.
    limits: what a clip must fulfil.
    split_by, test_share, seed: how clips are divided into train and test; see `splits`.
    domain: of films about which nothing states it.
    """

    detector: str = "fused"
    animals: bool = False
    crop: CropRule = "union"
    margin: float = ENLARGE
    size: int = 256
    fps: float = 0.0
    shortest: float = 1.5
    longest: float = 40.0
    limits: Limits = field(default_factory=Limits)
    split_by: By = "title"
    test_share: float = 55 / 344
    seed: int = 0
    domain: Domain = "cartoon"

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("crop", self.crop, get_args(CropRule)),
            ("split_by", self.split_by, get_args(By)),
        ):
            if value not in allowed:
                raise ToonbenchError(f"{name} is {value!r}: choose {' or '.join(allowed)}")
        if not 0 <= self.fps <= 1000:
            raise ToonbenchError(
                f"fps is {self.fps}: give frames per second above 0, at most 1000, or 0 for the film's own"
            )
        if not 0 <= self.margin <= 2:
            raise ToonbenchError(f"margin is {self.margin}: give 0 to 2 sides of the face")
        if not 16 <= self.size <= 2048:
            raise ToonbenchError(f"size is {self.size}: give 16 to 2048 pixels")
        if not 0 < self.shortest <= self.longest:
            raise ToonbenchError(f"a clip has {self.shortest} to {self.longest} seconds: give 0 < shortest <= longest")
        if not 0 < self.test_share < 1:
            raise ToonbenchError(f"the share of test clips is {self.test_share}: give a number between 0 and 1")
        detector(self.detector)

    def shots_key(self) -> dict[str, Any]:
        """What the shots of a film depend on."""
        return {"version": VERSION, "second": second.is_available()}

    def tracks_key(self) -> dict[str, Any]:
        """What the tracks of a film depend on."""
        missing = sorted(missing_detectors()) if self.detector == "fused" else []
        return {**self.shots_key(), "detector": self.detector, "animals": self.animals, "missing": missing}

    def clips_key(self) -> dict[str, Any]:
        """What the clips of a film depend on."""
        own = {
            "crop": self.crop,
            "margin": self.margin,
            "size": self.size,
            "fps": self.fps,
            "shortest": self.shortest,
            "longest": self.longest,
        }
        return {**self.tracks_key(), **own}

    def to_json(self) -> dict[str, Any]:
        """All options, for the report of a run."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A part of a film that may become a clip: frames [first, last) of one track. `fault` is why it is not cut, or an empty string."""

    id: str
    film: str
    shot: int
    first: int
    last: int
    track: FaceTrack
    fault: str = ""


def candidates_of(film: str, tracks: Sequence[FaceTrack], options: Curation, *, fps: float) -> list[Candidate]:
    """The candidates in the tracks of a film, in order of time; their ids are the film, the first and the last frame."""
    longest = max(2, round(options.longest * fps))
    parts = [
        (part, track) for track in tracks for part in _parts(track, longest=longest, still=options.crop == "union")
    ]
    parts.sort(key=lambda one: (one[0], _middle(one[1])))
    found: list[Candidate] = []
    taken: dict[str, int] = {}
    for (first, last), track in parts:
        name = f"{film}--{first:06d}-{last - 1:06d}"
        number = taken[name] = taken.get(name, 0) + 1
        own = track.between(first, last)
        fault = _fault(own, options, fps=fps)
        found.append(
            Candidate(
                id=name if number == 1 else f"{name}-{number}",
                film=film,
                shot=track.shot,
                first=first,
                last=last,
                track=own,
                fault=fault,
            )
        )
    return found


def _fault(track: FaceTrack, options: Curation, *, fps: float) -> str:
    frames = track.last - track.first
    if frames < round(options.shortest * fps):
        return f"{frames} frames ({frames / fps:.2f} s): a clip has {options.shortest:g} s or more"
    return ""


def _parts(track: FaceTrack, *, longest: int, still: bool) -> Iterator[tuple[int, int]]:
    """Parts of at most `longest` frames; if `still`, another one begins where the face has left its first place."""
    first, box = track.first, track.boxes[0]
    for at, now in zip(track.at, track.boxes, strict=True):
        left = still and overlap(_box(box), _box(now)) < LEAST_OVERLAP
        while at - first > longest:
            yield first, first + longest
            first, box = first + longest, now
        if left and at > first:
            yield first, at
            first, box = at, now
    while track.last - first > longest:
        yield first, first + longest
        first += longest
    if track.last > first:
        yield first, track.last


def _box(values: Any) -> Box:
    return (float(values[0]), float(values[1]), float(values[2]), float(values[3]))


def _middle(track: FaceTrack) -> float:
    return float((track.boxes[0][0] + track.boxes[0][2]) / 2)


def changed(record: Mapping[str, Any] | None, key: Mapping[str, Any]) -> bool:
    """Whether a stored record is absent or was made with other options."""
    return record is None or record.get("key") != key
