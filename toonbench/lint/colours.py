"""Mistakes in writing colours, found from histograms: which damaged reference explains the video best.

Distances are Wasserstein-1 between histograms of values, in grey levels of 0 to 255, the mean over the channels. They
do not depend on where in the picture a colour is, so they need no target: a character keeps its colours as it moves.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from toonbench.types import Frames

Histograms = NDArray[np.float64]  # (3, 256), each channel's shares
LEVELS = np.arange(256)
CODES: Mapping[str, NDArray[np.int64]] = {
    "crushed": np.clip(2 * LEVELS - 255, 0, 255),
    "wrapped": (2 * LEVELS - 255) % 256,
    "washed": (LEVELS + 255) // 2,
}
"""What each value becomes when [-1, 1] is written as [0, 1] (negative ones cut, or wrapped round), or the other way."""
ROOM = {"swapped": 6.0, "crushed": 8.0, "wrapped": 8.0, "washed": 8.0, "stretched": 0.3}
"""Least distance of damaged and sound reference at which a video can be compared with both: grey has no red and blue, and a
slight tint of a nearly grey picture looks like a swap of them."""


def histograms(frames: Frames) -> Histograms:
    """Each channel's share of every value over all frames, (3, 256)."""
    return shares(counts(frames))


def shares(counted: Histograms) -> Histograms:
    """Counts of values, (3, 256), as shares of all pixels."""
    return counted / counted[0].sum()


def counts(frames: Frames) -> Histograms:
    """How often each value occurs in each channel over all frames, (3, 256)."""
    found = np.zeros((3, 256))
    for frame in frames:
        for channel in range(3):
            found[channel] += np.bincount(frame[..., channel].ravel(), minlength=256)
    return found


def ends(histogram: Histograms) -> tuple[int, int]:
    """The lowest and the highest value of any channel."""
    there = np.flatnonzero(histogram.sum(axis=0))
    return int(there[0]), int(there[-1])


def explained(video: Histograms, reference: Histograms) -> dict[str, float]:
    """For each mistake, -1 (the video is the sound reference) to 1 (the damaged one); NaN where these are too alike."""
    low, high = ends(reference)
    stretch = np.rint(np.clip((LEVELS - low) / max(high - low, 1) * 255, 0, 255)).astype(np.int64)
    damaged = {name: _recoded(reference, code) for name, code in {**CODES, "stretched": stretch}.items()}
    damaged["swapped"] = reference[::-1]
    to_sound = _distance(video, reference)
    found: dict[str, float] = {}
    for name, other in damaged.items():
        room = _distance(reference, other)
        found[name] = (to_sound - _distance(video, other)) / room if room >= ROOM[name] else float("nan")
    return found


def pile(video: Histograms) -> float:
    """How many values lie at the ends of the range used, over the mean of the four beside: the greater of both ends.

    Values that were cut to the range pile up at its ends; those of a clip stretched by its own extremes thin out.
    """
    shares = video.sum(axis=0)
    low, high = ends(video)
    both = (shares[low], shares[low + 1 : low + 5]), (shares[high], shares[max(high - 4, 0) : high])
    one = 1e-9  # instead of no pixel at all
    return float(max(end / max(float(beside.mean()) if beside.size else 0.0, one) for end, beside in both))


def _distance(one: Histograms, other: Histograms) -> float:
    return float(np.abs(np.cumsum(one - other, axis=1)).sum(axis=1).mean())


def _recoded(reference: Histograms, code: NDArray[np.int64]) -> Histograms:
    return np.stack([np.bincount(code, channel, 256) for channel in reference]).astype(np.float64)
