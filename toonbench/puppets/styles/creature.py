"""Animals and monsters with faces that act like a person's: fur or bare skin, muzzles, markings, ears, horns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toonbench.puppets.look import (
    Colour,
    Creature,
    Ears,
    Hair,
    Horns,
    Look,
    Marking,
    Palette,
    Scene,
    Shading,
    Shape,
    Style,
)
from toonbench.puppets.styles._draw import around, garment, near, pick

CREAM: Colour = (0.97, 0.83, 0.70)
WHITE: Colour = (0.98, 0.89, 0.81)  # a warm colour, because cold faces look ill
BLACK: Colour = (0.13, 0.11, 0.12)
BROWN: Colour = (0.42, 0.25, 0.15)
PINK: Colour = (0.90, 0.60, 0.58)
CLOTHES: tuple[Colour, ...] = (
    (0.80, 0.25, 0.24), (0.20, 0.46, 0.70), (0.95, 0.75, 0.26), (0.34, 0.60, 0.42), (0.54, 0.36, 0.64), (0.92, 0.90, 0.86),
    (0.26, 0.30, 0.40), (0.20, 0.56, 0.58),
)  # fmt: skip
IRISES: tuple[Colour, ...] = (
    (0.86, 0.62, 0.14), (0.36, 0.60, 0.24), (0.24, 0.52, 0.80), (0.46, 0.25, 0.10), (0.70, 0.40, 0.10), (0.44, 0.30, 0.66),
)  # fmt: skip
SKIES: tuple[Colour, ...] = (
    (0.42, 0.62, 0.72),
    (0.72, 0.62, 0.46),
    (0.50, 0.58, 0.44),
    (0.60, 0.48, 0.62),
    (0.78, 0.76, 0.70),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Properties that all creatures of one species share."""

    coats: tuple[Colour, ...]
    pales: tuple[Colour, ...] = (CREAM, WHITE)
    marks: tuple[Colour, ...] = (BROWN,)
    noses: tuple[Colour, ...] = (BLACK, (0.30, 0.17, 0.15))
    markings: tuple[Marking, ...] = ("",)
    ears: Ears = ""
    ear: tuple[float, float, float, float, float] = (0.6, 0.26, 45.0, 25.0, 0.0)  # length, half width, at, tilt, droop
    ear_tip: bool = False
    muzzle: float = 0.16
    muzzle_width: float = 0.36
    pad: float = 0.11
    whiskers: bool = False
    cheeks: float = 0.0
    horns: tuple[Horns, ...] = ("",)
    bare: bool = False
    wide: float = 0.0  # wider cheeks and jaw
    crown: float = 0.0  # higher skull
    skull: float = 0.0  # wider skull
    eyes: float = 1.0  # size of the eyes, a factor
    bulge: float = 0.0  # how far the eyes stand out of the head


