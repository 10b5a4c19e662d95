"""Prepare VoxCeleb's clips from a local mirror of the videos and the public table of the clips. Nothing is downloaded.

MIRROR/**/<video id>.mp4         input: videos in any sub-folders; .mkv, .webm, .m4v, .mov and .avi too
OUT/metadata.parquet clips/*.mkv output: an ordinary data set of lossless clips, named as the original names them
    README.md *-*.parquet        the data card, and how the library `datasets` loads the set
    about.json failures.parquet  the counts; clips that could not be made, and why
    items/*.json                 finished videos: an interrupted run resumes from them

The rule of the original loader: a clip has the frames of the video whose times are in the clip's, at the video's own rate, and
the box is scaled to the video's size, rounded down and cut off at the frame. `crop="official"` stretches it to a square, as the
published models were trained; `crop="aspect"` takes the square of its longer side around its middle, and repeats edge pixels
outside the frame.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

import numpy as np

from toonbench import store, video
from toonbench.chunks import chunk_frames, in_chunks
from toonbench.data.folder import file_sha256
from toonbench.data.table import Row
from toonbench.pool import IN_PROCESS, Pool
from toonbench.prepare.face import cut_out
from toonbench.prepare.names import legible
from toonbench.prepare.output import Summary, folders_to_read, own_folder, write_set
from toonbench.prepare.splits import leaks
from toonbench.prepare.vox_metadata import Partition, VoxClip, read_vox_metadata
from toonbench.sealed import read_sealed, write_sealed
from toonbench.types import CannotWrite, Frame, ToonbenchError

VERSION = 1  # of the preparation; a new version prepares every clip again
SUFFIXES = (".mp4", ".mkv", ".webm", ".m4v", ".mov", ".avi")
PAPER = {"train": "17k", "test": "473"}  # clips, as the paper of ToonTalker states
LICENCE = "the copyright of the video's owner; the table of clips is VoxCeleb's, CC BY 4.0"
Crop = Literal["official", "aspect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VoxOptions:
    """How clips are cut: the crop, the side of a clip in pixels, and the partition, or None for both."""

    crop: Crop = "official"
    size: int = 256
    partition: Partition | None = None

    def __post_init__(self) -> None:
        if self.crop not in get_args(Crop):
            raise ToonbenchError(f"crop is {self.crop!r}: choose {' or '.join(get_args(Crop))}")
        if self.size < 8:
            raise ToonbenchError(f"size is {self.size}: give 8 or more pixels")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """One video with its clips; picklable for worker processes."""

    source: Path
    original: str
    clips: tuple[VoxClip, ...]
    out: Path
    options: VoxOptions

    @property
    def done(self) -> Path:
        key = hashlib.sha256(self.clips[0].video.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        return self.out / "items" / f"{store.safe_name(self.clips[0].video)[:80]}-{key}.json"

    @property
    def stamp(self) -> str:
        """A text that changes when the video, its clips or the options change."""
        facts = self.source.stat()
        text = f"{VERSION}|{self.options}|{self.clips}|{facts.st_size}:{facts.st_mtime_ns}|{self.original}"
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def prepare_voxceleb(
    mirror: Path, metadata: Path, *, out: Path, options: VoxOptions | None = None, pool: Pool = IN_PROCESS
) -> Summary:
    """Cut the clips of the table out of the videos of the mirror, and write them as a data set.

    A missing or damaged video is recorded in `failures.parquet`. The bytes do not depend on the workers or on interruptions. Raises
    ToonbenchError for an unusable table, for a mirror without any of its videos, and if the output cannot be written.
    """
    options = options or VoxOptions()
    table = read_vox_metadata(metadata)
    clips = [clip for clip in table.clips if options.partition in (None, clip.partition)]
    if not clips:
        raise ToonbenchError(f"{metadata} has no clips in {options.partition}: give another partition")
    found, notes = find_videos(mirror, out=out)
    by_video: dict[str, list[VoxClip]] = {}
    for clip in clips:
        by_video.setdefault(clip.video, []).append(clip)
    items = [
        _Item(source=found[name], original=_original(found[name], mirror), clips=tuple(own), out=out, options=options)
        for name, own in sorted(by_video.items())
        if name in found
    ]
    if not items:
        example = clips[0].video
        raise ToonbenchError(
            f"{mirror} has none of the {len(by_video)} videos of {metadata.name}: name them by their id, as {example}.mp4"
        )
    with own_folder(out, command="prepare-voxceleb"):
        results = pool.map(_prepare, items, title="cutting clips")
        rows = [row for result in results for row in result["rows"]]
        failures = [row for result in results for row in result["failures"]]
        missing = [clip for clip in clips if clip.video not in found]
        failures += [_failure(clip, f"{clip.video}.mp4", "the video is not in the mirror") for clip in missing]
        notes = [*table.notes, *notes, *_counts(clips, rows, missing), *_damage(results), *_leaks(rows)]
        text, title = "Prepared by `toonbench prepare-voxceleb`.", "VoxCeleb, cut from a mirror"
        return write_set(out, rows, failures, notes=notes, text=text, title=title)


def find_videos(mirror: Path, *, out: Path) -> tuple[dict[str, Path], list[str]]:
    """The videos of a mirror by their ids, and a line if some ids have several files; `out` is left out.

    Raises ToonbenchError if there are none.
    """
    if not mirror.is_dir():
        raise ToonbenchError(f"{mirror} is not a folder: give the folder of the downloaded videos")
    found: dict[str, Path] = {}
    again = 0
    for place, folders, names in os.walk(mirror):
        folders[:] = folders_to_read(Path(place), folders, out=out)
        for name in sorted(names):
            path = Path(place, name)
            if path.suffix.lower() in SUFFIXES and not name.startswith("."):
                key = unicodedata.normalize("NFC", path.stem)
                again += key in found
                found.setdefault(key, path)
    if not found:
        raise ToonbenchError(f"{mirror} has no videos: put <video id>.mp4 into it, in any sub-folders")
    notes = (
        [f"{again} files of the mirror have an id that another file has; the first one by path is used"]
        if again
        else []
    )
    return found, notes


def _original(path: Path, mirror: Path) -> str:
    return legible(PurePosixPath(path.relative_to(mirror).as_posix()))


def _counts(clips: Sequence[VoxClip], rows: Sequence[Row], missing: Sequence[VoxClip]) -> list[str]:
    """How many clips the table has, how many were made, and how many the paper has."""
    listed, made = Counter(clip.partition for clip in clips), Counter(row["split"] for row in rows)
    lines = [
        f"{name}: {made[name]} of {listed[name]} clips made; the paper states {PAPER[name]}"
        for name in PAPER
        if listed[name]
    ]
    videos = {clip.video for clip in clips}
    lost = {clip.video for clip in missing}
    if lost:
        lines.append(f"{len(lost)} of {len(videos)} videos are not in the mirror, which are {len(missing)} clips")
    return lines


def _damage(results: Sequence[dict[str, Any]]) -> list[str]:
    """A line for each video that has failed clips."""
    lines: list[str] = []
    for result in results:
        reasons = list(dict.fromkeys(row["reason"] for row in result["failures"]))
        if reasons:
            file = result["failures"][0]["file"]
            more = f" (and {len(reasons) - 1} other reasons)" if len(reasons) > 1 else ""
            lines.append(f"{file}: {len(result['failures'])} clips not made: {reasons[0]}{more}")
    return lines


def _leaks(rows: Sequence[Row]) -> list[str]:
    found = leaks(rows)
    if not (found.titles or found.identities):
        return []
    return [f"{found.identities} persons and {found.titles} videos are in both partitions"]


def _failure(clip: VoxClip, file: str, reason: str) -> Row:
    return {
        "id": clip.id, "file": file, "domain": "real", "kind": "video", "identity": clip.person, "reason": reason,
    }  # fmt: skip


def _prepare(item: _Item) -> dict[str, Any]:
    """The rows and failures of one video, unless it is prepared already."""
    try:
        stamp = item.stamp
    except OSError:
        stamp = ""  # removed meanwhile: reading it reports the error
    stored = read_sealed(item.done)
    if stored and stored["stamp"] == stamp and all((item.out / row["file"]).exists() for row in stored["rows"]):
        return stored
    rows: list[Row] = []
    failures: list[Row] = []
    for clip, result in _cut_all(item):
        if isinstance(result, str):
            failures.append(_failure(clip, item.original, result))
        else:
            rows.append(result)
    record: dict[str, Any] = {"stamp": stamp, "rows": rows, "failures": failures}
    write_sealed(item.done, record)
    return record


def _cut_all(item: _Item) -> Iterator[tuple[VoxClip, Row | str]]:
    """Every clip with its row, or with the reason why there is none. The video is decoded once if its clips do not overlap."""
    try:
        info = video.probe(item.source)
        if not info.fps:
            raise ToonbenchError("it states no frame rate: fetch it again")
    except ToonbenchError as error:
        yield from ((clip, _reason(error, item)) for clip in item.clips)
        return
    for clips in passes(item.clips):
        conversions = video.Conversions()
        frames = enumerate(video.iter_frames(item.source, conversions=conversions))
        broken = ""
        for clip in clips:
            try:
                if broken:
                    raise ToonbenchError(broken)
                yield clip, _cut(item, clip, frames, info, conversions)
            except CannotWrite:
                raise
            except ToonbenchError as error:
                broken = broken or ("" if isinstance(error, _NoFrames) else _reason(error, item))
                yield clip, _reason(error, item)


class _NoFrames(ToonbenchError):
    """A clip has no pixels, which does not concern the other clips of its video."""


def _reason(error: ToonbenchError, item: _Item) -> str:
    return str(error).removeprefix(f"{item.source}: ").replace(str(item.source), item.original)


def passes(clips: Sequence[VoxClip]) -> list[list[VoxClip]]:
    """The clips in order of time, in lists without overlap: each list needs one decoding of the video."""
    lists: list[list[VoxClip]] = []
    for clip in sorted(clips, key=lambda one: (one.start / one.fps, one.end / one.fps, one.id)):
        free = (own for own in lists if own[-1].end * clip.fps <= clip.start * own[-1].fps)
        own = next(free, None)
        if own is None:
            lists.append([clip])
        else:
            own.append(clip)
    return lists


def _cut(
    item: _Item,
    clip: VoxClip,
    frames: Iterator[tuple[int, Frame]],
    info: video.VideoInfo,
    conversions: video.Conversions,
) -> Row:
    """Write one clip and return its row. `frames` are the next frames of the video with their numbers."""
    size, place = item.options.size, scaled_box(clip, (info.width, info.height))
    numbers = clip.frames_at(info.fps)
    if min(place[2] - place[0], place[3] - place[1]) < 1 or not numbers:
        raise _NoFrames(
            f"its box or its time is less than a pixel or a frame at {info.width}x{info.height}, {info.fps:g} fps"
        )
    cropped = _cropped(frames, numbers, place, options=item.options)
    first = next(cropped, None)
    if first is None:
        raise _NoFrames(f"the video ends before the clip, whose frames are {numbers.start} to {numbers.stop - 1}")
    path = item.out / "clips" / f"{clip.id}.mkv"
    count = video.write_lossless_chunks(path, in_chunks(_chain(first, cropped), chunk_frames(size, size)), fps=info.fps)
    short = [f"the video ends {len(numbers) - count} frames before the clip"] if count < len(numbers) else []
    left, top, right, bottom = clip.box
    return {
        "id": clip.id,
        "file": f"clips/{clip.id}.mkv",
        "domain": "real",
        "kind": "video",
        "identity": clip.person,
        "identity_by": "metadata",
        "title": clip.video,
        "split": clip.partition,
        "fps": float(info.fps),
        "frames": count,
        "width": size,
        "height": size,
        "provenance": f"VoxCeleb, {item.original}, frames {clip.start} to {clip.end} at {clip.fps} fps, box {left}-{top}-{right}-{bottom}, "
        f"{item.options.crop} crop (toonbench prepare-voxceleb {VERSION})",
        "licence": LICENCE,
        "original": item.original,
        "picture": f"{info.width},{info.height}",
        "first": numbers.start,
        "remarks": "; ".join([*short, *conversions.lines()]),
        "sha256": file_sha256(path),
    }  # fmt: skip


def _chain(first: Frame, others: Iterator[Frame]) -> Iterator[Frame]:
    yield first
    yield from others


def scaled_box(clip: VoxClip, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box in a frame of (width, height) pixels: scaled, rounded down, cut off at the frame."""
    scales = (size[0] / clip.size[0], size[1] / clip.size[1]) * 2
    left, top, right, bottom = (int(edge * scale) for edge, scale in zip(clip.box, scales, strict=True))
    return left, top, min(right, size[0]), min(bottom, size[1])


def _cropped(
    frames: Iterator[tuple[int, Frame]], numbers: range, box: tuple[int, int, int, int], *, options: VoxOptions
) -> Iterator[Frame]:
    """The numbered frames of a clip, cropped. Later frames are left in `frames`."""
    for number, frame in frames:
        if number >= numbers.start:
            yield crop_vox(frame, box, options=options)
        if number >= numbers.stop - 1:
            return


def crop_vox(frame: Frame, box: tuple[int, int, int, int], *, options: VoxOptions) -> Frame:
    """The box of a frame as a square clip's frame: stretched, or the square around it."""
    left, top, right, bottom = box
    if options.crop == "official":
        return cut_out(np.ascontiguousarray(frame[top:bottom, left:right]), (0, 0, 0), size=options.size, stretch=True)
    side = max(right - left, bottom - top)
    return cut_out(frame, ((left + right - side) // 2, (top + bottom - side) // 2, side), size=options.size)
