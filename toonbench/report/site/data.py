"""The data of the pair browser: a file for each pair, one for each metric, and the list of pairs, as scripts that call a function.

A page that is opened from a disk cannot fetch JSON, but it can load scripts. A pair's file is loaded when the pair is shown.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toonbench.pool import Pool
from toonbench.report.site.curves import Curve, frame_values, remembered
from toonbench.report.site.folder import write_if_changed
from toonbench.report.site.media import Media
from toonbench.report.site.model import LeaderboardView, PairRow
from toonbench.report.site.names import shown
from toonbench.report.site.table import places_of
from toonbench.store import Run

BATCH = 25  # pairs that a process handles at once
FEW_PAIRS = 100  # pairs that this process handles faster than new processes start
DIGITS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodPart:
    """One method's part of a pair: its run, its row, its encoded video or why there is none, and its curves if they are known."""

    root: Path
    row: PairRow | None
    media: Media | str
    curves: Mapping[str, Curve] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPart:
    """One pair: what is shown of it, and the file to write."""

    name: str
    file: Path
    pair: PairRow
    clips: Mapping[str, Media | str]
    methods: tuple[MethodPart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Pairs of one leaderboard, with the leaderboard's metrics and the number of frames that are not measured."""

    pairs: tuple[PairPart, ...]
    metrics: tuple[str, ...]
    higher: tuple[bool, ...]
    skip: int


@dataclass(frozen=True, slots=True)
class Worst:
    """Where a method is worst on a pair: by metric, the frame with the worst value (None: no curve), for each method."""

    pair: str
    frames: Mapping[str, tuple[int | None, ...]]
    written: int


def script(name: str, value: Any) -> str:
    """A script that hands over a value."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return f"toonbench.receive({json.dumps(name)},{text});\n"


def write_pairs(batches: Sequence[Batch], *, pool: Pool) -> dict[str, Worst]:
    """Write the file of every pair; return the worst frames by pair."""
    few = sum(len(one.pairs) for one in batches) <= FEW_PAIRS
    made = pool.at_most(1 if few else pool.workers).map(_write_batch, batches, title="writing pairs")
    return {one.pair: one for batch in made for one in batch}


def batches_of(
    view: LeaderboardView,
    *,
    out: Path,
    clips: Mapping[str, Mapping[str, Media | str]],
    videos: Mapping[tuple[str, str], Media | str],
    skip: int,
) -> list[Batch]:
    """The pairs of a leaderboard in batches. `clips` are by pair and role, `videos` by label and pair."""
    curves = _curves(view) if len(view.pairs) <= FEW_PAIRS else {}
    parts = [
        PairPart(
            name=view.files[pair.pair],
            file=out / pair_file(view, pair.pair),
            pair=pair,
            clips=clips[pair.pair],
            methods=tuple(
                MethodPart(
                    root=one.entry.root,
                    row=one.rows.get(pair.pair),
                    media=videos[one.label, pair.pair],
                    curves=curves[one.label].get(pair.pair, {}) if one.label in curves else None,
                )
                for one in view.methods
            ),
        )
        for pair in view.pairs
    ]
    higher = tuple(view.higher_is_better(metric) for metric in view.metrics)
    return [
        Batch(pairs=tuple(parts[at : at + BATCH]), metrics=view.metrics, higher=higher, skip=skip)
        for at in range(0, len(parts), BATCH)
    ]


def pair_file(view: LeaderboardView, pair: str) -> str:
    """The file of a pair in the site."""
    return f"data/{view.slug}/pairs/{view.files[pair]}.js"


def leaderboard_files(view: LeaderboardView) -> dict[str, str]:
    """The list of a leaderboard's pairs, and the values of each metric: file to content."""
    metrics = [_metric(view, name) for name in view.metrics]
    leaderboard = {
        "title": shown(f"{view.leaderboard.task} · {view.leaderboard.data}"),
        "methods": [
            {
                "label": shown(one.label),
                "slug": one.slug,
                "page": one.page,
                "reference": one.reference,
                "problem": shown(one.entry.problem),
            }
            for one in view.methods
        ],
        "metrics": metrics,
        "pairs": [
            [
                view.files[one.pair],
                shown(one.pair),
                view.short[one.source],
                view.short[one.driving],
                _failed(view, one.pair),
            ]
            for one in view.pairs
        ],
    }
    files = {f"data/{view.slug}/leaderboard.js": script("leaderboard", leaderboard)}
    for metric in metrics:
        values = [[_round(_value(one.rows.get(p.pair), metric["id"])) for p in view.pairs] for one in view.methods]
        files[f"data/{view.slug}/values-{metric['slug']}.js"] = script(f"values-{metric['slug']}", values)
    return files


def _metric(view: LeaderboardView, name: str) -> dict[str, Any]:
    return {
        "id": name,
        "slug": view.metric_pages[name],
        "name": view.metric_name(name),
        "higher": view.higher_is_better(name),
        "places": places_of(view, name),
    }


def _failed(view: LeaderboardView, pair: str) -> int:
    """How many methods have no result for a pair."""
    rows = [one.rows.get(pair) for one in view.methods if one.rows]
    return sum(row is None or bool(row.failure) for row in rows)


def _value(row: PairRow | None, metric: str) -> float:
    return row.values.get(metric, math.nan) if row else math.nan


def _round(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def _write_batch(batch: Batch) -> list[Worst]:
    return [_write_pair(pair, batch) for pair in batch.pairs]


def _write_pair(part: PairPart, batch: Batch) -> Worst:
    curves: dict[str, list[list[float | None]]] = {}
    worst: dict[str, tuple[int | None, ...]] = {}
    for metric, higher in zip(batch.metrics, batch.higher, strict=True):
        found = [_curve(one, metric, part.pair.pair) for one in part.methods]
        if any(found):
            curves[metric] = found
            worst[metric] = tuple(_worst_frame(one, higher=higher, skip=batch.skip) for one in found)
    content = {
        "pair": shown(part.pair.pair),
        "source": shown(part.pair.source),
        "driving": shown(part.pair.driving),
        "clips": {role: _media(one) for role, one in part.clips.items()},
        "methods": [
            {**_media(one.media), "failure": shown(one.row.failure if one.row else "")} for one in part.methods
        ],
        "skip": batch.skip,
        "values": [[_round(_value(one.row, metric)) for one in part.methods] for metric in batch.metrics],
        "curves": curves,
    }
    written = write_if_changed(part.file, script(f"pair-{part.name}", content).encode())
    return Worst(part.pair.pair, worst, int(written))


def _curves(view: LeaderboardView) -> dict[str, dict[str, dict[str, Curve]]]:
    """The curves of each method, by label, pair and metric."""
    found: dict[str, dict[str, dict[str, Curve]]] = {}
    for one in view.methods:
        values = [(pair, metric, _value(row, metric)) for pair, row in one.rows.items() for metric in view.metrics]
        found[one.label] = remembered(one.entry.root, values)
    return found


def _curve(one: MethodPart, metric: str, pair: str) -> Curve:
    if one.curves is not None:
        return one.curves.get(metric, [])
    return frame_values(Run(one.root), metric, pair, value=_value(one.row, metric))


def _worst_frame(curve: Sequence[float | None], *, higher: bool, skip: int) -> int | None:
    """The frame of the video with the worst value."""
    measured = [(value, at) for at, value in enumerate(curve) if value is not None]
    return skip + (min if higher else max)(measured, key=lambda one: one[0])[1] if measured else None


def _media(media: Media | str) -> dict[str, Any]:
    if isinstance(media, str) or media.problem:
        return {"reason": shown(media if isinstance(media, str) else media.problem)}
    return {
        "key": media.key,
        "frames": media.frames,
        "fps": round(media.fps, 4),
        "width": media.width,
        "height": media.height,
    }
