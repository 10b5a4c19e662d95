"""Writing the script of a film from a seed: a title, scenes of a few shots each, credits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from toonbench.puppets.films.script import Camera, Character, Part, Place, Script, Shot, Transition, View
from toonbench.puppets.films.sets import INKS, PLACES
from toonbench.types import Domain

BETWEEN_SCENES: tuple[Transition, ...] = (
    "dissolve",
    "fade_black",
    "wipe",
    "cut",
    "dissolve",
    "fade_white",
    "fade_black",
)
EYES: dict[View, float] = {"tight": 0.46, "half": 0.38}  # how far down a square the eyes are, about
LONGEST = 24  # frames of a transition
Card = TypeVar("Card", bound=str)

_STARTS = ("Cor", "Ma", "El", "Ta", "Ori", "Bel", "Fen", "Lu", "Ru", "Sa", "Wil", "No")
_ENDS = ("vale", "rin", "dora", "mund", "lia", "beck", "ton", "sen", "wick", "mar", "lo", "na")
_THINGS = ("Lantern", "Orchard", "Clockmaker", "Harbour", "Kite", "Winter", "Garden", "Ferry", "Balloon", "Lighthouse")
_ROLES = ("Puppets", "Places", "Light", "Camera", "Motion")
_LATER = ("MEANWHILE", "TEN YEARS LATER", "THE NEXT MORNING", "FAR FROM HOME", "CHAPTER TWO")


def draw_script(
    film_id: str, seed: int, *, domain: Domain, style: str, fps: int, seconds: tuple[float, float], aspect: float
) -> Script:
    """Draw a film of about `seconds` (at least, at most) from its seed; `aspect` is the video's width / height."""
    rng = np.random.default_rng(seed)
    bars = _bars(rng, aspect)
    inner = aspect * (1 - 2 * bars[0]) / (1 - 2 * bars[1])
    writer = _Writer(rng, film_id=film_id, domain=domain, style=style, fps=fps, aspect=inner)
    shots = writer.write(target=round(float(rng.uniform(*seconds)) * fps))
    return Script(
        id=film_id, title=writer.title, domain=domain, style=style, seed=seed, fps=fps, bars=bars,
        cast=writer.cast, shots=shots, fade_out=writer.frames(0.5, 1.0),
    )  # fmt: skip


def _bars(rng: np.random.Generator, aspect: float) -> tuple[float, float]:
    """Half of the films fill the picture; the others have bars above and below or at the sides."""
    kind = rng.random()
    if kind < 0.25:
        return 0.0, (1 - aspect / 2.35) / 2
    return ((1 - 4 / 3 / aspect) / 2, 0.0) if kind < 0.45 else (0.0, 0.0)


