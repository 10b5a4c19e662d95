"""What several metrics have in common: the check that a target is there, and the pooling over frames and pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toonbench.types import Frames, Rows, Sample, ToonbenchError


def target_of(sample: Sample, metric: str) -> Frames:
    """The target frames of `sample`, known to be of the generated frames' shape.

    Raises ToonbenchError if there is no target, or if frames, height or width differ.
    """
    if sample.target is None:
        raise ToonbenchError(
            f"{metric} needs a target and pair '{sample.pair.id}' has none; "
            "use a task with exact targets (same identity, or puppets), or leave this metric out"
        )
    if sample.target.shape != sample.generated.shape:
        raise ToonbenchError(
            f"{metric} of pair '{sample.pair.id}': generated frames are {sample.generated.shape}, the target is "
            f"{sample.target.shape}; they must have the same frames, height and width: cut or resize one to the other"
        )
    return sample.target


def mean_of_pair_means(rows: Sequence[Rows]) -> float:
    """Mean of the first column within each pair, then over pairs: a long video counts no more than a short one.

    NaN rows are left out, and so is a pair of which nothing was measured; NaN if nothing is left.
    """
    means: list[float] = []
    for one in rows:
        values = one[:, 0].astype(np.float64)
        measured = values[np.isfinite(values)]
        if measured.size:
            means.append(float(measured.mean()))
    return float(np.mean(means)) if means else float("nan")
