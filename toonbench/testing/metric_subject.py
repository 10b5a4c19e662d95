"""A metric under check, and the samples that suit what it declares."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from toonbench.chunks import Measuring
from toonbench.testing.inputs import FEW, FEWEST, MANY, Shown, cut, face, noisy, sample_of, texture
from toonbench.types import Frames, GroundTruth, Metric, Need, Rows, Sample, ToonbenchError

FIELDS: dict[Need, str] = {"target": "target", "driving": "driving", "source": "source", "motion": "ground_truth"}
STORED: tuple[Literal["source", "target", "driving"], ...] = ("source", "target", "driving")


class MetricSubject:
    """A metric, built by `build`; `judges` is False where its network has deterministic test weights, whose values have no meaning.

    Rows of one sample, and features of the same frames, are computed once. Faces are shown to metrics that compare features
    of faces or read motion, texture to the others.
    """

    def __init__(self, build: Callable[[], Metric], *, name: str, judges: bool = True) -> None:
        self.build = build
        self.name = name
        self.judges = judges
        self.metric = build()
        self._rows: dict[str, Rows] = {}
        self._features: dict[str, Rows] = {}

    def clip(self, seed: int = 0) -> Shown:
        """The clip number `seed` on which this metric is checked."""
        if "motion" in self.metric.needs or "driving" in self.metric.features_of:
            return face(seed, frames=MANY)
        frames = FEWEST if self.metric.weights else FEW
        return face(seed, frames=frames) if self.metric.features_of else texture(seed, frames=frames)

    def sample(self, generated: Frames, *, seed: int = 0) -> Sample:
        """`generated` beside clip number `seed`."""
        shown = self.clip(seed)
        return sample_of(generated, target=shown.frames.copy(), truth=shown.truth, seed=seed)

    def noisy(self, seed: int = 0) -> Sample:
        """Clip number `seed` with little noise, beside the clip itself."""
        return self.sample(noisy(self.clip(seed).frames, seed + 1), seed=seed)

    def beside(self, generated: Frames, target: Frames, *, truth: GroundTruth | None = None) -> Sample:
        """Any frames beside any others of the same shape."""
        return sample_of(generated.copy(), target=target.copy(), truth=truth)

    def with_features(self, sample: Sample) -> Sample:
        """The sample with stored features of its source, target and driving video, as the pipeline gives them."""
        metric, stored = self.metric, dict(sample.features)
        source = None if sample.source is None else sample.source[None]
        for what, frames in zip(STORED, (source, sample.target, sample.driving), strict=True):
            if what in metric.features_of and frames is not None:
                stored[what, metric.features] = self.features(frames)
        return replace(sample, features=stored)

    def features(self, frames: Frames) -> Rows:
        """The features of frames, a row each."""
        key = _digest(frames)
        if key not in self._features:
            self._features[key] = self.metric.extract_features(frames)
        return self._features[key]

    def rows(self, sample: Sample) -> Rows:
        """The rows of a whole sample."""
        parts = (sample.generated, sample.target, sample.source)
        key = "".join(_digest(part) for part in parts if part is not None)
        if key not in self._rows:
            rows = self.metric.measure(self.with_features(sample))
            if not isinstance(rows, np.ndarray):  # pyright: ignore[reportUnnecessaryIsInstance] - the metric of a plug-in
                raise ToonbenchError(f"measure returned {type(rows).__name__}; return (rows, values) float32")
            self._rows[key] = rows
        return self._rows[key]

    def chunked(self, sample: Sample, *, size: int) -> Rows:
        """The rows of the sample when it arrives in chunks of `size` frames."""
        measuring = Measuring(self.metric)
        whole = self.with_features(sample)
        for start in range(0, len(whole.generated), size):
            measuring.add(cut(whole, start, start + size))
        return measuring.rows()

    def measured_pairs(self) -> list[Rows]:
        """The rows of three different pairs."""
        return [self.rows(self.noisy(seed)) for seed in range(3)]

    def reference(self) -> list[Rows]:
        """Features of reference images, for a metric that compares a set with them."""
        if "reference" not in self.metric.needs or not self.metric.features:
            return []
        return [self.features(self.clip(seed).frames) for seed in range(3)]

    def number(self, rows: Sequence[Rows], reference: Sequence[Rows] = ()) -> float:
        """The metric's number of these pairs, turned so that more is better."""
        value = float(self.metric.reduce(rows, reference))
        return value if self.metric.higher_is_better else -value

    def score(self, sample: Sample) -> float:
        """The number of one sample, turned so that more is better."""
        return self.number([self.rows(sample)])

    def moved(self, device: str) -> Metric:
        """The metric on another device, on a network of its own."""
        return copy.copy(self.build()).on(device)


def close(first: float, second: float, *, relative: float = 1e-9) -> bool:
    """Whether two numbers are equal up to rounding; NaN equals NaN."""
    return (math.isnan(first) and math.isnan(second)) or math.isclose(first, second, rel_tol=relative, abs_tol=1e-12)


def _digest(frames: Frames) -> str:
    return hashlib.blake2b(np.ascontiguousarray(frames).data, digest_size=16).hexdigest() + str(frames.shape)
