"""A large-eyed 3D cartoon: round head, small nose and chin, big irises, clean saturated colours, strong expression."""

from __future__ import annotations

import numpy as np

from toonbench.puppets.look import Colour, Look, Palette, Shading, Shape, Style
from toonbench.puppets.styles._draw import around, cut, cut_for, garment, pick, wear
from toonbench.puppets.styles.real import scene

SKINS: tuple[Colour, ...] = (
    (0.98, 0.82, 0.72), (0.96, 0.76, 0.63), (0.90, 0.68, 0.52), (0.82, 0.58, 0.42), (0.68, 0.46, 0.33), (0.56, 0.37, 0.26),
    (0.44, 0.28, 0.20),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (0.09, 0.07, 0.08), (0.28, 0.15, 0.08), (0.50, 0.27, 0.12), (0.93, 0.72, 0.32), (0.76, 0.24, 0.10), (0.88, 0.84, 0.78),
    (0.16, 0.16, 0.30),
)  # fmt: skip
STREAKS: tuple[Colour, ...] = ((0.85, 0.3, 0.55), (0.25, 0.55, 0.8), (0.95, 0.85, 0.55), (0.45, 0.75, 0.5))
IRISES: tuple[Colour, ...] = (
    (0.20, 0.48, 0.78),
    (0.22, 0.55, 0.30),
    (0.42, 0.22, 0.09),
    (0.55, 0.36, 0.12),
    (0.36, 0.28, 0.62),
)
CLOTHES: tuple[Colour, ...] = (
    (0.82, 0.22, 0.24), (0.18, 0.46, 0.72), (0.96, 0.76, 0.24), (0.30, 0.62, 0.42), (0.55, 0.34, 0.66), (0.95, 0.94, 0.92),
    (0.24, 0.28, 0.38),
)  # fmt: skip


def draw(rng: np.random.Generator, name: str) -> Look:
    """Draw a large-eyed cartoon look."""
    boyish = bool(rng.random() < 0.5)
    kind = cut_for(rng, masculine=boyish, without=("bald", "receding"))
    return Look(
        name=name,
        style="disney3d",
        domain="cartoon",
        shape=_shape(rng, boyish=boyish),
        palette=_palette(rng, boyish=boyish),
        hair=cut(rng, kind),
        scene=scene(rng, tint=0.2, backdrops=("studio", "studio", "room", "park")),
        shading=Shading(wrap=0.4, ambient=0.5, specular=0.18, gloss=26.0, scatter=0.45, saturation=1.15),
        worn=wear(rng, masculine=boyish, kind=kind, colours=CLOTHES),
        clothes=garment(rng, masculine=boyish),
    )


def _shape(rng: np.random.Generator, *, boyish: bool) -> Shape:
    chin = around(rng, 0.0, 1.0) + (0.5 if boyish else -0.6)
    return Shape(
        skull_width=around(rng, 0.86, 0.025),
        cheek_width=around(rng, 0.845, 0.025),
        jaw_width=0.72 + 0.03 * chin,
        chin_width=0.44 + 0.035 * chin,
        chin_y=around(rng, -0.93, 0.03),
        chin_out=0.05,
        crown_y=around(rng, 1.12, 0.04),
        forehead_z=0.90,
        face_z=0.86,
        chin_z=0.78,
        back_z=1.0,
        roundness=around(rng, 2.2, 0.05),
        eye_x=around(rng, 0.345, 0.012),
        eye_half_width=around(rng, 0.225, 0.012),
        eye_up=around(rng, 0.175, 0.015),
        eye_down=around(rng, 0.125, 0.012),
        eye_tilt=around(rng, 0.02, 0.012),
        eyeball_radius=0.31,
        eyeball_out=0.045,
        iris_radius=around(rng, 0.145, 0.008),
        pupil=0.5,
        socket=0.05,
        brow_y=around(rng, 0.375, 0.02),
        brow_thickness=around(rng, 0.075 if boyish else 0.05, 0.008),
        brow_arch=around(rng, 0.05, 0.015),
        brow_out=0.025,
        nose_y=around(rng, -0.33, 0.02),
        nose_out=around(rng, 0.18, 0.03),
        nose_width=around(rng, 0.095, 0.012),
        nose_bridge=0.02,
        nose_ball=around(rng, 0.10, 0.015),
        mouth_y=around(rng, -0.585, 0.015),
        mouth_half_width=around(rng, 0.265, 0.025),
        lip_up=around(rng, 0.045 if boyish else 0.055, 0.008),
        lip_down=around(rng, 0.06 if boyish else 0.075, 0.01),
        lip_out=0.04,
        mouth_curve=around(rng, 0.36, 0.08),
        cheek_puff=around(rng, 0.095, 0.015),
        ear=around(rng, 0.23, 0.025),
        ear_out=0.13,
        neck_width=around(rng, 0.32 if not boyish else 0.36, 0.02),
        lash=0.03 if boyish else 0.055,
        gain=1.25,
    )


def _palette(rng: np.random.Generator, *, boyish: bool) -> Palette:
    skin = pick(rng, SKINS, spread=0.03, tint=0.2)
    dark = skin[0] < 0.7 and rng.random() < 0.8
    hair = pick(rng, HAIRS[:3] if dark else HAIRS, spread=0.08)
    lip: Colour = (skin[0] * 0.9, skin[1] * (0.68 if boyish else 0.52), skin[2] * (0.68 if boyish else 0.55))
    return Palette(
        skin=skin,
        lip=lip,
        blush=(min(1.0, skin[0] * 1.02), skin[1] * 0.70, skin[2] * 0.68),
        hair=hair,
        brow=(hair[0] * 0.62, hair[1] * 0.62, hair[2] * 0.62),
        iris=pick(rng, IRISES),
        clothes=pick(rng, CLOTHES),
        trim=pick(rng, CLOTHES),
        white=(0.98, 0.98, 0.98),
        freckles=float(rng.uniform(0.3, 0.6)) if rng.random() < 0.2 else 0.0,
        mottle=0.006,
        shadow=0.5,
        rosy=float(rng.uniform(0.4, 0.8)),
        makeup=0.0 if boyish else float(rng.uniform(0, 1)),
        streak=pick(rng, STREAKS) if rng.random() < 0.15 else None,
    )


STYLE = Style(name="disney3d", domain="cartoon", about="large-eyed 3D cartoon", draw=draw)
