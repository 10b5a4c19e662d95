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

    Raises ToonbenchError for an unknown method, and for a data set whose clips cannot be shown.
    """
    shown = views(leaderboards(entries, ranks=False))
    labels = _chosen(shown, methods)
    items: list[Item] = []
    notes: list[str] = []
    for view in shown:
        found, without = _items(view, labels, data)
        items += found
        if without:
            notes.append(
                f"{view.leaderboard.task}: {without} of {len(view.pairs)} pairs are left out: a file of them is missing"
            )
    numbers, higher = _numbers(shown, labels)
    return Material(methods=labels, items=tuple(items), numbers=numbers, higher=higher, notes=tuple(notes))


def _chosen(shown: Sequence[LeaderboardView], methods: Sequence[str] | None) -> tuple[str, ...]:
    """The labels of the methods to compare, which every leaderboard must have."""
    every = [{one.label: one.entry.method for one in view.methods} for view in shown]
    common = [label for label in every[0] if all(label in found for found in every)]
    if methods is None:
        return tuple(label for label in common if every[0][label] not in DUMMIES)
    for name in methods:
        if name not in common:
            raise ToonbenchError(f"--methods {name}: no such method in all given tasks; they have {', '.join(common)}")
    return tuple(dict.fromkeys(methods))


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
