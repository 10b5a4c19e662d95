"""How good the detector of drawn faces is: scenes of figures that training does not draw, by style and by size of the face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from toonbench.faces_training.material import ANIMAL, Material
from toonbench.faces_training.scenes import Face, make_batch
from toonbench.networks.drawn_faces import KINDS, LEAST, DrawnFace, DrawnFaceNet, faces_of, overlap

COVERS = 0.5  # overlap (IoU) from which a box shows a face
SIZES = ((0.0, 32.0), (32.0, 64.0), (64.0, 128.0), (128.0, 400.0))  # pixels, the height of a face
_BATCH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The faces of some scenes: their heights, whether each was found, and boxes where no face is."""

    style: str
    scenes: int
    heights: tuple[float, ...]
    found: tuple[bool, ...]
    false: int

    def recall(self, size: tuple[float, float] = (0.0, 1e9)) -> float:
        """The share of faces of these heights that was found; NaN without any."""
        own = [found for found, height in zip(self.found, self.heights, strict=True) if size[0] <= height < size[1]]
        return float(np.mean(own)) if own else float("nan")


def measure(network: DrawnFaceNet, material: Material, *, styles: Sequence[str], scenes: int) -> list[Measured]:
    """Search `scenes` restyled scenes of each style. `styles` names the style of each figure of `material`."""
    found: list[Measured] = []
    for name in sorted(set(styles)):
        chosen = np.flatnonzero(np.array(styles) == name)
        found.append(_measure(network, _part(material, chosen), style=name, scenes=scenes))
    return found


def _part(material: Material, chosen: NDArray[np.intp]) -> Material:
    return replace(
        material,
        frames=material.frames[chosen],
        mask=material.mask[chosen],
        boxes=material.boxes[chosen],
        animal=material.animal[chosen],
        chance=np.full(len(chosen), 1 / len(chosen)),
    )


def _measure(network: DrawnFaceNet, material: Material, *, style: str, scenes: int) -> Measured:
    heights: list[float] = []
    hits: list[bool] = []
    false = 0
    kind = KINDS.index("animal") if style == ANIMAL else 0
    for step in range(scenes // _BATCH):
        batch = make_batch(material, size=_BATCH, seed=2, step=step)
        with torch.inference_mode():
            output = network(batch.pictures)
        for number, faces in enumerate(batch.faces):
            boxes = faces_of(output.heat[number, kind].sigmoid(), output.boxes[number], least=LEAST)
            heights += [face.box[3] - face.box[1] for face in faces]
            hits += [_shown(face, boxes) for face in faces]
            false += sum(all(overlap(one.box, face.box) < COVERS for face in faces) for one in boxes)
    return Measured(style=style, scenes=scenes, heights=tuple(heights), found=tuple(hits), false=false)


def _shown(face: Face, boxes: Sequence[DrawnFace]) -> bool:
    return any(overlap(face.box, one.box) >= COVERS for one in boxes)


def card(measured: Sequence[Measured], *, network: DrawnFaceNet, size: int, about: str) -> str:
    """The model card: what the network is, how it was trained, what it finds."""
    parameters = sum(p.numel() for p in network.parameters())
    sizes = [f"{low:.0f} to {high:.0f} px" for low, high in SIZES]
    lines = [
        "# Detector of drawn faces",
        "",
        "Finds faces in drawings, puppets and paintings: boxes from the forehead to the chin, with a score. Animals have a score of",
        "their own, which is left out unless it is asked for.",
        f"{parameters:,} parameters, {size / 1e6:.2f} MB as half floats. Licence: Apache-2.0, as the code.",
        "",
        about,
        "",
        "## Scenes that training does not draw",
        "",
        f"Recall at score {LEAST} (a box overlaps the face by an IoU of {COVERS} or more), by the height of the face in scenes of 256",
        "pixels that are blurred, recoloured, reduced to lines or to few tones, and compressed as in training; and boxes where no",
        "face is, for 100 scenes.",
        "",
        "| style | faces | recall | " + " | ".join(sizes) + " | false boxes |",
        "|---" * (4 + len(sizes)) + "|",
    ]
    for one in measured:
        values = [f"{one.recall(size):.2f}" for size in SIZES]
        row = [one.style, str(len(one.found)), f"{one.recall():.3f}", *values, f"{100 * one.false / one.scenes:.1f}"]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"
