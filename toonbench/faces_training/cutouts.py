"""Puppets cut out of their pictures, for the scenes of the detector of drawn faces: many looks of every style, a few poses each.

Every second look is exaggerated as drawings are: larger eyes, a smaller nose and mouth, a pointed or broad chin, softer or
harder shade. A shard holds some looks of one style as one npz file. A shard that exists is kept, so a killed run resumes.
The bytes do not depend on the number of workers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toonbench.landmarks.data import poses
from toonbench.pool import IN_PROCESS, Pool
from toonbench.puppets.catalogue import make_look, styles
from toonbench.puppets.draw.render import render_clip, warm_up
from toonbench.puppets.look import Look
from toonbench.puppets.rig import seed_of
from toonbench.store import writing
from toonbench.types import Frames, ToonbenchError

SIZE = 224  # pixels a side
LOOKS = 20  # of a shard
FOREHEAD = 0.35  # of the height from brows to chin: how far a face's box reaches above the brows
SOFT = 0.4  # chance that an exaggerated look in flat tones gets soft ones

Boxes = NDArray[np.float32]  # (n, 4) left, top, right, bottom


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutouts:
    """Puppets with their coverage and the boxes of their faces."""

    frames: Frames  # (n, SIZE, SIZE, 3), with the puppet's own backdrop
    mask: NDArray[np.uint8]  # (n, SIZE, SIZE) coverage
    boxes: Boxes  # in pixels, forehead to chin
    style: NDArray[np.int64]  # (n,) place in `names`
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shard:
    root: Path
    split: str
    style: str
    number: int
    poses: int

    @property
    def path(self) -> Path:
        return self.root / self.split / f"{self.style}-{self.poses}-{self.number:04d}.npz"


def draw_cutouts(root: Path, *, split: str, looks: int, poses: int, pool: Pool = IN_PROCESS) -> Cutouts:
    """Draw `looks` looks of each style (a multiple of 20), `poses` poses each, into `root`, and load them.

    Raises ToonbenchError for bad numbers.
    """
    if looks < LOOKS or looks % LOOKS or poses < 1:
        raise ToonbenchError(f"looks must be a multiple of {LOOKS} and poses >= 1; got {looks} and {poses}.")
    names = tuple(styles())
    shards = [
        _Shard(root=root, split=split, style=name, number=number, poses=poses)
        for number in range(looks // LOOKS)  # styles in turn, so that a part of the work holds all of them
        for name in names
    ]
    warm_up()
    pool.map(_draw_shard, shards, title="drawing puppets")
    return _load(shards, names=names)


def face_boxes(landmarks: NDArray[np.float32]) -> Boxes:
    """(n, 70, 2) landmarks to the boxes of the faces: from ear to ear, and from the forehead to the chin."""
    outline = landmarks[:, :27]
    low, high = outline.min(1), outline.max(1)
    low[:, 1] -= FOREHEAD * (high[:, 1] - low[:, 1])
    return np.concatenate([low, high], axis=1).astype(np.float32)


def exaggerated(look: Look, rng: np.random.Generator) -> Look:
    """A look with the proportions of another drawing hand."""
    shape, shading = look.shape, look.shading
    eye, wide = float(rng.uniform(0.85, 1.45)), float(rng.uniform(0.95, 1.25))
    nose, mouth, chin = (
        float(value) for value in (rng.uniform(0.25, 1.1), rng.uniform(0.4, 1.1), rng.uniform(0.35, 1.3))
    )
    drop = float(rng.uniform(-0.04, 0.16))
    shape = replace(
        shape,
        eye_half_width=shape.eye_half_width * wide, eye_up=shape.eye_up * eye, eye_down=shape.eye_down * eye * float(rng.uniform(0.9, 1.4)),
        iris_radius=shape.iris_radius * min(eye, 1.35), eyeball_radius=shape.eyeball_radius * max(1.0, 0.9 * eye),
        eye_x=shape.eye_x * float(rng.uniform(0.98, 1.1)), eye_tilt=shape.eye_tilt + float(rng.normal(0, 0.025)),
        brow_y=shape.brow_y + 0.7 * (eye - 1) * shape.eye_up + float(rng.uniform(0, 0.06)),
        brow_thickness=shape.brow_thickness * float(rng.uniform(0.4, 1.3)),
        nose_out=shape.nose_out * nose, nose_width=shape.nose_width * nose, nose_ball=shape.nose_ball * nose,
        nose_y=shape.nose_y - 0.5 * drop, mouth_y=shape.mouth_y - 0.8 * drop, mouth_half_width=shape.mouth_half_width * mouth,
        lip_up=shape.lip_up * mouth * 0.8, lip_down=shape.lip_down * mouth * 0.8,
        chin_width=shape.chin_width * chin, jaw_width=shape.jaw_width * (0.75 + 0.25 * chin), chin_y=shape.chin_y - drop,
        cheek_width=shape.cheek_width * float(rng.uniform(0.94, 1.12)), neck_width=shape.neck_width * float(rng.uniform(0.6, 1.05)),
        crown_y=shape.crown_y * float(rng.uniform(0.97, 1.12)), lash=shape.lash * float(rng.uniform(0.6, 1.8)),
    )  # fmt: skip
    if shading.bands and rng.random() < SOFT:
        shading = replace(shading, softness=float(rng.uniform(0.3, 1.0)), bands=int(rng.integers(1, 4)))
    if shading.outline:
        shading = replace(shading, outline=shading.outline * float(rng.uniform(0.25, 1.4)))
    hair = replace(look.hair, bangs_length=look.hair.bangs_length * float(rng.uniform(1.0, 1.7)))
    return replace(look, shape=shape, shading=shading, hair=hair)


def _draw_shard(shard: _Shard) -> None:
    if shard.path.is_file():
        return
    parts: list[tuple[Frames, NDArray[np.uint8], Boxes]] = []
    for index in range(shard.number * LOOKS, (shard.number + 1) * LOOKS):
        seed = seed_of("drawn faces", shard.split, shard.style, index)
        look = make_look(shard.style, seed)
        if index % 2:
            look = exaggerated(look, np.random.default_rng(seed))
        drawn = render_clip(look, poses(seed, count=shard.poses), size=SIZE)
        parts.append((drawn.frames, drawn.mask, face_boxes(drawn.landmarks)))
    frames, mask, boxes = (np.concatenate(values) for values in zip(*parts, strict=True))
    with writing(shard.path) as temporary, temporary.open("wb") as file:
        np.savez(file, frames=frames, mask=mask, boxes=boxes)


def _load(shards: list[_Shard], *, names: tuple[str, ...]) -> Cutouts:
    stored: dict[str, list[NDArray[Any]]] = {"frames": [], "mask": [], "boxes": []}
    for shard in shards:
        with np.load(shard.path) as content:
            for name, values in stored.items():
                values.append(content[name])
    count = LOOKS * shards[0].poses
    return Cutouts(
        frames=np.concatenate(stored["frames"]),
        mask=np.concatenate(stored["mask"]),
        boxes=np.concatenate(stored["boxes"]),
        style=np.repeat([names.index(shard.style) for shard in shards], count),
        names=names,
    )
