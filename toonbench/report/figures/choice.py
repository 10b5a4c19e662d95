"""Which pairs a figure shows: named ones, or the best, middle and worst by a metric, or those of largest motion."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from toonbench.report.entries import Entry
from toonbench.report.figures.sources import Pictures, moved_frames
from toonbench.types import Pair, ToonbenchError

Choose = Literal["best", "median", "worst", "motion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A pair, the frame that is shown, and why it was chosen."""

    pair: Pair
    frame: int
    label: str = ""


def shown(value: float) -> str:
    """A value with three digits, zeros included."""
    return f"{value:#.3g}".rstrip(".")


def metric_of(entry: Entry, name: str) -> str:
    """The id of a metric with a value for each pair in the run. Raises ToonbenchError for another one."""
    usable = [one for one in entry.results if values_of(entry, one)]
    found = next((one for one in usable if name in (one, one.partition("@")[0])), None)
    if found is None:
        raise ToonbenchError(
            f"{entry.root} has no values of pairs by {name}: choose one of {', '.join(usable) or 'none'}"
        )
    return found


def values_of(entry: Entry, metric: str) -> dict[str, float]:
    """The values of a metric in scores.csv by pair, those that are there."""
    with (entry.root / "scores.csv").open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    cells = {row["pair"]: row.get(metric) or "" for row in rows}
    try:
        values = {pair: float(cell) for pair, cell in cells.items() if cell}
    except ValueError as error:
        raise ToonbenchError(
            f"{entry.root / 'scores.csv'} has a value that is no number ({error}): score again"
        ) from error
    return {pair: value for pair, value in values.items() if math.isfinite(value)}


def worst_first(entry: Entry, metric: str) -> list[tuple[str, float]]:
    """Pairs with their values, the worst first; equal ones by id."""
    sign = 1 if entry.results[metric].higher_is_better else -1
    return sorted(values_of(entry, metric).items(), key=lambda item: (sign * item[1], item[0]))


def choose(pictures: Pictures, how: Sequence[Choose], *, metric: str, by: int = 0) -> list[Chosen]:
    """A pair for each of `how`, each pair once; values are those of the run number `by`."""
    order = [(pair, value) for pair, value in worst_first(pictures.entries[by], metric) if _shared(pictures, pair)]
    if not order:
        raise ToonbenchError(f"{pictures.entries[by].root} has no values of pairs by {metric}: give --pairs")
    places = {"worst": 0, "median": len(order) // 2, "best": len(order) - 1}
    chosen: dict[str, Chosen] = {}
    for one in how:
        if one == "motion":
            pair = max(pictures.pairs, key=lambda pair: (_motion(pair), pair.id))
            label = "largest\nmotion"
        else:
            name, value = order[places[one]]
            pair, label = pictures.pair(name), f"{one} {shown(value)}\n{metric.partition('@')[0]}"
        chosen.setdefault(pair.id, Chosen(pair=pair, frame=moved_frames(pair.driving)[0], label=label))
    return [*chosen.values()]


def _shared(pictures: Pictures, pair: str) -> bool:
    return any(one.id == pair for one in pictures.pairs)


def _motion(pair: Pair) -> float:
    from toonbench import video

    small = [frame[::8, ::8].astype(np.float32) for frame in video.iter_frames(pair.driving.path)]
    return max(float(np.abs(frame - small[0]).mean()) for frame in small)


def worst_frame(entry: Entry, metric: str, chosen: Chosen) -> int:
    """The frame of a pair with the worst value, for a metric with a row for each measured frame; otherwise the chosen one."""
    from toonbench import registry

    try:
        measured = registry.load_metric(metric)
    except ToonbenchError:  # a plug-in that is not installed here: only its numbers are known
        return chosen.frame
    rows = None if measured.temporal else entry.run.read_rows(metric, chosen.pair.id)
    skipped = 0 if rows is None else chosen.pair.driving.frames - len(rows)
    if rows is None or not 0 <= skipped <= 1:
        return chosen.frame
    values = np.array([measured.value(rows[at : at + 1]) for at in range(len(rows))])
    if not np.isfinite(values).any():
        return chosen.frame
    return skipped + int(np.nanargmin(values) if measured.higher_is_better else np.nanargmax(values))
