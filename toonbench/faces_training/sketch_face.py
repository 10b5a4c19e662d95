"""The parts of a sketched face: shade, eyes, brows, nose, mouth."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops

from toonbench.faces_training.canvas import Canvas, Points, Random, curve, oval, scaled
from toonbench.faces_training.hands import Hand, outline_of, place_on


def shade_face(canvas: Canvas, hand: Hand, rng: Random) -> None:
    """Shade on one side or under the hair."""
    kind = int(rng.integers(4))
    outline = outline_of(hand)
    if kind == 0:
        moved = outline + rng.choice([-1, 1]) * np.array([rng.uniform(0.3, 0.9), 0])
    elif kind == 1:
        moved = outline + np.array([0.0, rng.uniform(0.4, 0.8)])
    elif kind == 2:
        moved = outline * 0.8
    else:
        return
    inside = canvas.area(outline)
    canvas.shade(ImageChops.subtract(inside, canvas.area(moved, blur=hand.soft)), hand.shade)


def draw_eye(canvas: Canvas, hand: Hand, side: int, *, rng: Random) -> None:
    """White, iris with pupil and highlights, lashes. Both eyes get the same proportions and their own random strokes."""
    x, y = place_on(hand, side * hand.eye_x, 0)
    wide = hand.eye_wide * (1 - 0.35 * max(0.0, side * hand.yaw))
    up, down = hand.eye_up * hand.opening, hand.eye_down

    def place(points: list[tuple[float, float]]) -> Points:
        p = np.array(points)
        rise = np.where(p[:, 1] < 0, up, down) * p[:, 1] - hand.tilt * wide * p[:, 0]
        return np.stack([x + side * wide * p[:, 0], y + rise], axis=1)

    upper = curve(place([(-1, 0.25), (-0.75, -0.55), (-0.1, -1), (0.6, -0.85), (1.0, -0.1), (1.12, 0.1)]))
    if hand.opening < 0.3:
        arch = float(rng.choice([-0.6, 0.6]))
        canvas.tapered(curve(place([(-1, 0.4), (0, 0.4 + arch), (1, 0.4)])), line=hand.lash + 0.03)
        return
    lower = curve(place([(1.0, 0.1), (0.7, 0.8), (0, 1), (-0.6, 0.8), (-1, 0.25)]))
    white = canvas.area(np.concatenate([upper, lower]))
    canvas.fill(white, (0.97, 0.97, 0.98))
    shadow = canvas.area(oval(x, y - up, wide * 1.2, 0.5 * up), blur=0.05)
    canvas.shade(ImageChops.multiply(white, shadow), (0.75, 0.75, 0.85))
    middle = x + 0.1 * wide * hand.yaw, y + 0.5 * (down - up) - 0.05 * up
    half = wide * hand.iris * 0.8, 0.5 * (hand.eye_up + down) * 0.98
    _draw_iris(canvas, hand, white, rng=rng, middle=middle, half=half)
    canvas.tapered(upper, line=hand.lash)
    canvas.tapered(lower, line=0.35 * hand.lash * float(rng.random()))
    if rng.random() < 0.5:
        canvas.stroke(upper[3:-6] - np.array([0, 0.1]), line=0.6)


def _draw_iris(
    canvas: Canvas,
    hand: Hand,
    white: Image.Image,
    *,
    rng: Random,
    middle: tuple[float, float],
    half: tuple[float, float],
) -> None:
    """Iris, pupil and highlights inside the white of an eye."""
    canvas.fill(
        ImageChops.multiply(white, canvas.area(oval(*middle, *half))), scaled(hand.eye, 0.45), scaled(hand.eye, 1.3)
    )
    if rng.random() < 0.5:
        canvas.stroke(oval(*middle, *half), line=0.5)
    pupil = canvas.area(oval(middle[0], middle[1] - 0.05, half[0] * 0.45, half[1] * 0.5))
    canvas.fill(ImageChops.multiply(white, pupil), scaled(hand.eye, 0.15))
    for dx, dy, size in ((-0.4, -0.45, 0.3), (0.4, 0.45, 0.18))[: int(rng.integers(0, 3))]:
        light = oval(middle[0] + dx * half[0], middle[1] + dy * half[1], half[0] * size, half[1] * size * 1.1)
        canvas.fill(canvas.area(light), (1.0, 1.0, 1.0))


def draw_simple_eye(canvas: Canvas, hand: Hand, side: int, *, rng: Random) -> None:
    """A dot, or a ball with a pupil."""
    x, y = place_on(hand, side * hand.eye_x * 0.9, 0)
    if hand.eye_up > 0.3:
        canvas.shape(oval(x, y, hand.eye_wide, hand.eye_up), (1.0, 1.0, 1.0))
        canvas.fill(
            canvas.area(oval(x + 0.1 * hand.yaw, y + 0.05 * float(rng.normal()), 0.07, 0.08)), (0.05, 0.05, 0.06)
        )
    else:
        canvas.fill(canvas.area(oval(x, y, 0.09, 0.09 + 0.4 * hand.eye_up)), scaled(hand.ink, 0.6))


def draw_brow(canvas: Canvas, hand: Hand, side: int, *, rng: Random) -> None:
    """One stroke."""
    points = [
        place_on(hand, side * hand.eye_x * k, hand.brow_y + d - hand.tilt * 0.5 * (k - 1))
        for k, d in ((0.55, 0.04), (1.0, -0.04), (1.5, 0.05))
    ]
    canvas.tapered(
        curve(points), line=float(rng.uniform(0.02, 0.1)), colour=scaled(hand.hair, float(rng.uniform(0.2, 0.8)))
    )


def draw_nose(canvas: Canvas, hand: Hand, rng: Random) -> None:
    """A tick, a patch of shade, a bridge, a dot, or nothing."""
    x, y = place_on(hand, 0, hand.nose_y)
    kind, way = int(rng.integers(5)), 1 if hand.yaw > 0 else -1
    if kind == 0:
        canvas.tapered(curve([(x, y - 0.1), (x + 0.06 * way, y), (x, y + 0.02)]), line=0.03)
    elif kind == 1:
        canvas.shade(
            canvas.area(np.array([(x, y - 0.15), (x + 0.09 * way, y + 0.02), (x - 0.04 * way, y + 0.03)])), hand.shade
        )
    elif kind == 2:
        canvas.tapered(
            curve(
                [(x - 0.1 * way, y - 0.45), (x + 0.02 * way, y - 0.2), (x + 0.12 * way, y), (x - 0.04 * way, y + 0.04)]
            ),
            line=0.035,
        )
    elif kind == 3:
        canvas.fill(canvas.area(oval(x, y, 0.03, 0.02)), scaled(hand.skin, 0.7))


def draw_mouth(canvas: Canvas, hand: Hand, rng: Random) -> None:
    """A line, or open lips with tongue and teeth."""
    x, y = place_on(hand, 0, hand.mouth_y)
    wide, mood = hand.mouth * (1 - 0.25 * abs(hand.yaw)), float(rng.normal(0.04, 0.08))
    ends = (x - wide, y - mood), (x + wide, y - mood)
    if rng.random() < 0.55:
        canvas.tapered(curve([ends[0], (x, y + 0.3 * mood), ends[1]]), line=float(rng.uniform(0.02, 0.07)))
        if rng.random() < 0.3:
            canvas.stroke(np.array([(x - 0.05, y + 0.09), (x + 0.05, y + 0.09)]), line=0.6)
        return
    deep, part = float(rng.uniform(0.05, 0.32)), 0.6 * wide
    low = y + 0.7 * deep
    lips = curve([ends[0], (x, y - 0.02), ends[1], (x + part, low), (x, y + deep), (x - part, low)], closed=True)
    canvas.shape(lips, scaled((0.62, 0.2, 0.2), float(rng.uniform(0.4, 1.4))))
    if rng.random() < 0.6:
        canvas.fill(canvas.area(oval(x, y + 0.8 * deep, 0.5 * wide, 0.25 * deep)), (0.9, 0.5, 0.5))
    if rng.random() < 0.4:
        row = y + 0.25 * deep
        teeth = np.array([(x - 0.7 * wide, y), (x + 0.7 * wide, y), (x + part, row), (x - part, row)])
        canvas.fill(canvas.area(teeth), (0.97, 0.97, 0.97))
