"""What every maker of puppets needs: a folder that belongs to one recipe, and tables written whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toonbench.store import to_json, write_bytes, writing
from toonbench.types import ToonbenchError


def claim(out: Path, recipe: dict[str, Any], *, file: str) -> None:
    """Write the recipe into a new folder as `file`; raises ToonbenchError for a folder that holds another one."""
    path = out / file
    text = to_json(recipe)
    if not path.exists():
        write_bytes(path, text.encode())
    elif path.read_text(encoding="utf-8") != text:
        raise ToonbenchError(
            f"{out} was made by another recipe (see {file} there). Choose another --out, or delete it."
        )


def write_table(path: Path, rows: Sequence[dict[str, object]]) -> None:
    """Write rows as a Parquet table."""
    import pandas as pd

    with writing(path) as temporary:
        pd.DataFrame(list(rows)).to_parquet(temporary, index=False)
