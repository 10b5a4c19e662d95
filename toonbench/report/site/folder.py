"""The folder of a site: only files that an earlier build listed are ever removed, and equal files are not written again."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from toonbench.claims import claim
from toonbench.store import read_json, to_json, write_bytes
from toonbench.types import ToonbenchError

MARK = "toonbench-site.json"  # marks a folder as a site
LIST = "site-files.json"  # the files of the site
RECIPE = {"made by": "toonbench site", "layout": 1}
SAFE = re.compile(r"[A-Za-z0-9_~=+@-][A-Za-z0-9._~=+@-]*(?:/[A-Za-z0-9_~=+@-][A-Za-z0-9._~=+@-]*)*")


class SiteFolder:
    """A site that is being written. `announce` names files before they are written, so that an interrupted build leaves none unlisted.

    Raises ToonbenchError for a folder with other files that is not a site.
    """

    def __init__(self, root: Path) -> None:
        if root.exists() and not root.is_dir():
            raise ToonbenchError(f"--out {root} is a file: give a new folder, or the folder of an earlier site")
        if root.is_dir() and not (root / MARK).is_file() and any(root.iterdir()):
            raise ToonbenchError(
                f"--out {root} holds other files and is not a site (it has no {MARK}): give a new folder, or empty this one"
            )
        claim(root, dict[str, Any](RECIPE), file=MARK)
        self.root = root
        self._before = self._stored = _listed(root)
        self._now: set[str] = set()
        self.written = 0

    def announce(self, names: Iterable[str]) -> None:
        """List files that belong to the site from now on."""
        self._now |= set(names)
        everything = self._before | self._now
        if everything != self._stored:
            write_bytes(self.root / LIST, to_json(sorted(everything)).encode())
            self._stored = everything

    def write(self, name: str, content: str | bytes) -> None:
        """Write an announced file, unless it has this content."""
        data = content if isinstance(content, bytes) else content.encode("utf-8", "replace")
        self.written += write_if_changed(self.root / name, data)

    def finish(self) -> None:
        """Remove the files of earlier builds that this one does not have, and list those that it has."""
        for name in sorted(self._before - self._now):
            path = self.root / name
            if not path.is_dir():  # no build lists a folder
                path.unlink(missing_ok=True)
            for parent in path.relative_to(self.root).parents[:-1]:
                folder = self.root / parent
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()
        self._now = {name for name in self._now if (self.root / name).is_file()}
        write_if_changed(self.root / LIST, to_json(sorted(self._now)).encode())
        self._before = set(self._now)


def write_if_changed(path: Path, data: bytes) -> bool:
    """Write a file completely, unless it has this content; return whether it was written."""
    try:
        if path.stat().st_size == len(data) and path.read_bytes() == data:
            return False
    except FileNotFoundError:
        pass
    write_bytes(path, data)
    return True


def _listed(root: Path) -> set[str]:
    """The files that an earlier build listed: relative paths below the folder, without links on the way."""
    try:
        found = read_json(root / LIST)
    except ToonbenchError:
        return set()
    names = cast("list[Any]", found) if isinstance(found, list) else []
    safe = {name for name in names if isinstance(name, str) and SAFE.fullmatch(name)}
    folders = {parent for folder in {Path(name).parent for name in safe} for parent in (folder, *folder.parents)}
    linked = {folder for folder in folders if (root / folder).is_symlink()}
    return {name for name in safe if not linked.intersection(Path(name).parents)} if linked else safe
