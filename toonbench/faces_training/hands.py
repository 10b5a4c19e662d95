"""How a sketch is drawn: proportions, colours and pose of a face, drawn from a seed.

The face's half width is one length, x to the right, y down, with the origin between the eyes.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from toonbench.faces_training.canvas import Colour, Points, Random, curve, scaled


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """How one drawing is made: proportions, colours, pose."""

    yaw: float  # -1 to 1, positive to the right of the picture
    pitch: float
    chin: float  # y
    jaw: float  # half width at the mouth
    point: float  # half width of the chin
    eye_x: float
    eye_wide: float  # half widths and heights
    eye_up: float
    eye_down: float
    tilt: float  # rise of the outer corner
    opening: float  # of the lids
    iris: float  # width, parts of the eye's
    lash: float
    brow_y: float
    mouth_y: float
    mouth: float  # half width
    nose_y: float
    skin: Colour
    hair: Colour
    eye: Colour
    cloth: Colour
    ink: Colour
    shade: Colour
    line: float
    soft: float  # blur of the shade, lengths


def draw_hand(rng: Random) -> Hand:
    """Draw a hand: most draw large eyes, some draw narrow or simple ones."""
    size = float(
        rng.choice([rng.uniform(0.2, 0.4), rng.uniform(0.1, 0.22), rng.uniform(0.38, 0.55)], p=[0.6, 0.22, 0.18])
    )
    chin = float(rng.uniform(1.0, 1.6)) - 0.5 * (size - 0.3)
    wide = float(rng.uniform(0.24, 0.37))
    hair = any_colour(rng, saturation=(0.0, 0.8), value=(0.06, 1.0))
    dark = float(rng.uniform(0.0, 0.25))
    closed = rng.random() < 0.08
    return Hand(
        yaw=float(np.clip(rng.normal(0, 0.45), -1, 1)), pitch=float(rng.normal(0, 0.08)),
        chin=chin, jaw=float(rng.uniform(0.6, 0.92)), point=float(rng.uniform(0.05, 0.4)),
        eye_x=float(rng.uniform(0.42, 0.56)), eye_wide=wide, eye_up=size, eye_down=size * float(rng.uniform(0.5, 1.1)),
        tilt=float(rng.normal(0.05, 0.1)), opening=0.0 if closed else float(rng.uniform(0.55, 1.0)), iris=float(rng.uniform(0.6, 1.1)),
        lash=float(rng.uniform(0.03, 0.14)), brow_y=-size - float(rng.uniform(0.12, 0.3)),
        mouth_y=chin * float(rng.uniform(0.62, 0.76)), mouth=float(rng.uniform(0.06, 0.34)), nose_y=chin * float(rng.uniform(0.36, 0.5)),
        skin=_skin(rng), hair=hair, eye=any_colour(rng, saturation=(0.2, 0.95), value=(0.25, 0.95)),
        cloth=any_colour(rng, saturation=(0.0, 0.9), value=(0.1, 1.0)),
        ink=scaled(hair, dark), shade=scaled((0.86, 0.74, 0.78), rng.uniform(0.8, 1.1, 3).tolist()),
        line=float(rng.choice([rng.uniform(0.0, 0.02), rng.uniform(0.02, 0.06)], p=[0.3, 0.7])),
        soft=float(rng.choice([0.0, rng.uniform(0.05, 0.5)])),
    )  # fmt: skip


def any_colour(rng: Random, *, saturation: tuple[float, float], value: tuple[float, float]) -> Colour:
    """A colour of any hue."""
    r, g, b = colorsys.hsv_to_rgb(float(rng.random()), float(rng.uniform(*saturation)), float(rng.uniform(*value)))
    return r, g, b


def _skin(rng: Random) -> Colour:
    light = float(rng.beta(4, 1.4))
    r, g, b = colorsys.hsv_to_rgb(
        float(rng.normal(0.065, 0.018)) % 1, 0.62 - 0.54 * light + float(rng.normal(0, 0.03)), 0.42 + 0.58 * light
    )
    return (r, g, b) if rng.random() < 0.93 else any_colour(rng, saturation=(0.1, 0.6), value=(0.4, 1.0))


def place_on(hand: Hand, x: float, y: float) -> tuple[float, float]:
    """A place on the turned face: the far side is narrower, the middle moves to the side it looks to."""
    far = x * hand.yaw > 0
    near = 1 - 0.42 * abs(hand.yaw) if far else 1 - 0.06 * abs(hand.yaw)
    return x * near + 0.34 * hand.yaw * (1 - 0.35 * abs(x)), y + hand.pitch


def outline_of(hand: Hand) -> Points:
    """The face from temple to temple over the chin, closed over the forehead."""
    side = [(0.96, -0.75), (1.0, -0.2), (0.97, 0.3), (hand.jaw, 0.72 * hand.chin), (hand.point, hand.chin - 0.04)]
    bend = 0.16 * hand.yaw
    right = [(x * (1 - 0.1 * max(hand.yaw, 0)) + bend * max(0.0, y) / hand.chin, y) for x, y in side]
    left = [(-x * (1 - 0.1 * max(-hand.yaw, 0)) + bend * max(0.0, y) / hand.chin, y) for x, y in side]
    chin = (1.3 * bend, hand.chin)
    points = curve([(0, -1.2), *right, chin, *left[::-1]], closed=True)
    return points + np.array([0, 0.6 * hand.pitch])
