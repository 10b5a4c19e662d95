"""Films of puppets for curation: multi-shot videos with exact shots, tracks and face boxes.

    DIR/films.parquet      one row per film          DIR/films/<id>.mp4      H.264, no sound
    DIR/truth/<id>.json    shots, tracks, boxes      DIR/truth/<id>.npz      landmarks of every visible face
    DIR/README.md          the data set card         DIR/films.json          the recipe

Everything follows from (seed, index, domain, style, size) by hashing: the bytes do not depend on workers or
interruptions. Existing files are kept. `docs/puppets.md` describes the fields of the ground truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from toonbench.claims import claim
from toonbench.data.folder import file_sha256
from toonbench.data.table import FILMS, Row
from toonbench.pool import IN_PROCESS, Pool
from toonbench.puppets.catalogue import make_look, styles_of
from toonbench.puppets.draw.render import warm_up
from toonbench.puppets.films.play import play
from toonbench.puppets.films.script import Script
from toonbench.puppets.films.truth import Recorder
from toonbench.puppets.films.writer import draw_script
from toonbench.puppets.rig import seed_of
from toonbench.store import write_bytes
from toonbench.types import DOMAINS, Domain, ToonbenchError
from toonbench.video import write_film

VERSION = 1
LICENCE = "CC0-1.0"
PROVENANCE = f"toonbench puppet films version {VERSION}: procedural, no person is shown"
RATES = (24, 25, 30)
Domains = Literal["real", "cartoon", "both"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipe:
    """The recipe of a folder of films; stored in films.json, so that two recipes never mix in one folder."""

    version: int
    seed: int
    films: int
    seconds: tuple[float, float]
    height: int
    width: int
    styles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One film to make."""

    out: Path
    recipe: _Recipe
    domain: Domain
    style: str
    index: int

    @property
    def id(self) -> str:
        return f"film-s{self.recipe.seed}-{self.style}-{self.index:04d}"

    def script(self) -> Script:
        """The film's script."""
        seed = seed_of("film", self.recipe.seed, self.domain, self.style, self.index)
        return draw_script(
            self.id, seed, domain=self.domain, style=self.style, fps=RATES[seed % len(RATES)],
            seconds=self.recipe.seconds, aspect=self.recipe.width / self.recipe.height,
        )  # fmt: skip


def make_films(
    out: Path,
    *,
    films: int,
    seed: int,
    seconds: tuple[float, float] = (20.0, 60.0),
    domain: Domains = "both",
    styles: Sequence[str] = (),
    height: int = 720,
    pool: Pool = IN_PROCESS,
) -> int:
    """Make `films` films of about `seconds` (least, most) and `height` rows (16:9) in `out`; return how many.

    Domains alternate, and the styles of each domain (all of them, or those in `styles`), too. A second run keeps complete
    films. Raises ToonbenchError for invalid numbers, unknown styles, or a folder made with another recipe.
    """
    recipe = _recipe(films=films, seed=seed, seconds=seconds, domain=domain, styles=styles, height=height)
    claim(out, asdict(recipe), file="films.json")
    own = {d: [style.name for style in styles_of(d) if style.name in recipe.styles] for d in DOMAINS}
    turns: list[Domain] = [d for d in DOMAINS if own[d]]
    jobs = list[_Job]()
    for index in range(films):
        of = turns[index % len(turns)]
        style = own[of][index // len(turns) % len(own[of])]
        jobs.append(_Job(out=out, recipe=recipe, domain=of, style=style, index=index))
    warm_up()
    rows = pool.map(_make, jobs, title="making films")
    write_bytes(out / "README.md", _card(recipe, rows).encode())
    FILMS.write(out, rows)
    return len(rows)


def _recipe(
    *, films: int, seed: int, seconds: tuple[float, float], domain: str, styles: Sequence[str], height: int
) -> _Recipe:
    if films < 1:
        raise ToonbenchError(f"The number of films must be 1 or more; got {films}. Raise --films.")
    if domain not in (*DOMAINS, "both"):
        raise ToonbenchError(f"Unknown domain '{domain}'. Choose one of: real, cartoon, both.")
    if not 1 <= seconds[0] <= seconds[1] <= 3600:
        raise ToonbenchError(
            f"The seconds of a film are its minimum and maximum length, 1 to 3600; got {seconds[0]:g} {seconds[1]:g}. "
            "Give e.g. --seconds 20 60."
        )
    if not 48 <= height <= 1440 or height % 2:
        raise ToonbenchError(f"A film's height must be even and 48 to 1440 pixels; got {height}. Choose e.g. 720.")
    for style in styles:
        make_look(style, 0)  # raises an error for an unknown style
    allowed = [style.name for d in DOMAINS if domain in (d, "both") for style in styles_of(d)]
    chosen = tuple(name for name in allowed if not styles or name in styles)
    if len(chosen) < len(set(styles)):
        other = next(style for style in styles if style not in chosen)
        raise ToonbenchError(f"Style '{other}' is not of the domain {domain}. Choose among: {', '.join(allowed)}.")
    return _Recipe(version=VERSION, seed=seed, films=films, seconds=seconds, height=height,
                   width=2 * round(height * 8 / 9), styles=chosen)  # fmt: skip


def _make(job: _Job) -> Row:
    """Make one film unless its files exist, and return its row."""
    script, recipe = job.script(), job.recipe
    file, truth = f"films/{job.id}.mp4", f"truth/{job.id}.json"
    path, landmarks = job.out / file, (job.out / truth).with_suffix(".npz")
    if not (path.is_file() and (job.out / truth).is_file() and landmarks.is_file()):
        recorder = Recorder(script, width=recipe.width, height=recipe.height)
        takes = play(script, width=recipe.width, height=recipe.height)
        write_film(path, recorder.watch(takes), fps=script.fps, width=recipe.width, height=recipe.height)
        recorder.write(job.out / truth, landmarks, file=file)
    return {
        "id": job.id, "file": file, "truth": truth, "sha256": file_sha256(path), "domain": job.domain,
        "style": job.style, "title": script.title, "fps": float(script.fps), "frames": script.frames,
        "width": recipe.width, "height": recipe.height, "shots": len(script.shots), "seed": script.seed,
        "provenance": f"{PROVENANCE}; style {job.style}", "licence": LICENCE,
    }  # fmt: skip


def _card(recipe: _Recipe, rows: Sequence[Row]) -> str:
    minutes = sum(row["frames"] / row["fps"] for row in rows) / 60
    shots = sum(row["shots"] for row in rows)
    return (
        "# Films of puppets, for measuring curation\n\n"
        f"{len(rows)} films, {minutes:.1f} minutes, {shots} shots, {recipe.width}x{recipe.height}, H.264 without sound; "
        f"seed {recipe.seed}, styles {', '.join(recipe.styles)}, films version {recipe.version}.\n\n"
        "Films are drawn by a program. No person is shown and none was recorded. Every film has cuts, dissolves, wipes or\n"
        "fades, shots with one, several or no faces, titles and held frames, and some have black bars. `truth/<id>.json`\n"
        "has the exact shots, transitions and face positions; `truth/<id>.npz` has the 70 landmarks of every face.\n"
        "Use them to measure shot detection, tracking and cropping, not to train on faces.\n\n"
        f"Licence: {LICENCE}. Made by `toonbench make-films`.\n"
    )
