"""What a study can show: pairs with the videos of all its methods, from stored runs, with their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeGuard

from toonbench.data import Dataset
from toonbench.report.entries import Entry
from toonbench.report.leaderboards import leaderboards
from toonbench.report.methods import DUMMIES
from toonbench.report.site.clips import clips_of
from toonbench.report.site.media import ShownFile
from toonbench.report.site.model import LeaderboardView, MethodView, PairRow, views
from toonbench.types import ToonbenchError


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A pair of a task with the files to show, and the value of each metric for each method's video."""

    task: str
    pair: str
    source: ShownFile
    driving: ShownFile
    target: ShownFile | None
    videos: Mapping[str, ShownFile]
    scores: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Methods (labels) and items. `numbers`: by metric and method, averaged over tasks; `notes` say what is left out."""

    methods: tuple[str, ...]
    items: tuple[Item, ...]
    numbers: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, "Mapping[str, float]"])
    higher: Mapping[str, bool] = field(default_factory=dict[str, bool])
    notes: tuple[str, ...] = ()


def gather(entries: Sequence[Entry], *, data: Sequence[Dataset] = (), methods: Sequence[str] | None = None) -> Material:
    """The pairs of which all methods have a video. Without `methods`, all methods are compared except the dummies, which check metrics.

    Runs of a task with other pairs are left out if they lack one of the methods. Raises ToonbenchError for an unknown method, for methods
    without common pairs, and for a data set whose clips cannot be shown.
    """
    every = views(leaderboards(entries, ranks=False))
    used, labels = _chosen(every, methods)
    items: list[Item] = []
    notes = [f"{_about(view)}: left out, as a method has no run of these pairs" for view in every if view not in used]
    for view in used:
        found, without = _items(view, labels, data)
        items += found
        if without:
            notes.append(
                f"{view.leaderboard.task}: {without} of {len(view.pairs)} pairs are left out: a file of them is missing"
            )
    numbers, higher = _numbers(used, labels)
    return Material(methods=labels, items=tuple(items), numbers=numbers, higher=higher, notes=tuple(notes))


def _chosen(
    every: Sequence[LeaderboardView], methods: Sequence[str] | None
) -> tuple[list[LeaderboardView], tuple[str, ...]]:
    """The leaderboards that have runs of all methods to compare, and the labels of these methods."""
    having = [{one.label: one.entry.method for one in view.methods} for view in every]
    labels = dict.fromkeys(label for found in having for label in found)
    if methods is None:
        common = tuple(one for one in labels if all(one in found and found[one] not in DUMMIES for found in having))
        if len(common) < 2 and len(every) > 1:
            raise ToonbenchError(f"the runs have no two methods in common ({_all(every)}): choose with --methods")
        return [*every], common
    for name in methods:
        if name not in labels:
            raise ToonbenchError(f"--methods {name}: no such method; the runs are of {', '.join(labels)}")
    used = [view for view, found in zip(every, having, strict=True) if set(methods) <= set(found)]
    if not used:
        what = f"--methods {' '.join(methods)}: they have no runs of the same pairs ({_all(every)})"
        raise ToonbenchError(f"{what}: evaluate them with the same --limit and --seed")
    return used, tuple(dict.fromkeys(methods))


def _all(every: Sequence[LeaderboardView]) -> str:
    return "; ".join(f"{_about(view)}: {', '.join(one.label for one in view.methods)}" for view in every)


def _about(view: LeaderboardView) -> str:
    return f"{view.leaderboard.task}, {len(view.pairs)} pairs"


def _items(view: LeaderboardView, labels: Sequence[str], data: Sequence[Dataset]) -> tuple[list[Item], int]:
    """The items of a leaderboard, and the number of pairs that are none."""
    clips = clips_of(view.leaderboard, data)
    if clips.reason:
        raise ToonbenchError(f"source images and driving videos of {view.leaderboard.task} are {clips.reason}")
    runs = [next(one for one in view.methods if one.label == label) for label in labels]
    found: list[Item] = []
    for pair in view.pairs:
        files = clips.files(pair.source, pair.driving)
        source, driving, target = files["source"], files["driving"], files["target"]
        videos = {one.label: ShownFile(path=one.entry.run.video(pair.pair)) for one in runs if _safe(pair.pair)}
        if not (_exists(source) and _exists(driving) and videos and all(map(_exists, videos.values()))):
            continue
        found.append(
            Item(
                task=view.leaderboard.task,
                pair=pair.pair,
                source=source,
                driving=driving,
                target=target if _exists(target) else None,
                videos=videos,
                scores=_scores(runs, pair),
            )
        )
    return found, len(view.pairs) - len(found)


def _exists(one: ShownFile | str) -> TypeGuard[ShownFile]:
    return isinstance(one, ShownFile) and one.path.is_file()


def _safe(pair: str) -> bool:
    """A changed scores.csv must not name other files."""
    return not ({"/", "\\", "\0"} & set(pair)) and pair not in ("", ".", "..")


def _scores(runs: Sequence[MethodView], pair: PairRow) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for one in runs:
        row = one.rows.get(pair.pair)
        for metric, value in (row.values if row else {}).items():
            found.setdefault(metric, {})[one.label] = value
    return found


def _numbers(
    shown: Sequence[LeaderboardView], labels: Sequence[str]
) -> tuple[dict[str, dict[str, float]], dict[str, bool]]:
    """The numbers and directions of the metrics that every method has in every leaderboard."""
    numbers: dict[str, dict[str, float]] = {}
    higher: dict[str, bool] = {}
    for metric in dict.fromkeys(name for view in shown for name in view.metrics):
        values: dict[str, list[float]] = {label: [] for label in labels}
        for view in shown:
            for one in view.methods:
                if one.label in values and metric in one.entry.results:
                    values[one.label].append(one.entry.results[metric].value)
        if all(len(found) == len(shown) for found in values.values()):
            numbers[metric] = {label: sum(found) / len(found) for label, found in values.items()}
            higher[metric] = shown[0].higher_is_better(metric)
    return numbers, higher
