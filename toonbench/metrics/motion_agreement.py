"""Motion agreement: does the output move when and as the driving video does? For real clips, without ground truth."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from toonbench.metrics._motion import refused
from toonbench.metrics.shared import dataset_features
from toonbench.motion.agreement import FEWEST_CHANNELS, FEWEST_FRAMES, FLAT, Agreement, agreement, mean_of_moving
from toonbench.motion.drawn import read_drawn
from toonbench.motion.photographed import read_photographed
from toonbench.motion.readers import by, other, reader_of_driving, reader_of_output
from toonbench.networks.curves import CURVES, WIDTH, Curves, unread
from toonbench.types import Frames, Metric, Need, Rows, Sample, ToonbenchError

Read = Callable[[Frames], Curves]

_OUTPUT, _DRIVING, _OUTPUT_2, _DRIVING_2 = (slice(at * WIDTH, (at + 1) * WIDTH) for at in range(4))
_REFUSED = 4 * WIDTH
_UNREAD = np.float32(-1e4)  # in the second readings, whose missing values are no missing measurement
_OTHERS = 5  # wrong driving videos that every output is compared with
_SUSPECTED = 0.1  # share of a clip's frames that must show the driving video before they are refused
_YAW, _ROLL = CURVES.index("yaw"), CURVES.index("roll")
_MOST = 0.5  # share of frames
_REVERSED = -0.5  # agreement of yaw without lag, in frames that were read, up to which an output turns the other way


class MotionAgreement(Metric):
    """Mean rank agreement of seven motion curves of the output with those of its driving video; -1 (reversed) to 1 (same order).

    The curves are yaw, pitch, roll, jaw, blink, smile and horizontal gaze (`toonbench.motion`). One network reads the driving
    video and another one the output, except where both are drawn; a table in `toonbench/motion/readers.py` says which. Each
    channel that moves in the driving video has the best of five agreements, with lags of -2 to 2 frames: Gini's correlation
    (`toonbench/motion/agreement.py`). A frame of the output without a face disagrees with all others, and so do frames with the
    driving video's own face, if a tenth of the clip's frames or more have it. The pair's value is the mean of these channels;
    with fewer than three, or fewer than 12 frames in which the driving video's face was read, the pair is not measured. It needs
    no target and no ground truth.
    """

    name = "motion_agreement"
    version = 1
    higher_is_better = True
    needs: frozenset[Need] = frozenset({"driving"})
    weights = ("face-landmarker",)
    features = "motion_curves@1"
    features_of: frozenset[Need] = frozenset({"driving"})
    temporal = True
    bounds = (-1.0, 1.0)

    def __init__(self, *, photographs: Read = read_photographed) -> None:
        self._photographs = photographs

    @classmethod
    def with_test_weights(cls) -> MotionAgreement:
        """The metric with one reader in place of both: it runs without any download, and a reader's errors are on both sides."""
        return cls(photographs=read_drawn)

    def extract_features(self, frames: Frames) -> Rows:
        """(frames, 14) float32: the curves by the reader of photographs, then by that of drawings; NaN where none finds a face."""
        return np.concatenate([self._photographs(frames), read_drawn(frames)], axis=1)

    def add(self, state: Any, chunk: Sample) -> Rows:
        """Rows of the chunk's frames: each frame is read alone."""
        del state
        return self.measure(chunk)

    def measure(self, sample: Sample) -> Rows:
        """(frames, 29) float32: curves of the output and of the driving video, NaN where no face was read; the same by the other
        reader of each, -10000 where that finds none; 1 in frames that show the driving video's face, 0 in others.
        """
        driving = dataset_features(self, sample, "driving")
        if len(driving) != len(sample.generated):
            raise ToonbenchError(
                f"{self.name} of pair '{sample.pair.id}': {len(sample.generated)} frames were generated and the driving video has "
                f"{len(driving)}; generate one frame for every driving frame"
            )
        output = self.extract_features(sample.generated)
        pair = sample.pair
        first = reader_of_driving(pair.driving.domain)
        second = reader_of_output(pair.source.domain, pair.driving.domain)
        parts = [by(second, output), by(first, driving), by(other(second), output), by(other(first), driving)]
        shows_driving = refused(sample) & np.isfinite(parts[0]).all(axis=1)  # a black frame shows no face
        parts[2:] = [np.where(np.isfinite(part), part, _UNREAD) for part in parts[2:]]
        return np.concatenate([*parts, shows_driving[:, None]], axis=1, dtype=np.float32)

    def value(self, rows: Rows) -> float:
        """The mean over channels that move in the driving video; NaN where that was not measured."""
        return _compared(rows).value

    def cautions(self, rows: Sequence[Rows]) -> list[str]:
        """Why pairs have no value, and a reader that seems to have failed without an error."""
        reasons = Counter(_reason(one) for one in rows if not math.isfinite(self.value(one)))
        silent = (
            _silent(rows, *part) for part in (("outputs", _OUTPUT, _OUTPUT_2), ("driving videos", _DRIVING, _DRIVING_2))
        )
        return [
            *(
                f"{count} of {len(rows)} measured pairs have no value: {reason}"
                for reason, count in reasons.most_common()
            ),
            *filter(None, silent),
        ]

    def details(self, rows: Sequence[Rows], reference: Sequence[Rows] = ()) -> Mapping[str, float]:  # noqa: ARG002
        """What the value is compared with (another driving video, two readers of one video), and its parts."""
        pairs = [one for one in rows if one.shape[1] > _REFUSED and np.isfinite(self.value(one))]
        found = [_compared(one) for one in pairs]
        best = np.array([one.best for one in found]).reshape(-1, WIDTH)
        return {
            "wrong driving video": _mean(_wrong(pairs)),
            "two readers on the driving video": _mean(agreement(one[:, _DRIVING], _second(one, _DRIVING_2)).value for one in pairs),
            "without lag": _mean(mean_of_moving(one.at_once) for one in found),
            "amplitude": _mean(mean_of_moving(one.amplitude) for one in found),
            "readers exchanged": _mean(agreement(_second(one, _DRIVING_2), _second(one, _OUTPUT_2)).value for one in pairs),
            **{name: _mean(best[:, at]) for at, name in enumerate(CURVES)},
            "pairs that turn the other way (mirrored)": _mean(map(_mirrored, pairs)),
            "frames that show the driving video": _mean(one[:, _REFUSED].mean() for one in pairs),
        }  # fmt: skip


