"""A release of a data set whose films may not be shared: the list of clips, and a card. It has no picture of any film."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from toonbench.data.card import CARD, split_name
from toonbench.data.folder import Dataset
from toonbench.hub.address import MAIN, Address
from toonbench.hub.release import Release, drop_others, own_release_folder, place, release_of
from toonbench.hub.texts import FIELDS, MISUSE, quoted, safe, table
from toonbench.prepare.films.manifest import MANIFEST, Manifest, read_manifest
from toonbench.store import write_bytes
from toonbench.types import ToonbenchError

NAMED = "; the publisher has named some of these groups, perhaps by persons or characters."


def prepare_list(data: Dataset, folder: Path, *, repo: str, revision: str = MAIN, gated: bool = False) -> Release:
    """Make the release of a data set's manifest in `folder`; `gated` is whether readers must ask for access.

    Raises ToonbenchError for a set without a manifest.
    """
    if not (data.root / MANIFEST).is_file():
        raise ToonbenchError(
            f"{data.name} has no {MANIFEST}: --manifest-only is for data sets of films, which `toonbench prepare-cartoon` makes"
        )
    listed = read_manifest(data.root)
    own_release_folder(folder)
    place(data.root / MANIFEST, folder / MANIFEST, copy=True)
    at = Address(repo, revision=revision)
    write_bytes(folder / CARD, _card(listed, name=data.name, at=at, gated=gated).encode())
    drop_others(folder, [MANIFEST, CARD])
    about = {"fingerprint": data.fingerprint, "clips": len(listed.clips), "films": len(listed.films)}
    return release_of(folder, what="list", name=data.name, about=about, gated=gated)


def _card(listed: Manifest, *, name: str, at: Address, gated: bool) -> str:
    splits = Counter(split_name(clip.split) for clip in listed.clips)
    clips = Counter(clip.film for clip in listed.clips)
    films = [
        (film.title or film.id, film.domain, clips[one], film.frames, film.licence or "not stated")
        for one, film in listed.films.items()
    ]
    lines = [
        "---",
        f"pretty_name: {quoted(f'{name} (list of clips)')}",
        "license: other",
        "tags: [toonbench, face-reenactment]",
        "viewer: false",
        *([FIELDS] if gated else []),
        "---",
        "",
        f"# {safe(name)}: list of clips",
        "",
        f"The films of this data set may not be shared. `{MANIFEST}` lists what is needed to make the same {len(listed.clips):,} clips "
        f"from your own copies of its {len(listed.films):,} films: checksums of the films, frames, squares, and checksums of the clips.",
        "",
        "```sh",
        "pip install 'toonbench[hub]'",
        f"toonbench rebuild {at} --films YOUR_FILMS --out clips",
        "```",
        "",
        "A film is found by its checksum. Another copy of it is accepted where its clips look the same, which is marked.",
        "",
        "## Splits",
        "",
        *table(["split", "clips"], sorted(splits.items())),
        "## Films",
        "",
        *table(["title", "domain", "clips", "frames", "licence"], films),
        "## Persons, consent, and personal data",
        "",
        "The list has no pictures. It has titles and names of files of films, and labels that group clips of one face"
        f"{NAMED if any(clip.identity_by == 'review' for clip in listed.clips) else '.'}",
        "",
        MISUSE,
    ]
    return "\n".join(lines)
