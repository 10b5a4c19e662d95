"""The real style: human proportions, skin variation, soft photographic light and a blurred background."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from toonbench.puppets.look import Colour, Look, Palette, Scene, Shading, Shape, Style
from toonbench.puppets.styles._draw import CUTS, around, cut, cut_for, garment, near, pick, wear

SKINS: tuple[Colour, ...] = (
    (0.92, 0.77, 0.68), (0.89, 0.72, 0.61), (0.85, 0.66, 0.53), (0.80, 0.61, 0.47), (0.74, 0.53, 0.39),
    (0.66, 0.46, 0.33), (0.57, 0.39, 0.28), (0.47, 0.31, 0.22), (0.38, 0.25, 0.18),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (0.07, 0.06, 0.06), (0.14, 0.09, 0.06), (0.23, 0.15, 0.09), (0.36, 0.23, 0.13),
    (0.62, 0.47, 0.28), (0.48, 0.24, 0.12),
)  # fmt: skip
GREYS: tuple[Colour, ...] = ((0.55, 0.54, 0.53), (0.74, 0.73, 0.71), (0.36, 0.35, 0.35))
IRISES: tuple[Colour, ...] = (
    (0.25, 0.14, 0.07),
    (0.36, 0.22, 0.11),
    (0.28, 0.42, 0.55),
    (0.35, 0.43, 0.28),
    (0.42, 0.36, 0.2),
)
CLOTHES: tuple[Colour, ...] = (
    (0.16, 0.18, 0.24), (0.55, 0.56, 0.58), (0.82, 0.81, 0.78), (0.36, 0.16, 0.17), (0.17, 0.29, 0.42), (0.25, 0.33, 0.26),
    (0.10, 0.10, 0.11), (0.62, 0.48, 0.38),
)  # fmt: skip


def draw(rng: np.random.Generator, name: str) -> Look:
    """Draw a human look."""
    slender = around(rng, 0.0, 1.0)
    jaw = around(rng, 0.0, 1.0)
    masculine = bool(rng.random() < 0.5)
    kind = cut_for(rng, masculine=masculine, without=("spiky", "mohawk", "pigtails"))
    palette = _palette(rng, masculine=masculine, bearded=masculine and CUTS[kind] is not False)
    return Look(
        name=name,
        style="real",
        domain="real",
        shape=_shape(rng, slender=slender, jaw=jaw + (0.6 if masculine else -0.5), masculine=masculine),
        palette=palette,
        hair=replace(cut(rng, kind), beard=0.07 * palette.beard),
        scene=scene(rng, tint=0.09, backdrops=("studio", "room", "room", "park", "street")),
        shading=Shading(
            specular=float(rng.uniform(0.06, 0.16)),
            gloss=14.0,
            ambient=float(rng.uniform(0.36, 0.5)),
            blur=float(rng.uniform(0.0025, 0.0045)),
            grain=float(rng.uniform(0.5, 1.5)),
        ),
        worn=wear(rng, masculine=masculine, kind=kind, colours=CLOTHES),
        clothes=garment(rng, masculine=masculine),
    )


def _shape(rng: np.random.Generator, *, slender: float, jaw: float, masculine: bool) -> Shape:
    eye_up = around(rng, 0.072, 0.009)
    return Shape(
        skull_width=around(rng, 0.735, 0.015) - 0.012 * slender,
        cheek_width=around(rng, 0.70, 0.015) - 0.015 * slender,
        jaw_width=0.605 + 0.026 * jaw - 0.012 * slender,
        chin_width=0.40 + 0.035 * jaw,
        chin_y=around(rng, -1.0, 0.025) - 0.02 * slender,
        chin_out=around(rng, 0.05, 0.015),
        crown_y=around(rng, 1.06, 0.03),
        roundness=around(rng, 2.3, 0.07),
        eye_x=around(rng, 0.315, 0.012),
        eye_half_width=around(rng, 0.15, 0.008),
        eye_up=eye_up,
        eye_down=around(rng, 0.043, 0.005),
        eye_tilt=around(rng, 0.012, 0.01),
        iris_radius=around(rng, 0.075, 0.003),
        eyeball_radius=0.185,
        socket=around(rng, 0.065, 0.012),
        brow_y=around(rng, 0.215, 0.014),
        brow_thickness=around(rng, 0.062 if masculine else 0.046, 0.007),
        brow_hair=1.0,
        brow_arch=around(rng, 0.025 if masculine else 0.04, 0.01),
        nose_y=around(rng, -0.42, 0.022),
        nose_out=around(rng, 0.26, 0.025),
        nose_width=around(rng, 0.148, 0.014),
        nose_bridge=around(rng, 0.10, 0.02),
        nose_ball=around(rng, 0.075, 0.012),
        mouth_y=around(rng, -0.645, 0.012),
        mouth_half_width=around(rng, 0.265, 0.018),
        lip_up=around(rng, 0.055, 0.01),
        lip_down=around(rng, 0.08, 0.012),
        lip_out=around(rng, 0.05, 0.008),
        mouth_curve=around(rng, 0.22, 0.1),
        cheek_puff=around(rng, 0.045, 0.015),
        ear=around(rng, 0.225, 0.015),
        neck_width=around(rng, 0.48 if masculine else 0.40, 0.02),
        lash=0.012 if masculine else 0.02,
    )


def _palette(rng: np.random.Generator, *, masculine: bool, bearded: bool) -> Palette:
    skin = pick(rng, SKINS, spread=0.04, tint=0.15)
    pale = skin[0] > 0.75
    hair = pick(rng, HAIRS if pale else HAIRS[:3], spread=0.1)
    age = float(rng.uniform(0, 0.3)) if rng.random() < 0.72 else float(rng.uniform(0.3, 1.0))
    if age > 0.6:
        hair = pick(rng, GREYS, spread=0.08)
    red = np.asarray(skin) * np.array([0.86, 0.60, 0.60])
    lip: Colour = (float(red[0]), float(red[1]), float(red[2]))
    beard = float(rng.uniform(0.6, 0.95)) if bearded and rng.random() < 0.3 else 0.0
    return Palette(
        skin=skin,
        lip=near(rng, lip, spread=0.05),
        blush=(skin[0], skin[1] * 0.80, skin[2] * 0.78),
        hair=hair,
        brow=(hair[0] * 0.7, hair[1] * 0.7, hair[2] * 0.7),
        iris=pick(rng, IRISES if pale else IRISES[:2]),
        clothes=pick(rng, CLOTHES, spread=0.1),
        trim=pick(rng, CLOTHES, spread=0.1),
        freckles=float(rng.uniform(0.2, 0.5)) if pale and rng.random() < 0.2 else 0.0,
        mottle=float(rng.uniform(0.01, 0.025)),
        stubble=float(rng.uniform(0.05, 0.4)) if bearded and rng.random() < 0.5 else 0.0,
        beard=beard,
        rosy=float(rng.uniform(0.35, 0.75)),
        age=age,
        makeup=0.0 if masculine else float(rng.uniform(0, 0.8)),
    )


def scene(rng: np.random.Generator, *, tint: float, backdrops: tuple[str, ...]) -> Scene:
    """Draw a camera, three lights and one of the backdrops, in three colours around a common tint."""
    base = rng.uniform(0.25, 0.75)
    hues = [np.clip(base * rng.uniform(0.5, 1.35) + rng.normal(0, tint * 0.5, 3), 0.06, 0.94) for _ in range(3)]
    side = float(rng.choice([-1.0, 1.0]))
    one, two, three = ((float(h[0]), float(h[1]), float(h[2])) for h in hues)
    return Scene(
        key_azimuth=side * float(rng.uniform(20, 55)),
        key_elevation=float(rng.uniform(20, 48)),
        key=float(rng.uniform(0.85, 1.1)),
        fill=float(rng.uniform(0.22, 0.42)),
        rim=float(rng.uniform(0.1, 0.4)),
        warmth=around(rng, 0.15, 0.35),
        view_height=around(rng, 3.12, 0.08),
        centre_y=around(rng, -0.17, 0.03),
        background=(one, two, three),
        background_seed=int(rng.integers(1 << 30)),
        backdrop=backdrops[int(rng.integers(len(backdrops)))],
    )


STYLE = Style(name="real", domain="real", about="human proportions, soft light, blurred background", draw=draw)
