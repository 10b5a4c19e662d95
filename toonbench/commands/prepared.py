"""`prepared`: prepare a plain folder as `eval --data` does, and export its clips for other tools."""

from __future__ import annotations

from pathlib import Path

from toonbench.commands.shared import Folder, Processes, Terminal, export_clips, open_data, preparing_pool


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
    from toonbench.store import to_json

    terminal = terminal or Terminal()
    # An absolute path is never the name of a shipped data set.
    spec = str(root.absolute())
    pool = preparing_pool(processes or Processes(), spec, terminal=terminal)
    data = open_data(spec, terminal=terminal, folder=folder, pool=pool)
    clips = [clip for clip in data.clips if not clip.problem]
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
