"""Addresses on the Hub: names of repositories, and `hf:ORG/NAME[/file][@REV]`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toonbench.types import ToonbenchError

Kind = Literal["dataset", "model", "space"]
SCHEME = "hf:"
MAIN = "main"  # the branch that is read where none is named
LONGEST = 96  # characters of ORG/NAME, a limit of the Hub
PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")
REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")


@dataclass(frozen=True, slots=True)
class Address:
    """A repository, a file in it (empty: the whole repository), and a revision: a branch, a tag or a commit."""

    repo: str
    file: str = ""
    revision: str = MAIN

    def __str__(self) -> str:
        return f"{SCHEME}{self.repo}{'/' if self.file else ''}{self.file}@{self.revision}"


def is_address(text: str | Path) -> bool:
    """Whether an option names something on the Hub; a path may be given as such."""
    return str(text).startswith(SCHEME)


def parse(text: str) -> Address:
    """`hf:ORG/NAME/file@REV` in its parts. Raises ToonbenchError for anything else."""
    place, at, revision = text.removeprefix(SCHEME).partition("@")
    owner, _, rest = place.partition("/")
    name, _, file = rest.partition("/")
    if not at:
        revision = MAIN
    if ".." in file.split("/") or "\\" in file or file.startswith("/"):
        raise ToonbenchError(f"{text}: its file points outside the repository; write hf:ORG/NAME/file@REV")
    return Address(checked_name(f"{owner}/{name}"), file, checked_revision(revision))


def checked_name(text: str) -> str:
    """`text` if the Hub allows it as ORG/NAME; otherwise ToonbenchError."""
    parts = text.split("/")
    plain = len(parts) == 2 and all(PART.fullmatch(part) and not re.search(r"--|\.\.", part) for part in parts)
    if not plain or len(text) > LONGEST or text.endswith(".git"):
        raise ToonbenchError(
            f"'{text}' cannot be the name of a repository: write ORG/NAME with letters (A to Z), digits and . _ -, at most "
            f"{LONGEST} characters, without -- and .."
        )
    return text


def checked_revision(text: str) -> str:
    """`text` if it can name a branch, a tag or a commit; otherwise ToonbenchError."""
    if not REVISION.fullmatch(text) or ".." in text or text.endswith((".lock", "/", ".")):
        raise ToonbenchError(
            f"'{text}' cannot be a revision: write a branch, a tag or a commit, with letters, digits and . _ - /"
        )
    return text
