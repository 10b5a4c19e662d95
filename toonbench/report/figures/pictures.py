"""Rows of pictures under column heads, as one figure; a picture that is missing is a tile that says why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from toonbench.report.figures.style import PAGE, SETTINGS, drawable, save
from toonbench.types import Frame

GAP = 0.02  # of a tile's width, between tiles
MARGIN, SIDE = 0.055, 0.34  # inches: the space below column heads, row labels
SPACING = 1.25  # of lines, in sizes of text
MOST_DPI = 400
POINTS = (8.0, 7.0, 6.0, 5.0)  # sizes of text
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
    shown, points = fitted(heads, tile)
    line = SPACING * points / 72
    head = line * max(map(len, shown)) + MARGIN
    heights = [tile * _ratio(row) for row in rows]
    labels, label_points = fitted([row.label for row in rows], min(heights))
    size = (width, head + sum(heights))
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=size)
        top = head
        for row, own, label in zip(rows, heights, labels, strict=True):
            for at, content in enumerate(row.tiles):
                box = (side + at * tile + GAP * tile / 2, top + GAP * own / 2, tile * (1 - GAP), own * (1 - GAP))
                _tile(figure, content, box=box, size=size)
            if row.label:
                _row_label(figure, label, points=label_points, at=(side, top + own / 2), size=size)
            top += own
        for at, lines in enumerate(shown):
            for up, text in enumerate(reversed(lines)):
                place = ((side + (at + 0.5) * tile) / width, 1 - (head - MARGIN - up * line) / size[1])
                figure.text(*place, text, ha="center", va="baseline", fontsize=points)
    save(figure, path, dpi=min(MOST_DPI, max(150.0, _pixels(rows) / (tile * (1 - GAP)))))


def _row_label(
    figure: Any, lines: Sequence[str], *, points: float, at: tuple[float, float], size: tuple[float, float]
) -> None:
    """The lines of a row's label, upright; `at` is the right end and the middle of their place in inches."""
    for number, line in enumerate(lines):
        x = at[0] / 2 + (number - (len(lines) - 1) / 2) * SPACING * points / 72
        figure.text(x / size[0], 1 - at[1] / size[1], line, ha="center", va="center", rotation=90, fontsize=points)


def fitted(texts: Sequence[str], inches: float) -> tuple[list[list[str]], float]:
    """The lines of texts, at most two each, and the largest of POINTS at which all of them are at most `inches` wide.

    A text of one line is broken at a space or behind a dash where it is too wide. What is still too wide ends with an ellipsis.
    """
    given = [[drawable(line) for line in text.split("\n")[:2]] for text in texts]
    for points in POINTS:
        lines = [_broken(some, inches, points) for some in given]
        if all(_width(line, points) <= inches for some in lines for line in some):
            return lines, points
    smallest = POINTS[-1]
    lines = [_broken(some, inches, smallest) for some in given]
    return [[_cut(line, inches, smallest) for line in some] for some in lines], smallest


def _width(text: str, points: float) -> float:
    """The width of a text in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    return text_to_path.get_text_width_height_descent(text, FontProperties(size=points), ismath=False)[0] / 72


def _cut(text: str, inches: float, points: float) -> str:
    if _width(text, points) <= inches:
        return text
    kept = next((at for at in range(len(text) - 1, 0, -1) if _width(f"{text[:at]}…", points) <= inches), 1)
    return f"{text[:kept]}…"


def _broken(lines: list[str], inches: float, points: float) -> list[str]:
    """One line that is too wide as two, of which the longer one is as short as possible."""
    if len(lines) != 1 or _width(lines[0], points) <= inches:
        return lines
    (text,) = lines
    places = [at + 1 for at, one in enumerate(text[:-1]) if one in " -_"]
    if not places:
        return lines
    best = min(places, key=lambda at: max(len(text[:at].rstrip()), len(text[at:])))
    return [text[:best].rstrip(), text[best:]]


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
