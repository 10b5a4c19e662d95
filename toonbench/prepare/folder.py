"""Prepare a data set from a user's folder of videos and images: crop faces and record every failure.

ROOT/real_videos/ real_images/ cartoon_videos/ cartoon_images/   input: any of these folders, any common format, folders of frames
CACHE/<name>-<key>/metadata.parquet  clips/*.mkv  images/*.png   output: an ordinary data set with lossless clips
                   about.json                                    how identities were stated, what was left out
                   failures.parquet                              files without a face or that cannot be read, and why
                   items/*.json                                  finished files: an interrupted run resumes from them
                   parts/<key>/                                  the tables of a part of the clips, which some pairs need
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from toonbench import store, video
from toonbench.chunks import chunk_frames, in_chunks
from toonbench.data.card import remove_card
from toonbench.data.folder import file_sha256
from toonbench.data.table import ABOUT, CLIPS, FAILURES, Row
from toonbench.pool import IN_PROCESS, Pool
from toonbench.prepare.beginning import best_start, first_frame_remarks
from toonbench.prepare.face import LONGER_SIDE, Found, cut_frames, find_face
from toonbench.prepare.listing import FOLDERS, Listed, Listing, list_folder
from toonbench.prepare.metadata import read_stated
from toonbench.prepare.names import RULES, legible
from toonbench.prepare.options import Options
from toonbench.sealed import read_sealed, write_sealed
from toonbench.types import CannotWrite, Clip, Frame, Kind, ToonbenchError

VERSION = 4  # of the preparation; a new version prepares every clip again


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """One file to prepare; picklable for worker processes."""

    listed: Listed
    root: Path
    out: Path
    options: Options

    @property
    def id(self) -> str:
        """The clip's id."""
        return self.listed.id

    @property
    def kind(self) -> Kind:
        """Video or image."""
        return self.listed.kind

    @property
    def fps(self) -> float:
        """The rate that the user states, 0 if none."""
        return self.listed.fps or self.options.fps

    @property
    def source(self) -> Path:
        """The user's file, or folder of frames."""
        return self.root / self.listed.path

    @property
    def files(self) -> list[Path]:
        """The user's files: one, or the frames in order."""
        return [self.source / name for name in self.listed.frames] or [self.source]

    @property
    def file(self) -> str:
        return f"clips/{self.id}.mkv" if self.kind == "video" else f"images/{self.id}.png"

    @property
    def done(self) -> Path:
        return self.out / "items" / f"{self.id}.json"

    @property
    def original(self) -> str:
        """The user's path as text that every table can hold."""
        return legible(self.listed.path)

    @property
    def stamp(self) -> str:
        """A text that changes when the source changes: its content by time and size, its permissions, what is stated about it."""
        facts = [path.stat() for path in self.files]
        marks = [f"{one.st_size}:{one.st_mtime_ns}:{one.st_mode:o}" for one in facts]
        stated = (
            f"{self.listed.identity}|{self.listed.rule}|{self.fps}|{self.listed.problem}|{'/'.join(self.listed.frames)}"
        )
        return f"{self.original}|{stated}|{hashlib.sha256(' '.join(marks).encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Where a prepared data set is: its files, and its tables, which are apart from the files if they list a part of them."""

    files: Path
    tables: Path


def listed_clips(root: Path, cache_dir: Path, *, options: Options | None = None) -> list[Clip]:
    """The clips that `prepare_folder` will make or fail to make, as the names of the files state them: nothing is decoded.

    Pairs are drawn from these, so that they do not depend on which files fail. Raises ToonbenchError if there are no files.
    """
    _, items = _items(root, _place(root, cache_dir, options or Options()), options or Options())
    return [
        Clip(
            id=item.id,
            path=item.out / item.file,
            domain=item.listed.domain,
            kind=item.kind,
            identity=item.listed.identity,
            original=item.original,
        )
        for item in items
    ]


