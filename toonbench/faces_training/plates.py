"""Pictures without a face: sets of puppet films, backdrops, patterns, text, clouds, and scikit-image's pictures.

Decoys, things that share parts with faces, are drawn over them.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from toonbench.faces_training.canvas import Random, curve, oval
from toonbench.pool import IN_PROCESS, Pool
from toonbench.puppets.draw.backdrops import OVERSAMPLE, painters
from toonbench.puppets.films.sets import PLACES, draw_clouds, draw_pattern, draw_set
from toonbench.puppets.rig import seed_of
from toonbench.types import DOMAINS, Frame

SIDE = 320

BUNDLED = (
    "brick.png", "cell.png", "chessboard_RGB.png", "clock_motion.png", "coffee.png", "coins.png", "color.png", "grass.png",
    "gravel.png", "horse.png", "hubble_deep_field.jpg", "ihc.png", "microaneurysms.png", "moon.png", "motorcycle_left.png",
    "motorcycle_right.png", "page.png", "retina.jpg", "rocket.jpg", "text.png",
)  # fmt: skip
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:;!?@#&%(){}[]<>+-*/="


def draw_plates(split: str, count: int, *, pool: Pool = IN_PROCESS) -> NDArray[np.uint8]:
    """(count, SIDE, SIDE, 3) pictures without a face; each follows from its number."""
    return np.stack(pool.map(_draw, [(split, number) for number in range(count)], title="drawing backgrounds"))


def _draw(job: tuple[str, int]) -> Frame:
    rng = np.random.default_rng(seed_of("plate", *job))
    kinds = (_film_set, _film_set, _backdrop, _backdrop, _pattern, _clouds, _text, _bundled, _bundled, _flat)
    return kinds[job[1] % len(kinds)](rng)


def _film_set(rng: Random) -> Frame:
    kind, domain = sorted(PLACES)[int(rng.integers(len(PLACES)))], DOMAINS[int(rng.integers(2))]
    wide = draw_set(kind, int(rng.integers(1 << 30)), width=3 * SIDE // 2, height=SIDE, domain=domain)
    left = int(rng.integers(0, SIDE // 2))
    return wide[:, left : left + SIDE]


def _backdrop(rng: Random) -> Frame:
    names = sorted(painters())
    place = (np.arange(SIDE * OVERSAMPLE) + 0.5) / (SIDE * OVERSAMPLE) * 2 - 1
    x, y = np.meshgrid(place, place)
    picture = painters()[names[int(rng.integers(len(names)))]](rng, x, y, (rng.random(3), rng.random(3), rng.random(3)))
    return _bytes(picture.reshape(SIDE, OVERSAMPLE, SIDE, OVERSAMPLE, 3).mean((1, 3)))


def _pattern(rng: Random) -> Frame:
    return draw_pattern(int(rng.integers(1 << 30)), float(rng.random()), width=SIDE, height=SIDE)


def _clouds(rng: Random) -> Frame:
    grey = draw_clouds(int(rng.integers(1 << 30)), width=SIDE, height=SIDE)[..., None] / 255
    one, two = rng.random(3), rng.random(3)
    return _bytes(one + (two - one) * grey)


def _flat(rng: Random) -> Frame:
    corners = rng.random((2, 2, 3)) if rng.random() < 0.5 else np.broadcast_to(rng.random(3) ** 0.5, (2, 2, 3))
    return np.asarray(Image.fromarray(_bytes(corners)).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def _text(rng: Random) -> Frame:
    image = Image.fromarray(_flat(rng))
    pen, y = ImageDraw.Draw(image), 0.0
    size = float(rng.uniform(9, 60))
    ink = tuple(int(v) for v in rng.integers(0, 256, 3))
    while y < SIDE:
        line = "".join(LETTERS[int(k)] for k in rng.integers(0, len(LETTERS), int(SIDE / size * 2)))
        pen.text((float(rng.uniform(-20, 20)), y), line, fill=ink, font=ImageFont.load_default(size))
        y += size * float(rng.uniform(1.0, 1.6))
    return np.asarray(image)


def _bundled(rng: Random) -> Frame:
    """A part of one of the pictures that come with scikit-image."""
    path = files("skimage.data") / BUNDLED[int(rng.integers(len(BUNDLED)))]
    with path.open("rb") as file, Image.open(file) as opened:
        image = opened.convert("RGB")
    side = int(min(image.size) * rng.uniform(0.4, 1.0))
    left, top = int(rng.integers(0, image.width - side + 1)), int(rng.integers(0, image.height - side + 1))
    cut = image.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(cut)


def _bytes(picture: NDArray[np.floating]) -> Frame:
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)


def add_decoys(image: Image.Image, rng: Random, *, count: int) -> None:
    """Draw things that share parts with faces: ovals with dots, flowers, wheels, single eyes, blobs, letters."""
    pen = ImageDraw.Draw(image)
    for _ in range(count):
        size = float(np.exp(rng.uniform(np.log(6), np.log(90))))
        x, y = float(rng.uniform(0, image.width)), float(rng.uniform(0, image.height))
        kinds = (_dotted_oval, _flower, _wheel, _lone_eye, _blob, _stripes)
        kinds[int(rng.integers(len(kinds)))](pen, rng, x=x, y=y, size=size)


def _tone(rng: Random) -> tuple[int, int, int]:
    r, g, b = (int(v) for v in rng.integers(0, 256, 3))
    return r, g, b


def _polygon(pen: ImageDraw.ImageDraw, points: NDArray[np.float64], fill: tuple[int, int, int], rng: Random) -> None:
    outline = _tone(rng) if rng.random() < 0.6 else None
    pen.polygon([(float(a), float(b)) for a, b in points], fill=fill, outline=outline, width=int(rng.integers(1, 4)))


def _dotted_oval(pen: ImageDraw.ImageDraw, rng: Random, *, x: float, y: float, size: float) -> None:
    """One dot, or dots in places where no face has its eyes."""
    _polygon(pen, oval(x, y, size * 0.8, size), _tone(rng), rng)
    dots = int(rng.choice([1, 4, 5, 6]))
    for k in range(dots):
        angle = 2 * np.pi * k / dots + float(rng.random())
        reach = 0.0 if dots == 1 else 0.55 * size
        radius = size * float(rng.uniform(0.05, 0.2))
        _polygon(pen, oval(x + reach * np.cos(angle), y + reach * np.sin(angle), radius, radius), _tone(rng), rng)


def _flower(pen: ImageDraw.ImageDraw, rng: Random, *, x: float, y: float, size: float) -> None:
    petals, fill = int(rng.integers(4, 9)), _tone(rng)
    for k in range(petals):
        angle = 2 * np.pi * k / petals
        _polygon(
            pen, oval(x + 0.6 * size * np.cos(angle), y + 0.6 * size * np.sin(angle), 0.4 * size, 0.4 * size), fill, rng
        )
    _polygon(pen, oval(x, y, 0.35 * size, 0.35 * size), _tone(rng), rng)


def _wheel(pen: ImageDraw.ImageDraw, rng: Random, *, x: float, y: float, size: float) -> None:
    for share in (1.0, 0.75, 0.2):
        _polygon(pen, oval(x, y, share * size, share * size), _tone(rng), rng)
    for angle in np.linspace(0, np.pi, int(rng.integers(2, 7)), endpoint=False):
        dx, dy = 0.75 * size * np.cos(angle), 0.75 * size * np.sin(angle)
        pen.line([(x - dx, y - dy), (x + dx, y + dy)], fill=_tone(rng), width=max(1, int(size / 15)))


def _lone_eye(pen: ImageDraw.ImageDraw, rng: Random, *, x: float, y: float, size: float) -> None:
    _polygon(pen, oval(x, y, size, 0.6 * size), (250, 250, 250), rng)
    _polygon(pen, oval(x, y, 0.4 * size, 0.5 * size), _tone(rng), rng)
    _polygon(pen, oval(x, y, 0.15 * size, 0.2 * size), (10, 10, 10), rng)


def _blob(pen: ImageDraw.ImageDraw, rng: Random, *, x: float, y: float, size: float) -> None:
    knots = np.array([x, y]) + rng.normal(0, 0.7 * size, (int(rng.integers(3, 8)), 2))
    _polygon(pen, curve(knots, closed=True), _tone(rng), rng)


def _stripes(pen: ImageDraw.ImageDraw, rng: Random, *, x: float, y: float, size: float) -> None:
    step, fill = rng.normal(0, size / 3, 2), _tone(rng)
    along = rng.normal(0, size, 2)
    for k in range(int(rng.integers(2, 12))):
        ends = np.array([x, y]) + k * step
        pen.line([tuple(ends), tuple(ends + along)], fill=fill, width=max(1, int(size * rng.uniform(0.02, 0.15))))
