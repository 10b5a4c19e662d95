"""Backgrounds of puppets: photographic ones, out of focus, and drawn ones. Each is a function of a few colours.

`x`, `y` run from -1 to 1 across the picture, y downwards. A backdrop does not move, because the camera is fixed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from toonbench.puppets.look import Look, Picture
from toonbench.types import ToonbenchError

Field = NDArray[np.float64]
Colours = tuple[Field, Field, Field]
Painter = Callable[[np.random.Generator, Field, Field, Colours], Field]

OVERSAMPLE = 2


def paint_backdrop(look: Look, *, size: int) -> Picture:
    """Paint a look's background, (size, size, 3) sRGB in [0, 1]; raises ToonbenchError for an unknown one."""
    scene = look.scene
    painter = painters().get(scene.backdrop)
    if painter is None:
        raise ToonbenchError(f"Unknown backdrop '{scene.backdrop}'. Choose one of: {', '.join(painters())}.")
    edge = size * OVERSAMPLE
    place = (np.arange(edge) + 0.5) / edge * 2 - 1
    x, y = np.meshgrid(place, place)
    one, two, three = (np.asarray(colour, dtype=np.float64) for colour in scene.background)
    picture = painter(np.random.default_rng(scene.background_seed), x, y, (one, two, three))
    picture = picture.reshape(size, OVERSAMPLE, size, OVERSAMPLE, 3).mean((1, 3))
    return np.clip(picture, 0, 1).astype(np.float32)


@cache
def painters() -> dict[str, Painter]:
    """Return every backdrop by name."""
    every = (studio, room, park, street, plain, rays, dots, stripes, hills, paper)
    return {painter.__name__: painter for painter in every}


def _mix(picture: Field, colour: Field, share: Field) -> Field:
    return picture + (colour - picture) * share[..., None]


def _step(value: Field, softness: float) -> Field:
    """Return 0 below 0 and 1 above, with an edge of the given width."""
    t = np.clip(value / softness + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def _slope(y: Field, top: Field, bottom: Field) -> Field:
    return top + (bottom - top) * (0.5 + 0.5 * y)[..., None]


def studio(rng: np.random.Generator, x: Field, y: Field, colours: Colours) -> Field:
    """A studio sheet: a soft gradient with a pool of light behind the head, and a few blurred shapes."""
    one, two, three = colours
    picture = _slope(y, one, two)
    light = np.exp(-((x - rng.uniform(-0.5, 0.5)) ** 2 + (y + rng.uniform(0, 0.5)) ** 2) / 0.8)
    picture = picture * (0.82 + 0.3 * light)[..., None]
    for _ in range(int(rng.integers(3, 7))):
        cx, cy, radius = rng.uniform(-1.1, 1.1), rng.uniform(-1.1, 1.1), rng.uniform(0.15, 0.5)
        blob = np.exp(-((((x - cx) ** 2 + (y - cy) ** 2) / radius**2) ** 2)) * rng.uniform(0.2, 0.6)
        picture = _mix(picture, (three if rng.random() < 0.6 else two) * rng.uniform(0.7, 1.3), blob)
    return picture


def room(rng: np.random.Generator, x: Field, y: Field, colours: Colours) -> Field:
    """A room out of focus: a wall, a bright window or a door, a shelf with things on it, a lamp."""
    one, two, three = colours
    picture = _slope(y, one * 1.1, one * 0.85)
    soft = rng.uniform(0.1, 0.2)

    def box(left: float, top: float, right: float, bottom: float) -> Field:
        return _step(x - left, soft) * _step(right - x, soft) * _step(y - top, soft) * _step(bottom - y, soft)

    side = rng.choice([-1.0, 1.0])
    near, far = sorted((side * rng.uniform(0.35, 0.55), side * rng.uniform(0.95, 1.4)))
    glass = np.array([0.93, 0.95, 0.96]) if rng.random() < 0.7 else three
    picture = _mix(picture, two * 0.8, box(near - 0.06, -0.96, far + 0.06, 0.36))
    picture = _mix(picture, glass, 0.9 * box(near, -0.9, far, 0.3))
    picture = _mix(picture, two * 0.8, 0.8 * box(near, -0.34, far, -0.28))
    shelf = rng.uniform(-0.2, 0.3)
    left, right = sorted((-side * rng.uniform(0.25, 0.4), -side * 1.2))
    picture = _mix(picture, two * 0.6, box(left, shelf, right, shelf + 0.07))
    at = left
    while at < right:
        width, height = rng.uniform(0.06, 0.18), rng.uniform(0.15, 0.45)
        tone = (one, two, three)[int(rng.integers(3))] * rng.uniform(0.5, 1.5)
        picture = _mix(picture, np.clip(tone, 0, 1), 0.85 * box(at, shelf - height, at + width * 0.9, shelf))
        at += width + rng.uniform(0, 0.08)
    cx, cy = -side * rng.uniform(0.4, 0.9), rng.uniform(-0.9, -0.6)
    glow = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 0.08)
    return _mix(picture, np.array([1.0, 0.9, 0.72]), 0.55 * glow)


