"""Choose source images from a local folder of CelebA-HQ, the same ones on every machine. Nothing is downloaded.

IMAGES/**/00000.jpg                        input: images named by their number in CelebA-HQ, PNG or JPEG, in any sub-folders
OUT/metadata.parquet images/*.png          output: an ordinary data set
    README.md *-*.parquet                  the data card, and how the library `datasets` loads the set
    about.json failures.parquet            what was chosen and left out; images that cannot be read, and why
    items/*.json                           finished images: an interrupted run resumes from them

Images are chosen in the order of a hash of seed and number, so that the 275 sources are the first 275 of the 1,000. With the two
public files that map an image to its CelebA file, and that to an identity, no two sources show one person.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from toonbench import video
from toonbench.data.folder import file_sha256
from toonbench.data.table import Row
from toonbench.pool import IN_PROCESS, Pool
from toonbench.prepare.face import cut_out
from toonbench.prepare.names import legible
from toonbench.prepare.output import Summary, folders_to_read, own_folder, write_set
from toonbench.sealed import read_sealed, write_sealed
from toonbench.types import CannotWrite, ToonbenchError

VERSION = 1  # of the preparation; a new version prepares every image again
WHOLE = 30_000  # images of CelebA-HQ
LICENCE = "CelebA: non-commercial research only"
NAME = re.compile(r"[0-9]{1,5}", re.ASCII)
SUFFIXES = (".png", ".jpg", ".jpeg")  # of two files of one image, the earlier suffix is used
MAPPING_ROW = re.compile(r"([0-9]{1,6})\s+[0-9]{1,6}\s+([0-9]{1,6})\.(?:jpg|png)", re.ASCII)
IDENTITY_ROW = re.compile(r"([0-9]{1,6})\.(?:jpg|png)\s+([0-9]{1,6})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class CelebOptions:
    """How many sources are chosen, the side of an image in pixels, and the seed of the choice."""

    sources: int = 275
    size: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        if self.sources < 1:
            raise ToonbenchError(f"sources is {self.sources}: give 1 or more")
        if self.size < 8:
            raise ToonbenchError(f"size is {self.size}: give 8 or more pixels")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """One image to prepare; picklable for worker processes."""

    number: int
    source: Path
    original: str
    identity: str
    out: Path
    options: CelebOptions

    @property
    def id(self) -> str:
        return f"celebahq-{self.number:05}"

    @property
    def file(self) -> str:
        return f"images/{self.id}.png"

    @property
    def done(self) -> Path:
        return self.out / "items" / f"{self.id}.json"

    @property
    def stamp(self) -> str:
        """A text that changes when the image, its identity or its size changes."""
        facts = self.source.stat()
        text = f"{VERSION}|{self.original}|{self.identity}|{self.options.size}|{facts.st_size}:{facts.st_mtime_ns}"
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def prepare_celebahq(
    images: Path,
    *,
    out: Path,
    mapping: Path | None = None,
    identities: Path | None = None,
    options: CelebOptions | None = None,
    pool: Pool = IN_PROCESS,
) -> Summary:
    """Choose source images, resize them, and write them as a data set. An image that cannot be read is replaced by the next one.

    `mapping` is CelebA-HQ-to-CelebA-mapping.txt and `identities` is identity_CelebA.txt, both or none. The bytes do not depend on the
    workers or on interruptions. Raises ToonbenchError for a folder without images, unusable files, and if the output cannot be written.
    """
    options = options or CelebOptions()
    people = read_identities(mapping, identities)
    found, notes = find_images(images, out=out)
    order = sorted(found, key=lambda number: _rank(number, seed=options.seed))
    if people is not None:
        order, more = _one_of_each(order, people)
        notes += more
    else:
        notes.append("identities: not known, so that two sources may show one person; give --mapping and --identities")
    items = [
        _Item(
            number=number,
            source=found[number],
            original=legible(PurePosixPath(found[number].relative_to(images).as_posix())),
            identity=f"celeba-{people[number]}" if people else f"celebahq-{number:05}",
            out=out,
            options=options,
        )
        for number in order
    ]
    with own_folder(out, command="prepare-celebahq"):
        rows, failures = _make(items, options.sources, pool)
        notes.append(f"{len(rows)} of {options.sources} sources made, of {len(found)} images; CelebA-HQ has {WHOLE:,}")
        if len(found) < WHOLE:
            notes.append("the folder is not the whole of CelebA-HQ, so that other folders give other sources")
        text, title = "Prepared by `toonbench prepare-celebahq`.", "CelebA-HQ, chosen sources"
        return write_set(out, rows, failures, notes=notes, text=text, title=title)


def find_images(images: Path, *, out: Path) -> tuple[dict[int, Path], list[str]]:
    """The images of a folder by their numbers, and lines about what was left out. Raises ToonbenchError if there are none."""
    if not images.is_dir():
        raise ToonbenchError(f"{images} is not a folder: give the folder of the images")
    found: dict[int, Path] = {}
    others = again = 0
    for path in _files(images, out=out):
        if not NAME.fullmatch(path.stem) or path.suffix.lower() not in SUFFIXES:
            others += 1
            continue
        again += int(path.stem) in found
        found.setdefault(int(path.stem), path)
    if not found:
        raise ToonbenchError(
            f"{images} has no images of CelebA-HQ ({others} other files): name them by number, as 00000.jpg"
        )
    notes = [f"{others} files are no images named by number, and were left out"] if others else []
    if again:
        notes.append(
            f"{again} files have a number that another file has; PNG is used before JPEG, then the first by path"
        )
    return found, notes


def _files(root: Path, *, out: Path) -> Iterator[Path]:
    """The files of a folder, PNG first."""
    paths = list[Path]()
    for place, folders, names in os.walk(root):
        folders[:] = folders_to_read(Path(place), folders, out=out)
        paths += [Path(place, name) for name in names if not name.startswith(".")]
    yield from sorted(paths, key=lambda path: (path.suffix.lower() != ".png", str(path)))


def read_identities(mapping: Path | None, identities: Path | None) -> dict[int, int] | None:
    """The identity of every image by its number, or None without the two files. Raises ToonbenchError for one of them alone."""
    if mapping is None and identities is None:
        return None
    if mapping is None or identities is None:
        given, missing = ("mapping", "identities") if identities is None else ("identities", "mapping")
        raise ToonbenchError(f"--{given} is given without --{missing}: give both, or none")
    files = _rows(mapping, MAPPING_ROW, "0 119613 119614.jpg (CelebA-HQ-to-CelebA-mapping.txt)", header="idx")
    identity_of = _rows(identities, IDENTITY_ROW, "000001.jpg 2880 (identity_CelebA.txt)")
    people = {number: identity_of[file] for number, file in files.items() if file in identity_of}
    if not people:
        raise ToonbenchError(
            f"{identities} has none of the CelebA files that {mapping} names: give the files of one version of CelebA"
        )
    return people


def _rows(path: Path, form: re.Pattern[str], example: str, *, header: str = "") -> dict[int, int]:
    """The two numbers of every line. Raises ToonbenchError, with the line, for one of another form."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise ToonbenchError(f"{path} is missing: give the file with lines as {example}") from error
    except (OSError, UnicodeError) as error:
        raise ToonbenchError(
            f"{path} cannot be read as text ({error}): give the file with lines as {example}"
        ) from error
    rows: dict[int, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or (number == 1 and line.split()[0] == header):
            continue
        found = form.fullmatch(line.strip())
        if found is None:
            raise ToonbenchError(f"{path}: line {number} is {line.strip()[:80]!r}: lines must be as {example}")
        rows[int(found[1])] = int(found[2])
    return rows


def _rank(number: int, *, seed: int) -> str:
    return hashlib.sha256(f"{seed}|{number}".encode()).hexdigest()


def _one_of_each(order: list[int], people: Mapping[int, int]) -> tuple[list[int], list[str]]:
    """The first image of each identity, in order, and a line about images without one."""
    named = [number for number in order if number in people]
    first = {people[number]: number for number in reversed(named)}
    lines = [f"identities: {len(first)} in {len(named)} images; a source is one image of each"]
    if len(named) < len(order):
        lines.append(f"{len(order) - len(named)} images have no identity in the given files, and were left out")
    return [number for number in named if first[people[number]] == number], lines


def _make(items: list[_Item], count: int, pool: Pool) -> tuple[list[Row], list[Row]]:
    """Rows of the first `count` images that can be read, and of the failures before them."""
    rows: list[Row] = []
    failures: list[Row] = []
    while items and len(rows) < count:
        batch, items = items[: count - len(rows)], items[count - len(rows) :]
        for row in pool.map(_prepare, batch, title="preparing images"):
            (failures if "reason" in row else rows).append(row)
    return rows, failures


def _prepare(item: _Item) -> Row:
    """Prepare one image unless it is prepared already; return its row for the table of clips or of failures."""
    try:
        stamp = item.stamp
    except OSError:
        stamp = ""  # removed meanwhile: reading it reports the error
    stored = read_sealed(item.done)
    if stored and stored["stamp"] == stamp and ("reason" in stored["row"] or (item.out / item.file).exists()):
        return stored["row"]
    row: Row = {"id": item.id, "domain": "real", "kind": "image", "identity": item.identity}
    try:
        row |= _prepared(item)
    except CannotWrite:
        raise
    except ToonbenchError as error:
        row |= {"file": item.original, "reason": str(error).removeprefix(f"{item.source}: ")}
    write_sealed(item.done, {"stamp": stamp, "row": row})
    return row


def _prepared(item: _Item) -> Row:
    """Write the image and return the rest of its row."""
    image = video.read_image(item.source)
    height, width = image.shape[:2]
    if height != width:
        raise ToonbenchError(f"is {width}x{height} pixels, and images of CelebA-HQ are square: give the original")
    path, size = item.out / item.file, item.options.size
    video.write_png(path, cut_out(image, (0, 0, width), size=size))
    return {
        "file": item.file,
        "identity_by": "metadata" if item.identity.startswith("celeba-") else "file",
        "title": "CelebA-HQ",
        "split": "test",
        "fps": 0.0,
        "frames": 1,
        "width": size,
        "height": size,
        "provenance": f"CelebA-HQ {item.number:05}, {item.original} (toonbench prepare-celebahq {VERSION})",
        "licence": LICENCE,
        "original": item.original,
        "picture": f"{width},{height}",
        "box": f"0,0,{width}",
        "sha256": file_sha256(path),
    }
