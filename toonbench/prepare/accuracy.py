"""How well shots are found: changes found in films against those that are known.

What is known comes from the truth of `make-films`, or from a labelled JSON file. One JSON form is written here:
{"frames": 320, "changes": [{"kind": "dissolve", "start": 138, "end": 150}]}, with frames counted from 0, `end` after the last one, and
`start` = `end` = the first frame of the new shot for a cut. Files with other keys of the same meaning are read too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toonbench.prepare.shots.transition import Transition
from toonbench.store import read_json
from toonbench.types import ToonbenchError

TOLERANCE = 2  # frames between a found boundary and a true change
DRAWING = "drawing"  # a switch between two drawings of one character in one pose
NAMES = {
    "cut": "cut", "hard_cut": "cut", "dissolve": "dissolve", "cross_fade": "dissolve", "wipe": "wipe", "fade": "fade",
    "fade_black": "fade", "fade_white": "fade", "fade_through_black": "fade", "fade_through_white": "fade", DRAWING: DRAWING,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A true change of shots in the frames [start, end): cut, dissolve, wipe, fade or drawing."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundTruth:
    """The true changes of a film. Frames of `unknown` ranges are not judged."""

    frames: int
    changes: tuple[Change, ...]
    unknown: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Found, missed and false changes."""

    found: int = 0
    missed: int = 0
    false: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(found=self.found + other.found, missed=self.missed + other.missed, false=self.false + other.false)

    @property
    def precision(self) -> float | None:
        """The share of what was found that is true; None if nothing was found."""
        return self.found / (self.found + self.false) if self.found + self.false else None

    @property
    def recall(self) -> float | None:
        """The share of what is true that was found; None if there was nothing to find."""
        return self.found / (self.found + self.missed) if self.found + self.missed else None

    @property
    def f1(self) -> float | None:
        """The harmonic mean of precision and recall; None if there was nothing to find and nothing was found."""
        whole = 2 * self.found + self.missed + self.false
        return 2 * self.found / whole if whole else None


def read_truth(path: Path) -> GroundTruth:
    """The true changes in the JSON file of a film. Raises ToonbenchError for a file of another form."""
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("frames"), int):
        raise ToonbenchError(
            f"{path}: states no number of frames; give the truth of a film as docs/curation.md describes it"
        )
    try:
        return _film(content) if "shots" in content else _labelled(content)
    except (KeyError, TypeError, ValueError) as error:
        raise ToonbenchError(
            f"{path}: cannot be read as the truth of a film ({error}); see docs/curation.md for its form"
        ) from error


def _film(content: Mapping[str, Any]) -> GroundTruth:
    """The truth of a film of puppets; its first and last fades are no changes of shots, and are not judged."""
    changes: list[Change] = []
    unknown = [(int(content["ending"]["start"]), int(content["ending"]["end"]))]
    for shot in content["shots"]:
        into = shot["transition_in"]
        if shot["start"] == 0:
            unknown.append((int(into["start"]), int(into["end"])))
        else:
            changes.append(_change(into["kind"], into["start"], into["end"]))
    return GroundTruth(frames=content["frames"], changes=tuple(changes), unknown=tuple(unknown))


def _labelled(content: Mapping[str, Any]) -> GroundTruth:
    changes = [_change(one["kind"], one["start"], one["end"]) for one in content.get("changes", [])]
    changes += [_change("cut", at, at) for at in content.get("hard_cut_first_frames", [])]
    changes += [_change(DRAWING, at, at) for at in content.get("switch_frames", [])]
    changes += [one for event in content.get("events", []) if (one := _event(event))]
    unknown = [(int(first), int(last)) for first, last in content.get("unknown", [])]
    return GroundTruth(
        frames=content["frames"],
        changes=tuple(sorted(changes, key=lambda one: (one.start, one.end))),
        unknown=tuple(unknown),
    )


def _event(event: Mapping[str, Any]) -> Change | None:
    """A change in a list of events; None for the other events, which are the parts of the film."""
    if "first_frame_of_new_shot" in event:
        return _change(event["type"], event["first_frame_of_new_shot"], event["first_frame_of_new_shot"])
    if "first_frame" in event:
        return _change(event["type"], event["first_frame"], event["last_frame"] + 1)
    return None


def _change(kind: str, start: int, end: int) -> Change:
    if kind not in NAMES:
        raise ValueError(f"a change is {kind!r}; known are {', '.join(NAMES)}")
    return Change(kind=NAMES[kind], start=int(start), end=int(end))


def compare(found: Sequence[Transition], truth: GroundTruth, *, tolerance: int = TOLERANCE) -> dict[str, Counts]:
    """Counts by kind; a false one counts as the kind that it was found as. Each true change matches one found boundary.

    A boundary in the frames of a true change, or at most `tolerance` frames beside them, is correct.
    """
    counts: dict[str, Counts] = {}
    used: set[int] = set()
    for true in truth.changes:
        near = [
            at
            for at, one in enumerate(found)
            if at not in used and true.start - tolerance <= one.middle <= true.end + tolerance
        ]
        if near:
            used.add(min(near, key=lambda at: abs(2 * found[at].middle - true.start - true.end)))
        one = Counts(found=1) if near else Counts(missed=1)
        counts[true.kind] = counts.get(true.kind, Counts()) + one
    for at, one in enumerate(found):
        if at not in used and not _is_unknown(one, truth, tolerance):
            kind = NAMES[one.kind]
            counts[kind] = counts.get(kind, Counts()) + Counts(false=1)
    return counts


def _is_unknown(one: Transition, truth: GroundTruth, tolerance: int) -> bool:
    ranges = [*truth.unknown, *((true.start, true.end) for true in truth.changes if true.end > true.start)]
    return any(first - tolerance <= one.end and one.start <= last + tolerance for first, last in ranges)


def total(counts: Iterable[Mapping[str, Counts]]) -> dict[str, Counts]:
    """The sums over films, by kind."""
    sums: dict[str, Counts] = {}
    for one in counts:
        for kind, count in one.items():
            sums[kind] = sums.get(kind, Counts()) + count
    return sums


def compare_groups(found: Mapping[str, str], truth: Mapping[str, str]) -> Counts:
    """Counts of pairs of clips: together in both, in the truth only, in what was found only. Both map ids to the name of a group.

    A clip that is missing, or whose name is empty, is in no group. Clips that the truth does not have are ignored.
    """
    pairs = [(found.get(name, ""), true) for name, true in truth.items()]
    both = _pairs((group, true) for group, true in pairs if group and true)
    return Counts(
        found=both,
        missed=_pairs(true for _, true in pairs if true) - both,
        false=_pairs(group for group, _ in pairs if group) - both,
    )


def _pairs(groups: Iterable[object]) -> int:
    return sum(count * (count - 1) // 2 for count in Counter(groups).values())


def group_names(groups: Iterable[Sequence[str]]) -> dict[str, str]:
    """The groups as a map from a clip to the first clip of its group, as `compare_groups` takes them."""
    return {name: group[0] for group in groups for name in group}
