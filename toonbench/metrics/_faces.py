"""What the metrics of faces share: features of both sides, cosines, and frames in a square."""

from __future__ import annotations

import numpy as np

from toonbench.metrics.shared import cosines, dataset_features
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
