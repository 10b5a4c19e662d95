"""Cel shading as on television: flat tones in two steps, clean ink lines, big eyes with large highlights, hair of any colour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from toonbench.puppets.look import Colour, Look, Palette, Scene, Shading, Shape, Style
from toonbench.puppets.styles._draw import CUTS, around, cut, cut_for, garment, pick, wear

SKINS: tuple[Colour, ...] = (
    (1.0, 0.89, 0.81), (1.0, 0.86, 0.76), (0.96, 0.77, 0.60), (0.99, 0.82, 0.70), (0.93, 0.71, 0.54), (0.80, 0.56, 0.40),
    (0.68, 0.46, 0.33), (0.55, 0.36, 0.27),
)  # fmt: skip
NATURAL: tuple[Colour, ...] = (
    (0.16, 0.14, 0.19), (0.30, 0.18, 0.14), (0.52, 0.30, 0.17), (0.72, 0.46, 0.22), (0.95, 0.80, 0.42), (0.80, 0.30, 0.16),
)  # fmt: skip
FANCY: tuple[Colour, ...] = (
    (0.28, 0.48, 0.86), (0.94, 0.52, 0.68), (0.40, 0.72, 0.56), (0.58, 0.42, 0.80), (0.90, 0.22, 0.26), (0.80, 0.84, 0.92),
    (0.22, 0.66, 0.74), (0.98, 0.62, 0.24), (0.20, 0.24, 0.46),
)  # fmt: skip
GREY: tuple[Colour, ...] = ((0.74, 0.74, 0.76), (0.90, 0.89, 0.86))
IRISES: tuple[Colour, ...] = (
    (0.16, 0.46, 0.86), (0.16, 0.62, 0.36), (0.55, 0.28, 0.12), (0.80, 0.52, 0.10), (0.52, 0.28, 0.76), (0.84, 0.18, 0.24),
    (0.10, 0.60, 0.66), (0.28, 0.30, 0.42),
)  # fmt: skip
CLOTHES: tuple[Colour, ...] = (
    (0.90, 0.24, 0.26), (0.18, 0.42, 0.82), (0.99, 0.78, 0.22), (0.24, 0.64, 0.44), (0.56, 0.34, 0.74), (0.97, 0.97, 0.97),
    (0.20, 0.24, 0.38), (0.98, 0.56, 0.64), (0.30, 0.74, 0.80), (0.96, 0.54, 0.18),
)  # fmt: skip
SETS: tuple[tuple[Colour, Colour, Colour], ...] = (
    ((0.60, 0.82, 0.96), (0.96, 0.98, 1.0), (0.50, 0.78, 0.50)),
    ((0.99, 0.84, 0.60), (1.0, 0.95, 0.80), (0.92, 0.62, 0.40)),
    ((0.98, 0.78, 0.82), (1.0, 0.92, 0.92), (0.86, 0.54, 0.66)),
    ((0.72, 0.88, 0.74), (0.92, 0.97, 0.86), (0.42, 0.68, 0.52)),
    ((0.76, 0.72, 0.94), (0.90, 0.88, 1.0), (0.52, 0.46, 0.78)),
    ((0.28, 0.36, 0.62), (0.42, 0.52, 0.80), (0.20, 0.24, 0.46)),
    ((0.54, 0.78, 0.78), (0.84, 0.94, 0.92), (0.28, 0.54, 0.60)),
    ((0.95, 0.93, 0.88), (0.85, 0.82, 0.76), (0.70, 0.66, 0.60)),
)  # fmt: skip
FACES = (
    (0.0, 0.0, 0.0, 0.0),
    (1.2, -0.8, 0.8, 1.0),
    (-1.0, 1.2, -0.2, 0.0),
    (0.3, 0.2, 1.6, 1.8),
    (0.2, 0.0, -1.0, -1.2),
    (0.0, 0.3, 2.2, 1.2),
)
"""Width, length, jaw and chin of oval, round, long, square, heart and pear faces."""
BACKDROPS = ("rays", "dots", "hills", "stripes", "plain", "hills")


def draw(rng: np.random.Generator, name: str) -> Look:
    """Draw a look of a television cartoon."""
    boyish = bool(rng.random() < 0.5)
    age = float(rng.choice([0.0, 0.3, 0.8], p=[0.5, 0.35, 0.15]))  # child, grown up, old
    kind = cut_for(rng, masculine=boyish, without=("receding", "bald") if age < 0.5 else ("pigtails", "mohawk"))
    palette = _palette(rng, boyish=boyish, age=age, bearded=boyish and age > 0 and CUTS[kind] is not False)
    hair = cut(rng, kind)
    return Look(
        name=name,
        style="cel",
        domain="cartoon",
        shape=_shape(rng, boyish=boyish, age=age),
        palette=palette,
        hair=replace(hair, curl=0.5 * hair.curl, beard=0.09 * palette.beard, bangs_length=0.75 * hair.bangs_length),
        scene=scene(rng, SETS, BACKDROPS),
        shading=Shading(
            wrap=0.62, ball=0.85, bands=1, softness=0.07, shade=_shade(rng), shine=1.0, shadow=0.85, specular=0.0,
            outline=around(rng, 0.0105, 0.001), ink=_ink(palette), crease=0.10, lock_crease=0.09, flat=1.0, gleam=around(rng, 0.17, 0.04),
        ),
        worn=wear(rng, masculine=boyish, kind=kind, colours=CLOTHES),
        clothes=garment(rng, masculine=boyish),
    )  # fmt: skip


def scene(
    rng: np.random.Generator, sets: tuple[tuple[Colour, Colour, Colour], ...], backdrops: tuple[str, ...]
) -> Scene:
    """Draw a camera, a light and a drawn background in one of some sets of colours."""
    one, two, three = (pick(rng, (c,), spread=0.03) for c in sets[int(rng.integers(len(sets)))])
    return Scene(
        key_azimuth=float(rng.choice([-1.0, 1.0])) * float(rng.uniform(25, 50)),
        key_elevation=float(rng.uniform(22, 42)),
        key=1.0,
        view_height=around(rng, 2.98, 0.08),
        centre_y=around(rng, 0.0, 0.03),
        background=(one, two, three),
        background_seed=int(rng.integers(1 << 30)),
        backdrop=backdrops[int(rng.integers(len(backdrops)))],
    )


def _shade(rng: np.random.Generator) -> Colour:
    return ((0.86, 0.72, 0.76), (0.80, 0.74, 0.86), (0.88, 0.72, 0.70))[int(rng.integers(3))]


def _ink(palette: Palette) -> Colour:
    """Return a dark of the hair's and skin's hue: ink of a coloured film, never pure black."""
    r, g, b = (float(0.03 + 0.09 * h + 0.07 * s) for h, s in zip(palette.hair, palette.skin, strict=True))
    return r, g, b


def _shape(rng: np.random.Generator, *, boyish: bool, age: float) -> Shape:
    wide, long, jaw, chin = FACES[int(rng.integers(len(FACES)))]
    wide, long = wide + around(rng, 0.0, 0.5), long + around(rng, 0.0, 0.5)
    jaw = jaw + around(rng, 0.0, 0.5) + (0.4 if boyish else -0.4) + 0.5 * (age > 0)
    young = 1.0 - min(1.0, 1.4 * age)
    eye = around(rng, 0.176, 0.016) + 0.03 * young - (0.02 if boyish else 0.0)
    return Shape(
        skull_width=around(rng, 0.80, 0.015) + 0.02 * wide + 0.03 * young,
        cheek_width=around(rng, 0.745, 0.02) + 0.035 * wide + 0.03 * young,
        jaw_width=0.62 + 0.045 * jaw + 0.02 * wide,
        chin_width=0.31 + 0.05 * chin + 0.02 * jaw,
        chin_y=-0.95 - 0.035 * long + 0.02 * young,
        chin_out=0.03,
        crown_y=around(rng, 1.1, 0.03) + 0.02 * long,
        forehead_z=0.88,
        face_z=0.84,
        chin_z=0.78,
        back_z=0.97,
        roundness=around(rng, 2.2, 0.05),
        eye_x=around(rng, 0.335, 0.012),
        eye_half_width=around(rng, 0.196, 0.012) + 0.012 * young,
        eye_up=eye,
        eye_down=around(rng, 0.115, 0.01) + 0.01 * young,
        eye_tilt=around(rng, 0.02, 0.02),
        eyeball_radius=0.31,
        eyeball_out=0.03,
        iris_radius=0.75 * eye + 0.012,
        catchlight=around(rng, 0.37, 0.03),
        pupil=0.5,
        socket=0.03,
        brow_y=0.20 + eye,
        brow_thickness=around(rng, 0.062 if boyish else 0.04, 0.008),
        brow_arch=around(rng, 0.03 if boyish else 0.05, 0.015),
        brow_out=0.006,
        nose_y=around(rng, -0.335, 0.02) - 0.02 * long,
        nose_out=around(rng, 0.19, 0.03) + 0.07 * age,
        nose_width=around(rng, 0.1, 0.012) + 0.03 * age,
        nose_bridge=0.015 + 0.05 * age,
        nose_ball=around(rng, 0.083, 0.01) + 0.02 * age,
        mouth_y=around(rng, -0.585, 0.015) - 0.01 * long,
        mouth_half_width=around(rng, 0.235, 0.025),
        lip_up=around(rng, 0.04 if boyish else 0.052, 0.007),
        lip_down=around(rng, 0.06 if boyish else 0.078, 0.009),
        lip_out=0.02,
        teeth=around(rng, 0.07, 0.008),
        mouth_curve=around(rng, 0.3, 0.1),
        cheek_puff=around(rng, 0.04, 0.015),
        ear=around(rng, 0.22, 0.025),
        ear_out=0.12,
        neck_width=(0.30 if not boyish else 0.34) + 0.05 * (age > 0) * boyish,
        lash=0.035 if boyish else 0.06,
        gain=1.3,
    )


def _brow(hair: Colour, skin: Colour) -> Colour:
    """Return the hair's colour, dark enough to stand out from the skin."""
    share = min(0.6, 0.42 * sum(skin) / max(sum(hair), 0.1))
    return hair[0] * share, hair[1] * share, hair[2] * share


