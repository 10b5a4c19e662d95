"""The paint of the skin: tones, lips, lids, freckles, whiskers, scalp, folds, and the shade of places that get little light.

All paint is a field over the vertices of the rest mesh (lids and lips shut), so that it moves with the skin.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from toonbench.puppets.body.creature_parts import coat
from toonbench.puppets.body.hair import hairline, whiskers
from toonbench.puppets.body.head import Field, Head, bump, lip_reach, ramp

Colours = NDArray[np.float64]
WARM = np.array([1.0, 1.2, 1.3])  # shade on skin becomes red, because skin transmits red light


def skin_colour(head: Head) -> Colours:
    """Paint the skin of a look, (vertices, 3) sRGB."""
    palette = head.look.palette
    rng = np.random.default_rng(head.look.scene.background_seed + 7)
    front = ((head.rest[:, 2] > 0.25) & (np.abs(head.lon) < 1.4)).astype(np.float64)
    colour = _tones(head, front, rng)
    if head.look.creature:
        colour = coat(head, colour, creature=head.look.creature)
    colour = _lids(head, colour, front)
    colour = _lips(head, colour, front)
    colour = _grow_hair(head, colour, rng)
    shade = 1 - np.clip(palette.shadow * (_shade(head, front) + _folds(head, front)), 0, 0.85)
    return np.clip(colour * shade[:, None] ** WARM, 0.004, 1)


def _mix(colour: Colours, other: Sequence[float] | Colours, amount: Field) -> Colours:
    share = np.clip(amount, 0, 1)[:, None]
    return colour * (1 - share) + np.asarray(other) * share


def _tones(head: Head, front: Field, rng: np.random.Generator) -> Colours:
    """Return bare skin: grain, blotches, blush on cheeks, nose and ears' side, a paler forehead, freckles."""
    shape, palette = head.look.shape, head.look.palette
    x, y, _ = head.rest.T
    ax = np.abs(x)
    phase = rng.uniform(0, 2 * np.pi, 6)
    blotch = np.sin(7 * x + 5 * y + phase[0]) + np.sin(11 * y - 6 * x + phase[1]) + np.sin(17 * x + 13 * y + phase[2])
    grain = rng.normal(size=len(x)) * front * (y < 0.42) * head.weight
    colour = np.asarray(palette.skin) * (1 + palette.mottle * (grain + 0.5 * blotch * front))[:, None]
    cheeks = bump(ax - 0.43, 0.19) * bump(y + 0.28, 0.15)
    nose = 0.75 * bump(x, 0.11) * bump(y - shape.nose_y - 0.06, 0.1)
    chin = 0.25 * bump(x, 0.14) * bump(y - shape.chin_y - 0.12, 0.1)
    colour = _mix(colour, palette.blush, palette.rosy * (cheeks + nose + chin) * front)
    pale = [min(1.0, c * k) for c, k in zip(palette.skin, (1.04, 1.05, 1.04), strict=True)]
    colour = _mix(colour, pale, 0.6 * bump(x, 0.4) * bump(y - 0.42, 0.2) * front)
    if palette.freckles:
        spots = (rng.random(len(x)) < 0.12) * bump(y + 0.2, 0.14) * (ax < 0.55) * front
        colour = _mix(colour, [0.72 * c for c in palette.skin], palette.freckles * spots)
    return colour


def _lids(head: Head, colour: Colours, front: Field) -> Colours:
    """Paint make-up on the upper lids, a moist lower rim and a dark upper one."""
    shape, palette = head.look.shape, head.look.palette
    x, y, _ = head.rest.T
    t = (np.abs(x) - shape.eye_x) / shape.eye_half_width
    lid = bump(t - 0.1, 1.0) * ramp(y, 0.09 + 0.35 * shape.eye_up, 0.02) * (y >= 0) * front
    colour = _mix(colour, np.asarray(palette.lip) * 0.75, 0.45 * palette.makeup * lid)
    colour = _mix(colour, np.asarray(palette.skin) * (0.90, 0.78, 0.76), 0.35 * lid * palette.shadow)
    for eye in head.eyes:
        colour[eye.lower] = 0.62 * colour[eye.lower] + 0.38 * np.asarray(palette.blush) * (1.04, 0.98, 0.96)
        colour[eye.upper] *= 0.5
    return colour


def _lips(head: Head, colour: Colours, front: Field) -> Colours:
    """Paint the lips: a darker upper one, a lower one lighter in the middle, soft at the border."""
    shape, palette = head.look.shape, head.look.palette
    x, y, _ = head.rest.T
    reach = lip_reach(x, y, shape)
    upper = y >= shape.mouth_y
    tone = np.where(upper, 0.9, 1.0 + 0.10 * bump(reach - 0.5, 0.3) * bump(x, 0.5 * shape.mouth_half_width))
    lip = np.asarray(palette.lip) * tone[:, None]
    lip[:, 1:] *= (1 - 0.10 * ramp(reach, 0.5, 0.0))[:, None]
    return _mix(colour, np.clip(lip, 0, 1), ramp(reach, 1.16, 0.88) * front)


