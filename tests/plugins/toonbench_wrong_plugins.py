"""Plug-ins with one mistake each. The docstring of each is what `toonbench check` must say about it."""

import sys
from dataclasses import replace
from typing import ClassVar

import numpy as np

from toonbench.metrics.shared import target_of
from toonbench.registry import load_task
from toonbench.types import Metric

RANDOM = np.random.default_rng(0)


class Right(Metric):
    """Mean difference to the target."""

    name = "right"
    higher_is_better = False
    needs = frozenset({"target"})
    bounds = (0.0, 1.0)

    def measure(self, sample):
        difference = np.abs(sample.generated.astype(float) - target_of(sample, self.name))
        return (difference.mean(axis=(1, 2, 3)) / 255).astype(np.float32)[:, None]


class DependsOnTheOrder(Right):
    """in another order; it must not change"""

    aggregate = "corpus"

    def corpus(self, rows, reference=()):
        found = [one for one in rows if np.isfinite(one).any()]
        return float(np.nanmean(found[0])) if found else float("nan")


class KeepsState(Right):
    """measure changes the attributes mean"""

    mean = 0.0

    def measure(self, sample):
        rows = super().measure(sample)
        self.mean = (self.mean + float(rows.mean())) / 2
        return rows * 0 + np.float32(self.mean)


class KeepsStateInTheClass(Right):
    """keep no state between pairs"""

    measured: ClassVar[list[float]] = []

    def measure(self, sample):
        rows = super().measure(sample)
        self.measured.append(float(rows.mean()))
        return rows * 0 + np.float32(np.mean(self.measured))


class Float128(Right):
    """measure returned float"""

    def measure(self, sample):
        return super().measure(sample).astype(np.longdouble)


class ReturnsNone(Right):
    """measure returned NoneType; return (rows, values) float32"""

    def measure(self, sample):
        return None


class OnlyNaN(Right):
    """all 3 values of the rows are NaN; give numbers"""

    def measure(self, sample):
        return super().measure(sample) * np.float32(np.nan)


class OneDimension(Right):
    """measure returned float32 (3,) for 3 frames; return (rows, values) float32"""

    def measure(self, sample):
        return super().measure(sample)[:, 0]


class OneRowShort(Right):
    """measure returned 2 rows for 3 frames; return one row for each frame"""

    def measure(self, sample):
        return super().measure(sample)[1:]


class ChangesItsInput(Right):
    """measure writes into the frames that it is given; change a copy"""

    def measure(self, sample):
        sample.generated[...] = 255 - sample.generated
        return super().measure(sample)


class Raises(Right):
    """it raised RuntimeError: too dark"""

    def measure(self, sample):
        raise RuntimeError("too\ndark")


class Exits(Right):
    """it raised SystemExit: 3"""

    def measure(self, sample):
        sys.exit(3)


class NoMeasure(Metric):
    """it has no measure; define what is missing in the class"""

    name = "no_measure"
    higher_is_better = False


class NoDirection(Metric):
    """it has no higher_is_better; define what is missing in the class"""

    name = "no_direction"

    def measure(self, sample):
        return None


class NeedsArguments(Right):
    """cannot be built with no arguments: missing a required argument: 'size'"""

    def __init__(self, size):
        pass


class NoBounds(Right):
    """bounds is None; use a tuple of two numbers"""

    bounds = None


class ValueIsNone(Right):
    """value(rows) returned NoneType; return one number"""

    def value(self, rows):
        return None


class Still:
    """Repeats the source."""

    name = "still"
    revision = "1"

    def __init__(self, *, device="cpu", checkpoint=None):
        pass

    def animate(self, source, driving, *, motion, seed, source_domain, driving_domain):
        return np.repeat(source[None], len(driving), axis=0)


class FloatFrames(Still):
    """the method returned float32 (3, 64, 96, 3); return uint8 (3, 64, 96, 3)"""

    def animate(self, source, driving, **options):
        return super().animate(source, driving, **options).astype(np.float32) / 255


class WrongLength(Still):
    """the method returned uint8 (2, 64, 96, 3); return uint8 (3, 64, 96, 3)"""

    def animate(self, source, driving, **options):
        return super().animate(source, driving, **options)[:-1]


class ChangesTheDrivingVideo(Still):
    """it writes into the source or the driving video; change a copy"""

    def animate(self, source, driving, **options):
        driving[...] = 0
        return super().animate(source, driving, **options)


class Random(Still):
    """grey levels the second time; draw random numbers from `seed` alone"""

    def animate(self, source, driving, **options):
        return super().animate(source, driving, **options) ^ RANDOM.integers(1, 255, dtype=np.uint8)


class OtherArguments(Still):
    """animate must accept two positional arguments and the keywords motion, seed"""

    def animate(self, source, driving):
        return driving


class NoDevice(Still):
    """cannot be built with device and checkpoint"""

    def __init__(self):
        pass


class NoRevision:
    """it has no revision; define what is missing in the class"""

    name = "no_revision"

    def __init__(self, *, device="cpu", checkpoint=None):
        pass

    def animate(self, source, driving, **options):
        return driving


class NoChunks(Still):
    """animate_chunks returned NoneType; yield chunks"""

    def animate_chunks(self, source, driving, **options):
        return None


class OnlyChunks:
    """Repeats the source; it has no `animate`."""

    name = "only_chunks"
    revision = "1"

    def __init__(self, *, device="cpu", checkpoint=None):
        pass

    def animate_chunks(self, source, driving, *, motion, seed, source_domain, driving_domain):
        for chunk in driving:
            yield np.repeat(source[None], len(chunk), axis=0)


TASK = load_task("real2cartoon")
UNKNOWN_METRIC = replace(TASK, metrics=("l1@1", "lpps@1"))
OTHER_VERSION = replace(TASK, metrics=("l1@9",))
OTHER_DOMAIN = replace(TASK, source="anime")
TEXT_FOR_A_NUMBER = replace(TASK, videos="2")