def _compared(rows: Rows) -> Agreement:
    if rows.shape[1] <= _REFUSED:  # a pair whose measurement failed altogether
        return agreement(unread(len(rows)), unread(len(rows)))
    return agreement(rows[:, _DRIVING], _accepted(rows))


def _reason(rows: Rows) -> str:
    """Why a pair has no value."""
    readable = rows.shape[1] > _REFUSED and np.isfinite(rows[:, _DRIVING]).all(axis=1).sum() >= FEWEST_FRAMES
    if not readable:
        return f"the driving video's face was read in fewer than {FEWEST_FRAMES} frames"
    return f"fewer than {FEWEST_CHANNELS} of the {WIDTH} curves move in the driving video"


def _silent(rows: Sequence[Rows], what: str, part: slice, again: slice) -> str:
    """What a reader that fails on every pair leaves behind, where the other reader does not: no faces, or constant curves."""
    pairs = [(one[:, part], _second(one, again)) for one in rows if one.shape[1] > _REFUSED]
    read, checked = (np.array([np.isfinite(both[side]).all(axis=1).mean() for both in pairs]) for side in (0, 1))
    if pairs and not read.any() and checked.mean() > _MOST:
        return f"its reader finds no face in any of the {what}, and the other one in {checked.mean():.0%} of their frames: check it"
    still, other_still = (all(_still(both[side]) for both in pairs) for side in (0, 1))
    if read.any() and still and not other_still:
        return f"its reader finds constant curves in all of the {what}, and the other one motion: check it"
    return ""


def _still(curves: Curves) -> bool:
    """Whether curves are constant, or of no face."""
    found = curves[np.isfinite(curves).all(axis=1)]
    return not len(found) or not np.ptp(found, axis=0).any()


def _accepted(rows: Rows) -> Curves:
    """The output's curves, NaN in frames that show the driving video; a few such frames of a clip are taken for chance."""
    suspected = rows[:, _REFUSED] > 0
    if suspected.sum() < _SUSPECTED * len(rows):
        return rows[:, _OUTPUT]
    return np.where(suspected[:, None], np.float32(np.nan), rows[:, _OUTPUT])


def _second(rows: Rows, part: slice) -> Curves:
    """The second reader's curves, NaN where it found no face."""
    return np.where(rows[:, part] == _UNREAD, np.float32(np.nan), rows[:, part])


def _mirrored(rows: Rows) -> float:
    """1 if the output turns the other way, 0 if not, judged by frames with a face; NaN unless both heads turn."""
    output = _accepted(rows)
    read = np.isfinite(output).all(axis=1)
    turned = agreement(rows[read, _DRIVING], output[read])
    measured = np.isfinite(turned.at_once[_YAW]) and np.ptp(output[read, _YAW]) >= FLAT[_YAW]
    leans_along = turned.at_once[_ROLL] > 0  # which no mirror does
    return float(turned.at_once[_YAW] <= _REVERSED and not leans_along) if measured else math.nan


def _wrong(pairs: Sequence[Rows]) -> Iterator[float]:
    """The value of each output against the next _OTHERS of the run's driving videos, each of which counts once."""
    curves = [np.ascontiguousarray(one[:, _DRIVING]) for one in pairs]
    numbers: dict[bytes, int] = {}
    own = [numbers.setdefault(one.tobytes(), len(numbers)) for one in curves]
    distinct = [curves[own.index(number)] for number in range(len(numbers))]
    for at, one in zip(own, pairs, strict=True):
        for step in range(1, min(_OTHERS, len(distinct) - 1) + 1):
            driving = distinct[(at + step) % len(distinct)]
            frames = min(len(one), len(driving))
            yield agreement(driving[:frames], _accepted(one)[:frames]).value


def _mean(values: Iterable[float]) -> float:
    found = [value for value in values if math.isfinite(value)]
    return math.fsum(found) / len(found) if found else math.nan