def _palette(rng: np.random.Generator, *, boyish: bool, age: float, bearded: bool) -> Palette:
    skin = pick(rng, SKINS, spread=0.02, tint=0.2)
    hair = pick(rng, GREY if age > 0.5 else NATURAL if rng.random() < 0.5 else FANCY, spread=0.05)
    red = (0.90, 0.64, 0.60) if boyish else (0.92, 0.50, 0.50)
    lip: Colour = (skin[0] * red[0], skin[1] * red[1], skin[2] * red[2])
    return Palette(
        skin=skin,
        lip=lip,
        blush=(min(1.0, skin[0] * 1.02), skin[1] * 0.74, skin[2] * 0.72),
        hair=hair,
        brow=_brow(hair, skin),
        iris=pick(rng, IRISES),
        clothes=pick(rng, CLOTHES),
        trim=pick(rng, CLOTHES),
        white=(1.0, 1.0, 1.0),
        freckles=float(rng.uniform(0.3, 0.6)) if rng.random() < 0.15 else 0.0,
        mottle=0.0,
        rosy=float(rng.uniform(0.1, 0.6)),
        beard=0.95 if bearded and rng.random() < 0.3 else 0.0,
        age=age if age > 0.5 else 0.0,
        shadow=0.32,
        streak=pick(rng, FANCY) if rng.random() < 0.12 else None,
    )


STYLE = Style(name="cel", domain="cartoon", about="television cartoon: ink lines, two flat tones, big eyes", draw=draw)
