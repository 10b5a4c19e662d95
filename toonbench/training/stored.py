"""Frames of training clips in one file on disk, so that memory does not grow with the number and the length of clips.

FOLDER/frames.bin    uint8 (frames, size, size, 3), clip after clip
FOLDER/clips.json    the number of frames of each clip that can be used, and why others cannot

A step reads the few frames that it draws. The system keeps frames that are read often in memory that it can take back.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, overload

import numpy as np

from toonbench.store import remove_leftovers, write_json, writing
from toonbench.types import Clip, Frame, Frames, ToonbenchError

VERSION = 1  # of the files, and of how frames are resized
FRAMES, CLIPS = "frames.bin", "clips.json"
Read = Callable[[Clip], Iterator[Frame]]
Places = tuple[tuple[int, int], ...]  # the first frame and the number of frames of each clip


class StoredClips(Sequence[Frames]):
    """Clips in a file, each uint8 (frames, size, size, 3); other processes receive the name of the file."""

    def __init__(self, path: Path, places: Places, *, size: int) -> None:
        self.path = path
        self.places = places
        self.size = size
        self._mapped: Frames | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return (_stored, (self.path, self.places, self.size))

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> Frames: ...
    @overload
    def __getitem__(self, index: slice) -> StoredClips: ...
    def __getitem__(self, index: int | slice) -> Frames | StoredClips:
        if isinstance(index, slice):
            return StoredClips(self.path, self.places[index], size=self.size)
        first, count = self.places[index]
        if self._mapped is None:
            shape = (-1, self.size, self.size, 3)
            self._mapped = np.asarray(np.memmap(self.path, dtype=np.uint8, mode="r")).reshape(shape)
        return self._mapped[first : first + count]


def _stored(path: Path, places: Places, size: int) -> StoredClips:
    return StoredClips(path, places, size=size)


@dataclass(frozen=True, slots=True)
class Found:
    """The numbers of the clips that can be used, in order, with their frames, and why others cannot, by number."""

    numbers: tuple[int, ...]
    frames: Sequence[Frames]
    skipped: Mapping[int, str]

    def part(self, numbers: Collection[int]) -> Sequence[Frames]:
        """The frames of some of the clips."""
        places = [place for place, number in enumerate(self.numbers) if number in numbers]
        if isinstance(self.frames, StoredClips):
            every = self.frames.places
            return StoredClips(self.frames.path, tuple(every[place] for place in places), size=self.frames.size)
        return tuple(self.frames[place] for place in places)


def in_memory(clips: Sequence[Clip], read: Read) -> Found:
    """The frames of clips that can be used, in memory."""
    frames: list[Frames] = []
    skipped: dict[int, str] = {}
    for number, clip in enumerate(clips):
        some: list[Frame] = []
        reason = _consume(clip, read, some.append)
        if reason:
            skipped[number] = reason
        else:
            frames.append(np.stack(some))
    return Found(_others(skipped, len(clips)), tuple(frames), skipped)


def _others(skipped: Collection[int], count: int) -> tuple[int, ...]:
    return tuple(number for number in range(count) if number not in skipped)


def on_disk(clips: Sequence[Clip], read: Read, *, size: int, cache: Path) -> Found:
    """The frames of clips that can be used, in a folder of `cache` that is named after the files, their times, and `size`.

    A folder that exists is used again. Raises ToonbenchError, naming the file, where the disk is full.
    """
    from filelock import FileLock

    folder = cache / f"{_key(clips, size)}-{size}"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):  # several processes of a training begin at once
        if (about := _whole(folder, size=size, clips=len(clips))) is None:
            remove_leftovers(folder)
            about = _write(clips, read, folder / FRAMES)
            write_json(folder / CLIPS, about)
    counts: list[int] = about["frames"]
    skipped = {int(number): reason for number, reason in about["skipped"].items()}
    starts = itertools.accumulate(counts, initial=0)
    places = tuple((first, count) for first, count in zip(starts, counts, strict=False))
    return Found(_others(skipped, len(clips)), StoredClips(folder / FRAMES, places, size=size), skipped)


def _whole(folder: Path, *, size: int, clips: int) -> dict[str, Any] | None:
    """What CLIPS in a folder states, if it and FRAMES are whole; files may be cut off after a crash of the machine, or removed by hand."""
    try:
        about: Any = json.loads((folder / CLIPS).read_bytes())
        frames = sum(about["frames"])
        whole = len(about["frames"]) + len(about["skipped"]) == clips
        return about if whole and (folder / FRAMES).stat().st_size == frames * size * size * 3 else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _write(clips: Sequence[Clip], read: Read, path: Path) -> dict[str, Any]:
    counts: list[int] = []
    skipped: dict[int, str] = {}
    with writing(path) as temporary, temporary.open("wb") as file:
        for number, clip in enumerate(clips):
            start, appended = file.tell(), _Appended(file)
            reason = _consume(clip, read, appended.add)
            if reason:
                skipped[number] = reason
                file.truncate(start)
                file.seek(start)
            else:
                counts.append(appended.count)
    return {"frames": counts, "skipped": skipped}


class _Appended:
    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.count = 0

    def add(self, frame: Frame) -> None:
        self.file.write(np.ascontiguousarray(frame).data)
        self.count += 1


def _consume(clip: Clip, read: Read, add: Callable[[Frame], None]) -> str:
    """Give all frames of a clip to `add`; return why the clip cannot be used, or an empty string. Errors of `add` are raised."""
    if clip.problem:
        return clip.problem
    frames, count = read(clip), 0
    while True:
        try:
            frame = next(frames, None)
        except (ToonbenchError, OSError) as error:
            return str(error)
        if frame is None:
            return "" if count > 1 else "it has one frame"
        add(frame)
        count += 1


def _key(clips: Sequence[Clip], size: int) -> str:
    lines: list[list[Any]] = [[VERSION, size]]
    for clip in clips:
        try:
            facts = clip.path.stat()
            marks = [facts.st_size, facts.st_mtime_ns, facts.st_mode]
        except OSError as error:
            marks = [type(error).__name__]
        lines.append([clip.id, str(clip.path.absolute()), clip.problem, *marks])
    return hashlib.sha256(json.dumps(lines).encode("utf-8", "surrogateescape")).hexdigest()[:20]
