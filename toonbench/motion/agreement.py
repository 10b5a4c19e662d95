"""How far the motion of an output follows the motion of its driving video: rank agreement of curves, a few frames apart.

The agreement of two curves is Gini's correlation (Schechtman and Yitzhaki 1987): the covariance of the driving curve with the ranks of
the output's curve, divided by its covariance with its own ranks. For normally distributed values it is Pearson's r. It does not
depend on offset and size, nor on any rising function of the output's curve, since a cartoon's smile may be larger than a person's.

A frame of the output without a face disagrees with every other frame. Then no frame can be lost with profit: the agreement is a sum
over pairs of frames, of which a lost frame makes each as bad as can be. Pearson's r has no such property.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toonbench.networks.curves import WIDTH

Values = NDArray[np.float64]

LAGS = (0, -1, 1, -2, 2)  # frames by which the output may be late or early
FEWEST_FRAMES = 12  # in which the driving video's face was read, below which nothing is measured
FEWEST_CHANNELS = 3  # that move in the driving video, below which nothing is measured
MOVES: Values = np.array([2.0, 1.6, 1.2, 0.02, 0.06, 0.05, 0.06])
"""Standard deviation of each driving curve above which its channel counts as moving; above what readers find in still faces."""
FLAT: Values = np.array([1.2, 1.0, 0.7, 0.015, 0.04, 0.03, 0.04])
"""Range (highest minus lowest) of each output curve below which it does not move at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far each channel of an output follows its driving video; NaN in channels that do not move in the driving video."""

    best: Values  # (WIDTH,) the best agreement of all LAGS, -1 to 1
    at_once: Values  # (WIDTH,) the agreement without lag
    amplitude: (
        Values  # (WIDTH,) standard deviation of the output's curve divided by the driving curve's; NaN if none was read
    )

    @property
    def value(self) -> float:
        """The mean of `best` over the channels that move; NaN if fewer than FEWEST_CHANNELS do."""
        return mean_of_moving(self.best)


def mean_of_moving(channels: Values) -> float:
    """The mean of channels that are not NaN; NaN if fewer than FEWEST_CHANNELS are."""
    moving = channels[np.isfinite(channels)]
    return float(moving.mean()) if moving.size >= FEWEST_CHANNELS else float("nan")


def agreement(driving: NDArray[np.floating], output: NDArray[np.floating]) -> Agreement:
    """Compare the curves of two videos, (frames, WIDTH) each and as many frames; NaN where no face was read.

    Frames of the driving video without a face are left out.
    """
    given, followed = driving.astype(np.float64), output.astype(np.float64)
    followed[~np.isfinite(followed).all(axis=1)] = np.nan
    best, at_once, amplitude = (np.full(WIDTH, np.nan) for _ in range(3))
    usable = np.isfinite(given).all(axis=1)
    if usable.sum() >= FEWEST_FRAMES:
        for channel in np.flatnonzero(given[usable].std(axis=0) >= MOVES).tolist():
            a, b = given[:, channel], followed[:, channel]
            found = [_cap(b, channel, correlation(*_shifted(a, b, lag))) for lag in LAGS]
            best[channel], at_once[channel] = max(found), found[0]
            amplitude[channel] = _spread(b[usable]) / a[usable].std()
    return Agreement(best=best, at_once=at_once, amplitude=amplitude)


def correlation(driving: Values, output: Values) -> float:
    """Gini's correlation of an output with the driving curve, (frames,) each, NaN in `output` where no face was read; -1 to 1.

        sum_{i<j} |d_i - d_j| sign(d_i - d_j) sign(o_i - o_j) / sum_{i<j} |d_i - d_j|

    A pair of frames of which one has no output counts -1. NaN if the driving curve is constant, or has NaN. Ranks replace the
    pairs, so time is that of sorting the curves, and memory that of the curves.
    """
    read = np.isfinite(output)
    whole, part = _differences(driving), _differences(driving[read])
    if not whole > 0:
        return float("nan")
    return float(np.clip((driving[read] @ _net_rank(output[read]) - (whole - part)) / whole, -1, 1))


def _differences(values: Values) -> float:
    """The sum of |a - b| over all pairs."""
    return float(values @ _net_rank(values))


def _net_rank(values: Values) -> Values:
    """For each value, how many others are below it minus how many are above it."""
    order = np.sort(values)
    below, above = np.searchsorted(order, values, "left"), len(values) - np.searchsorted(order, values, "right")
    return (below - above).astype(np.float64)


def _shifted(driving: Values, output: Values, lag: int) -> tuple[Values, Values]:
    """Both curves where the output is `lag` frames late, at the frames in which the driving curve was read."""
    length = len(driving) - abs(lag)
    a, b = driving[max(-lag, 0) :][:length], output[max(lag, 0) :][:length]
    usable = np.isfinite(a)
    return a[usable], b[usable]


def _cap(output: Values, channel: int, value: float) -> float:
    """`value`, at most 0 for an output that does not move: equal values have no order, and noise must not have one by chance."""
    read = output[np.isfinite(output)]
    moves = bool(read.size) and np.ptp(read) >= FLAT[channel]
    return value if moves else min(value, 0.0)


def _spread(values: Values) -> float:
    read = values[np.isfinite(values)]
    return float(read.std()) if read.size else float("nan")
