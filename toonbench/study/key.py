"""The key of a study: which video is of which method. It is never given to raters; the page knows neutral ids only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from toonbench.store import read_json, to_json, write_bytes
from toonbench.types import ToonbenchError

KEY, PAGE, VOTES, MEDIA = "key.json", "page", "votes.jsonl", "media"
SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyQuestion:
    """A question: its kind (best, pair), attribute, task and pair, the ids of its videos, and which catch trial it is, if any."""

    kind: str
    attribute: str
    task: str
    pair: str
    options: tuple[str, ...]
    catch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """The key of a study. `study` is its id; `videos` maps the id of a video to a method's label, STILL or TARGET.

    `sheets` are the questions of each rater by id, with the ids of the videos in the order in which they are shown. `files` are the
    files of the page with their sha256. `numbers` are metrics' results by metric and method, `higher` the directions, and `scores` the
    values by pair (task and pair, joined by a space), metric and method.
    """

    study: str
    plan: Mapping[str, Any]
    methods: tuple[str, ...]
    videos: Mapping[str, str]
    questions: Mapping[str, KeyQuestion]
    sheets: tuple[Mapping[str, tuple[str, ...]], ...]
    files: Mapping[str, str]
    numbers: Mapping[str, Mapping[str, float]]
    higher: Mapping[str, bool]
    scores: Mapping[str, Mapping[str, Mapping[str, float]]]


def study_id(content: Mapping[str, Any]) -> str:
    """The id of a study: a checksum of all that its page shows."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:20]


def file_sha256(path: Path) -> str:
    """The checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_key(root: Path, key: Key) -> None:
    """Write the key beside the page."""
    write_bytes(root / KEY, to_json({"schema": SCHEMA, **asdict(key), "sheets": shown_orders(key.sheets)}).encode())


def read_key(root: Path) -> Key:
    """The key of the study in the folder `root`. Raises ToonbenchError, naming the file, where there is none or it is damaged."""
    path = root / KEY
    if not path.is_file():
        raise ToonbenchError(f"{path} is missing: give the folder that `toonbench study make` wrote")
    stored = read_json(path)
    if not isinstance(stored, dict) or cast("dict[str, Any]", stored).get("schema") != SCHEMA:
        raise ToonbenchError(f"{path} is not the key of a study with schema {SCHEMA}: make the study again")
    try:
        return _key(cast("dict[str, Any]", stored))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ToonbenchError(f"{path} is damaged ({error}): make the study again with the same options") from error


def _key(stored: Mapping[str, Any]) -> Key:
    return Key(
        study=str(stored["study"]),
        plan=dict(stored["plan"]),
        methods=tuple(stored["methods"]),
        videos=dict(stored["videos"]),
        questions={name: _question(one) for name, one in stored["questions"].items()},
        sheets=tuple({name: tuple(order) for name, order in sheet} for sheet in stored["sheets"]),
        files=dict(stored["files"]),
        numbers=_numbers(stored["numbers"]),
        higher=dict(stored["higher"]),
        scores={name: _numbers(one) for name, one in stored["scores"].items()},
    )


def _question(stored: Mapping[str, Any]) -> KeyQuestion:
    return KeyQuestion(
        kind=stored["kind"],
        attribute=stored["attribute"],
        task=stored["task"],
        pair=stored["pair"],
        options=tuple(stored["options"]),
        catch=stored["catch"],
    )


def _numbers(stored: Mapping[str, Mapping[str, float | None]]) -> dict[str, dict[str, float]]:
    """Numbers by two names; null is NaN."""
    return {
        name: {label: float("nan") if value is None else float(value) for label, value in found.items()}
        for name, found in stored.items()
    }


def missing_files(root: Path, key: Key) -> list[str]:
    """The files of the page that are gone, empty or of another kind."""
    return [name for name in key.files if not _whole(root / PAGE / name)]


def _whole(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def shown_orders(sheets: Sequence[Mapping[str, Sequence[str]]]) -> list[list[list[Any]]]:
    """The sheets as files hold them, which keep the order of lists only: [question, [video, ...]]."""
    return [[[name, list(order)] for name, order in sheet.items()] for sheet in sheets]
