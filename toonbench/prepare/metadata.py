"""The user's own table in a plain folder: who a clip shows, and the rate of a folder of frames.

`metadata.csv` or `metadata.parquet` in the folder itself or in `real_videos/` and its siblings, with a column of paths (relative
to the table's folder) and columns of facts. Names of columns are those that data sets of the field use.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from toonbench.data.folder import PLAIN_FOLDERS
from toonbench.prepare.names import legible
from toonbench.types import Kind, ToonbenchError

PATHS = ("file", "file_name", "filename", "path")
IDENTITIES = ("identity", "identity_id", "person", "speaker", "subject", "character")
NAMES = ("metadata.csv", "metadata.parquet")
HIGHEST_RATE = 1000.0


@dataclass(frozen=True, slots=True)
class Stated:
    """What the user's table states about a clip; `rate` is the text of its cell."""

    identity: str = ""
    rate: str = ""

    def fps(self, kind: Kind) -> tuple[float, str]:
        """Frames per second, 0 if none are stated, and why what is stated is not allowed, or an empty string."""
        if not self.rate or kind == "image":
            return 0.0, ""
        try:
            rate = float(self.rate)
        except ValueError:
            rate = float("nan")
        if 0 < rate <= HIGHEST_RATE:
            return rate, ""
        return 0.0, (
            f"its metadata table states the fps {self.rate}: give frames per second above 0, at most {HIGHEST_RATE:.0f}"
        )


def read_stated(root: Path) -> dict[str, Stated]:
    """What the tables of a plain folder state, by the clip's path relative to `root`. Raises ToonbenchError for an unusable table."""
    stated: dict[str, Stated] = {}
    for place in (root, *(root / name for name in PLAIN_FOLDERS)):
        for name in NAMES:
            if (place / name).is_file():
                stated |= _table(place / name, below=place.relative_to(root))
    return stated


def _table(path: Path, *, below: Path) -> dict[str, Stated]:
    import pandas as pd

    try:
        if path.suffix == ".csv":
            cells = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True)
        else:
            read = pd.read_parquet(path)
            cells = read.astype(str).where(read.notna(), "")
    except (OSError, ValueError, LookupError, UnicodeError) as error:
        reason = str(error).partition("\n")[0]
        raise ToonbenchError(
            f"{path} cannot be read as a table ({reason}): write a header and one row for each file"
        ) from error
    columns = {str(column).strip().lower(): str(column) for column in cells.columns}
    file = next((columns[name] for name in PATHS if name in columns), None)
    if file is None:
        raise ToonbenchError(
            f"{path} has the columns {', '.join(columns)}: add one of {', '.join(PATHS)} with the clips' paths"
        )
    identity = next((columns[name] for name in IDENTITIES if name in columns), None)
    rows: list[dict[str, Any]] = cells.to_dict(orient="records")
    return {
        _key(below, str(row[file])): Stated(
            identity=_text(row[identity]) if identity else "", rate=_cell(row.get(columns.get("fps", ""), ""))
        )
        for row in rows
    }


def _key(below: Path, file: str) -> str:
    return str(PurePosixPath(below.as_posix()) / file.strip().removeprefix("./"))


def _text(cell: Any) -> str:
    return unicodedata.normalize("NFC", str(cell).strip())


def _cell(cell: Any) -> str:
    """A cell's text with escapes for what a terminal would interpret; empty where it is missing."""
    return legible(PurePosixPath(text)) if (text := str(cell).strip()) else ""
