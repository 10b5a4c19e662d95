"""The clips that a board's pairs consist of: those of its data set, where that can be opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from toonbench import registry
from toonbench.data import Dataset, shipped
from toonbench.data.open import open_data
from toonbench.report.boards import Board
from toonbench.report.site.media import Wanted
from toonbench.types import Clip, Motion, ToonbenchError

ROLES = ("source", "driving", "target")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clips:
    """The clips of a data set by id, and its targets; none, and the `reason`, where it cannot be opened.

    `motion` says which targets are meant. `skip` is the number of first frames of a video that are not measured.
    """

    by_id: Mapping[str, Clip] = field(default_factory=dict[str, Clip])
    targets: Mapping[tuple[str, str, Motion], Clip] = field(default_factory=dict[tuple[str, str, Motion], Clip])
    motion: Motion = "relative"
    skip: int = 0
    reason: str = ""

    def wanted(self, source: str, driving: str) -> dict[str, Wanted | str]:
        """The files of a pair's source, driving video and target; a text says why one is not shown."""
        if self.reason:
            return dict.fromkeys(ROLES, self.reason)
        target = self.targets.get((source, driving, self.motion))
        if target is None and source == driving:
            target = self.by_id.get(driving)
        found = {"source": self.by_id.get(source), "driving": self.by_id.get(driving), "target": target}
        return {role: _wanted(clip, role) for role, clip in found.items()}


def _wanted(clip: Clip | None, role: str) -> Wanted | str:
    if clip is None:
        return "this pair has no target" if role == "target" else "the data set has no clip of this id"
    return clip.problem or Wanted(path=clip.path, still=role == "source")


def open_sets(data: Sequence[str]) -> list[Dataset]:
    """The named data sets. Raises ToonbenchError for one that cannot be opened."""
    return [open_data(spec) for spec in data]


def clips_of(board: Board, given: Sequence[Dataset]) -> Clips:
    """The clips of a board: of one of the `given` data sets, or of a shipped one."""
    motion, skip = _task(board.task)
    found = next((one for one in given if one.id == board.data), None)
    if found is None:
        if board.data not in shipped():
            asked = f"--data is {given[0].id}, not {board.data}" if given else f"give the data set {board.data} with --data"
            return Clips(skip=skip, reason=f"not shown here: {asked}")
        try:
            found = open_data(board.data)
        except ToonbenchError as error:
            return Clips(skip=skip, reason=f"not shown here: {error}")
    if found.fingerprint != board.about.get("data_fingerprint"):
        return Clips(skip=skip, reason=f"not shown here: {board.data} has other clips now than when it was scored")
    by_id = {clip.id: clip for clip in found.clips}
    return Clips(by_id=by_id, targets=found.targets, motion=motion, skip=skip)


def _task(task: str) -> tuple[Motion, int]:
    """The motion of a task, and how many first frames it does not measure; the usual ones for an unknown task."""
    name, _, version = task.partition("@")
    for one in (task, f"{name.partition('+')[0]}@{version}"):
        try:
            found = registry.load_task(one)
        except ToonbenchError:
            continue
        return found.motion, found.skip
    return "relative", 1
