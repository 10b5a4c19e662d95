"""Backgrounds and faceless pictures of a film: places, clouds, patterns, title cards, credits.

Everything is drawn from a seed. Real-style places are muted and out of focus, cartoon places bright and crisp.
Pictures are (height, width, 3) uint8 RGB; lengths inside are parts of the height.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from toonbench.types import Domain, Frame

Tone = tuple[int, int, int]
Ink = tuple[Tone, Tone]  # ground and letters of a card
SUPER = 2  # places are drawn at this many times their size and averaged

INKS: tuple[Ink, ...] = (
    ((16, 20, 32), (236, 220, 180)),
    ((244, 236, 216), (84, 44, 40)),
    ((44, 18, 30), (250, 214, 165)),
    ((18, 48, 52), (240, 244, 232)),
    ((8, 8, 8), (240, 240, 240)),
)


def draw_set(kind: str, seed: int, *, width: int, height: int, domain: Domain) -> Frame:
    """Draw the place `kind` (one of PLACES), (height, width, 3)."""
    rng = np.random.default_rng(seed)
    canvas = Image.new("RGB", (width * SUPER, height * SUPER))
    PLACES[kind](_Brush(canvas, rng, calm=0.72 if domain == "real" else 1.0))
    picture = canvas.reduce(SUPER)
    if domain == "real":
        picture = picture.filter(ImageFilter.GaussianBlur(height / 80))
        grain = fractal(rng, width=width, height=height)[..., None] - 0.5
        return _to_bytes(np.asarray(picture, dtype=np.float32) * (1 + 0.25 * grain) * _vignette(width, height, 0.22))
    picture = picture.filter(ImageFilter.GaussianBlur(height / 500))
    return _to_bytes(np.asarray(picture, dtype=np.float32) * _vignette(width, height, 0.1))


def draw_clouds(seed: int, *, width: int, height: int) -> NDArray[np.uint8]:
    """Draw the density of clouds, (height, width), 0 to 255, which falls downwards; the right edge continues at the left."""
    rng = np.random.default_rng(seed)
    noise = fractal(rng, width=width, height=height)
    ramp = np.linspace(0, 1, width // 4)
    noise[:, -len(ramp) :] = noise[:, -len(ramp) :] * (1 - ramp) + noise[:, :1] * ramp
    dense = np.clip((noise - 0.5) * 4.5, 0, 1) * np.clip(1.15 - 2.1 * np.linspace(0, 1, height), 0, 1)[:, None]
    return (dense * 225).astype(np.uint8)


def draw_pattern(seed: int, time: float, *, width: int, height: int) -> Frame:
    """Draw a moving pattern of rings, rays or stripes at `time` seconds, (height, width, 3)."""
    rng = np.random.default_rng(seed)
    hue, kind = float(rng.random()), int(rng.integers(3))
    x, y = _grid(width, height)
    if kind == 0:
        phase = np.hypot(x, y) * 7 - 1.2 * time
    elif kind == 1:
        phase = np.arctan2(y, x) / np.pi * 9 + 0.7 * time
    else:
        phase = (x + 0.6 * y) * 5 + 0.9 * time + 0.35 * np.sin(4 * y + time)
    soft = np.clip(0.5 + 0.5 * np.sin(2 * np.pi * phase) * height / 60, 0, 1)[..., None]
    one, two = (np.array(hsv(hue + step, 0.55, value)) for step, value in ((0.0, 0.85), (0.09, 0.62)))
    return _to_bytes(one * soft + two * (1 - soft))


def draw_card(lines: Sequence[str], ink: int, *, width: int, height: int) -> Frame:
    """Draw a card, (height, width, 3): the first line large between rules, the others small below it."""
    ground, letters = INKS[ink % len(INKS)]
    canvas = Image.new("RGB", (width, height), ground)
    pen = ImageDraw.Draw(canvas)
    size = height * 0.105
    while size > 6 and _spaced_width(lines[0], _font(size), 0.12 * size) > 0.8 * width:
        size *= 0.94
    middle = 0.46 * height
    _spaced(pen, lines[0], (width / 2, middle), font=_font(size), gap=0.12 * size, fill=letters)
    reach, thick = 0.14 * width, max(1, round(height / 360))
    for y in (middle - 1.15 * size, middle + 1.15 * size):
        pen.rectangle((width / 2 - reach, y, width / 2 + reach, y + thick - 1), fill=letters)
    for i, line in enumerate(lines[1:]):
        small = height * 0.042
        at = (width / 2, middle + 1.15 * size + (i + 1.3) * 1.6 * small)
        _spaced(pen, line, at, font=_font(small), gap=0.06 * small, fill=letters)
    return np.asarray(canvas).copy()


def draw_credits(rows: Sequence[tuple[str, str]], ink: int, *, width: int, height: int) -> Frame:
    """Draw a scroll of credits, (more than height, width, 3), whose first and last rows are just inside the picture."""
    ground, letters = INKS[ink % len(INKS)]
    step = height * 0.085
    canvas = Image.new("RGB", (width, round(1.5 * height + step * len(rows))), ground)
    pen, font, faint = ImageDraw.Draw(canvas), _font(height * 0.044), _mix(letters, ground, 0.45)
    for i, (role, name) in enumerate(rows):
        y = 0.75 * height + (i + 0.5) * step
        pen.text((width / 2 - 0.02 * width, y), role, font=font, fill=faint, anchor="rm")
        pen.text((width / 2 + 0.02 * width, y), name, font=font, fill=letters, anchor="lm")
    return np.asarray(canvas).copy()


def fractal(rng: np.random.Generator, *, width: int, height: int) -> NDArray[np.float32]:
    """Draw soft noise of several sizes, (height, width), about 0 to 1."""
    total, weight = np.zeros((height, width), dtype=np.float32), 0.0
    for level in range(5):
        cells = 3 * 2**level
        small = rng.random((cells, max(2, cells * width // height)), dtype=np.float32)
        big = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(big) * 0.55**level
        weight += 0.55**level
    return total / weight


def hsv(hue: float, saturation: float, value: float) -> Tone:
    """Turn hue (any number, whole turns), saturation and value (0 to 1) into RGB, 0 to 255."""
    ramp = (np.abs((hue + np.array([0.0, 2 / 3, 1 / 3])) % 1.0 * 6 - 3) - 1).clip(0, 1)
    r, g, b = (value * (1 - saturation * (1 - ramp)) * 255).round().astype(int).tolist()
    return (r, g, b)


class _Brush:
    """A canvas with its size, its random generator, and drawing in parts of the height."""

    def __init__(self, canvas: Image.Image, rng: np.random.Generator, *, calm: float) -> None:
        self.canvas, self.rng, self._calm = canvas, rng, calm
        self.unit, self.span = canvas.height, canvas.width / canvas.height
        self.pen = ImageDraw.Draw(canvas)

    def draw(self, low: float, high: float) -> float:
        """A random number between two."""
        return float(self.rng.uniform(low, high))

    def tone(self, hue: float, saturation: float, value: float) -> Tone:
        """A colour, less saturated in the real style."""
        return hsv(hue, saturation * self._calm, value)

    def box(self, left: float, top: float, right: float, bottom: float, tone: Tone) -> None:
        """Fill a rectangle."""
        self.pen.rectangle([round(v * self.unit) for v in (left, top, right, bottom)], fill=tone)

    def disc(self, x: float, y: float, radius: float, tone: Tone, *, flat: float = 1.0) -> None:
        """Fill an ellipse, `flat` times as high as wide."""
        edges = (x - radius, y - radius * flat, x + radius, y + radius * flat)
        self.pen.ellipse([v * self.unit for v in edges], fill=tone)

    def polygon(self, points: Sequence[tuple[float, float]], tone: Tone) -> None:
        """Fill a polygon."""
        self.pen.polygon([(x * self.unit, y * self.unit) for x, y in points], fill=tone)

    def fade(self, top: Tone, bottom: Tone, *, to: float = 1.0) -> None:
        """Fill with a vertical gradient that reaches `bottom` at the height `to`."""
        share = np.clip(np.linspace(0, 1 / to, self.canvas.height), 0, 1)[:, None, None]
        column = (np.array(top) * (1 - share) + np.array(bottom) * share).round().astype(np.uint8)
        self.canvas.paste(Image.fromarray(column).resize(self.canvas.size, Image.Resampling.NEAREST))

    def ridge(self, level: float, rough: float, tone: Tone, *, waves: float = 1.2) -> NDArray[np.float64]:
        """Fill everything below a wavy line at about `level`; returns the line, a point each hundredth of the height."""
        x = np.arange(0, self.span + 0.01, 0.01)
        line = np.full_like(x, level)
        for i in range(4):
            pace = waves * 1.9**i * self.draw(0.8, 1.2)
            line += rough * 0.5**i * np.sin(2 * np.pi * (pace * x + self.draw(0, 1)))
        edge = list(zip(x.tolist(), line.tolist(), strict=True))
        self.polygon([(0.0, 1.01), *edge, (float(x[-1]), 1.01)], tone)
        return line

    def glow(self, x: float, y: float, radius: float, tone: Tone, *, strength: float) -> None:
        """Add light round a point."""
        u, v = np.meshgrid(np.linspace(0, self.span, 160), np.linspace(0, 1, 90))
        light = np.exp(-((u - x) ** 2 + (v - y) ** 2) / radius**2) * strength * 255
        mask = Image.fromarray(light.clip(0, 255).astype(np.uint8)).resize(self.canvas.size, Image.Resampling.BICUBIC)
        self.canvas.paste(tone, (0, 0), mask)


def _room(b: _Brush) -> None:
    hue = b.draw(0, 1)
    b.fade(b.tone(hue, 0.3, 0.72), b.tone(hue, 0.36, 0.52))
    for x in np.arange(0.05, b.span, 0.11):
        b.box(x, 0, x + 0.045, 0.74, b.tone(hue + 0.01, 0.31, 0.68))
    rail = b.tone(hue + 0.5, 0.25, 0.36)
    b.box(0, 0.74, b.span, 1, b.tone(hue + 0.04, 0.38, 0.36))
    b.box(0, 0.73, b.span, 0.752, rail)
    at = b.draw(0.05, 0.2)
    while at < b.span:
        kind = int(b.rng.integers(3))
        width = (0.5, 0.3, 0.48)[kind]
        (_window, _painting, _shelf)[kind](b, at, width, rail)
        at += width + b.draw(0.12, 0.35)
    b.glow(b.draw(0.2, b.span), 0.25, 0.5, b.tone(0.12, 0.25, 1.0), strength=0.45)


def _window(b: _Brush, x: float, width: float, frame: Tone) -> None:
    b.box(x - 0.02, 0.1, x + width + 0.02, 0.62, frame)
    sky = b.draw(0.5, 0.62)
    for i in range(8):
        b.box(x, 0.12 + 0.06 * i, x + width, 0.18 + 0.06 * i, b.tone(sky, 0.42 - 0.035 * i, 0.9 + 0.01 * i))
    for share in (0.2, 0.6, 0.9):
        b.disc(x + share * width, 0.6, 0.09, b.tone(0.33, 0.45, 0.5), flat=0.6)
    b.box(x - 0.02, 0.6, x + width + 0.02, 0.63, frame)
    b.box(x + width / 2 - 0.01, 0.1, x + width / 2 + 0.01, 0.62, frame)
    b.box(x, 0.33, x + width, 0.347, frame)
    cloth = b.tone(b.draw(0, 1), 0.45, 0.66)
    b.polygon([(x - 0.08, 0.07), (x + 0.1, 0.07), (x + 0.01, 0.72), (x - 0.08, 0.72)], cloth)
    right = x + width
    b.polygon([(right - 0.1, 0.07), (right + 0.08, 0.07), (right + 0.08, 0.72), (right - 0.01, 0.72)], cloth)
    b.box(x - 0.1, 0.055, right + 0.1, 0.08, frame)


def _painting(b: _Brush, x: float, width: float, frame: Tone) -> None:
    top, bottom = 0.16, 0.16 + 0.75 * width
    b.box(x, top, x + width, bottom, frame)
    hue = b.draw(0, 1)
    b.box(x + 0.02, top + 0.02, x + width - 0.02, bottom - 0.02, b.tone(hue, 0.3, 0.85))
    b.box(x + 0.02, bottom - 0.09, x + width - 0.02, bottom - 0.02, b.tone(hue + 0.4, 0.4, 0.55))
    b.disc(x + 0.7 * width, top + 0.08, 0.028, b.tone(0.12, 0.5, 0.95))


def _shelf(b: _Brush, x: float, width: float, frame: Tone) -> None:
    b.box(x, 0.2, x + width, 0.73, frame)
    for row in range(3):
        top = 0.22 + 0.17 * row
        b.box(x + 0.015, top, x + width - 0.015, top + 0.15, tuple(int(0.55 * c) for c in frame))  # pyright: ignore[reportArgumentType]
        at = x + 0.02
        while at < x + width - 0.06:
            thick = b.draw(0.018, 0.036)
            b.box(at, top + b.draw(0.02, 0.06), at + thick, top + 0.15, b.tone(b.draw(0, 1), 0.5, b.draw(0.4, 0.8)))
            at += thick + 0.003


def _street(b: _Brush) -> None:
    dusk = b.rng.random() < 0.5
    sky = 0.68 if dusk else 0.56
    b.fade(b.tone(sky, 0.5, 0.35 if dusk else 0.85), b.tone(0.06 if dusk else 0.55, 0.4, 0.85), to=0.7)
    for depth, (high, value) in enumerate(((0.16, 0.62), (0.3, 0.5))):
        at = -b.draw(0, 0.2)
        while at < b.span:
            width, top = b.draw(0.2, 0.4), b.draw(high - 0.1, high + 0.14)
            wall = b.tone(b.draw(0.02, 0.12) if depth else sky, 0.34, value * b.draw(0.75, 1.1) * (0.6 if dusk else 1))
            b.box(at, top, at + width, 0.86, wall)
            if depth:
                _panes(b, at, width, top, lit=0.6 if dusk else 0.12)
            at += width + (b.draw(0, 0.05) if depth else 0)
    b.box(0, 0.84, b.span, 1, b.tone(0.08, 0.1, 0.34 if dusk else 0.58))
    b.box(0, 0.84, b.span, 0.855, b.tone(0.08, 0.1, 0.5 if dusk else 0.74))
    for _ in range(7 if dusk else 0):
        b.glow(b.draw(0, b.span), b.draw(0.4, 0.8), 0.08, b.tone(0.11, 0.5, 1.0), strength=0.7)


def _panes(b: _Brush, x: float, width: float, top: float, *, lit: float) -> None:
    for row in np.arange(top + 0.05, 0.74, 0.1):
        for column in np.arange(x + 0.035, x + width - 0.05, 0.075):
            warm = b.rng.random() < lit
            b.box(column, row, column + 0.042, row + 0.06, b.tone(0.12 if warm else 0.58, 0.45, 0.95 if warm else 0.42))


def _hills(b: _Brush) -> None:
    hour = b.draw(0, 1)
    sky = 0.56 if hour < 0.6 else 0.04
    b.fade(b.tone(0.58 if hour < 0.6 else 0.66, 0.5, 0.88), b.tone(sky, 0.2, 0.97), to=0.7)
    b.glow(b.draw(0.2, b.span), 0.3, 0.3, b.tone(0.13, 0.3, 1.0), strength=0.7)
    green = b.draw(0.24, 0.36)
    for i, level in enumerate((0.5, 0.6, 0.71, 0.84)):
        tone = b.tone(0.55 + (green - 0.55) * (i + 1) / 4, 0.25 + 0.1 * i, 0.72 - 0.09 * i)
        line = b.ridge(level, 0.05, tone, waves=0.6)
        for _ in range(4 * i):
            at = int(b.rng.integers(len(line)))
            _tree(b, at / 100, float(line[at]), 0.03 + 0.03 * i, green)


def _tree(b: _Brush, x: float, y: float, size: float, hue: float) -> None:
    b.box(x - 0.1 * size, y - 0.5 * size, x + 0.1 * size, y + 0.2 * size, b.tone(0.07, 0.4, 0.3))
    for dx, dy, r in ((-0.3, -0.7, 0.42), (0.3, -0.7, 0.42), (0.0, -1.1, 0.5)):
        b.disc(x + dx * size, y + dy * size, r * size, b.tone(hue + 0.01 * dx, 0.5, 0.48 - 0.1 * dy * dx))


def _forest(b: _Brush) -> None:
    hue = b.draw(0.22, 0.38)
    b.fade(b.tone(hue, 0.2, 0.92), b.tone(hue, 0.4, 0.5))
    for depth in range(4):
        tone = b.tone(hue + 0.02 * depth, 0.3 + 0.1 * depth, 0.72 - 0.14 * depth)
        for _ in range(int((9 - 2 * depth) * b.span / 1.8)):
            x, w = b.draw(0, b.span), 0.012 + 0.014 * depth
            b.polygon([(x - w, 0), (x + w, 0), (x + 1.7 * w, 1), (x - 1.7 * w, 1)], tone)
            b.disc(x + b.draw(-0.1, 0.1), b.draw(-0.05, 0.12), 0.1 + 0.03 * depth, tone, flat=0.7)
        b.ridge(0.72 + 0.07 * depth, 0.02, tone, waves=1.5)


def _sea(b: _Brush) -> None:
    hour = b.draw(0, 1)
    b.fade(b.tone(0.57, 0.55, 0.85), b.tone(0.08 if hour < 0.5 else 0.53, 0.3, 0.98), to=0.52)
    sun = b.draw(0.2, b.span)
    b.glow(sun, 0.38, 0.22, b.tone(0.12, 0.3, 1.0), strength=0.9)
    for i in range(24):
        y = 0.5 + 0.014 * i
        b.box(0, y, b.span, y + 0.015, b.tone(0.54 - 0.002 * i, 0.5 + 0.01 * i, 0.62 - 0.006 * i + 0.03 * (i % 2)))
        spread = 0.03 + 0.01 * i
        at = sun + b.draw(-spread, spread)
        b.box(at - 0.04, y + 0.003, at + 0.04, y + 0.007, b.tone(0.12, 0.2, 0.95))
    b.ridge(0.84, 0.012, b.tone(0.11, 0.32, 0.86), waves=0.7)


def _night(b: _Brush) -> None:
    hue = b.draw(0.6, 0.7)
    b.fade(b.tone(hue, 0.7, 0.13), b.tone(hue - 0.05, 0.6, 0.38), to=0.85)
    for _ in range(int(60 * b.span)):
        b.disc(b.draw(0, b.span), b.draw(0, 0.6) ** 1.2, b.draw(0.0008, 0.0028), b.tone(0.14, 0.1, b.draw(0.6, 1.0)))
    moon, high = b.draw(0.3, b.span), b.draw(0.14, 0.3)
    b.glow(moon, high, 0.22, b.tone(0.16, 0.15, 1.0), strength=0.4)
    b.disc(moon, high, 0.055, b.tone(0.15, 0.12, 0.98))
    b.ridge(0.7, 0.05, b.tone(hue, 0.6, 0.2), waves=0.8)
    at = 0.0
    while at < b.span:
        width, top = b.draw(0.12, 0.26), b.draw(0.74, 0.82)
        wall = b.tone(hue, 0.5, 0.12)
        b.box(at, top, at + width, 1, wall)
        b.polygon([(at - 0.015, top), (at + width / 2, top - 0.09), (at + width + 0.015, top)], wall)
        if b.rng.random() < 0.6:
            b.box(at + 0.4 * width, top + 0.03, at + 0.4 * width + 0.03, top + 0.07, b.tone(0.11, 0.6, 0.95))
        at += width + b.draw(0, 0.1)


PLACES: dict[str, Callable[[_Brush], None]] = {
    "room": _room, "street": _street, "hills": _hills, "forest": _forest, "sea": _sea, "night": _night,
}  # fmt: skip
"""Every place by name."""


@cache
def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(4.0, size))


def _spaced_width(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, gap: float) -> float:
    return sum(font.getlength(letter) + gap for letter in text) - gap


def _spaced(
    pen: ImageDraw.ImageDraw,
    text: str,
    centre: tuple[float, float],
    *,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    gap: float,
    fill: Tone,
) -> None:
    """Write letters `gap` apart, centred."""
    x = centre[0] - _spaced_width(text, font, gap) / 2
    for letter in text:
        pen.text((x, centre[1]), letter, font=font, fill=fill, anchor="lm")
        x += font.getlength(letter) + gap


def _mix(one: Tone, two: Tone, share: float) -> Tone:
    r, g, b = (round(a + (c - a) * share) for a, c in zip(one, two, strict=True))
    return (r, g, b)


def _grid(width: int, height: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Coordinates from the middle, in heights."""
    x = (np.arange(width).astype(np.float32) - np.float32(width / 2)) / np.float32(height)
    y = (np.arange(height).astype(np.float32) - np.float32(height / 2)) / np.float32(height)
    zero = np.zeros((height, width), dtype=np.float32)
    return x[None] + zero, y[:, None] + zero


def _vignette(width: int, height: int, strength: float) -> NDArray[np.float32]:
    x, y = _grid(width, height)
    edge = np.clip((x * height / width * 2) ** 2 * 0.4 + (2 * y) ** 2 * 0.6, 0, 1)
    return (1 - strength * edge)[..., None].astype(np.float32)


def _to_bytes(picture: NDArray[np.floating]) -> Frame:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)
