"""Faces drawn in two dimensions, as in animation and comics, for the scenes of the detector of drawn faces.

Puppets are solid heads; a hand that draws takes liberties that no head has: eyes as high as half the face, a nose of one
dot, hair in a dozen pointed locks in front of the eyes. Each sketch follows from its seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toonbench.faces_training.canvas import Camera, Canvas, Random, curve, oval, scaled
from toonbench.faces_training.cutouts import FOREHEAD, SIZE
from toonbench.faces_training.hands import Hand, any_colour, draw_hand, outline_of, place_on
from toonbench.faces_training.sketch_face import draw_brow, draw_eye, draw_mouth, draw_nose, draw_simple_eye, shade_face
from toonbench.faces_training.sketch_hair import draw_back_hair, draw_front_hair
from toonbench.puppets.rig import seed_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """A drawing, its coverage, and the box of its face in pixels."""

    frame: NDArray[np.uint8]  # (SIZE, SIZE, 3)
    mask: NDArray[np.uint8]  # (SIZE, SIZE)
    box: NDArray[np.float32]  # (4,)


def draw_sketch(split: str, number: int) -> Sketch:
    """Sketch number `number` of a split."""
    rng = np.random.default_rng(seed_of("sketch", split, number))
    hand = draw_hand(rng)
    reach = float(
        rng.choice([rng.uniform(1.7, 2.3), rng.uniform(2.3, 3.4), rng.uniform(4.5, 8.5)], p=[0.45, 0.4, 0.15])
    )
    low = 0.0 if reach < 2.3 else 0.4 if reach < 3.5 else reach - 2.6
    camera = Camera(
        middle=(float(rng.normal(0, 0.12)), low + float(rng.normal(0, 0.15))),
        reach=reach,
        roll=float(rng.normal(0, 0.16)),
    )
    canvas = Canvas(camera, side=SIZE, ink=hand.ink, line=hand.line)
    _body(canvas, hand, rng)
    _draw_head(canvas, hand, rng)
    frame, mask = canvas.finished()
    outline = camera.pixels(outline_of(hand), side=SIZE)
    top = hand.brow_y - FOREHEAD * (hand.chin - hand.brow_y) + hand.pitch
    ends = camera.pixels(np.array([[-0.7, top], [0.7, top]]), side=SIZE)
    low_x, high_x, high_y = outline[:, 0].min(), outline[:, 0].max(), outline[:, 1].max()
    return Sketch(frame=frame, mask=mask, box=np.array([low_x, ends[:, 1].min(), high_x, high_y], np.float32))


def _body(canvas: Canvas, hand: Hand, rng: Random) -> None:
    """Hair behind the head, neck, shoulders, and a figure below them."""
    draw_back_hair(canvas, hand, rng)
    neck = float(rng.uniform(0.22, 0.45))
    top, wide = hand.chin + 0.25, float(rng.uniform(1.1, 2.0))
    trunk = float(rng.uniform(1.6, 5.0))
    if trunk > 3:
        _draw_limbs(canvas, hand, rng, top=top, wide=wide, low=top + trunk)
    hips = [wide * float(rng.uniform(0.7, 1.4)) for _ in range(2)]
    half = [(wide, top + 0.7), (0.8 * wide, top + 1.6)]
    shoulders = [(-wide, top + 0.7), (-0.5 * wide, top + 0.25), (0, top + 0.15), (0.5 * wide, top + 0.25), *half]
    trunk_line = curve(
        [*shoulders, (hips[0], top + trunk), (-hips[1], top + trunk), (-0.8 * wide, top + 1.6)], closed=True
    )
    canvas.shape(trunk_line, hand.cloth, scaled(hand.cloth, float(rng.uniform(0.6, 1.0))))
    low = top + 0.25
    collar = (0.0, low + float(rng.uniform(0, 0.6)))
    throat = [(-neck, hand.chin - 0.6), (neck, hand.chin - 0.6), (neck, low), collar, (-neck, low)]
    mask = canvas.shape(np.array(throat), hand.skin)
    canvas.shade(mask, scaled(hand.shade, float(rng.uniform(0.85, 1.0))))
    _draw_folds(canvas, rng, top=top)


def _draw_limbs(canvas: Canvas, hand: Hand, rng: Random, *, top: float, wide: float, low: float) -> None:
    for side in (-1, 1):
        arm = float(rng.uniform(0.1, 1.6))
        hand_x = side * (wide + arm * float(rng.uniform(-1, 1)))
        limb = curve([(side * wide * 0.8, top + 0.4), (side * (wide + arm), top + 1.8), (hand_x, top + 3.4)])
        canvas.tapered(limb, line=0.6, colour=hand.skin if rng.random() < 0.5 else hand.cloth)
        leg = np.array([(side * 0.5, low - 0.5), (side * 0.6, low + 2), (side * 0.6, low + 4.5)])
        canvas.tapered(leg, line=0.8, colour=hand.skin)


def _draw_folds(canvas: Canvas, rng: Random, *, top: float) -> None:
    """Collars, folds, ribbons."""
    for _ in range(int(rng.integers(0, 4))):
        x, y = float(rng.normal(0, 0.7)), top + float(rng.uniform(0.3, 2.0))
        fold = curve(np.array([(x, y)]) + rng.normal(0, 0.4, (3, 2)))
        colour = any_colour(rng, saturation=(0, 0.9), value=(0.1, 1))
        if rng.random() < 0.5:
            canvas.stroke(fold)
        else:
            canvas.shape(curve(np.array([(x, y)]) + rng.normal(0, 0.35, (4, 2)), closed=True), colour)


def _draw_head(canvas: Canvas, hand: Hand, rng: Random) -> None:
    outline = outline_of(hand)
    if rng.random() < 0.5:
        for side in (-1, 1):
            canvas.shape(oval(side * 1.0 - 0.1 * hand.yaw, 0.15, 0.16, 0.28), hand.skin)
    chin = scaled(hand.skin, rng.uniform(0.85, 1.05, 3).tolist()) if rng.random() < 0.4 else None
    canvas.shape(outline, hand.skin, chin)
    shade_face(canvas, hand, rng)
    if rng.random() < 0.4:  # blush
        for side in (-1, 1):
            x, y = place_on(hand, side * 0.6, hand.eye_down + 0.2)
            canvas.shade(canvas.area(oval(x, y, 0.2, 0.1), blur=0.1), (1.0, 0.78, 0.76))
    simple = rng.random() < 0.12
    for side in (-1, 1):
        (draw_simple_eye if simple else draw_eye)(canvas, hand, side, rng=rng)
    draw_nose(canvas, hand, rng)
    draw_mouth(canvas, hand, rng)
    if rng.random() < 0.94:
        draw_front_hair(canvas, hand, rng)
    for side in (-1, 1):
        draw_brow(canvas, hand, side, rng=rng)
    _extras(canvas, hand, rng)


def _extras(canvas: Canvas, hand: Hand, rng: Random) -> None:
    """Glasses, ornaments in the hair, hats, pointed ears."""
    colour = any_colour(rng, saturation=(0.0, 0.95), value=(0.1, 1.0))
    kind = float(rng.random())
    if kind < 0.08:
        for side in (-1, 1):
            x, y = place_on(hand, side * hand.eye_x, 0.05)
            rim = oval(x, y, 0.38, 0.36)
            canvas.tapered(np.concatenate([rim, rim[:2]]), line=0.05, colour=scaled(colour, 0.4))
    elif kind < 0.2:
        for _ in range(int(rng.integers(1, 4))):
            x, y = float(rng.uniform(-1.1, 1.1)), float(rng.uniform(-1.5, -0.8))
            canvas.shape(curve(np.array([(x, y)]) + rng.normal(0, 0.2, (5, 2)), closed=True), colour)
    elif kind < 0.28:
        brim = float(rng.uniform(-1.1, -0.7))
        canvas.shape(
            curve(
                [(-1.2, brim), (-1.0, -1.7), (0, -2.0), (1.0, -1.7), (1.2, brim), (0, brim + rng.uniform(-0.2, 0.2))],
                closed=True,
            ),
            colour,
        )
    elif kind < 0.36:
        for side in (-1, 1):
            canvas.shape(np.array([(side * 0.35, -1.55), (side * 0.95, -2.3), (side * 1.1, -1.15)]), hand.hair)
            canvas.fill(
                canvas.area(np.array([(side * 0.55, -1.55), (side * 0.88, -2.0), (side * 0.98, -1.35)])),
                scaled(hand.skin, (1.0, 0.8, 0.8)),
            )
