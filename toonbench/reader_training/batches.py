"""One training batch of the motion reader: two frames of a face, each in two framings; a function of seed and step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from toonbench.landmarks.batches import HIDDEN
from toonbench.landmarks.damage import Random, damage, no_face
from toonbench.landmarks.data import Pictures
from toonbench.networks.landmarks import SIZE
from toonbench.networks.motion_reader import CURVES
from toonbench.reader_training.clips import Labelled
from toonbench.reader_training.framing import OVER, SIDED, Faces, Framed, frame_faces
from toonbench.reader_training.measure import curves_of_rig
from toonbench.reader_training.occluders import cover
from toonbench.reader_training.stylise import stylise
from toonbench.training.sampling import step_rng

VIEWS = 4  # pictures of one face: two frames in two framings each
NO_FACE = 0.08  # share of the pictures
COVERED, DRAWN = 0.25, 0.6  # how often something is before a face, and how often a photograph is stylised
PROFILE = 55.0  # degrees of yaw from which a face is not read
MOUTH, EYES = range(48, 68), [*range(36, 48), 68, 69]
JAW, BLINK, SMILE, GAZE = (CURVES.index(name) for name in ("jaw", "blink", "smile", "gaze_x"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The input of the network and its targets. A weight is 0 where the target is unknown."""

    pictures: Tensor  # (n, 3, 128, 128) in [-1, 1]; VIEWS neighbours show one face
    landmarks: Tensor  # (n, 70, 2) pixels
    landmark_weight: Tensor  # (n, 70)
    curves: Tensor  # (n, 7)
    curve_weight: Tensor  # (n, 7)
    sides: Tensor  # (n, 7) -1 where a mirrored picture has the opposite of the original's curve
    face: Tensor  # (n,) 1 or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """All that batches are made of."""

    puppets: Pictures
    poses: int  # frames of each puppet, which are neighbours
    clips: Sequence[Labelled]
    plates: NDArray[np.uint8]  # (n, side, side, 3) pictures without a face


