"""How a face is framed in a training picture: size, place, turn, mirror and warp, with its landmarks and curves kept right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from toonbench.landmarks.damage import Random, bend_field, pixel_centres, sample_at
from toonbench.networks.landmarks import SIZE, mirror_landmarks
from toonbench.networks.motion_reader import CURVES

SMALLEST, LARGEST = (
    0.36,
    0.92,
)  # longer side of the 68 landmarks' box over the picture's: crops of 2.2 to 1.0 times the face
SIDED = torch.tensor([-1.0 if name in ("yaw", "roll", "gaze_x") else 1.0 for name in CURVES])
ROLL = CURVES.index("roll")
UPRIGHT, OVER = 40.0, 75.0  # degrees: as far as faces are turned that are read, and from where they are not
_ROUNDS = 8  # of the fixed point that finds where a landmark comes to lie


@dataclass(frozen=True, slots=True, kw_only=True)
class Faces:
    """Pictures of faces, uint8, and what is known about them."""

    frames: Tensor  # (n, side, side, 3)
    landmarks: Tensor  # (n, 70, 2) pixels of them
    visible: Tensor  # (n, 70)
    curves: Tensor  # (n, 7)
    inside: Tensor  # (n, 4) left, top, right, bottom of the part that shows a picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Framed:
    """Faces in pictures of 128 pixels."""

    pictures: Tensor  # (n, 3, 128, 128) in [0, 1]
    landmarks: Tensor  # (n, 70, 2)
    visible: Tensor  # (n, 70)
    curves: Tensor  # (n, 7)
    mirrored: Tensor  # (n,)
    inside: Tensor  # (n, 1, 128, 128) 1 where the picture shows the original, 0 beside it
    turned: Tensor  # (n,) degrees


def frame_faces(faces: Faces, random: Random, *, warped: bool) -> Framed:
    """Put each face into a picture of its own: any size and place, turned, half of them mirrored; `warped` enlarges eyes and bends."""
    n = len(faces.frames)
    low, high = faces.landmarks[:, :68].amin(1), faces.landmarks[:, :68].amax(1)
    long = (high - low).amax(1)
    share = torch.from_numpy(np.exp(random.uniform(np.log(SMALLEST), np.log(LARGEST), n))).float()
    zoom = share * SIZE / long
    turned = _turns(n, random)
    room = (1 - share[:, None]) * SIZE / 2 * 0.8 + 4
    place = SIZE / 2 + room * torch.from_numpy(random.uniform(-1, 1, (n, 2))).float()
    angle = torch.deg2rad(turned)
    cos, sin = torch.cos(angle), torch.sin(angle)
    turn = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    middle = ((low + high) / 2)[:, None]
    straight = (faces.landmarks - middle) @ turn.transpose(1, 2) * zoom[:, None, None] + place[:, None]
    field = _field(straight, long * zoom, random, warped=warped)
    out = pixel_centres(SIZE) + field - place[:, None, None]
    back = (out.flatten(1, 2) @ turn / zoom[:, None, None] + middle).view(n, SIZE, SIZE, 2)
    framed = Framed(
        pictures=_sampled(faces.frames, back, zoom),
        landmarks=_settled(straight, field),
        visible=faces.visible,
        curves=faces.curves + functional.one_hot(torch.tensor(ROLL), len(CURVES)) * turned[:, None],
        mirrored=torch.from_numpy(random.random(n) < 0.5),
        inside=_within(back, faces.inside)[:, None],
        turned=turned,
    )
    return _mirror(framed)


def _turns(n: int, random: Random) -> Tensor:
    """Degrees: most faces are nearly upright, some lean, and a few lie on their side or hang."""
    drawn = np.where(random.random(n) < 0.7, random.normal(0, 10, n), random.uniform(-UPRIGHT, UPRIGHT, n))
    drawn = np.clip(drawn, -UPRIGHT, UPRIGHT)
    over = random.uniform(OVER, 360 - OVER, n)
    return torch.from_numpy(np.where(random.random(n) < 0.03, over, drawn)).float()


def _field(landmarks: Tensor, long: Tensor, random: Random, *, warped: bool) -> Tensor:
    """(n, 128, 128, 2) where each pixel looks, relative to itself."""
    n = len(landmarks)
    strength = float(random.uniform(0, 3.0)) if random.random() < 0.5 else 0.0
    field = bend_field(n, strength, random, cells=int(random.integers(4, 8)))
    if not warped:
        return field
    grid = pixel_centres(SIZE)
    grow = torch.from_numpy(np.where(random.random(n) < 0.4, random.uniform(0.1, 0.5, n), 0)).float()
    for eye in (range(36, 42), range(42, 48)):
        away = grid - landmarks[:, list(eye)].mean(1)[:, None, None]
        reach = (0.17 * long).view(-1, 1, 1, 1)
        near = torch.exp(-away.square().sum(3, keepdim=True) / (2 * reach**2))
        field = field - grow.view(-1, 1, 1, 1) * away * near
    return field


def _settled(landmarks: Tensor, field: Tensor) -> Tensor:
    """Where landmarks come to lie in a picture whose pixels look elsewhere by `field`: the fixed point of where they look."""
    flow, found = field.permute(0, 3, 1, 2), landmarks
    for _ in range(_ROUNDS):
        found = landmarks - sample_at(flow, found[:, :, None]).squeeze(3).transpose(1, 2)
    return found


def _sampled(frames: Tensor, places: Tensor, zoom: Tensor) -> Tensor:
    """Read frames (n, side, side, 3) at places; a frame that becomes much smaller is halved before."""
    x = frames.permute(0, 3, 1, 2).float() / 255
    small = functional.avg_pool2d(x, 2)
    fine, coarse = sample_at(x, places), sample_at(small, places / 2)
    return torch.where((zoom < 0.7).view(-1, 1, 1, 1), coarse, fine)


def _within(places: Tensor, inside: Tensor) -> Tensor:
    low, high = inside[:, None, None, :2], inside[:, None, None, 2:]
    return ((places >= low) & (places <= high)).all(3).float()


def _mirror(framed: Framed) -> Framed:
    at, order = framed.mirrored, mirror_landmarks()
    other = framed.landmarks[:, order].clone()
    other[..., 0] = SIZE - other[..., 0]
    picture, rows = at[:, None, None, None], at[:, None]
    return Framed(
        pictures=torch.where(picture, framed.pictures.flip(3), framed.pictures),
        landmarks=torch.where(at[:, None, None], other, framed.landmarks),
        visible=torch.where(rows, framed.visible[:, order], framed.visible),
        curves=torch.where(rows, framed.curves * SIDED, framed.curves),
        mirrored=at,
        inside=torch.where(picture, framed.inside.flip(3), framed.inside),
        turned=framed.turned,
    )
