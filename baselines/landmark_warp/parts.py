"""Eyes and mouth: what a warp of the skin cannot show. Eyeballs lie behind the lids, and a dark interior behind the lips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from baselines.landmark_warp.mesh import EDGES, Edges, outline, pairs
from baselines.landmark_warp.shape import EYES, LIPS, PUPILS, Opening, Points, measures
from baselines.landmark_warp.transfer import Moved
from toonbench.types import Frame

Picture: TypeAlias = "NDArray[np.float32]"  # (height, width, 3), 0 to 255
Reals: TypeAlias = "NDArray[np.float64]"
Rows: TypeAlias = "tuple[slice, slice]"

CLOSED_EYE = 0.08  # of the eye's width: a source eye that is less open shows no eyeball to move
FARTHEST_GAZE = 0.3  # of the eye's width
IRIS, BALL = (
    0.3,
    0.75,
)  # of the eye's width: the gaze moves everything within the first radius, nothing beyond the second
INSET = 0.02  # of the eye's width: the lid's edge, which is no part of the eyeball
SEAM = 0.09  # of the eye's width: the line of the lashes of a closed eye
SEAM_SHOWN = 0.05, 0.25  # of the eye's height in the source: the line is drawn completely, and not at all
OPEN_MOUTH = 0.05  # of the mouth's width: a source mouth that is less open shows no interior
MOST_STRETCH = 1.6, 3.2  # an interior that is stretched more is replaced, gradually
CAVITY, TONGUE, TEETH = (np.array(c, np.float32) for c in ((62, 22, 26), (168, 78, 80), (236, 232, 222)))
TEETH_HEIGHT = 0.34, 0.11  # of the opening, and at most of the mouth's width


class Eye:
    """An eyeball of the source: drawn where the lids are open, moved by the corners of the eye and the gaze."""

    def __init__(
        self, points: Points, picture: Picture, loops: Any, *, opening: Opening, edges: Edges, pupil: int
    ) -> None:
        self._opening, self._edges, self._pupil = opening, edges, pupil
        self._at = _axes(points, opening)
        self._points = points
        down = self._at.right * 1j
        upper, lower = edges.apart(points, down=down, least=0.0)
        self._upper, self._lower = self._at.into(upper), self._at.into(lower)
        self._height = max(opening.height(points), 1e-6)
        self._lash = self._darkest(picture, loops)
        self.visible = self._height > CLOSED_EYE * self._at.width

    def draw(self, frame: Picture, picture: Picture, moved: Moved, loops: Any) -> None:
        """Draw the eye over the skin of a frame."""
        at = _axes(moved.points, self._opening)
        sides = self._edges.apart(moved.points, down=at.right * 1j, least=0.0)
        box, share, pixels = _covered(frame, outline(sides), loops)
        if not share.size:
            return
        turn = abs(moved.pose.turn)
        stretch = turn * max(1.0, self._opening.height(moved.points) / self._height / turn)

        def back(z: Points) -> Points:
            local = (z - at.middle) / at.right
            return local.real / at.width + 1j * local.imag / (stretch * self._at.width)

        place = self._inside(self._gazed(back(pixels), back(moved.points[[self._pupil]])[0]))
        colours = np.empty((*share.shape, 3), np.float32)
        loops.sample(picture, _split(self._at.out(place)), colours)
        _blend(frame[box], colours, share)

    def draw_seam(self, frame: Picture, moved: Moved, loops: Any) -> None:
        """Draw the line of the lashes over a closed eye, in the colour that the upper lid's edge has in the source."""
        at = _axes(moved.points, self._opening)
        left = self._opening.height(moved.points) / self._height / abs(moved.pose.turn)
        strength = 1 - float(_smooth(np.array(left), *SEAM_SHOWN))
        if not strength:
            return
        upper, lower = self._edges.apart(moved.points, down=at.right * 1j, least=0.0)
        seam = (upper + lower) / 2
        half = SEAM * at.width / 2 * np.sqrt(np.sin(np.linspace(0, np.pi, len(seam)))) * at.right * 1j
        box, share, _ = _covered(frame, outline((seam - half, seam + half)), loops)
        _blend(frame[box], self._lash, share * np.float32(strength))

    def _darkest(self, picture: Picture, loops: Any) -> Picture:
        """The colour of the upper lid's edge: the middle one of the darkest across the edge."""
        edge = self._upper[2:-2, None] + 1j * np.linspace(-0.06, 0.03, 7)
        colours = np.empty((*edge.shape, 3), np.float32)
        loops.sample(picture, _split(self._at.out(edge)), colours)
        dark = colours[np.arange(len(edge)), colours.sum(axis=2).argmin(axis=1)]
        return np.median(dark, axis=0).astype(np.float32)

    def _gazed(self, place: Points, pupil: complex) -> Points:
        """Places of the eye before the gaze moved the iris to `pupil`."""
        move = pupil - self._at.into(self._points[[self._pupil]])[0]
        move *= min(1.0, FARTHEST_GAZE / max(abs(move), 1e-9))
        return place - move * (1 - _smooth(np.abs(place - pupil), IRIS, BALL))

    def _inside(self, place: Points) -> Points:
        """The nearest places, along the eye and across it, inside the lids of the source."""
        along = np.clip(place.real, -0.5 + INSET, 0.5 - INSET)
        top = np.interp(along, self._upper.real, self._upper.imag) + INSET
        bottom = np.interp(along, self._lower.real, self._lower.imag) - INSET
        middle = (top + bottom) / 2
        return along + 1j * np.clip(place.imag, np.minimum(top, middle), np.maximum(bottom, middle))


