"""What all figures share: fonts and colours, text of any origin, and files whose bytes depend on the content only."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toonbench.store import writing
from toonbench.text import one_line
from toonbench.types import ToonbenchError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMN, PAGE = 3.3, 6.9  # inches: the width of a column, and of two
COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#e69f00",
    "#000000",
)  # Okabe and Ito's, in another order
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":", "-", "--", "-.")
VECTOR, PICTURES = (".pdf", ".svg"), (".png", ".pdf")
SETTINGS: Any = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "pdf.fonttype": 42,  # text stays text
    "svg.fonttype": "path",
    "svg.hashsalt": "toonbench",
    "text.parse_math": False,  # a name with $ is a name
}
METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "ModDate": None, "Producer": None, "Creator": None},
    ".svg": {"Date": None, "Creator": None},
}


def check_suffix(path: Path, allowed: tuple[str, ...]) -> None:
    """Raise ToonbenchError for a file of another format."""
    if path.suffix.lower() not in allowed:
        raise ToonbenchError(f"--out {path}: name a file that ends with {' or '.join(allowed)}")


def save(figure: Figure, path: Path, *, dpi: float = 300) -> None:
    """Write a figure; equal figures give equal bytes."""
    import matplotlib as mpl

    kind = path.suffix.lower()
    with mpl.rc_context(SETTINGS), writing(path) as temporary:
        figure.savefig(temporary, format=kind[1:], dpi=dpi, metadata=METADATA[kind])


def drawable(text: str, *, longest: int = 0) -> str:
    """Text in one line that the figures' font can show: other characters become □. More than `longest` characters are cut off."""
    in_font = _characters()
    shown = "".join(one if ord(one) in in_font else "□" for one in one_line(text))
    return f"{shown[: longest - 1]}…" if 0 < longest < len(shown) else shown


@cache
def _characters() -> frozenset[int]:
    """The characters of DejaVu Sans, which comes with matplotlib."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font: Any = get_font(findfont(FontProperties(family="DejaVu Sans")))
    return frozenset(font.get_charmap())


def style_of(at: int) -> dict[str, Any]:
    """Colour, marker and line of the series number `at`: each pair of series differs in more than colour."""
    return {"color": COLOURS[at % 7], "marker": MARKERS[at % 7], "linestyle": LINES[at % 7]}
