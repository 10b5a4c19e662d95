"""The public table of VoxCeleb's clips, as video-preprocessing publishes it: read, checked, and cleaned.

video_id,start,end,bbox,fps,width,height,partition,person_id
`start` and `end` are frames at `fps`; `bbox` is "left-top-right-bottom" in a frame of `width` x `height`. A box may reach over the
frame's edge.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from toonbench.data.table import CONTROL, LONGEST_ID
from toonbench.types import ToonbenchError

COLUMNS = ("video_id", "start", "end", "bbox", "fps", "width", "height", "partition", "person_id")
NUMBER = re.compile(r"[0-9]{1,9}(\.0+)?", re.ASCII)
BOX = re.compile(r"([0-9]{1,6})-([0-9]{1,6})-([0-9]{1,6})-([0-9]{1,6})", re.ASCII)
PARTITIONS = ("train", "test")
Partition = Literal["train", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VoxClip:
    """A row of the table: the frames [start, end) at `fps`, and the box (left, top, right, bottom) in a frame of `size` (width, height)."""

    video: str
    person: str
    partition: Partition
    start: int
    end: int
    fps: int
    box: tuple[int, int, int, int]
    size: tuple[int, int]

    @property
    def id(self) -> str:
        """The name that the original gives the clip."""
        return f"{self.person}#{self.video}#{self.start:06}#{self.end:06}"

    def frames_at(self, rate: float) -> range:
        """The frames i of a video of `rate` frames per second with start x rate <= i x fps < end x rate."""
        return range(_ceil(self.start * rate / self.fps), _ceil(self.end * rate / self.fps))


@dataclass(frozen=True, slots=True, kw_only=True)
class VoxTable:
    """The distinct clips in the order of the table, and lines about what the table has."""

    clips: tuple[VoxClip, ...]
    notes: tuple[str, ...]


def read_vox_metadata(path: Path) -> VoxTable:
    """Read the table. Exact duplicate rows count once, and train rows of clips that are in test are dropped.

    Raises ToonbenchError for a file that is no such table, or has rows that cannot be right, with the first one's line.
    """
    rows = _cells(path)
    _check(rows, path)
    listed = [_clip(row) for row in rows]
    in_test = {clip.id for clip in listed if clip.partition == "test"}
    leaking = [clip for clip in listed if clip.partition == "train" and clip.id in in_test]
    clean = [clip for clip in listed if clip.partition == "test" or clip.id not in in_test]
    distinct = list(dict.fromkeys(clean))
    named = {clip.id: clip for clip in reversed(distinct)}
    clips = tuple(clip for clip in distinct if named[clip.id] is clip)
    notes = [f"{path.name}: {len(rows)} rows, {_by_partition(listed)}"]
    if leaking:
        notes.append(
            f"{len(leaking)} train rows are dropped, because their {len({clip.id for clip in leaking})} clips are in test too"
        )
    if len(distinct) < len(clean):
        notes.append(f"{len(clean) - len(distinct)} exact duplicate rows count once")
    if len(clips) < len(distinct):
        notes.append(
            f"{len(distinct) - len(clips)} rows name a clip again with other values; the first row of each is used"
        )
    return VoxTable(clips=clips, notes=tuple(notes))


def _by_partition(clips: Sequence[VoxClip]) -> str:
    counts = Counter(clip.partition for clip in clips)
    return ", ".join(f"{counts[partition]} in {partition}" for partition in PARTITIONS)


def _cells(path: Path) -> list[dict[str, str]]:
    """The rows as text."""
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True)
    except FileNotFoundError as error:
        raise ToonbenchError(f"{path} is missing: give the metadata table of the clips") from error
    except (OSError, ValueError, UnicodeError) as error:
        reason = str(error).partition("\n")[0]
        raise ToonbenchError(
            f"{path} cannot be read as a table ({reason}): give a CSV file with {','.join(COLUMNS)}"
        ) from error
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise ToonbenchError(
            f"{path} has the columns {', '.join(map(str, table.columns))}; missing are {', '.join(missing)}: give the public format "
            f"{','.join(COLUMNS)}"
        )
    rows = cast("list[dict[str, str]]", table.to_dict(orient="records"))
    if not rows:
        raise ToonbenchError(f"{path} has no rows: give a row for each clip")
    return [{name: unicodedata.normalize("NFC", row[name].strip()) for name in COLUMNS} for row in rows]


def _check(rows: Sequence[Mapping[str, str]], path: Path) -> None:
    """Raise ToonbenchError for the first kind of mistake, with a count and the line of an example."""
    for name, is_right, advice in RULES:
        wrong = [line for line, row in enumerate(rows, start=2) if not is_right(row)]
        if wrong:
            value = rows[wrong[0] - 2][name]
            raise ToonbenchError(
                f"{path}: {len(wrong)} of {len(rows)} rows have a wrong {name}, for example {value!r} in line {wrong[0]}: {advice}"
            )


def _is_name(text: str) -> bool:
    return bool(text) and "/" not in text and not text.startswith(".") and not CONTROL.search(text)


def _box_is_in_frame(row: Mapping[str, str]) -> bool:
    left, top, right, bottom = _box(row)
    return left < right and top < bottom and left < _int(row["width"]) and top < _int(row["height"])


def _name_fits(row: Mapping[str, str]) -> bool:
    name = f"{row['person_id']}#{row['video_id']}#000000#000000"
    return len(name.encode("utf-8", "surrogatepass")) <= LONGEST_ID


def _number(name: str, least: int) -> tuple[str, Callable[[Mapping[str, str]], bool], str]:
    def is_right(row: Mapping[str, str]) -> bool:
        return bool(NUMBER.fullmatch(row[name])) and _int(row[name]) >= least

    return name, is_right, f"give a whole number of {least} or more"


RULES: tuple[tuple[str, Callable[[Mapping[str, str]], bool], str], ...] = (
    ("video_id", lambda row: _is_name(row["video_id"]), "give the video's id, which is its file's name without the suffix"),
    ("person_id", lambda row: _is_name(row["person_id"]), "give an id without '/' or control characters"),
    ("video_id", _name_fits, f"person and video must fit into a file name of {LONGEST_ID} bytes"),
    ("partition", lambda row: row["partition"] in PARTITIONS, f"allowed are {' and '.join(PARTITIONS)}"),
    _number("start", 0),
    _number("end", 1),
    ("end", lambda row: _int(row["end"]) > _int(row["start"]), "it must be greater than start"),
    _number("fps", 1),
    _number("width", 1),
    _number("height", 1),
    ("bbox", lambda row: bool(BOX.fullmatch(row["bbox"])), "give left-top-right-bottom in whole pixels"),
    ("bbox", _box_is_in_frame, "it must have an area, and overlap the frame of width x height"),
)  # fmt: skip


def _int(text: str) -> int:
    return int(float(text))


def _box(row: Mapping[str, str]) -> tuple[int, int, int, int]:
    found = BOX.fullmatch(row["bbox"])
    left, top, right, bottom = map(int, found.groups() if found else ("0",) * 4)
    return left, top, right, bottom


def _clip(row: Mapping[str, str]) -> VoxClip:
    return VoxClip(
        video=row["video_id"],
        person=row["person_id"],
        partition=cast("Partition", row["partition"]),
        start=_int(row["start"]),
        end=_int(row["end"]),
        fps=_int(row["fps"]),
        box=_box(row),
        size=(_int(row["width"]), _int(row["height"])),
    )


def _ceil(value: float) -> int:
    whole = int(value)
    return whole + (whole < value)