class Mouth:
    """The interior of the mouth. The source's own is shown as far as it is visible there; otherwise a dark one with teeth and tongue."""

    def __init__(self, points: Points, picture: Picture) -> None:
        self._open = LIPS.height(points) / max(LIPS.width(points), 1e-6)
        self._light = _light(points, picture)

    def draw(self, frame: Picture, moved: Moved, loops: Any) -> None:
        """Draw the interior between the lips of a frame, which shows the warped interior of the source."""
        at = _axes(moved.points, LIPS)
        sides = EDGES[2].apart(moved.points, down=at.right * 1j, least=0.0)
        box, share, pixels = _covered(frame, outline(sides), loops)
        if not share.size:
            return
        now = LIPS.height(moved.points) / max(at.width, 1e-6)
        drawn = 1.0
        if self._open > OPEN_MOUTH:
            drawn = float(_smooth(np.array(now / self._open), *MOST_STRETCH))
        upper, lower = (at.into(side) for side in sides)
        place = at.into(pixels)
        top = np.interp(place.real, upper.real, upper.imag)
        height = np.maximum(np.interp(place.real, lower.real, lower.imag) - top, 1e-6)
        pixel = 1 / max(at.width, 1e-6)
        colours = _interior(place.real, place.imag - top, height, widest=float(height.max()), pixel=pixel)
        _blend(frame[box], colours * self._light, share * drawn)


def _interior(along: Reals, below: Reals, height: Reals, *, widest: float, pixel: float) -> Picture:
    """Colours of a mouth's interior at `below` the upper lip, all in widths of the mouth."""
    teeth = min(TEETH_HEIGHT[0] * widest, TEETH_HEIGHT[1]) * np.sqrt(np.maximum(1 - (along / 0.5) ** 2, 0))
    shown = (1 - _smooth(below, teeth - pixel / 2, teeth + pixel / 2)) * _smooth(np.array(widest), 0.03, 0.1)
    shown = shown * (1 - 0.75 * _smooth(np.abs(along), 0.25, 0.48))
    tongue = _smooth((along / 0.34) ** 2 + ((height - below) / (0.45 * widest + 1e-6)) ** 2, 1.1, 0.7)
    tongue = tongue * _smooth(np.array(widest), 0.12, 0.25) * 0.8
    colours = CAVITY + (TONGUE - CAVITY) * tongue[..., None]
    return np.asarray(colours + (TEETH - colours) * shown[..., None], np.float32)


class Parts:
    """Eyes and mouth of one source."""

    def __init__(self, points: Points, picture: Picture, loops: Any) -> None:
        self._picture = picture
        eyes = [
            Eye(points, picture, loops, opening=opening, edges=edges, pupil=pupil)
            for opening, edges, pupil in zip(EYES, EDGES[:2], PUPILS, strict=True)
        ]
        self._eyes = [eye for eye in eyes if eye.visible]
        self._mouth = Mouth(points, picture)

    def draw(self, frame: Picture, moved: Moved, loops: Any) -> None:
        """Draw them over the skin of a frame."""
        for eye in self._eyes:
            eye.draw(frame, self._picture, moved, loops)
            eye.draw_seam(frame, moved, loops)
        self._mouth.draw(frame, moved, loops)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axes:
    """Coordinates of an opening: x from -0.5 to 0.5 between its corners, y across, both in its width."""

    middle: complex
    right: complex  # a unit number
    width: float

    def into(self, points: Points) -> Points:
        return (points - self.middle) / (self.right * self.width)

    def out(self, places: Points) -> Points:
        return self.middle + places * self.right * self.width


def _axes(points: Points, opening: Opening) -> _Axes:
    left, right = (complex(points[k]) for k in opening.corners)
    width = max(abs(right - left), 1e-6)
    return _Axes(middle=(left + right) / 2, right=(right - left) / width if width > 1e-6 else 1.0 + 0j, width=width)


def _covered(frame: Picture, polygon: Points, loops: Any) -> tuple[Rows, Picture, Points]:
    """The box of a polygon in a frame, the share of each of its pixels in the polygon, and the pixels' centres."""
    height, width = frame.shape[:2]
    left, right = (int(np.clip(v, 0, width)) for v in (np.floor(polygon.real.min()), np.ceil(polygon.real.max())))
    top, bottom = (int(np.clip(v, 0, height)) for v in (np.floor(polygon.imag.min()), np.ceil(polygon.imag.max())))
    share = np.zeros((max(bottom - top, 0), max(right - left, 0)), np.float32)
    loops.cover(share, pairs(polygon), left, top)
    y, x = np.mgrid[top:bottom, left:right] + 0.5
    return (slice(top, bottom), slice(left, right)), share, x + 1j * y


def _light(points: Points, picture: Picture) -> float:
    """How light the face is, 0.35 to 1: teeth in a dark picture are dark."""
    height, width = picture.shape[:2]
    face = measures(points)
    x = np.clip(points.real, 0, width - 1).astype(int)
    y = np.clip(points.imag + 0.02 * face.height, 0, height - 1).astype(int)
    return float(np.clip(np.percentile(picture[y, x].mean(axis=1), 80) / 190, 0.35, 1.0))


def _smooth(values: Reals | Picture, start: Any, end: Any) -> Reals:
    """0 at `start` and before, 1 at `end` and after, a cubic between."""
    share = np.clip((values - start) / (end - start), 0, 1)
    return np.asarray(share * share * (3 - 2 * share))


def _split(points: Points) -> Reals:
    return np.ascontiguousarray(np.stack([points.real, points.imag], axis=-1))


def _blend(below: Picture, above: Picture, share: Picture) -> None:
    below += (above - below) * share[..., None]


def to_bytes(frame: Picture) -> Frame:
    """Rounded and clipped to uint8."""
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8)
