"""Prepare a data set from a user's folder of videos and images: crop faces and record every failure.

ROOT/real_videos/ real_images/ cartoon_videos/ cartoon_images/   input: any of these folders, any common format
CACHE/<name>-<key>/metadata.parquet  clips/*.mkv  images/*.png   output: an ordinary data set with lossless clips
                   failures.parquet                              files without a face or that cannot be read, and why
                   items/*.json                                  finished files: an interrupted run resumes from them
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toonbench import store, video
from toonbench.data.table import CLIPS, FAILURES, Row
from toonbench.pool import IN_PROCESS, Pool
from toonbench.prepare.face import crop_image, cut_out, find_face, sample_frames
from toonbench.types import Domain, Frames, Kind, ToonbenchError

VERSION = 1  # of the cropping; a new version prepares every clip again
FOLDERS: dict[str, tuple[Domain, Kind]] = {
    "real_videos": ("real", "video"),
    "real_images": ("real", "image"),
    "cartoon_videos": ("cartoon", "video"),
    "cartoon_images": ("cartoon", "image"),
}
NOTES = frozenset({".json", ".txt", ".csv", ".md", ".parquet", ".yaml", ".yml", ".srt", ".vtt", ".html", ".ini", ".db"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """One file to prepare; picklable for worker processes."""

    id: str
    root: Path
    source: Path
    out: Path
    domain: Domain
    kind: Kind
    size: int
    max_frames: int | None

    @property
    def file(self) -> str:
        return f"clips/{self.id}.mkv" if self.kind == "video" else f"images/{self.id}.png"

    @property
    def done(self) -> Path:
        return self.out / "items" / f"{self.id}.json"

    @property
    def original(self) -> str:
        return self.source.relative_to(self.root).as_posix()

    @property
    def stamp(self) -> str:
        """A text that changes when the source file changes."""
        facts = self.source.stat()
        return f"{self.original}:{facts.st_size}:{facts.st_mtime_ns}"


def prepare_folder(
    root: Path,
    cache_dir: Path,
    *,
    size: int = 256,
    max_frames: int | None = None,
    pool: Pool = IN_PROCESS,
) -> Path:
    """Crop every file of a plain folder to its face, `size` pixels square, and return the data set's folder in the cache.

    The first `max_frames` frames of a video are used, all by default. Prepared files are not prepared again unless
    they changed. A file without a face, or that cannot be read, is recorded in `failures.parquet`. Raises ToonbenchError only
    if the folder has no files to prepare, or if the cache cannot be written.
    """
    out = _place(root, cache_dir, size=size, max_frames=max_frames)
    items = [
        _Item(id=name, root=root, source=path, out=out, domain=domain, kind=kind, size=size, max_frames=max_frames)
        for name, path, (domain, kind) in _files(root)
    ]
    if not items:
        raise ToonbenchError(f"{root}: has no videos or images; add some to {', '.join(FOLDERS)}")
    results = pool.map(_prepare, items, title="cropping faces")
    FAILURES.write(out, [result for result in results if "reason" in result])
    CLIPS.write(out, [result for result in results if "reason" not in result])
    return out


def _place(root: Path, cache_dir: Path, *, size: int, max_frames: int | None) -> Path:
    key = f"{root.resolve()}|{VERSION}|{size}|{max_frames}"
    return cache_dir / f"{store.safe_name(root.resolve().name)}-{hashlib.sha256(key.encode()).hexdigest()[:10]}"


def _files(root: Path) -> Iterator[tuple[str, Path, tuple[Domain, Kind]]]:
    """Files with their ids, in a fixed order. If names differ only in the suffix, the ids include the suffix."""
    taken = Counter[str]()
    for folder, meaning in FOLDERS.items():
        paths = sorted(path for path in (root / folder).rglob("*") if _is_media(path, root))
        stems = Counter(_plain(path.stem) for path in paths)
        for path in paths:
            stem = _plain(path.stem)
            ending = f"-{_plain(path.suffix[1:])}" if stems[stem] > 1 else ""
            name = f"{folder}-{stem}{ending}"
            taken[name.lower()] += 1  # some file systems do not distinguish A from a
            number = taken[name.lower()]
            yield (name if number == 1 else f"{name}-{number}"), path, meaning


def _is_media(path: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
    return not hidden and not path.is_dir() and path.suffix.lower() not in NOTES


def _plain(text: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_]+", "-", ascii_only).strip("-")[:80] or "unnamed"


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
    row: Row = {"id": item.id, "domain": item.domain, "kind": item.kind}
    try:
        frames, fps = _cropped(item)
    except ToonbenchError as error:
        reason = str(error).replace(f"{item.root}/", "")
        row |= {"file": item.original, "reason": reason if item.original in reason else f"{item.original}: {reason}"}
    else:
        row |= _write_clip(item, frames, fps)
    store.write_json(item.done, {"stamp": stamp, "row": row})
    return row


def _cropped(item: _Item) -> tuple[Frames, float]:
    """The cropped frames and their rate. A video is decoded twice, to detect and to crop, so that its frames are not kept in memory."""
    if item.kind == "image":
        return crop_image(video.read_image(item.source), size=item.size).frames, 0.0
    sample, _ = sample_frames(video.iter_frames(item.source, max_frames=item.max_frames))
    face = find_face(sample)
    frames = video.iter_frames(item.source, max_frames=item.max_frames)
    fps = video.probe(item.source).fps or 25.0  # a still image in a folder of videos
    return np.stack([cut_out(frame, face, size=item.size) for frame in frames]), fps


def _write_clip(item: _Item, frames: Frames, fps: float) -> Row:
    path = item.out / item.file
    if item.kind == "image":
        video.write_png(path, frames[0])
    else:
        video.write_lossless(path, frames, fps=fps)
    inner = item.source.parent.relative_to(item.root).parts[1:]
    return {
        "file": item.file,
        "identity": _plain(inner[0] if inner else item.source.stem),
        "title": "",
        "split": "test",
        "fps": float(fps),
        "frames": len(frames),
        "width": int(frames.shape[2]),
        "height": int(frames.shape[1]),
        "provenance": f"{item.original}, face cropped by MTCNN (toonbench prepare {VERSION})",
        "licence": "",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
