"""The reader of motion curves: one face picture in, landmarks, seven curves and "is there a face" out.

It has the trunk of the landmark network and began with its weights; `scripts/train_motion_reader.py` trained it further, on
puppets in wider and tighter framings and on frames of real videos, whole and stylised. `weights/motion_reader.md` tells how good
it is. The metrics of puppets keep the landmark network. Like other network files it imports torch at the top, so modules above
import it inside functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from toonbench.networks.curves import CURVES, MIRRORED
from toonbench.networks.face_motion import network_pictures
from toonbench.networks.landmarks import SIZE, LandmarkNet, load_folded, mirror_landmarks
from toonbench.types import Frames

WEIGHTS = Path(__file__).parent / "weights" / "motion_reader.safetensors"
UNITS = (35.0, 20.0, 30.0, 0.4, 1.0, 1.0, 1.0)
"""The change of each curve that the network's last layer calls 1."""
ROOM = 1.45  # side of the square of `read_closely` over the longer side of the landmarks' box
FACE = 0.5  # probability of a face below which nothing is read
_BATCH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What the network says about a batch of pictures."""

    landmarks: Tensor  # (batch, LANDMARKS, 2) pixels of the 128-pixel picture, x right, y down, centres at .5
    log_scale: Tensor  # (batch, LANDMARKS) logarithm of the Laplace scale of a landmark, pixels
    curves: Tensor  # (batch, 7) in the order of CURVES, not clipped
    face: Tensor  # (batch,) logit that a face is there and can be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is read from frames in one pass; landmarks and curves are NaN in frames where no face is found."""

    landmarks: NDArray[np.float32]  # (frames, LANDMARKS, 2) pixels of the frame
    curves: NDArray[np.float32]  # (frames, 7) in the order of CURVES
    face: NDArray[np.float32]  # (frames,) probability that a face is there and can be read, never NaN
    doubt: NDArray[np.float32]  # (frames,) mean logarithm of the landmarks' scales, never NaN


class MotionReader(LandmarkNet):
    """The landmark network with seven curves in place of the rig; 0.9 million parameters, 0.2 billion multiply-adds a picture."""

    def __init__(self) -> None:
        super().__init__(len(CURVES))

    def read(self, pictures: Tensor) -> Output:
        """(batch, 3, 128, 128) RGB in [-1, 1]; may run under autocast."""
        said = self(pictures)
        return Output(
            landmarks=said.landmarks,
            log_scale=said.log_scale,
            curves=said.rig * said.rig.new_tensor(UNITS),
            face=said.face,
        )


def read_weights(path: Path = WEIGHTS) -> MotionReader:
    """Load the stored network, ready for inference in float32 on the CPU.

    Raises ToonbenchError if the file is absent or is not this network's.
    """
    network = MotionReader()
    load_folded(network, path, title="the motion reader", script="scripts/train_motion_reader.py")
    return network


@cache
def _network() -> MotionReader:
    return read_weights()


def read_pictures(frames: Frames, *, network: MotionReader | None = None) -> Reading:
    """Read every frame (n, height, width, 3) uint8 RGB of any size once, as it is; by default with the stored network.

    The network runs on one thread of the CPU, and on full batches: sums in another order are other bytes.
    """
    reader = network or _network()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            parts = [_look(reader, frames[at : at + _BATCH]) for at in range(0, len(frames), _BATCH)]
    finally:
        torch.set_num_threads(threads)
    landmarks, curves, face, doubt = (np.concatenate(values).astype(np.float32) for values in zip(*parts, strict=True))
    lost = ~(face >= FACE)
    landmarks[lost], curves[lost] = np.nan, np.nan
    return Reading(landmarks=landmarks, curves=curves, face=face, doubt=doubt)


def read_closely(frames: Frames, *, network: MotionReader | None = None) -> Reading:
    """Read every frame three times: as it is, in a square around the face that was found, and mirrored in that square.

    The curves and landmarks are means of the readings that found a face, of which there must be two. The mean is steadier than
    any of them, and depends less on the size of the face in the frame. Face and doubt are the first reading's.
    """
    whole = read_pictures(frames, network=network)
    found = np.flatnonzero(np.isfinite(whole.curves[:, 0]))
    landmarks, curves = np.full_like(whole.landmarks, np.nan), np.full_like(whole.curves, np.nan)
    if found.size:
        corners, sides = _squares(whole.landmarks[found])
        cut = np.stack([_cut(frames[at], *square) for at, *square in zip(found, corners, sides, strict=True)])
        near = read_pictures(cut, network=network)
        other = read_pictures(np.ascontiguousarray(cut[:, :, ::-1]), network=network)
        places = [near.landmarks, _unmirrored(other.landmarks)]
        placed = [part * (sides[:, None, None] / SIZE) + corners[:, None] for part in places]
        landmarks[found] = _mean([whole.landmarks[found], *placed])
        curves[found] = _mean([whole.curves[found], near.curves, other.curves * MIRRORED])
    return Reading(landmarks=landmarks, curves=curves, face=whole.face, doubt=whole.doubt)


def _squares(landmarks: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Corners (n, 2) and sides (n,) of squares around faces, whole pixels."""
    points = landmarks[:, :68].astype(np.float64)
    low, high = points.min(axis=1), points.max(axis=1)
    sides = np.maximum(2, np.round((high - low).max(axis=1) * ROOM))
    return np.round((low + high - sides[:, None]) / 2), sides


def _cut(frame: NDArray[np.uint8], corner: NDArray[np.float64], side: np.float64) -> NDArray[np.uint8]:
    """A square part of a frame, (SIZE, SIZE, 3); black outside the frame."""
    left, top, long = int(corner[0]), int(corner[1]), int(side)
    part = Image.fromarray(frame).crop((left, top, left + long, top + long))
    return np.asarray(part.resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def _unmirrored(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Landmarks of a mirrored square as those of the square."""
    turned = landmarks[:, mirror_landmarks()].copy()
    turned[..., 0] = SIZE - turned[..., 0]
    return turned


def _mean(parts: Sequence[NDArray[np.floating]]) -> NDArray[np.float32]:
    """The mean over readings (n, ...) of each frame's readings without NaN, of which there must be two."""
    stack = np.stack(parts)
    available = np.isfinite(stack)
    count = available.sum(axis=0)
    mean = np.where(available, stack, 0).sum(axis=0) / np.maximum(count, 1)
    return np.where(count >= 2, mean, np.nan).astype(np.float32)


def _look(network: MotionReader, frames: Frames) -> tuple[NDArray[np.floating], ...]:
    """Landmarks, curves, probability of a face and doubt of at most _BATCH frames, in a batch that is always full."""
    count = len(frames)
    pictures, scale, corner = network_pictures(frames, size=SIZE)
    full = torch.cat([pictures, pictures.new_zeros(_BATCH - count, *pictures.shape[1:])])
    output = network.read(full.contiguous(memory_format=torch.channels_last))
    landmarks = output.landmarks.numpy() / scale - corner
    found = landmarks, output.curves.numpy(), output.face.sigmoid().numpy(), output.log_scale.mean(1).numpy()
    return tuple(values[:count] for values in found)
