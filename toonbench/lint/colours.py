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
LIMITED: Mapping[str, NDArray[np.int64]] = {
    "squeezed": np.rint(LEVELS * (219 / 255) + 16).astype(np.int64),
    "expanded": np.clip(np.rint((LEVELS - 16) * (255 / 219)), 0, 255).astype(np.int64),
    "overflown": np.rint((LEVELS - 16) * (255 / 219)).astype(np.int64) % 256,
}
"""What each value becomes when full range is written as limited range, and when limited range is assumed for full range:
values outside 16 to 235 are cut, or wrapped round."""
TO_601 = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
TO_709 = np.array([[0.2126, 0.7152, 0.0722], [-0.114572, -0.385428, 0.5], [0.5, -0.454153, -0.045847]])
MATRICES: Mapping[str, NDArray[np.float64]] = {
    "as_709": np.linalg.solve(TO_709, TO_601),
    "as_601": np.linalg.solve(TO_601, TO_709),
}
"""RGB (a column) that was written as Y'CbCr by one standard and read by the other."""
ROOM = {
    "swapped": 6.0, "crushed": 8.0, "wrapped": 8.0, "washed": 8.0, "stretched": 0.3, "squeezed": 2.0, "expanded": 2.0,
    "overflown": 2.0,
}  # fmt: skip
"""Least distance of damaged and sound reference at which a video can be compared with both: grey has no red and blue, and a
slight tint of a nearly grey picture looks like a swap of them."""
MIXED_ROOM = 1.0  # grey levels (root mean square) that a matrix changes, below which its use does not show


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
    damaged = {name: _recoded(reference, code) for name, code in {**CODES, **LIMITED, "stretched": stretch}.items()}
    damaged["swapped"] = reference[::-1]
    to_sound = _distance(video, reference)
    found: dict[str, float] = {}
    left = {name: _distance(video, other) for name, other in damaged.items()}
    for name, other in damaged.items():
        room = _distance(reference, other)
        found[name] = (to_sound - left[name]) / room if room >= ROOM[name] else float("nan")
    return _limited(found, left=left)


def _limited(found: dict[str, float], *, left: Mapping[str, float]) -> dict[str, float]:
    """The values of the mistakes that leave the smallest distance: mistakes of different strength lie in the same direction.

    The value of `expanded` is that of the better explanation, values cut or wrapped round.
    """
    stronger = min(left[name] for name in (*CODES, "swapped"))
    overflown = found.pop("overflown")
    if left["overflown"] < left["expanded"]:
        found["expanded"] = overflown
    for name in ("squeezed", "expanded"):
        if stronger < min(left[name], left["overflown"] if name == "expanded" else np.inf):
            found[name] = -1.0
    if stronger > min(left[name] for name in LIMITED):
        found |= {name: -1.0 for name in (*CODES, "swapped") if found[name] > 0}
    return found


def mixed(video: NDArray[np.float32], reference: NDArray[np.float32]) -> dict[str, float]:
    """For each of MATRICES, how well it explains the differences of aligned pictures, (..., 3): 1 exactly, 0 or less not.

    The part of the squared differences that the matrix removes, over the part that the best affine map of colours removes.
    NaN where the matrix changes less than MIXED_ROOM.
    """
    colours, made = (one.reshape(-1, 3).astype(np.float64) for one in (reference, video))
    change = made - colours
    design = np.column_stack([colours, np.ones(len(colours))])
    moments = design.T @ design
    fitted = np.linalg.lstsq(moments, design.T @ change, rcond=None)[0]
    removable = float(2 * (fitted * (design.T @ change)).sum() - (fitted * (moments @ fitted)).sum())
    found: dict[str, float] = {}
    for name, matrix in MATRICES.items():
        moved = colours @ (matrix - np.eye(3)).T
        size = float((moved * moved).sum())
        removed = 2 * float((moved * change).sum()) - size
        room = np.sqrt(size / max(len(moved), 1)) >= MIXED_ROOM
        found[name] = removed / max(removable, 0.25 * size) if room else float("nan")
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


def paired(video: Histograms) -> float:
    """How many values lie at the levels that two levels of the full range are squeezed to, over the mean of the levels beside.

    2 for values that were squeezed to 16 to 235 (rounded or cut to whole numbers), near 1 for others.
    """
    counted = video.sum(axis=0)
    found: list[float] = []
    for code in (LIMITED["squeezed"], (LEVELS * (219 / 255) + 16).astype(np.int64)):
        twice = np.flatnonzero(np.bincount(code, minlength=256) == 2)
        beside = float(counted[twice - 1].mean() + counted[twice + 1].mean()) / 2
        found.append(float(counted[twice].mean()) / beside if beside > 0 else 0.0)
    return max(found)


def skipped(video: Histograms) -> float:
    """How many values lie at the levels that no level is stretched to when 16 to 235 become 0 to 255, over the mean beside.

    0 for values that were stretched so (rounded or cut to whole numbers), near 1 for others.
    """
    counted = video.sum(axis=0)
    found: list[float] = []
    for code in (LEVELS - 16) * (255 / 219), (LEVELS - 16) * (255 / 219) - 0.5:
        reached = np.bincount(np.clip(np.rint(code), 0, 255).astype(np.int64), minlength=256) > 0
        never = np.flatnonzero(~reached[1:-1]) + 1
        beside = float(counted[never - 1].mean() + counted[never + 1].mean()) / 2
        found.append(float(counted[never].mean()) / beside if beside > 0 else 1.0)
    return min(found)


def _distance(one: Histograms, other: Histograms) -> float:
    return float(np.abs(np.cumsum(one - other, axis=1)).sum(axis=1).mean())


def _recoded(reference: Histograms, code: NDArray[np.int64]) -> Histograms:
    return np.stack([np.bincount(code, channel, 256) for channel in reference]).astype(np.float64)
