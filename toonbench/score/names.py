"""From the names of files to the pairs that they belong to: pure functions over text.

A template such as `{source}--{driving}` is compared with the path of a file in its folder, without the suffix. The names of
sources and driving videos are the ids of clips and the names of the user's own files.
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from toonbench.tasks.listed import clip_names
from toonbench.types import Clip, Pair, ToonbenchError

Role = Literal["pair", "source", "driving"]
ROLES: tuple[Role, ...] = ("pair", "source", "driving")
PLACE = re.compile(r"\{(\w*)\}|(\*)")
Found = Mapping[str, frozenset[str]]  # a name to the ids that have it

OWN = "{pair}"
TWO_NAMES = (  # the first four state their order; the others are tried in both
    "{source}--{driving}",  # LivePortrait
    "{source}##{driving}",  # SadTalker
    "{source}~{driving}",
    "{source}/{driving}",
    "{driving}--{source}",
    "{driving}-{source}",  # first-order model
    "{source}-{driving}",
    "{source}_{driving}",
    "{driving}_{source}",
    "{source}__{driving}",
    "{driving}__{source}",
    "{source}_to_{driving}",
    "{driving}_to_{source}",
    "{source}-to-{driving}",
    "{driving}-to-{source}",
    "{source}+{driving}",
    "{driving}+{source}",
    "{driving}/{source}",
)
ONE_NAME = ("{driving}", "{source}")
STATED = frozenset(TWO_NAMES[:3])  # the tool that writes it defines the order
TOOLS = {"{source}--{driving}": "LivePortrait", "{source}##{driving}": "SadTalker", "{driving}-{source}": "FOMM"}

# Words before or after a name, and what such a file is.
TWINS = {
    "concat": "concat concatenated compare comparison grid collage vis sidebyside strip",
    "preview": "preview small lowres",
    "thumbnail": "thumb thumbnail poster cover screenshot",
    "temporary": "temp tmp partial unfinished",
    "enhanced": "enhanced enhance gfpgan codeformer restored restoreformer realesrgan sr upscaled superres",
    "mask": "mask masks matte alpha",
}
KIND_OF = {word: kind for kind, words in TWINS.items() for word in words.split()}
NEUTRAL_WORDS = (
    "result results output out generated gen pred prediction fake animation animated animate final video crop cropped "
    "reenacted reenactment synthesized full audio with sync frames png img images"
)
NEUTRAL = frozenset(NEUTRAL_WORDS.split())
WORDS = NEUTRAL | {*KIND_OF}
SIDE = re.compile(r"[_\-. ]+")
LAST = re.compile(r"(?P<rest>.*[^_\-. ])[_\-. ]+(?P<word>[^_\-. ]+)$", re.DOTALL)
FIRST = re.compile(r"(?P<word>[^_\-. ]+)[_\-. ]+(?P<rest>[^_\-. ].*)$", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """What names can mean: the ids of pairs and clips by their names, and the pair of each two clips in the task."""

    names: Mapping[Role, Found]
    pair_of: Mapping[tuple[str, str], str]

    def pairs(self, bound: Mapping[Role, str]) -> set[str]:
        """The pairs that names in these roles mean; empty if the clips are known and are no pair of the task."""
        if "pair" in bound:
            return {*self.names["pair"][bound["pair"]]}
        ids = {role: self.names[role][name] for role, name in bound.items()}
        if len(ids) == 2:
            keys = itertools.product(ids["source"], ids["driving"])
            return {self.pair_of[key] for key in keys if key in self.pair_of}
        at, allowed = (0, ids["source"]) if "source" in ids else (1, ids["driving"])
        return {pair for key, pair in self.pair_of.items() if key[at] in allowed}


def naming_of(pairs: Sequence[Pair], clips: Iterable[Clip]) -> Naming:
    """The names of the clips of a data set, in the roles that they can have in the pairs' domains."""
    clips = [*clips, *(clip for pair in pairs for clip in (pair.source, pair.driving))]
    from_domains = {pair.source.domain for pair in pairs}
    to_domains = {pair.driving.domain for pair in pairs}
    return Naming(
        names={
            "pair": {pair.id: frozenset([pair.id]) for pair in pairs},
            "source": _index(clip for clip in clips if clip.domain in from_domains),
            "driving": _index(clip for clip in clips if clip.kind == "video" and clip.domain in to_domains),
        },
        pair_of={(pair.source.id, pair.driving.id): pair.id for pair in pairs},
    )


