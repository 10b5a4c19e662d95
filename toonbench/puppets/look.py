"""The look: the identity of a puppet (proportions, colours, hair, scene), drawn from a seed by one of the registered styles.

Lengths are in half face heights (chin to crown is about 2.1), with the origin between the ears at eye height,
x to the right of the picture, y up, z towards the camera. Colours are sRGB in [0, 1].
A style is one module in `toonbench/puppets/styles/` that defines `STYLE`; adding one needs no other change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from toonbench.types import Domain

Colour = tuple[float, float, float]
Tail = Literal["", "pony", "pigtails", "braids"]
Glasses = Literal["", "round", "square"]
Earrings = Literal["", "stud", "hoop"]
Topping = Literal["", "headband", "bow", "flower", "cap", "beanie", "brim"]
Ears = Literal["", "cat", "fox", "bear", "dog", "rabbit", "mouse", "fin"]
Marking = Literal["", "tabby", "mask", "panda", "patch", "spots", "blaze"]
Horns = Literal["", "horns", "antennae", "curls"]
Garment = Literal["crew", "shirt", "hoodie", "turtleneck", "tank", "suit", "scarf"]
Pattern = Literal["plain", "stripes", "dots", "checks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Proportions of the head; every field is a length unless its comment says otherwise."""

    skull_width: float = 0.74  # half width above the ears
    cheek_width: float = 0.70  # half width at the cheekbones
    jaw_width: float = 0.58  # half width at mouth height
    chin_width: float = 0.36
    chin_y: float = -1.0
    chin_out: float = 0.05
    crown_y: float = 1.08
    forehead_z: float = 0.84
    face_z: float = 0.82
    chin_z: float = 0.76
    back_z: float = 0.92
    roundness: float = 2.3  # exponent of the cross-section; 2 is an ellipse
    eye_x: float = 0.315
    eye_half_width: float = 0.145
    eye_up: float = 0.068  # height of the open upper lid above the eye line
    eye_down: float = 0.042
    eye_tilt: float = 0.012  # rise of the outer corner
    eyeball_radius: float = 0.20
    eyeball_out: float = 0.015
    iris_radius: float = 0.072
    pupil: float = 0.42  # part of the iris
    catchlight: float = 0.27  # radius of the light in the eye, part of the iris
    socket: float = 0.09
    brow_y: float = 0.22
    brow_thickness: float = 0.042
    brow_arch: float = 0.035
    brow_out: float = 0.012
    brow_hair: float = 0.0  # 0 a painted brow, 1 hairs with a soft edge
    nose_y: float = -0.38  # underside of the nose
    nose_out: float = 0.27
    nose_width: float = 0.125
    nose_bridge: float = 0.10
    nose_ball: float = 0.08
    mouth_y: float = -0.62
    mouth_half_width: float = 0.265
    lip_up: float = 0.062
    lip_down: float = 0.085
    lip_out: float = 0.055
    mouth_curve: float = 0.2  # part of a smile in the rest pose
    teeth: float = 0.032  # how far the upper teeth reach below the mouth line
    cheek_puff: float = 0.05
    muzzle: float = 0.0  # how far nose and mouth protrude together, as in an animal
    dents: float = 0.0  # depth of dents and fingerprints, as of clay
    ear: float = 0.23  # half height
    ear_out: float = 0.10
    neck_width: float = 0.42
    lash: float = 0.02
    gain: float = 1.0  # expression gain, a factor


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Colours, sRGB in [0, 1]; `blush` and `lip` are mixed into the skin."""

    skin: Colour
    lip: Colour
    blush: Colour
    hair: Colour
    brow: Colour
    iris: Colour
    clothes: Colour
    trim: Colour
    white: Colour = (0.93, 0.92, 0.90)
    freckles: float = 0.0
    mottle: float = 0.03  # strength of skin variation
    stubble: float = 0.0
    beard: float = 0.0
    rosy: float = 0.55  # strength of the blush
    age: float = 0.0  # 0 to 1, folds and shadows of an old face
    makeup: float = 0.0  # 0 to 1, colour on the lids
    shadow: float = 1.0  # strength of the painted shade in sockets, creases and under the jaw; flat styles use less
    streak: Colour | None = None  # of some locks; None for none


@dataclass(frozen=True, slots=True, kw_only=True)
class Hair:
    """A cap over the skull; `front`, `side`, `back` are the heights at which it ends, `volume` its thickness."""

    front: float = 0.66
    temple: float = 0.30
    side: float = -0.08
    back: float = -0.62
    volume: float = 0.10
    top: float = 0.05  # extra thickness on the crown
    parting: float = 0.0  # -1 to 1, where the front hair divides; 0 for none
    fringe: float = 0.0  # how far the front hair falls below `front`
    recede: float = 0.0  # how far the hairline rises above the temples
    sweep: float = 0.0  # -1 to 1, the side to which the hair on top rises
    quiff: float = 0.0  # how far the front hair stands forward
    curl: float = 0.012  # height of locks
    locks: int = 34  # number of locks round the head
    bald: bool = False
    bun: float = 0.0  # radius of a bun
    flare: float = 0.0  # how far long hair swings outwards
    strands: int = 0  # locks that lie on the cap and break its outline
    bangs: int = 0  # locks that fall over the forehead
    bangs_length: float = 0.2
    bangs_side: float = 0.0  # -1 to 1, the side to which they fall
    spikes: float = 0.0  # length of spikes on the crown
    mohawk: float = 0.0  # height of a crest
    tail: Tail = ""
    puff: float = 0.0  # radius of the curls that cover the cap
    wave: float = 0.0  # depth of waves in long hair
    fade: float = 0.0  # 0 to 1, how short the sides are clipped
    beard: float = 0.0  # how far a full beard stands out


@dataclass(frozen=True, slots=True, kw_only=True)
class Worn:
    """Accessories on a puppet's head; an empty name means none. Lengths as in `Shape`."""

    glasses: Glasses = ""
    glasses_width: float = 0.235  # half width of one lens
    earrings: Earrings = ""
    top: Topping = ""
    colour: Colour = (0.7, 0.2, 0.25)  # of `top`
    frame: Colour = (0.12, 0.1, 0.1)  # of the glasses
    metal: Colour = (0.85, 0.7, 0.35)  # of the earrings


