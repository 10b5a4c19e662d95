"""The paint of the skin: lips, blush, freckles, whiskers, scalp, and the shade in sockets, nostrils and under the jaw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toonbench.puppets.hair import hairline, whiskers
from toonbench.puppets.head import Field, Head, bump, lip_reach, ramp


def skin_colour(head: Head) -> NDArray[np.float64]:
    """Paint the skin: lips, blush, freckles, stubble, scalp, and the shade in sockets, nostrils and under the jaw."""
    look, shape, palette = head.look, head.look.shape, head.look.palette
    x, y, z = head.rest.T
    ax = np.abs(x)
    front = (z > 0.25) & (np.abs(head.lon) < 1.4)
    rng = np.random.default_rng(look.scene.background_seed + 7)
    colour = np.tile(np.asarray(palette.skin), (len(x), 1)) * (
        1 + palette.mottle * rng.normal(size=(len(x), 1)) * (front & (head.weight == 1) & (y < 0.42))[:, None]
    )
    blush = 0.55 * bump(ax - 0.42, 0.17) * bump(y + 0.27, 0.13) + 0.5 * bump(x, 0.09) * bump(
        y - shape.nose_y - 0.05, 0.09
    )
    colour = _mix(colour, palette.blush, blush * front)
    if palette.freckles:
        spots = (rng.random(len(x)) < 0.12) * bump(y + 0.2, 0.14) * (ax < 0.55) * front
        colour = _mix(colour, tuple(0.72 * c for c in palette.skin), palette.freckles * spots)
    brow_shade = bump(ax - shape.eye_x, shape.eye_half_width * 1.1) * bump(y - 0.03, 0.09)
    shade = 1 - 0.16 * brow_shade * front
    nostril = bump(ax - 0.62 * shape.nose_width, 0.03) * bump(y - shape.nose_y - 0.002, 0.016) * front
    shade *= (1 - 0.72 * nostril) * (1 - 0.12 * bump(x, 0.16) * bump(y - shape.nose_y + 0.035, 0.03) * front)
    shade *= 1 - 0.18 * bump(x, 0.18) * bump(y - shape.mouth_y + 0.15, 0.035) * front
    neck = ramp(-y - 0.14 * np.cos(head.lon), 0.72, 1.0) * (
        1 - bump(z - shape.chin_z, 0.22) * (y > shape.chin_y - 0.03)
    )
    shade *= 1 - 0.34 * neck
    grown = whiskers(head)
    grit = 0.75 + 0.25 * rng.random(len(x))
    amount = np.clip(grown * max(palette.beard, 0.45 * palette.stubble) * grit, 0, 1)
    colour = _mix(colour, tuple(0.8 * c for c in palette.hair), amount)
    reach = lip_reach(x, y, shape)
    colour = _mix(colour, palette.lip, ramp(reach, 1.18, 0.86) * front)
    shade *= 1 - 0.45 * bump(y - shape.mouth_y, 0.012) * (ax < shape.mouth_half_width * 1.02) * front
    if not look.hair.bald:
        scalp = ramp(y - hairline(look.hair, head.lon), -0.03, 0.05)
        colour = _mix(colour, tuple(0.85 * c for c in palette.hair), scalp)
    return np.clip(colour * shade[:, None], 0.004, 1)


def _mix(colour: NDArray[np.float64], other: tuple[float, ...], amount: Field) -> NDArray[np.float64]:
    share = np.clip(amount, 0, 1)[:, None]
    return colour * (1 - share) + np.asarray(other) * share
