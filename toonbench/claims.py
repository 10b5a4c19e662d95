"""A folder that belongs to one recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toonbench.store import remove_leftovers, to_json, write_bytes
from toonbench.types import ToonbenchError


def claim(out: Path, recipe: dict[str, Any], *, file: str) -> None:
    """Write the recipe into a new folder as `file`; raises ToonbenchError for a folder that holds another one.

    Partial files that killed processes left in the folder are removed.
    """
    path = out / file
    text = to_json(recipe)
    if not path.exists():
        write_bytes(path, text.encode())
    elif path.read_bytes() != text.encode():
        raise ToonbenchError(
            f"{out} was made by another recipe (see {file} there). Choose another --out, or delete it."
        )
    remove_leftovers(out)
