"""Laws of measuring, for `measure`, `start`, `add`, `finish` and `extract_features`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast, get_args

import numpy as np

from toonbench import weights
from toonbench.adapted import AdaptedMetric
from toonbench.testing.inputs import cut
from toonbench.testing.laws import only_if
from toonbench.testing.metric_subject import FIELDS, STORED, MetricSubject
from toonbench.types import DOMAINS, Aggregate, Metric, Need, Rows, Sample, ToonbenchError

WRITES = "measure writes into the frames that it is given; change a copy of them"
PLAIN = (bool, int, float, complex, str, bytes, type(None))


def declares_itself(subject: MetricSubject) -> str:
    """The metric declares its name, version, direction, needs and bounds, and its docstring says what it measures."""
    metric = subject.metric
    if wrong := _wrong_types(metric):
        return wrong
    faults = [
        (metric.name != subject.name, f"its name is '{metric.name}' and it is registered as '{subject.name}'"),
        (metric.version < 1, f"its version is {metric.version}; use 1 or more"),
        (not metric.needs <= set(get_args(Need)), f"needs {sorted(metric.needs)} must be among {get_args(Need)}"),
        (metric.aggregate not in get_args(Aggregate), f"aggregate '{metric.aggregate}' is not one of {get_args(Aggregate)}"),
        (not metric.bounds[0] < metric.bounds[1], f"bounds {metric.bounds} must be (lowest, highest)"),
        (not metric.features_of <= set(STORED), f"features_of {sorted(metric.features_of)} must be among {STORED}"),
        (bool(metric.features_of) and not metric.features, "features_of is given without a name of the features"),
        (not metric.__doc__ or metric.__doc__ == Metric.__doc__, "its class has no docstring"),
    ]  # fmt: skip
    unknown = sorted(set(metric.weights) - set(weights.entries()))
    faults.append((bool(unknown), f"weights {unknown} are not in the manifest of weights"))
    return "; ".join(text for wrong, text in faults if wrong)


def _wrong_types(metric: Any) -> str:
    """The declared attributes of a wrong type, each with the value and what is allowed."""
    sets, names = (set, frozenset), (tuple, list)
    allowed: dict[str, tuple[bool, str]] = {
        "version": (isinstance(metric.version, int), "a whole number, 1 or more"),
        "higher_is_better": (isinstance(metric.higher_is_better, bool), "True or False"),
        "needs": (isinstance(metric.needs, sets), f"a frozenset with names among {get_args(Need)}"),
        "features_of": (isinstance(metric.features_of, sets), f"a frozenset with names among {STORED}"),
        "calibrated": (isinstance(metric.calibrated, sets), f"a frozenset with names among {DOMAINS}"),
        "bounds": (_is_range(metric.bounds), "a tuple of two numbers, (lowest, highest)"),
        "weights": (isinstance(metric.weights, names), "a tuple of names of the manifest of weights"),
        "packages": (isinstance(metric.packages, Mapping), "a dict of modules and the packages that hold them"),
    }
    return "; ".join(
        f"{name} is {getattr(metric, name)!r}; use {use}" for name, (right, use) in allowed.items() if not right
    )


def _is_range(bounds: Any) -> bool:
    numbers = isinstance(bounds, tuple | list) and all(isinstance(one, int | float) for one in cast("Any", bounds))
    return numbers and len(cast("Any", bounds)) == 2


def rows_are_float32(subject: MetricSubject) -> str:
    """Rows are float32, (rows, values); a metric of single frames gives one row for each frame."""
    sample = subject.noisy()
    for one in (sample, cut(sample, 0, 1)):
        rows, frames = subject.rows(one), len(one.generated)
        if rows.dtype != np.float32 or rows.ndim != 2 or not rows.shape[1:] > (0,):
            return f"measure returned {rows.dtype} {rows.shape} for {frames} frames; return (rows, values) float32"
        if not subject.metric.temporal and len(rows) != frames:
            return (
                f"measure returned {len(rows)} rows for {frames} frames; return one row for each frame, "
                "or declare temporal = True if it looks across frames"
            )
    return ""


def measures_something(subject: MetricSubject) -> str:
    """At least one frame of an ordinary clip is measured."""
    only_if(not subject.metric.weights, "its networks may find nothing in the clips that are shown")
    rows = subject.rows(subject.noisy())
    return (
        ""
        if np.isfinite(rows).any()
        else f"all {rows.size} values of the rows are NaN; give numbers for frames that can be measured"
    )


def repeats_itself(subject: MetricSubject) -> str:
    """Measuring twice, after another pair, or with a new object gives the same bytes."""
    first, second = subject.noisy(0), subject.noisy(1)
    alone = [subject.rows(one) for one in (first, second)]
    again = subject.build()
    rows = [again.measure(subject.with_features(one)) for one in (first, second, first)]
    if rows[2].tobytes() != rows[0].tobytes():
        apart = _apart(rows[2], rows[0], relative=0, absolute=0)
        return (
            f"the rows of one pair differ by {apart:.3g} after a second pair was measured; "
            "keep no state between pairs, and draw nothing at random"
        )
    if [rows[0].tobytes(), rows[1].tobytes()] != [one.tobytes() for one in alone]:
        return "a new object of the class gives other rows for the same frames; they must be equal"
    return ""


def keeps_its_attributes(subject: MetricSubject) -> str:
    """Measuring does not change the metric object, apart from a network that is loaded once."""
    subject.rows(subject.noisy(0))
    before = attributes(subject.metric)
    subject.metric.measure(subject.with_features(cut(subject.noisy(1), 0, 1)))
    after = attributes(subject.metric)
    changed = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    return (
        f"measure changes the attributes {', '.join(changed)}: keep state in start, add and finish" if changed else ""
    )


def keeps_its_inputs(subject: MetricSubject) -> str:
    """Measuring does not change the frames, and accepts read-only ones."""
    sample = subject.with_features(cut(subject.noisy(0), 0, 1))
    arrays = [one for one in (sample.generated, sample.target, sample.driving, sample.source) if one is not None]
    before = [one.tobytes() for one in arrays]
    subject.metric.measure(sample)
    if before != [one.tobytes() for one in arrays]:
        return WRITES
    for one in arrays:
        one.flags.writeable = False
    try:
        subject.metric.measure(sample)
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        return WRITES
    return ""


def chunks_give_the_same_rows(subject: MetricSubject) -> str:
    """Measuring in chunks of any size gives the rows of the whole clip."""
    sample = subject.noisy()
    whole = subject.rows(sample)
    for size in {2: (1,), 3: (1, 2)}.get(len(sample.generated), (1, 5)):
        rows = subject.chunked(sample, size=size)
        if rows.shape != whole.shape:
            return f"{size}-frame chunks give rows of shape {rows.shape}, the whole clip {whole.shape}"
        if (apart := _apart(rows, whole)) > 0:
            return (
                f"{size}-frame chunks give rows that differ from the whole clip's by {apart:.3g}; "
                "they must be equal: if rows depend on other frames, declare temporal = True or define start, add and finish"
            )
    return ""


def constant_frames(subject: MetricSubject) -> str:
    """Constant frames are measured or NaN; they raise nothing and give no infinite value."""
    shown = subject.clip().frames[:1]
    black, grey, white = (np.full_like(shown, level) for level in (0, 128, 255))
    for generated, target in ((black, shown), (grey, shown), (white, shown), (shown, black), (black, black)):
        if np.isinf(subject.rows(subject.beside(generated, target))).any():
            return "constant frames give an infinite value; give NaN where a frame cannot be measured"
    return ""


def any_size(subject: MetricSubject) -> str:
    """Frames of any size, down to one pixel, are measured or NaN; they raise nothing and give no infinite value."""
    random = np.random.default_rng(0)
    for height, width in ((1, 1), (8, 13), (33, 64)):
        tiny = random.integers(0, 256, (1, height, width, 3), dtype=np.uint8)
        if np.isinf(subject.rows(subject.beside(tiny, tiny))).any():
            return (
                f"frames of {width}x{height} pixels give an infinite value; give NaN where a frame cannot be measured"
            )
    return ""


def stored_features(subject: MetricSubject) -> str:
    """Stored features of source, target and driving video give the rows that the frames themselves give."""
    only_if(subject.metric.features_of, "it compares with no stored features")
    sample = subject.noisy()
    apart = _apart(subject.metric.measure(sample), subject.rows(sample))
    return f"rows differ by {apart:.3g}; take sample.features where they are given" if apart else ""


def uses_only_its_needs(subject: MetricSubject) -> str:
    """The metric measures a sample that holds only what `needs` names."""
    sample = cut(subject.with_features(subject.noisy()), 0, 1)
    absent = {field: None for need, field in FIELDS.items() if need not in subject.metric.needs}
    absent["features"] = {key: rows for key, rows in sample.features.items() if key[0] in subject.metric.needs}  # pyright: ignore
    subject.metric.measure(replace(sample, **absent))
    return ""


def missing_need(subject: MetricSubject) -> str:
    """A sample without what `needs` names is refused with a ToonbenchError of one line that names the pair."""
    needs = sorted(subject.metric.needs & FIELDS.keys())
    only_if(needs, "it needs generated frames only")
    sample = cut(subject.noisy(), 0, 2)
    for need in needs:
        try:
            subject.metric.measure(_without(sample, need))
        except ToonbenchError as error:
            if "\n" in str(error) or sample.pair.id not in str(error):
                return f"the error for a sample without {need} is '{error}'; name the pair, in one line"
        else:
            return f"a sample without {need} is measured without an error"
    return ""


def on_an_accelerator(subject: MetricSubject) -> str:
    """An accelerator gives the rows that the CPU gives."""
    only_if(subject.metric.weights, "it has no network")
    import torch

    only_if(torch.cuda.is_available(), "this machine has no CUDA device")
    sample = cut(subject.noisy(), 0, 2)
    rows = subject.moved("cuda").measure(sample)
    apart = _apart(rows, subject.build().measure(sample), relative=1e-3, absolute=1e-4)
    return f"rows differ by {apart:.3g}" if apart else ""


def attributes(metric: Metric) -> dict[str, object]:
    """What the object holds, comparable: contents of plain values and arrays, the identity of everything else."""
    held = {name: _comparable(value) for name, value in vars(metric).items()}
    if isinstance(metric, AdaptedMetric):
        held |= {name: _comparable(value) for name, value in vars(metric.thing).items()}
    return held


def _comparable(value: Any) -> object:
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, np.ndarray):
        return value.tobytes(), value.shape
    if isinstance(value, Mapping):
        return [(key, _comparable(one)) for key, one in value.items()]
    if isinstance(value, list | tuple):
        return [_comparable(one) for one in value]
    return sorted(map(repr, value)) if isinstance(value, set | frozenset) else id(value)


def _without(sample: Sample, need: Need) -> Sample:
    features = {key: rows for key, rows in sample.features.items() if key[0] != need}
    return replace(sample, features=features, **{FIELDS[need]: None})  # pyright: ignore[reportArgumentType]


def _apart(rows: Rows, others: Rows, *, relative: float = 1e-4, absolute: float = 1e-6) -> float:
    """The largest difference of two arrays of rows of one shape; 0 where they are equal up to rounding in float32."""
    if np.allclose(rows, others, rtol=relative, atol=absolute, equal_nan=True):
        return 0.0
    found = np.abs(np.asarray(rows, np.float64) - others)
    return float(np.nanmax(found)) if np.isfinite(found).any() else float("inf")


MEASURING_BASICS = (
    declares_itself,
    rows_are_float32,
    keeps_its_inputs,
    keeps_its_attributes,
    repeats_itself,
    chunks_give_the_same_rows,
)
MEASURING = (
    measures_something,
    constant_frames,
    any_size,
    stored_features,
    uses_only_its_needs,
    missing_need,
    on_an_accelerator,
)
