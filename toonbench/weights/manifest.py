"""The manifest of third-party weights: names, addresses, licences and hashes."""

from __future__ import annotations

import functools
import os
import re
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from toonbench.registry import unknown
from toonbench.types import ToonbenchError
from toonbench.weights.package import ADDRESS, FORM, SCHEME

OURS = Path(__file__).parent / "manifest.toml"
VARIABLE = "TOONBENCH_WEIGHTS_MANIFEST"
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=@~-]*")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # a terminal would interpret these
HASHES = {"sha256": "8,64", "archive_sha256": "64", "git_blob": "40"}  # allowed numbers of hex digits
KINDS: dict[str, tuple[type, str]] = {
    "str": (str, "text"),
    "int": (int, "a whole number"),
    "bool": (bool, "true or false"),
    "tuple[str, ...]": (list, "a list of texts"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of weights; `manifest.toml` explains the fields. Empty text and size 0 mean unknown.

    A file without `urls` is downloaded by hand from its `page`, and fetched with `--from FOLDER`.
    """

    name: str
    file: str
    urls: tuple[str, ...] = ()
    page: str = ""
    sha256: str = ""
    git_blob: str = ""
    archive: str = ""
    archive_sha256: str = ""
    member: str = ""
    size: int = 0
    version: str = ""
    about: str = ""
    licence: str = "not stated"
    licence_url: str = ""
    commercial: bool = False
    needed_by: tuple[str, ...] = ()
    checked: str = ""

    @property
    def free(self) -> bool:
        """Whether a package of the Python Package Index carries the file and its licence allows commercial use."""
        return self.commercial and any(url.startswith(SCHEME) for url in self.urls)

    @property
    def hashed(self) -> bool:
        """Whether the manifest has a complete hash of the file, not only its first digits."""
        return len(self.sha256) == 64 or bool(self.git_blob)


def entries() -> dict[str, Entry]:
    """All entries by name: those of toonbench, then those of the file in TOONBENCH_WEIGHTS_MANIFEST.

    In that file, an entry with a `file` is complete and replaces toonbench's entry of the same name; one without a `file`
    changes only the fields that it gives (a mirror: `urls`). Raises ToonbenchError for an invalid manifest.
    """
    further = os.environ.get(VARIABLE, "")
    try:
        changed = Path(further).expanduser().stat().st_mtime_ns if further else 0
    except OSError as error:
        raise ToonbenchError(
            f"{VARIABLE}={further} cannot be read ({error.strerror}): name a file, or unset it"
        ) from error
    return dict(_entries(further, changed))


def entry(name: str) -> Entry:
    """The entry called `name`. Raises ToonbenchError with the nearest names for an unknown one."""
    found = entries()
    if name not in found:
        raise unknown("weights", name, found)
    return found[name]


def needed_for(thing: str, also: Iterable[str] = ()) -> list[str]:
    """Names of the weights that a metric or method needs by the manifest, and those of `also` (from its class)."""
    bare = thing.partition("@")[0]
    return sorted({e.name for e in entries().values() if bare in (n.split(" ")[0] for n in e.needed_by)} | set(also))


def as_row(item: Entry) -> dict[str, Any]:
    """The entry for JSON."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(item).items()}


@functools.cache
def _entries(further: str, changed: int) -> dict[str, Entry]:
    """All entries, read and checked once: detectors ask for them in every frame."""
    tables = dict(_tables(OURS, 0))
    if further:
        for name, table in _tables(Path(further).expanduser(), changed).items():
            tables[name] = table if "file" in table else {**tables.get(name, {}), **table}
    return {name: _entry(name, table, further or str(OURS)) for name, table in tables.items()}


@functools.cache
def _tables(path: Path, changed: int) -> dict[str, dict[str, Any]]:
    """The tables of a manifest; `changed` is its modification time, so that a changed file is read again."""
    del changed
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ToonbenchError(
            f"the manifest of weights {path} cannot be read ({error}): write it as docs/weights.md shows"
        ) from error
    for name, table in tables.items():
        if CONTROL.search(name):
            raise ToonbenchError(f"{path}: the name {name!r} has control characters: give a printable name")
        if not isinstance(table, dict):
            raise ToonbenchError(
                f"{path}: '{name}' is not a table: begin an entry with [name] and give it a file and urls"
            )
    return tables


def _entry(name: str, table: dict[str, Any], where: str) -> Entry:
    """The entry in a table. Every field is checked, because file names become paths and hashes decide what is accepted."""
    problem = _fault(table)
    if problem:
        raise ToonbenchError(f"{where}: entry '{name}' {problem}")
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return Entry(name=name, **values)


def _fault(table: dict[str, Any]) -> str:
    """The first problem of a table of the manifest and what is allowed, or an empty string."""
    types = {field.name: str(field.type) for field in fields(Entry) if field.name != "name"}
    for key, value in table.items():
        if key not in types:
            return f"has an unknown field {key!r}: allowed are {', '.join(types)}"
        kind, words = KINDS[types[key]]
        if type(value) is not kind or (kind is list and not all(isinstance(item, str) for item in value)):
            return f"has {key} = {value!r}: it must be {words}"
        if any(CONTROL.search(text) for text in (value if kind is list else [value]) if isinstance(text, str)):
            return f"has {key} = {value!r}: remove its control characters"
    if not table.get("file"):
        return "has no file: give the file's name (only an entry of toonbench's own manifest may leave it out)"
    for key in ("file", "archive"):
        if (value := table.get(key, "")) and not FILE_NAME.fullmatch(value):
            return f"has {key} = {value!r}: give a plain file name, without folders"
    for key, digits in HASHES.items():
        if (value := table.get(key, "")) and not re.fullmatch(f"[0-9a-f]{{{digits}}}", value):
            return f"has {key} = {value!r}: it must have {digits.replace(',', ' to ')} lower-case hex digits"
    if bool(table.get("archive")) != bool(table.get("member")):
        return "must have both archive and member, or neither"
    return _address_fault(table)


def _address_fault(table: dict[str, Any]) -> str:
    """The first problem of an address that names a package."""
    for url in table.get("urls", []):
        if not url.startswith(SCHEME):
            continue
        if not ADDRESS.fullmatch(url):
            return f"has the address {url!r}: write {FORM}"
        if table.get("archive"):
            return f"has the address {url!r} and an archive: leave out archive and member"
        if not re.fullmatch("[0-9a-f]{64}", table.get("sha256", "")):
            return f"has the address {url!r} and no complete sha256: a package is trusted by the hash of the file only"
    return ""
