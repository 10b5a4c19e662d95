"""Rows of pictures under column heads, as one figure; a picture that is missing is a tile that says why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from toonbench.report.figures.style import PAGE, SETTINGS, drawable, save
from toonbench.types import Frame

GAP = 0.02  # of a tile's width, between tiles
HEAD, SIDE = 0.2, 0.34  # inches: column heads, row labels
MOST_DPI = 400
POINTS = (8.0, 7.0, 6.0)  # sizes of text
WIDE = 0.66  # width of a character in sizes of text
EMPTY = "#e8e8e8"
Tile: TypeAlias = "Frame | str"


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRow:
    """A label at the left, in at most two lines, and a tile for each column: a picture, or why there is none."""

    label: str
    tiles: Sequence[Tile]


def draw_pictures(path: Path, rows: Sequence[PictureRow], *, heads: Sequence[str], width: float = PAGE) -> None:
    """Write the rows as a picture `width` inches wide. Every tile is as high as the first picture of its row demands."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    side = SIDE if any(row.label for row in rows) else 0.0
    tile = (width - side) / len(heads)
    heights = [tile * _ratio(row) for row in rows]
    height = HEAD + sum(heights)
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(width, height))
        top = HEAD
        for row, own in zip(rows, heights, strict=True):
            for at, content in enumerate(row.tiles):
                box = (side + at * tile + GAP * tile / 2, top + GAP * own / 2, tile * (1 - GAP), own * (1 - GAP))
                _tile(figure, content, box=box, size=(width, height))
            if row.label:
                _text(figure, row.label, at=(side * 0.5, top + own / 2), size=(width, height), rotation=90, room=own)
            top += own
        for at, head in enumerate(heads):
            _text(figure, head, at=(side + (at + 0.5) * tile, HEAD * 0.7), size=(width, height), rotation=0, room=tile)
    save(figure, path, dpi=min(MOST_DPI, max(150.0, _pixels(rows) / (tile * (1 - GAP)))))


def _ratio(row: PictureRow) -> float:
    """Height by width of the row's first picture; 1 without one."""
    return next((one.shape[0] / one.shape[1] for one in row.tiles if not isinstance(one, str)), 1.0)


def _pixels(rows: Sequence[PictureRow]) -> int:
    return max((one.shape[1] for row in rows for one in row.tiles if not isinstance(one, str)), default=0)


def _tile(figure: Any, content: Tile, *, box: tuple[float, float, float, float], size: tuple[float, float]) -> None:
    left, top, wide, high = box
    axes = figure.add_axes((left / size[0], 1 - (top + high) / size[1], wide / size[0], high / size[1]))
    axes.set_axis_off()
    if isinstance(content, str):
        axes.set_facecolor(EMPTY)
        axes.patch.set_visible(True)
        axes.add_patch(_background(axes))
        axes.text(
            0.5,
            0.5,
            _wrapped(content, wide),
            ha="center",
            va="center",
            fontsize=6,
            color="#444444",
            transform=axes.transAxes,
        )
        return
    axes.imshow(content, interpolation="auto", aspect="auto" if content.ndim != 3 else "equal")


def _background(axes: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((0, 0), 1, 1, transform=axes.transAxes, facecolor=EMPTY, edgecolor="none")


def _wrapped(text: str, inches: float) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(drawable(text, longest=90), width=max(8, int(inches * 17))))


def _text(
    figure: Any, text: str, *, at: tuple[float, float], size: tuple[float, float], rotation: int, room: float
) -> None:
    """Text of at most two lines around a point, in the largest of three sizes at which it fits into `room` inches."""
    lines = text.split("\n")[:2]
    longest = max(len(line) for line in lines)
    points = next((one for one in POINTS if longest * one * WIDE / 72 <= room), POINTS[-1])
    fits = int(room * 72 / (points * WIDE))
    shown = "\n".join(drawable(line, longest=max(4, fits)) for line in lines)
    x, y = at[0] / size[0], 1 - at[1] / size[1]
    level = "center" if rotation else "baseline"
    figure.text(x, y, shown, ha="center", va=level, fontsize=points, rotation=rotation, linespacing=1.1)
