"""Make the clips of a list again from one's own films: the same bytes from the same film, checked ones from another copy of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from toonbench import video
from toonbench.data.folder import file_sha256
from toonbench.data.table import ABOUT, CLIPS, FAILURES, Row
from toonbench.pool import IN_PROCESS, Pool
from toonbench.prepare.choose import Square
from toonbench.prepare.duplicates import FingerprintMeter
from toonbench.prepare.films.files import Film, list_films
from toonbench.prepare.films.manifest import SQUARE, ListedClip, ListedFilm, Manifest, read_manifest
from toonbench.prepare.films.parts import Cutting, Meter, Part, cut_parts, needed_frames
from toonbench.prepare.output import own_folder
from toonbench.sealed import read_sealed, write_sealed
from toonbench.store import to_json, write_json
from toonbench.types import CannotWrite, Frame, ToonbenchError

UNLIKE = 0.15  # share of different bits of the perceptual hashes, above which a clip shows something else; independent ones differ in half
SAME_LENGTH = 0.02  # difference in seconds over the length, up to which a file may be a copy of a film


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """The clips of one listed film, and the user's files that may be it, the likeliest first; picklable."""

    film: ListedFilm
    clips: Sequence[ListedClip]
    exact: Path | None
    copies: Sequence[Path]
    out: Path

    def record(self, clip: ListedClip) -> Path:
        return self.out / "items" / f"{clip.id}.json"

    def entry(self, clip: ListedClip) -> str:
        """A checksum of everything that is listed about a clip and its film: another list may have other facts about it."""
        return hashlib.sha256(to_json([asdict(self.film), asdict(clip)]).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """How many clips are the same bytes, how many are from another copy, and why others are missing, by their ids."""

    same: int
    other_copy: int
    missing: Mapping[str, str]
    notes: Sequence[str]


class _OtherLength(ToonbenchError):
    """A file is no copy of a film."""


class _Content:
    """The fingerprint of a clip that is being cut."""

    def __init__(self) -> None:
        self.meter = FingerprintMeter()

    def add(self, frame: Frame, at: int) -> None:
        del at
        self.meter.add(frame)


def rebuild(manifest: Path, films: Path, out: Path, *, pool: Pool = IN_PROCESS) -> Rebuilt:
    """Make the clips of the list `manifest` in `out` from the films in the folder `films`. A second run continues.

    A film is found by the checksum of its file. Where none fits, files of the same length are tried, and a clip of such a copy is
    accepted if its perceptual hashes agree. Raises ToonbenchError for a list or a folder that cannot be used.
    """
    listed = read_manifest(manifest)
    with own_folder(out, command="rebuild"):
        found = list_films(films, domain="cartoon", out=out)
        jobs = _jobs(listed, found.root, found.found, out, pool)
        rows = [row for part in pool.map(_rebuild_film, jobs, title="cutting clips") for row in part]
        clips = [row for row in rows if "reason" not in row]
        failures = [row for row in rows if "reason" in row]
        copies = sum(bool(row["remarks"]) for row in clips)
        notes = [*found.remarks, f"{len(clips)} of {len(rows)} clips, {copies} of them from another copy of their film"]
        CLIPS.write(out, clips)
        FAILURES.write(out, failures)
        write_json(out / ABOUT, {"notes": notes})
    return Rebuilt(
        same=len(clips) - copies,
        other_copy=copies,
        missing={row["id"]: row["reason"] for row in failures},
        notes=notes,
    )


def _jobs(listed: Manifest, root: Path, found: Sequence[Film], out: Path, pool: Pool) -> list[_Job]:
    paths = [root / film.path for film in found if not film.problem]
    sums = dict(zip(pool.map(_sum, paths, title="reading films"), paths, strict=True))
    taken = {sums[film.sha256] for film in listed.films.values() if film.sha256 in sums}
    free = [path for path in paths if path not in taken]
    return [
        _Job(
            film=film,
            clips=[clip for clip in listed.clips if clip.film == film.id],
            exact=sums.get(film.sha256),
            copies=sorted(
                free, key=lambda path: (path.name != Path(film.file).name, path.stem != Path(film.file).stem, path)
            ),
            out=out,
        )
        for film in listed.films.values()
    ]


def _sum(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        return f"{path} cannot be read ({error.strerror})"


def _rebuild_film(job: _Job) -> list[Row]:
    """The rows of a film's clips: of the table of clips, or with a reason of the table of failures."""
    rows: dict[str, Row] = {}
    missing = [clip for clip in job.clips if not _is_done(job, clip, rows)]
    reason = f"no file in the folder is {job.film.file} ({job.film.sha256[:12]}…) or a copy of its length"
    others: list[str] = []
    for path in [job.exact] if job.exact else job.copies:
        if not missing:
            break
        try:
            cut = _cut(job, path, missing, is_copy=path != job.exact)
        except CannotWrite:
            raise
        except _OtherLength:
            continue
        except ToonbenchError as error:
            others.append(str(error))
            continue
        rows |= cut
        missing = [clip for clip in missing if clip.id not in cut]
        if missing:
            others.append(f"{path.name} shows something else at its frames")
    return [rows.get(clip.id) or _failure(job, clip, others[0] if others else reason) for clip in job.clips]


def _is_done(job: _Job, clip: ListedClip, rows: dict[str, Row]) -> bool:
    """Whether an earlier run made this clip; its row is added."""
    record = read_sealed(job.record(clip))
    path = job.out / "clips" / f"{clip.id}.mkv"
    if record is None or record.get("entry") != job.entry(clip) or not path.is_file():
        return False
    if record["copy"] and job.exact:
        return False
    rows[clip.id] = record["row"]
    return True


def _cut(job: _Job, path: Path, clips: Sequence[ListedClip], *, is_copy: bool) -> dict[str, Row]:
    """Cut clips from a file. Those of a copy that look different are removed again, and have no row."""
    info = video.probe(path)
    if is_copy and not _fits(info, job.film):
        raise _OtherLength(f"{path.name} has another length than {job.film.file}")
    fps = info.fps if is_copy else job.film.fps
    scale = info.width / job.film.width if is_copy else 1.0
    listed = {clip.id: clip for clip in clips}
    parts = [_part(clip, job, fps=fps, scale=scale) for clip in clips]
    if any(side > SQUARE * max(info.width, info.height) for part in parts for _, _, side in part.squares):
        raise ToonbenchError(f"{path.name} is smaller than the list states: get the list again")
    rows: dict[str, Row] = {}

    def done(cutting: Cutting) -> None:
        clip, part = listed[cutting.part.name], cutting.part
        sha256 = file_sha256(part.path)
        (content,) = cast("tuple[_Content]", cutting.meters)
        unlike = 0.0 if sha256 == clip.sha256 else _unlikeness(content.meter, clip)
        if unlike > UNLIKE:
            part.path.unlink()
            return
        other = is_copy or sha256 != clip.sha256
        row = rows[clip.id] = _row(job, clip, part, sha256=sha256, other=other, unlike=unlike, frames=cutting.frames)
        write_sealed(job.record(clip), {"entry": job.entry(clip), "copy": other, "row": row})

    def meters(part: Part) -> Sequence[Meter]:
        del part
        return (_Content(),)

    with needed_frames(path, parts) as frames:
        cut_parts(frames, parts, meters=meters, done=done)
    return rows


def _fits(info: video.VideoInfo, film: ListedFilm) -> bool:
    seconds = film.frames / film.fps
    stated = info.frames / info.fps if info.frames and info.fps else info.seconds
    return bool(info.fps) and abs(stated - seconds) <= max(SAME_LENGTH * seconds, 2 / film.fps)


def _part(clip: ListedClip, job: _Job, *, fps: float, scale: float) -> Part:
    """The part of a file that a clip is, where the file has another rate or another size."""
    film, squares = job.film, [cast("Square", tuple(square)) for square in clip.squares]
    first, last = (round(at * fps / film.fps) for at in (clip.first, clip.last))
    if scale != 1.0:
        squares = [(round(x * scale), round(y * scale), max(1, round(side * scale))) for x, y, side in squares]
    if len(squares) > 1 and last - first != clip.last - clip.first:
        at = np.linspace(0, len(squares) - 1, last - first).round().astype(int)
        squares = [squares[place] for place in at]
    return Part(
        name=clip.id,
        path=job.out / "clips" / f"{clip.id}.mkv",
        first=first,
        last=last,
        squares=squares,
        size=clip.size,
        film_fps=fps,
        fps=clip.fps if clip.fps != film.fps else fps,
    )


def _unlikeness(meter: FingerprintMeter, clip: ListedClip) -> float:
    """The share of bits in which the perceptual hashes differ."""
    made = [int(value) for value in meter.finish().hashes]
    listed = [int(value, 16) for value in clip.hashes]
    return sum((a ^ b).bit_count() for a, b in zip(made, listed, strict=False)) / (64 * max(1, len(listed)))


def _row(
    job: _Job, clip: ListedClip, part: Part, *, sha256: str, other: bool, unlike: float, frames: int
) -> dict[str, Any]:
    film = job.film
    copy = f"cut from another copy of the film; {unlike:.1%} of its perceptual hash differs" if other else ""
    return {
        "id": clip.id,
        "file": f"clips/{clip.id}.mkv",
        "domain": film.domain,
        "kind": "video",
        "identity": clip.identity,
        "identity_by": clip.identity_by,
        "title": film.title,
        "split": clip.split,
        "fps": float(part.fps),
        "film_fps": float(part.film_fps),
        "frames": frames,
        "width": clip.size,
        "height": clip.size,
        "provenance": f"{film.file}, frames {clip.first} to {clip.last - 1} (toonbench rebuild)",
        "licence": film.licence,
        "original": film.file,
        "box": ",".join(map(str, clip.squares[0])),
        "first": clip.first,
        "detected": clip.detected,
        "remarks": copy,
        "sha256": sha256,
    }


def _failure(job: _Job, clip: ListedClip, reason: str) -> Row:
    return {
        "id": clip.id,
        "file": job.film.file,
        "domain": job.film.domain,
        "kind": "video",
        "identity": clip.identity,
        "reason": reason,
    }
