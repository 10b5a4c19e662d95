"""Landmarks and rig of the face in every frame, estimated by the landmark network; the motion metrics and the linter use it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toonbench.types import CHANNEL_LIMITS, Frames

if TYPE_CHECKING:
    from torch import Tensor

LIMITS: NDArray[np.float64] = np.array(list(CHANNEL_LIMITS.values()))  # (channels, 2)
FACE = 0.5  # probability of a face below which a frame counts as not measured
_BATCH = 16
_LAST: dict[str, Estimate] = {}  # of the last video; an lru_cache would keep its pixels too


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What the landmark network estimates of a video; NaN in the frames where it finds no face."""

    landmarks: NDArray[np.float32]  # (frames, LANDMARKS, 2) pixels of the video, as in `GroundTruth`
    rig: NDArray[np.float32]  # (frames, channels), within CHANNEL_LIMITS
    face: NDArray[np.float32]  # (frames,) probability that a face is there, never NaN
    doubt: NDArray[
        np.float32
    ]  # (frames,) how unsure the landmarks are: mean logarithm of their scales (`Output`), never NaN


def estimate(frames: Frames) -> Estimate:
    """Landmarks and rig of every frame, (frames, height, width, 3) uint8 RGB of any size.

    The estimate of the last video is remembered by its checksum, so that the motion metrics of one pair share one pass.
    The network always runs on one thread of the CPU: sums in another order are other bytes.
    """
    key = _checksum(frames)
    if key not in _LAST:
        found = estimate_once(frames)
        _LAST.clear()
        _LAST[key] = found
    return _LAST[key]


def _checksum(frames: NDArray[np.uint8]) -> str:
    return hashlib.blake2b(np.ascontiguousarray(frames).data).hexdigest() + str(frames.shape)


def forget() -> None:
    """Remove the estimate that is remembered, so that the next call of `estimate` runs the network."""
    _LAST.clear()


def estimate_once(frames: Frames) -> Estimate:
    """`estimate`, and nothing is remembered."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            parts = [_look(frames[at : at + _BATCH]) for at in range(0, len(frames), _BATCH)]
    finally:
        torch.set_num_threads(threads)
    landmarks, rig, face, doubt = (np.concatenate(values) for values in zip(*parts, strict=True))
    for values in (landmarks, rig, face, doubt):
        values.flags.writeable = False
    return Estimate(landmarks=landmarks, rig=rig, face=face, doubt=doubt)


def _look(frames: Frames) -> tuple[NDArray[np.float32], ...]:
    """Landmarks, rig, probability of a face and doubt of one batch."""
    from toonbench.networks.landmarks import SIZE

    pictures, scale, corner = network_pictures(frames, size=SIZE)
    output = _network()(pictures)
    face = output.face.sigmoid().numpy()
    rig = LIMITS[:, 0] + output.rig.clamp(0, 1).numpy() * (LIMITS[:, 1] - LIMITS[:, 0])
    landmarks = output.landmarks.numpy() / scale - corner
    lost = ~(face >= FACE)
    landmarks[lost], rig[lost] = np.nan, np.nan
    doubt = output.log_scale.mean(1).numpy()
    return landmarks.astype(np.float32), rig.astype(np.float32), face.astype(np.float32), doubt.astype(np.float32)


def network_pictures(frames: Frames, *, size: int) -> tuple[Tensor, float, NDArray[np.float64]]:
    """Frames as the network expects them, the factor of their size, and the x and y of their corner in the square."""
    import torch
    from torch.nn import functional

    height, width = frames.shape[1:3]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    square = np.zeros((len(frames), side, side, 3), np.uint8)
    square[:, top : top + height, left : left + width] = frames
    x = torch.from_numpy(square).permute(0, 3, 1, 2).float()
    if side != size:
        x = functional.interpolate(x, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
    return (x / 127.5 - 1).contiguous(memory_format=torch.channels_last), size / side, np.array([left, top], np.float64)


@cache
def _network() -> Any:
    from toonbench.networks.landmarks import read_weights

    return read_weights()
