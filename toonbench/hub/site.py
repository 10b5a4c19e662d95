"""A site of results as a release: a static Space."""

from __future__ import annotations

from pathlib import Path

from toonbench.data.card import CARD
from toonbench.hub.release import Release, drop_others, own_release_folder, place, release_of
from toonbench.hub.texts import quoted
from toonbench.store import write_bytes
from toonbench.types import ToonbenchError

INDEX = "index.html"


def prepare_site(site: Path, folder: Path, *, repo: str, copy: bool = True) -> Release:
    """Make the release of a folder of `toonbench site` in `folder`. Raises ToonbenchError for a folder without pages."""
    if not (site / INDEX).is_file():
        raise ToonbenchError(f"{site} has no {INDEX}: give the --out of `toonbench site`")
    if folder.resolve() == site.resolve() or site.resolve() in folder.resolve().parents:
        raise ToonbenchError(f"{folder} is in the site's folder: give another --out")
    if outside := [
        path for path in site.rglob("*") if path.is_symlink() and site.resolve() not in path.resolve().parents
    ]:
        raise ToonbenchError(
            f"{len(outside)} links of {site} lead out of it, for example {outside[0].name}: copy the files, or remove them"
        )
    own_release_folder(folder)
    paths = [path.relative_to(site).as_posix() for path in sorted(site.rglob("*")) if path.is_file()]
    paths = [path for path in paths if not any(part.startswith(".") for part in path.split("/")) and path != CARD]
    for path in paths:
        place(site / path, folder / path, copy=copy)
    write_bytes(folder / CARD, _card(repo).encode())
    drop_others(folder, [*paths, CARD])
    return release_of(folder, what="site", name=repo.partition("/")[2], about={"pages": len(paths)})


def _card(repo: str) -> str:
    lines = [
        "---",
        f"title: {quoted(repo.partition('/')[2])}",
        "colorFrom: blue",
        "colorTo: gray",
        "sdk: static",
        f"app_file: {INDEX}",
        "tags: [toonbench, face-reenactment, leaderboard]",
        "---",
        "",
        "A static site of results of face reenactment, built with `toonbench site`.",
        "",
    ]
    return "\n".join(lines)
