"""Draw a shot of a film: the place, the characters, the camera's move, and the exact position of each face."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

from toonbench.puppets.catalogue import make_look
from toonbench.puppets.draw.render import Rendered, render_clip
from toonbench.puppets.films.script import Camera, Character, Part, Place, Script, Shot, View
from toonbench.puppets.films.sets import draw_card, draw_clouds, draw_credits, draw_pattern, draw_set
from toonbench.puppets.look import Look
from toonbench.puppets.rig import FPS, Rig, first_pose, generate
from toonbench.types import Domain, Frame

Box = tuple[float, float, float, float]  # left, top, right, bottom
CHUNK = 32  # frames of a character drawn at a time
SHARPEST = (
    0.8  # largest size in which characters are drawn, as a part of the picture's height; they are enlarged beyond it
)
BARE = 0.05  # part of a picture's side
LIGHT: dict[str, tuple[float, float, float]] = {
    "night": (0.7, 0.76, 0.95), "forest": (0.9, 0.97, 0.86), "street": (0.95, 0.93, 0.92), "sea": (1.0, 0.98, 0.95),
}  # fmt: skip
HALF = [0] * 128 + [255] * 128  # a table for `Image.point`: pixels that are more than half covered
FRAME_TONE, CARD_TONE = (72, 50, 34), (232, 224, 206)


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """The position of a face in a frame, in pixels that may be outside the frame, and its visible share, 0 to 1."""

    box: Box  # of the 68 landmarks
    head: Box  # of the head with its hair, down to the chin
    landmarks: NDArray[np.float32]  # (70, 2)
    landmarks_visible: NDArray[np.bool_]  # (70,)
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A frame of a shot, (height, width, 3) RGB, and the face of each part, None if the whole part is outside."""

    frame: Frame
    faces: tuple[Face | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sprite:
    """A cut-out character: colours times coverage, coverage, and its landmarks, in its own square."""

    colour: Image.Image
    cover: Image.Image
    figure: Image.Image  # the character's own coverage, if `cover` is that of a framed picture
    landmarks: NDArray[np.float32]
    visible: NDArray[np.bool_]

    def scaled(self, size: int) -> _Sprite:
        """The sprite as a square of `size` pixels."""
        if size == self.colour.width:
            return self
        factor = size / self.colour.width
        colour, cover = (im.resize((size, size), Image.Resampling.BILINEAR) for im in (self.colour, self.cover))
        own = self.figure is self.cover
        figure = cover if own else self.figure.resize((size, size), Image.Resampling.BILINEAR)
        return replace(self, colour=colour, cover=cover, figure=figure, landmarks=self.landmarks * np.float32(factor))


class _Placed(NamedTuple):
    """A sprite in its displayed size, and its left and top pixel."""

    sprite: _Sprite
    left: int
    top: int


def shoot(script: Script, shot: Shot, *, width: int, height: int) -> Iterator[Shown]:
    """Draw the frames of a shot one by one, without transitions and bars; `width` and `height` are those inside the bars."""
    drawings = drawing_times(shot)
    stage = _Stage(shot, domain=script.domain, width=width, height=height, fps=script.fps)
    streams = [
        _sprites(
            script.cast[part.character],
            part,
            stage.times_in_view(part, drawings),
            size=stage.largest(part),
            fps=script.fps,
        )
        for part in shot.parts
    ]
    last, shown = -1, None
    for t, drawing in enumerate(drawings):
        if drawing != last or shown is None:
            last, shown = drawing, stage.compose(drawing, streams)
        yield _lit(shown, shot, t)


def drawing_times(shot: Shot) -> list[int]:
    """The index of the drawing that each frame shows: its own, or an earlier one that is held."""
    stop = shot.frames if shot.freeze is None else shot.freeze
    return [min(t, stop) - min(t, stop) % shot.step for t in range(shot.frames)]


def _lit(shown: Shown, shot: Shot, t: int) -> Shown:
    """A frame under a flash, in which no face is visible, or under lightning."""
    if t in shot.flashes:
        return Shown(frame=np.full_like(shown.frame, 255), faces=(None,) * len(shown.faces))
    if t in shot.lightning:
        bright = np.clip(shown.frame.astype(np.float32) * 1.5 + 105, 0, 255)
        return replace(shown, frame=bright.astype(np.uint8))
    return shown


def cast_look(character: Character, view: View) -> Look:
    """Return a character's look, in a view slightly wider than that of a clip (`tight`) or down to the chest (`half`).

    A lookalike has the colours, the hair and the clothes of another character, and its own face.
    """
    look = make_look(character.style, character.look_seed)
    if character.double_of is not None:
        other = make_look(character.style, character.double_of)
        look = replace(look, palette=other.palette, hair=other.hair, worn=other.worn, clothes=other.clothes)
    scene, shading = look.scene, replace(look.shading, blur=0.0, grain=0.0)
    above, bottom = (0.3, -2.0) if view == "tight" else (0.45, -3.0)
    top = scene.centre_y + scene.view_height / 2 + above
    return replace(look, shading=shading, scene=replace(scene, view_height=top - bottom, centre_y=(top + bottom) / 2))


def _sprites(character: Character, part: Part, drawings: Sequence[int], *, size: int, fps: int) -> Iterator[_Sprite]:
    """Draw a character at the given times, in chunks."""
    if not drawings:
        return
    look = cast_look(character, part.view)
    if part.still:
        [sprite] = _cut_out(look, first_pose(part.motion_seed)[None], size=size, framed=part.framed)
        yield from (sprite for _ in drawings)
        return
    motion = _motion_at(part.motion_seed, np.asarray(drawings) / fps)
    for at in range(0, len(drawings), CHUNK):
        yield from _cut_out(look, motion[at : at + CHUNK], size=size, framed=part.framed)


def _motion_at(seed: int, times: NDArray[np.float64]) -> Rig:
    """Resample a motion of 30 poses a second at other times in seconds."""
    at = times * FPS
    poses = generate(seed, frames=int(at[-1]) + 2)
    before = at.astype(int)
    share = (at - before).astype(np.float32)[:, None]
    return (poses[before] * (1 - share) + poses[before + 1] * share).astype(np.float32)


def _cut_out(look: Look, motion: Rig, *, size: int, framed: bool) -> list[_Sprite]:
    """Draw poses without their backdrop, or with it for a framed picture."""
    if framed:
        drawn = render_clip(look, motion, size=size)
        frames = drawn.frames
    else:
        drawn = _on_black(look, motion, size=size)
        frames = np.minimum(drawn.frames, drawn.mask[..., None])
    sprites = list[_Sprite]()
    for frame, mask, landmarks, visible in zip(frames, drawn.mask, drawn.landmarks, drawn.visible, strict=True):
        figure = Image.fromarray(mask)
        cover = Image.new("L", (size, size), 255) if framed else figure
        sprites.append(
            _Sprite(colour=Image.fromarray(frame), cover=cover, figure=figure, landmarks=landmarks, visible=visible)
        )
    return sprites


def _on_black(look: Look, motion: Rig, *, size: int) -> Rendered:
    """Draw poses on black, wider than needed and then cropped, because some media leave the edges of a picture empty."""
    border = round(BARE * size)
    wide = size + 2 * border
    scene = replace(look.scene, background=((0.0, 0.0, 0.0),) * 3, backdrop="plain",
                    view_height=look.scene.view_height * wide / size)  # fmt: skip
    drawn = render_clip(replace(look, scene=scene), motion, size=wide)
    inside = slice(border, border + size)
    return Rendered(
        frames=drawn.frames[:, inside, inside], mask=drawn.mask[:, inside, inside],
        landmarks=drawn.landmarks - np.float32(border), visible=drawn.visible,
    )  # fmt: skip


class _Stage:
    """A shot's place and camera, on which frames are composed."""

    def __init__(self, shot: Shot, *, domain: Domain, width: int, height: int, fps: int) -> None:
        self._shot, self._width, self._height, self._fps = shot, width, height, fps
        self._ground = _ground(shot.place, width=width, height=height, domain=domain)
        self._light = _light_table(shot.place.kind)
        self._empty: tuple[tuple[float, float, float], Image.Image] | None = None

    def largest(self, part: Part) -> int:
        """The size in pixels in which a part is drawn: its largest displayed size, up to a limit."""
        zoom = max(self._shot.camera.start[2], self._shot.camera.end[2])
        return max(16, round(min(part.side * zoom, SHARPEST) * self._height))

    def times_in_view(self, part: Part, times: Sequence[int]) -> list[int]:
        """The distinct times, ascending, at which a part is at least partly inside the picture."""
        return [t for t in sorted(set(times)) if self._in_view(self._spot(part, t))]

    def compose(self, t: int, streams: Sequence[Iterator[_Sprite]]) -> Shown:
        """Draw the frame of time `t`, taking a sprite from the stream of every part that is in view."""
        camera = self._shot.camera
        canvas = self._background(t)
        placed = list[_Placed | None]()
        for part, stream in zip(self._shot.parts, streams, strict=True):
            spot = self._spot(part, t)
            put = _Placed(next(stream).scaled(spot[2]), spot[0], spot[1]) if self._in_view(spot) else None
            if put:
                self._paint(canvas, part, put)
            placed.append(put)
        faces = tuple(self._face(put, placed[i + 1 :]) if put else None for i, put in enumerate(placed))
        speed = self._speed(t) if camera.whip else 0.0
        if speed > 2:
            canvas = canvas.filter(ImageFilter.BoxBlur((0.3 * speed, 0)))
        return Shown(frame=np.asarray(canvas), faces=faces)

    def _share(self, t: int) -> float:
        """The share of the shot that has passed."""
        return t / max(1, self._shot.frames - 1)

    def _speed(self, t: int) -> float:
        """How many pixels the camera moves sideways in a frame."""
        camera: Camera = self._shot.camera
        moved = camera.at(self._share(t + 1))[0] - camera.at(self._share(t - 1))[0]
        return abs(moved) / 2 * camera.start[2] * self._height

    def _background(self, t: int) -> Image.Image:
        place, width, height = self._shot.place, self._width, self._height
        if place.kind == "pattern":
            return Image.fromarray(draw_pattern(place.seed, t / self._fps, width=width, height=height))
        if place.kind == "credits":
            top = round((self._ground.height - height) * self._share(t))
            return self._ground.crop((0, top, width, top + height))
        view = self._shot.camera.at(self._share(t))
        if self._empty is None or self._empty[0] != view:
            self._empty = (view, _window(self._ground, view, width=width, height=height))
        canvas = self._empty[1].copy()
        if place.clouds:
            clouds = _clouds(place.seed, width=2 * width, height=height)
            canvas.paste((250, 250, 252), (0, 0), clouds.crop((t, 0, t + width, height)))
        return canvas

    def _spot(self, part: Part, t: int) -> tuple[int, int, int]:
        """The displayed square of a part: its left and top pixel and its side."""
        x, y, zoom = self._shot.camera.at(self._share(t))
        at = part.x[0] + (part.x[1] - part.x[0]) * self._share(t)
        bob = 0.012 * part.side * abs(np.sin(2 * np.pi * 0.95 * t / self._fps)) if part.walking else 0.0
        scale = zoom * self._height
        size = max(8, round(part.side * scale))
        left = round((at - x) * scale + self._width / 2 - size / 2)
        bottom = round((part.foot - bob - y) * scale + self._height / 2)
        return left, bottom - size, size

    def _in_view(self, spot: tuple[int, int, int]) -> bool:
        left, _, size = spot
        return -size < left < self._width

    def _paint(self, canvas: Image.Image, part: Part, put: _Placed) -> None:
        sprite, left, top = put
        size = sprite.colour.width
        if part.framed:
            for edge, tone in ((0.11, FRAME_TONE), (0.07, CARD_TONE)):
                out = round(edge * size)
                canvas.paste(tone, (left - out, top - out, left + size + out, top + size + out))
        colour = sprite.colour.point(self._light) if self._light else sprite.colour
        _over(canvas, colour, sprite.cover, left=left, top=top)
        below = self._height - (top + size)
        if below > 0 and not part.framed:  # the clothes continue downwards
            row = (0, size - 1, size, size)
            colour, cover = (image.crop(row).resize((size, below)) for image in (colour, sprite.cover))
            _over(canvas, colour, cover, left=left, top=top + size)

    def _face(self, put: _Placed, front: Sequence[_Placed | None]) -> Face:
        """The face of a placed character that others may occlude."""
        sprite, left, top = put
        points = sprite.landmarks + np.array([left, top], dtype=np.float32)
        low, high = points[:68].min(0), points[:68].max(0)
        box: Box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
        chin = int(np.clip(np.ceil(high[1] - top), 1, sprite.figure.height))
        edges = sprite.figure.crop((0, 0, sprite.figure.width, chin)).point(HALF).getbbox()
        head = (edges[0] + left, edges[1] + top, edges[2] + left, max(edges[3] + top, box[3])) if edges else box
        return Face(
            box=box, head=cast(Box, tuple(map(float, head))), landmarks=points,
            landmarks_visible=sprite.visible & self._inside(points), share=self._visible_share(put, front, box),
        )  # fmt: skip

    def _inside(self, points: NDArray[np.float32]) -> NDArray[np.bool_]:
        x, y = points.T
        return (x >= 0) & (x < self._width) & (y >= 0) & (y < self._height)

    def _visible_share(self, put: _Placed, front: Sequence[_Placed | None], box: Box) -> float:
        """The share of the character's pixels in its face's box that is inside the picture and not occluded by others."""
        left, top, right, bottom = (round(edge) for edge in box)
        cells = (left, top, max(right, left + 1), max(bottom, top + 1))
        own = _crop(put, cells)
        rows, columns = np.arange(top, cells[3]), np.arange(left, cells[2])
        shown = own * ((rows >= 0) & (rows < self._height))[:, None] * ((columns >= 0) & (columns < self._width))
        for other in front:
            if other:
                shown = shown * (1 - _crop(other, cells))
        return float(shown.sum() / own.sum()) if own.any() else 0.0


def _crop(put: _Placed, cells: tuple[int, int, int, int]) -> NDArray[np.float64]:
    """The coverage of a box of the picture by a placed sprite, 0 to 1."""
    sprite, left, top = put
    cut = sprite.cover.crop((cells[0] - left, cells[1] - top, cells[2] - left, cells[3] - top))
    return np.asarray(cut, dtype=np.float64) / 255


def _over(canvas: Image.Image, colour: Image.Image, cover: Image.Image, *, left: int, top: int) -> None:
    """Lay colours that are already multiplied with their coverage over a part of a picture."""
    clear = ImageChops.invert(cover)
    under = canvas.crop((left, top, left + colour.width, top + colour.height))
    canvas.paste(
        ImageChops.add(ImageChops.multiply(under, Image.merge("RGB", (clear, clear, clear))), colour), (left, top)
    )


def _window(ground: Image.Image, view: tuple[float, float, float], *, width: int, height: int) -> Image.Image:
    """The camera's window of a place; a window that would leave the place is moved back into it."""
    x, y, zoom = view
    scale = float(ground.height)
    wide, high = width / height * scale / zoom, scale / zoom
    left = min(max(0.0, x * scale - wide / 2), max(0.0, ground.width - wide))
    top = min(max(0.0, y * scale - high / 2), max(0.0, ground.height - high))
    box = (left, top, min(left + wide, ground.width), min(top + high, ground.height))
    return ground.resize((width, height), Image.Resampling.BILINEAR, box=box)


def _light_table(kind: str) -> list[int] | None:
    """The tint of a place on its characters, as a table for `Image.point`."""
    if kind not in LIGHT:
        return None
    return [round(value * gain) for gain in LIGHT[kind] for value in range(256)]


def _ground(place: Place, *, width: int, height: int, domain: Domain) -> Image.Image:
    if place.kind == "card":
        return Image.fromarray(draw_card(place.text, place.seed, width=width, height=height))
    if place.kind == "credits":
        rows = [(role, name) for role, _, name in (line.partition("\t") for line in place.text)]
        return Image.fromarray(draw_credits(rows, place.seed, width=width, height=height))
    if place.kind == "pattern":
        return Image.new("RGB", (width, height))
    return _drawn_set(place.kind, place.seed, width=round(place.world * height), height=height, domain=domain)


@lru_cache(maxsize=3)
def _drawn_set(kind: str, seed: int, *, width: int, height: int, domain: Domain) -> Image.Image:
    return Image.fromarray(draw_set(kind, seed, width=width, height=height, domain=domain))


@lru_cache(maxsize=1)
def _clouds(seed: int, *, width: int, height: int) -> Image.Image:
    return Image.fromarray(draw_clouds(seed, width=width, height=height))
