"""The script of a film: characters, places and shots, without any pixels.

Lengths are parts of the picture's height. A place is `world` long and 1 high, times the room that the camera needs; the
camera shows a window of height 1 / zoom round its centre. Characters have positions in the place, so that a moving camera
moves everything together. A script has no pixels and can be drawn at any size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from toonbench.types import Domain

Transition = Literal["none", "cut", "dissolve", "wipe", "fade_black", "fade_white"]
OVERLAPS: frozenset[str] = frozenset({"dissolve", "wipe"})

View = Literal["tight", "half"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Character:
    """An identity: its look, and for a lookalike the look whose colours and hair it has."""

    id: str
    style: str
    look_seed: int
    double_of: int | None = None  # a look seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A character in a shot: a square with its middle at `x` (from and to, in the place) and its lower edge at `foot`."""

    character: int
    motion_seed: int
    view: View
    side: float
    x: tuple[float, float]
    foot: float
    walking: bool = False
    still: bool = False  # one pose throughout
    framed: bool = False  # a picture in a frame on the wall


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """The camera's view, (x, y, zoom), before and after its move, which takes the part `during` of the shot."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    during: tuple[float, float] = (0.0, 1.0)
    whip: bool = False

    def at(self, share: float) -> tuple[float, float, float]:
        """The view after `share` of the shot."""
        begin, finish = self.during
        u = min(1.0, max(0.0, (share - begin) / max(finish - begin, 1e-6)))
        u = u * u * (3 - 2 * u)
        x, y, zoom = (a + (b - a) * u for a, b in zip(self.start, self.end, strict=True))
        return x, y, zoom


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The background: a place of `sets.PLACES`, `pattern`, `card` or `credits`; `text` is for the last two."""

    kind: str
    seed: int
    world: float
    text: tuple[str, ...] = ()
    clouds: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One shot: `frames` counts all frames in which it is visible, also partly, as in a dissolve."""

    kind: str
    frames: int
    place: Place
    camera: Camera
    parts: tuple[Part, ...] = ()
    step: int = 1  # frames for each new drawing
    freeze: int | None = None  # nothing moves from this frame on
    flashes: tuple[int, ...] = ()  # frames that are white
    lightning: tuple[int, ...] = ()  # frames that are very bright
    relation: str = ""  # to the shot before: jump_cut, lookalike, or returns (the character of an earlier shot)
    transition: Transition = "cut"
    overlap: int = 0  # frames of the transition into this shot


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A whole film; `bars` are the parts of the width and of the height that stay black on each side."""

    id: str
    title: str
    domain: Domain
    style: str
    seed: int
    fps: int
    bars: tuple[float, float]
    cast: tuple[Character, ...]
    shots: tuple[Shot, ...]
    fade_out: int  # frames in which the last shot fades to black

    @property
    def starts(self) -> tuple[int, ...]:
        """The first frame in which each shot is visible."""
        found, at = list[int](), 0
        for shot in self.shots:
            at -= shot.overlap if shot.transition in OVERLAPS else 0
            found.append(at)
            at += shot.frames
        return tuple(found)

    @property
    def frames(self) -> int:
        """The film's length in frames."""
        return self.starts[-1] + self.shots[-1].frames
