"""BlazeFace, short range (Bazarevsky et al. 2019): the detector inside MediaPipe's face landmarker file, in torch.

The frame is fitted into a square of SIDE pixels with black edges. The network gives 896 candidates around fixed places;
candidates of one face are averaged by their scores, as MediaPipe does.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from toonbench import weights
from toonbench.networks.tflite import Network, UnreadableModel, read_network
from toonbench.types import Frame, ToonbenchError

NAME = "face-landmarker"
MEMBER = "face_detector.tflite"
SIDE = 128
GRIDS = ((16, 2), (8, 6))  # cells a side, candidates of each cell
LEAST = 0.5  # score of a face
SAME = 0.3  # overlap (IoU) of two boxes of one face
_LIMIT = 100.0  # of logits


@dataclass(frozen=True, slots=True)
class BlazeFace:
    """A box (left, top, right, bottom), a score in [0, 1], and six points (6, 2): eyes, nose tip, mouth, ears.

    All in pixels of the frame; the person's right eye and right ear come first.
    """

    box: tuple[float, float, float, float]
    score: float
    points: NDArray[np.float64]


def find_faces(frame: Frame, *, least: float = LEAST) -> list[BlazeFace]:
    """All faces in a frame, (h, w, 3) uint8 RGB, the surest first. Raises WeightsMissing without the weights."""
    picture, scale, corner = _square(frame)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            outputs = _network(str(weights.path(NAME)))(picture)
    finally:
        torch.set_num_threads(threads)
    rows = candidates(outputs, least=least)
    rows[:, 1:] = (rows[:, 1:] - np.tile(corner, 8)) / scale
    return [
        BlazeFace((float(row[1]), float(row[2]), float(row[3]), float(row[4])), float(row[0]), row[5:].reshape(6, 2))
        for row in merged(rows)
    ]


def _square(frame: Frame) -> tuple[torch.Tensor, float, NDArray[np.float64]]:
    """The frame as the network takes it, (1, SIDE, SIDE, 3) in [-1, 1]; its scale, and the x and y of its corner."""
    from PIL import Image

    height, width = frame.shape[:2]
    scale = SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    picture[top : top + size[1], left : left + size[0]] = np.asarray(
        Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR)
    )
    return torch.from_numpy(picture)[None].float() / 127.5 - 1, scale, np.array([left, top], np.float64)


def _places() -> NDArray[np.float64]:
    """(896, 2) the places of the candidates in pixels of the square."""
    parts: list[NDArray[np.floating]] = []
    for cells, count in GRIDS:
        at = (np.arange(cells) + 0.5) * (SIDE / cells)
        parts.append(np.repeat(np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2), count, axis=0))
    return np.concatenate(parts).astype(np.float64)


def candidates(outputs: Sequence[torch.Tensor], *, least: float = LEAST) -> NDArray[np.float64]:
    """The sure candidates in the network's outputs for one picture.

    Rows of 17 numbers: the score, the box and six points in pixels of the square.
    """
    logits, shifts = sorted((output[0].double().numpy() for output in outputs), key=lambda output: output.shape[-1])
    score = 1 / (1 + np.exp(-np.clip(logits, -_LIMIT, _LIMIT)))
    places = _places()
    middle, half = places + shifts[:, :2], shifts[:, 2:4] / 2
    points = np.tile(places, 6) + shifts[:, 4:]
    rows = np.concatenate([score, middle - half, middle + half, points], axis=1)
    return rows[rows[:, 0] >= least]


def merged(rows: NDArray[np.float64], overlap: float = SAME) -> list[NDArray[np.float64]]:
    """Each face once, the surest first: the mean of the candidates that overlap its surest one, weighted by their scores."""
    rows = rows[np.argsort(-rows[:, 0], kind="stable")]
    found: list[NDArray[np.float64]] = []
    while len(rows):
        same = _overlaps(rows[0, 1:5], rows[:, 1:5]) > overlap
        same[0] = True
        group = rows[same]
        mean = (group[:, :1] * group).sum(0) / group[:, 0].sum()
        mean[0] = rows[0, 0]
        found.append(mean)
        rows = rows[~same]
    return found


def _overlaps(one: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    sides = np.minimum(one[2:], others[:, 2:]) - np.maximum(one[:2], others[:, :2])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    areas = np.prod(one[2:] - one[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1)
    return shared / np.maximum(areas - shared, 1e-9)


@cache
def _network(path: str) -> Network:
    """The detector in a face landmarker file, read once per process."""
    try:
        with zipfile.ZipFile(path) as opened:
            return read_network(opened.read(MEMBER))
    except (zipfile.BadZipFile, KeyError, OSError, UnreadableModel) as error:
        raise unusable(path, error) from error


def unusable(path: str, reason: Exception) -> ToonbenchError:
    """The error about a file that holds no face landmarker."""
    return ToonbenchError(
        f"weights '{Path(path)}' cannot be used ({reason}); run toonbench weights fetch face-landmarker"
    )
