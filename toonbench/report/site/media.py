"""Videos of the site: H.264 and a poster for each, encoded once for each content and kept between builds."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from toonbench import video
from toonbench.data.open import cache_folder
from toonbench.pool import IN_PROCESS, Pool
from toonbench.report.site.names import digest
from toonbench.sealed import read_sealed, write_sealed
from toonbench.store import reason_of, writing
from toonbench.types import CannotWrite

CODING = "1"  # changes with anything that changes the bytes of encoded files
FEW = 24  # files that this process handles faster than new processes start
FOLDER = "media"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFile:
    """A file to show: all frames of a video, or (`still`) the first one."""

    path: Path
    still: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A file as the site has it: `media/<key>.jpg`, and `media/<key>.mp4` unless it is a still. `problem` says why it is not shown."""

    key: str
    frames: int = 0
    width: int = 0
    height: int = 0
    fps: float = 0.0
    problem: str = ""

    @property
    def files(self) -> list[str]:
        """The files of the site."""
        names = [f"{FOLDER}/{self.key}.jpg", *([f"{FOLDER}/{self.key}.mp4"] if self.fps else [])]
        return [] if self.problem else names


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    file: ShownFile
    key: str
    store: Path


class MediaStore:
    """The encoded files in `store`. Two things are remembered in the user's cache: the key of a file by its path, size and time, so
    that it is not read again, and what is encoded under a key.
    """

    def __init__(self, store: Path, *, pool: Pool = IN_PROCESS) -> None:
        self.store, self._pool = store, pool
        self._memory = cache_folder() / "site" / f"{digest(str(store.resolve()))}.json"
        records = read_sealed(self._memory) or {}
        self._keys: dict[str, Any] = records.get("keys") or {}
        self._media: dict[str, Any] = records.get("media") or {}
        self.encoded = 0

    def keys(self, files: Sequence[ShownFile]) -> dict[ShownFile, str]:
        """The key of each file that exists: a checksum of its content."""
        marks = {one: mark for one in dict.fromkeys(files) if (mark := _mark(one.path))}
        unread = [one for one, mark in marks.items() if self._keys.get(_name(one), [None])[0] != mark]
        for one, key in zip(unread, self._in_threads(_key, unread), strict=True):
            self._keys[_name(one)] = [marks[one], key]
        return {one: cast("str", self._keys[_name(one)][1]) for one in marks}

    def start(self, keys: Mapping[ShownFile, str]) -> Future[dict[ShownFile, Media]]:
        """`encode` in the background if few files are new, otherwise now."""
        if len({key for key in keys.values() if self._stored(key) is None}) > FEW:
            done: Future[dict[ShownFile, Media]] = Future()
            done.set_result(self.encode(keys))
            return done
        background = ThreadPoolExecutor(1)
        done = background.submit(self.encode, keys)
        background.shutdown(wait=False)
        return done

    def encode(self, keys: Mapping[ShownFile, str]) -> dict[ShownFile, Media]:
        """Encode what the store lacks; equal files are encoded once."""
        first = {key: one for one, key in reversed([*keys.items()]) if self._stored(key) is None}
        jobs = [_Job(file=one, key=key, store=self.store) for key, one in sorted(first.items())]
        made = {one.key: one for one in self._map(_encode, jobs, title="encoding videos")}
        self.encoded += len(jobs)
        self._media |= {key: asdict(one) for key, one in made.items()}
        write_sealed(self._memory, {"keys": self._keys, "media": self._media})
        return {one: Media(**self._media[key]) for one, key in keys.items()}

    def publish(self, media: Sequence[Media], folder: Path) -> None:
        """Put the encoded files into a site that has them elsewhere: as links to the same file, or copies."""
        if folder.resolve() == self.store.resolve():
            return
        for name in sorted({Path(name).name for one in media for name in one.files}):
            _link(self.store / name, folder / name)

    def _stored(self, key: str) -> Media | None:
        """What is encoded under a key; None if it is not, if its files are gone, or if it failed, which is tried again."""
        if key not in self._media:
            return None
        found = Media(**self._media[key])
        whole = not found.problem and all((self.store / Path(name).name).is_file() for name in found.files)
        return found if whole else None

    def _map(self, function: Any, items: Sequence[Any], *, title: str) -> list[Any]:
        """FFmpeg works without Python's lock, so that threads share few files as well as processes, and start at once."""
        return self._pool.map(function, items, title=title) if len(items) > FEW else self._in_threads(function, items)

    def _in_threads(self, function: Any, items: Sequence[Any]) -> list[Any]:
        with ThreadPoolExecutor(max(1, self._pool.workers)) as threads:
            return list(threads.map(function, items))


def _name(one: ShownFile) -> str:
    return f"{one.path.resolve()}{'|still' if one.still else ''}"


def _mark(path: Path) -> list[int]:
    """The size and time of a file; empty if it does not exist."""
    try:
        found = path.stat()
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns]


def _key(one: ShownFile) -> str:
    try:
        with one.path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        content = f"unreadable {error.errno} {one.path}"
    return digest(f"{content} {CODING} {one.still}")


def _encode(job: _Job) -> Media:
    """Encode one file; a file that cannot be decoded has a problem."""
    try:
        return _still(job) if job.file.still else _video(job)
    except (CannotWrite, MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # noqa: BLE001 - of the file, and shown on its page
        return Media(key=job.key, problem=reason_of(error))


def _still(job: _Job) -> Media:
    path = job.file.path
    frame = next(iter(video.iter_frames(path)))
    video.write_jpeg(job.store / f"{job.key}.jpg", frame)
    return Media(key=job.key, frames=1, width=frame.shape[1], height=frame.shape[0])


def _video(job: _Job) -> Media:
    path = job.file.path
    fps = video.probe(path).fps or 25.0
    frames = video.iter_frames(path)
    first = next(frames)
    count = video.write_web_mp4(job.store / f"{job.key}.mp4", _with(first, frames), fps=fps)
    video.write_jpeg(job.store / f"{job.key}.jpg", first)
    return Media(key=job.key, frames=count, width=first.shape[1], height=first.shape[0], fps=fps)


def _with(first: Any, rest: Any) -> Any:
    yield first
    yield from rest


@functools.cache
def _folder(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)


def _link(source: Path, target: Path) -> None:
    if target.exists():
        return
    _folder(target.parent)
    try:
        os.link(source, target)
    except OSError:  # another disk, or a file system without links
        with writing(target) as temporary:
            shutil.copyfile(source, temporary)
