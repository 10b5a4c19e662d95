"""`prepared`: prepare a plain folder as `eval --data` does, and export its clips for other tools."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from toonbench.commands.shared import Folder, Processes, Terminal, export_clips, open_data, preparing_pool

if TYPE_CHECKING:
    from toonbench.data import Dataset


def prepared(
    root: Path,
    *,
    export: Path | None = None,
    folder: Folder | None = None,
    processes: Processes | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Prepare a plain folder of videos and images as `eval --data` does, and report how each file was read.

    Parameters
    ----------
    root
        A folder with real_videos/ real_images/ cartoon_videos/ cartoon_images/, or a data set's folder.
    export
        Write every prepared clip into this folder, as lossless MP4 and PNG named by its id, with clips.csv: id, file, the original
        file, the crop box in it, its first frame, frames, and frames per second.
    """
    from toonbench.data.export import origins, write_origins
    from toonbench.data.folder import is_plain_folder
    from toonbench.store import to_json

    terminal = terminal or Terminal()
    # An absolute path is never the name of a shipped data set.
    spec = str(root.absolute())
    pool = preparing_pool(processes or Processes(), spec, terminal=terminal)
    data = open_data(spec, terminal=terminal, folder=folder, pool=pool)
    clips = [clip for clip in data.clips if not clip.problem]
    if clips and is_plain_folder(root):
        _write_card(data, root.resolve().name)
    if export is not None:
        clips = export_clips(clips, export, terminal=terminal)
        write_origins(export, origins(data.root, clips))
    console = terminal.start()
    if terminal.json:
        about = {"data": data.id, "folder": data.root, "notes": data.notes, "clips": origins(data.root, clips)}
        console.out(to_json(about), end="")
    else:
        place = export if export is not None else data.root
        console.print(f"{len(clips)} of {len(data.clips)} clips in {place}", markup=False, soft_wrap=True)
    return 0 if clips else 1


def _write_card(data: Dataset, name: str) -> None:
    """The data card of a prepared folder, unless it has one: a card is removed when the clips change."""
    from toonbench.data.card import CARD, write_card

    if not (data.root / CARD).is_file():
        kinds = Counter(clip.kind for clip in data.clips if not clip.problem)
        text = (
            f"# {name}, prepared\n\n{kinds['video']} videos and {kinds['image']} images of faces, prepared by `toonbench prepared` "
            "from a folder of files.\n`failures.parquet` lists the files that could not be used.\n"
        )
        write_card(data.root, text, title=f"{name}, prepared")