KINDS: dict[str, Kind] = {
    "cat": Kind(coats=((0.60, 0.58, 0.58), (0.90, 0.62, 0.32), (0.84, 0.74, 0.60), (0.36, 0.34, 0.38), (0.95, 0.92, 0.86)),
                marks=((0.34, 0.27, 0.25), (0.62, 0.34, 0.16)), noses=(PINK, (0.62, 0.34, 0.32)),
                markings=("tabby", "tabby", "patch", "blaze", ""), ears="cat", ear=(0.62, 0.30, 52.0, 20.0, 0.0), muzzle=0.11,
                muzzle_width=0.30, pad=0.08, whiskers=True, cheeks=0.20, wide=0.4),
    "fox": Kind(coats=((0.88, 0.45, 0.17), (0.82, 0.36, 0.14), (0.62, 0.60, 0.62), (0.92, 0.90, 0.90)), pales=(WHITE, CREAM),
                marks=(BLACK, (0.24, 0.14, 0.12)), markings=("", "", "blaze"), ears="fox", ear=(0.74, 0.29, 50.0, 18.0, 0.0),
                ear_tip=True, muzzle=0.17, muzzle_width=0.44, pad=0.085, cheeks=0.32),
    "bear": Kind(coats=((0.52, 0.34, 0.22), (0.74, 0.54, 0.34), (0.94, 0.93, 0.91), (0.36, 0.28, 0.26)),
                 pales=((0.93, 0.77, 0.60), CREAM), markings=("",), ears="bear", ear=(0.50, 0.31, 42.0, 38.0, 0.0), muzzle=0.17,
                 muzzle_width=0.35, pad=0.13, wide=0.6),
    "panda": Kind(coats=((0.96, 0.95, 0.93),), pales=(WHITE,), marks=((0.36, 0.31, 0.32), (0.50, 0.36, 0.28)), noses=(BLACK,),
                  markings=("panda",), ears="bear", ear=(0.50, 0.31, 42.0, 40.0, 0.0), muzzle=0.14, muzzle_width=0.34, pad=0.11, wide=0.7),
    "dog": Kind(coats=((0.82, 0.62, 0.38), (0.94, 0.90, 0.82), (0.58, 0.38, 0.24), (0.62, 0.60, 0.58), (0.30, 0.26, 0.26)),
                marks=((0.46, 0.28, 0.17), (0.22, 0.19, 0.19), (0.72, 0.45, 0.24)), markings=("patch", "blaze", "", "spots"),
                ears="dog", ear=(0.98, 0.23, 36.0, 72.0, 96.0), muzzle=0.20, muzzle_width=0.36, pad=0.13),
    "rabbit": Kind(coats=((0.80, 0.74, 0.68), (0.96, 0.94, 0.92), (0.66, 0.50, 0.38), (0.58, 0.58, 0.62)), pales=(WHITE,),
                   noses=(PINK,), markings=("", "patch", "blaze"), ears="rabbit", ear=(1.0, 0.18, 66.0, 10.0, 14.0), muzzle=0.11,
                   muzzle_width=0.30, pad=0.07, whiskers=True, cheeks=0.16, wide=0.3),
    "mouse": Kind(coats=((0.66, 0.64, 0.66), (0.72, 0.58, 0.46), (0.92, 0.90, 0.88)), noses=(PINK,), ears="mouse",
                  ear=(0.74, 0.40, 40.0, 44.0, 0.0), muzzle=0.16, muzzle_width=0.28, pad=0.075, whiskers=True),
    "raccoon": Kind(coats=((0.62, 0.60, 0.58), (0.68, 0.52, 0.42)), pales=(WHITE,), marks=((0.50, 0.41, 0.38), (0.56, 0.39, 0.29)),
                    noses=(BLACK,), markings=("mask",), ears="cat", ear=(0.50, 0.28, 46.0, 32.0, 0.0), muzzle=0.16,
                    muzzle_width=0.34, pad=0.095, cheeks=0.28, wide=0.4),
    "frog": Kind(coats=((0.52, 0.74, 0.30), (0.36, 0.66, 0.46), (0.70, 0.74, 0.30), (0.30, 0.60, 0.62)),
                 pales=((0.95, 0.90, 0.66), (0.97, 0.86, 0.70)), marks=((0.24, 0.44, 0.22), (0.50, 0.36, 0.14)),
                 markings=("spots", "spots", ""), muzzle=0.05, muzzle_width=0.46, pad=0.0, bare=True, wide=1.1, crown=-0.06,
                 skull=-0.06, bulge=0.12, eyes=1.14),
    "alien": Kind(coats=((0.62, 0.84, 0.66), (0.62, 0.70, 0.90), (0.82, 0.66, 0.88), (0.54, 0.80, 0.82)),
                  pales=((0.90, 0.93, 0.80), (0.96, 0.86, 0.88)), marks=((0.98, 0.80, 0.34), (0.94, 0.50, 0.56)),
                  markings=("", "spots"), muzzle=0.02, muzzle_width=0.0, pad=0.0, horns=("antennae",), bare=True, wide=-1.5,
                  crown=0.16, skull=0.10, eyes=1.2),
    "monster": Kind(coats=((0.48, 0.42, 0.78), (0.28, 0.58, 0.74), (0.90, 0.48, 0.40), (0.44, 0.68, 0.42), (0.86, 0.48, 0.68)),
                    pales=((0.97, 0.84, 0.68), (0.95, 0.80, 0.80)), marks=((0.95, 0.88, 0.72), (0.30, 0.24, 0.42)),
                    noses=((0.26, 0.18, 0.34), (0.70, 0.30, 0.40)), markings=("", "", "blaze"), ears="fin",
                    ear=(0.42, 0.20, 8.0, 78.0, 0.0), muzzle=0.10, muzzle_width=0.38, pad=0.12, cheeks=0.14,
                    horns=("horns", "curls", "antennae"), wide=0.6),
}  # fmt: skip


