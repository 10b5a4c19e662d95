"""What people run beside pytorch-fid's command, as they write it: a loop over the frames of two folders, a command a metric.

    python metric_set_peers.py lpips GENERATED TARGET OUT.json
    python metric_set_peers.py cpbd GENERATED CPBD_PACKAGE OUT.json
    python metric_set_peers.py akd GENERATED TARGET OUT.json

Folders hold one PNG a frame. `benchmarks/metric_set_speed.py` runs this with deterministic test weights. S3FD finds no face with
them, so it is run, and the middle of the frame is taken for the face; toonbench does the same there (`AKDMiddle`).
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from toonbench import weights
from toonbench.metrics.akd_fan68 import AKDFan68
from toonbench.networks.fan import Box, LandmarkFinder, from_files
from toonbench.types import Frames

Values = list[float]


def middle(size: int) -> Box:
    """The face that both sides take: the middle of the frame."""
    return np.array([0.2, 0.2, 0.8, 0.8]) * size


class AKDMiddle(AKDFan68):
    """`akd_fan68` with the weights of its files, S3FD run on each frame and the middle of the frame taken for the face."""

    name = "akd_middle"
    features = "fan68-middle@1"

    def _loaded(self) -> LandmarkFinder:
        return middle_finder()


@functools.cache
def middle_finder() -> LandmarkFinder:
    finder = from_files(weights.path("fan68"), weights.path("s3fd"))
    return LandmarkFinder(network=finder.network, detect=found_and_middle(finder))


def found_and_middle(finder: LandmarkFinder) -> Callable[[Frames, str], list[Box | None]]:
    def detect(frames: Frames, device: str) -> list[Box | None]:
        assert finder.detect(frames, device) == [None] * len(frames), (
            "S3FD with deterministic test weights finds a face"
        )
        return [middle(frames.shape[1])] * len(frames)

    return detect


def lpips_loop(generated: list[Path], target: list[Path]) -> Values:
    import torch

    lpips: Any = importlib.import_module("lpips")
    distance = lpips.LPIPS(net="alex", verbose=False)
    values: Values = []
    with torch.no_grad():
        for one, other in zip(generated, target, strict=True):
            pair = [lpips.im2tensor(lpips.load_image(str(path))) for path in (one, other)]
            values.append(distance(*pair).item())
    return values


def cpbd_loop(generated: list[Path], package: Path) -> Values:
    sys.path.insert(0, str(package))
    ndimage: Any = importlib.import_module("scipy.ndimage")
    ndimage.imread = None  # which SciPy no longer has, and the package imports
    compute: Any = importlib.import_module("cpbd").compute
    return [float(compute(np.asarray(Image.open(path).convert("L")))) for path in generated]


def akd_loop(generated: list[Path], target: list[Path]) -> list[list[list[int]]]:
    """(2, frames, 136) whole pixels: what pose-evaluation compares, of both folders."""
    package: Any = importlib.import_module("face_alignment")
    compiled = bool(int(os.environ.get("COMPILE_FAN", "0")))
    finder = package.FaceAlignment(package.LandmarksType.TWO_D, flip_input=False, device="cpu", compile=compiled)
    return [[points(finder, np.asarray(Image.open(path))) for path in folder] for folder in (generated, target)]


def points(finder: Any, frame: NDArray[np.uint8]) -> list[int]:
    assert len(finder.face_detector.detect_from_image(frame)) == 0
    found = finder.get_landmarks_from_image(frame, detected_faces=[middle(len(frame))])
    return [int(value) for value in np.asarray(found[0]).reshape(-1)]


def main() -> None:
    what, generated, other, out = sys.argv[1], *map(Path, sys.argv[2:5])
    frames = sorted(generated.glob("*.png"))
    if what == "cpbd":
        values: Any = cpbd_loop(frames, other)
    else:
        loop: Any = {"lpips": lpips_loop, "akd": akd_loop}[what]
        values = loop(frames, sorted(other.glob("*.png")))
    out.write_text(json.dumps(values))


if __name__ == "__main__":
    main()
