"""The site of `toonbench view`: in the user's cache, with one store of encoded videos for all of them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from toonbench.data import Dataset
from toonbench.data.open import cache_folder
from toonbench.pool import IN_PROCESS, Pool
from toonbench.report.entries import Entry
from toonbench.report.site.build import Built, build_site
from toonbench.report.site.folder import MARK
from toonbench.report.site.media import FOLDER
from toonbench.report.site.names import digest

UNUSED = 30 * 86_400.0  # seconds after which a site that was not viewed, and a video that no site has, are removed


def build_view(entries: Sequence[Entry], *, data: Sequence[Dataset] = (), pool: Pool = IN_PROCESS) -> Built:
    """Build the site of runs, or what changed of it since the last time, in a folder for this set of runs."""
    root = cache_folder() / "view"
    out = root / digest("\n".join(sorted(str(entry.root.resolve()) for entry in entries)))
    built = build_site(entries, out, data=data, title="toonbench view", media=root / FOLDER, pool=pool)
    os.utime(out / MARK)
    _remove_unused(root)
    return built


def _remove_unused(root: Path) -> None:
    limit = time.time() - UNUSED
    for mark in root.glob(f"*/{MARK}"):
        with suppress(OSError):
            if mark.stat().st_mtime < limit:
                shutil.rmtree(mark.parent)
    for file in (root / FOLDER).glob("*"):
        with suppress(OSError):
            found = file.stat()
            if found.st_nlink == 1 and found.st_mtime < limit:
                file.unlink()
