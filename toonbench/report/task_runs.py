"""The runs of one task that a table shows: those of the same pairs, with ranks of the methods; and how their videos were made."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toonbench import registry
from toonbench.compare import ReferenceOf
from toonbench.lint import COLUMNS, VERSION
from toonbench.report.entries import Entry
from toonbench.report.leaderboards import Leaderboard, References, leaderboards, rank_of
from toonbench.report.methods import UNRANKED
from toonbench.score.stored import unchanged
from toonbench.store import Run
from toonbench.types import Metric, Rows, ToonbenchError

PUPPETS = "Measured on puppets"  # how the caveat of every puppet set begins
FINGERPRINT = 8  # digits that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRuns:
    """The runs of the same pairs of one task. `ranked` is the leaderboard of the methods, without the dummies.

    `left_out` has a line for each further set of pairs, which this table does not show. `changed` are the folders of runs whose result
    was changed after scoring.
    """

    task: str
    entries: tuple[Entry, ...]
    ranked: Leaderboard | None
    left_out: tuple[str, ...] = ()
    changed: frozenset[Path] = frozenset()

    def legible(self, entry: Entry) -> bool:
        """Whether the numbers of a run are shown: its result can be read and was not changed after scoring."""
        return bool(entry.stored) and entry.root not in self.changed

    def rank(self, entry: Entry, metric: str) -> int | None:
        """The shared rank among the methods; None for a dummy, and where there is none."""
        return rank_of(self.ranked, entry, metric) if self.ranked and entry in self.ranked.entries else None

    def decided(self, metric: str) -> bool:
        """Whether any two methods differ significantly on the metric."""
        found = self.ranked.comparison.metrics if self.ranked and self.ranked.comparison else ()
        return any((row.rank or 0) > 1 for one in found if one.metric == metric for row in one.methods)

    def without_ranks(self, metrics: Sequence[str]) -> list[str]:
        """Why these metrics (names) have no ranks, for those that several methods have a number of."""
        methods = self.ranked.entries if self.ranked else ()
        several = [
            one
            for one in metrics
            if sum(math.isfinite(r.value) for e in methods for n, r in e.results.items() if n.partition("@")[0] == one)
            > 1
        ]
        notes = self.ranked.notes if self.ranked and several else ()
        return [
            note
            for note in notes
            if note.startswith("no ranks") or (" has no ranks" in note and note.partition("@")[0] in several)
        ]

    @property
    def first(self) -> Entry | None:
        """A run whose result can be read, for what all share."""
        return next((entry for entry in self.entries if entry.stored), None)


def on_puppets(entries: Sequence[Entry]) -> bool:
    """Whether numbers are of puppets, which do not compare with those of publications."""
    return any(str(one).startswith(PUPPETS) for entry in entries for one in entry.stored.get("caveats", ()))


def of_data(entries: Sequence[Entry], data: str) -> list[Entry]:
    """The entries of the data set that `data` names: its id, the start of one (`puppets`), or the folder that it was made of.

    Raises ToonbenchError, listing the data sets with runs, if none or several fit.
    """
    ids = list(dict.fromkeys(entry.data for entry in entries))
    name = Path(data).resolve().name if "/" in data or data in (".", "..") else data
    fitting = [one for one in ids if one == name] or [
        one for one in ids if re.fullmatch(re.escape(name) + r"(@\d+|-[0-9a-f]{8})", one)
    ]
    if len(fitting) > 1 and all("@" in one for one in fitting):
        fitting = [max(fitting, key=lambda one: int(one.rpartition("@")[2]))]
    if len(fitting) != 1:
        what = f"runs of {len(fitting)} data sets" if fitting else "no run"
        raise ToonbenchError(
            f"--data {data}: {what} (data sets with runs: {', '.join(fitting or ids) or 'none'}); name one, or give --out"
        )
    return [entry for entry in entries if entry.data == fitting[0]]


def data_name(entries: Sequence[Entry], data: str) -> str:
    """The data set as commands take it: the user's folder, or the id of the runs' data set."""
    return data if Path(data).is_dir() else entries[0].data


def runs_of(
    entries: Sequence[Entry], task: str, *, metrics: Sequence[str], references: References | None = None
) -> TaskRuns:
    """The runs of the task with this name (`real2cartoon`): of its current version, and of the pairs that most runs have.

    `metrics` (names) are ranked.
    """
    current = registry.load_task(task).id
    own = [entry for entry in entries if entry.task.partition("@")[0] == task]
    groups = leaderboards(own, ranks=False)
    if not groups:
        return TaskRuns(task=current, entries=(), ranked=None)
    main = max(groups, key=lambda one: (one.task == current, one.about.get("limit") is None, len(one.entries)))
    methods = [entry for entry in main.entries if entry.method not in UNRANKED]
    ranked = leaderboards(methods, metrics=[*metrics], references=references)[0] if methods else None
    checked = {entry.root: entry for entry in (ranked.entries if ranked else ())}
    return TaskRuns(
        task=main.task,
        entries=tuple(checked.get(entry.root, entry) for entry in main.entries),
        ranked=ranked,
        left_out=tuple(_left_out(one) for one in groups if one is not main),
        changed=frozenset(
            entry.root for entry in main.entries if entry.problem and entry.stored and unchanged(entry.stored)
        ),
    )


def _left_out(other: Leaderboard) -> str:
    """A line about runs of other pairs."""
    methods = ", ".join(dict.fromkeys(other.names.values()))
    limit = other.about.get("limit")
    what = f"limit {limit}" if limit else f"pairs {short(other.about.get('pairs_fingerprint'))}"
    return f"not shown, because they are of other pairs ({other.task}, {what}): {methods}"


def pairs_of(entry: Entry) -> list[str]:
    """The pairs in the table of scores; none if it cannot be read."""
    try:
        with entry.run.scores.open(encoding="utf-8", newline="") as file:
            return [row["pair"] for row in csv.DictReader(file) if row.get("pair")]
    except (OSError, UnicodeDecodeError, csv.Error):
        return []


def sizes(entry: Entry, pair: str) -> Mapping[str, int]:
    """Frames, width and height of a pair's video, from the rows that the linter stored; empty if there are none."""
    try:
        rows = entry.run.read_rows(f"lint@{VERSION}", pair)
    except ToonbenchError:
        return {}
    if rows is None or rows.shape != (1, len(COLUMNS)):
        return {}
    found = dict(zip(COLUMNS, rows[0].tolist(), strict=True))
    return {key: int(found[key]) for key in ("frames", "width", "height")}


def frames_of(entry: Entry) -> int:
    """The frames of all videos of a run, as far as they are known."""
    return sum(row["frames"] for pair in pairs_of(entry) if (row := sizes(entry, pair)))


def references_of(data: str) -> References:
    """The reference rows of metrics of whole sets (FID), found when one of them is ranked: only then is the data set opened."""

    def of_runs(runs: Mapping[str, Run]) -> ReferenceOf:
        def of_metric(metric: Metric) -> tuple[Sequence[Rows], bool]:
            from toonbench.evaluate import references

            return references(runs, data=data)(metric)

        return of_metric

    return of_runs


def short(fingerprint: object) -> str:
    """The first digits of a fingerprint."""
    return str(fingerprint)[:FINGERPRINT]
