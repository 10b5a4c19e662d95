"""Small metrics with each of the optional attributes, named `module:Class` by the tests."""

import os
from types import MappingProxyType

import numpy as np

from toonbench.metrics.shared import dataset_features, mean_of_found, share_found, value_with_losses
from toonbench.types import Metric


class Colour(Metric):
    """A distribution: the distance of mean colours to the reference's."""

    name = "colour"
    version = 1
    higher_is_better = False
    needs = frozenset({"reference"})
    aggregate = "corpus"
    features = "colour@1"

    def extract_features(self, frames):
        return frames.reshape(len(frames), -1, 3).mean(axis=1).astype(np.float32)

    def measure(self, sample):
        return self.extract_features(sample.generated)

    def corpus(self, rows, reference=()):
        mine, theirs = (
            np.concatenate([np.empty((0, 3)), *(one[np.isfinite(one).all(axis=1)] for one in some)])
            for some in (rows, reference)
        )
        if not len(mine) or not len(theirs):
            return float("nan")
        return float(np.abs(mine.mean(axis=0) - theirs.mean(axis=0)).sum())

    def details(self, rows, reference):
        return {"frames": float(sum(map(len, rows))), "reference images": float(sum(map(len, reference)))}


class SecondColour(Colour):
    """Another number on the same features."""

    name = "second_colour"


class Likeness(Metric):
    """How near the mean colour stays to the source's; frames whose first pixel is black have no face."""

    name = "likeness"
    version = 1
    higher_is_better = True
    needs = frozenset({"source"})
    features_of = frozenset({"source"})
    features = "likeness@1"
    calibrated = frozenset({"real"})

    def extract_features(self, frames):
        found = frames.reshape(len(frames), -1, 3).mean(axis=1).astype(np.float32)
        found[(frames[:, 0, 0] == 0).all(axis=1)] = np.nan
        return found

    def measure(self, sample):
        source = dataset_features(self, sample, "source")
        near = -np.abs(self.extract_features(sample.generated) - source).mean(axis=1) / 255
        worst = np.full(len(near), np.nan if np.isnan(source).any() else -1.0)
        return np.stack([near, worst], axis=1).astype(np.float32)

    def value(self, rows):
        return value_with_losses(rows)

    def details(self, rows, reference):
        return {"over found faces only": mean_of_found(rows), "faces found": share_found(rows)}


class Unweighted(Likeness):
    """A metric whose weights are not there."""

    name = "unweighted"
    weights = ("fan68",)


class Unpackaged(Likeness):
    """A metric whose package is not there."""

    name = "unpackaged"
    packages = MappingProxyType({"no_such_package_here": "no-such-package"})


class Cautious(Likeness):
    """A metric whose rows show why its value needs care."""

    name = "cautious"

    def cautions(self, rows):
        return [f"{len(rows)} pairs look odd"]


class Moody(Likeness):
    """Fails on some videos, or on the real frames, as the environment says."""

    name = "moody"
    features = "moody@1"

    def measure(self, sample):
        if os.environ.get("MOODY") == "generated" and sample.pair.driving.id.endswith("0"):
            raise RuntimeError("out of memory\nfor now")
        return super().measure(sample)

    def extract_features(self, frames):
        if os.environ.get("MOODY") == "real" and len(frames) == 1:
            raise RuntimeError("no luck with real frames")
        return super().extract_features(frames)


class MeanDuck:
    """Mean grey of each frame, by a class that does not derive from Metric and has only what it must have."""

    name = "mean_duck"
    higher_is_better = True
    device = "cpu"

    def measure(self, sample):
        return sample.generated.reshape(len(sample.generated), -1).mean(axis=1, keepdims=True).astype(np.float32)


class MedianDuck(MeanDuck):
    """The same with a number of its own: the median of all frames."""

    name = "median_duck"

    def reduce(self, rows):
        found = np.concatenate([one[np.isfinite(one[:, 0]), 0] for one in rows]) if len(rows) else np.empty(0)
        return float(np.median(found)) if found.size else float("nan")


class Pairwise(Metric):
    """How much neighbouring frames differ, one row for a clip: a metric that looks across frames."""

    name = "pairwise"
    higher_is_better = False
    temporal = True

    def measure(self, sample):
        frames = sample.generated.astype(np.float32)
        return np.array([[np.abs(np.diff(frames, axis=0)).mean() if len(frames) > 1 else np.nan]], np.float32)
