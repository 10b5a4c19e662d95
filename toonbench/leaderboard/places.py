"""Where the entries of leaderboards are, and the files of one.

    <leaderboards>/<data>/<task>@<v>/<method>@<revision>/
        entry.json    what the entry is, facts about the method, the checksum of every other file
        result.json   as scoring wrote it
        scores.csv    as scoring wrote it
        run.json      the request of the run
        rows.npz      the measured rows, packed (`toonbench.leaderboard.rows`)

An entry is no run: it has no videos, and its rows are in one file. `toonbench.leaderboard.tables.unpacked` gives it the form of a run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

ENTRY = "entry.json"
ROWS = "rows.npz"
COPIED = ("result.json", "run.json", "scores.csv")
FILES = (*COPIED, ROWS)  # whose checksums are in ENTRY


def entry_folders(places: Sequence[Path]) -> list[Path]:
    """The entries at or below the given folders, sorted by path, each once."""
    found: set[Path] = set()
    for place in places:
        if (place / ENTRY).is_file():
            found.add(place)
        else:
            found |= {path.parent for path in place.glob(f"**/{ENTRY}")}
    return sorted(found)


def digest(content: bytes) -> str:
    """The checksum of a file's content, as entry.json has it."""
    return hashlib.sha256(content).hexdigest()
