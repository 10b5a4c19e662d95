"""Scores by the yaw of the driving video (Fig. 9 of the paper, as numbers): which methods fail where the head turns far?"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toonbench import registry
from toonbench.data.motion import read_motion
from toonbench.report.entries import Entry
from toonbench.report.figures.sources import Pictures
from toonbench.report.figures.style import COLUMN, SETTINGS, save, style_of
from toonbench.stats.summary import summarise
from toonbench.types import CHANNELS, Clip, Metric, Pair, Rows, ToonbenchError

if TYPE_CHECKING:
    from numpy.typing import NDArray

EDGES = (0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 35.0)  # degrees, without sign
FEATURES = "motion_curves@1"  # yaw in degrees is the first of its curves; real clips have no ground truth
FEWEST = 3  # driving videos in a bin that is drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """The number of a method over all frames whose driving frame has a yaw of `low` to `high` degrees, to either side."""

    low: float
    high: float
    value: float
    value_low: float
    value_high: float
    frames: int
    videos: int


def bins(pictures: Pictures, entry: Entry, metric: Metric, *, edges: Sequence[float] = EDGES) -> list[Bin]:
    """The bins of a run; those with fewer than FEWEST driving videos are left out. Frames without a yaw are in none.

    Raises ToonbenchError for a metric whose rows are not those of single frames, and for clips without a yaw.
    """
    if metric.temporal or metric.aggregate == "corpus":
        raise ToonbenchError(
            f"{registry.metric_id(metric)} has no values of single frames: choose one that has, such as landmark_nme or psnr"
        )
    found = [(pair, *both) for pair in pictures.pairs if (both := _frames(entry, metric, pair)) is not None]
    made: list[Bin] = []
    for low, high in itertools.pairwise(edges):
        parts = [(pair, rows[(yaw >= low) & (yaw < high)]) for pair, rows, yaw in found]
        parts = [(pair, rows) for pair, rows in parts if len(rows)]
        videos = {pair.driving.id for pair, _ in parts}
        if len(videos) < FEWEST:
            continue
        summary = summarise(
            metric,
            [rows for _, rows in parts],
            driving=[pair.driving.id for pair, _ in parts],
            sources=[pair.source.id for pair, _ in parts],
        ).measured
        made.append(
            Bin(
                low=low, high=high, value=summary.value, value_low=summary.low, value_high=summary.high,
                frames=sum(len(rows) for _, rows in parts), videos=len(videos),
            )
        )  # fmt: skip
    return made


def _frames(entry: Entry, metric: Metric, pair: Pair) -> tuple[Rows, NDArray[np.float64]] | None:
    """A pair's rows, and the size of the yaw of each row's driving frame; None for a pair without rows."""
    rows = entry.run.read_rows(registry.metric_id(metric), pair.id)
    if rows is None:
        return None
    yaw = np.abs(_yaw(entry, pair.driving))
    skipped = len(yaw) - len(rows)
    if not 0 <= skipped <= 1:
        raise ToonbenchError(
            f"{registry.metric_id(metric)} has {len(rows)} rows for the {len(yaw)} frames of {pair.driving.id}: choose a metric "
            "with a row for each frame, such as landmark_nme or psnr"
        )
    return rows, yaw[skipped:]


def _yaw(entry: Entry, clip: Clip) -> NDArray[np.float64]:
    """The yaw of every frame in degrees: ground truth, or what `motion_agreement` read and stored."""
    if clip.motion is not None:
        return read_motion(clip.motion, fps=clip.fps).rig[:, CHANNELS.index("yaw")].astype(np.float64)
    from toonbench.store import read_array

    stored = sorted((entry.run.features / FEATURES / "all").glob(f"{clip.id}~*.npy"))
    rows = read_array(stored[0]) if stored else None
    if rows is None:
        raise ToonbenchError(
            f"the yaw of {clip.id} is not known: it has no ground-truth motion, and no motion curves are stored beside the run; "
            "score the run with --metrics motion_agreement first"
        )
    return rows[:, 0].astype(np.float64)


def draw_yaw(path: Path, found: Sequence[tuple[str, Sequence[Bin]]], metric: Metric, *, width: float = COLUMN) -> None:
    """Plot the bins of methods, (name, bins) each: value with its 95 % interval; n is the number of driving videos."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from toonbench.report.figures.style import drawable

    if not any(bins for _, bins in found):
        raise ToonbenchError(f"no bin of yaw has {FEWEST} driving videos: nothing can be drawn")
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(width, 0.72 * width), layout="constrained")
        axes: Any = figure.subplots()
        middles = sorted(
            {(one.low, one.high): one for _, own in found for one in own}.values(), key=lambda one: one.low
        )
        places = {(one.low, one.high): at for at, one in enumerate(middles)}
        for at, (name, own) in enumerate(found):
            aside = (at - (len(found) - 1) / 2) * min(
                0.14, 0.7 / len(found)
            )  # beside each other, so that bars do not overlap
            x = [places[one.low, one.high] + aside for one in own]
            y = np.array([one.value for one in own])
            ends = np.array([[one.value - one.value_low for one in own], [one.value_high - one.value for one in own]])
            label = drawable(name, longest=24)
            axes.errorbar(
                x,
                y,
                np.nan_to_num(ends).clip(0),
                label=label,
                markersize=3.5,
                capsize=0,
                elinewidth=0.9,
                **style_of(at),
            )
        labels = [f"{one.low:g}–{one.high:g}°\nn = {one.videos}" for one in middles]
        axes.set_xticks(range(len(middles)), labels)
        axes.set_xlabel("yaw of the driving frame, to either side")
        arrow = "↑" if metric.higher_is_better else "↓"
        axes.set_ylabel(f"{registry.metric_id(metric)} {arrow}")
        axes.grid(axis="y", linewidth=0.4, color="#dddddd")
        axes.set_axisbelow(True)
        figure.legend(loc="outside upper center", frameon=False, handlelength=2.6, ncols=min(2, len(found)))
    save(figure, path)
