"""What the pixels of a face show, for following it: small pictures, how alike two are, and how far apart two boxes are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toonbench.prepare.detection import Box
from toonbench.types import Frame

SIDE = 32
COLOURS, COARSE = 6, 4  # ranges of each colour, and parts of a side, in which a head is described
AROUND = 1.5  # sides of a head, hair and collar included, over those of the face
LIKE = 0.5  # correlation of a face's pixels with those of its last detection, from which it is still there

Small = NDArray[np.float32]
_RANGES = [
    (np.arange(256) * COLOURS // 256 * COLOURS**place).astype(np.uint8) for place in (2, 1, 0)
]  # of each channel


def small(frame: Frame) -> Small:
    """(SIDE, SIDE, 3) means of areas."""
    from PIL import Image

    return np.asarray(Image.fromarray(frame).resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)


def look(frame: Frame, box: Box, *, colour: bool = False) -> Small:
    """The face without its mean, (SIDE, SIDE) grey or (SIDE, SIDE, 3) RGB; zeros for a box outside the frame."""
    from PIL import Image

    inside = _pixels(frame, box)
    if not inside.size:
        return np.zeros((SIDE, SIDE, 3) if colour else (SIDE, SIDE), np.float32)
    cut = Image.fromarray(inside).convert("RGB" if colour else "L")
    pixels = np.asarray(cut.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)
    return pixels - pixels.mean()


def _pixels(frame: Frame, box: Box) -> Frame:
    """The part of a frame in a box; empty where it is outside."""
    height, width = frame.shape[:2]
    left, top = max(0, int(box[0])), max(0, int(box[1]))
    right, bottom = min(width, int(np.ceil(box[2]))), min(height, int(np.ceil(box[3])))
    return frame[top : max(top, bottom), left : max(left, right)]


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What a face looks like: its pixels as `look` gives them, and the colours of the head around it.

    `colours` are shares of COLOURS ** 3 ranges of colours, `layout` is (COARSE, COARSE, 3): where they are.
    """

    pixels: Small
    colours: NDArray[np.float64]
    layout: Small

    @staticmethod
    def of(frame: Frame, box: Box) -> Look:
        """The look of the face in a box."""
        head = _pixels(frame, _enlarged(box))
        numbers = _RANGES[0][head[..., 0]] + _RANGES[1][head[..., 1]] + _RANGES[2][head[..., 2]]
        counts = np.bincount(numbers.ravel(), minlength=COLOURS**3)
        wide = look(frame, _enlarged(box), colour=True).reshape(COARSE, SIDE // COARSE, COARSE, SIDE // COARSE, 3)
        return Look(look(frame, box, colour=True), counts / max(1, counts.sum()), wide.mean(axis=(1, 3)))


def likeness(one: Look, other: Look) -> float:
    """How alike two heads are, at most 1: the mean of the shared colours and of the correlation of their layout."""
    shared = float(np.minimum(one.colours, other.colours).sum())
    return (shared + correlation(one.layout, other.layout)) / 2


def _enlarged(box: Box) -> Box:
    width, height = ((AROUND - 1) / 2 * (box[n + 2] - box[n]) for n in (0, 1))
    return box[0] - width, box[1] - height, box[2] + width, box[3] + height


def is_still(frame: Frame, box: Box, shown: Small) -> bool:
    """Whether the pixels of a box are still those of a face that looked like `shown`."""
    return correlation(look(frame, box, colour=shown.ndim == 3), shown) >= LIKE


def correlation(one: Small, other: Small) -> float:
    """Pearson's correlation of two pictures, 1 for two flat ones and 0 for one of them."""
    a, b = one - one.mean(), other - other.mean()
    sizes = float((a * a).mean()), float((b * b).mean())
    if min(sizes) < 1:
        return float(max(sizes) < 1)
    return float((a * b).mean()) / (sizes[0] * sizes[1]) ** 0.5


def apart(one: Box, other: Box) -> tuple[float, float]:
    """The distance of two boxes' centres in sides, and the ratio of their sides."""
    sides = [max(box[2] - box[0], box[3] - box[1], 1e-6) for box in (one, other)]
    centres = [((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for box in (one, other)]
    distance = float(np.hypot(centres[0][0] - centres[1][0], centres[0][1] - centres[1][1]))
    return distance / (sum(sides) / 2), max(sides) / min(sides)
