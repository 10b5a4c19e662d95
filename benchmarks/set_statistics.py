"""Simulations of sets whose frames are alike within a clip: what KID makes of them, and how often `compare` finds what is not there.

    OMP_NUM_THREADS=1 python benchmarks/set_statistics.py kid
    OMP_NUM_THREADS=1 python benchmarks/set_statistics.py compare [DRAWS]

Random numbers stand for features: correlated, not negative. The figures stand in docs/metrics/notes/kid.md and docs/compare.md.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from toonbench.metrics.fid import FID
from toonbench.metrics.kid import APART, KID
from toonbench.stats import paired
from toonbench.types import Rows

Values = NDArray[np.float64]
FACTORS, FRAMES = 6, 10


def middles(rng: np.random.Generator, count: int, *, width: int, size: float) -> Values:
    """(count, width): one row a clip; clips are independent of each other."""
    mix = np.random.default_rng(99).normal(size=(FACTORS, width)) * size
    return np.maximum(rng.normal(size=(count, FACTORS)) @ mix + rng.normal(size=(count, width)) / 2 + 0.3, 0)


def frames_of(rng: np.random.Generator, middle: Values, *, frames: int, own: float = 0.05) -> Rows:
    """(frames, width) float32 of one clip."""
    return (middle + own * rng.normal(size=(frames, len(middle)))).astype(np.float32)


def kid(clips: int, *, draws: int, size: float) -> str:
    """The mean, its standard error and the spread of KID, usual and without frames of one clip, where 0 is the truth."""
    found: list[tuple[float, float]] = []
    for seed in range(draws):
        rng, metric = np.random.default_rng(seed), KID()
        rows = [frames_of(rng, one, frames=FRAMES) for one in middles(rng, clips, width=64, size=size)]
        images = [frames_of(rng, one, frames=1) for one in middles(rng, clips, width=64, size=size)]
        found.append((metric.reduce(rows, images), metric.details(rows, images)[APART]))
    mean, spread = np.mean(found, axis=0), np.std(found, axis=0, ddof=1)
    error = spread / math.sqrt(draws)
    return " | ".join([*(f"{m:.4f} ± {e:.4f}" for m, e in zip(mean, error, strict=True)), f"{spread[0]:.3f}"])


def compare(kind: type[FID | KID], *, videos: int, shift: float, draws: int) -> str:
    """How often two methods are called different, and how often the interval covers the mean difference of all draws.

    Both methods show the same clips with deviations of their own; `shift` moves the second one's features. Three pairs a
    driving video, which moves them together. The reference is drawn once: it is fixed, as in a task.
    """
    width, per_video = 16, 3
    fixed = np.random.default_rng(12345)
    reference = [frames_of(fixed, one, frames=1) for one in middles(fixed, videos, width=width, size=1 / 3)]
    labels = [f"v{at:03}" for at in range(videos) for _ in range(per_video)]
    results: list[paired.Paired] = []
    metric = kind()
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        drivers = middles(rng, videos, width=width, size=1 / 3)
        shown = [one + rng.normal(size=width) * 0.2 for one in drivers for _ in range(per_video)]
        sets = [[frames_of(rng, one + rng.normal(size=width) * 0.1, frames=4) for one in shown] for _ in range(2)]
        sets[1] = [one + np.float32(shift) for one in sets[1]]
        a, b = (_without_each(metric, some, labels, reference) for some in sets)
        results.append(paired.compare_sets(a, b))
    truth = float(np.mean([one.interval.value for one in results]))  # for shift 0 the methods are the same: 0
    truth = 0.0 if shift == 0 else truth
    found = np.mean([one.p <= paired.ALPHA for one in results])
    covers = np.mean([one.interval.low <= truth <= one.interval.high for one in results])
    return f"true difference {truth:.4g}, found {100 * found:.1f} %, interval covers {100 * covers:.1f} %"


def _without_each(
    metric: FID | KID, rows: Sequence[Rows], labels: Sequence[str], reference: Sequence[Rows]
) -> paired.LeaveOut:
    return paired.leave_out(
        rows,
        labels,
        lambda some: metric.reduce(some, reference),
        reduce_groups=lambda groups: metric.leave_out(groups, reference),
    )


def main(what: str, draws: int) -> None:
    """Print the figures."""
    if what == "kid":
        print("60 x 10, 60:", kid(60, draws=100, size=1 / 3))
        print("300 x 10, 300:", kid(300, draws=30, size=1 / 3))
        print("60 x 10, 60, larger:", kid(60, draws=100, size=1 / 2))
        return
    for kind in (FID, KID):
        for videos in (10, 20, 60):
            for shift in (0.0, 0.02, 0.1):
                print(
                    f"{kind.name}, {videos} videos, shift {shift}:",
                    compare(kind, videos=videos, shift=shift, draws=draws),
                )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 300)
