"""Open any data set: a shipped one, a prepared folder, or a plain folder, which is prepared first."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from toonbench.data.folder import Dataset, hidden_by_shipped, is_plain_folder, load, locate
from toonbench.hub.address import is_address
from toonbench.pool import IN_PROCESS, Pool
from toonbench.prepare.options import Options
from toonbench.types import Clip


def cache_folder() -> Path:
    """The folder of prepared data: `TOONBENCH_CACHE`, or the user's cache folder."""
    import platformdirs

    return Path(os.environ.get("TOONBENCH_CACHE") or platformdirs.user_cache_dir("toonbench"))


def listed_clips(spec: str, *, options: Options | None = None) -> tuple[Clip, ...] | None:
    """The clips of the plain folder that `spec` names, before anything of it is decoded; None for any other data set.

    Raises ToonbenchError for an unknown name, and for a folder without videos and images.
    """
    root = locate(spec)
    if not is_plain_folder(root):
        return None
    from toonbench.prepare import folder

    return tuple(folder.listed_clips(root, cache_folder() / "prepared", options=options))


def open_data(
    spec: str, *, options: Options | None = None, only: Collection[str] | None = None, pool: Pool = IN_PROCESS
) -> Dataset:
    """The data set that `spec` names; a plain folder of videos and images is prepared first, once, by `options`.

    `only` are ids of clips of a plain folder; the data set then consists of these, and only these are prepared.
    Files that cannot be used are clips with a `problem`. Raises ToonbenchError for an unknown name or a damaged folder.
    """
    root = locate(spec)
    if not is_plain_folder(root):
        loaded = load(root)
        note = f"{spec} is at commit {root.name}" if is_address(spec) else hidden_by_shipped(spec)
        return replace(loaded, notes=(note, *loaded.notes)) if note else loaded
    from toonbench.prepare.folder import prepare_folder

    prepared = prepare_folder(root, cache_folder() / "prepared", options=options, only=only, pool=pool)
    return load(prepared.files, tables=prepared.tables, name=root.resolve().name)
