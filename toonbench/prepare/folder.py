"""Prepare a data set from a user's folder of videos and images: crop faces and record every failure.

ROOT/real_videos/ real_images/ cartoon_videos/ cartoon_images/   input: any of these folders, any common format, folders of frames
CACHE/<name>-<key>/metadata.parquet  clips/*.mkv  images/*.png   output: an ordinary data set with lossless clips
                   about.json                                    how identities were stated, what was left out
                   failures.parquet                              files without a face or that cannot be read, and why
                   items/*.json                                  finished files: an interrupted run resumes from them
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toonbench import store, video
from toonbench.data.table import ABOUT, CLIPS, FAILURES, Row
from toonbench.pool import IN_PROCESS, Pool
from toonbench.prepare.face import crop_image, cut_out, find_face, sample_frames
from toonbench.prepare.listing import FOLDERS, Found, list_folder
from toonbench.prepare.metadata import read_stated
from toonbench.prepare.names import RULES, legible
from toonbench.types import Frame, Frames, Kind, ToonbenchError

VERSION = 3  # of the preparation; a new version prepares every clip again


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """One file to prepare; picklable for worker processes."""

    found: Found
    root: Path
    out: Path
    size: int
    max_frames: int | None
    fps: float

    @property
    def id(self) -> str:
        """The clip's id."""
        return self.found.id

    @property
    def kind(self) -> Kind:
        """Video or image."""
        return self.found.kind

    @property
    def source(self) -> Path:
        """The user's file, or folder of frames."""
        return self.root / self.found.path

    @property
    def files(self) -> list[Path]:
        """The user's files: one, or the frames in order."""
        return [self.source / name for name in self.found.frames] or [self.source]

    @property
    def file(self) -> str:
        return f"clips/{self.id}.mkv" if self.kind == "video" else f"images/{self.id}.png"

    @property
    def done(self) -> Path:
        return self.out / "items" / f"{self.id}.json"

    @property
    def original(self) -> str:
        """The user's path as text that every table can hold."""
        return legible(self.found.path)

    @property
    def stamp(self) -> str:
        """A text that changes when the source changes: its content by time and size, its permissions, what is stated about it."""
        facts = [path.stat() for path in self.files]
        marks = [f"{one.st_size}:{one.st_mtime_ns}:{one.st_mode:o}" for one in facts]
        stated = f"{self.found.identity}|{self.found.rule}|{self.fps}|{'/'.join(self.found.frames)}"
        return f"{self.original}|{stated}|{hashlib.sha256(' '.join(marks).encode()).hexdigest()[:16]}"


def prepare_folder(
    root: Path,
    cache_dir: Path,
    *,
    size: int = 256,
    max_frames: int | None = None,
    fps: float = 0.0,
    pool: Pool = IN_PROCESS,
) -> Path:
    """Crop every file of a plain folder to its face, `size` pixels square, and return the data set's folder in the cache.

    The first `max_frames` frames of a video are used, all by default. `fps` is the rate of folders of frames whose rate the
    user's metadata does not state. Prepared files are not prepared again unless
    they changed. A file without a face, or that cannot be read, is recorded in `failures.parquet`. Raises ToonbenchError only
    if the folder has no files to prepare, or if the cache cannot be written.
    """
    out = _place(root, cache_dir, size=size, max_frames=max_frames)
    listing = list_folder(root, read_stated(root))
    items = [
        _Item(found=one, root=root, out=out, size=size, max_frames=max_frames, fps=one.fps or fps)
        for one in listing.found
    ]
    if not items:
        raise ToonbenchError(
            "; ".join([f"{root}: has no videos or images; add some to {', '.join(FOLDERS)}", *listing.lines()])
        )
    results = pool.map(_prepare, items, title="cropping faces")
    FAILURES.write(out, [result for result in results if "reason" in result])
    CLIPS.write(out, [result for result in results if "reason" not in result])
    store.write_json(out / ABOUT, {"notes": [*_identities(listing.found), *listing.lines()]})
    return out