def prepare_folder(
    root: Path,
    cache_dir: Path,
    *,
    options: Options | None = None,
    only: Collection[str] | None = None,
    pool: Pool = IN_PROCESS,
) -> Prepared:
    """Crop every file of a plain folder to its face, and return the data set in the cache.

    `only` are the ids of the clips that are needed: nothing else is prepared or part of the data set, whose tables are apart.
    Prepared files are not prepared again unless they changed. A file without a face, or that cannot be read, is recorded in
    `failures.parquet`. Raises ToonbenchError only if the folder has no files to prepare, or if the cache cannot be written.
    """
    options = options or Options()
    out = tables = _place(root, cache_dir, options)
    listing, items = _items(root, out, options)
    notes = listing.lines()
    if only is not None:
        tables = out / "parts" / hashlib.sha256("|".join(sorted(only)).encode()).hexdigest()[:16]
        notes.append(f"{len(only)} of {len(items)} clips are prepared: those that the pairs need")
        items = [item for item in items if item.id in only]
    results = pool.map(_prepare, items, title="preparing clips")
    clips = [result for result in results if "reason" not in result]
    FAILURES.write(tables, [result for result in results if "reason" in result])
    before = _bytes(tables / CLIPS.file)
    CLIPS.write(tables, clips)
    if _bytes(tables / CLIPS.file) != before:
        remove_card(tables)
    store.write_json(tables / ABOUT, {"notes": [*_identities(listing.found), *_crops(clips), *notes, *_remarks(clips)]})
    return Prepared(files=out, tables=tables)


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _items(root: Path, out: Path, options: Options) -> tuple[Listing, list[_Item]]:
    """What the folder contains, and its clips in a fixed order; raises ToonbenchError if there are none."""
    listing = list_folder(root, read_stated(root))
    items = [_Item(listed=one, root=root, out=out, options=options) for one in listing.found]
    if not items:
        raise ToonbenchError(
            "; ".join([f"{root}: has no videos or images; add some to {', '.join(FOLDERS)}", *listing.lines()])
        )
    return listing, items


def _crops(clips: Sequence[Row]) -> list[str]:
    """How many clips were cropped, in one line for each folder."""
    lines: list[str] = []
    for folder in FOLDERS:
        own = [row for row in clips if row["original"].startswith(f"{folder}/")]
        kept = sum("not cropped" in row["provenance"] for row in own)
        if own:
            lines.append(f"{folder}: {len(own) - kept} cropped to the face, {kept} used as they are")
    return lines


def _remarks(clips: Sequence[Row]) -> list[str]:
    return [f"{row['id']}: {row['remarks']}" for row in clips if row["remarks"]]


def _identities(found: Sequence[Listed]) -> list[str]:
    """How identities were stated, in one line."""
    rules = Counter(one.rule for one in found)
    people = len({one.identity for one in found})
    how = ", ".join(f"{rules[rule]} {words}" for rule, words in RULES.items() if rules[rule])
    return [f"identities: {people} in {len(found)} clips ({how})"]


def _place(root: Path, cache_dir: Path, options: Options) -> Path:
    key = f"{root.resolve()}|{VERSION}|{options.key}"
    return cache_dir / f"{store.safe_name(root.resolve().name)}-{hashlib.sha256(key.encode()).hexdigest()[:10]}"


def _prepare(item: _Item) -> Row:
    """Prepare one file unless it is prepared already; return its row for the table of clips or of failures."""
    try:
        stamp = item.stamp
    except OSError:
        stamp = ""  # a dangling link, or a file that was just removed: reading it reports the error
    stored = read_sealed(item.done)
    if stored and stored["stamp"] == stamp and ("reason" in stored["row"] or (item.out / item.file).exists()):
        return stored["row"]
    row: Row = {"id": item.id, "domain": item.listed.domain, "kind": item.kind, "identity": item.listed.identity}
    try:
        made = _prepared(item)
    except CannotWrite:
        raise
    except ToonbenchError as error:
        reason = str(error).replace(f"{item.root}/", "")
        row |= {"file": item.original, "reason": reason if item.original in reason else f"{item.original}: {reason}"}
    else:
        row |= made
    write_sealed(item.done, {"stamp": stamp, "row": row})
    return row


