"""Everything that scenes are composed of: puppets and sketches cut out of their pictures, and pictures without a face."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toonbench.faces_training.cutouts import SIZE, Boxes, draw_cutouts
from toonbench.faces_training.plates import draw_plates
from toonbench.faces_training.sketches import draw_sketch
from toonbench.pool import IN_PROCESS, Pool
from toonbench.store import writing
from toonbench.types import Frames

ANIMAL = "creature"  # the style whose puppets are animals
OFTEN = {"cel": 1.5, "lineart": 1.2, "watercolour": 1.0, "disney3d": 1.0, "clay": 0.6, "real": 1.0, ANIMAL: 1.0}
SKETCHES = 1.6  # parts of human figures that are sketches, as puppets are 1
BATCH = 100  # sketches of a file


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Figures with their coverage, the boxes of their faces, and how often each is chosen; and pictures without a face."""

    frames: Frames  # (n, SIZE, SIZE, 3)
    mask: NDArray[np.uint8]  # (n, SIZE, SIZE)
    boxes: Boxes  # (n, 4)
    chance: NDArray[np.float64]  # (n,) of being chosen among its kind, human or animal; sums to 1 for each
    animal: NDArray[np.bool_]  # (n,)
    plates: Frames  # (count, side, side, 3)


def draw_material(
    root: Path, *, split: str, looks: int, poses: int, sketches: int, plates: int, pool: Pool = IN_PROCESS
) -> Material:
    """Draw `looks` looks of each style in `poses` poses, `sketches` sketches (a multiple of 100) and `plates` backgrounds.

    What was drawn before into `root` is loaded.
    """
    puppets = draw_cutouts(root, split=split, looks=looks, poses=poses, pool=pool)
    jobs = [(root / split / f"sketches-{first:05d}.npz", split, first) for first in range(0, sketches, BATCH)]
    pool.map(_draw_sketches, jobs, title="drawing sketches")
    parts = [dict(np.load(path)) for path, _, _ in jobs]
    path = root / split / f"plates-{plates}.npy"
    if not path.is_file():
        with writing(path) as temporary, temporary.open("wb") as file:
            np.save(file, draw_plates(split, plates, pool=pool))
    weight = np.array([OFTEN.get(name, 1.0) for name in puppets.names])[puppets.style]
    animal = np.array([name == ANIMAL for name in puppets.names])[puppets.style]
    chance = np.concatenate([weight, np.zeros(sketches)])
    animals = np.concatenate([animal, np.zeros(sketches, np.bool_)])
    chance[len(weight) :] = SKETCHES * chance[~animals].sum() / max(1, sketches)
    for kind in (animals, ~animals):
        chance[kind] /= chance[kind].sum()
    return Material(
        frames=np.concatenate([puppets.frames, *(part["frames"] for part in parts)]),
        mask=np.concatenate([puppets.mask, *(part["mask"] for part in parts)]),
        boxes=np.concatenate([puppets.boxes, *(part["boxes"] for part in parts)]),
        chance=chance,
        animal=animals,
        plates=np.load(path),
    )


def _draw_sketches(job: tuple[Path, str, int]) -> None:
    path, split, first = job
    if path.is_file():
        return
    drawn = [draw_sketch(split, number) for number in range(first, first + BATCH)]
    with writing(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            frames=np.stack([one.frame for one in drawn]).reshape(-1, SIZE, SIZE, 3),
            mask=np.stack([one.mask for one in drawn]),
            boxes=np.stack([one.box for one in drawn]),
        )
