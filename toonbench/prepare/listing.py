"""What a user's folder contains: clips, files that do not belong to clips, and what could not be looked into."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from toonbench.prepare.metadata import Stated
from toonbench.prepare.names import Rule, clip_id, identity_of, legible, problem_of
from toonbench.types import Domain, Kind

FOLDERS: dict[str, tuple[Domain, Kind]] = {
    "real_videos": ("real", "video"),
    "real_images": ("real", "image"),
    "cartoon_videos": ("cartoon", "video"),
    "cartoon_images": ("cartoon", "image"),
}
_IMAGES = (
    ".png .jpg .jpeg .jpe .jfif .bmp .dib .webp .tif .tiff .ppm .pgm .pnm .tga .heic .heif .avif .jp2 .gif .apng "
    ".arw .cr2 .cr3 .dng .nef .orf .raf .rw2"
)
_VIDEOS = (
    ".mp4 .m4v .mov .qt .mkv .webm .avi .wmv .asf .flv .f4v .mpg .mpeg .m2v .mpv .mp2v .vob .ts .mts .m2ts .3gp .3g2 .ogv "
    ".ogm .mxf .gif .apng .webp .avif .y4m .dv .mjpeg .mjpg .nut .rm .rmvb .divx .m3u8 .amv .h264 .264 .h265 .265 .hevc .ivf"
)
IMAGES, VIDEOS = frozenset(_IMAGES.split()), frozenset(_VIDEOS.split())
STILLS = IMAGES - {".gif", ".apng", ".webp", ".avif"}  # in a folder of videos, these are single frames
NUMBER = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A file, or a folder of frames, that is a clip; `path` is relative to the user's folder."""

    id: str
    path: PurePosixPath
    domain: Domain
    kind: Kind
    identity: str
    rule: Rule
    frames: tuple[str, ...] = ()
    fps: float = 0.0
    problem: str = ""


@dataclass(slots=True)
class Listing:
    """The clips in a fixed order, how many files of which suffix were left out, and remarks about what was not looked into."""

    found: list[Listed] = field(default_factory=list[Listed])
    left_out: Counter[str] = field(default_factory=Counter[str])
    remarks: list[str] = field(default_factory=list[str])

    def lines(self) -> list[str]:
        """What a user should know, one line each."""
        lines = list(self.remarks)
        if self.left_out:
            kinds = ", ".join(f"{count} {suffix}" for suffix, count in sorted(self.left_out.items()))
            lines.append(f"{self.left_out.total()} files that are no clips were left out: {kinds}")
        return lines


def list_folder(root: Path, stated: Mapping[str, Stated]) -> Listing:
    """List the clips of a plain folder. `stated` is the user's metadata by path."""
    listing = Listing()
    for top in FOLDERS:
        if (root / top).is_dir():
            for found in _in_folder(root, root / top, listing, stated):
                listing.found.append(found)
    listing.found = _distinct(
        sorted(listing.found, key=lambda one: (list(FOLDERS).index(one.path.parts[0]), str(one.path)))
    )
    return listing


def natural(name: str) -> tuple[tuple[int, int | str, str], ...]:
    """A sort key that orders numbers by their value: 2.png before 10.png."""
    pieces = NUMBER.split(name)
    return tuple(
        (0, int(piece), piece) if index % 2 else (1, piece.lower(), piece) for index, piece in enumerate(pieces)
    )


def _in_folder(root: Path, place: Path, listing: Listing, stated: Mapping[str, Stated]) -> Iterator[Listed]:
    """The clips of one of FOLDERS, sub-folders included. A link to a folder, and one that cannot be read, become remarks."""
    domain, kind = FOLDERS[place.name]
    allowed = VIDEOS if kind == "video" else IMAGES

    def unreadable(error: OSError) -> None:
        relative = PurePosixPath(os.path.relpath(error.filename, root))
        listing.remarks.append(f"{legible(relative)} cannot be read ({error.strerror}): check its permissions")

    for name, inner, files in os.walk(place, onerror=unreadable):
        folder = Path(name)
        inner[:] = sorted(each for each in inner if not each.startswith("."))
        listing.remarks += links(folder, inner, root=root)
        names = sorted(each for each in files if not each.startswith("."))
        stills = [each for each in names if _suffix(each) in STILLS] if kind == "video" else []
        if stills and folder != place:
            yield _frames(folder, stills, root=root, domain=domain, stated=stated)
        elif stills:
            listing.remarks.append(
                f"{len(stills)} pictures lie in {place.name} itself and were left out: put the frames of each video into a "
                f"folder of its own, or pictures into {place.name.replace('videos', 'images')}"
            )
        others = [each for each in names if each not in stills]
        listing.left_out.update(_suffix(each) or "without a suffix" for each in others if _suffix(each) not in allowed)
        for each in others:
            if _suffix(each) in allowed:
                yield _file(folder / each, root=root, domain=domain, kind=kind, stated=stated)


def links(folder: Path, names: list[str], *, root: Path) -> list[str]:
    """A remark about each of these sub-folders that is a link; `os.walk` does not follow it."""
    links = [
        PurePosixPath((folder / name).relative_to(root).as_posix()) for name in names if (folder / name).is_symlink()
    ]
    return [f"{legible(link)} is a link to a folder and was not followed: give the folder itself" for link in links]


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _file(path: Path, *, root: Path, domain: Domain, kind: Kind, stated: Mapping[str, Stated]) -> Listed:
    relative = PurePosixPath(path.relative_to(root).as_posix())
    return _made(relative, domain=domain, kind=kind, stated=stated)


def _frames(folder: Path, names: list[str], *, root: Path, domain: Domain, stated: Mapping[str, Stated]) -> Listed:
    relative = PurePosixPath(folder.relative_to(root).as_posix())
    return _made(relative, domain=domain, kind="video", stated=stated, frames=tuple(sorted(names, key=natural)))


def _made(
    path: PurePosixPath, *, domain: Domain, kind: Kind, stated: Mapping[str, Stated], frames: tuple[str, ...] = ()
) -> Listed:
    own = stated.get(str(path), Stated())
    identity, rule = identity_of(path, stated=own.identity)
    fps, problem = own.fps(kind)
    return Listed(
        id=clip_id(path, kind=kind, folder=bool(frames)),
        path=path,
        domain=domain,
        kind=kind,
        identity=legible(PurePosixPath(identity)),
        rule=rule,
        frames=frames,
        fps=fps,
        problem=problem_of(path) or problem,
    )


def _distinct(found: list[Listed]) -> list[Listed]:
    """The clips; one whose id another clip has (by letter case or by Unicode form only) gets a problem and an id of its own."""
    taken: dict[str, PurePosixPath] = {}
    clips: list[Listed] = []
    for one in found:
        key = one.id.lower()
        if key in taken:
            problem = (
                one.problem or f"its name is too like {legible(taken[key])} for some file systems: rename one of them"
            )
            number = sum(clip.id.lower().startswith(key) for clip in clips)
            one = _with(one, id=f"{one.id}-same-{number}", problem=problem)
        taken.setdefault(key, one.path)
        clips.append(one)
    return clips


def _with(one: Listed, *, id: str, problem: str) -> Listed:  # noqa: A002 - a field's name
    from dataclasses import replace

    return replace(one, id=id, problem=problem)