def _grow_hair(head: Head, colour: Colours, rng: np.random.Generator) -> Colours:
    """Paint stubble or the skin under a beard, and the scalp under the hair."""
    look, palette = head.look, head.look.palette
    if palette.beard or palette.stubble:
        grit = 0.75 + 0.25 * rng.random(len(colour))
        amount = whiskers(head) * max(palette.beard, 0.42 * palette.stubble) * grit
        dark = 0.55 * np.asarray(palette.hair) + 0.25 * np.asarray(palette.skin) * (0.8, 0.85, 0.95)
        colour = _mix(colour, dark, amount)
    if not look.hair.bald:
        scalp = ramp(head.rest[:, 1] - hairline(look.hair, head.lon), -0.03, 0.06)
        fade = 1 - 0.45 * look.hair.fade * ramp(np.abs(head.lon), 0.75, 1.05)
        colour = _mix(colour, [0.75 * c for c in palette.hair], scalp * fade)
    return colour


def _shade(head: Head, front: Field) -> Field:
    """Return the darkness of places that get little light, 0 to 1."""
    shape, look = head.look.shape, head.look
    x, y, z = head.rest.T
    ax, nose, mouth = np.abs(x), shape.nose_y, shape.mouth_y
    t = (ax - shape.eye_x) / shape.eye_half_width
    crease_y = 0.028 + 0.12 * shape.eye_up
    crease = 0.34 * bump(y - crease_y - 0.012 * (1 - t**2), 0.011) * ramp(np.abs(t), 1.15, 0.85)
    socket = 0.14 * bump(t, 1.15) * bump(y - 0.05 - 0.4 * shape.eye_up, 0.08)
    inner = 0.22 * bump(ax - shape.eye_x + 1.05 * shape.eye_half_width, 0.055) * bump(y - 0.03, 0.07)
    bag = 0.09 * bump(t, 0.9) * bump(y + 0.075, 0.028)
    wing = bump(np.hypot(ax - shape.nose_width * 0.72, 1.15 * (y - nose - 0.045)) - 0.066, 0.016)
    alar = 0.26 * wing * (ax > shape.nose_width * 0.72) * (y > nose - 0.01)
    slot = np.hypot((ax - 0.52 * shape.nose_width) / 0.036, (y - nose - 0.006) / 0.017)
    nostril = 0.74 * ramp(slot, 1.25, 0.6)
    under = 0.20 * bump(x, 0.9 * shape.nose_width) * bump(y - nose + 0.025, 0.03)
    flank = 0.10 * bump(ax - 0.11, 0.04) * ramp(y, nose + 0.02, nose + 0.12) * ramp(y, 0.0, -0.12)
    groove = 0.10 * bump(x, 0.02) * bump(y - 0.5 * (nose + mouth) + 0.01, 0.06)
    beneath = 0.20 * bump(x, 0.5 * shape.mouth_half_width) * bump(y - mouth + shape.lip_down + 0.035, 0.026)
    line = 0.55 * bump(y - mouth, 0.010) * ramp(ax, shape.mouth_half_width * 1.06, shape.mouth_half_width * 0.94)
    corner = 0.30 * bump(ax - shape.mouth_half_width * 1.03, 0.028) * bump(y - mouth, 0.026)
    face = crease + socket + inner + bag + alar + nostril + under + flank + groove + beneath + line + corner
    neck = ramp(-y - 0.14 * np.cos(head.lon), 0.74, 1.02) * (
        1 - bump(z - shape.chin_z, 0.22) * (y > shape.chin_y - 0.03)
    )
    cord = 0.08 * bump(ax - 0.17 - 0.16 * ramp(y, -1.5, -1.05), 0.035) * (y < -1.0) * (z > -0.2)
    cover = (
        0.0 if look.hair.bald else 0.12 * ramp(y - hairline(look.hair, head.lon), -0.16, -0.01) * (1 - look.hair.fade)
    )
    return face * front + 0.27 * neck + cord + cover


def _folds(head: Head, front: Field) -> Field:
    """Return the folds of age, and the faint fold from nose to mouth of every face."""
    shape, age = head.look.shape, head.look.palette.age
    x, y, _ = head.rest.T
    ax = np.abs(x)
    u = np.clip((y - shape.mouth_y) / (shape.nose_y + 0.03 - shape.mouth_y), -0.3, 1)
    path = shape.mouth_half_width * 1.16 + (shape.nose_width * 1.22 - shape.mouth_half_width * 1.16) * u
    cheek = (0.05 + 0.17 * age) * bump(ax - path, 0.020) * ramp(u, -0.3, 0.2) * ramp(u, 1.0, 0.85)
    if not age:
        return cheek * front
    brow = (
        0.13 * np.clip(np.sin((y - 0.25 - 0.03 * np.cos(5 * x)) * 62), 0, 1) ** 3 * bump(y - 0.4, 0.09) * bump(x, 0.42)
    )
    frown = 0.14 * bump(ax - 0.045, 0.012) * bump(y - shape.brow_y, 0.06)
    edge = ax - shape.eye_x - 1.25 * shape.eye_half_width
    feet = 0.2 * np.clip(np.sin(y * 75), 0, 1) ** 2 * bump(edge, 0.05) * bump(y, 0.07)
    bags = 0.17 * bump((ax - shape.eye_x) / shape.eye_half_width, 0.8) * bump(y + 0.105, 0.013)
    return (cheek + age * (brow + frown + feet + bags)) * front