def make_batch(material: Material, *, size: int, seed: int, step: int) -> Batch:
    """Batch number `step`, (size, ...), half puppets and half photographs: the same bytes whenever it is made."""
    random = step_rng(seed, step)
    faces = size // VIEWS
    drawn = frame_faces(_puppets(material, (faces + 1) // 2, random), random, warped=False)
    photographs = frame_faces(_photographs(material, faces // 2, random), random, warped=True)
    framed = _joined(drawn, photographs)
    pictures = _filled(framed, material, random)
    styled = np.flatnonzero((random.random(size) < DRAWN) & (np.arange(size) >= len(drawn.pictures)))
    pictures[styled] = stylise(pictures[styled], random)
    hidden = torch.zeros(size, SIZE, SIZE, dtype=torch.bool)
    for at in np.flatnonzero(random.random(size) < COVERED):
        hidden[at] = cover(pictures[at], framed.landmarks[at], random)
    return _finished(framed, pictures, _at(hidden, framed.landmarks), material, random)


def _finished(framed: Framed, pictures: Tensor, hidden: Tensor, material: Material, random: Random) -> Batch:
    """Damage the pictures, take faces from some, and weigh what is left to see. `hidden` (n, 70): landmarks behind something."""
    size = len(pictures)
    pictures = _damaged(pictures, random)
    face = _readable(framed, hidden)
    for at in np.flatnonzero(random.random(size) < NO_FACE):
        pictures[at], face[at] = _nothing(pictures[at], framed.landmarks[at], material, random), 0
    outside = ((framed.landmarks < 0) | (framed.landmarks > SIZE)).any(2)
    weight = torch.where(framed.visible & ~hidden, 1.0, HIDDEN) * ~outside * face[:, None]
    return Batch(
        pictures=(pictures * 2 - 1).contiguous(memory_format=torch.channels_last),
        landmarks=framed.landmarks,
        landmark_weight=weight,
        curves=framed.curves,
        curve_weight=_curve_weight(hidden | outside) * face[:, None],
        sides=torch.where(framed.mirrored[:, None], SIDED, 1.0),
        face=face,
    )


def _puppets(material: Material, count: int, random: Random) -> Faces:
    """VIEWS pictures of each of `count` puppets: two of its poses, each twice."""
    puppets, poses = material.puppets, material.poses
    looks = random.choice(whole := len(puppets.frames) // poses, count, replace=count > whole)
    rows = np.concatenate([look * poses + random.choice(poses, 2, replace=False)[[0, 1, 0, 1]] for look in looks])
    side, landmarks = puppets.frames.shape[1], puppets.landmarks[rows]
    return Faces(
        frames=torch.from_numpy(puppets.frames[rows]),
        landmarks=torch.from_numpy(landmarks),
        visible=torch.from_numpy(puppets.visible[rows]),
        curves=torch.from_numpy(curves_of_rig(puppets.rig[rows], landmarks)),
        inside=torch.tensor([0.0, 0, side, side]).repeat(len(rows), 1),
    )


def _photographs(material: Material, count: int, random: Random) -> Faces:
    """VIEWS pictures of faces in `count` of the clips: two frames of a clip, each twice."""
    order = np.resize(random.permutation(len(material.clips)), count)
    chosen = [material.clips[int(number)] for number in order]
    rows = [random.choice(len(clip.frames), 2, replace=False)[[0, 1, 0, 1]] for clip in chosen]
    joined = {
        field: torch.from_numpy(
            np.concatenate([getattr(clip, field)[own] for clip, own in zip(chosen, rows, strict=True)])
        )
        for field in ("frames", "landmarks", "curves", "inside")
    }
    return Faces(visible=torch.ones(len(joined["frames"]), joined["landmarks"].shape[1], dtype=torch.bool), **joined)


def _joined(one: Framed, other: Framed) -> Framed:
    return Framed(**{name: torch.cat([getattr(one, name), getattr(other, name)]) for name in Framed.__slots__})


def _filled(framed: Framed, material: Material, random: Random) -> Tensor:
    """Show something where the original ends: its own edge, a bar of one colour, or another picture, sharp or not."""
    pictures = framed.pictures.clone()
    for at in range(len(pictures)):
        kind = random.random()
        if kind < 0.25:
            continue
        fill = torch.from_numpy(random.random((3, 1, 1), dtype=np.float32))
        if kind < 0.5:
            fill = torch.zeros(3, 1, 1) if random.random() < 0.7 else torch.ones(3, 1, 1)
        elif kind > 0.6:
            fill = _plate(material, random)
        pictures[at] = torch.where(framed.inside[at] > 0, pictures[at], fill)
    return pictures


def _plate(material: Material, random: Random) -> Tensor:
    """(3, 128, 128) a part of a picture without a face."""
    plate = material.plates[int(random.integers(len(material.plates)))]
    side = int(random.integers(SIZE // 2, plate.shape[0]))
    top, left = (int(v) for v in random.integers(0, plate.shape[0] - side + 1, 2))
    part = torch.from_numpy(plate[top : top + side, left : left + side].copy()).permute(2, 0, 1)[None].float() / 255
    return functional.interpolate(part, size=(SIZE, SIZE), mode="bilinear", antialias=True, align_corners=False)[0]


def _nothing(picture: Tensor, landmarks: Tensor, material: Material, random: Random) -> Tensor:
    if random.random() < 0.4:
        return _plate(material, random)
    return no_face(picture[None], landmarks[None].clamp(0, SIZE), random)[0]


def _damaged(pictures: Tensor, random: Random) -> Tensor:
    """Damage as for the landmark network; neighbours that share it must not show one face."""
    order = torch.from_numpy(random.permutation(len(pictures)))
    done = torch.empty_like(pictures)
    done[order] = damage(pictures[order], random)
    return done


def _at(mask: Tensor, landmarks: Tensor) -> Tensor:
    """(n, 70) the mask (n, 128, 128) at landmarks."""
    place = landmarks.floor().long().clamp(0, SIZE - 1)
    return mask[torch.arange(len(mask))[:, None], place[..., 1], place[..., 0]]


def _readable(framed: Framed, hidden: Tensor) -> Tensor:
    """1 for faces that can be read; 0 for those that hang, turn away or are mostly hidden."""
    over = framed.turned.remainder(360).sub(180).abs() < 180 - OVER + 1
    away = framed.curves[:, 0].abs() > PROFILE
    lost = hidden[:, 17:68].float().mean(1) > 0.6
    return (~(over | away | lost)).float()


def _curve_weight(lost: Tensor) -> Tensor:
    """(n, 7) 0 for curves of a mouth or eyes of which a third cannot be seen."""
    weight = torch.ones(len(lost), len(CURVES))
    mouth, eyes = (lost[:, list(part)].float().mean(1) > 0.33 for part in (MOUTH, EYES))
    weight[mouth] *= 1 - functional.one_hot(torch.tensor([JAW, SMILE]), len(CURVES)).sum(0).float()
    weight[eyes] *= 1 - functional.one_hot(torch.tensor([BLINK, GAZE]), len(CURVES)).sum(0).float()
    return weight
