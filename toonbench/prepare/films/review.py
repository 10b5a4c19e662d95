"""The decisions of a person about clips: a JSON file that the review page saves and the next run reads.

{"toonbench": "review", "version": 1, "clips": {"film-a--000010-000080": {"keep": "drop", "identity": "Nina"}}}

`keep` is "keep", "drop" or absent; `identity` is a name, or absent. Two identities are merged by giving their clips one name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from toonbench.store import read_json
from toonbench.types import ToonbenchError

LONGEST_NAME = 120  # characters of an identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person decided about a clip; empty where nothing was decided."""

    keep: str = ""
    identity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The decisions by clip, and the file they are from."""

    clips: Mapping[str, Decision] = field(default_factory=dict[str, Decision])
    path: Path | None = None

    def check(self, clips: Iterable[str]) -> None:
        """Raise ToonbenchError if decisions are about other clips than these, which are those of the data set."""
        strange = sorted(set(self.clips) - set(clips))
        if strange:
            raise ToonbenchError(
                f"{self.path} decides about {len(strange)} of {len(self.clips)} clips that this data set does not have, for example "
                f"{strange[0]}: it is the review of another run, or of other options; move it away, and review again"
            )


def read_review(path: Path, *, needed: bool = False) -> Review:
    """The decisions in a file; none if it does not exist.

    Raises ToonbenchError for a file of another form, and for an absent one if it is `needed`.
    """
    if not path.exists() and not needed:
        return Review()
    content = read_json(path)
    if not isinstance(content, dict) or cast("dict[str, Any]", content).get("toonbench") != "review":
        raise ToonbenchError(f"{path} is no review of toonbench: give the file that the page review.html saved")
    clips = cast("dict[str, Any]", content).get("clips")
    if not isinstance(clips, dict):
        raise ToonbenchError(f"{path} has no decisions about clips: save it again from the page review.html")
    return Review(clips={str(name): _decision(path, str(name), one) for name, one in clips.items()}, path=path)


def _decision(path: Path, name: str, one: Any) -> Decision:
    if not isinstance(one, dict):
        raise ToonbenchError(f"{path}: the decision about {name} is {one!r}: write an object with keep or identity")
    entry = cast("dict[str, Any]", one)
    keep, identity = entry.get("keep") or "", entry.get("identity") or ""
    if keep not in ("", "keep", "drop"):
        raise ToonbenchError(f"{path}: keep is {keep!r} for {name}: write keep or drop")
    if not isinstance(identity, str) or len(identity) > LONGEST_NAME:
        raise ToonbenchError(
            f"{path}: the identity of {name} is {identity!r}: write a name of at most {LONGEST_NAME} characters"
        )
    return Decision(keep=keep, identity=" ".join(identity.split()))
