"""Play a film: draw its shots in order, join them by their transitions, and add its bars."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from toonbench.puppets.films.script import OVERLAPS, Script, Shot
from toonbench.puppets.films.shots import Face, Shown, shoot
from toonbench.types import Frame

Faces = tuple[Face | None, ...]
Window = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """A frame of a film, (height, width, 3) RGB, and the faces of each shot visible in it, in pixels of that frame."""

    frame: Frame
    faces: dict[int, Faces]


def play(script: Script, *, width: int, height: int) -> Iterator[Take]:
    """Draw a film frame by frame, with transitions and bars, before encoding. Memory does not grow with its length."""
    left, top, right, bottom = picture_box(script, width=width, height=height)
    size = {"width": right - left, "height": bottom - top}
    streams = dict[int, Iterator[Shown]]()
    for t in range(script.frames):
        playing = [i for i, (start, shot) in enumerate(zip(script.starts, script.shots, strict=True))
                if start <= t < start + shot.frames]  # fmt: skip
        for i in playing:
            if i not in streams:
                streams = {k: s for k, s in streams.items() if k in playing}
                streams[i] = shoot(script, script.shots[i], **size)
        inner, faces = _mixed(script, t, {i: next(streams[i]) for i in playing})
        frame = np.zeros((height, width, 3), dtype=np.uint8)
        frame[top:bottom, left:right] = inner
        yield Take(
            frame=frame, faces={i: tuple(f and _moved(f, left, top) for f in found) for i, found in faces.items()}
        )


def picture_box(script: Script, *, width: int, height: int) -> Window:
    """The part of the frame inside the black bars, with even edges."""
    side, above = (2 * round(bar * length / 2) for bar, length in zip(script.bars, (width, height), strict=True))
    return side, above, width - side, height - above


def _mixed(script: Script, t: int, shown: dict[int, Shown]) -> tuple[Frame, dict[int, Faces]]:
    """Join the visible shots of a frame by their transition; the share of each face shrinks with its shot's part of the picture."""
    shots = sorted(shown)
    last = shown[shots[-1]].frame
    faces = {i: shown[i].faces for i in shots}
    if len(shots) == 1:
        level, colour = _fade_level(script, shots[0], t)
        if level == 1.0:
            return last, faces
        faded = np.rint(last * level + colour * (1 - level)).astype(np.uint8)
        return faded, {shots[0]: _dimmed(faces[shots[0]], level)}
    one, two = shots
    span = script.shots[two].overlap
    share = (t - script.starts[two] + 1) / (span + 1)
    first = shown[one].frame
    if script.shots[two].transition == "wipe":
        edge = round(share * last.shape[1])
        mixed = np.concatenate([last[:, :edge], first[:, edge:]], axis=1)
        hidden = {one: [1 - _left_of(face, edge) for face in faces[one]], two: [_left_of(f, edge) for f in faces[two]]}
        return mixed, {i: _dimmed(faces[i], *hidden[i]) for i in shots}
    mixed = np.rint(first * np.float32(1 - share) + last * np.float32(share)).astype(np.uint8)
    return mixed, {one: _dimmed(faces[one], 1 - share), two: _dimmed(faces[two], share)}


def _fade_level(script: Script, index: int, t: int) -> tuple[float, int]:
    """The visible share of a shot in a fade, 0 to 1, and the grey level (0 or 255) of the fade."""
    shot, at = script.shots[index], t - script.starts[index]
    spread_in = _fade_in(shot, first=index == 0)
    if at < spread_in:
        return at / spread_in, _fade_colour(shot)
    ending = index + 1 == len(script.shots)
    spread_out = script.fade_out if ending else _fade_before(script.shots[index + 1])
    left = shot.frames - at
    if left <= spread_out:
        return (left - 1) / spread_out, 0 if ending else _fade_colour(script.shots[index + 1])
    return 1.0, 0


def _fade_before(shot: Shot) -> int:
    """The number of frames in which the shot before this one fades out."""
    return shot.overlap // 2 if shot.transition in ("fade_black", "fade_white") else 0


def _fade_in(shot: Shot, *, first: bool) -> int:
    if shot.transition not in ("fade_black", "fade_white"):
        return 0
    return shot.overlap if first else shot.overlap - shot.overlap // 2


def _fade_colour(shot: Shot) -> int:
    return 255 if shot.transition == "fade_white" else 0


def _dimmed(faces: Faces, *shares: float) -> Faces:
    """Faces that are partly visible: the same share for all of them, or one share for each."""
    each = shares * len(faces) if len(shares) == 1 else shares
    return tuple(face and replace(face, share=face.share * share) for face, share in zip(faces, each, strict=True))


def _left_of(face: Face | None, edge: int) -> float:
    """The part of a face's box that lies left of a column."""
    if face is None:
        return 0.0
    left, _, right, _ = face.box
    return float(np.clip((edge - left) / max(right - left, 1e-6), 0, 1))


def _moved(face: Face, x: int, y: int) -> Face:
    """A face in the coordinates of the whole frame, bars included."""
    box, head = ((b[0] + x, b[1] + y, b[2] + x, b[3] + y) for b in (face.box, face.head))
    points = face.landmarks + np.array([x, y], dtype=np.float32)
    return replace(face, box=box, head=head, landmarks=points)


def boundaries(script: Script) -> list[int]:
    """The first frame of every shot. Each frame belongs to one shot; overlapping shots meet in the middle of the transition."""
    return [
        start + (shot.overlap // 2 if shot.transition in OVERLAPS else 0)
        for start, shot in zip(script.starts, script.shots, strict=True)
    ]
