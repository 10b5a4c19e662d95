"""The ledger of the paper's claims, from `leaderboards/paper/claims.toml`: what is reproduced, what was chosen, what is odd."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toonbench.report.papers import paper_folder
from toonbench.types import ToonbenchError

STATUSES = {
    "reproduced": "reproduced",
    "not reproduced": "not reproduced",
    "untested": "cannot be tested here",
}
"""The status of a claim in claims.toml, and as it is printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A sentence of the paper. `table` is the table that tests it, or empty; `best` lists [table, task, metric] that it calls best."""

    id: str
    where: str
    text: str
    status: str
    table: str = ""
    remark: str = ""
    best: tuple[tuple[str, str, str], ...] = ()

    @property
    def command(self) -> str:
        """The command that tests the claim, or an empty string."""
        return f"toonbench reproduce table{self.table} --data DIR --weights DIR" if self.table else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A point that the paper leaves open, what toonbench does, and why."""

    point: str
    choice: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Oddity:
    """Something in the paper that is odd, or that `only looks odd`."""

    text: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """All of it; `summary` is the state in a paragraph."""

    summary: str
    claims: tuple[Claim, ...]
    choices: tuple[Choice, ...]
    oddities: tuple[Oddity, ...]


@functools.cache
def load_ledger(folder: Path | None = None) -> Ledger:
    """The ledger. Raises ToonbenchError, naming the file and entry, for a status or field that is unknown."""
    path = (folder or paper_folder()) / "claims.toml"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        ledger = Ledger(
            summary=" ".join(found["status_note"].split()),
            claims=tuple(_claim(one) for one in found["claims"]),
            choices=tuple(Choice(**one) for one in found["open"]),
            oddities=tuple(Oddity(**one) for one in found["oddities"]),
        )
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ToonbenchError(f"{path} cannot be used ({error}): install toonbench again") from error
    for claim in ledger.claims:
        if claim.status not in STATUSES:
            raise ToonbenchError(f"{path}: claim {claim.id} has status {claim.status!r}, not {', '.join(STATUSES)}")
    return ledger


def _claim(fields: Mapping[str, Any]) -> Claim:
    rest = dict(fields)
    best: Sequence[Sequence[str]] = rest.pop("best", ())
    return Claim(best=tuple((one[0], one[1], one[2]) for one in best), **rest)
