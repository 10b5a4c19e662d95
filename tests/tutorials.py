"""Tutorials as they are read: their files are written, and their commands run, in the order of the page."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from toonbench import cli

FOLDER = Path(__file__).parent.parent / "docs" / "tutorials"
BLOCK = re.compile(r"^```(\w+)?(?: title=\"([\w.]+)\")?\n(.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: `title` names the file that it is, if it is one."""

    language: str
    title: str
    text: str


def blocks(name: str) -> Iterator[Block]:
    """The blocks of a tutorial that a reader writes or runs."""
    for language, title, text in BLOCK.findall((FOLDER / f"{name}.md").read_text(encoding="utf-8")):
        if title or language == "sh":
            yield Block(language, title, text)


@dataclass(frozen=True, slots=True)
class Reader:
    """Someone who follows a tutorial in an empty folder, without more processes than this one."""

    folder: Path
    patch: pytest.MonkeyPatch

    def follow(self, name: str) -> list[tuple[str, int]]:
        """Write and run all blocks; each command line with its exit status."""
        done: list[tuple[str, int]] = []
        for block in blocks(name):
            if block.title:
                (self.folder / block.title).write_text(block.text, encoding="utf-8")
                sys.modules.pop(Path(block.title).stem, None)  # a later version of a file is imported again
            else:
                done += [(line, self._run(line)) for line in block.text.splitlines()]
        return done

    def _run(self, line: str) -> int:
        first, *rest = shlex.split(line)
        if first == "toonbench":
            return cli.run(rest)
        if line == "export PYTHONPATH=.":
            self.patch.setenv("PYTHONPATH", str(self.folder))
            self.patch.syspath_prepend(self.folder)
            return 0
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        return subprocess.run(line, shell=True, env={**os.environ, "PATH": path}, check=False).returncode
