"""A stored result.json: its checksum, the types of its fields, and its agreement with the run's request."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from toonbench.store import read_json, to_json
from toonbench.types import ToonbenchError

SCHEMA = 3
CHECKSUM = "checksum"
NUMBERS = ("value", "low", "high", "measured", "measured_low", "measured_high")  # null where there is none
COUNTS = ("coverage", "missing", "pairs")
FIELDS: dict[str, type | tuple[type, ...]] = {
    "schema": int,
    "data": str,
    "data_fingerprint": str,
    "task": str,
    "seed": int,
    "limit": (int, type(None)),
    "pairs_fingerprint": str,
    "method": str,
    "environment": dict,
    "weights": dict,
    "results": list,
    "skipped": dict,
    "failures": dict,
    "pairs": int,
    "warnings": list,
    "caveats": list,
}
REQUEST = ("data", "data_fingerprint", "task", "seed", "method")  # in run.json, too


def with_checksum(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of result.json with a checksum over all its fields."""
    return {**content, CHECKSUM: checksum(content)}


def checksum(content: Mapping[str, Any]) -> str:
    """The sha256 of the content as `to_json` writes it, without the checksum."""
    rest = {key: value for key, value in content.items() if key != CHECKSUM}
    return hashlib.sha256(to_json(rest).encode("utf-8", "surrogatepass")).hexdigest()


def unchanged(result: Mapping[str, Any]) -> list[str]:
    """A problem if a field was changed after the result was written."""
    if CHECKSUM not in result:
        return [
            "it has no checksum, so that changed fields cannot be noticed: score the run again, which keeps its rows"
        ]
    if result[CHECKSUM] != checksum(result):
        return ["its checksum does not fit its fields: a field was changed after scoring; score the run again"]
    return []


def request_problems(root: Path, result: Mapping[str, Any]) -> list[str]:
    """The fields that differ from run.json in the same folder; none if it is not there."""
    if not (root / "run.json").is_file():
        return []
    try:
        request = read_object(root / "run.json")
    except ToonbenchError as error:
        return [str(error)]
    return [
        f"result.json has {key} = {result[key]!r}, run.json has {request.get(key)!r}"
        for key in REQUEST
        if result[key] != request.get(key)
    ]


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises ToonbenchError for anything else."""
    found = read_json(path)
    if not isinstance(found, dict):
        raise ToonbenchError(f"{path} holds a {type(found).__name__} instead of an object: remove it and run again")
    return cast("dict[str, Any]", found)


def read_result(path: Path) -> dict[str, Any]:
    """The result in a file; fields may be missing. Raises ToonbenchError, naming the first field of another type."""
    result = read_json(path)
    if problems := shape_problems(result, complete=False):
        raise ToonbenchError(f"{path} is not a result that can be used ({problems[0]}): score the run again")
    return cast("dict[str, Any]", result)


def shape_problems(result: Any, *, complete: bool = True) -> list[str]:
    """One message for each field whose type differs from what scoring writes, or, if it must be `complete`, is missing."""
    if not isinstance(result, dict):
        return [f"the file holds a {type(result).__name__}, not an object"]
    fields = cast("dict[str, Any]", result)
    wrong = [f"the field '{key}' is missing" for key in FIELDS if complete and key not in fields]
    if complete and not wrong and fields["schema"] != SCHEMA:
        return [f"the schema is {fields['schema']}; this version of toonbench reads {SCHEMA}"]
    for key, kind in FIELDS.items():
        if key in fields and (not isinstance(fields[key], kind) or isinstance(fields[key], bool)):
            name = kind.__name__ if isinstance(kind, type) else "int or null"
            wrong.append(f"the field '{key}' is {type(fields[key]).__name__}, not {name}")
    return wrong or [*_wrong_rows(fields.get("results", []), complete=complete), *_wrong_parts(fields)]


def _wrong_rows(rows: list[Any], *, complete: bool) -> list[str]:
    for row in rows:
        if not isinstance(row, dict) or not isinstance(cast("dict[str, Any]", row).get("metric"), str):
            return ["a result has no name of a metric"]
        one = cast("dict[str, Any]", row)
        if not isinstance(one.get("details", {}), dict):
            return [f"{one['metric']}: details is not a table of names and numbers"]
        if not _texts(one.get("notes", [])):
            return [f"{one['metric']}: notes is not a list of texts"]
        for key in (*NUMBERS, *COUNTS) if complete else ():
            number, optional = one.get(key), key in NUMBERS
            if key not in one or not (_is_number(number) or (optional and number is None)):
                return [f"{one['metric']}: {key} is {number!r}, not a number"]
    return []


def _wrong_parts(fields: dict[str, Any]) -> list[str]:
    wrong: list[str] = []
    if not _texts(fields.get("caveats", [])):
        wrong.append("caveats is not a list of texts")
    if not _texts(list(fields.get("failures", {}).values())):
        wrong.append("failures is not a table of texts")
    skipped: dict[str, Any] = fields.get("skipped", {})
    if not all(isinstance(one, dict) and isinstance(one.get("reason"), str) for one in skipped.values()):
        wrong.append("skipped is not a table of metrics with a reason")
    return wrong


def _texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(one, str) for one in cast("list[Any]", values))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
