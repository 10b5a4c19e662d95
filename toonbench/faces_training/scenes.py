"""One training batch of the detector of drawn faces: figures composed over backgrounds and restyled; a function of seed and step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from toonbench.faces_training.canvas import Random
from toonbench.faces_training.material import Material
from toonbench.faces_training.plates import add_decoys
from toonbench.faces_training.restyle import restyle
from toonbench.training.sampling import step_rng

SIDE = 256  # pixels of a scene
COUNTS = (0.14, 0.56, 0.16, 0.09, 0.05)  # chances of 0, 1, 2, 3, 4 faces
SMALLEST, LARGEST = 18.0, 330.0  # height of a face, pixels
ANIMALS = 0.28  # share of figures
ERASED = 0.09  # share of figures whose face is erased
COVERED = 0.2  # of a face that another figure may cover

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Face:
    """A face of a scene."""

    box: Box  # pixels, may reach out of the scene
    animal: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """Scenes and their faces."""

    pictures: Tensor  # (n, 3, SIDE, SIDE) in [-1, 1]
    faces: tuple[tuple[Face, ...], ...]


def make_batch(material: Material, *, size: int, seed: int, step: int) -> Batch:
    """Batch number `step`: the same bytes whenever it is made."""
    rng = step_rng(seed, step)
    scenes, faces = zip(*(make_scene(material, rng) for _ in range(size)), strict=True)
    x = torch.from_numpy(np.stack(scenes)).permute(0, 3, 1, 2).float() / 255
    x = restyle(x, rng)
    return Batch((x * 2 - 1).contiguous(memory_format=torch.channels_last), tuple(map(tuple, faces)))


def make_scene(material: Material, rng: Random) -> tuple[NDArray[np.uint8], list[Face]]:
    """A background with decoys and 0 to 4 figures, (SIDE, SIDE, 3)."""
    scene = _background(material, rng)
    if rng.random() < 0.35:
        add_decoys(scene, rng, count=int(rng.integers(1, 9)))
    count = int(rng.choice(len(COUNTS), p=COUNTS))
    faces: list[Face] = []
    largest = LARGEST if count == 1 else 150.0 / max(1, count - 1)
    for _ in range(count + int(count == 0 and rng.random() < 0.5)):
        _add_figure(scene, faces, material, rng, largest=largest, erased=count == 0 or rng.random() < ERASED)
    return np.asarray(scene), faces


def _background(material: Material, rng: Random) -> Image.Image:
    plate = material.plates[int(rng.integers(len(material.plates)))]
    side = int(rng.integers(140, plate.shape[0] + 1))
    left, top = (int(v) for v in rng.integers(0, plate.shape[0] - side + 1, 2))
    cut = Image.fromarray(plate).resize((SIDE, SIDE), Image.Resampling.BILINEAR, (left, top, left + side, top + side))
    return cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else cut


def _add_figure(
    scene: Image.Image, faces: list[Face], material: Material, rng: Random, *, largest: float, erased: bool
) -> None:
    """Choose a figure, turn and scale it, and put it where it covers no other face."""
    animal = bool(rng.random() < ANIMALS)
    kind = np.flatnonzero(material.animal == animal)
    kind = kind if len(kind) else np.arange(len(material.animal))  # material of one kind only
    number = int(rng.choice(kind, p=material.chance[kind]))
    animal = bool(material.animal[number])
    figure, box = _figure(material, number, rng, erased=erased)
    small, large = (SMALLEST, min(160.0, largest)) if rng.random() < 0.4 else (45.0, largest)
    size = float(np.exp(rng.uniform(np.log(small), np.log(large))))
    scale = size / (box[3] - box[1])
    turn, wide = float(rng.normal(0, 10 if rng.random() < 0.85 else 35)), float(np.exp(rng.normal(0, 0.1)))
    for _ in range(4):
        at = _place(rng, size, figure.height * scale, (box[1] + box[3]) / 2 * scale)
        drawn, own = _moved(figure, box, scale=scale, wide=wide, turn=turn, at=at)
        if all(_covered(drawn, face.box) <= COVERED for face in faces):
            scene.paste(drawn, (0, 0), drawn)
            if not erased:
                faces.append(Face(own, animal))
            return


def _figure(material: Material, number: int, rng: Random, *, erased: bool) -> tuple[Image.Image, NDArray[np.float32]]:
    """A figure with its coverage as fourth channel, perhaps mirrored or with its own backdrop, and the box of its face."""
    frame, mask, box = material.frames[number], material.mask[number], material.boxes[number]
    if mask.min() < 255 and rng.random() < 0.08 and frame[0].any():
        mask = np.full_like(mask, 255)
    if rng.random() < 0.5:
        side = frame.shape[1]
        frame, mask, box = frame[:, ::-1], mask[:, ::-1], np.array([side - box[2], box[1], side - box[0], box[3]])
    image = Image.fromarray(frame if not erased else _erased(frame, box, rng))
    image.putalpha(Image.fromarray(np.ascontiguousarray(mask)))
    return image, box


def _erased(frame: NDArray[np.uint8], box: NDArray[np.float32], rng: Random) -> NDArray[np.uint8]:
    """A figure without a face: an even oval, noise, or its parts in wrong places."""
    image = Image.fromarray(np.ascontiguousarray(frame))
    left, top, right, bottom = (int(v) for v in np.clip(box, 0, frame.shape[0]))
    if right - left < 4 or bottom - top < 4:
        return np.asarray(image)
    part = np.asarray(image.crop((left, top, right, bottom)))
    tone = tuple(int(v) for v in np.median(part.reshape(-1, 3), axis=0))
    kind = int(rng.integers(3))
    if kind == 0:
        ImageDraw.Draw(image).ellipse((left - 2, top, right + 2, bottom + 2), fill=tone)
    elif kind == 1:
        cells = rng.integers(0, 256, (int(rng.integers(2, 6)), int(rng.integers(2, 6)), 3), dtype=np.uint8)
        image.paste(Image.fromarray(cells).resize((right - left, bottom - top), Image.Resampling.BICUBIC), (left, top))
    else:
        rows, columns = np.array_split(np.arange(part.shape[0]), 4), np.array_split(np.arange(part.shape[1]), 4)
        order = (
            np.concatenate([rows[int(k)] for k in rng.permutation(4)]),
            np.concatenate([columns[int(k)] for k in rng.permutation(4)]),
        )
        image.paste(Image.fromarray(part[order[0]][:, order[1]]), (left, top))
    return np.asarray(image)


def _place(rng: Random, size: float, height: float, down: float) -> tuple[float, float]:
    """The middle of a face: figures often stand on the lower edge, and large faces stay mostly inside."""
    margin = min(0.3 * size, 0.35 * SIDE)
    x = float(rng.uniform(margin, SIDE - margin))
    y = float(rng.uniform(margin, SIDE - margin))
    standing = SIDE - height + down  # the figure's lower edge on the scene's
    if size < 0.5 * SIDE and rng.random() < 0.6 and standing > margin:
        y = min(SIDE - margin, standing + float(rng.uniform(0, 0.25)) * size)
    return x, y


def _moved(
    figure: Image.Image, box: NDArray[np.float32], *, scale: float, wide: float, turn: float, at: Sequence[float]
) -> tuple[Image.Image, Box]:
    """The figure in a picture of the scene's size, `wide` times wider, turned by `turn` degrees, its face's middle `at` a place.

    Returns the box of its face, too.
    """
    small = figure
    if scale < 0.7:
        side = max(4, round(figure.width * scale))
        small = figure.resize((side, side), Image.Resampling.BILINEAR)
    factor = small.width / figure.width
    middle = np.array([box[0] + box[2], box[1] + box[3]]) / 2 * factor
    cos, sin = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    back = np.array([[cos / wide, sin / wide], [-sin, cos]]) * (factor / scale)  # from the scene to the figure
    shift = middle - back @ np.asarray(at)
    data = (back[0, 0], back[0, 1], shift[0], back[1, 0], back[1, 1], shift[1])
    moved = small.transform((SIDE, SIDE), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
    half = (box[2] - box[0]) / 2 * scale * wide, (box[3] - box[1]) / 2 * scale
    x, y = np.hypot(half[0] * cos, half[1] * sin), np.hypot(half[0] * sin, half[1] * cos)
    return moved, (float(at[0] - x), float(at[1] - y), float(at[0] + x), float(at[1] + y))


def _covered(drawn: Image.Image, box: Box) -> float:
    """The share of a box that a figure covers."""
    left, top, right, bottom = (int(np.clip(v, 0, SIDE)) for v in box)
    part = np.asarray(drawn.getchannel("A"))[top:bottom, left:right]
    return float(part.mean()) / 255 if part.size else 0.0
