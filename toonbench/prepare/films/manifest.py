"""The list from which anyone with the same films makes the same clips: checksums of films, frames, squares, checksums of clips."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from toonbench.data.table import CONTROL, LONGEST_ID
from toonbench.prepare.duplicates import Fingerprint
from toonbench.prepare.films.cutting import Job
from toonbench.store import read_json, write_json
from toonbench.types import DOMAINS, ToonbenchError

if TYPE_CHECKING:
    from toonbench.prepare.films.fates import Fate

MANIFEST = "manifest.json"
VERSION = 1
LARGEST = 1 << 16  # pixels of a side of a film
SQUARE = 8  # longer sides of a film in the side of a square; the largest margin gives 5
CHECKSUM, HASH = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{16}")
PROSE = ("file", "title", "licence")  # texts that are escaped wherever they are shown
Entry = TypeVar("Entry")


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
        films = [_film_entry(one) for one in _entries(whole, "films")]
        listed = {film.id: film for film in films}
        clips = [_clip_entry(one, listed) for one in _entries(whole, "clips")]
        for what, ids in (("film", [film.id for film in films]), ("clip", [clip.id for clip in clips])):
            if twice := [one for one, count in Counter(ids).items() if count > 1]:
                raise ValueError(f"the {what} '{twice[0]}' is listed more than once")
    except ValueError as error:
        raise ToonbenchError(f"{path} is damaged ({error}): get it again") from error
    return Manifest(films=listed, clips=clips)


def _entries(whole: Mapping[str, Any], name: str) -> list[Any]:
    found = whole.get(name)
    if not isinstance(found, list):
        raise ValueError(f"it has no list of {name}")
    return cast("list[Any]", found)


def _film_entry(content: Any) -> ListedFilm:
    """The film; raises ValueError for one whose values make no sense."""
    film = ListedFilm(**_fields(ListedFilm, content, "film"))
    wrong = {
        "sha256": not CHECKSUM.fullmatch(film.sha256),
        "frames": film.frames < 1,
        "fps": not 0 < film.fps <= 1000,
        "width": not 0 < film.width <= LARGEST,
        "height": not 0 < film.height <= LARGEST,
        "domain": film.domain not in DOMAINS,
    }
    return _unless(wrong, film, what="film")


def _clip_entry(content: Any, films: Mapping[str, ListedFilm]) -> ListedClip:
    """The clip; raises ValueError for one whose values make no sense, and for an id that is no file name."""
    from toonbench.prepare.names import problem_of

    clip = ListedClip(**_fields(ListedClip, content, "clip"))
    name, film = Path(clip.id), films.get(clip.film)
    is_name = name.name == clip.id and not problem_of(cast("Any", name)) and "\\" not in clip.id
    wrong = {
        "id": not is_name or clip.id.startswith(".") or len(clip.id.encode("utf-8", "surrogatepass")) > LONGEST_ID,
        "film": film is None,
        "last": not 0 <= clip.first < clip.last,
        "size": not 8 <= clip.size <= 4096,
        "fps": not 0 < clip.fps <= 1000,
        "frames": clip.frames < 1,
        "sha256": not CHECKSUM.fullmatch(clip.sha256),
        "hashes": not clip.hashes or not all(HASH.fullmatch(one) for one in clip.hashes),
        "identity_by": clip.identity_by not in ("look", "review"),
        "squares": len(clip.squares) not in (1, clip.last - clip.first)
        or film is None
        or not all(_is_square(one, film) for one in clip.squares),
    }
    return _unless(wrong, clip, what="clip")


def _is_square(square: Sequence[int], film: ListedFilm) -> bool:
    """Whether it has three numbers, touches the picture, and is not much larger."""
    if len(square) != 3:
        return False
    left, top, side = square
    touches = -side <= left <= film.width and -side <= top <= film.height
    return touches and 0 < side <= SQUARE * max(film.width, film.height)


def _fields(kind: type[ListedFilm] | type[ListedClip], content: Any, what: str) -> dict[str, Any]:
    """The fields of an entry, each of its type; raises ValueError for any other entry."""
    if not isinstance(content, dict):
        raise ValueError(f"an entry of a {what} is no object")
    given = cast("dict[str, Any]", content)
    name = str(given.get("id", ""))[:LONGEST_ID]
    types = {one.name: str(one.type) for one in fields(kind)}
    if different := sorted(set(types) ^ set(given)):
        raise ValueError(f"the {what} '{name}' lacks, or has one too many, of its fields: {', '.join(different)[:100]}")
    _unless({key: not KINDS[types[key]](given[key]) for key in types}, given, what=what, name=name)
    _unless({key: key not in PROSE and _has_control(given[key]) for key in types}, given, what=what, name=name)
    return given


def _unless(wrong: Mapping[str, bool], entry: Entry, *, what: str, name: str = "") -> Entry:
    """The entry; raises ValueError with the first wrong value."""
    for key, is_wrong in wrong.items():
        if is_wrong:
            own = cast("dict[str, Any]", entry) if isinstance(entry, dict) else asdict(cast("Any", entry))
            raise ValueError(f"{key} of the {what} '{name or own['id']}' cannot be {str(own[key])[:60]!r}")
    return entry


def _has_control(value: Any) -> bool:
    return isinstance(value, str) and CONTROL.search(value) is not None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return type(value) is int and abs(value) < 1 << 53


def _is_number(value: Any) -> bool:
    return _is_whole(value) or (type(value) is float and math.isfinite(value))


def _is_list_of(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(test, cast("list[Any]", value)))


KINDS: Mapping[str, Callable[[Any], bool]] = {
    "str": _is_text,
    "int": _is_whole,
    "float": _is_number,
    "list[str]": _is_list_of(_is_text),
    "list[list[int]]": _is_list_of(_is_list_of(_is_whole)),
}
