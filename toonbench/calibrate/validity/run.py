"""Measure all pairs and clips, and reduce them to the lines of a table.

DIR/rows/<style>-<index>.npz    rows of one puppet pair
DIR/curves/<clip>-<sum>.npz     curves of one real clip and its stylised copies; <sum> is of the clip's bytes
DIR/validity.csv                one line for each test, group and case
"""

from __future__ import annotations

import csv
import hashlib
import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toonbench.arrays import load_arrays
from toonbench.calibrate.validity.copies import RealClip, measure_copies
from toonbench.calibrate.validity.lines import COLUMNS, Line, copy_lines, puppet_lines, ranking_lines
from toonbench.calibrate.validity.puppets import Puppets, measure_puppets
from toonbench.claims import claim
from toonbench.pool import IN_PROCESS, Pool
from toonbench.puppets.catalogue import styles
from toonbench.store import write_bytes
from toonbench.types import Rows, ToonbenchError

log = logging.getLogger(__name__)

VIDEOS = (".mp4", ".mkv", ".mov", ".webm", ".avi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured: puppet pairs of each style, how many of them also with the methods, and a folder of real clips."""

    pairs: int = 6
    ranked: int = 2
    frames: int = 60
    size: int = 256
    real: Path | None = None


def measure_validity(out: Path, plan: Plan, *, pool: Pool = IN_PROCESS) -> list[Line]:
    """Measure, store in `out` and return the table's lines. What `out` already has is kept.

    Raises ToonbenchError for a folder of another plan, or one without videos.
    """
    claim(out, {"frames": plan.frames, "size": plan.size, "ranked": plan.ranked}, file="plan.json")
    pairs = [
        Puppets(
            path=out / "rows" / f"{style}-{index:03d}.npz", style=style, index=index, frames=plan.frames, size=plan.size,
            ranked=index < plan.ranked and info.domain == "cartoon",
        )
        for index in range(plan.pairs)
        for style, info in styles().items()
    ]  # fmt: skip
    clips = [] if plan.real is None else _clips(plan.real, out, frames=plan.frames)
    pool.map(measure_puppets, pairs, title="measuring puppets")
    pool.map(measure_copies, clips, title="measuring real clips")
    rows: dict[str, list[Mapping[str, Rows]]] = {style: [] for style in styles()}
    for job in pairs:
        rows[job.style].append(load_arrays(job.path))
    curves = {job.video.name: load_arrays(job.path) for job in clips}
    for name in [name for name, found in curves.items() if not found]:
        log.warning("%s: no face was found in its first %d frames; it is left out", name, plan.frames)
    lines = [*puppet_lines(rows), *ranking_lines(rows), *copy_lines({n: c for n, c in curves.items() if c})]
    write_bytes(out / "validity.csv", _csv(lines))
    return lines


def _clips(folder: Path, out: Path, *, frames: int) -> list[RealClip]:
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEOS) if folder.is_dir() else []
    if not found:
        raise ToonbenchError(
            f"{folder} holds no videos ({', '.join(VIDEOS)}): give a folder of real clips with one face each"
        )
    return [
        RealClip(path=out / "curves" / f"{path.name}-{_sum(path)}.npz", video=path, frames=frames) for path in found
    ]


def _sum(path: Path) -> str:
    """The start of a file's checksum: another file of that name is measured, too."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def _csv(lines: Sequence[Line]) -> bytes:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for line in lines:
        writer.writerow({name: f"{value:.6g}" if isinstance(value, float) else value for name, value in line.items()})
    return buffer.getvalue().encode()
