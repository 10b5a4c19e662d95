"""What several metrics have in common: the check that a target is there, and the pooling over frames and pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from toonbench.types import Frames, Metric, Need, Rows, Sample, ToonbenchError


def dataset_features(metric: Metric, sample: Sample, need: Need) -> Rows:
    """Features of the sample's target or driving video (a row a frame) or source (one row): those stored before, or made here.

    Raises ToonbenchError if the sample has no such frames.
    """
    stored = sample.features.get((need, metric.features))
    if stored is not None:
        return stored
    if need == "target":
        return metric.extract_features(target_of(sample, metric.name))
    if need == "driving" and sample.driving is not None:
        return metric.extract_features(sample.driving)
    if need != "source" or sample.source is None:
        raise ToonbenchError(
            f"{metric.name} needs a {need} and pair '{sample.pair.id}' has none; leave this metric out"
        )
    return metric.extract_features(sample.source[None])


def target_of(sample: Sample, metric: str) -> Frames:
    """The target frames of `sample`, known to be of the generated frames' shape.

    Raises ToonbenchError if there is no target, or if frames, height or width differ.
    """
    if sample.target is None:
        raise ToonbenchError(
            f"{metric} needs a target and pair '{sample.pair.id}' has none; "
            "use a task with targets (same identity, or puppets), or leave this metric out"
        )
    if sample.target.shape != sample.generated.shape:
        raise ToonbenchError(
            f"{metric} of pair '{sample.pair.id}': generated frames are {sample.generated.shape}, the target is "
            f"{sample.target.shape}; they must have the same frames, height and width: cut or resize one to the other"
        )
    return sample.target


def cosines(generated: NDArray[np.floating], source: NDArray[np.floating]) -> Rows:
    """(frames, 2) float32: the cosine of each row of `generated` (frames, values) to `source` (values,), and -1, the worst value.

    Features have length 1. The cosine is NaN where `generated` is, and both are NaN where `source` is.
    """
    found = np.clip(generated.astype(np.float64) @ source.astype(np.float64), -1, 1)
    return with_worst(found, np.full(len(found), -1.0 if np.isfinite(source).all() else np.nan))


def with_worst(*columns: Rows | np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Rows:
    """Columns of one number a frame side by side, the worst value last; NaN altogether where the worst is NaN."""
    rows = np.stack(columns, axis=1).astype(np.float32)
    rows[~np.isfinite(rows[:, -1])] = np.nan
    return rows


def mean_of_pair_means(rows: Sequence[Rows]) -> float:
    """Mean of the first column within each pair, then over pairs: a long video counts no more than a short one.

    NaN rows are left out, and so is a pair of which nothing was measured; NaN if nothing is left.
    """
    return mean_of_found(rows)


def value_with_losses(rows: Rows) -> float:
    """`mean_with_losses` of one pair."""
    return mean_with_losses([rows])


def mean_with_losses(rows: Sequence[Rows], *, pooled: bool = False) -> float:
    """The mean of column 0, a lost frame (NaN there) counting as the worst case, which is in the last column.

    So a face that is not found never helps. Rows whose last column is NaN, where the target or source could not be measured, are
    left out. `pooled` takes the mean over all frames; otherwise it is over each pair's frames and then over pairs.
    """
    measured = [one[np.isfinite(one[:, -1])].astype(np.float64) for one in rows if one.shape[1] > 1]
    return _mean([np.where(np.isfinite(one[:, 0]), one[:, 0], one[:, -1]) for one in measured], pooled=pooled)


def mean_of_found(rows: Sequence[Rows], *, pooled: bool = False) -> float:
    """The mean of column 0 over the frames that have one, as publications skip the others."""
    return _mean([one[np.isfinite(one[:, 0]), 0].astype(np.float64) for one in rows], pooled=pooled)


def share_found(rows: Sequence[Rows]) -> float:
    """The share of the frames with a measured target or source whose own value could be measured; NaN if there is none."""
    measured = [one[np.isfinite(one[:, -1]), 0] for one in rows if one.shape[1] > 1]
    values = np.concatenate(measured) if measured else np.empty(0)
    return float(np.isfinite(values).mean()) if values.size else float("nan")


def _mean(values: Sequence[NDArray[np.float64]], *, pooled: bool) -> float:
    measured = [one for one in values if one.size]
    if not measured:
        return float("nan")
    return float(np.concatenate(measured).mean() if pooled else np.mean([one.mean() for one in measured]))
