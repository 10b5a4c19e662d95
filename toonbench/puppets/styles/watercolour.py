"""Watercolour on paper: washes in few soft tones, pigment that gathers at edges and in the paper's grain, a pencil line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from toonbench.compiled import compile_loops
from toonbench.puppets.look import Canvas, Colour, Look, Palette, Picture, Scene, Shading, Shape, Style
from toonbench.puppets.styles._draw import around, cut, cut_for, garment, near, pick, wear

SKINS: tuple[Colour, ...] = (
    (0.98, 0.84, 0.74), (0.97, 0.79, 0.68), (0.93, 0.71, 0.55), (0.84, 0.60, 0.45), (0.70, 0.48, 0.37), (0.99, 0.82, 0.78),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (0.22, 0.19, 0.24), (0.42, 0.27, 0.20), (0.66, 0.42, 0.24), (0.92, 0.74, 0.40), (0.80, 0.38, 0.24), (0.70, 0.70, 0.74),
    (0.30, 0.42, 0.60), (0.62, 0.40, 0.56),
)  # fmt: skip
IRISES: tuple[Colour, ...] = ((0.18, 0.38, 0.62), (0.20, 0.44, 0.32), (0.36, 0.20, 0.12), (0.40, 0.30, 0.52))
CLOTHES: tuple[Colour, ...] = (
    (0.84, 0.34, 0.32), (0.34, 0.55, 0.76), (0.95, 0.78, 0.38), (0.48, 0.68, 0.50), (0.64, 0.48, 0.72), (0.36, 0.46, 0.58),
    (0.93, 0.62, 0.48), (0.40, 0.68, 0.68),
)  # fmt: skip
SHEET = np.array([0.975, 0.962, 0.93], np.float32)  # the paper's own colour
EDGE, GRAIN, PENCIL = 1.3, 0.08, 0.45
THIN, BODY = 0.74, 0.22  # the sheet shows through a wash, more where there is little pigment


def draw(rng: np.random.Generator, name: str) -> Look:
    """Draw a watercolour look."""
    boyish = bool(rng.random() < 0.5)
    kind = cut_for(rng, masculine=boyish, without=("mohawk",))
    return Look(
        name=name,
        style="watercolour",
        domain="cartoon",
        shape=_shape(rng, boyish=boyish),
        palette=_palette(rng, boyish=boyish),
        hair=cut(rng, kind),
        scene=_sheet(rng),
        shading=Shading(
            bands=3, softness=0.75, shade=(0.86, 0.73, 0.76), shine=0.5, wrap=0.5, specular=0.0, saturation=1.1, shadow=0.55,
            outline=0.0032, ink=(0.22, 0.17, 0.16), crease=0.16,
        ),
        worn=wear(rng, masculine=boyish, kind=kind, colours=CLOTHES),
        clothes=garment(rng, masculine=boyish),
    )  # fmt: skip


def _sheet(rng: np.random.Generator) -> Scene:
    return Scene(
        key_azimuth=float(rng.choice([-1.0, 1.0])) * float(rng.uniform(30, 50)),
        key_elevation=float(rng.uniform(30, 48)),
        key=1.05,
        view_height=around(rng, 3.05, 0.08),
        centre_y=around(rng, -0.05, 0.03),
        background=(pick(rng, CLOTHES), pick(rng, CLOTHES), pick(rng, CLOTHES)),
        background_seed=int(rng.integers(1 << 30)),
        backdrop="paper",
    )


def _shape(rng: np.random.Generator, *, boyish: bool) -> Shape:
    chin = around(rng, 0.0, 1.0) + (0.5 if boyish else -0.5)
    child = float(rng.uniform(0, 1))  # 1 a small child: lower, rounder, larger eyes
    return Shape(
        skull_width=around(rng, 0.79, 0.02) + 0.04 * child,
        cheek_width=around(rng, 0.75, 0.02) + 0.06 * child,
        jaw_width=0.61 + 0.03 * chin + 0.05 * child,
        chin_width=0.31 + 0.03 * chin,
        chin_y=-1.02 + 0.05 * child,
        crown_y=around(rng, 1.07, 0.03),
        forehead_z=0.87,
        face_z=0.84,
        chin_z=0.77,
        roundness=around(rng, 2.2, 0.05),
        eye_x=around(rng, 0.325, 0.012),
        eye_half_width=around(rng, 0.172, 0.01) + 0.02 * child,
        eye_up=around(rng, 0.115, 0.01) + 0.02 * child,
        eye_down=around(rng, 0.078, 0.008) + 0.015 * child,
        eye_tilt=around(rng, 0.015, 0.012),
        eyeball_radius=0.24,
        eyeball_out=0.03,
        iris_radius=around(rng, 0.105, 0.005) + 0.008 * child,
        pupil=0.5,
        socket=0.05,
        brow_y=around(rng, 0.295, 0.02),
        brow_thickness=around(rng, 0.062 if boyish else 0.046, 0.008),
        brow_arch=around(rng, 0.042, 0.012),
        nose_y=around(rng, -0.345, 0.02),
        nose_out=around(rng, 0.20, 0.025) - 0.03 * child,
        nose_width=around(rng, 0.10, 0.012),
        nose_bridge=0.04 - 0.03 * child,
        nose_ball=around(rng, 0.085, 0.012),
        mouth_y=around(rng, -0.61, 0.015),
        mouth_half_width=around(rng, 0.255, 0.02),
        lip_up=around(rng, 0.048, 0.008),
        lip_down=around(rng, 0.07, 0.01),
        mouth_curve=around(rng, 0.25, 0.1),
        cheek_puff=around(rng, 0.055, 0.015),
        ear=around(rng, 0.22, 0.02),
        neck_width=around(rng, 0.38 if boyish else 0.33, 0.02),
        lash=0.022 if boyish else 0.038,
        gain=1.2,
    )


def _palette(rng: np.random.Generator, *, boyish: bool) -> Palette:
    skin = pick(rng, SKINS, spread=0.03, tint=0.2)
    hair = pick(rng, HAIRS if skin[0] > 0.85 else HAIRS[:2], spread=0.08)
    return Palette(
        skin=skin,
        lip=(skin[0] * 0.90, skin[1] * (0.62 if boyish else 0.50), skin[2] * (0.66 if boyish else 0.56)),
        blush=near(rng, (min(0.99, skin[0]), skin[1] * 0.66, skin[2] * 0.66), spread=0.03),
        hair=hair,
        brow=(hair[0] * 0.6, hair[1] * 0.6, hair[2] * 0.6),
        iris=pick(rng, IRISES),
        clothes=pick(rng, CLOTHES),
        trim=pick(rng, CLOTHES),
        white=(0.98, 0.975, 0.96),
        freckles=0.5 if rng.random() < 0.2 else 0.0,
        mottle=0.006,
        rosy=0.75,
        shadow=0.7,
    )


def finish(canvas: Canvas) -> Picture:
    """Turn a rendered frame into washes on paper, (h, w, 3) sRGB in [0, 1]; paper and runs of water stay still.

    Pigment runs where the paper is wet, gathers on the darker side of borders, and settles in the paper's hollows; the
    pencil misses the hollows.
    """
    loops = compile_loops("toonbench.puppets.draw._wash_kernels")
    size = canvas.picture.shape[0]
    paper = _paper(canvas.look.scene.background_seed, size)
    picture = np.clip(canvas.picture, 0, 1)
    near, far = np.empty_like(picture), np.empty_like(picture)
    loops.blur_box(picture, max(1, round(size / 200)), near)
    loops.blur_box(near, max(1, round(size / 50)), far)
    pigment = picture + (near - picture) * paper.wet
    pigment -= EDGE * np.clip(far - near, -0.04, 0.16)
    density = 1 - pigment
    density *= (THIN + BODY * density) * paper.hollow
    missed = canvas.lines[..., None] * paper.ridge
    density *= 1 - PENCIL * missed
    return (paper.sheet * (1 - np.clip(density * paper.painted, 0, 1))).astype(np.float32, copy=False)


@dataclass(frozen=True, slots=True)
class _Paper:
    """The paper's fields, (size, size, 1) or (size, size, 3)."""

    wet: NDArray[np.float32]  # share of pigment that runs
    hollow: NDArray[np.float32]  # factor on the pigment
    ridge: NDArray[np.float32]  # 0 to 1, where a pencil leaves gaps
    painted: NDArray[np.float32]  # 0 in the bare margin
    sheet: NDArray[np.float32]  # colour