def park(rng: np.random.Generator, x: Field, y: Field, colours: Colours) -> Field:
    """Trees out of focus: sky, foliage in many greens with discs of light, a lawn."""
    one, two, three = colours
    sky = 0.75 + 0.25 * one
    green = np.array([0.30, 0.42, 0.20]) * (0.7 + 0.6 * two) + 0.05 * three
    picture = _slope(y, sky, sky * 0.9)
    horizon = rng.uniform(-0.2, 0.3)
    picture = _mix(picture, green * 1.15, _step(y - horizon, 0.25))
    for _ in range(26):
        cx, cy, radius = rng.uniform(-1.2, 1.2), rng.uniform(-1.2, horizon + 0.25), rng.uniform(0.12, 0.4)
        disc = _step(radius - np.hypot(x - cx, (y - cy) * 1.1), 0.22)
        picture = _mix(picture, np.clip(green * rng.uniform(0.55, 1.3), 0, 1), rng.uniform(0.3, 0.8) * disc)
    return _discs(rng, picture, x, y, tone=np.array([0.98, 0.97, 0.86]), count=12, top=horizon)


def street(rng: np.random.Generator, x: Field, y: Field, colours: Colours) -> Field:
    """A street in the evening: dark house fronts and discs of coloured light."""
    one, two, three = colours
    picture = _slope(y, one * 0.55, two * 0.4)
    at = -1.2
    while at < 1.2:
        width = rng.uniform(0.25, 0.6)
        front = _step(x - at, 0.08) * _step(at + width - x, 0.08) * _step(y + rng.uniform(0.3, 1.2), 0.1)
        picture = _mix(picture, np.clip(two * rng.uniform(0.35, 0.8), 0, 1), 0.8 * front)
        at += width
    for tone in (three, np.array([1.0, 0.78, 0.45]), np.array([0.95, 0.95, 1.0])):
        picture = _discs(rng, picture, x, y, tone=np.clip(tone * 1.2, 0, 1), count=6, top=0.5)
    return picture


def _discs(
    rng: np.random.Generator, picture: Field, x: Field, y: Field, *, tone: Field, count: int, top: float
) -> Field:
    """Lay discs of light out of focus over a picture, above the height `top`."""
    for _ in range(count):
        cx, cy, radius = rng.uniform(-1.1, 1.1), rng.uniform(-1.1, top), rng.uniform(0.04, 0.12)
        away = np.hypot(x - cx, y - cy)
        disc = _step(radius - away, 0.03) * (0.75 + 0.25 * np.clip(away / radius, 0, 1) ** 3)
        picture = _mix(picture, tone, rng.uniform(0.15, 0.5) * disc)
    return picture


def plain(rng: np.random.Generator, x: Field, y: Field, colours: Colours) -> Field:
    """One flat colour."""
    del rng, y
    return np.broadcast_to(colours[0], (*x.shape, 3)).copy()


