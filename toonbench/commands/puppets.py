"""`make-puppets`: render a data set of puppets."""

from __future__ import annotations

from pathlib import Path

from toonbench.commands.shared import Names, Talk


def make(
    *,
    out: Path,
    split: str = "train",
    clips: int = 20,
    images: int | None = None,
    frames: int = 40,
    size: int = 128,
    step: int = 1,
    styles: Names = None,
    seed: int = 0,
    tasks: Names = None,
    sources: int = 0,
    puppets_version: int | None = None,
    workers: int = 0,
    talk: Talk | None = None,
) -> int:
    """Render puppets: clips of both domains with their exact motion, sources, and exact targets for a test split.

    Parameters
    ----------
    out
        The data set's folder; a rendering found there goes on.
    split
        train, or test (which gets the exact targets of the pairs of --tasks). Splits share no identity and no motion.
    clips
        Videos of each domain.
    images
        Source images of each domain; as many as clips by default.
    frames
        Frames of each video.
    size
        Side in pixels.
    step
        Take every step-th frame of the 30 fps motion.
    styles
        Only these styles; all by default.
    seed
        Another seed is another set of people and motions.
    tasks
        Tasks that get exact targets; by default the five of toonbench for the test split, none for others.
    sources
        Sources with an exact target for each driving video; 0 takes each task's own number.
    puppets_version
        Version of the puppets' motion: 2, the default, or 1 to draw data sets of version 1 again.
    workers
        Local processes; 0 chooses. The bytes do not depend on it.
    """
    from toonbench.puppets.make import VERSION, make_puppets
    from toonbench.tasks import STANDARD_TASKS

    talk = talk or Talk()
    talk.start()
    make_puppets(
        out,
        split=split,
        clips=clips,
        images=clips if images is None else images,
        frames=frames,
        size=size,
        seed=seed,
        step=step,
        styles=styles or (),
        tasks=tasks if tasks is not None else STANDARD_TASKS if split == "test" else (),
        sources=sources,
        version=VERSION if puppets_version is None else puppets_version,
        pool=talk.pool(workers),
    )
    talk.say(f"written: {out}")
    return 0
