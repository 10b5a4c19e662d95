"""Open any data set: a shipped one, a prepared folder, or a plain folder, which is prepared first."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from toonbench.data.folder import Dataset, hidden_by_shipped, is_plain_folder, load, locate
from toonbench.pool import IN_PROCESS, Pool
from toonbench.prepare.options import Options


def cache_folder() -> Path:
    """The folder of prepared data: `TOONBENCH_CACHE`, or the user's cache folder."""
    import platformdirs

    return Path(os.environ.get("TOONBENCH_CACHE") or platformdirs.user_cache_dir("toonbench"))


def open_data(spec: str, *, options: Options | None = None, pool: Pool = IN_PROCESS) -> Dataset:
    """The data set that `spec` names; a plain folder of videos and images is prepared first, once, by `options`.

    Files that cannot be used are clips with a `problem`. Raises ToonbenchError for an unknown name or a damaged folder.
    """
    root = locate(spec)
    if not is_plain_folder(root):
        loaded = load(root)
        note = hidden_by_shipped(spec)
        return replace(loaded, notes=(note, *loaded.notes)) if note else loaded
    from toonbench.prepare.folder import prepare_folder

    prepared = prepare_folder(root, cache_folder() / "prepared", options=options, pool=pool)
    return load(prepared, name=root.resolve().name)
