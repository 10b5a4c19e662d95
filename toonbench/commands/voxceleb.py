"""`prepare-voxceleb`: cut the clips of VoxCeleb out of a local mirror of its videos."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from toonbench.commands.shared import Processes, Size, Terminal


def prepare(
    mirror: Path,
    *,
    metadata: Path,
    out: Path,
    crop: Literal["official", "aspect"] = "official",
    split: Literal["train", "test", "both"] = "both",
    size: Size = 256,
    processes: Processes | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Cut the clips of VoxCeleb out of videos that you have, by the public table of its clips. Nothing is downloaded.

    Parameters
    ----------
    mirror
        The folder of the videos, <video id>.mp4 in any sub-folders.
    metadata
        The table: CSV with video_id,start,end,bbox,fps,width,height,partition,person_id.
    out
        The data set's folder. If it has an unfinished one, the command resumes it.
    crop
        official stretches each box to a square, as the published models were trained; aspect takes the square around it.
    split
        train, test or both.
    size
        Height and width of the clips, in pixels.
    """
    from toonbench.prepare.voxceleb import VoxOptions, prepare_voxceleb
    from toonbench.store import to_json

    terminal = terminal or Terminal()
    console = terminal.start()
    options = VoxOptions(crop=crop, size=size, partition=None if split == "both" else split)
    pool = terminal.pool(processes or Processes(), writes=[out], reads=[mirror])
    done = prepare_voxceleb(mirror, metadata, out=out, options=options, pool=pool)
    for note in done.notes:
        terminal.message(note)
    if terminal.json:
        console.out(to_json({"folder": out, "made": done.made, "failed": done.failed, "notes": done.notes}), end="")
    else:
        console.print(f"{done.made} clips in {out}, {done.failed} not made", markup=False, soft_wrap=True)
    return 0 if done.made else 1
