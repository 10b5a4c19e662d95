"""The hair of a sketch, behind the head and in front of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from toonbench.faces_training.canvas import Canvas, Points, Random, curve, oval, scaled
from toonbench.faces_training.hands import Hand


def draw_back_hair(canvas: Canvas, hand: Hand, rng: Random) -> None:
    """The hair behind the head, short or long, some with tails at both sides."""
    length, wide = (
        float(rng.choice([rng.uniform(0.2, 0.9), rng.uniform(1.0, 2.0), rng.uniform(2.0, 4.5)])),
        float(rng.uniform(1.1, 1.7)),
    )
    tips = [
        (x * wide * (1 + 0.12 * length), length + float(rng.uniform(-0.35, 0.25)))
        for x in np.linspace(1.1, -1.1, int(rng.integers(5, 12)))
    ]
    outline = np.concatenate(
        [
            curve(
                [
                    (-wide, 0.4),
                    (-wide, -0.7),
                    (-0.7 * wide, -1.5),
                    (0, -1.75),
                    (0.7 * wide, -1.5),
                    (wide, -0.7),
                    (wide, 0.4),
                ]
            ),
            np.array(tips),
        ]
    )
    canvas.shape(outline, hand.hair, scaled(hand.hair, float(rng.uniform(0.6, 1.1))))
    if rng.random() < 0.25:  # tails
        for side in (-1, 1):
            drop = float(rng.uniform(1.0, 4.0))
            out = float(rng.uniform(1.3, 2.6))
            canvas.tapered(
                curve([(side * 0.9, -1.2), (side * out, -0.9), (side * (out + 0.2), 0.3 * drop), (side * out, drop)]),
                line=float(rng.uniform(0.5, 1.1)),
                colour=scaled(hand.hair, 0.9),
            )
    canvas.shade(canvas.area(oval(0, 0.4, 1.2, 1.6), blur=0.4), scaled(hand.shade, 0.85))


def draw_front_hair(canvas: Canvas, hand: Hand, rng: Random) -> None:
    """A cap with a fringe of pointed locks, locks beside the face, light and strands on it; its shadow falls on the face."""
    count, wide = int(rng.integers(3, 9)), float(rng.uniform(1.04, 1.25))
    high, low = float(rng.uniform(-0.85, -0.5)), float(rng.uniform(-0.4, 0.25))
    fringe = _fringe(hand, rng, ends=np.linspace(wide * 0.96, -wide * 0.96, 2 * count + 1), high=high, low=low)
    top = _crown(rng, wide)
    shape = np.concatenate([top, curve(fringe) if rng.random() < 0.5 else fringe])
    canvas.shade(canvas.area(np.clip(shape + np.array([0, 0.12]), -1, 9), blur=0.3 * hand.soft), hand.shade)
    mask = canvas.shape(shape, hand.hair, scaled(hand.hair, rng.uniform(0.7, 1.25, 3).tolist()))
    if rng.random() < 0.7:
        for side in (-1, 1):
            _draw_side_lock(canvas, hand, rng, side=side, wide=wide)
    _gleam(canvas, hand, mask, rng=rng)
    for _ in range(int(rng.integers(0, 10))):
        x = float(rng.uniform(-wide, wide)) * 0.9
        strand = curve([(0.4 * x, -1.6 + 0.3 * abs(x)), (0.85 * x, -1.0), (x, high + float(rng.uniform(0, 0.4)))])
        line = float(rng.uniform(0.4, 0.9))
        canvas.stroke(strand, line=line, colour=scaled(hand.hair, float(rng.uniform(0.4, 0.9))))


def _fringe(hand: Hand, rng: Random, *, ends: NDArray[np.float64], high: float, low: float) -> Points:
    """The lower edge of the front hair from right to left: gaps at `high`, tips at `low`, which lean away from the parting."""
    part = float(rng.uniform(-0.6, 0.6)) + 0.3 * hand.yaw
    fringe: list[tuple[float, float]] = []
    for k, x in enumerate(ends.tolist()):
        if k % 2:
            tip = x + 0.2 * (x - part) + float(rng.normal(0, 0.06))
            fringe.append((tip, low - 0.3 + 0.25 * abs(x - part) + float(rng.normal(0, 0.1)) + hand.pitch))
        else:
            fringe.append((x, high + 0.25 * x**2 + float(rng.normal(0, 0.05)) + hand.pitch))
    return np.array(fringe)


def _draw_side_lock(canvas: Canvas, hand: Hand, rng: Random, *, side: int, wide: float) -> None:
    """A lock beside the face."""
    drop, curl = float(rng.uniform(0.5, 2.4)), float(rng.normal(0.1, 0.15))
    knots = [(wide * 0.93, -0.75), (wide + curl, 0.1), (wide - 0.05, 0.5 * drop), (wide - 0.15 + curl, drop)]
    strand = curve([(side * x, y) for x, y in knots])
    line = float(rng.uniform(0.2, 0.45))
    canvas.tapered(strand, line=line, colour=scaled(hand.hair, float(rng.uniform(0.85, 1.1))))
    canvas.stroke(strand - np.array([side * 0.12, 0]), line=0.7)


def _crown(rng: Random, wide: float) -> Points:
    """The upper edge of the hair from left to right: smooth or in spikes."""
    high = float(rng.uniform(1.5, 1.85))
    smooth = curve(
        [
            (-wide * 0.96, -0.3),
            (-wide, -0.8),
            (-0.65 * wide, -high * 0.86),
            (0, -high),
            (0.65 * wide, -high * 0.86),
            (wide, -0.8),
            (wide * 0.96, -0.3),
        ]
    )
    if rng.random() < 0.65:
        return smooth
    spikes = smooth[:: int(rng.integers(2, 5))].copy()
    tips = spikes[1:-1:2]
    tips *= rng.uniform(1.05, 1.4, (len(tips), 1))
    return np.concatenate([spikes, smooth[-1:]])


def _gleam(canvas: Canvas, hand: Hand, mask: Image.Image, *, rng: Random) -> None:
    """A band of light on the hair."""
    if rng.random() < 0.45:
        return
    middle, thick = float(rng.uniform(-1.35, -0.95)), float(rng.uniform(0.05, 0.2))
    x = np.linspace(-1.1, 1.1, 25)
    jag = rng.uniform(-0.1, 0.1, 25) * float(rng.random() < 0.6)
    low = np.stack([x, middle + 0.25 * x**2 + thick + jag], axis=1)
    up = np.stack([x, middle + 0.25 * x**2 - thick - jag], axis=1)
    band = ImageChops.multiply(mask, canvas.area(np.concatenate([low, up[::-1]]), blur=0.2 * hand.soft))
    r, g, b = hand.hair
    canvas.fill(band, (0.5 + 0.5 * r, 0.5 + 0.5 * g, 0.5 + 0.5 * b))
