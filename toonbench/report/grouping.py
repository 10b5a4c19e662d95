"""One line for one mistake that many pairs or files share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PATH = re.compile(r"\S*[/\\]\S*|\S+\.[A-Za-z0-9]{2,5}\b")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
VIDEO = "the video has "  # how a reason begins that holds for the video itself
FEWEST = 3  # lines that become one
MOST = 8  # kinds of mistakes that are printed


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Messages that differ at most in names and numbers: their number, the first one with its key, and whether all are equal."""

    count: int
    key: str
    message: str
    equal: bool


def grouped(messages: Mapping[str, str]) -> list[Group]:
    """The messages by kind, the most frequent first. A key is the name of what the message is about, such as a pair."""
    kinds: dict[str, list[tuple[str, str]]] = {}
    for key, message in messages.items():
        kinds.setdefault(_kind(key, message), []).append((key, message))
    ordered = sorted(kinds.values(), key=len, reverse=True)
    return [
        Group(
            count=len(found),
            key=found[0][0],
            message=found[0][1],
            equal=len({message for _, message in found}) == 1,
        )
        for found in ordered
    ]


def failure_lines(failures: Mapping[str, str], *, pairs: int) -> list[str]:
    """The reasons of failed pairs, one line for each kind, each with an example; `pairs` is the number of all pairs."""
    lines: list[str] = []
    groups = grouped(failures)
    for group in groups[:MOST]:
        example = f"for example {group.key}" + ("" if group.equal else "; the others differ in names or numbers")
        if group.message.startswith(VIDEO) and group.equal and group.count > 1:
            lines.append(f"{group.count} of {pairs} videos have {group.message.removeprefix(VIDEO)} ({example})")
        else:
            lines.append(f"{group.count} × {group.message} ({example})")
    if rest := groups[MOST:]:
        lines.append(
            f"{sum(group.count for group in rest)} pairs failed for {len(rest)} other reasons: see result.json"
        )
    return lines


def problem_lines(problems: Sequence[str]) -> list[str]:
    """Problems written `name: what is wrong`; FEWEST or more of one kind become one line."""
    kinds: dict[str, list[str]] = {}
    for problem in problems:
        kinds.setdefault(_kind(problem.partition(": ")[0], problem), []).append(problem)
    lines: list[str] = []
    for found in kinds.values():
        if len(found) < FEWEST:
            lines += found
            continue
        name, colon, what = found[0].partition(": ")
        lines.append(f"{len(found)} × {what} (for example {name})" if colon else f"{len(found)} × {found[0]}")
    return lines


def _kind(key: str, message: str) -> str:
    """The message without the names and numbers in it."""
    for name in (key, *key.split("~")):
        if name:
            message = message.replace(name, "…")
    return NUMBER.sub("#", PATH.sub("…", message))
