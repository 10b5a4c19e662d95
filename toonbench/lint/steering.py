"""Signs of frames that were perturbed for the landmark network: its estimates become worse where a slight blur removes fine detail.

A perturbation of a few grey levels can move the estimates of a public network towards the ground-truth motion. Such a
perturbation is fine, and a slight blur removes most of it; the motion that a picture really shows survives the blur.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toonbench.networks.face_motion import LIMITS, estimate_once
from toonbench.types import Frame, Frames

FRAMES = 8  # at most so many frames of a video are examined
FEWEST = 3  # fewer frames with a face show nothing
RADIUS = 1.5  # pixels of a picture of 128 pixels a side: sigma of the blur
_SIDE = 128

Rig = NDArray[np.float32]  # (frames, channels)


class Sampled:
    """Some frames of a video whose frames arrive in chunks: every `stride`-th from the second one on, at most FRAMES.

    The choice depends only on the number of frames, not on the chunks. The first frame may be the source itself.
    """

    def __init__(self) -> None:
        self._stride, self._count = 1, 0
        self._kept: dict[int, Frame] = {}

    def add(self, frames: Frames) -> None:
        """The next frames."""
        for frame in frames:
            if self._count and (self._count - 1) % self._stride == 0:
                self._kept[self._count] = frame.copy()
            self._count += 1
            if len(self._kept) > FRAMES:
                self._stride *= 2
                self._kept = {at: kept for at, kept in self._kept.items() if (at - 1) % self._stride == 0}

    def frames(self, *, before: int) -> tuple[list[int], Frames]:
        """The numbers of the frames that are kept, below `before`, and these frames."""
        at = [number for number in self._kept if number < before]
        return at, np.stack([self._kept[number] for number in at]) if at else np.empty((0, 1, 1, 3), np.uint8)


def steered(frames: Frames, truth: Rig) -> float:
    """How much the error of the estimated rig grows when frames are blurred: the mean over frames minus the standard deviation.

    `truth` is the ground-truth motion of the frames. The error is the mean absolute error over the channels, each as a
    part of its range. The growth is near 0 or varies from frame to frame in videos that were not perturbed. NaN where
    fewer than FEWEST frames show a face.
    """
    if len(frames) < FEWEST:
        return float("nan")
    growth = _error(blurred(frames), truth) - _error(frames, truth)
    growth = growth[np.isfinite(growth)]
    return float(growth.mean() - growth.std()) if len(growth) >= FEWEST else float("nan")


def blurred(frames: Frames) -> Frames:
    """Frames with a Gaussian blur of RADIUS."""
    from PIL import Image, ImageFilter

    blur = ImageFilter.GaussianBlur(RADIUS * max(frames.shape[1:3]) / _SIDE)
    return np.stack([np.asarray(Image.fromarray(frame).filter(blur)) for frame in frames])


def _error(frames: Frames, truth: Rig) -> NDArray[np.float64]:
    """(frames,) of the estimated rig; NaN without a face."""
    return (np.abs(estimate_once(frames).rig - truth) / (LIMITS[:, 1] - LIMITS[:, 0])).mean(axis=1)
