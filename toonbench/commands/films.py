"""`make-films`: multi-shot videos of puppets with exact shots, tracks and boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from toonbench.commands.shared import Names, Talk


def make(
    *,
    out: Path,
    films: int = 4,
    seconds: tuple[float, float] = (20.0, 60.0),
    domain: Literal["real", "cartoon", "both"] = "both",
    styles: Names = None,
    height: int = 720,
    seed: int = 0,
    workers: int = 0,
    talk: Talk | None = None,
) -> int:
    """Make films of puppets: many shots, with every cut, track and face box known, to measure curation with.

    Parameters
    ----------
    out
        The films' folder; a run found there goes on.
    films
        How many; domains and styles take turns.
    seconds
        Least and greatest length, about.
    domain
        real, cartoon or both.
    styles
        Only these styles; all of the domain by default.
    height
        Rows of the 16:9 video.
    seed
        Another seed is other films.
    workers
        Local processes; 0 chooses. The bytes do not depend on it.
    """
    from toonbench.puppets.films.make import make_films

    talk = talk or Talk()
    talk.start()
    make_films(
        out,
        films=films,
        seconds=seconds,
        domain=domain,
        styles=styles or (),
        height=height,
        seed=seed,
        pool=talk.pool(workers),
    )
    talk.say(f"written: {out}")
    return 0