def draw(rng: np.random.Generator, name: str) -> Look:
    """Draw a creature."""
    species = tuple(KINDS)[int(rng.integers(len(KINDS)))]
    kind = KINDS[species]
    coat = pick(rng, kind.coats, spread=0.06, tint=0.3)
    creature = _creature(rng, species, coat=coat)
    return Look(
        name=name,
        style="creature",
        domain="cartoon",
        shape=_shape(rng, kind),
        palette=_palette(rng, coat=coat, creature=creature),
        hair=Hair(bald=True),
        scene=_scene(rng),
        shading=Shading(wrap=0.4, ambient=0.5, specular=0.18 if kind.bare else 0.03, gloss=16.0, scatter=0.35, saturation=1.12),
        clothes=garment(rng, masculine=bool(rng.random() < 0.5)),
        creature=creature,
    )  # fmt: skip


def _inner(kind: Kind, coat: Colour) -> Colour:
    """Return the colour inside the ears; ears that hang show their backs."""
    if kind.ears == "dog":
        return coat[0] * 0.82, coat[1] * 0.80, coat[2] * 0.80
    return kind.pales[0] if kind.bare else (0.92, 0.68, 0.64)


def _creature(rng: np.random.Generator, species: str, *, coat: Colour) -> Creature:
    kind = KINDS[species]
    length, wide, at, tilt, droop = kind.ear
    lop = species == "rabbit" and rng.random() < 0.25
    return Creature(
        species=species,
        pale=pick(rng, kind.pales, spread=0.02, tint=0.3),
        mark=pick(rng, kind.marks, spread=0.05, tint=0.3),
        inner=near(rng, _inner(kind, coat), spread=0.04),
        nose=pick(rng, kind.noses, spread=0.05),
        ears=kind.ears,
        ear_length=length * around(rng, 1.0, 0.09),
        ear_width=wide * around(rng, 1.0, 0.07),
        ear_at=around(rng, at, 4.0) - (14.0 if lop else 0.0),
        ear_tilt=around(rng, tilt, 5.0) + (40.0 if lop else 0.0),
        ear_droop=droop * around(rng, 1.0, 0.08) + (110.0 if lop else 0.0),
        ear_tip=kind.ear_tip or species == "panda" or (species == "rabbit" and rng.random() < 0.3),
        muzzle_width=kind.muzzle_width * around(rng, 1.0, 0.07),
        face=float(rng.uniform(0.55, 0.8)),
        marking=kind.markings[int(rng.integers(len(kind.markings)))],
        pad=1.25 * kind.pad * around(rng, 1.0, 0.08),
        whiskers=kind.whiskers,
        cheeks=kind.cheeks * around(rng, 1.0, 0.15),
        tuft=float(rng.uniform(0.24, 0.42)) if not kind.bare and rng.random() < 0.4 else 0.0,
        horns=kind.horns[int(rng.integers(len(kind.horns)))],
        bare=kind.bare,
    )


def _scene(rng: np.random.Generator) -> Scene:
    return Scene(
        key_azimuth=float(rng.choice([-1.0, 1.0])) * float(rng.uniform(22, 45)),
        key_elevation=float(rng.uniform(25, 45)),
        key=float(rng.uniform(0.9, 1.05)),
        fill=float(rng.uniform(0.3, 0.42)),
        rim=float(rng.uniform(0.2, 0.4)),
        warmth=around(rng, 0.25, 0.25),
        view_height=around(rng, 3.45, 0.06),
        centre_y=around(rng, 0.10, 0.03),
        background=(pick(rng, SKIES), pick(rng, SKIES), pick(rng, SKIES)),
        background_seed=int(rng.integers(1 << 30)),
        backdrop=("park", "park", "hills", "studio", "street")[int(rng.integers(5))],
    )