def _prepared(item: _Item) -> Row:
    """Write the clip and return its row. A video is decoded twice, to watch and to crop; a chunk of frames is in memory."""
    if item.listed.problem:
        raise ToonbenchError(item.listed.problem)
    options, path = item.options, item.out / item.file
    is_image = item.kind == "image"
    info = None if is_image or item.listed.frames else video.probe(item.source)
    fps = 0.0 if is_image else _rate(item, info)
    found = find_face(
        lambda: _source_frames(item, longest=LONGER_SIDE),
        options,
        fps=fps,
        drawn=item.listed.domain == "cartoon",
        is_image=is_image,
        size=(info.width, info.height) if info else None,
    )
    if found.choice.problem:
        raise ToonbenchError(found.choice.problem)
    if options.start == "best" and not is_image:
        found = best_start(found, lambda: _source_frames(item), size=options.size)
    done = video.Conversions()
    frames = cut_frames(_source_frames(item, conversions=done), found, size=options.size)
    first = next(frames)
    if is_image:
        video.write_png(path, first)
        return _row(item, found, fps=fps, sha256=file_sha256(path), notes=[])
    chunks = in_chunks(itertools.chain([first], frames), chunk_frames(options.size, options.size))
    video.write_lossless_chunks(path, chunks, fps=fps)
    notes = [*done.lines(), *_timing(info, fps), *first_frame_remarks(found, first)]
    return _row(item, found, fps=fps, sha256=file_sha256(path), notes=notes)


def _timing(info: video.VideoInfo | None, fps: float) -> list[str]:
    """A line if the frames of a video file are not evenly spaced in time."""
    if info is None or not info.uneven:
        return []
    return [
        f"uneven timing: {info.uneven} gaps between frames differ from the usual one; the frames are kept, at {fps:.4g} fps"
    ]


def _source_frames(
    item: _Item, *, longest: int | None = None, conversions: video.Conversions | None = None
) -> Iterator[Frame]:
    """The frames of a video file, of a folder of frames, or of a picture. `longest` reduces those of a video file."""
    if item.kind == "image":
        return iter([video.read_image(item.source)])
    limit = item.options.max_frames
    if item.listed.frames:
        return video.iter_pictures(item.files[:limit])
    return video.iter_frames(item.source, max_frames=limit, longest=longest, conversions=conversions)


def _rate(item: _Item, info: video.VideoInfo | None) -> float:
    """Frames per second of a video; `info` is that of a file. Raises ToonbenchError if nothing states it."""
    if info is None and item.fps:
        return item.fps
    if info is None:
        raise ToonbenchError("a folder of frames states no rate: give --fps, or a column fps in metadata.csv")
    rate = info.fps or item.fps
    if not rate:
        raise ToonbenchError("neither its header nor its timestamps state a rate: give --fps, or export it again")
    return rate


def _row(item: _Item, found: Found, *, fps: float, sha256: str, notes: Sequence[str]) -> Row:
    """The row of a prepared clip."""
    choice = found.choice
    how = f"face cropped by {item.options.detector}" if choice.square else "not cropped"
    return {
        "file": item.file,
        "identity_by": item.listed.rule,
        "title": "",
        "split": "test",
        "fps": float(fps),
        "frames": choice.last - choice.first,
        "width": item.options.size,
        "height": item.options.size,
        "provenance": f"{item.original}, {how} (toonbench prepare {VERSION})",
        "licence": "",
        "original": item.original,
        "picture": ",".join(map(str, found.size)),
        "box": ",".join(map(str, choice.square or (0, 0, max(found.size)))),
        "first": choice.first,
        "detected": round(choice.faces / choice.frames, 4),
        "remarks": "; ".join([*choice.remarks, *notes]),
        "sha256": sha256,
    }
