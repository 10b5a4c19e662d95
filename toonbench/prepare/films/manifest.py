"""The list from which anyone with the same films makes the same clips: checksums of films, frames, squares, checksums of clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from toonbench.prepare.duplicates import Fingerprint
from toonbench.prepare.films.cutting import Job
from toonbench.store import read_json, write_json
from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from toonbench.prepare.films.fates import Fate

MANIFEST = "manifest.json"
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFilm:
    """A film of the list. `file` is its name when the list was made."""

    id: str
    file: str
    sha256: str
    frames: int
    fps: float
    width: int
    height: int
    title: str
    domain: str
    licence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedClip:
    """A clip of the list: frames [first, last) of a film, the squares that were cut, and what came out.

    squares: [left, top, side] in pixels of the film, one for all frames or one for each.
    hashes: perceptual hashes of the clip at even distances, 16 hexadecimal digits each.
    """

    id: str
    film: str
    first: int
    last: int
    squares: list[list[int]]
    size: int
    fps: float
    frames: int
    sha256: str
    hashes: list[str]
    identity: str
    identity_by: str
    split: str
    detected: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Films and clips."""

    films: Mapping[str, ListedFilm]
    clips: Sequence[ListedClip]


def write_manifest(out: Path, jobs: Sequence[Job], fates: Sequence[Fate]) -> None:
    """Write the list of the kept clips, and of the films that they are from."""
    of = {job.film.id: job for job in jobs}
    kept = [fate for fate in fates if fate.kept]
    facts = {fate.candidate.film: fate.facts for fate in kept}
    films = [_film(of[name], facts[name]) for name in sorted(facts)]
    clips = [_clip(fate, of[fate.candidate.film]) for fate in kept]
    content = {"toonbench": "manifest", "version": VERSION, "films": films, "clips": clips}
    write_json(out / MANIFEST, content)


def _film(job: Job, facts: Mapping[str, Any]) -> dict[str, Any]:
    film = job.film
    names = ("sha256", "frames", "fps", "width", "height")
    own = {"id": film.id, "file": film.original, "title": film.title, "domain": film.domain, "licence": film.licence}
    return asdict(ListedFilm(**own, **{name: facts[name] for name in names}))


def _clip(fate: Fate, job: Job) -> dict[str, Any]:
    one, record = fate.candidate, fate.record
    hashes = Fingerprint.from_json(record["fingerprint"]).hashes
    listed = ListedClip(
        id=one.id,
        film=one.film,
        first=one.first,
        last=one.last,
        squares=record["squares"],
        size=job.options.size,
        fps=record["fps"],
        frames=record["frames"],
        sha256=record["sha256"],
        hashes=[f"{int(value):016x}" for value in hashes],
        identity=fate.identity,
        identity_by="review" if fate.renamed else "look",
        split=fate.split,
        detected=round(float(record["quality"]["detected"]), 4),
    )
    return asdict(listed)


def read_manifest(path: Path) -> Manifest:
    """Read the list in a file, or in the folder of a data set. Raises ToonbenchError for a file of another form."""
    path = path / MANIFEST if path.is_dir() else path
    content = read_json(path)
    if not isinstance(content, dict) or cast("dict[str, Any]", content).get("toonbench") != "manifest":
        raise ToonbenchError(f"{path} is no list of clips: give the {MANIFEST} that `toonbench prepare-cartoon` wrote")
    whole = cast("dict[str, Any]", content)
    if whole.get("version") != VERSION:
        raise ToonbenchError(
            f"{path} has version {whole.get('version')}, this toonbench reads {VERSION}: install the one that wrote it"
        )
    try:
        films = [ListedFilm(**film) for film in whole["films"]]
        clips = [_checked(ListedClip(**clip)) for clip in whole["clips"]]
        listed = {film.id: film for film in films}
        if strange := [clip.film for clip in clips if clip.film not in listed]:
            raise ValueError(f"the film {strange[0]!r} of a clip is not listed")
    except (KeyError, TypeError, ValueError) as error:
        raise ToonbenchError(f"{path} is damaged ({error}): get it again") from error
    return Manifest(films=listed, clips=clips)


def _checked(clip: ListedClip) -> ListedClip:
    """The clip; raises ValueError for numbers that make no sense, and for an id that is no file name."""
    from toonbench.prepare.names import problem_of

    sound = 0 <= clip.first < clip.last and 8 <= clip.size <= 4096 and 0 < clip.fps <= 1000
    shapes = len(clip.squares) in (1, clip.last - clip.first) and all(len(square) == 3 for square in clip.squares)
    name = Path(clip.id)
    plain = (
        name.name == clip.id
        and not clip.id.startswith(".")
        and not problem_of(cast("Any", name))
        and "\\" not in clip.id
    )
    if not (sound and shapes and plain and all(0 < square[2] <= 1 << 16 for square in clip.squares)):
        raise ValueError(f"the entry of the clip {clip.id!r} makes no sense")
    return clip
