"""Which file of a folder is the video of which pair, as people have them: names of common tools, several files for one pair.

A folder is listed (`list_outputs`), and its names are assigned to pairs (`assign`). Which of several files of a pair is measured, and how
it is read, follows from their headers: `toonbench.score.choice`.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from toonbench.prepare.listing import IMAGES, VIDEOS, natural
from toonbench.score.names import (
    ONE_NAME,
    OWN,
    STATED,
    TOOLS,
    TWO_NAMES,
    Naming,
    check_template,
    marked,
    readings,
    stems,
)
from toonbench.types import ToonbenchError

STILLS = IMAGES - {".gif", ".apng", ".webp", ".avif"}
NUMBERED = re.compile(r"(?P<start>\D*)\d+$")
FEW = 3  # names that a line lists
OUTSIDE = "of pairs that the task does not have"


@dataclass(frozen=True, slots=True)
class Item:
    """A file that may be a video, or a folder of numbered pictures; `path` is relative to the folder of outputs."""

    path: PurePosixPath
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a folder contains: items, and how many other files of which kind."""

    items: tuple[Item, ...]
    others: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file of a pair. `exact`: its name is the template's, without a further word."""

    item: Item
    template: str
    kind: str = ""
    exact: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """The candidates of each pair, the files that were left out by kind, and the files that belong to no pair."""

    candidates: Mapping[str, Sequence[Candidate]]
    left_out: Counter[str] = field(default_factory=Counter[str])
    unassigned: tuple[str, ...] = ()


def list_outputs(folder: Path) -> Listed:
    """List a folder of outputs and its sub-folders; hidden files are ignored."""
    items: list[Item] = []
    others: Counter[str] = Counter()
    for name, inner, files in os.walk(folder):
        inner[:] = sorted(each for each in inner if not each.startswith("."))
        place = PurePosixPath(Path(name).relative_to(folder).as_posix())
        names = sorted(each for each in files if not each.startswith("."))
        stills = [each for each in names if _suffix(each) in STILLS]
        if place.parts and _are_frames(stills):
            items.append(Item(place, tuple(sorted(stills, key=natural))))
        else:
            others["picture"] += len(stills)
        others["link to a folder"] += sum((Path(name) / each).is_symlink() for each in inner)
        items += [Item(place / each) for each in names if _suffix(each) in VIDEOS]
        others.update(
            _suffix(each) or "file without a suffix" for each in names if _suffix(each) not in VIDEOS | STILLS
        )
    return Listed(items=tuple(items), others=+others)


def assign(listed: Listed, naming: Naming, *, names: str | None = None, panels: bool = False) -> Assigned:
    """The candidates of each pair by the names of the files. One template holds for the whole folder, beside our own names.

    `names` is the user's template. With `panels`, files that show several videos beside each other are candidates.
    Raises ToonbenchError if names can be read in two ways.
    """
    templates = [check_template(names)] if names else [OWN, *TWO_NAMES, *ONE_NAME]
    found = {template: _by_template(listed.items, template, naming, whole=names is not None) for template in templates}
    if names is None:
        second = _best(found, TWO_NAMES) or _best({k: v for k, v in found.items() if not found[OWN]}, ONE_NAME)
        found = {template: found[template] for template in (OWN, second) if template}
    candidates: dict[str, list[Candidate]] = {}
    left_out, unassigned = Counter(listed.others), list[str]()
    for item in listed.items:
        match = next((matches[item] for matches in found.values() if item in matches), None)
        if match is None:
            kind = marked(item.path)
            left_out[kind] += bool(kind)
            unassigned += [] if kind else [shown(item.path)]
            continue
        pairs, candidate = match
        if len(pairs) > 1:
            raise ToonbenchError(
                f"{shown(item.path)} can be the video of {len(pairs)} pairs, {sorted(pairs)[0]} and {sorted(pairs)[1]}: rename it to "
                f"{sorted(pairs)[0]}{item.path.suffix}, or to the other one"
            )
        is_result = candidate.kind == "concat" if panels and candidate.kind else not candidate.kind
        if not pairs:
            left_out[OUTSIDE] += 1
        elif not is_result:
            left_out[candidate.kind] += 1
        else:
            candidates.setdefault(next(iter(pairs)), []).append(candidate)
    return Assigned(candidates=candidates, left_out=+left_out, unassigned=tuple(unassigned))


Match = tuple[set[str], Candidate]  # the pairs that a name means, none if the task does not have them


def _by_template(items: Iterable[Item], template: str, naming: Naming, *, whole: bool) -> dict[Item, Match]:
    """The items whose names fit a template; with `whole`, without leaving out words."""
    found: dict[Item, Match] = {}
    for item in items:
        names = stems(item.path, folder=bool(item.pictures))
        for stem in (stem for stem in names if stem.exact or not whole):
            ways = [naming.pairs(bound) for bound in readings(template, stem.text(template), naming)]
            if ways:
                found[item] = set[str]().union(*ways), Candidate(item, template, stem.kind, stem.exact)
                break
    return found


def _best(found: Mapping[str, Mapping[Item, Match]], templates: Sequence[str]) -> str:
    """The template that names most pairs, or an empty text. Raises ToonbenchError if another one gives other pairs to many files."""
    counts = {one: len({*_single(found[one]).values()}) for one in templates if one in found}
    best = max(counts, key=lambda one: counts[one], default="")
    if not best or not counts[best]:
        return next((one for one in counts if found[one]), "")
    own = _single(found[best])
    for rival in (one for one in counts if best not in STATED and one != best):
        others = {item: pair for item, pair in _single(found[rival]).items() if own.get(item, pair) != pair}
        if 2 * len(others) >= len(own):
            item = min(others, key=lambda one: str(one.path))
            raise ToonbenchError(
                f"{shown(item.path)} can be {own[item]} (as {best}) or {others[item]} (as {rival}): give --names '{best}' or "
                f"--names '{rival}'"
            )
    return best


def _single(matches: Mapping[Item, Match]) -> dict[Item, str]:
    """The pair of each item whose name means exactly one."""
    return {item: next(iter(pairs)) for item, (pairs, _) in matches.items() if len(pairs) == 1}


def _are_frames(names: Sequence[str]) -> bool:
    """Whether pictures are the numbered frames of one video."""
    found = [NUMBERED.fullmatch(PurePosixPath(name).stem) for name in names]
    return len({one["start"] for one in found if one}) == 1 and all(found)


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def shown(path: PurePosixPath) -> str:
    """A path as text for terminals and JSON, quoted and escaped if it has unprintable characters."""
    return str(path) if str(path).isprintable() else ascii(str(path))


def rule_in_words(template: str) -> str:
    """How files are named, in words."""
    if template == OWN:
        return "named by the pair"
    tool = f", as {TOOLS[template]} writes them" if template in TOOLS else ""
    return f"named {template}{tool}"


def shortened(names: Sequence[str], *, of: int) -> str:
    """At most FEW names of `of`, and how many more there are."""
    shown = names[:FEW]
    return ", ".join(shown) + (f" and {of - len(shown)} more" if of > len(shown) else "")
