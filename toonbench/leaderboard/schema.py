"""Validation of JSON by a JSON Schema, with messages of one line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from toonbench.types import ToonbenchError

SCHEMA = Path(__file__).with_name("entry.schema.json")
SHOWN = 120  # characters of a message of the validator
MOST = 20  # messages about one document


@cache
def entry_schema() -> Mapping[str, Any]:
    """The schema of an entry, which is in the package."""
    return json.loads(SCHEMA.read_text(encoding="utf-8"))


def read_schema(path: Path) -> Mapping[str, Any]:
    """A user's JSON Schema. Raises ToonbenchError for a file that is none."""
    import jsonschema
    from jsonschema.validators import validator_for

    from toonbench.store import read_json

    schema = read_json(path)
    try:
        validator_for(schema).check_schema(schema)
    except (jsonschema.SchemaError, TypeError, AttributeError) as error:
        raise ToonbenchError(f"{path} is not a JSON Schema ({_short(str(error))}): give another file") from error
    return schema


def problems(document: Any, schema: Mapping[str, Any]) -> list[str]:
    """What in the document the schema forbids, one line for each, with the place; at most MOST lines."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for

    validator = validator_for(schema, default=Draft202012Validator)(schema)
    found: Iterable[Any] = validator.iter_errors(document)
    lines = [f"{_place(error.absolute_path)}{_short(error.message)}" for error in sorted(found, key=_order)]
    return lines[:MOST] + ([f"and {len(lines) - MOST} more"] if len(lines) > MOST else [])


def _order(error: Any) -> list[str]:
    return [str(part) for part in error.absolute_path]


def _place(path: Iterable[str | int]) -> str:
    where = ".".join(str(part) for part in path)
    return f"{where}: " if where else ""


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