def rays(rng: np.random.Generator, x: Field, y: Field, colours: Colours) -> Field:
    """Rays of two tones from behind the head."""
    one, two, _ = colours
    count = int(rng.integers(9, 15))
    angle = np.arctan2(x, -(y - 0.1)) + rng.uniform(0, 1)
    away = np.hypot(x, y - 0.1)
    share = _step(np.sin(angle * count), 0.05) * _step(away - 0.05, 0.1)
    return _mix(np.broadcast_to(one, (*x.shape, 3)).copy(), 0.75 * one + 0.25 * two, share)


def dots(rng: np.random.Generator, x: Field, y: Field, colours: Colours) -> Field:
    """A wall with dots in rows."""
    one, two, _ = colours
    pitch = rng.uniform(0.22, 0.34)
    row = np.floor(y / pitch)
    u = (x / pitch + 0.5 * (row % 2)) % 1 - 0.5
    v = (y / pitch) % 1 - 0.5
    share = _step(0.24 - np.hypot(u, v), 0.06)
    return _mix(np.broadcast_to(one, (*x.shape, 3)).copy(), 0.6 * one + 0.4 * two, share)


def stripes(rng: np.random.Generator, x: Field, y: Field, colours: Colours) -> Field:
    """A wall with stripes, upright or slanting."""
    one, two, _ = colours
    pitch, lean = rng.uniform(0.2, 0.4), rng.choice([0.0, 0.0, 0.7])
    share = _step(np.sin((x + lean * y) * 2 * np.pi / pitch), 0.12)
    return _mix(np.broadcast_to(one, (*x.shape, 3)).copy(), 0.7 * one + 0.3 * two, share)


def hills(rng: np.random.Generator, x: Field, y: Field, colours: Colours) -> Field:
    """A drawn landscape: sky, sun, two rows of hills, clouds."""
    one, two, three = colours
    sky = 0.35 * one + 0.65 * np.array([0.62, 0.84, 0.96])
    picture = _slope(y, sky * 0.95, 0.5 * sky + 0.5)
    sx, sy = rng.uniform(-0.8, 0.8), rng.uniform(-0.85, -0.5)
    picture = _mix(picture, np.array([1.0, 0.93, 0.6]), _step(0.2 - np.hypot(x - sx, y - sy), 0.02))
    for _ in range(3):
        cx, cy = rng.uniform(-1, 1), rng.uniform(-0.8, -0.2)
        for k in range(4):
            px, radius = cx + (k - 1.5) * 0.13, 0.11 + 0.05 * (k in (1, 2))
            picture = _mix(picture, np.ones(3), 0.85 * _step(radius - np.hypot(x - px, (y - cy) * 1.2), 0.02))
    for k, tone in enumerate(
        (0.5 * two + 0.5 * np.array([0.55, 0.78, 0.45]), 0.4 * three + 0.6 * np.array([0.38, 0.65, 0.35]))
    ):
        ridge = (
            0.1
            + 0.3 * k
            + 0.12 * np.sin(x * rng.uniform(1.5, 3) + rng.uniform(0, 6))
            + 0.05 * np.sin(x * 7 + rng.uniform(0, 6))
        )
        picture = _mix(picture, tone, _step(y - ridge, 0.015))
    return picture


def paper(rng: np.random.Generator, x: Field, y: Field, colours: Colours) -> Field:
    """A sheet of paper with a loose wash of colour round the middle."""
    one, two, _ = colours
    sheet = np.array([0.97, 0.955, 0.92])
    picture = np.broadcast_to(sheet, (*x.shape, 3)).copy()
    for tone in (one, two, one):
        cx, cy = rng.uniform(-0.5, 0.5), rng.uniform(-0.6, 0.3)
        angle = np.arctan2(y - cy, x - cx)
        edge = rng.uniform(0.6, 1.0)
        for k in range(2, 6):
            edge = edge + 0.09 / k * 2 * np.sin(k * angle + rng.uniform(0, 6))
        away = edge - np.hypot(x - cx, y - cy)
        wash = _step(away, 0.05) * (0.22 + 0.14 * np.exp(-np.clip(away, 0, None) / 0.03))
        picture = picture * (1 - wash[..., None] * (1 - tone) * 0.8)
    return picture
