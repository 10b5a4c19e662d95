"""Write tests/golden/face_landmarker.npz: what MediaPipe's graph gives for whole pictures, computed by LiteRT and OpenCV.

An independent reference of `toonbench.networks.face_landmarker`: networks in LiteRT, squares by OpenCV. Neither package is
one of toonbench's: run it in an environment of its own, `pip install ai-edge-litert "opencv-python-headless<5" toonbench`,
with the `.task` file: `python scripts/landmarker_goldens.py FILE`. The pictures are puppets.
"""

from __future__ import annotations

import importlib
import math
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from metric_docs.failure_shared import rigs_of
from toonbench.networks.face_landmarker import OF_BLENDSHAPES
from toonbench.puppets.catalogue import make_look
from toonbench.puppets.draw.render import render_clip
from toonbench.types import Frame

GOLDEN = Path(__file__).parent.parent / "tests" / "golden" / "face_landmarker.npz"
Values = NDArray[np.float64]


def pictures() -> dict[str, Frame]:
    """Puppets upright, tilted, at edges, in frames that are not square, two at once; and a picture without a face."""

    def face(style: str, seed: int, size: int = 160, **rig: float) -> Frame:
        drawn = render_clip(make_look(style, seed), rigs_of(rig), size=size).frames[0]
        return drawn & 0xF8  # a smaller file

    wide, tall = np.full((110, 211, 3), 90, np.uint8), np.zeros((237, 101, 3), np.uint8)
    wide[:, 60:188] = face("disney3d", 21, 128, blink_left=1.0, blink_right=1.0)[9:119]
    tall[70:198] = face("real", 40, 128, pitch=10.0, jaw_open=1.0)[:, 13:114]
    tilted = Image.fromarray(face("real", 31, yaw=20.0)).rotate(35, Image.Resampling.BICUBIC)
    pair = [face("real", 33, 128), face("real", 35, 128, jaw_open=0.6)]
    return {
        "upright": face("real", 24, smile=0.9, jaw_open=0.3),
        "tilted": np.asarray(tilted)[10:150],
        "wide": wide,
        "tall": tall,
        "edge": face("real", 24, yaw=-15.0, smile=0.2)[:, 40:],
        "cel": face("cel", 22, smile=0.5),
        "two": np.concatenate(pair, axis=1),
        "none": np.full((60, 80, 3), 128, np.uint8),
    }


class Reference:
    """The graph for single pictures: detection, the turned square, the points, the scores."""

    def __init__(self, path: Path) -> None:
        self.cv: Any = importlib.import_module("cv2")
        with zipfile.ZipFile(path) as opened:
            names = ("face_detector", "face_landmarks_detector", "face_blendshapes")
            self.networks = [_network(opened.read(f"{name}.tflite")) for name in names]

    def read(self, picture: Frame) -> tuple[Values, Values, float] | None:
        """Points (478, 3) in pixels, scores (52,), and the probability of a face."""
        box, eyes = self.detect(picture)
        if not len(box):
            return None
        turn = math.atan2(eyes[3] - eyes[1], eyes[2] - eyes[0])
        middle, side = (box[:2] + box[2:]) / 2, 1.5 * float(max(box[2:] - box[:2]))
        crop = self.square(picture, middle, side, turn=turn, size=256, border=self.cv.BORDER_REPLICATE)
        points, logit, _ = self.networks[1](crop / 255)
        local = (points.reshape(478, 3) / 256 - [0.5, 0.5, 0]) * side
        rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        found = np.concatenate([local[:, :2] @ rotation.T + middle, local[:, 2:]], axis=1)
        scores = self.networks[2](found[list(OF_BLENDSHAPES), :2])[0].ravel()
        return found, scores, 1 / (1 + math.exp(-float(logit.ravel()[0])))

    def detect(self, picture: Frame) -> tuple[Values, Values]:
        """The box and both eyes of the surest face in pixels, empty without one."""
        height, width = picture.shape[:2]
        side = max(height, width)
        middle = np.array([width, height]) / 2
        small = self.square(picture, middle, side, turn=0.0, size=128, border=self.cv.BORDER_CONSTANT)
        shifts, logits = (one.reshape(896, -1) for one in self.networks[0](small / 127.5 - 1))
        anchors = [
            ((x + 0.5) / cells, (y + 0.5) / cells)
            for cells, count in ((16, 2), (8, 6))
            for y in range(cells)
            for x in range(cells)
            for _ in range(count)
        ]
        rows: list[tuple[float, Values]] = []
        for anchor, shift, logit in zip(anchors, shifts / 128, logits[:, 0], strict=True):
            score, centre = 1 / (1 + math.exp(-float(np.clip(logit, -100, 100)))), shift[:2] + anchor
            if score >= 0.5:
                box = np.concatenate([centre - shift[2:4] / 2, centre + shift[2:4] / 2])
                rows.append((score, np.concatenate([box, shift[4:8] + np.tile(anchor, 2)])))
        if not rows:
            return np.empty(0), np.empty(0)
        best = max(rows, key=lambda row: row[0])[1]
        group = [(score, row) for score, row in rows if _overlap(row, best) > 0.5]
        mean = sum(score * row for score, row in group) / sum(score for score, _ in group)
        mean = np.asarray(mean) * side + np.tile(middle - side / 2, 4)
        return mean[:4], mean[4:]

    def square(
        self, picture: Frame, middle: Values, side: float, *, turn: float, size: int, border: int
    ) -> NDArray[np.float32]:
        """A turned square of a picture, 0 to 255."""
        corners = self.cv.boxPoints(((middle[0], middle[1]), (side, side), math.degrees(turn)))
        places = np.array([[0, size], [0, 0], [size, 0], [size, size]], np.float32)
        matrix = self.cv.getPerspectiveTransform(corners, places)
        warped = self.cv.warpPerspective(picture, matrix, (size, size), flags=self.cv.INTER_LINEAR, borderMode=border)
        return warped.astype(np.float32)


def _overlap(one: Values, other: Values) -> float:
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:4], other[2:4])
    shared = float(np.prod(np.maximum(high - low, 0)))
    return shared / (sum(float(np.prod(row[2:4] - row[:2])) for row in (one, other)) - shared)


def _network(content: bytes) -> Callable[[Any], list[Values]]:
    module: Any = importlib.import_module("ai_edge_litert.interpreter")
    interpreter = module.Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()

    def run(x: Any) -> list[Values]:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.asarray(x, np.float32)[None])
        interpreter.invoke()
        return [interpreter.get_tensor(one["index"]).astype(np.float64) for one in interpreter.get_output_details()]

    return run


def main() -> None:
    """Compute and write all cases."""
    reference, stored = Reference(Path(sys.argv[1])), dict[str, Any]()
    for name, picture in pictures().items():
        found = reference.read(picture)
        stored[f"{name}.picture"] = picture
        if found is not None:
            points, scores, probability = found
            stored |= {f"{name}.points": points.astype(np.float32), f"{name}.blendshapes": scores.astype(np.float32)}
            stored[f"{name}.score"] = np.float32(probability)
    np.savez_compressed(GOLDEN, **stored)


if __name__ == "__main__":
    main()