def _identities(found: Sequence[Found]) -> list[str]:
    """How identities were stated, in one line."""
    rules = Counter(one.rule for one in found)
    people = len({one.identity for one in found})
    how = ", ".join(f"{rules[rule]} {words}" for rule, words in RULES.items() if rules[rule])
    return [f"identities: {people} in {len(found)} clips ({how})"]


def _place(root: Path, cache_dir: Path, *, size: int, max_frames: int | None) -> Path:
    key = f"{root.resolve()}|{VERSION}|{size}|{max_frames}"
    return cache_dir / f"{store.safe_name(root.resolve().name)}-{hashlib.sha256(key.encode()).hexdigest()[:10]}"


def _prepare(item: _Item) -> Row:
    """Prepare one file unless it is prepared already; return its row for the table of clips or of failures."""
    try:
        stamp = item.stamp
    except OSError:
        stamp = ""  # a dangling link, or a file that was just removed: reading it reports the error
    if item.done.exists():
        stored = store.read_json(item.done)
        if stored["stamp"] == stamp and ("reason" in stored["row"] or (item.out / item.file).exists()):
            return stored["row"]
    row: Row = {"id": item.id, "domain": item.found.domain, "kind": item.kind}
    try:
        cropped = _cropped(item)
    except ToonbenchError as error:
        reason = str(error).replace(f"{item.root}/", "")
        row |= {"file": item.original, "reason": reason if item.original in reason else f"{item.original}: {reason}"}
    else:
        row |= _write_clip(item, cropped)
    store.write_json(item.done, {"stamp": stamp, "row": row})
    return row


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cropped:
    """The frames of a clip, their rate, and the square of the user's picture (left, top, side) that they show."""

    frames: Frames
    fps: float
    picture: tuple[int, int]
    box: tuple[int, int, int]


def _cropped(item: _Item) -> _Cropped:
    """The cropped frames. A video is decoded twice, to detect and to crop, so that its frames are not kept in memory."""
    if item.found.problem:
        raise ToonbenchError(item.found.problem)
    if item.kind == "image":
        picture = video.read_image(item.source)
        crop = crop_image(picture, size=item.size)
        return _Cropped(frames=crop.frames, fps=0.0, picture=_sides(picture), box=crop.box)
    sample, _ = sample_frames(_source_frames(item))
    face = find_face(sample)
    fps = _rate(item)
    frames = np.stack([cut_out(frame, face, size=item.size) for frame in _source_frames(item)])
    return _Cropped(frames=frames, fps=fps, picture=_sides(sample[0]), box=(face.left, face.top, face.side))


def _sides(picture: Frame) -> tuple[int, int]:
    return picture.shape[1], picture.shape[0]


def _source_frames(item: _Item) -> Iterator[Frame]:
    """The frames of a video file or of a folder of frames."""
    if item.found.frames:
        return video.iter_pictures(item.files[: item.max_frames])
    return video.iter_frames(item.source, max_frames=item.max_frames)


def _rate(item: _Item) -> float:
    """Frames per second of a video. Raises ToonbenchError if nothing states it."""
    if item.found.frames and item.fps:
        return item.fps
    if item.found.frames:
        raise ToonbenchError("a folder of frames states no rate: give --fps, or a column fps in metadata.csv")
    rate = video.probe(item.source).fps or item.fps
    if not rate:
        raise ToonbenchError("neither its header nor its timestamps state a rate: give --fps, or export it again")
    return rate


def _write_clip(item: _Item, cropped: _Cropped) -> Row:
    path, frames, fps = item.out / item.file, cropped.frames, cropped.fps
    if item.kind == "image":
        video.write_png(path, frames[0])
    else:
        video.write_lossless(path, frames, fps=fps)
    return {
        "file": item.file,
        "identity": item.found.identity,
        "identity_by": item.found.rule,
        "title": "",
        "split": "test",
        "fps": float(fps),
        "frames": len(frames),
        "width": int(frames.shape[2]),
        "height": int(frames.shape[1]),
        "provenance": f"{item.original}, face cropped by MTCNN (toonbench prepare {VERSION})",
        "licence": "",
        "original": item.original,
        "picture": ",".join(map(str, cropped.picture)),
        "box": ",".join(map(str, cropped.box)),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
