"""Records of a cache: a record that is damaged, or was changed, counts as absent, and its work is done again."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, cast

from toonbench.store import read_json, to_json, write_json
from toonbench.types import ToonbenchError


def write_sealed(path: Path, record: dict[str, Any]) -> None:
    """Write a record with a seal over its content, completely or not at all."""
    write_json(path, {"record": record, "seal": _seal(record)})


def read_sealed(path: Path) -> dict[str, Any] | None:
    """The record of `write_sealed`; None for a missing, damaged or changed one."""
    try:
        found = read_json(path)
        if not isinstance(found, dict):
            return None
        content = cast("dict[str, Any]", found)
        record = content.get("record")
        whole = isinstance(record, dict) and content.get("seal") == _seal(record)
    except (ToonbenchError, ValueError, RecursionError):  # also numbers of too many digits, and halves of characters
        return None
    return cast("dict[str, Any]", record) if whole else None


def _seal(record: Any) -> str:
    return hashlib.sha256(to_json(record).encode("utf-8", "surrogatepass")).hexdigest()
