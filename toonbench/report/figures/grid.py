"""Qualitative grids as in Fig. 4 to 7 of the paper (source, driving frame, target, methods), and galleries of failures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toonbench.report.figures.choice import Chosen, metric_of, shown, worst_first, worst_frame
from toonbench.report.figures.pictures import PictureRow, Tile, draw_pictures
from toonbench.report.figures.sources import (
    DRIVING,
    SOURCE,
    TARGET,
    Pictures,
    moved_frames,
    tile_of_clip,
    tile_of_output,
)
from toonbench.report.figures.style import PAGE
from toonbench.types import ToonbenchError


def draw_grid(
    path: Path, pictures: Pictures, rows: Sequence[Chosen], *, target: bool = True, width: float = PAGE
) -> None:
    """Write the grid of the chosen pairs. Targets are left out if `target` is False or no pair has one.

    Raises ToonbenchError if there is no pair.
    """
    if not rows:
        raise ToonbenchError(
            "there is no pair to show: the run has no metric with a value for each pair; give --metrics or --pairs"
        )
    target = target and any(row.pair.target is not None for row in rows)
    heads = [SOURCE, DRIVING, *([TARGET] if target else []), *pictures.names]
    drawn = [PictureRow(label=row.label, tiles=_tiles(pictures, row, target=target)) for row in rows]
    draw_pictures(path, drawn, heads=heads, width=width)


def _tiles(pictures: Pictures, row: Chosen, *, target: bool) -> list[Tile]:
    before = [tile_of_clip(row.pair.source, None), tile_of_clip(row.pair.driving, row.frame)]
    own = [tile_of_clip(row.pair.target, row.frame)] if target else []
    return [*before, *own, *(tile_of_output(pictures, entry, row.pair.id, row.frame) for entry in pictures.entries)]


def failures(pictures: Pictures, metrics: Sequence[str], *, count: int = 1, by: int = 0) -> list[Chosen]:
    """The `count` worst pairs of a run by each metric, at their worst frame."""
    entry = pictures.entries[by]
    rows: list[Chosen] = []
    for metric in (metric_of(entry, name) for name in metrics):
        own = [(name, value) for name, value in worst_first(entry, metric) if any(p.id == name for p in pictures.pairs)]
        for name, value in own[:count]:
            pair = pictures.pair(name)
            found = Chosen(
                pair=pair, frame=moved_frames(pair.driving)[0], label=f"{metric.partition('@')[0]}\n{shown(value)}"
            )
            frame = worst_frame(entry, metric, found)
            rows.append(Chosen(pair=pair, frame=frame, label=found.label))
    return rows