class _Writer:
    """Writes shots; every kind comes from a shuffled deck, so that every kind appears regularly."""

    def __init__(
        self, rng: np.random.Generator, *, film_id: str, domain: Domain, style: str, fps: int, aspect: float
    ) -> None:
        self._rng, self._fps, self.aspect, self._domain = rng, fps, aspect, domain
        self.title = f"The {_pick(rng, _THINGS)} of {_pick(rng, _STARTS)}{_pick(rng, _ENDS)}"
        self._ink = int(rng.integers(len(INKS)))
        first = self._seed()
        seeds = [first, *(self._seed() for _ in range(int(rng.integers(2, 5))))]
        doubles = [None] * (len(seeds) - 1) + [first]
        self.cast = tuple(
            Character(id=f"{film_id}-p{i}", style=style, look_seed=s, double_of=d)
            for i, (s, d) in enumerate(zip(seeds, doubles, strict=True))
        )
        self._decks: dict[str, list[int]] = {}
        self._home = self._place()

    def write(self, *, target: int) -> tuple[Shot, ...]:
        """Write a title, scenes until the length is reached, and credits."""
        shots = [self._card("title", self.title.upper(), "A PUPPET FILM")]
        shots[0] = replace(shots[0], transition=("none", "fade_black")[int(self._rng.integers(2))])
        closing = self._credits()
        total = shots[0].frames + closing.frames
        while total < target:
            self._home = self._place()
            scene = self._scene()
            scene[0] = replace(scene[0], transition=self._deal("between", BETWEEN_SCENES))
            shots += scene
            total += sum(shot.frames for shot in scene) + LONGEST
        while total > target and len(shots) > 3:
            total -= shots.pop().frames
        shots.append(replace(closing, transition=self._deal("between", BETWEEN_SCENES)))
        return tuple(self._joined(shots))

    def _joined(self, shots: list[Shot]) -> list[Shot]:
        """Assign frames to every transition, and extend every shot by the frames of its transitions."""
        spans = [self._span(shot.transition) for shot in shots]
        joined = list[Shot]()
        for i, shot in enumerate(shots):
            after = spans[i + 1] if i + 1 < len(spans) else 0
            extra = spans[i] + after
            flashes, lightning = (tuple(t + spans[i] for t in times) for times in (shot.flashes, shot.lightning))
            joined.append(
                replace(
                    shot, frames=shot.frames + extra, overlap=spans[i], flashes=flashes, lightning=lightning,
                    relation=shot.relation or self._returning(shots, i),
                )
            )  # fmt: skip
        return joined

    @staticmethod
    def _returning(shots: Sequence[Shot], index: int) -> str:
        """Whether a character returns who was not in the shot before."""
        before = [{part.character for part in shot.parts} for shot in shots[:index]]
        back = {part.character for part in shots[index].parts} & set[int]().union(*before)
        return "returns" if before and back - before[-1] else ""

    def _span(self, transition: Transition) -> int:
        return int(self._rng.integers(8, LONGEST + 1)) if transition not in ("none", "cut") else 0

    def _scene(self) -> list[Shot]:
        """Write a scene: two or three of the cast in one place, sometimes after a shot of the landscape."""
        rng = self._rng
        present = [int(i) for i in rng.permutation(len(self.cast))[:3]]
        shots: list[Shot] = []
        if rng.random() < 0.5:
            shots.append(self._faceless())
        for i in range(int(rng.integers(2, 4))):
            kind = self._deal("faces", (*_FACES, "close_up", "close_up"))
            who = present[i % len(present) :] + present[: i % len(present)]
            shot = _FACES[kind](self, who)
            shots.append(replace(shot, kind=kind, step=self._step()))
            if kind == "close_up":
                shots[-1:] = self._twice(shots[-1])
            elif i and rng.random() < 0.1:
                shots[-1] = replace(shots[-1], transition="dissolve")
        return shots

    def _twice(self, shot: Shot) -> tuple[Shot, ...]:
        """Follow some close-ups by a similar shot: a jump cut, or a lookalike in the same view."""
        part = shot.parts[0]
        relation = self._deal("after", ("lookalike", "jump_cut", ""))
        if not relation:
            return (shot,)
        again = replace(shot, relation=relation, frames=self.frames(1.0, 2.2))
        if relation == "jump_cut":
            x, y, zoom = shot.camera.start
            view = (x + 0.02 / zoom, y + 0.015, zoom * 1.06)
            moved = replace(part, motion_seed=self._seed())
            return shot, replace(again, parts=(moved,), camera=Camera(start=view, end=view))
        last = len(self.cast) - 1
        one, other = (last, 0) if part.character == last else (0, last)
        double = replace(part, character=other, motion_seed=self._seed())
        return replace(shot, parts=(replace(part, character=one),)), replace(again, parts=(double,))

    def _faceless(self) -> Shot:
        kind = self._deal("faceless", ("landscape", "clouds", "pattern", "card", "landscape", "lightning"))
        if kind == "card":
            return self._card("card", _LATER[int(self._rng.integers(len(_LATER)))])
        if kind == "pattern":
            place = Place(kind="pattern", seed=self._seed(), world=self.aspect)
            return Shot(kind=kind, frames=self.frames(1.0, 2.0), place=place, camera=self._view(place, 1.0))
        if kind == "lightning":
            place = Place(kind="night", seed=self._seed(), world=self.aspect * 1.3)
            frames = self.frames(1.2, 2.2)
            at = int(self._rng.integers(5, frames - 10))
            return Shot(kind=kind, frames=frames, place=place, camera=self._view(place, 1.0),
                        lightning=(at, at + 1, at + 4, at + 5, at + 6))  # fmt: skip
        place = replace(self._home, kind="hills" if kind == "clouds" else self._home.kind, seed=self._seed())
        camera = self._view(place, 1.06)
        if kind == "landscape":
            x, y, zoom = camera.start
            camera = replace(camera, start=(0.5 * self.aspect / zoom, y, zoom), end=(x, y, zoom))
        if kind == "clouds":
            place = replace(place, clouds=True)
        return Shot(kind=kind, frames=self.frames(1.4, 3.0), place=place, camera=camera)

    def _card(self, kind: str, *lines: str) -> Shot:
        place = Place(kind="card", seed=self._ink, world=self.aspect, text=lines)
        return Shot(kind=kind, frames=self.frames(1.2, 2.0), place=place, camera=self._view(place, 1.0))

    def _credits(self) -> Shot:
        names = [f"{self._name()} {self._name()}" for _ in range(5)]
        rows = tuple(f"{role}\t{name}" for role, name in zip(_ROLES, names, strict=True))
        place = Place(kind="credits", seed=self._ink, world=self.aspect, text=rows)
        return Shot(kind="credits", frames=self.frames(1.8, 2.8), place=place, camera=self._view(place, 1.0))

    def close_up(self, who: Sequence[int]) -> Shot:
        """One face, large."""
        return self._one(who[0], side=self._draw(1.2, 1.55), view="tight")

    def flash(self, who: Sequence[int]) -> Shot:
        """A face, and one to three white frames."""
        shot = self._one(who[0], side=self._draw(1.05, 1.3), view="tight")
        at = int(self._rng.integers(6, shot.frames - 8))
        return replace(shot, flashes=tuple(range(at, at + int(self._rng.integers(1, 4)))))

    def freeze(self, who: Sequence[int]) -> Shot:
        """A face that stops moving."""
        shot = self._one(who[0], side=self._draw(1.05, 1.3), view="half")
        return replace(shot, freeze=round(shot.frames * self._draw(0.4, 0.6)))

    def zoom(self, who: Sequence[int]) -> Shot:
        """The camera zooms in or out."""
        shot = self._one(who[0], side=self._draw(0.95, 1.1), view="half")
        x, y, zoom = shot.camera.start
        part = shot.parts[0]
        near = (x + 0.5 * (part.x[0] - x), y - 0.06 / zoom, zoom * self._draw(1.35, 1.7))
        ends = (shot.camera.start, near) if self._rng.random() < 0.7 else (near, shot.camera.start)
        return replace(shot, camera=Camera(start=ends[0], end=ends[1], during=(0.1, 0.9)))

    def pan(self, who: Sequence[int]) -> Shot:
        """The camera swings slowly from one character to another."""
        return self._swing(who, during=(0.15, 0.85), whip=False)

    def whip(self, who: Sequence[int]) -> Shot:
        """The camera jerks from one character to another in a few blurred frames; not a cut."""
        return self._swing(who, during=(0.46, 0.54), whip=True)

    def two(self, who: Sequence[int]) -> Shot:
        """Two characters side by side."""
        return self._group(who[:2], side=self._draw(0.85, 1.0))

    def three(self, who: Sequence[int]) -> Shot:
        """Three characters side by side."""
        return self._group(who[:3], side=self._draw(0.66, 0.76))

    def far(self, who: Sequence[int]) -> Shot:
        """Two or three characters with faces below 100 pixels in 720."""
        return self._group(who[: int(self._rng.integers(2, 4))], side=self._draw(0.28, 0.46))

    def walk(self, who: Sequence[int]) -> Shot:
        """A character crosses the picture."""
        shot = self._one(who[0], side=self._draw(0.8, 1.0), view="half")
        edge = 0.5 * self.aspect + 0.32
        x, way = shot.camera.start[0], 1 if self._rng.random() < 0.5 else -1
        return self._moved(shot, (x - way * edge, x + way * edge), seconds=(2.2, 3.4))

    def leaving(self, who: Sequence[int]) -> Shot:
        """A face leaves the picture partly or completely."""
        shot = self._one(who[0], side=self._draw(0.95, 1.15), view="half")
        way = 1 if self._rng.random() < 0.5 else -1
        x = shot.camera.start[0]
        return self._moved(
            shot, (x + 0.2 * way, x + way * (0.5 * self.aspect + self._draw(-0.1, 0.25))), seconds=(1.6, 2.6)
        )

    def still(self, who: Sequence[int]) -> Shot:
        """A picture of a character on the wall, with the camera coming nearer: a face that never moves."""
        place = replace(self._home, kind="room", seed=self._seed())
        camera = self._view(place, 1.1)
        x, y, zoom = camera.start
        part = Part(character=who[0], motion_seed=self._seed(), view="tight", side=0.5, x=(x, x), foot=0.72, still=True,
                    framed=True)  # fmt: skip
        camera = replace(camera, end=(x + 0.02, y - 0.03, zoom * 1.2))
        return Shot(kind="still", frames=self.frames(1.5, 2.5), place=place, camera=camera, parts=(part,))

    def _one(self, character: int, *, side: float, view: View) -> Shot:
        """One character slightly beside the middle."""
        camera = self._view(self._home, self._draw(1.05, 1.3))
        x, _, zoom = camera.start
        off = (1 if self._rng.random() < 0.5 else -1) * self._draw(0.06, 0.16) * self.aspect
        part = self._stand(camera, character, side=side, view=view, x=x + off / zoom)
        return Shot(kind="", frames=self.frames(1.4, 3.2), place=self._home, camera=camera, parts=(part,))

    def _group(self, who: Sequence[int], *, side: float) -> Shot:
        camera = self._view(self._home, self._draw(1.0, 1.12))
        x, _, zoom = camera.start
        gap = min(self.aspect / (len(who) + 0.35), 1.5 * side)
        parts = list[Part]()
        for i, character in enumerate(who):
            off = (i - (len(who) - 1) / 2) * gap + self._draw(-0.04, 0.04) * gap
            size = side * self._draw(0.93, 1.06)
            parts.append(self._stand(camera, character, side=size, view="half", x=x + off / zoom))
        return Shot(kind="", frames=self.frames(1.6, 3.2), place=self._home, camera=camera, parts=tuple(parts))

    def _swing(self, who: Sequence[int], *, during: tuple[float, float], whip: bool) -> Shot:
        zoom = 1.08
        near, far = 0.5 * self.aspect / zoom, self._home.world - 0.5 * self.aspect / zoom
        ends = (near, far) if self._rng.random() < 0.5 else (far, near)
        start, end = ((x, 0.5, zoom) for x in ends)
        side = self._draw(0.95, 1.1)
        parts = tuple(
            self._stand(Camera(start=at, end=at), character, side=side, view="half", x=at[0])
            for at, character in ((start, who[0]), (end, who[1]))
        )
        camera = Camera(start=start, end=end, during=during, whip=whip)
        return Shot(kind="", frames=self.frames(2.6, 3.6), place=self._home, camera=camera, parts=parts)

    def _stand(self, camera: Camera, character: int, *, side: float, view: View, x: float) -> Part:
        """Place a character with its eyes a little above the middle of the picture, or below the middle if it is far away."""
        _, y, zoom = camera.start
        eyes = self._draw(0.5, 0.56) if side < 0.5 else self._draw(0.38, 0.43)
        foot = y + (eyes - 0.5 + (1 - EYES[view]) * side) / zoom
        return Part(character=character, motion_seed=self._seed(), view=view, side=side / zoom, x=(x, x), foot=foot)

    def _moved(self, shot: Shot, x: tuple[float, float], *, seconds: tuple[float, float]) -> Shot:
        part = replace(shot.parts[0], x=x, walking=True)
        return replace(shot, parts=(part,), frames=self.frames(*seconds))

    def _view(self, place: Place, zoom: float) -> Camera:
        """Look at a random part of a place."""
        half = 0.5 * self.aspect / zoom
        x = self._draw(half, max(half, place.world - half))
        at = (x, 0.5, zoom)
        return Camera(start=at, end=at)

    def _place(self) -> Place:
        return Place(kind=self._deal("places", tuple(PLACES)), seed=self._seed(), world=self.aspect * 1.9)

    def _step(self) -> int:
        """Cartoons are often drawn on twos or threes."""
        return int(self._rng.choice([1, 2, 3], p=[0.45, 0.4, 0.15])) if self._domain == "cartoon" else 1

    def _deal(self, deck: str, cards: Sequence[Card]) -> Card:
        """The next card of a shuffled deck, which is shuffled again when it is empty."""
        left = self._decks.setdefault(deck, [])
        if not left:
            left.extend(int(i) for i in self._rng.permutation(len(cards)))
        return cards[left.pop()]

    def frames(self, low: float, high: float) -> int:
        """Draw a length in frames, from seconds."""
        return round(self._draw(low, high) * self._fps)

    def _draw(self, low: float, high: float) -> float:
        return float(self._rng.uniform(low, high))

    def _seed(self) -> int:
        return int(self._rng.integers(2**62))

    def _name(self) -> str:
        return _pick(self._rng, _STARTS) + _pick(self._rng, _ENDS)


def _pick(rng: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]


_FACES: dict[str, Callable[[_Writer, Sequence[int]], Shot]] = {
    "close_up": _Writer.close_up, "two": _Writer.two, "three": _Writer.three, "walk": _Writer.walk,
    "far": _Writer.far, "leaving": _Writer.leaving, "still": _Writer.still, "pan": _Writer.pan, "zoom": _Writer.zoom,
    "whip": _Writer.whip, "flash": _Writer.flash, "freeze": _Writer.freeze,
}  # fmt: skip
KINDS: tuple[str, ...] = (*_FACES, "landscape", "clouds", "pattern", "lightning", "card", "title", "credits")
"""Every kind of shot; those after `freeze` show no face."""
