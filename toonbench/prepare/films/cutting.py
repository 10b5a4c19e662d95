"""The stages of one film: its shots, the tracks of its faces, its clips. Each stores its result, and is done again only if that is absent.

OUT/films/<film>/film.json     what the file is: checksum, size, frames, rate; or why it cannot be used
                 shots.json    changes of shots, and the shots between them
                 tracks.json   the faces of each shot
                 cut/*.json    a record of every clip: where it comes from, how good it is
OUT/clips/<clip>.mkv           the clips
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from toonbench import video
from toonbench.data.folder import file_sha256
from toonbench.prepare.crops import squares_of
from toonbench.prepare.detection import Box
from toonbench.prepare.detectors import detector, single_detectors
from toonbench.prepare.duplicates import FingerprintMeter
from toonbench.prepare.face import LONGER_SIDE
from toonbench.prepare.films.contact_sheets import Sheet
from toonbench.prepare.films.curation import Candidate, Curation, candidates_of, changed
from toonbench.prepare.films.files import Film
from toonbench.prepare.films.parts import Cutting, Meter, Part, cut_parts, needed_frames
from toonbench.prepare.identities import IdentityMeter
from toonbench.prepare.quality import QualityMeter
from toonbench.prepare.shots import second
from toonbench.prepare.shots.film import Shot, find_transitions, shots_between
from toonbench.prepare.shots.small import HEIGHT, WIDTH, shrink
from toonbench.prepare.tracks import FaceTrack, find_tracks
from toonbench.sealed import read_sealed, write_sealed
from toonbench.store import partial_file
from toonbench.types import CannotWrite, Frame, ToonbenchError

SMALL_SIDE = 480  # pixels: frames are reduced to it as they are decoded, and then to the pictures for the shots


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One film to prepare; picklable for worker processes."""

    film: Film
    root: Path
    out: Path
    options: Curation

    @property
    def source(self) -> Path:
        """The film's file."""
        return self.root / self.film.path

    @property
    def folder(self) -> Path:
        """The folder of this film's records."""
        return self.out / "films" / self.film.id

    def clip(self, name: str) -> Path:
        """The file of a clip."""
        return self.out / "clips" / f"{name}.mkv"

    def dropped(self, name: str) -> Path:
        """The file of a clip that is not part of the data set."""
        return self.out / "dropped" / f"{name}.mkv"

    def sheet(self, name: str) -> Path:
        """The file of a clip's contact sheet."""
        return self.out / "review" / f"{name}.jpg"

    def stamp(self) -> str:
        """A text that changes with the file."""
        facts = self.source.stat()
        return f"{self.film.original}|{facts.st_size}:{facts.st_mtime_ns}"

    def read(self, name: str) -> dict[str, Any] | None:
        """A stored record of the film."""
        return read_sealed(self.folder / name)

    def write(self, name: str, record: dict[str, Any]) -> None:
        """Store a record of the film."""
        write_sealed(self.folder / name, record)


def find_shots(job: Job) -> str:
    """The first stage: decode the film once, and find its shots. Returns why the film cannot be used, or an empty string."""
    try:
        stamp = job.stamp()
    except OSError as error:
        stamp = f"cannot be read ({error.strerror})"
    stored = job.read("film.json")
    if stored is None or stored["stamp"] != stamp or changed(job.read("shots.json"), job.options.shots_key()):
        stored = {"stamp": stamp, "reason": job.film.problem} if job.film.problem else _shots(job, stamp)
        job.write("film.json", stored)
    return cast("str", stored["reason"])


def _shots(job: Job, stamp: str) -> dict[str, Any]:
    try:
        if not job.source.is_file():
            raise ToonbenchError("it is missing, or is no regular file")
        facts = _facts(job)
    except CannotWrite:
        raise
    except (ToonbenchError, OSError) as error:
        reason = str(error).replace(f"{job.root}/", "")
        named = job.film.original in reason
        return {"stamp": stamp, "reason": reason if named else f"{job.film.original}: {reason}"}
    return {"stamp": stamp, "reason": "", **facts}


def _facts(job: Job) -> dict[str, Any]:
    """Find the shots, store them, and return what the file is."""
    info = video.probe(job.source)
    if not info.fps:
        raise ToonbenchError("neither its header nor its timestamps state a rate: export it again")
    done = video.Conversions()
    with partial_file(job.folder / "pictures.u8") as path:
        frames = video.iter_frames(job.source, longest=SMALL_SIDE, conversions=done)
        count = _write_pictures(path, video.read_ahead(frames))
        pictures = cast("NDArray[np.uint8]", np.memmap(path, np.uint8, mode="r", shape=(count, HEIGHT, WIDTH, 3)))
        transitions = find_transitions(pictures, second=second.is_available())
        del pictures
    shots = shots_between(transitions, count)
    record = {
        "key": job.options.shots_key(),
        "transitions": [asdict(one) for one in transitions],
        "shots": [asdict(one) for one in shots],
    }
    job.write("shots.json", record)
    notes = [*done.lines(), *([f"uneven timing: {info.uneven} gaps between frames differ"] if info.uneven else [])]
    return {
        "sha256": file_sha256(job.source),
        "frames": count,
        "fps": info.fps,
        "width": info.width,
        "height": info.height,
        "notes": notes,
    }


def _write_pictures(path: Path, frames: Iterable[Frame]) -> int:
    count = 0
    with path.open("wb") as file:
        for picture in shrink(frames):
            file.write(picture.tobytes())
            count += 1
    if not count:
        raise ToonbenchError("it has no frames")
    return count


