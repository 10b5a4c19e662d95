"""The pictures of stored runs: sources, driving videos and targets from the data set, outputs from the runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toonbench import registry, video
from toonbench.data.clips import read_source
from toonbench.data.folder import Dataset
from toonbench.report.entries import Entry, label_of
from toonbench.report.figures.pictures import Tile
from toonbench.score.recount import read_pairs
from toonbench.store import method_name
from toonbench.types import Clip, Frame, Pair, ToonbenchError

SOURCE, DRIVING, TARGET = "source", "driving frame", "target"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """The pairs that several runs share, and where the frames of each of them are."""

    entries: tuple[Entry, ...]
    names: tuple[str, ...]  # of the entries, for column heads
    pairs: tuple[Pair, ...]
    folders: tuple[Path, ...] = ()  # of given videos, each called like its method

    @property
    def with_target(self) -> bool:
        """Whether any pair has a target."""
        return any(pair.target is not None for pair in self.pairs)

    def video(self, entry: Entry, pair: str) -> Path:
        """The file of a pair's output: in the run, or in the folder of given videos that was scored. It may not exist."""
        stored, listed = entry.run.video(pair), entry.stored.get("videos")
        files = listed.get("files") if isinstance(listed, dict) else None
        if stored.is_file() or not isinstance(files, dict) or pair not in files:
            return stored
        for folder in self.folders:
            given = (folder / str(files[pair])).resolve()
            if method_name(folder.resolve().name) == entry.method and given.is_relative_to(folder.resolve()):
                return given
        return stored

    def pair(self, identifier: str) -> Pair:
        """A pair by its id. Raises ToonbenchError for an unknown one."""
        found = next((pair for pair in self.pairs if pair.id == identifier), None)
        if found is None:
            raise registry.unknown("pair", identifier, [pair.id for pair in self.pairs])
        return found


def open_pictures(entries: Sequence[Entry], data: Dataset, *, folders: Sequence[Path] = ()) -> Pictures:
    """The pairs of the runs, with the clips of the data set; `folders` are those of given videos.

    Raises ToonbenchError for runs of different pairs, runs that cannot be read, and another data set than the runs'.
    """
    first = entries[0]
    for entry in entries:
        if not entry.stored:
            raise ToonbenchError(f"{entry.root} cannot be shown: {entry.problem}")
        if (entry.data, entry.task) != (first.data, first.task):
            raise ToonbenchError(
                f"{first.root} and {entry.root} are runs of different tasks or data: {first.task} on {first.data}, and "
                f"{entry.task} on {entry.data}; give runs of one task"
            )
        if entry.stored["data_fingerprint"] != data.fingerprint:
            raise ToonbenchError(
                f"{entry.root} was made on other data than {data.root}: give the data set {entry.data} as --data"
            )
    task = registry.load_task(first.task.partition("@")[0])
    clips = {clip.id: clip for clip in data.clips}
    shared = [{pair.id for pair in read_pairs(entry.root / "scores.csv")} for entry in entries]
    listed = [pair for pair in read_pairs(first.root / "scores.csv") if all(pair.id in ids for ids in shared)]
    pairs: list[Pair] = []
    for pair in listed:
        source, driving = clips.get(pair.source.id), clips.get(pair.driving.id)
        if source is None or driving is None:
            raise ToonbenchError(
                f"{data.root} has no clips of the pair {pair.id}: give the data set of the runs as --data"
            )
        own = driving if source is driving else data.targets.get((source.id, driving.id, task.motion))
        pairs.append(Pair(id=pair.id, source=source, driving=driving, target=own))
    if not pairs:
        raise ToonbenchError(f"{first.root} and {entries[-1].root} have no pair in common: give runs of the same pairs")
    return Pictures(entries=tuple(entries), names=_names(entries), pairs=tuple(pairs), folders=tuple(folders))


def _names(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Different names for column heads: paths without what all of them begin with."""
    labels = label_of(entries)
    paths = [Path(one) for one in labels.values() if "/" in one]
    shared = Path(os.path.commonpath(paths)) if len(paths) > 1 else Path()
    given = (labels[entry.root] for entry in entries)
    return tuple(Path(one).relative_to(shared).as_posix() if "/" in one and paths[1:] else one for one in given)


def frame_of(path: Path, index: int) -> Frame:
    """A frame of a video, the last one if it is shorter."""
    last: Frame | None = None
    for at, frame in enumerate(video.iter_frames(path)):
        last = frame
        if at == index:
            break
    if last is None:
        raise ToonbenchError(f"{path} has no frames")
    return last


def tile_of_clip(clip: Clip | None, index: int | None) -> Tile:
    """A frame of a clip, its first one for None; or why there is none."""
    if clip is None:
        return "no target"
    try:
        return read_source(clip) if index is None else frame_of(_readable(clip), index)
    except (ToonbenchError, OSError) as error:
        return f"cannot be read: {clip.problem or type(error).__name__}"


def _readable(clip: Clip) -> Path:
    if clip.problem:
        raise ToonbenchError(clip.problem)
    return clip.path


def tile_of_output(pictures: Pictures, entry: Entry, pair: str, index: int) -> Tile:
    """A generated frame, or why there is none."""
    path = pictures.video(entry, pair)
    if not path.is_file():
        return _absent(entry, pair)
    try:
        return frame_of(path, index)
    except (ToonbenchError, OSError):
        return "the video cannot be read"


def _absent(entry: Entry, pair: str) -> str:
    try:
        reason = entry.run.reason(pair)
    except ToonbenchError:
        reason = ""
    if not reason and entry.stored.get("videos"):
        return "no video: give --videos"
    return f"no video: {reason}" if reason else "no video"


def frames_or_tile(path: Path | None, missing: str) -> Iterator[Frame] | str:
    """The frames of a video one by one, or why there are none."""
    if path is None or not path.is_file():
        return missing
    return video.iter_frames(path)


def moved_frames(clip: Clip, count: int = 1) -> list[int]:
    """The frames of a driving video that differ most from its first frame, at most `count`, apart from each other, in order."""
    small = [frame[::8, ::8].astype(np.float32) for frame in video.iter_frames(_readable(clip))]
    distance = np.array([float(np.abs(frame - small[0]).mean()) for frame in small])
    apart = max(1, len(small) // (2 * count))
    chosen: list[int] = []
    for at in np.argsort(-distance, kind="stable"):
        if all(abs(int(at) - one) >= apart for one in chosen) and len(chosen) < count:
            chosen.append(int(at))
    return sorted(chosen)
