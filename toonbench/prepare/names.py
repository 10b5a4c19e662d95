"""Ids and identities of the files in a folder.

An id is a function of the file's own path: adding a file never changes another file's id. It consists of ASCII letters,
digits, `_`, `-` and `.`, so that it is fit for file names everywhere. Whatever a readable id cannot hold goes into a checksum at its
end.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath
from typing import Literal

from toonbench.types import Kind

LONGEST = 80  # characters of the readable part
USUAL = {"video": ".mp4", "image": ".png"}  # suffixes that an id leaves out
Rule = Literal["metadata", "folder", "name", "file"]
RULES: dict[Rule, str] = {
    "metadata": "by the metadata table",
    "folder": "by sub-folder",
    "name": "by the name before '#'",
    "file": "each file alone",
}


def clip_id(path: PurePosixPath, *, kind: Kind, folder: bool = False) -> str:
    """The id of a file, or of a folder of frames, whose path relative to the user's folder is `path`."""
    top, *inner = path.parts
    *parents, name = inner
    suffix = "" if folder else PurePosixPath(name).suffix
    pieces = [*parents, name.removesuffix(suffix)]
    readable = "--".join(piece for piece in map(_plain, pieces) if piece)
    short = readable[:LONGEST].rstrip("-.")
    exact = short == "--".join(pieces)
    ending = "" if folder or suffix.lower() == USUAL[kind] else f"-{_plain(suffix[1:])}".rstrip("-")
    exact = exact and suffix == suffix.lower() and _plain(suffix[1:]) == suffix[1:]
    return "-".join(filter(None, [top, short])) + ending + ("" if exact else f"-{_checksum(inner)}")


def identity_of(path: PurePosixPath, *, stated: str = "") -> tuple[str, Rule]:
    """Who a clip shows, and the rule that applies: the metadata table, a sub-folder, the name before `#`, or the file alone."""
    if stated:
        return stated, "metadata"
    _, *parents, name = path.parts
    if parents:
        return unicodedata.normalize("NFC", parents[0]), "folder"
    before, mark, _ = name.partition("#")
    if mark and before:
        return unicodedata.normalize("NFC", before), "name"
    return unicodedata.normalize("NFC", str(path)), "file"


def problem_of(path: PurePosixPath) -> str:
    """Why a name cannot be used, or an empty string."""
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8: rename it"
    if any(unicodedata.category(one) in ("Cc", "Zl", "Zp") for one in text):
        return "its name has control characters: rename it"
    return ""


def legible(path: PurePosixPath) -> str:
    """A path as text that any terminal and table can hold."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in str(path))


def _plain(text: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"-{2,}", "-", re.sub(r"[^A-Za-z0-9_.]+", "-", ascii_only)).strip("-.")


def _checksum(parts: list[str]) -> str:
    text = unicodedata.normalize("NFC", "/".join(parts))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