@lru_cache(maxsize=8)
def _paper(seed: int, size: int) -> _Paper:
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed + 23)

    def clouds(width: float) -> NDArray[np.float64]:
        field = gaussian_filter(rng.standard_normal((size, size)), width * size, mode="wrap")
        return field / max(float(field.std()), 1e-9)

    tooth = 0.65 * clouds(0.0028) + 0.35 * clouds(0.008)
    pool = 0.6 * clouds(0.05) + 0.4 * clouds(0.02)
    place = (np.arange(size) + 0.5) / size
    edge = np.minimum(place, 1 - place)
    margin = np.minimum(edge[:, None], edge[None]) + 0.006 * clouds(0.02) + 0.003 * clouds(0.006)
    painted = np.clip((margin - 0.022) / 0.012, 0, 1) * (1 + 0.15 * np.exp(-(((margin - 0.036) / 0.008) ** 2)))
    fields = (
        0.35 + 0.25 * np.tanh(clouds(0.03)),
        1 + GRAIN * tooth + GRAIN * pool,
        np.clip(0.45 * tooth, 0, 1),
        painted,
        SHEET * (1 + 0.012 * tooth)[..., None],
    )
    return _Paper(*(np.asarray(f if f.ndim == 3 else f[..., None], np.float32) for f in fields))


STYLE = Style(
    name="watercolour", domain="cartoon", about="watercolour wash on paper with a pencil line", draw=draw, finish=finish
)