def plain(name: str) -> str:
    """One form for names that look the same (NFC)."""
    return unicodedata.normalize("NFC", name)


def _index(clips: Iterable[Clip]) -> Found:
    found: dict[str, set[str]] = {}
    for clip in clips:
        for name in clip_names(clip):
            found.setdefault(name, set()).add(clip.id)
    return {name: frozenset(ids) for name, ids in found.items()}


def check_template(text: str) -> str:
    """The template without the suffix of a video. Raises ToonbenchError for one that names no pair."""
    roles = {role for kind, role in tokens(text) if kind == "role"}
    if wrong := sorted(roles - {*ROLES}):
        raise ToonbenchError(
            f"--names {text}: {{{wrong[0]}}} is not known; write {{source}}, {{driving}}, {{pair}} or *"
        )
    if not roles:
        raise ToonbenchError(f"--names {text}: it names no pair; write for example {{source}}--{{driving}}.mp4")
    return re.sub(r"\.(?:[A-Za-z0-9]{2,4}|\*)$", "", text)


@functools.lru_cache(maxsize=64)
def tokens(text: str) -> tuple[tuple[str, str], ...]:
    """A template as its parts: ("text", words), ("role", name) and ("any", "*")."""
    parts: list[tuple[str, str]] = []
    at = 0
    for place in PLACE.finditer(text):
        if text[at : place.start()]:
            parts.append(("text", text[at : place.start()]))
        parts.append(("any", "*") if place[2] else ("role", place[1]))
        at = place.end()
    return (*parts, ("text", text[at:])) if text[at:] else tuple(parts)


def readings(template: str, text: str, naming: Naming) -> Iterator[dict[Role, str]]:
    """Every way to read `text` by a template with known names: role to name."""
    yield from _read(tokens(template), text, {}, naming)


def _read(
    parts: tuple[tuple[str, str], ...], text: str, bound: dict[Role, str], naming: Naming
) -> Iterator[dict[Role, str]]:
    if not parts:
        if not text:
            yield bound
        return
    (kind, value), *rest = parts
    if kind == "text":
        if text.startswith(value):
            yield from _read(tuple(rest), text[len(value) :], bound, naming)
        return
    role: Role | None = next((one for one in ROLES if one == value), None)
    if role is not None and role in bound:
        if text.startswith(bound[role]):
            yield from _read(tuple(rest), text[len(bound[role]) :], bound, naming)
        return
    for end in range(1, len(text) + 1) if rest else [len(text)]:
        start = text[:end]
        if role is None and "/" not in start:
            yield from _read(tuple(rest), text[end:], bound, naming)
        elif role is not None and start in naming.names[role]:
            yield from _read(tuple(rest), text[end:], {**bound, role: start}, naming)


@dataclass(frozen=True, slots=True)
class Stem:
    """A file's path without its suffix, without words at the edges of the name; `kind` says what such a word marks."""

    parts: tuple[str, ...]
    kind: str = ""
    exact: bool = True

    def text(self, template: str) -> str:
        """As many of the last parts as the template has."""
        return "/".join(self.parts[-1 - template.count("/") :])


def stems(path: PurePosixPath, *, folder: bool = False) -> Iterator[Stem]:
    """The name as it is, then without the words of TWINS and NEUTRAL at its edges, one after another.

    A file whose whole name is such a word (`result.mp4`) has the name of its folder.
    """
    name = path.name if folder else path.name.removesuffix(path.suffix)
    parts = tuple(plain(part) for part in (*path.parts[:-1], name))
    exact, kind = True, ""
    while True:
        yield Stem(parts, kind, exact)
        word, shorter = _without_word(parts)
        if not word:
            return
        parts, exact = shorter, False
        kind = kind or KIND_OF.get(word, "")


def _without_word(parts: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """A word at an edge of the last part, and the parts without it; an empty word if there is none."""
    *folders, name = parts
    if folders and name.lower() in WORDS:
        return name.lower(), tuple(folders)
    for edge in (LAST, FIRST):
        if (found := edge.match(name)) and found["word"].lower() in WORDS:
            return found["word"].lower(), (*folders, found["rest"])
    return "", parts


def marked(path: PurePosixPath) -> str:
    """What a file that belongs to no pair is by any word of its name, or an empty string."""
    words = [word.lower() for word in SIDE.split(path.name.removesuffix(path.suffix))]
    return next((KIND_OF[word] for word in words if word in KIND_OF), "")
