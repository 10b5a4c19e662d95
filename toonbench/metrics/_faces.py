"""What the metrics of faces share: frames squared and batched, cosines and worst cases."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toonbench.metrics.shared import dataset_features
from toonbench.types import Frames, Metric, Need, Rows, Sample, ToonbenchError


def generated_and_target(metric: Metric, sample: Sample) -> tuple[Rows, Rows]:
    """Features of the generated and of the target frames, a row each for every frame.

    Raises ToonbenchError if there is no target or it is of another shape.
    """
    target = dataset_features(metric, sample, "target")
    if len(target) != len(sample.generated):
        raise ToonbenchError(
            f"{metric.name} of pair '{sample.pair.id}': {len(sample.generated)} frames were generated and the target has "
            f"{len(target)}; generate one frame for every driving frame"
        )
    return metric.extract_features(sample.generated), target


def cosine_rows(metric: Metric, sample: Sample, need: Need = "source") -> Rows:
    """(frames, 2) float32: cosine of each generated frame's features to those of the source, and -1, the worst value.

    The cosine is NaN where the generated frame has no features, both are NaN where the source has none. Features are of
    length 1.
    """
    return cosines(metric.extract_features(sample.generated), dataset_features(metric, sample, need)[0])


def cosines(generated: NDArray[np.floating], source: NDArray[np.floating]) -> Rows:
    """`cosine_rows` of features of length 1: (frames, values) and (values,), NaN where nothing was found."""
    found = np.clip(generated.astype(np.float64) @ source.astype(np.float64), -1, 1)
    return with_worst(found, np.full(len(found), -1.0 if np.isfinite(source).all() else np.nan))


def with_worst(*columns: Rows | np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Rows:
    """Columns of one number a frame side by side, the worst value last; NaN altogether where the worst is NaN."""
    rows = np.stack(columns, axis=1).astype(np.float32)
    rows[~np.isfinite(rows[:, -1])] = np.nan
    return rows


def in_square(frames: Frames, size: int) -> Frames:
    """Frames brought to (frames, size, size, 3): black around the shorter side, then antialiased bicubic.

    Frames of that size stay as they are.
    """
    from PIL import Image

    height, width = frames.shape[1:3]
    if height == width == size:
        return frames
    side = max(height, width)
    inner = max(1, round(width * size / side)), max(1, round(height * size / side))
    left, top = (size - inner[0]) // 2, (size - inner[1]) // 2
    squares = np.zeros((len(frames), size, size, 3), np.uint8)
    for square, frame in zip(squares, frames, strict=True):
        small = Image.fromarray(np.ascontiguousarray(frame)).resize(inner, Image.Resampling.BICUBIC)
        square[top : top + inner[1], left : left + inner[0]] = np.asarray(small)
    return squares
