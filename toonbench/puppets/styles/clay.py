"""Stop-motion clay: matte modelled heads with dents and fingerprints, fat locks of hair, dusty colours, warm sets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from toonbench.puppets.look import Colour, Hair, Look, Palette, Scene, Shading, Shape, Style
from toonbench.puppets.styles._draw import around, cut, cut_for, garment, near, pick, wear

SKINS: tuple[Colour, ...] = (
    (0.93, 0.72, 0.58), (0.95, 0.78, 0.68), (0.86, 0.62, 0.45), (0.70, 0.47, 0.33), (0.52, 0.34, 0.25), (0.96, 0.70, 0.62),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (0.16, 0.12, 0.12), (0.38, 0.22, 0.13), (0.66, 0.36, 0.16), (0.86, 0.66, 0.30), (0.72, 0.28, 0.18), (0.74, 0.71, 0.66),
    (0.24, 0.30, 0.42),
)  # fmt: skip
IRISES: tuple[Colour, ...] = ((0.22, 0.14, 0.09), (0.20, 0.36, 0.46), (0.24, 0.40, 0.26), (0.40, 0.24, 0.12))
CLOTHES: tuple[Colour, ...] = (
    (0.74, 0.28, 0.22), (0.24, 0.45, 0.52), (0.86, 0.64, 0.26), (0.42, 0.54, 0.34), (0.54, 0.36, 0.48), (0.88, 0.82, 0.72),
    (0.30, 0.34, 0.46),
)  # fmt: skip
WALLS: tuple[Colour, ...] = (
    (0.78, 0.62, 0.44), (0.56, 0.62, 0.52), (0.72, 0.48, 0.40), (0.48, 0.55, 0.62), (0.82, 0.74, 0.58), (0.58, 0.46, 0.54),
)  # fmt: skip


def draw(rng: np.random.Generator, name: str) -> Look:
    """Draw a clay look."""
    boyish = bool(rng.random() < 0.5)
    kind = cut_for(rng, masculine=boyish, without=("spiky", "mohawk"))
    age = float(rng.uniform(0.3, 0.8)) if rng.random() < 0.25 else 0.0
    palette = _palette(rng, boyish=boyish, age=age)
    return Look(
        name=name,
        style="clay",
        domain="cartoon",
        shape=_shape(rng, boyish=boyish),
        palette=palette,
        hair=replace(_fat(cut(rng, kind)), beard=0.10 * palette.beard),
        scene=_set(rng),
        shading=Shading(wrap=0.5, ambient=0.40, specular=0.10, gloss=5.0, scatter=0.6, saturation=1.05, shadow=0.75),
        worn=wear(rng, masculine=boyish, kind=kind, colours=CLOTHES),
        clothes=garment(rng, masculine=boyish),
    )


def _fat(hair: Hair) -> Hair:
    """Turn the hair of a cut into a few thick rolls."""
    return replace(
        hair,
        locks=max(7, hair.locks // 4),
        curl=hair.curl and max(0.022, hair.curl),
        strands=min(hair.strands, 16),
        bangs=min(hair.bangs, 5),
        volume=hair.volume + 0.03,
        puff=hair.puff and hair.puff + 0.05,
        fade=0.4 * hair.fade,
    )


def _set(rng: np.random.Generator) -> Scene:
    return Scene(
        key_azimuth=float(rng.choice([-1.0, 1.0])) * float(rng.uniform(25, 52)),
        key_elevation=float(rng.uniform(28, 48)),
        key=float(rng.uniform(0.92, 1.08)),
        fill=float(rng.uniform(0.26, 0.36)),
        rim=float(rng.uniform(0.05, 0.15)),
        warmth=around(rng, 0.7, 0.2),
        view_height=around(rng, 3.1, 0.06),
        centre_y=around(rng, -0.05, 0.03),
        background=(pick(rng, WALLS), pick(rng, WALLS), pick(rng, CLOTHES)),
        background_seed=int(rng.integers(1 << 30)),
        backdrop="room" if rng.random() < 0.6 else "studio",
    )


def _shape(rng: np.random.Generator, *, boyish: bool) -> Shape:
    long = around(rng, 0.0, 1.0)  # -2 is a ball, 2 an upright egg
    heavy = around(rng, 0.0, 1.0) + (0.5 if boyish else -0.4)
    return Shape(
        skull_width=around(rng, 0.80, 0.03) - 0.035 * long,
        cheek_width=around(rng, 0.83, 0.03) - 0.02 * long,
        jaw_width=0.72 + 0.05 * heavy - 0.01 * long,
        chin_width=0.42 + 0.05 * heavy,
        chin_y=-1.0 - 0.03 * long,
        chin_out=around(rng, 0.04, 0.02),
        crown_y=1.02 + 0.07 * long,
        forehead_z=0.86,
        face_z=0.86,
        chin_z=0.80,
        roundness=around(rng, 2.25, 0.12),
        eye_x=around(rng, 0.30, 0.02),
        eye_half_width=around(rng, 0.165, 0.012),
        eye_up=around(rng, 0.132, 0.012),
        eye_down=around(rng, 0.100, 0.01),
        eye_tilt=around(rng, 0.0, 0.012),
        eyeball_radius=0.23,
        eyeball_out=0.085,
        iris_radius=around(rng, 0.092, 0.007),
        pupil=0.62,
        socket=0.03,
        brow_y=around(rng, 0.33, 0.025),
        brow_thickness=around(rng, 0.125 if boyish else 0.09, 0.012),
        brow_arch=around(rng, 0.04, 0.025),
        brow_out=0.06,
        nose_y=around(rng, -0.32, 0.025),
        nose_out=around(rng, 0.34, 0.06),
        nose_width=around(rng, 0.12, 0.02),
        nose_bridge=0.0,
        nose_ball=around(rng, 0.15, 0.025),
        mouth_y=around(rng, -0.62, 0.015),
        mouth_half_width=around(rng, 0.33, 0.03),
        lip_up=around(rng, 0.05, 0.01),
        lip_down=around(rng, 0.065, 0.01),
        lip_out=0.05,
        mouth_curve=around(rng, 0.25, 0.15),
        cheek_puff=around(rng, 0.08, 0.025),
        dents=around(rng, 0.016, 0.002),
        ear=around(rng, 0.25, 0.03),
        ear_out=around(rng, 0.16, 0.03),
        neck_width=around(rng, 0.36 if boyish else 0.31, 0.03),
        lash=0.014 if boyish else 0.035,
        gain=1.25,
    )


def _palette(rng: np.random.Generator, *, boyish: bool, age: float) -> Palette:
    skin = pick(rng, SKINS, spread=0.04, tint=0.25)
    hair: Colour = (
        near(rng, (0.76, 0.73, 0.69), spread=0.05)
        if age > 0.5
        else pick(rng, HAIRS if skin[0] > 0.75 else HAIRS[:2], spread=0.08)
    )
    return Palette(
        skin=skin,
        lip=(skin[0] * 0.84, skin[1] * (0.62 if boyish else 0.48), skin[2] * (0.62 if boyish else 0.52)),
        blush=(min(1.0, skin[0] * 1.02), skin[1] * 0.72, skin[2] * 0.66),
        hair=hair,
        brow=(hair[0] * 0.7, hair[1] * 0.7, hair[2] * 0.7),
        iris=pick(rng, IRISES),
        clothes=pick(rng, CLOTHES),
        trim=pick(rng, CLOTHES),
        white=(0.95, 0.93, 0.88),
        mottle=0.012,
        rosy=float(rng.uniform(0.5, 0.9)),
        freckles=0.7 if rng.random() < 0.2 else 0.0,
        age=0.6 * age,
        shadow=0.5,
        beard=0.9 if boyish and rng.random() < 0.25 else 0.0,
    )


STYLE = Style(name="clay", domain="cartoon", about="stop-motion clay, matte and modelled by hand", draw=draw)
