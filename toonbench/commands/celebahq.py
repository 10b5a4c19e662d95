"""`prepare-celebahq`: choose source images from a local folder of CelebA-HQ."""

from __future__ import annotations

from pathlib import Path

from toonbench.commands.shared import Count, Processes, Seed, Size, Terminal


def prepare(
    images: Path,
    *,
    out: Path,
    sources: Count = 275,
    mapping: Path | None = None,
    identities: Path | None = None,
    size: Size = 256,
    seed: Seed = 0,
    processes: Processes | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Choose source images from a folder of CelebA-HQ that you have, the same ones on every machine. Nothing is downloaded.

    Parameters
    ----------
    images
        The folder of the images, named by number (00000.jpg or 00000.png), in any sub-folders.
    out
        The data set's folder. If it has an unfinished one, the command resumes it.
    sources
        Number of sources; the paper uses 275 with cartoon and 1000 with real driving videos. Fewer are the first of more.
    mapping
        CelebA-HQ-to-CelebA-mapping.txt; with --identities, no two sources show one person.
    identities
        identity_CelebA.txt.
    size
        Height and width of the sources, in pixels.
    seed
        Another seed gives other sources.
    """
    from toonbench.prepare.celebahq import CelebOptions, prepare_celebahq
    from toonbench.store import to_json

    terminal = terminal or Terminal()
    console = terminal.start()
    done = prepare_celebahq(
        images,
        out=out,
        mapping=mapping,
        identities=identities,
        options=CelebOptions(sources=sources, size=size, seed=seed),
        pool=terminal.pool(processes or Processes(), writes=[out], reads=[images]),
    )
    for note in done.notes:
        terminal.message(note)
    if terminal.json:
        console.out(to_json({"folder": out, "made": done.made, "failed": done.failed, "notes": done.notes}), end="")
    else:
        console.print(f"{done.made} sources in {out}, {done.failed} not made", markup=False, soft_wrap=True)
    return 0 if done.made else 1
