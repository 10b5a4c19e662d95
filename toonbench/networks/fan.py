"""68 landmarks of the first face of each frame: S3FD finds it, FAN reads it (face-alignment 1.5, as pose-evaluation runs it)."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toonbench.networks.deterministic import deterministic_state
from toonbench.networks.running import built, in_batches, laid_out, read_state
from toonbench.types import Frames

if TYPE_CHECKING:
    from torch import Tensor, nn

POINTS = 68
SIZE = 256  # pixels a side of the frames, as in the literature
Box = NDArray[np.float64]  # (4,) left, top, right, bottom
Detector = Callable[[Frames, str], list[Box | None]]
_MEAN = (104.0, 117.0, 123.0)  # of S3FD's pictures: blue, green, red
_OVERLAP, _SURE = 0.3, 0.5  # S3FD's suppression and threshold, as in face-alignment
_UP = 0.12  # of the box's height: how far above its middle FAN looks
_REFERENCE = 195.0  # pixels of a box (width + height, / 2 ...) at FAN's scale 1
_FIELD = 200.0  # pixels a side that FAN sees at scale 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LandmarkFinder:
    """A face detector and FAN. Build it with `from_files`, or with `with_test_weights` for tests."""

    network: nn.Module
    detect: Detector

    def landmarks(self, frames: Frames, device: str, *, flip: bool = False) -> NDArray[np.float32]:
        """(frames, 68, 2) pixels, x right and y down, of (frames, 256, 256, 3) RGB; NaN where there is no face.

        With `flip`, the heat maps of the mirrored picture are added, as face-alignment's `flip_input` does.
        """
        found = np.full((len(frames), POINTS, 2), np.nan, np.float32)
        done = 0
        network = self.network.to(device)
        for batch in in_batches(frames, device):
            boxes = self.detect(batch, device)
            crops = [(index, _crop(batch[index], box)) for index, box in enumerate(boxes) if box is not None]
            detected = [(index, crop) for index, crop in crops if crop is not None]
            if detected:
                pictures = _pictures(np.stack([crop.picture for _, crop in detected]), device)
                heat = network(pictures)[-1]
                if flip:
                    heat = heat + _mirrored(network(pictures.flip(-1))[-1])
                for (index, crop), maps in zip(detected, heat.float().cpu().numpy(), strict=True):
                    found[done + index] = _read(maps, crop)
            done += len(batch)
        return found


def from_files(landmarks: Path, detector: Path) -> LandmarkFinder:
    """The finder with the published weights of 2DFAN4 and S3FD; ToonbenchError if a file does not hold them."""
    models: Any = importlib.import_module("face_alignment.models")
    nets: Any = importlib.import_module("face_alignment.detection.sfd.net_s3fd")
    fan = built(lambda: _inference(models.FAN(4), read_state(landmarks)), landmarks)
    s3fd = built(lambda: _inference(nets.s3fd(), read_state(detector)), detector)
    return LandmarkFinder(network=fan, detect=lambda frames, device: first_faces(s3fd.to(device), frames, device))


def with_test_weights() -> LandmarkFinder:
    """FAN with deterministic test weights, and the middle of each frame for a face: a detector with such weights finds none."""
    models: Any = importlib.import_module("face_alignment.models")
    fan = models.FAN(4)
    middle = np.array([0.2, 0.2, 0.8, 0.8]) * SIZE
    return LandmarkFinder(
        network=_inference(fan, deterministic_state(fan.state_dict(), "fan68")),
        detect=lambda frames, _: [middle] * len(frames),
    )


def _inference(network: nn.Module, state: dict[str, Tensor]) -> nn.Module:
    """The network with these tensors, as it runs fastest on the CPU."""
    network.load_state_dict(state)
    return laid_out(network.eval().requires_grad_(False))


def first_faces(network: nn.Module, frames: Frames, device: str) -> list[Box | None]:
    """S3FD's surest face of each frame, None where it is sure of none."""
    import torch

    sfd: Any = importlib.import_module("face_alignment.detection.sfd.detect")
    boxes: Any = importlib.import_module("face_alignment.detection.sfd.bbox")
    pictures = torch.from_numpy(np.ascontiguousarray(frames[..., ::-1])).to(device).float() - torch.tensor(
        _MEAN, device=device
    )
    outputs = network(pictures.permute(0, 3, 1, 2))
    scores = [output.softmax(1) if index % 2 == 0 else output for index, output in enumerate(outputs)]
    arrays = [output.float().cpu().numpy() for output in scores]
    found: list[Box | None] = []
    for index in range(len(frames)):
        candidates = sfd.get_predictions([array[index : index + 1] for array in arrays], 1)[0]
        kept = candidates[boxes.nms(candidates, _OVERLAP)] if len(candidates) else []
        sure = [box for box in kept if box[4] > _SURE]
        found.append(np.asarray(sure[0][:4], np.float64) if sure else None)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Crop:
    picture: NDArray[np.uint8]  # (256, 256, 3)
    centre: NDArray[np.float64]  # (2,) pixels of the frame
    scale: float


def _crop(frame: NDArray[np.uint8], box: Box) -> _Crop | None:
    """What FAN sees of a box, or None where the box is no place in the frame."""
    utils: Any = importlib.import_module("face_alignment.utils")
    width, height = box[2] - box[0], box[3] - box[1]
    centre = np.array([box[2] - width / 2, box[3] - height / 2 - _UP * height])
    scale = float(width + height) / _REFERENCE
    if not (width >= 1 and height >= 1 and (centre >= 0).all() and (centre < SIZE).all() and scale < _FIELD):
        return None
    return _Crop(picture=utils.crop(frame, centre, scale), centre=centre, scale=scale)


def _mirrored(heat: Tensor) -> Tensor:
    """The heat maps (n, 68, h, w) of mirrored pictures as those of the pictures: left points are right ones."""
    utils: Any = importlib.import_module("face_alignment.utils")
    return utils.flip(heat, is_label=True)


def _pictures(crops: NDArray[np.uint8], device: str) -> Tensor:
    import torch

    x = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
    return x.contiguous(memory_format=torch.channels_last).to(device)


def _read(maps: NDArray[np.float32], crop: _Crop) -> NDArray[np.float32]:
    """(68, 64, 64) heatmaps to (68, 2) pixels of the frame, as `face_alignment.utils.get_preds_fromhm` reads them.

    The highest cell, a quarter of a cell towards its higher neighbours, back into the frame and cut to whole pixels. Ours
    because numba compiles that function for eight seconds in each process.
    """
    side = maps.shape[-1]
    rows, columns = np.divmod(maps.reshape(len(maps), -1).argmax(axis=1), side)
    place = np.stack([columns, rows], axis=1).astype(np.float32) + 0.5
    inner = (rows > 0) & (rows < side - 1) & (columns > 0) & (columns < side - 1)
    which, row, column = np.flatnonzero(inner), rows[inner], columns[inner]
    slope = [
        maps[which, row, column + 1] - maps[which, row, column - 1],
        maps[which, row + 1, column] - maps[which, row - 1, column],
    ]
    place[inner] += np.float32(0.25) * np.sign(np.stack(slope, axis=1))
    return np.trunc((place / side - 0.5) * (_FIELD * crop.scale) + crop.centre).astype(np.float32)
