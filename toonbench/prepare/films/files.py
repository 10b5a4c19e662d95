"""The films of a folder: which files are films, and what is known about each: title, domain, licence.

RAW/films.parquet         of `toonbench make-films`, or
RAW/films.csv             file, title, domain, licence, provenance (all but `file` may be missing; metadata.csv is read, too)
RAW/<title>/*.mp4         otherwise the first sub-folder is the title, and a film outside of one is a title of its own
RAW/real_videos/...       the folders of a plain data set state the domain, and not the title
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from toonbench.data.table import FILMS
from toonbench.prepare.listing import VIDEOS, links
from toonbench.prepare.names import clip_id, legible, problem_of
from toonbench.prepare.output import folders_to_read
from toonbench.types import DOMAINS, Domain, ToonbenchError

TABLES = ("films.csv", "metadata.csv")
FILES = ("file", "file_name", "filename", "path")
FACTS = ("title", "domain", "licence", "provenance")
TOPS: dict[str, Domain] = {"real_videos": "real", "cartoon_videos": "cartoon"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """A file that may be a film. `path` is relative to the folder of films; `problem` is why it cannot be used."""

    id: str
    path: PurePosixPath
    title: str
    domain: Domain
    licence: str = ""
    provenance: str = ""
    problem: str = ""

    @property
    def original(self) -> str:
        """The path as text that every table can hold."""
        return legible(self.path)


@dataclass(slots=True)
class Films:
    """The films of a folder in the order of their paths, and remarks about what was left out."""

    root: Path
    found: list[Film] = field(default_factory=list[Film])
    remarks: list[str] = field(default_factory=list[str])


def list_films(raw: Path, *, domain: Domain, out: Path) -> Films:
    """The films in the folder `raw`, or the one file `raw`. `domain` is that of films about which nothing else states it.

    `out`, the folder of the data set, may be in `raw`; its clips are no films.

    Raises ToonbenchError if there are none, and for a table that cannot be used.
    """
    if raw.is_file():
        films = Films(raw.parent)
        films.found = [_film(PurePosixPath(raw.name), {}, domain=domain)]
        return films
    if not raw.is_dir():
        raise ToonbenchError(f"{raw} is no folder and no file: give the folder of your films")
    films = Films(raw)
    stated = _stated(raw)
    paths = sorted(_paths(films, out=out))
    films.found = _distinct([_film(path, stated.get(str(path), {}), domain=domain) for path in paths])
    films.remarks += [
        f"{legible(PurePosixPath(name))} is in the table of films and not in the folder"
        for name in sorted(set(stated) - {str(path) for path in paths})
    ]
    if not films.found:
        raise ToonbenchError(
            "; ".join([f"{raw} has no films; known are files that end in {', '.join(sorted(VIDEOS))}", *films.remarks])
        )
    return films


def _paths(films: Films, *, out: Path) -> Iterator[PurePosixPath]:
    """The files that may be films, sub-folders included; hidden ones and links to folders are left out."""

    def unreadable(error: OSError) -> None:
        relative = PurePosixPath(os.path.relpath(error.filename, films.root))
        films.remarks.append(f"{legible(relative)} cannot be read ({error.strerror}): check its permissions")

    for name, inner, files in os.walk(films.root, onerror=unreadable):
        folder = Path(name)
        inner[:] = folders_to_read(folder, inner, out=out)
        films.remarks += links(folder, inner, root=films.root)
        for each in files:
            if not each.startswith(".") and PurePosixPath(each).suffix.lower() in VIDEOS:
                yield PurePosixPath((folder / each).relative_to(films.root).as_posix())


def _film(path: PurePosixPath, stated: Mapping[str, str], *, domain: Domain) -> Film:
    top = path.parts[0] if len(path.parts) > 1 else ""
    own = stated.get("domain") or TOPS.get(top) or domain
    problem = problem_of(path)
    if own not in DOMAINS:
        problem, own = f"its table states the domain {own!r}: write {' or '.join(DOMAINS)}", domain
    title = stated.get("title") or (top if top and top not in TOPS else path.stem)
    return Film(
        id=clip_id(PurePosixPath("film") / path, kind="video"),
        path=path,
        title=legible(PurePosixPath(title)),
        domain=own,
        licence=stated.get("licence", ""),
        provenance=stated.get("provenance", ""),
        problem=problem,
    )


def _distinct(found: list[Film]) -> list[Film]:
    """The films; one whose id another film has (by letter case or by Unicode form only) gets a problem and an id of its own."""
    taken: dict[str, Film] = {}
    distinct: list[Film] = []
    for film in found:
        other = taken.setdefault(film.id.lower(), film)
        if other is not film:
            problem = f"its name differs from {other.original} in letter case or Unicode form only: rename it"
            film = replace(film, id=f"{film.id}-{len(distinct)}", problem=film.problem or problem)
        distinct.append(film)
    return distinct


def _stated(raw: Path) -> dict[str, dict[str, str]]:
    """What the table of a folder of films states, by path."""
    if FILMS.is_in(raw):
        return {row["file"]: {name: str(row.get(name, "")) for name in FACTS} for row in FILMS.read(raw)}
    for name in TABLES:
        if (raw / name).is_file():
            return _table(raw / name)
    return {}


def _table(path: Path) -> dict[str, dict[str, str]]:
    import pandas as pd

    try:
        cells = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True)
    except (OSError, ValueError, LookupError, UnicodeError) as error:
        reason = str(error).partition("\n")[0]
        raise ToonbenchError(
            f"{path} cannot be read as a table ({reason}): write a header and one row for each film"
        ) from error
    cells.columns = [str(name).strip().lower() for name in cells.columns]
    file = next((name for name in FILES if name in cells.columns), None)
    if file is None:
        raise ToonbenchError(
            f"{path} has the columns {', '.join(cells.columns)}: add one called file, with paths relative to the table"
        )
    columns = [name for name in FACTS if name in cells.columns]
    stated: dict[str, dict[str, str]] = {}
    for place, name in enumerate(cells[file].tolist()):
        facts = {key: str(cells[key].iloc[place]).strip() for key in columns}
        stated[PurePosixPath(str(name).strip()).as_posix()] = {key: fact for key, fact in facts.items() if fact}
    return stated
