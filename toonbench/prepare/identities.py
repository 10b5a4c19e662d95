"""Group the clips of one title by who they show, from the colours of hair, skin and clothes, and where they are.

The face box of a frame, and a little above and below it, is divided into ROWS x COLUMNS cells. A clip's appearance is the median
colour of each cell over its frames. Two clips are alike if the median over cells of the colour difference (CIE 1976, in CIELAB) is at
most ALIKE, and a group holds only clips that are all alike. This is careful: light of another colour, or a turned head, makes two
identities of one character rather than the reverse. Characters who look alike are merged. `docs/curation.md` has figures.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonbench.prepare.duplicates import Edge, complete_linkage
from toonbench.types import Frame, ToonbenchError

ROWS, COLUMNS = 12, 8
ACROSS = (0.02, 0.98)  # of the face box, from left to right
DOWN = (-0.15, 1.2)  # of the face box, from top to bottom: hair, face, collar
POINTS = 6  # sampled in each direction of a cell
KEPT = 32  # frames in memory while a clip is measured
ALIKE = 8.0  # colour difference; 2.3 is just noticeable
INNER = 1 / 12  # margin of a crop that is 1.2 times the face, where no box is given

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Appearance:
    """The colours of a character: (ROWS, COLUMNS, 3) float32, CIELAB."""

    colours: NDArray[np.float32]

    def to_json(self) -> dict[str, Any]:
        """A record that `from_json` reads."""
        return {"colours": base64.b64encode(self.colours.astype("<f4").tobytes()).decode()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Appearance:
        """The appearance of a record. Raises ToonbenchError for a record of another form."""
        try:
            cells = np.frombuffer(base64.b64decode(record["colours"], validate=True), "<f4")
            return cls(cells.reshape(ROWS, COLUMNS, 3).astype(np.float32))
        except (KeyError, TypeError, ValueError) as error:
            raise ToonbenchError(f"an appearance cannot be read ({error}): remove the record, and run again") from error


class IdentityMeter:
    """Measures the appearance of a clip whose crops come one at a time. Memory does not grow with the clip."""

    def __init__(self) -> None:
        self._points: list[Frame] = []
        self._stride = 1
        self._frames = 0

    def add(self, crop: Frame, box: Box | None = None) -> None:
        """Add the next crop, (h, w, 3) uint8 RGB, with its face's (left, top, right, bottom) in pixels of the crop.

        Without a box, the crop is taken for 1.2 times the face.
        """
        if self._frames % self._stride == 0:
            if len(self._points) == KEPT:
                del self._points[1::2]
                self._stride *= 2
            if self._frames % self._stride == 0:
                self._points.append(_points(crop, box or _middle(crop)))
        self._frames += 1

    def finish(self) -> Appearance:
        """The appearance. Raises ToonbenchError if no crop was added."""
        if not self._frames:
            raise ToonbenchError("a clip without frames has no appearance")
        return Appearance(np.median(np.stack([_cells(one) for one in self._points]), axis=0).astype(np.float32))


def appearance(crops: Iterable[Frame], boxes: Iterable[Box] | None = None) -> Appearance:
    """The appearance of a clip."""
    meter = IdentityMeter()
    if boxes is None:
        for crop in crops:
            meter.add(crop)
    else:
        for crop, box in zip(crops, boxes, strict=True):
            meter.add(crop, box)
    return meter.finish()


def identify(features: Mapping[str, Appearance], *, titles: Mapping[str, str], alike: float = ALIKE) -> dict[str, str]:
    """The identity of every clip: `<title>-p<number>`, numbered by the first clip of each.

    Clips of different titles never share an identity, and a clip without a title is an identity of its own, named as the clip.
    The order of the clips changes nothing.
    """
    clips: dict[str, list[str]] = {}
    for name in sorted(features):
        clips.setdefault(titles.get(name, ""), []).append(name)
    identities = {name: name for name in clips.pop("", [])}
    for title, names in clips.items():
        groups = complete_linkage(names, _alike(names, features, alike=alike))
        for number, group in enumerate(groups, start=1):
            identities |= dict.fromkeys(group, f"{title}-p{number}")
    return identities


def difference(one: Appearance, other: Appearance) -> float:
    """The colour difference of two appearances, the median over cells."""
    return float(_differences(one.colours, other.colours[None])[0])


def _alike(names: Sequence[str], features: Mapping[str, Appearance], *, alike: float) -> list[Edge]:
    """(difference, name, name) of the pairs that are alike."""
    colours = np.stack([features[name].colours for name in names])
    edges: list[Edge] = []
    for row, name in enumerate(names):
        apart = _differences(colours[row], colours[row + 1 :])
        pairs = zip(apart.tolist(), names[row + 1 :], strict=True)
        edges += [(value, name, other) for value, other in pairs if value <= alike]
    return edges


def _differences(one: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    apart = np.sqrt(((others - one) ** 2).sum(axis=-1))
    return np.median(apart.reshape(len(others), ROWS * COLUMNS), axis=1)


def _middle(crop: Frame) -> Box:
    height, width = crop.shape[:2]
    return INNER * width, INNER * height, (1 - INNER) * width, (1 - INNER) * height


def _points(crop: Frame, box: Box) -> Frame:
    """The pixels that are looked at, (ROWS * POINTS, COLUMNS * POINTS, 3); edge pixels are repeated where a cell leaves the crop."""
    height, width = crop.shape[:2]
    rows = _places(box[1], box[3], DOWN, ROWS * POINTS, height)
    columns = _places(box[0], box[2], ACROSS, COLUMNS * POINTS, width)
    return crop[rows[:, None], columns]


def _cells(points: Frame) -> NDArray[np.float32]:
    """(ROWS, COLUMNS, 3) the median colour of each cell, CIELAB."""
    from skimage.color import rgb2lab

    colours: Any = rgb2lab(points)
    cells = np.asarray(colours, np.float32).reshape(ROWS, POINTS, COLUMNS, POINTS, 3)
    return np.median(cells, axis=(1, 3))


def _places(low: float, high: float, span: tuple[float, float], count: int, size: int) -> NDArray[np.intp]:
    """The pixels in the middles of `count` even parts of a span of a box."""
    shares = span[0] + (span[1] - span[0]) * (np.arange(count) + 0.5) / count
    return np.clip(np.floor(low + shares * (high - low)), 0, size - 1).astype(np.intp)