@dataclass(frozen=True, slots=True, kw_only=True)
class Clothes:
    """Clothes of the shoulders, in the palette's colours `clothes` and `trim`."""

    kind: Garment = "crew"
    pattern: Pattern = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Creature:
    """Parts that replace human ears and hair on an animal's or a monster's head. Lengths as in `Shape`, angles in degrees.

    The coat has the palette's colour `skin`; a bare creature has skin instead of fur.
    """

    species: str
    pale: Colour  # muzzle, throat, spots over the eyes
    mark: Colour  # of `marking`, of the ears' tips
    inner: Colour  # insides of the ears
    nose: Colour
    ears: Ears = ""
    ear_length: float = 0.6
    ear_width: float = 0.26  # half width
    ear_at: float = 45.0  # elevation of the ears' roots, 90 at the crown
    ear_tilt: float = 25.0  # how far the ears lean outwards
    ear_droop: float = 0.0  # how far they bend outwards on the way to the tip
    ear_tip: bool = False  # tips in the colour of `mark`
    muzzle_width: float = 0.36  # half width of the pale muzzle; 0 for none
    face: float = 0.0  # strength of a pale, heart-shaped face round eyes and muzzle
    marking: Marking = ""
    pad: float = 0.11  # half width of the nose's pad; 0 for none
    whiskers: bool = False
    cheeks: float = 0.0  # length of the tufts at the cheeks
    tuft: float = 0.0  # length of the tuft on the crown
    horns: Horns = ""
    bare: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Camera, light and background, fixed for all clips of a look. Angles in degrees, `view_height` in lengths.

    `backdrop` is the name of a function in `toonbench.puppets.draw.backdrops`.
    """

    key_azimuth: float = -35.0
    key_elevation: float = 35.0
    key: float = 0.95
    fill: float = 0.32
    rim: float = 0.25
    warmth: float = 0.0  # -1 cool key to 1 warm key
    view_height: float = 3.35
    centre_y: float = -0.12
    distance: float = 9.0
    background: tuple[Colour, Colour, Colour] = ((0.4, 0.45, 0.5), (0.6, 0.6, 0.6), (0.3, 0.3, 0.35))
    background_seed: int = 0
    backdrop: str = "studio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shading:
    """How a style turns light into colour and the picture into its medium."""

    wrap: float = 0.25  # how far light reaches round the edge
    ambient: float = 0.42
    specular: float = 0.12
    gloss: float = 18.0
    scatter: float = 0.35  # red light leaking into the shadow edge of skin
    saturation: float = 1.0
    shadow: float = 0.6  # strength of cast shadows
    bands: int = 0  # number of tones between shade and light (cel shading); 0 for smooth shading
    softness: float = 0.15  # width of the step between two tones, parts of a tone
    shade: Colour = (0.62, 0.55, 0.66)  # factor on colours in the shade (cel shading)
    gleam: float = 0.0  # width of the band of light on hair, in radians (cel shading)
    shine: float = 0.1  # highlights above this are drawn as flat spots (cel shading)
    outline: float = 0.0  # width of the lines, parts of the picture's height
    ink: Colour = (0.1, 0.07, 0.08)
    crease: float = 0.12  # jump in depth, in lengths, that gets a line
    lock_crease: float = 0.12  # the same within hair
    ball: float = 0.0  # 0 to 1, how much head and hair are lit as if they were a ball (cel shading)
    flat: float = 0.0  # 0 to 1, how much of the shade painted on hair and in the mouth is left out
    blur: float = 0.0  # sigma of the lens, parts of the picture's height
    grain: float = 0.0  # sigma of the sensor's noise, of 255, the same in each frame of a clip


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One puppet's identity in one style."""

    name: str
    style: str
    domain: Domain
    shape: Shape
    palette: Palette
    hair: Hair
    scene: Scene
    shading: Shading
    worn: Worn = Worn()
    clothes: Clothes = Clothes()
    creature: Creature | None = None  # None for humans


Picture = NDArray[np.float32]  # (height, width, 3) sRGB in [0, 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """One rendered frame before it becomes pixels."""

    look: Look
    picture: Picture
    mask: NDArray[np.float32]  # (height, width) in [0, 1]: covered by the puppet
    lines: NDArray[np.float32]  # (height, width) in [0, 1]: covered by ink
    tones: NDArray[np.float32]  # (height, width) in [0, 1]: the share of light (cel shading), 1 on the backdrop
    backdrop: Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A way of drawing puppets: `draw` turns a random generator and a name into a look.

    `finish` may turn each rendered canvas into another medium (paper, paint): it returns the picture, (h, w, 3) sRGB in
    [0, 1], and moves nothing by more than a fraction of a pixel, because landmarks stay unchanged.
    """

    name: str
    domain: Domain
    about: str
    draw: Callable[[np.random.Generator, str], Look]
    finish: Callable[[Canvas], Picture] | None = None
