"""A small canvas for drawings in flat colours, gradients and ink: shapes are masks, colours are multiplied or laid over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

Random = np.random.Generator
Points = NDArray[np.float64]  # (n, 2) x right, y down, in the drawing's own lengths
Colour = tuple[float, float, float]  # sRGB in [0, 1]
OVERSAMPLE = 2
STEPS = 6  # points of a curve between two of its knots


def curve(knots: Sequence[Sequence[float]] | Points, *, closed: bool = False) -> Points:
    """A smooth line (Catmull-Rom) through some knots."""
    p = np.asarray(knots, np.float64)
    around = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([p[:1], p, p[-1:]])
    count = len(p) if closed else len(p) - 1
    t = (np.arange(STEPS) / STEPS)[:, None]
    parts: list[Points] = []
    for k in range(count):
        a, b, c, d = around[k : k + 4]
        parts.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return np.concatenate(parts if closed else [*parts, p[-1:]])


def oval(x: float, y: float, half_width: float, half_height: float) -> Points:
    """An ellipse."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return np.stack([x + half_width * np.cos(angle), y + half_height * np.sin(angle)], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """Where the drawing lies in the picture: turned by `roll` radians, `middle` in the picture's middle, `reach` lengths to its edges."""

    middle: tuple[float, float]
    reach: float
    roll: float

    def pixels(self, points: Points, *, side: int) -> Points:
        """Points of the drawing in pixels of a picture of `side` pixels."""
        cos, sin = np.cos(self.roll), np.sin(self.roll)
        turned = points @ np.array([[cos, sin], [-sin, cos]])
        return (turned - np.asarray(self.middle) + self.reach) * (side / (2 * self.reach))


class Canvas:
    """The picture while it is drawn."""

    def __init__(self, camera: Camera, *, side: int, ink: Colour, line: float) -> None:
        self.camera, self._side, self._ink, self._line = camera, side * OVERSAMPLE, ink, line
        self.picture = Image.new("RGB", (self._side, self._side))
        self.cover = Image.new("L", (self._side, self._side))

    def area(self, *outlines: Points, blur: float = 0.0) -> Image.Image:
        """The mask of some shapes; `blur` in lengths of the drawing."""
        mask = Image.new("L", (self._side, self._side))
        pen = ImageDraw.Draw(mask)
        for outline in outlines:
            pen.polygon(self._flat(outline), fill=255)
        sigma = blur * self._side / (2 * self.camera.reach)
        return mask.filter(ImageFilter.BoxBlur(sigma)) if sigma > 0.3 else mask

    def fill(self, mask: Image.Image, colour: Colour, end: Colour | None = None) -> None:
        """Paint a mask in one colour, or from `colour` at its top to `end` at its bottom."""
        if not (box := mask.getbbox()):
            return
        inside = mask.crop(box)
        paint = Image.new("RGB", inside.size, _bytes(colour))
        if end:
            column = np.linspace(colour, end, inside.height)
            strip = Image.fromarray((np.clip(column, 0, 1)[:, None] * 255).astype(np.uint8))
            paint = strip.resize(inside.size)
        self.picture.paste(paint, box, inside)
        self.cover.paste(255, box, inside)

    def shade(self, mask: Image.Image, factor: Colour) -> None:
        """Multiply the colours inside a mask."""
        if not (box := mask.getbbox()):
            return
        part = self.picture.crop(box)
        self.picture.paste(ImageChops.multiply(part, Image.new("RGB", part.size, _bytes(factor))), box, mask.crop(box))

    def shape(self, outline: Points, colour: Colour, end: Colour | None = None) -> Image.Image:
        """Fill a closed shape and ink its outline; returns its mask."""
        mask = self.area(outline)
        self.fill(mask, colour, end)
        self.stroke(np.concatenate([outline, outline[:1]]))
        return mask

    def stroke(self, points: Points, *, line: float = 1.0, colour: Colour | None = None) -> None:
        """An ink line of `line` times the drawing's own width."""
        width = self._line * line * self._side / (2 * self.camera.reach)
        if width >= 0.5:
            self._draw(self.picture, points, width, _bytes(colour or self._ink))
            self._draw(self.cover, points, width, 255)

    def tapered(self, points: Points, *, line: float, colour: Colour | None = None) -> None:
        """A stroke that is thick in the middle and thin at its ends; `line` in lengths of the drawing."""
        thick = line * np.sin(np.linspace(0.12, np.pi - 0.12, len(points))) / 2
        dx, dy = np.gradient(points[:, 0]), np.gradient(points[:, 1])
        across = np.stack([-dy, dx], axis=1) / np.maximum(np.hypot(dx, dy), 1e-6)[:, None]
        edge = across * thick[:, None]
        self.fill(self.area(np.concatenate([points + edge, (points - edge)[::-1]])), colour or self._ink)

    def finished(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The picture (side, side, 3) and its coverage (side, side)."""
        side = self._side // OVERSAMPLE
        small = self.picture.resize((side, side), Image.Resampling.BOX)
        return np.asarray(small), np.asarray(self.cover.resize((side, side), Image.Resampling.BOX))

    def _draw(self, image: Image.Image, points: Points, width: float, colour: tuple[int, int, int] | int) -> None:
        ImageDraw.Draw(image).line(self._flat(points), fill=colour, width=max(1, round(width)), joint="curve")

    def _flat(self, points: Points) -> list[tuple[float, float]]:
        return [(float(x), float(y)) for x, y in self.camera.pixels(points, side=self._side)]


def _bytes(colour: Colour) -> tuple[int, int, int]:
    r, g, b = (round(255 * min(max(value, 0.0), 1.0)) for value in colour)
    return r, g, b


def scaled(colour: Colour, factor: float | Sequence[float]) -> Colour:
    """A colour times a factor, of one number or three, within range."""
    r, g, b = np.clip(np.asarray(colour) * np.asarray(factor), 0, 1)
    return float(r), float(g), float(b)
