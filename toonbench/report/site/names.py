"""Names in the site's addresses, and texts that are shown."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

from toonbench.text import legible

PLAIN = re.compile(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*")
LONGEST = 60  # characters of a name in an address


def digest(text: str) -> str:
    """A short checksum of a text of any origin, fit for a file name."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def slugs(names: Iterable[str]) -> dict[str, str]:
    """Each name to a different lower-case name for addresses; a checksum is added where letters were lost or two are equal."""
    found: dict[str, str] = {}
    used: set[str] = set()
    for name in names:
        simple = re.sub(r"[^a-z0-9._]+", "-", name.lower().replace("@", "-")).strip("-._")[:LONGEST]
        lossless = bool(PLAIN.fullmatch(simple)) and simple == name.lower().replace("@", "-")
        slug = simple if lossless and simple not in used else f"{simple or 'x'}-{digest(name)[:8]}"
        found[name] = slug
        used.add(slug)
    return found


def shared_start(names: Sequence[str]) -> str:
    """What all names begin with, up to the end of a word; empty for fewer than two names."""
    if len(set(names)) < 2:
        return ""
    first, last = min(names), max(names)
    length = next(
        (at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last))
    )
    start = first[:length]
    return start[: max(start.rfind(mark) for mark in "-_. /") + 1]


def shown(text: object) -> str:
    """A text of any origin without characters that a page does not show or that change the direction of other text."""
    return legible(str(text))


def number(value: float, places: int) -> str:
    """A number for people; a dash for NaN. The minus is the typographic one."""
    return "–" if value != value else f"{value:.{places}f}".replace("-", "−")
