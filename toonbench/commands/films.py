"""`make-films`: multi-shot videos of puppets with ground-truth shots, tracks and boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from toonbench.commands.shared import Count, Names, Processes, Seed, Terminal
from toonbench.commands.values import between


def make(
    *,
    out: Path,
    films: Count = 4,
    seconds: Annotated[tuple[float, float], between(1, 3600)] = (20.0, 60.0),
    domain: Literal["real", "cartoon", "both"] = "both",
    styles: Names = None,
    height: Annotated[int, between(48, 1440)] = 720,
    seed: Seed = 0,
    processes: Processes | None = None,
    terminal: Terminal | None = None,
) -> int:
    """Make films of puppets: videos of many shots with every cut, track and face box recorded, for measuring curation.

    Parameters
    ----------
    out
        The films' folder. If it has an unfinished set of films, the command resumes it.
    films
        Number of films; domains and styles alternate.
    seconds
        Approximate shortest and longest length, in seconds.
    domain
        real, cartoon or both.
    styles
        Only these styles; all of the domain by default.
    height
        Height of the 16:9 video, in pixels.
    seed
        Another seed gives other films.
    """
    from toonbench.puppets.films.make import make_films

    terminal = terminal or Terminal()
    terminal.start()
    make_films(
        out,
        films=films,
        seconds=seconds,
        domain=domain,
        styles=styles or (),
        height=height,
        seed=seed,
        pool=terminal.pool(processes or Processes(), writes=[out]),
    )
    terminal.message(f"written: {out}")
    return 0
