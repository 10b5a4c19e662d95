"""Parts of cards that several kinds of releases share: escaped text from outside, tables, and statements about use."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from toonbench.data.card import HUB_LICENCES
from toonbench.text import legible

FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)  # the metadata of a card
SPECIAL = "\\`*_{}[]<>#|!~$&"
NO_LICENCE = frozenset(
    {"", "unknown", "none", "n a", "na", "nan", "null", "not stated", "not known", "unspecified", "undefined", "tbd", "todo", "unlicensed",
     "no licence", "no license"}
)  # fmt: skip
MISUSE = """\
## Misuse

Methods that move faces can harm people. Do not use what is published here

- to animate the face of a person who has not agreed to it,
- to deceive about what a person did or said, to harass, or to make sexual or political content of a person,
- to identify persons, or to train systems that identify them or guess their origin, health, or beliefs.

Mark generated videos as generated wherever you show them.
"""
GATE = """\
extra_gated_heading: "Videos of real persons: say who you are and what you do with them"
extra_gated_prompt: "These clips show faces of real persons. You agree to use them for research on face reenactment and its
  detection only, not to identify anyone, not to animate a face to deceive or to harm, not to pass the clips on, and to delete
  clips when you are asked to."
"""
FIELDS = """\
extra_gated_fields:
  Name: text
  Affiliation: text
  Intended use: text
  I agree to these conditions: checkbox"""


def safe(text: str) -> str:
    """Text from outside as Markdown shows it: no markup, no line breaks, nothing that a reader does not see."""
    plain = " ".join(legible(text).split())
    return "".join(f"\\{one}" if one in SPECIAL else one for one in plain)


def quoted(text: str) -> str:
    """Text as a value in YAML: double quotes, characters of any script as they are."""
    return json.dumps(legible(text), ensure_ascii=False)


def states_licence(text: str) -> bool:
    """Whether a text names a licence: it is neither empty nor a word for none."""
    return _words(text) not in NO_LICENCE


def forbids_sharing(text: str) -> bool:
    """Whether a text keeps all rights, so that no one may pass the work on."""
    return "all rights reserved" in _words(text) or _words(text) in ("proprietary", "copyrighted", "confidential")


def _words(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def licence_lines(licence: str) -> list[str]:
    """Lines of a card's metadata: a licence that the Hub knows, or another one by a name that it takes (the card has the text itself)."""
    name = licence.strip().lower()
    if name in HUB_LICENCES:
        return [f"license: {name}"]
    name = re.sub(r"[^a-z0-9.]+", "-", name).strip("-.")[:60] or "other"
    return ["license: other", f"license_name: {quoted(name)}"]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """The lines of a Markdown table; cells are escaped, and numbers are aligned right."""
    body = [
        [one if isinstance(one, str) else f"{one:,}" if isinstance(one, int) else str(one) for one in row]
        for row in rows
    ]
    numeric = [
        bool(body) and all(row[at].replace(",", "").replace(".", "").isdigit() for row in body)
        for at in range(len(head))
    ]
    return [
        f"| {' | '.join(head)} |",
        f"| {' | '.join('---:' if one else '---' for one in numeric)} |",
        *(f"| {' | '.join(map(safe, row))} |" for row in body),
        "",
    ]
