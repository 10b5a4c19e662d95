"""Clips as files that other tools read: lossless MP4 for videos, PNG for images."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toonbench import video
from toonbench.data.clips import read_source
from toonbench.data.table import CLIPS
from toonbench.store import write_bytes
from toonbench.types import Clip, ToonbenchError

CSV = "clips.csv"
COLUMNS: tuple[str, ...] = ("id", "file", "original", "box", "first", "frames", "fps")


def exported(clip: Clip, folder: Path) -> Path:
    """The file of a clip in a folder of exported clips, named by the clip's id."""
    return folder / f"{clip.id}{'.png' if clip.kind == 'image' else '.mp4'}"


def export_clip(clip: Clip, folder: Path) -> Path:
    """Write a clip's frames unchanged to `exported(clip, folder)`, and return it. The same frames give the same bytes.

    Memory does not grow with the length of the clip. Raises ToonbenchError for a clip that cannot be read.
    """
    path = exported(clip, folder)
    if clip.kind == "image":
        video.write_png(path, read_source(clip))
        return path
    if clip.problem:
        raise ToonbenchError(f"{clip.id}: {clip.problem}")
    video.write_exact_mp4(path, video.iter_frames(clip.path), fps=clip.fps or video.probe(clip.path).fps)
    return path


def origins(root: Path, clips: Sequence[Clip]) -> list[dict[str, Any]]:
    """Where each clip comes from: its id, its exported file, the user's file, the square of it, the first frame, frames and rate.

    `root` is the folder of the data set. What its table does not state is empty.
    """
    rows = {row["id"]: row for row in CLIPS.read(root)}
    return [
        {"id": clip.id, "file": exported(clip, Path()).name, **{key: rows[clip.id].get(key, "") for key in COLUMNS[2:]}}
        for clip in clips
    ]


def write_origins(folder: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write rows of `origins` as a CSV file into a folder of exported clips, and return it."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(folder / CSV, buffer.getvalue().encode(errors="surrogateescape"))  # file names as they are
    return folder / CSV
