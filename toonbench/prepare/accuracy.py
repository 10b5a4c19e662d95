"""How well shots and tracks are found: what was found in films against what is known.

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

import numpy as np
from numpy.typing import NDArray

from toonbench.prepare.crops import Square, square_around
from toonbench.prepare.detection import Box, overlap
from toonbench.prepare.shots.transition import Transition
from toonbench.prepare.tracks import FaceTrack
from toonbench.store import read_json
from toonbench.types import ToonbenchError

TOLERANCE = 2  # frames between a found boundary and a true change
VISIBLE, SMALLEST, HALF = (
    0.5,
    48,
    0.5,
)  # share of a face and pixels of its box, in this share of its frames: it should be found
NEAR = 0.3  # overlap of a found box and a true one of the same face
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrueTrack:
    """A face in the frames from `start` on: its boxes (n, 4), NaN where it is not visible, and the visible share (n,) of each."""

    shot: int
    identity: str
    start: int
    boxes: NDArray[np.float64]
    visible: NDArray[np.float64]

    def box(self, frame: int) -> NDArray[np.float64] | None:
        """The box in a frame; None where the face is not visible."""
        place = frame - self.start
        inside = 0 <= place < len(self.boxes) and self.visible[place] > 0
        return self.boxes[place] if inside else None

    @property
    def should_be_found(self) -> bool:
        """Whether at least half of the face is visible and its box is at least SMALLEST pixels, in at least half of its frames."""
        sides = np.nan_to_num(self.boxes[:, 2:] - self.boxes[:, :2]).max(axis=1)
        return bool(np.mean((self.visible >= VISIBLE) & (sides >= SMALLEST)) >= HALF)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackCounts:
    """How well the tracks of one film or of several are found: sums, and the measures that follow from them.

    `purities`: of each found track, the share of the frames near a true face that are near its main true track. `false`: tracks
    near no true face. `two_shots`: tracks with frames of another shot. `wrong_ends`: first or last frames in which another shot is visible.
    `crops`: IoU of the square around a found track and that around the true boxes of the same frames. `found` of `expected` true
    tracks are the main one of a found track, in at least half of the frames in which they are visible.
    """

    purities: tuple[float, ...] = ()
    false: int = 0
    two_shots: int = 0
    wrong_ends: int = 0
    crops: tuple[float, ...] = ()
    found: int = 0
    expected: int = 0

    def __add__(self, other: TrackCounts) -> TrackCounts:
        return TrackCounts(
            purities=self.purities + other.purities,
            false=self.false + other.false,
            two_shots=self.two_shots + other.two_shots,
            wrong_ends=self.wrong_ends + other.wrong_ends,
            crops=self.crops + other.crops,
            found=self.found + other.found,
            expected=self.expected + other.expected,
        )

    def lines(self) -> list[str]:
        """The measures as lines of text."""
        least = f", least {min(self.crops):.3f}" if self.crops else ""
        impure = sum(one < 1 for one in self.purities)
        return [
            f"tracks: {len(self.purities)} near true faces, {self.false} elsewhere",
            f"true tracks found: {self.found} of {self.expected}",
            f"purity: {_number(self.purity)} ({impure} of {len(self.purities)} with more than one face)",
            f"crop IoU: {_number(self.crop_iou)}{least}",
            f"tracks with frames of two shots: {self.two_shots}",
            f"first or last frames that show another shot: {self.wrong_ends}",
        ]

    @property
    def purity(self) -> float | None:
        """The mean purity; None if no track is near a true face."""
        return float(np.mean(self.purities)) if self.purities else None

    @property
    def crop_iou(self) -> float | None:
        """The mean IoU of crops; None if no track is near a true face."""
        return float(np.mean(self.crops)) if self.crops else None

    @property
    def recall(self) -> float | None:
        """The share of the expected true tracks that were found; None if there are none."""
        return self.found / self.expected if self.expected else None


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def read_tracks(path: Path) -> list[TrueTrack]:
    """The true tracks in the JSON file of a film of puppets; none if it lists no tracks. Raises ToonbenchError if they are damaged."""
    content = read_json(path)
    try:
        return [_true_track(one) for one in content.get("tracks", [])]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ToonbenchError(
            f"{path}: the true tracks cannot be read ({error}); give a file of the folder truth of make-films"
        ) from error


def _true_track(one: Mapping[str, Any]) -> TrueTrack:
    boxes = np.array([[np.nan] * 4 if box is None else box for box in one["boxes"]], np.float64).reshape(-1, 4)
    return TrueTrack(
        shot=one["shot"],
        identity=one["identity"],
        start=one["start"],
        boxes=boxes,
        visible=np.asarray(one["visible"], np.float64),
    )


def compare_tracks(found: Sequence[FaceTrack], true: Sequence[TrueTrack], truth: GroundTruth) -> TrackCounts:
    """Compare the found tracks of a film with the true ones, both in pixels of the film, and with its true changes of shots."""
    total = TrackCounts(expected=sum(one.should_be_found for one in true))
    covered: dict[int, set[int]] = {}
    for track in found:
        shots = {_shot_at(frame, truth) for frame in range(track.first, track.last)}
        ends = sum(_is_wrong(frame, track, truth) for frame in (track.first, track.last - 1))
        total += TrackCounts(two_shots=int(len(shots) > 1), wrong_ends=ends)
        if track.at:
            near = [_true_at(track, frame, true) for frame in range(track.first, track.last)]
            counts = Counter(one for one in near if one is not None)
            main = counts.most_common(1)[0][0] if counts else None
            total += TrackCounts(false=1) if main is None else _judged(track, true[main], counts[main] / counts.total())
            if main is not None:
                covered.setdefault(main, set()).update(track.first + n for n, one in enumerate(near) if one == main)
    return total + TrackCounts(found=sum(_is_found(one, covered.get(n, set())) for n, one in enumerate(true)))


def _judged(track: FaceTrack, true: TrueTrack, purity: float) -> TrackCounts:
    return TrackCounts(purities=(purity,), crops=(_crop_iou(track, true),))


def _is_found(track: TrueTrack, frames: set[int]) -> bool:
    visible = np.flatnonzero(track.visible >= VISIBLE) + track.start
    return track.should_be_found and sum(int(frame) in frames for frame in visible) >= HALF * len(visible)


def _true_at(track: FaceTrack, frame: int, true: Sequence[TrueTrack]) -> int | None:
    """The true track whose box in a frame overlaps the found one most; None if none does."""
    box = _as_box(track.box_at(frame))
    boxes = [(number, one.box(frame)) for number, one in enumerate(true)]
    fits = [(overlap(box, _as_box(other)), number) for number, other in boxes if other is not None]
    best = max(fits, default=(0.0, 0))
    return best[1] if best[0] >= NEAR else None


def _shot_at(frame: int, truth: GroundTruth) -> int:
    """The number of a frame's shot; in a gradual change the boundary is its middle."""
    return sum((one.start + one.end + 1) // 2 <= frame for one in truth.changes)


def _is_wrong(frame: int, track: FaceTrack, truth: GroundTruth) -> bool:
    """Whether a frame shows another shot than the middle of the track, alone or in a dissolve, wipe or fade."""
    mixed = any(one.start <= frame < one.end for one in truth.changes)
    return mixed or _shot_at(frame, truth) != _shot_at((track.first + track.last) // 2, truth)


def _crop_iou(track: FaceTrack, true: TrueTrack) -> float:
    """The IoU of the square around a found track and that around the true boxes in the same frames."""
    boxes = [box for frame in range(track.first, track.last) if (box := true.box(frame)) is not None]
    own = [track.box_at(frame) for frame in range(track.first, track.last)]
    return overlap(_box_of(square_around(np.array(own))), _box_of(square_around(np.array(boxes))))


def _box_of(square: Square) -> Box:
    left, top, side = square
    return left, top, left + side, top + side


def _as_box(box: NDArray[np.float64]) -> Box:
    left, top, right, bottom = box.tolist()
    return left, top, right, bottom
