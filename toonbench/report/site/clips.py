"""The clips that a leaderboard's pairs consist of: those of its data set, where that can be opened."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toonbench import registry
from toonbench.compare import ReferenceOf
from toonbench.data import Dataset, shipped
from toonbench.data.open import cache_folder, open_data
from toonbench.evaluate import references
from toonbench.report.leaderboards import Leaderboard, References
from toonbench.report.site.media import ShownFile
from toonbench.report.site.names import digest
from toonbench.score import read_object
from toonbench.sealed import read_sealed, write_sealed
from toonbench.store import Run
from toonbench.types import Clip, Domain, Metric, Motion, Rows, ToonbenchError

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

    def files(self, source: str, driving: str) -> dict[str, ShownFile | str]:
        """The files of a pair's source, driving video and target; a text says why one is not shown."""
        if self.reason:
            return dict.fromkeys(ROLES, self.reason)
        target = self.targets.get((source, driving, self.motion))
        if target is None and source == driving:
            target = self.by_id.get(driving)
        found = {"source": self.by_id.get(source), "driving": self.by_id.get(driving), "target": target}
        return {role: _file_of(clip, role) for role, clip in found.items()}


def _file_of(clip: Clip | None, role: str) -> ShownFile | str:
    if clip is None:
        return "this pair has no target" if role == "target" else "the data set has no clip of this id"
    return clip.problem or ShownFile(path=clip.path, still=role == "source")


def open_sets(data: Sequence[str]) -> list[Dataset]:
    """The named data sets. Raises ToonbenchError for one that cannot be opened."""
    return [open_data(spec) for spec in data]


def clips_of(leaderboard: Leaderboard, given: Sequence[Dataset]) -> Clips:
    """The clips of a leaderboard: of one of the `given` data sets, or of a shipped one."""
    motion, skip = _task(leaderboard.task)
    found = next((_set(one) for one in given if one.id == leaderboard.data), None)
    if found is None:
        if leaderboard.data not in shipped():
            asked = (
                f"--data is {given[0].id}, not {leaderboard.data}"
                if given
                else f"give the data set {leaderboard.data} with --data"
            )
            return Clips(skip=skip, reason=f"not shown here: {asked}")
        try:
            found = _shipped(leaderboard.data)
        except ToonbenchError as error:
            return Clips(skip=skip, reason=f"not shown here: {error}")
    if not leaderboard.about.get("data_fingerprint"):
        return Clips(skip=skip, reason="not shown here: no run of these pairs is scored")
    if found.fingerprint != leaderboard.about.get("data_fingerprint"):
        return Clips(
            skip=skip, reason=f"not shown here: {leaderboard.data} has other clips now than when it was scored"
        )
    return Clips(by_id=found.by_id, targets=found.targets, motion=motion, skip=skip)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Set:
    """The part of a data set that pages need."""

    fingerprint: str
    by_id: Mapping[str, Clip]
    targets: Mapping[tuple[str, str, Motion], Clip]


@functools.cache
def _shipped(name: str) -> _Set:
    """A shipped data set. What it holds is remembered in the user's cache, because opening it reads and checks all its files."""
    root = shipped()[name]
    path = cache_folder() / "site" / f"set-{digest(str(root.resolve()))}.json"
    mark = [one.stat().st_mtime_ns for one in sorted(root.glob("*.parquet"))]
    stored = read_sealed(path)
    if not (stored and stored.get("mark") == mark):
        found = _set(open_data(name))
        targets = [[*key, clip.id, str(clip.path)] for key, clip in found.targets.items()]
        clips = {clip.id: [str(clip.path), clip.domain, clip.problem] for clip in found.by_id.values()}
        made: dict[str, Any] = {"mark": mark, "fingerprint": found.fingerprint, "clips": clips, "targets": targets}
        write_sealed(path, made)
        stored = made
    return _Set(
        fingerprint=stored["fingerprint"],
        by_id={name: _clip(name, *facts) for name, facts in stored["clips"].items()},
        targets={(s, d, m): _clip(name, path, "real") for s, d, m, name, path in stored["targets"]},
    )


def _clip(name: str, path: str, domain: Domain, problem: str = "") -> Clip:
    return Clip(id=name, path=Path(path), domain=domain, problem=problem)


def _set(data: Dataset) -> _Set:
    by_id = {clip.id: clip for clip in data.clips}
    return _Set(fingerprint=data.fingerprint, by_id=by_id, targets=data.targets)


def references_of(given: Sequence[Dataset]) -> References:
    """The reference rows of metrics of whole sets (FID), of a given or a shipped data set, which is opened only for them."""
    places = {name: name for name in shipped()} | {one.id: str(one.root) for one in given}

    def of_runs(runs: Mapping[str, Run]) -> ReferenceOf:
        data = str(read_object(next(iter(runs.values())).description).get("data"))

        def of_metric(metric: Metric) -> tuple[Sequence[Rows], bool]:
            if data not in places:
                raise ToonbenchError(f"not compared, because its reference images are unknown: give {data} with --data")
            return references(runs, data=places[data])(metric)

        return of_metric

    return of_runs


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
