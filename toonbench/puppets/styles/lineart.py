"""Line art as in printed comics: strong ink lines, few flat inks on paper, dots or hatching in the shade, small eyes, bold noses."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from toonbench.puppets.look import Canvas, Colour, Look, Palette, Picture, Shading, Shape, Style
from toonbench.puppets.styles._draw import CUTS, around, cut, cut_for, garment, pick, wear
from toonbench.puppets.styles.cel import scene

INK: Colour = (0.10, 0.09, 0.12)
SKINS: tuple[Colour, ...] = (
    (0.99, 0.88, 0.79), (0.97, 0.84, 0.73), (0.98, 0.81, 0.67), (0.93, 0.72, 0.54), (0.80, 0.58, 0.42), (0.66, 0.46, 0.33),
    (0.55, 0.37, 0.28),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (0.20, 0.19, 0.24), (0.42, 0.26, 0.18), (0.62, 0.36, 0.18), (0.94, 0.77, 0.40), (0.88, 0.45, 0.22),
)  # fmt: skip
GREY: tuple[Colour, ...] = ((0.78, 0.78, 0.78), (0.95, 0.94, 0.91))
EDITIONS: tuple[tuple[tuple[Colour, Colour, Colour], tuple[Colour, Colour]], ...] = (  # backdrop, clothes and trim
    (((0.98, 0.96, 0.91), (0.93, 0.88, 0.78), (0.85, 0.78, 0.66)), ((0.84, 0.28, 0.22), (0.96, 0.93, 0.86))),
    (((0.74, 0.87, 0.90), (0.86, 0.94, 0.95), (0.45, 0.66, 0.72)), ((0.95, 0.76, 0.30), (0.24, 0.42, 0.56))),
    (((0.96, 0.86, 0.58), (0.98, 0.93, 0.78), (0.85, 0.66, 0.34)), ((0.22, 0.50, 0.56), (0.97, 0.95, 0.88))),
    (((0.95, 0.80, 0.74), (0.98, 0.90, 0.86), (0.82, 0.56, 0.50)), ((0.30, 0.38, 0.52), (0.95, 0.78, 0.42))),
    (((0.82, 0.88, 0.74), (0.92, 0.95, 0.86), (0.55, 0.66, 0.46)), ((0.80, 0.44, 0.26), (0.97, 0.94, 0.84))),
    (((0.97, 0.97, 0.96), (0.90, 0.90, 0.89), (0.75, 0.75, 0.75)), ((0.55, 0.62, 0.66), (0.85, 0.30, 0.26))),
    (((0.85, 0.82, 0.90), (0.94, 0.92, 0.97), (0.62, 0.56, 0.72)), ((0.45, 0.60, 0.42), (0.97, 0.90, 0.70))),
)  # fmt: skip
FACES = (
    (0.0, 0.0, 0.0, 0.0),
    (1.5, -1.2, 1.0, 1.2),
    (-1.4, 1.6, -0.6, -0.2),
    (0.4, 0.2, 2.0, 2.2),
    (0.4, 0.0, -1.2, -1.4),
    (0.0, 0.4, 2.8, 1.4),
)
"""Width, length, jaw and chin of oval, round, long, square, heart and pear faces."""
BACKDROPS = ("plain", "plain", "plain", "stripes", "dots", "hills", "rays")
SHADES = ("dots", "hatching", "dots", "none")


def draw(rng: np.random.Generator, name: str) -> Look:
    """Draw a look of a printed comic."""
    masculine = bool(rng.random() < 0.5)
    age = float(rng.choice([0.0, 0.4, 0.9], p=[0.3, 0.45, 0.25]))  # child, grown up, old
    kind = cut_for(
        rng, masculine=masculine, without=("receding", "bald", "mohawk") if age < 0.3 else ("pigtails", "spiky")
    )
    backdrop, cloth = EDITIONS[int(rng.integers(len(EDITIONS)))]
    palette = _palette(
        rng, masculine=masculine, age=age, bearded=masculine and age > 0 and CUTS[kind] is not False, cloth=cloth
    )
    hair = cut(rng, kind)
    return Look(
        name=name,
        style="lineart",
        domain="cartoon",
        shape=_shape(rng, masculine=masculine, age=age),
        palette=palette,
        hair=replace(hair, curl=0.3 * hair.curl, strands=hair.strands // 2, beard=0.1 * palette.beard,
                     bangs_length=0.75 * hair.bangs_length),
        scene=scene(rng, (backdrop,), BACKDROPS),
        shading=Shading(
            wrap=0.5, ball=0.9, bands=1, softness=0.05, shade=(0.99, 0.98, 0.98), shine=1.0, shadow=0.8, specular=0.0,
            outline=around(rng, 0.0135, 0.0015), ink=INK, crease=0.12, lock_crease=0.1, flat=1.0,
        ),
        worn=wear(rng, masculine=masculine, kind=kind, colours=cloth),
        clothes=garment(rng, masculine=masculine),
    )  # fmt: skip


def _shape(rng: np.random.Generator, *, masculine: bool, age: float) -> Shape:
    wide, long, jaw, chin = (v + around(rng, 0.0, 0.4) for v in FACES[int(rng.integers(len(FACES)))])
    jaw = jaw + (0.5 if masculine else -0.4)
    nose = float(rng.random()) * (1.0 if masculine else 0.6) * min(1.0, 0.45 + age)  # how bold
    eye = around(rng, 0.105, 0.016)
    return Shape(
        skull_width=around(rng, 0.76, 0.02) + 0.02 * wide,
        cheek_width=around(rng, 0.73, 0.02) + 0.04 * wide,
        jaw_width=0.60 + 0.045 * jaw + 0.02 * wide,
        chin_width=0.33 + 0.05 * chin + 0.02 * jaw,
        chin_y=-0.98 - 0.045 * long,
        chin_out=0.04,
        crown_y=around(rng, 1.08, 0.03) + 0.03 * long,
        forehead_z=0.86,
        face_z=0.83,
        back_z=0.95,
        roundness=around(rng, 2.25, 0.06),
        eye_x=around(rng, 0.295, 0.018),
        eye_half_width=around(rng, 0.140, 0.012),
        eye_up=eye,
        eye_down=around(rng, 0.075, 0.01),
        eye_tilt=around(rng, 0.01, 0.015),
        eyeball_radius=0.22,
        eyeball_out=0.03,
        iris_radius=0.66 * eye + 0.022,
        pupil=0.62,
        catchlight=around(rng, 0.3, 0.04),
        socket=0.04,
        brow_y=0.17 + eye,
        brow_thickness=around(rng, 0.075 if masculine else 0.045, 0.012),
        brow_arch=around(rng, 0.03, 0.02),
        brow_out=0.01,
        nose_y=around(rng, -0.34, 0.02) - 0.05 * nose,
        nose_out=0.17 + 0.24 * nose,
        nose_width=0.095 + 0.07 * nose,
        nose_bridge=0.02 + 0.05 * nose,
        nose_ball=0.08 + 0.07 * nose,
        mouth_y=around(rng, -0.63, 0.012) - 0.012 * long - 0.02 * nose,
        mouth_half_width=around(rng, 0.27, 0.03),
        lip_up=0.03 if masculine else 0.045,
        lip_down=0.045 if masculine else 0.065,
        lip_out=0.025,
        teeth=0.065,
        mouth_curve=around(rng, 0.3, 0.15),
        cheek_puff=around(rng, 0.05, 0.02),
        ear=around(rng, 0.235, 0.03),
        ear_out=0.14,
        neck_width=(0.42 if masculine else 0.33) - 0.06 * (age < 0.3),
        lash=0.022 if masculine else 0.045,
        gain=1.28,
    )


def _palette(
    rng: np.random.Generator, *, masculine: bool, age: float, bearded: bool, cloth: tuple[Colour, Colour]
) -> Palette:
    skin = pick(rng, SKINS, spread=0.015, tint=0.2)
    hair = pick(rng, GREY if age > 0.6 else HAIRS if skin[0] > 0.85 else HAIRS[:2], spread=0.03)
    red = (0.97, 0.80, 0.74) if masculine else (0.90, 0.50, 0.48)
    lip: Colour = (skin[0] * red[0], skin[1] * red[1], skin[2] * red[2])
    clothes, trim = (pick(rng, (c,), spread=0.04) for c in (cloth if rng.random() < 0.7 else cloth[::-1]))
    brow = INK if sum(hair) < 1.6 or skin[0] < 0.7 else (0.45 * hair[0], 0.45 * hair[1], 0.45 * hair[2])
    return Palette(
        skin=skin,
        lip=lip,
        blush=(min(1.0, skin[0] * 1.01), skin[1] * 0.76, skin[2] * 0.74),
        hair=hair,
        brow=brow,
        iris=pick(rng, ((0.30, 0.20, 0.14), (0.18, 0.30, 0.46), (0.22, 0.36, 0.26))),
        clothes=clothes,
        trim=trim,
        white=(1.0, 1.0, 1.0),
        mottle=0.0,
        rosy=float(rng.choice([0.0, 0.5, 0.8])),
        beard=1.0 if bearded and rng.random() < 0.35 else 0.0,
        age=age if age > 0.6 else 0.0,
        shadow=0.0,
    )


def print_on_paper(canvas: Canvas) -> Picture:
    """Print a canvas with dots or hatching in the shade, incomplete ink and visible paper."""
    size, seed = len(canvas.mask), canvas.look.scene.background_seed
    screen, grain = _sheet(size, SHADES[seed % len(SHADES)], seed % 1000)
    shade = np.clip((1 - canvas.tones) * canvas.mask, 0, 1) * screen * (1 - canvas.lines)
    picture = canvas.picture * (1 - shade[..., None] * (1 - np.array([0.72, 0.60, 0.66], np.float32)))
    thin = canvas.lines * np.clip(grain - 1.2, 0, 0.6) * 0.25
    picture = picture + (1 - picture) * thin[..., None]
    return (picture * (1 + 0.010 * np.clip(grain, -2, 2))[..., None]).astype(np.float32)


@lru_cache(maxsize=8)
def _sheet(size: int, kind: str, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the screen that prints the shade, 0 to 1, and the grain of the paper, of unit deviation; both (size, size)."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    grain = gaussian_filter(rng.standard_normal((size, size)), max(0.5, size / 400), mode="wrap")
    grain /= grain.std()
    over = 4
    place = (np.arange(size * over) + 0.5) / (size * over)
    x, y = np.meshgrid(place, place)
    if kind == "dots":
        u, v = (x + y) * 36, (x - y) * 36
        fine = (np.cos(2 * np.pi * u) + np.cos(2 * np.pi * v) > -0.1).astype(np.float64)
    elif kind == "hatching":
        wobble = 0.12 * np.sin(23 * (x - y) + seed)
        fine = (np.sin(2 * np.pi * ((x + 0.7 * y) * 38 + wobble)) > 0.15).astype(np.float64)
    else:
        fine = np.full_like(x, 0.45)
    screen = fine.reshape(size, over, size, over).mean((1, 3))
    return screen.astype(np.float32), grain.astype(np.float32)


STYLE = Style(
    name="lineart", domain="cartoon", about="printed comic: strong ink lines, flat colours, dots or hatching", draw=draw,
    finish=print_on_paper,
)  # fmt: skip
