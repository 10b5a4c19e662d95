"""One answer from several face detectors: boxes of one face are merged, and scores are combined.

A face's score is 1 minus the product of (1 - weight x score) over the detectors that found it: two that are half sure
count as much as one that is sure, and one that is unsure is not enough. Boxes are brought to one convention first (that of the
68 landmarks: from the eyebrows to the chin, from ear to ear), so that a merged box does not jump when a detector misses a
frame. The slow detector is asked only where the fast ones leave a candidate undecided, or where fewer than two of them are
available.

Animals are left out by default: detectors that were trained on photographs of people find them, but a detector that knows
both kinds marks them as animals, and its veto removes the face unless the same detector is surer that it is human.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from toonbench.prepare.detection import Box, Detect, Detection, overlap
from toonbench.types import Frame

SAME = 0.3  # overlap (IoU) of two boxes of one face
LEAST, LEAST_LOW = 0.5, 0.35  # combined score of a face
DECIDED = 0.8  # combined score of a candidate that no further detector needs to confirm
DOUBT = 0.15  # combined score below which a candidate is dropped without asking further
VETO = 0.35  # score of an animal's face, from which it is none of a human


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A detector in the fusion.

    `convention` moves the edges of its boxes (left, top, right, bottom) by parts of their width and height, outwards, to
    those of the box around the 68 landmarks; measured on films of puppets.
    """

    name: str
    detect: Detect
    weight: float
    slow: bool = False
    convention: Box = (0.0, 0.0, 0.0, 0.0)


def fused(members: Sequence[Member], *, low: bool = False, animals: bool = False) -> Detect:
    """A detector that asks several. `low` accepts less sure faces, `animals` the faces of animals."""
    fast = [member for member in members if not member.slow]
    slow = [member for member in members if member.slow]

    def detect(frame: Frame) -> list[Detection]:
        found = {member.name: member.detect(frame) for member in fast}
        faces = fuse(found, members, animals=animals)
        if len(fast) < 2 or any(DOUBT < face.score < DECIDED for face in faces):
            found |= {member.name: member.detect(frame) for member in slow}
            faces = fuse(found, members, animals=animals)
        return [face for face in faces if face.score >= (LEAST_LOW if low else LEAST)]

    return detect


def fuse(
    found: Mapping[str, Sequence[Detection]], members: Sequence[Member], *, animals: bool = False
) -> list[Detection]:
    """Merge what the detectors found in one frame, the surest first; `found_by` names those that agree.

    `animals` counts marks of animals as votes; otherwise they are vetoes.
    """
    groups: list[list[tuple[Member, Detection]]] = []
    candidates = [
        (member, replace(one, box=_common(one.box, member.convention)))
        for member in members
        for one in found.get(member.name, ())
    ]
    vetoes = [] if animals else [pair for pair in candidates if pair[1].animal]
    candidates = [pair for pair in candidates if animals or not pair[1].animal]
    candidates.sort(key=lambda pair: -pair[0].weight * pair[1].score)  # stable: equal ones in the order of members
    for member, one in candidates:
        near = [(overlap(one.box, _mean(group)), number) for number, group in enumerate(groups) if _free(group, member)]
        best = max(near, default=(0.0, 0))
        if best[0] >= SAME:
            groups[best[1]].append((member, one))
        elif all(overlap(one.box, _mean(group)) < SAME for group in groups):
            groups.append([(member, one)])
    groups = [group for group in groups if not any(_vetoed(group, *veto) for veto in vetoes)]
    return sorted((_merged(group) for group in groups), key=lambda face: -face.score)


def _vetoed(group: Sequence[tuple[Member, Detection]], member: Member, animal: Detection) -> bool:
    """Whether a detector takes a face for an animal's, and is surer of that than of a human face."""
    human = max((one.score for other, one in group if other.name == member.name), default=0.0)
    return animal.score >= max(VETO, human) and overlap(_mean(group), animal.box) >= SAME


def _free(group: Sequence[tuple[Member, Detection]], member: Member) -> bool:
    """Whether a detector has not yet voted for a face; its second box of one face is dropped."""
    return all(other.name != member.name for other, _ in group)


def _common(box: Box, convention: Box) -> Box:
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    return (
        left - convention[0] * width,
        top - convention[1] * height,
        right + convention[2] * width,
        bottom + convention[3] * height,
    )


def _mean(group: Sequence[tuple[Member, Detection]]) -> Box:
    """The mean of the boxes, weighted by weight and score."""
    weights = [member.weight * one.score for member, one in group]
    left, top, right, bottom = np.average([one.box for _, one in group], axis=0, weights=weights).tolist()
    return left, top, right, bottom


def _merged(group: Sequence[tuple[Member, Detection]]) -> Detection:
    doubt = float(np.prod([1 - member.weight * min(one.score, 1.0) for member, one in group]))
    points = next((one.points for _, one in group if one.points is not None), None)
    return Detection(_mean(group), 1 - doubt, points, tuple(sorted(member.name for member, _ in group)))
