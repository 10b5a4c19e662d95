"""What the motion metrics share: one pass of the landmark network over a video, and rows of estimate beside truth."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from toonbench.metrics._guard import shows_driving
from toonbench.types import CHANNEL_LIMITS, CHANNELS, Frames, GroundTruth, Metric, Need, Rows, Sample, ToonbenchError

if TYPE_CHECKING:
    from torch import Tensor

LIMITS: NDArray[np.float64] = np.array(list(CHANNEL_LIMITS.values()))  # (channels, 2)
FACE = 0.5  # probability of a face below which a frame counts as not measured
_BATCH = 16
_GUARDED: list[_Guarded] = []  # of the last chunk
_LAST: dict[str, Estimate] = {}  # what the last video gave; an lru_cache would keep its pixels too


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What the landmark network sees in a video; NaN in the frames where it finds no face."""

    landmarks: NDArray[np.float32]  # (frames, LANDMARKS, 2) pixels of the video, as in `GroundTruth`
    rig: NDArray[np.float32]  # (frames, channels), within CHANNEL_LIMITS
    face: NDArray[np.float32]  # (frames,) probability that a face is there, never NaN


class MotionMetric(Metric):
    """A metric that reads motion off generated frames and compares it with the ground-truth motion of the target.

    Frames are read one by one, so `measure` takes chunks even where the metric's value looks across frames.
    """

    needs: frozenset[Need] = frozenset({"motion"})

    def add(self, state: Any, chunk: Sample) -> Rows:
        """Rows of the chunk's frames."""
        del state
        return self.measure(chunk)


def truth_of(sample: Sample, metric: str) -> GroundTruth:
    """The exact motion of the sample's target, of as many frames as were generated.

    Raises ToonbenchError if there is none, or if it has another number of frames.
    """
    if sample.ground_truth is None:
        raise ToonbenchError(
            f"{metric} needs exact motion and pair '{sample.pair.id}' has none; "
            "use puppets (toonbench make-puppets), or leave this metric out"
        )
    if len(sample.ground_truth.rig) != len(sample.generated):
        raise ToonbenchError(
            f"{metric} of pair '{sample.pair.id}': {len(sample.generated)} frames were generated and the exact motion has "
            f"{len(sample.ground_truth.rig)}; generate one frame for every driving frame"
        )
    return sample.ground_truth


def estimate(frames: Frames) -> Estimate:
    """Landmarks and rig of every frame, (frames, height, width, 3) uint8 RGB of any size.

    What the last video gave is remembered by its checksum, so that the motion metrics of one pair share one pass. Runs
    on one thread of the CPU whatever the machine has: sums in another order are other bytes.
    """
    key = _checksum(frames)
    if key not in _LAST:
        found = _estimate(frames)
        _LAST.clear()
        _LAST[key] = found
    return _LAST[key]


def _checksum(frames: NDArray[np.uint8]) -> str:
    return hashlib.blake2b(np.ascontiguousarray(frames).data).hexdigest() + str(frames.shape)


def seen(sample: Sample) -> Estimate:
    """The `estimate` of the generated frames, NaN also where a frame shows the driving video's face.

    The driving video has the right motion, but its frames, or its detail in the source's colours, do not show the
    character: they count as not measured (`_guard`).
    """
    found = estimate(sample.generated)
    lost = _shows_driving(sample, found)[:, None]
    if not lost.any():
        return found
    return Estimate(
        landmarks=np.where(lost[..., None], np.float32(np.nan), found.landmarks),
        rig=np.where(lost, np.float32(np.nan), found.rig),
        face=found.face,
    )


def _shows_driving(sample: Sample, found: Estimate) -> NDArray[np.bool_]:
    """`shows_driving`, once for all motion metrics of a chunk: they have the same estimate and the same arrays."""
    others = [frames for frames in (sample.driving, sample.target, sample.source) if frames is not None]
    if _GUARDED and _GUARDED[0].of(found, others):
        return _GUARDED[0].refused
    refused = shows_driving(sample, found.landmarks)
    _GUARDED[:] = [_Guarded(estimate=found, others=[ref(frames) for frames in others], refused=refused)]
    return refused


@dataclass(frozen=True, slots=True, kw_only=True)
class _Guarded:
    """What the guard said last, and of what; references are weak, so that no pixels are kept."""

    estimate: Estimate
    others: list[ref[NDArray[np.uint8]]]
    refused: NDArray[np.bool_]

    def of(self, estimate: Estimate, others: list[NDArray[np.uint8]]) -> bool:
        """Whether it is of the same estimate beside the same arrays."""
        same = len(others) == len(self.others) and all(a() is b for a, b in zip(self.others, others, strict=True))
        return same and self.estimate is estimate


def curves(sample: Sample, channels: Sequence[str], *, metric: str) -> Rows:
    """The channels' estimates, then their truths, (frames, 2 * channels) float32; NaN estimates where `seen` has none."""
    truth = truth_of(sample, metric)
    columns = [CHANNELS.index(name) for name in channels]
    return np.concatenate([seen(sample).rig[:, columns], truth.rig[:, columns]], axis=1, dtype=np.float32)


def estimate_and_truth(rows: Rows, *, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows back to (frames, width) estimates and what follows them, without frames whose truth is unknown."""
    if rows.shape[1] <= width:  # a pair whose measurement failed altogether
        return np.empty((0, width)), np.empty((0, width))
    values = rows[np.isfinite(rows[:, width:]).all(axis=1)].astype(np.float64)
    return values[:, :width], values[:, width:]


def _estimate(frames: Frames) -> Estimate:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            parts = [_look(frames[at : at + _BATCH]) for at in range(0, len(frames), _BATCH)]
    finally:
        torch.set_num_threads(threads)
    landmarks, rig, face = (np.concatenate(values) for values in zip(*parts, strict=True))
    for values in (landmarks, rig, face):
        values.flags.writeable = False
    return Estimate(landmarks=landmarks, rig=rig, face=face)


def _look(frames: Frames) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Landmarks, rig and probability of a face of one batch."""
    from toonbench.networks.landmarks import SIZE

    pictures, scale, corner = _pictures(frames, size=SIZE)
    output = _network()(pictures)
    face = output.face.sigmoid().numpy()
    rig = LIMITS[:, 0] + output.rig.clamp(0, 1).numpy() * (LIMITS[:, 1] - LIMITS[:, 0])
    landmarks = output.landmarks.numpy() / scale - corner
    lost = ~(face >= FACE)
    landmarks[lost], rig[lost] = np.nan, np.nan
    return landmarks.astype(np.float32), rig.astype(np.float32), face.astype(np.float32)


def _pictures(frames: Frames, *, size: int) -> tuple[Tensor, float, NDArray[np.float64]]:
    """Frames as the network wants them, the factor of their size, and the x and y of their corner in the square."""
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