def _shape(rng: np.random.Generator, kind: Kind) -> Shape:
    wide, child = kind.wide + around(rng, 0.0, 0.4), float(rng.uniform(0, 1))
    return Shape(
        skull_width=around(rng, 0.85, 0.02) + 0.02 * wide + kind.skull,
        cheek_width=0.93 + 0.07 * wide,
        jaw_width=0.79 + 0.09 * wide,
        chin_width=0.42 + 0.08 * wide,
        chin_y=-0.95 + 0.04 * child,
        chin_out=0.02,
        crown_y=around(rng, 1.05, 0.04) + kind.crown,
        forehead_z=0.88,
        face_z=0.84,
        chin_z=0.78,
        back_z=0.92,
        roundness=2.0,
        eye_x=around(rng, 0.345, 0.012) + 0.3 * kind.bulge,
        eye_half_width=kind.eyes * (around(rng, 0.195, 0.008) + 0.015 * child),
        eye_up=kind.eyes * (around(rng, 0.142, 0.008) + 0.018 * child),
        eye_down=kind.eyes * (around(rng, 0.100, 0.006) + 0.012 * child),
        eye_tilt=around(rng, 0.02, 0.015),
        eyeball_radius=0.27 * kind.eyes,
        eyeball_out=0.06 + 0.6 * kind.bulge,
        iris_radius=kind.eyes * (around(rng, 0.124, 0.004) + 0.012 * child),
        pupil=around(rng, 0.55, 0.05),
        socket=0.03 - kind.bulge,
        brow_y=around(rng, 0.34, 0.015) + 0.02 * child,
        brow_thickness=around(rng, 0.09, 0.012),
        brow_arch=around(rng, 0.045, 0.015),
        brow_out=0.035,
        nose_y=around(rng, -0.34, 0.015),
        nose_out=around(rng, 0.15, 0.015) if kind.pad else around(rng, 0.10, 0.02),
        nose_width=0.08,
        nose_bridge=0.03 if kind.pad else 0.0,
        nose_ball=0.10,
        muzzle=kind.muzzle * around(rng, 1.0, 0.1),
        mouth_y=around(rng, -0.60, 0.012),
        mouth_half_width=around(rng, 0.27, 0.02) + (0.12 if kind.bulge else 0.03 * kind.wide),
        lip_up=around(rng, 0.055, 0.004),
        lip_down=around(rng, 0.070, 0.005),
        lip_out=0.035,
        mouth_curve=around(rng, 0.35, 0.1),
        cheek_puff=around(rng, 0.07, 0.015),
        neck_width=around(rng, 0.54, 0.03),
        lash=around(rng, 0.035, 0.01),
        gain=1.3,
    )


def _palette(rng: np.random.Generator, *, coat: Colour, creature: Creature) -> Palette:
    base = np.asarray(creature.pale if creature.muzzle_width else coat)
    lip = base * (0.78, 0.46, 0.47)
    brow = np.asarray(coat) * 0.36  # dark on the pale face, independent of the coat
    return Palette(
        skin=coat,
        lip=(float(lip[0]), float(lip[1]), float(lip[2])),
        blush=(min(1.0, creature.pale[0]), creature.pale[1] * 0.72, creature.pale[2] * 0.70),
        hair=near(rng, coat, spread=0.08),
        brow=(float(brow[0]), float(brow[1]), float(brow[2])),
        iris=pick(rng, IRISES),
        clothes=pick(rng, CLOTHES),
        trim=pick(rng, CLOTHES),
        white=(0.98, 0.975, 0.96),
        mottle=0.008 if creature.bare else 0.03,
        rosy=1.0,
        shadow=1.0,
    )


STYLE = Style(name="creature", domain="cartoon", about="animals and monsters", draw=draw)
