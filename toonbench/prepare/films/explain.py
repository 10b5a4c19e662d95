"""What became of a clip, a film or a frame: the lines that `prepare-cartoon --explain` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from toonbench.data.table import CANDIDATES, FAILURES, Row
from toonbench.registry import unknown
from toonbench.types import ToonbenchError

MANY = 2000  # names that a misspelt one is compared with
MEASURED = (
    ("face_pixels", "face {:.0f} pixels"),
    ("sharpness", "sharpness {:.2f}"),
    ("detected", "face in {:.0%} of the searched frames"),
    ("agreement", "{:.1f} detectors agree"),
    ("yaw_range", "turns by {:.0f} degrees"),
    ("occlusion", "occlusion {:.2f}"),
    ("motion", "motion {:.3f}"),
    ("held", "{:.0%} of the frames repeat the one before"),
)


def explained(out: Path, query: str) -> list[str]:
    """The fate of a clip by its id, of all candidates of a film by its id, file or title, or of those that show a frame: FILM@FRAME.

    Raises ToonbenchError, with suggestions, if nothing is called so, or if `out` has no candidates.
    """
    if not CANDIDATES.is_in(out):
        raise ToonbenchError(
            f"{out} has no {CANDIDATES.file}: give the folder of `toonbench prepare-cartoon` with --out"
        )
    rows = CANDIDATES.read(out)
    if found := [row for row in rows if row["id"] == query]:
        return [line for row in found for line in _clip(row, rows)]
    film, mark, frame = query.rpartition("@")
    if mark and frame.isdigit():
        return _frame([row for row in rows if film in _names(row)], film, int(frame))
    if found := [row for row in rows if query in _names(row)]:
        return _film(found, query)
    failed = FAILURES.read(out) if FAILURES.is_in(out) else []
    if found := [row for row in failed if query in (row["id"], row["file"])]:
        return [f"{row['file']} is not used: {row['reason']}" for row in found]
    names = sorted({name for row in rows for name in (row["id"], *_names(row))} | {row["id"] for row in failed})
    raise unknown("clip or film", query, names if len(names) < MANY else names[:MANY])


def _names(row: Row) -> tuple[str, ...]:
    """What the film of a candidate may be called: its id, its file with and without folder and suffix, its title."""
    path = PurePosixPath(row["original"])
    return row["film"], row["original"], path.name, path.stem, row.get("title", "")


def _clip(row: Row, rows: Sequence[Row]) -> list[str]:
    lines = [
        f"{row['id']}: {row['fate']}",
        f"  frames {row['first']} to {row['last'] - 1} of {row['original']} ({row['title']}), shot {row['shot']}, {row['seconds']:.2f} s",
    ]
    if row["fate"] == "dropped":
        lines.append(f"  dropped by {row['stage']}: {row['reason']}")
    else:
        lines.append(f"  identity {row['identity']}, {row['split']}")
    measured = [text.format(row[name]) for name, text in MEASURED if row.get(name) is not None]
    if measured:
        lines.append(f"  measured: {', '.join(measured)}")
    if row.get("review"):
        lines.append(f"  in the review: {row['review']}")
    others = [other["id"] for other in rows if other.get("duplicate_of") == row["id"]]
    if others:
        lines.append(f"  kept for its near-duplicates {', '.join(others)}")
    return lines


def _film(rows: Sequence[Row], query: str) -> list[str]:
    fates = Counter(row["stage"] or "kept" for row in rows)
    head = f"{query}: {len(rows)} candidates; " + ", ".join(f"{name} {count}" for name, count in fates.most_common())
    return [head, *(f"  {_line(row)}" for row in rows)]


def _line(row: Row) -> str:
    why = (
        f"kept, {row['identity']}, {row['split']}"
        if row["fate"] == "kept"
        else f"dropped by {row['stage']}: {row['reason']}"
    )
    return f"{row['id']}  frames {row['first']} to {row['last'] - 1}: {why}"


def _frame(rows: Sequence[Row], film: str, frame: int) -> list[str]:
    if not rows:
        raise ToonbenchError(f"no candidate is of a film called {film!r}: give its id, its file or its title")
    found = [row for row in rows if row["first"] <= frame < row["last"]]
    if not found:
        return [
            f"frame {frame} of {film} is in no candidate: it belongs to a change of shots, or no face was found in it"
        ]
    return [f"frame {frame} of {film}:", *(f"  {_line(row)}" for row in found)]
