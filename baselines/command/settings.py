"""The TOML file of a command method."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toonbench.types import ToonbenchError

PLACEHOLDERS = ("source", "driving", "output", "motion", "seed", "device", "checkpoint")
NEEDED = ("source", "driving", "output")
KEYS = ("name", "revision", "command", "folder", "environment", "timeout", "output", "resize")
PLACEHOLDER = re.compile(r"\{(\w*)\}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
TIMEOUT = 600.0  # seconds for a pair
LONGEST = 7 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A program and how to call it. `output` is a pattern of files in the folder {output}; if empty, {output} is a file itself."""

    name: str
    revision: str
    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    timeout: float = TIMEOUT
    output: str = ""
    resize: bool = False

    @property
    def digest(self) -> str:
        """The first digits of a hash of everything that can change the frames."""
        parts = [self.command, sorted(self.environment.items()), self.output, self.resize]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]

    def arguments(self, values: Mapping[str, str]) -> list[str]:
        """The command with its placeholders replaced, and `~` at the start of a part by the home folder."""
        return [PLACEHOLDER.sub(lambda found: values[found[1]], _at_home(part)) for part in self.command]

    @property
    def program(self) -> str:
        """What is executed."""
        return _at_home(self.command[0])


def _at_home(part: str) -> str:
    return str(Path(part).expanduser()) if part.startswith("~/") else part


def read_settings(path: Path) -> Settings:
    """The settings in a file. Raises ToonbenchError, naming the file and the key, for anything that is missing, unknown or wrong."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ToonbenchError(f"{path} cannot be read: {error.strerror}; give the TOML file of a method") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ToonbenchError(f"{path} is not a TOML file: {' '.join(str(error).split())}") from error
    reader = _Reader(path, table)
    reader.check_keys()
    folder = Path(reader.text("folder", ".")).expanduser()
    found = Settings(
        name=reader.text("name"),
        revision=reader.text("revision"),
        command=reader.command(),
        folder=folder if folder.is_absolute() else path.resolve().parent / folder,
        environment=reader.environment(),
        timeout=reader.timeout(),
        output=reader.text("output", ""),
        resize=reader.value("resize", bool, "true or false", False),
    )
    _check(found, path)
    return found


class _Reader:
    """Values of one file, with errors that name it."""

    def __init__(self, path: Path, table: Mapping[str, Any]) -> None:
        self.path, self.table = path, table

    def check_keys(self) -> None:
        for key in self.table:
            if key not in KEYS:
                near = difflib.get_close_matches(key, KEYS, n=1)
                hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(KEYS)}"
                raise ToonbenchError(f"{self.path}: unknown key '{key}': {hint}")

    def value(self, key: str, kind: Any, allowed: str, default: Any) -> Any:
        value = self.table.get(key, default)
        if value is None:
            raise ToonbenchError(f"{self.path} has no {key}: give {allowed}")
        if not isinstance(value, kind):
            raise ToonbenchError(f"{self.path}: {key} is {value!r}; give {allowed}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        return self.value(key, str, "a text", default)

    def command(self) -> tuple[str, ...]:
        value = self.value("command", (str, list), "a text or a list of texts", None)
        try:
            parts = shlex.split(value) if isinstance(value, str) else value
        except ValueError as error:
            raise ToonbenchError(f"{self.path}: command cannot be split: {error}; write a list of texts") from error
        if not parts or not all(isinstance(part, str) for part in parts):
            raise ToonbenchError(f"{self.path}: command is {value!r}; give a text or a list of texts")
        return tuple(parts)

    def environment(self) -> dict[str, str]:
        table = self.value("environment", dict, "a table of texts", {})
        for key, value in table.items():
            if not isinstance(value, str) or not key or "=" in key or "\0" in key + value:
                raise ToonbenchError(f"{self.path}: environment.{key} is {value!r}; give a text")
        return table

    def timeout(self) -> float:
        value = self.value("timeout", (int, float), "seconds", TIMEOUT)
        if isinstance(value, bool) or not 0 < value <= LONGEST:
            raise ToonbenchError(f"{self.path}: timeout is {value}; give seconds above 0, at most {LONGEST:.0f}")
        return float(value)


def _check(found: Settings, path: Path) -> None:
    if not NAME.fullmatch(found.name):
        raise ToonbenchError(f"{path}: name is {found.name!r}; use up to 64 letters, digits and ._-")
    if not found.revision.strip():
        raise ToonbenchError(f"{path}: revision is empty; give one that changes with the program and its weights")
    used = [name for part in found.command for name in PLACEHOLDER.findall(part)]
    for name in used:
        if name not in PLACEHOLDERS:
            allowed = ", ".join(f"{{{one}}}" for one in PLACEHOLDERS)
            raise ToonbenchError(f"{path}: command has the unknown placeholder {{{name}}}; allowed: {allowed}")
    if absent := [f"{{{name}}}" for name in NEEDED if name not in used]:
        raise ToonbenchError(f"{path}: command has no {' and no '.join(absent)}; the program must receive all three")
    if not found.folder.is_dir():
        raise ToonbenchError(f"{path}: folder {found.folder} does not exist; give the folder in which the program runs")
    pattern = Path(found.output)
    if pattern.is_absolute() or ".." in pattern.parts:
        raise ToonbenchError(f"{path}: output is {found.output!r}; give a pattern of files inside {{output}}")
