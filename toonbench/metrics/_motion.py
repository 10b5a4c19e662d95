"""What the motion metrics share: the guarded estimate of motion, and rows of estimates and ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from toonbench.metrics._guard import shows_driving
from toonbench.networks.face_motion import Estimate, estimate
from toonbench.types import CHANNELS, GroundTruth, Metric, Need, Rows, Sample, ToonbenchError

_GUARDED: list[_Guarded] = []  # of the last chunk


class MotionMetric(Metric):
    """A metric that estimates motion from generated frames and compares it with the ground-truth motion of the target.

    Every frame is estimated alone, so `measure` takes chunks even where the metric's value looks across frames.
    """

    needs: frozenset[Need] = frozenset({"motion"})

    def add(self, state: Any, chunk: Sample) -> Rows:
        """Rows of the chunk's frames."""
        del state
        return self.measure(chunk)


def truth_of(sample: Sample, metric: str) -> GroundTruth:
    """The ground-truth motion of the sample's target, of as many frames as were generated.

    Raises ToonbenchError if there is none, or if it has another number of frames.
    """
    if sample.ground_truth is None:
        raise ToonbenchError(
            f"{metric} needs ground-truth motion and pair '{sample.pair.id}' has none; "
            "use puppets (toonbench make-puppets), or leave this metric out"
        )
    if len(sample.ground_truth.rig) != len(sample.generated):
        raise ToonbenchError(
            f"{metric} of pair '{sample.pair.id}': {len(sample.generated)} frames were generated and the ground-truth motion has "
            f"{len(sample.ground_truth.rig)}; generate one frame for every driving frame"
        )
    return sample.ground_truth


def detected(sample: Sample) -> Estimate:
    """The `estimate` of the generated frames, NaN also where a frame shows the driving video's face.

    The driving video has the right motion, but its frames, or its detail in the source's colours, do not show the
    character: they count as not measured (`_guard`).
    """
    found = estimate(sample.generated)
    lost = _shows_driving(sample, found)[:, None]
    if not lost.any():
        return found
    return replace(
        found,
        landmarks=np.where(lost[..., None], np.float32(np.nan), found.landmarks),
        rig=np.where(lost, np.float32(np.nan), found.rig),
    )


def refused(sample: Sample) -> NDArray[np.bool_]:
    """(frames,) whether a generated frame shows the driving video's face (`_guard`)."""
    return _shows_driving(sample, estimate(sample.generated))


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
    """The last result of the guard, and its inputs; references are weak, so that no pixels are kept."""

    estimate: Estimate
    others: list[ref[NDArray[np.uint8]]]
    refused: NDArray[np.bool_]

    def of(self, estimate: Estimate, others: list[NDArray[np.uint8]]) -> bool:
        """Whether the inputs were this estimate and these arrays."""
        same = len(others) == len(self.others) and all(a() is b for a, b in zip(self.others, others, strict=True))
        return same and self.estimate is estimate


def curves(sample: Sample, channels: Sequence[str], *, metric: str) -> Rows:
    """The channels' estimates, then their true values, (frames, 2 * channels) float32; NaN estimates where `detected` has none."""
    truth = truth_of(sample, metric)
    columns = [CHANNELS.index(name) for name in channels]
    return np.concatenate([detected(sample).rig[:, columns], truth.rig[:, columns]], axis=1, dtype=np.float32)


def estimate_and_truth(rows: Rows, *, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows back to (frames, width) estimates and what follows them, without frames whose true values are unknown."""
    if rows.shape[1] <= width:  # a pair whose measurement failed altogether
        return np.empty((0, width)), np.empty((0, width))
    values = rows[np.isfinite(rows[:, width:]).all(axis=1)].astype(np.float64)
    return values[:, :width], values[:, width:]
