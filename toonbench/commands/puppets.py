"""`make-puppets`: render a data set of puppets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from toonbench.commands.shared import Names, Processes, Seed, Size, Step, Terminal
from toonbench.commands.values import MOST_FILES, between


def make(
    *,
    out: Path,
    split: str = "train",
    clips: Annotated[int, between(0, MOST_FILES)] = 20,
    images: Annotated[int | None, between(0, MOST_FILES)] = None,
    frames: Annotated[int, between(1, 100_000)] = 40,
    size: Size = 128,
    step: Step = 1,
    styles: Names = None,
    seed: Seed = 0,
    tasks: Names = None,
    sources: Annotated[int, between(0, MOST_FILES)] = 0,
    puppets_version: Annotated[int | None, between(1)] = None,
    movement: Literal["speech", "exercises", "mixed"] = "speech",
    processes: Processes | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Render puppets: clips of both domains with their ground-truth motion, source images, and the targets of a test split.

    Parameters
    ----------
    out
        The data set's folder. If it has an unfinished data set, the command resumes it.
    split
        train, or test (which includes the targets for the pairs of --tasks). Splits share no identity and no motion. With --tasks,
        every video of another split than test drives a target.
    clips
        Videos of each domain.
    images
        Source images of each domain; as many as clips by default.
    frames
        Frames of each video.
    size
        Height and width of the frames, in pixels.
    step
        Take every step-th frame of the 30 fps motion.
    styles
        Only these styles; all by default.
    seed
        Another seed gives another set of people and motions.
    tasks
        Tasks whose targets are rendered; by default the five tasks of toonbench for the test split, none for others.
    sources
        Number of sources with a target for each driving video; 0 takes each task's own number.
    puppets_version
        Version of the puppets' motion: 2, the default, or 1 to draw data sets of version 1 again.
    movement
        speech: heads turn, people talk and blink. exercises, for training: the head barely moves; eyes, mouth and brows move often
        and far. mixed: every second clip of a style has exercises.
    """
    from toonbench.puppets.make import VERSION, make_puppets
    from toonbench.tasks import STANDARD_TASKS

    terminal = terminal or Terminal()
    terminal.start()
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
        movement=movement,
        pool=terminal.pool(processes or Processes(), writes=[out]),
    )
    terminal.message(f"written: {out}")
    return 0
