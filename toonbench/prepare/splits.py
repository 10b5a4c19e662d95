"""Divide clips into train and test, so that no title, no identity and no group of near-duplicates is in both.

A row has "id", and may have "title", "identity" and "duplicates" (the name of its group of near-duplicates); an empty cell connects
nothing. Clips that are connected stay together. Names are compared in Unicode's form NFC.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from toonbench.data.table import Row
from toonbench.types import ToonbenchError

SHARE = 289 / 344  # of the clips in train, as in the paper
OFF = 0.02  # difference of the share from the requested one that is reported
Part = Literal["train", "test"]
By = Literal["title", "identity"]
CONNECTING: dict[By, tuple[str, ...]] = {
    "title": ("title", "identity", "duplicates"),
    "identity": ("identity", "duplicates"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaks:
    """How many titles, identities and groups of near-duplicates have clips in more than one split."""

    titles: int = 0
    identities: int = 0
    duplicates: int = 0


def split(rows: Sequence[Row], *, share: float = SHARE, seed: int = 0, by: By = "title") -> dict[str, Part]:
    """The part of every clip, by id. About `share` of the clips are in train; `split_notes` says where that is not possible.

    `by="identity"` lets the clips of one title be in both parts, for sets of few titles. The parts depend on the names and the seed,
    not on the order of the rows: components of connected clips go to test in the order of a hash of their names, as long as that
    brings test closer to its size. Added clips therefore change the part of few others. Raises ToonbenchError for a share that is
    not between 0 and 1, and for an id that occurs twice.
    """
    if not 0 < share < 1:
        raise ToonbenchError(f"the share of train is {share}: give a number between 0 and 1, for example 0.84")
    twice = [name for name, count in Counter(row["id"] for row in rows).items() if count > 1]
    if twice:
        raise ToonbenchError(f"{len(twice)} ids occur more than once, for example {twice[0]!r}: give each clip its own")
    ranks = {row["id"]: _rank(_name(row, by) or f"id {row['id']}", seed=seed) for row in rows}
    components = sorted(_components(rows, by=by), key=lambda ids: (min(ranks[name] for name in ids), min(ids)))
    goal = (1 - share) * len(rows)
    test = set[str]()
    for ids in components:
        if abs(len(test) + len(ids) - goal) < abs(len(test) - goal) and len(test) + len(ids) < len(rows):
            test |= ids
    if not test and len(components) > 1:
        test = min(components, key=len)
    return {row["id"]: "test" if row["id"] in test else "train" for row in rows}


def split_notes(rows: Sequence[Row], parts: Mapping[str, Part], *, share: float = SHARE, by: By = "title") -> list[str]:
    """The sizes of the parts in one line, and a line if they are far from the requested ones."""
    counts = Counter(parts.values())
    lines = [f"{counts['train']} clips in train, {counts['test']} in test, divided by {by}"]
    components = _components(rows, by=by)
    if rows and len(components) == 1:
        other = "give --split-by identity" if by == "title" else "add clips of other identities"
        lines.append(f"all clips are connected by {_connection(rows, by=by)}, so that test is empty: {other}")
    elif rows and abs(counts["train"] / len(rows) - share) > OFF:
        lines.append(
            f"train has {counts['train'] / len(rows):.0%} of the clips, {share:.0%} were requested: the largest part that stays "
            f"together has {max(map(len, components))} clips; add titles, or accept it"
        )
    return lines


def leaks(rows: Sequence[Row]) -> Leaks:
    """How many titles, identities and groups of near-duplicates are in more than one split, by each row's "split"."""
    counts: dict[str, int] = {}
    for column in CONNECTING["title"]:
        places: dict[str, set[str]] = {}
        for row in rows:
            if (name := _name(row, column)) and row.get("split"):
                places.setdefault(name, set()).add(row["split"])
        counts[column] = sum(len(each) > 1 for each in places.values())
    return Leaks(titles=counts["title"], identities=counts["identity"], duplicates=counts["duplicates"])


def _components(rows: Iterable[Row], *, by: By) -> list[set[str]]:
    """The ids of connected clips."""
    component: dict[str, set[str]] = {}  # by id
    owner: dict[tuple[str, str], str] = {}  # the first id with a name
    for row in rows:
        component[row["id"]] = {row["id"]}
        for column in CONNECTING[by]:
            if name := _name(row, column):
                first = owner.setdefault((column, name), row["id"])
                _connect(component, row["id"], first)
    return list({id(ids): ids for ids in component.values()}.values())


def _connect(component: dict[str, set[str]], one: str, other: str) -> None:
    small, large = sorted((component[one], component[other]), key=len)
    if small is not large:
        large |= small
        for name in small:
            component[name] = large


def _rank(name: str, *, seed: int) -> str:
    return hashlib.sha256(f"{seed}|{name}".encode("utf-8", "surrogatepass")).hexdigest()


def _connection(rows: Sequence[Row], *, by: By) -> str:
    """What connects all rows, for a message."""
    names = {_name(row, by) for row in rows}
    return f"one {by} ({min(names)})" if len(names) == 1 and min(names) else "shared identities or near-duplicates"


def _name(row: Row, column: str) -> str:
    return unicodedata.normalize("NFC", row.get(column) or "")
