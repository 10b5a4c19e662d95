"""Votes: their form, reading and merging. A vote of another study is refused; a vote that was stored twice counts once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from toonbench.study.key import Key
from toonbench.types import ToonbenchError

RATER = re.compile(r"[0-9a-f]{16,64}")
MOST_BYTES = 16_000_000  # of a file that a rater saved; 500 questions take 50,000
LATEST = 2**53  # the largest whole number that JavaScript holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """A choice of a rater: the id of a video, or empty for "cannot decide". `at` is the time in milliseconds by the rater's clock."""

    rater: str
    sheet: int
    question: str
    choice: str
    at: int


class OtherStudy(ToonbenchError):
    """Votes of another study."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """One vote for each rater and question; how many were stored twice, how many were changed later, and unreadable lines."""

    votes: tuple[Vote, ...]
    duplicated: int
    changed: int
    unreadable: int


def parse(message: Any, key: Key) -> list[Vote]:
    """The votes of a message: {"study", "rater", "sheet", "votes": [{"question", "choice", "at"}]}.

    Raises OtherStudy for votes of another study, and ToonbenchError for anything else that this study cannot have.
    """
    if not isinstance(message, dict):
        raise ToonbenchError("it holds no votes of a study")
    found = cast("dict[str, Any]", message)
    if found.get("study") != key.study:
        raise OtherStudy(f"votes of another study ({str(found.get('study'))[:40]}); this one is {key.study}")
    rater, sheet, votes = found.get("rater"), found.get("sheet"), found.get("votes")
    if not (isinstance(rater, str) and RATER.fullmatch(rater)):
        raise ToonbenchError("the rater's id is not 16 to 64 hexadecimal digits")
    if not (_whole(sheet) and 1 <= cast("int", sheet) <= len(key.sheets)):
        raise ToonbenchError(f"the sheet is {str(sheet)[:40]}; the study has sheets 1 to {len(key.sheets)}")
    if not isinstance(votes, list):
        raise ToonbenchError("it holds no list of votes")
    return [_vote(one, key, rater=rater, sheet=cast("int", sheet)) for one in cast("list[Any]", votes)]


def _vote(one: Any, key: Key, *, rater: str, sheet: int) -> Vote:
    found = cast("dict[str, Any]", one) if isinstance(one, dict) else {}
    question, choice, at = found.get("question"), found.get("choice"), found.get("at")
    order = key.sheets[sheet - 1].get(question) if isinstance(question, str) else None
    if order is None or not isinstance(question, str):
        raise ToonbenchError(f"sheet {sheet} has no question {str(question)[:40]}")
    if not isinstance(choice, str) or choice not in ("", *order):
        raise ToonbenchError(f"question {question} has no video {str(choice)[:40]}")
    if not (_whole(at) and 0 <= cast("int", at) <= LATEST):
        raise ToonbenchError(f"the time of question {question} is {str(at)[:40]}, not a number of milliseconds")
    return Vote(rater=rater, sheet=sheet, question=question, choice=choice, at=cast("int", at))


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def line_of(vote: Vote, key: Key) -> bytes:
    """A vote as a line of the file that `toonbench study serve` appends to."""
    own = {"question": vote.question, "choice": vote.choice, "at": vote.at}
    return json.dumps({"study": key.study, "rater": vote.rater, "sheet": vote.sheet, "votes": [own]}).encode() + b"\n"


def read_lines(path: Path, key: Key) -> tuple[list[Vote], int]:
    """The votes of a file with one message a line, and the number of lines that cannot be read, such as one that a kill cut off.

    Raises OtherStudy, naming the file, for votes of another study.
    """
    votes: list[Vote] = []
    unreadable = 0
    for line in path.read_bytes().split(b"\n"):
        if not line.strip():
            continue
        try:
            votes += parse(json.loads(line), key)
        except OtherStudy as error:
            raise OtherStudy(f"{path}: {error}") from error
        except (ValueError, RecursionError, ToonbenchError):
            unreadable += 1
    return votes, unreadable


def read_file(path: Path, key: Key) -> list[Vote]:
    """The votes of a file that a rater saved. Raises ToonbenchError, naming it, if it is not such a file or of another study."""
    try:
        if (size := path.stat().st_size) > MOST_BYTES:
            raise ToonbenchError(f"{path} has {size} bytes, and a rater's file at most {MOST_BYTES}: leave it out")
        message = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ToonbenchError(f"{path} cannot be read as votes ({error}): give files that raters saved") from error
    try:
        return parse(message, key)
    except ToonbenchError as error:
        raise type(error)(f"{path}: {error}") from error


def read_votes(places: Sequence[Path], key: Key) -> Merged:
    """The votes of files, and of all .json and .jsonl files in folders, merged."""
    votes: list[Vote] = []
    unreadable = 0
    for path in _files(places):
        if path.suffix == ".jsonl":
            found, bad = read_lines(path, key)
            votes, unreadable = votes + found, unreadable + bad
        else:
            votes += read_file(path, key)
    return merge(votes, unreadable=unreadable)


def _files(places: Sequence[Path]) -> Iterable[Path]:
    for place in places:
        if place.is_dir():
            found = sorted(one for one in place.iterdir() if one.suffix in (".json", ".jsonl"))
            if not found:
                raise ToonbenchError(f"{place} holds no .json or .jsonl file: give files that raters saved")
            yield from found
        elif place.is_file():
            yield place
        else:
            raise ToonbenchError(f"{place} does not exist: give files that raters saved, or folders of them")


def merge(votes: Iterable[Vote], *, unreadable: int = 0) -> Merged:
    """One vote for each rater and question, the latest; independent of the order of `votes`."""
    latest: dict[tuple[str, str], Vote] = {}
    duplicated = changed = 0
    for vote in sorted(votes, key=lambda one: (one.rater, one.question, one.at, one.choice, one.sheet)):
        before = latest.get((vote.rater, vote.question))
        if before is not None:
            duplicated += before.choice == vote.choice
            changed += before.choice != vote.choice
        latest[vote.rater, vote.question] = vote
    return Merged(votes=tuple(latest.values()), duplicated=duplicated, changed=changed, unreadable=unreadable)


def by_rater(votes: Sequence[Vote]) -> Mapping[str, list[Vote]]:
    """The votes of each rater, sorted by rater."""
    found: dict[str, list[Vote]] = {}
    for vote in sorted(votes, key=lambda one: (one.rater, one.question)):
        found.setdefault(vote.rater, []).append(vote)
    return found