def shots_of(job: Job) -> list[Shot]:
    """The stored shots of a film."""
    return [Shot(**shot) for shot in _stored(job, "shots.json")["shots"]]


def tracks_of(job: Job) -> list[FaceTrack]:
    """The stored tracks of a film, in pixels of the film."""
    return [FaceTrack.from_json(one) for one in _stored(job, "tracks.json")["tracks"]]


def facts_of(job: Job) -> dict[str, Any]:
    """What the film's file is."""
    return _stored(job, "film.json")


def _stored(job: Job, name: str) -> dict[str, Any]:
    record = job.read(name)
    if record is None:
        raise ToonbenchError(f"{job.folder / name} is missing or damaged: run the same command again")
    return record


def find_faces(job: Job) -> str:
    """The second stage: decode the film again, and follow its faces. Returns an empty string, or why it failed."""
    facts = facts_of(job)
    key = {**job.options.tracks_key(), "film": facts["sha256"]}
    if not changed(job.read("tracks.json"), key):
        return ""
    detect = detector(job.options.detector, low=_accepts_unsure(job), animals=job.options.animals)
    scale = min(1.0, LONGER_SIDE / max(facts["width"], facts["height"]))
    try:
        frames = video.read_ahead(video.iter_lazy_frames(job.source, longest=LONGER_SIDE))
        single = single_detectors(job.options.detector, animals=job.options.animals)
        tracks = find_tracks(frames, shots_of(job), detect, fps=facts["fps"], single=single)
    except ToonbenchError as error:
        return str(error)
    job.write("tracks.json", {"key": key, "tracks": [track.scaled(1 / scale).to_json() for track in tracks]})
    return ""


def _accepts_unsure(job: Job) -> bool:
    """Whether less sure faces are accepted, as in drawings."""
    return job.film.domain == "cartoon" and job.options.detector in ("mtcnn", "yunet", "blazeface")


def candidates(job: Job) -> list[Candidate]:
    """The parts of a film that may become clips."""
    return candidates_of(job.film.id, tracks_of(job), job.options, fps=facts_of(job)["fps"])


def cut_clips(job: Job) -> str:
    """The third stage: decode the film once more, cut every candidate, and measure it. Returns an empty string, or why it failed."""
    key = {**job.options.clips_key(), "film": facts_of(job)["sha256"]}
    missing = [one for one in candidates(job) if not one.fault and not _is_cut(job, one, key)]
    if not missing:
        return ""
    try:
        _cut_all(job, missing, key)
    except CannotWrite:
        raise
    except ToonbenchError as error:
        return str(error)
    return ""


def _is_cut(job: Job, one: Candidate, key: Mapping[str, Any]) -> bool:
    record = job.read(f"cut/{one.id}.json")
    return not changed(record, key) and (job.clip(one.id).is_file() or job.dropped(one.id).is_file())


def _cut_all(job: Job, missing: list[Candidate], key: Mapping[str, Any]) -> None:
    tracks = {one.id: one.track for one in missing}
    facts = facts_of(job)
    parts = [
        Part(
            name=one.id,
            path=job.clip(one.id),
            first=one.first,
            last=one.last,
            squares=squares_of(one.track, job.options.crop, margin=job.options.margin),
            size=job.options.size,
            film_fps=facts["fps"],
            fps=job.options.fps or facts["fps"],
        )
        for one in missing
    ]

    def meters(part: Part) -> Sequence[Meter]:
        return _Measuring(part, tracks[part.name]), Sheet(job.sheet(part.name), part)

    def done(cutting: Cutting) -> None:
        job.dropped(cutting.part.name).unlink(missing_ok=True)
        job.write(f"cut/{cutting.part.name}.json", {"key": dict(key), **_record(cutting)})

    with needed_frames(job.source, parts) as frames:
        cut_parts(frames, parts, meters=meters, done=done)


class _Measuring:
    """The measurements of a clip that is being cut."""

    def __init__(self, part: Part, track: FaceTrack) -> None:
        self.part, self.track = part, track
        self.quality, self.content, self.look = QualityMeter(), FingerprintMeter(), IdentityMeter()

    def add(self, frame: Frame, at: int) -> None:
        self.quality.add(frame)
        self.content.add(frame)
        self.look.add(frame, self._box(at))

    def _box(self, at: int) -> Box:
        """The box of the face in the crop of the frame `at` of the film."""
        squares = self.part.squares
        left, top, side = squares[at - self.part.first if len(squares) > 1 else 0]
        scale = self.part.size / side
        box = self.track.box_at(at)
        return (
            float(box[0] - left) * scale,
            float(box[1] - top) * scale,
            float(box[2] - left) * scale,
            float(box[3] - top) * scale,
        )


def _record(cutting: Cutting) -> dict[str, Any]:
    """What is stored about a clip."""
    part, (measured, sheet) = cutting.part, cast("tuple[_Measuring, Sheet]", cutting.meters)
    sheet.write()
    return {
        "id": part.name,
        "first": part.first,
        "last": part.last,
        "frames": cutting.frames,
        "fps": part.fps,
        "squares": [list(square) for square in part.squares],
        "quality": asdict(measured.quality.finish(measured.track)),
        "fingerprint": measured.content.finish().to_json(),
        "look": measured.look.finish().to_json(),
        "sha256": file_sha256(part.path),
    }
