"""From rows and curves to the lines of the table: values with intervals for each test, group and case."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from toonbench import registry
from toonbench.calibrate.validity.puppets import DAMAGES, METRICS, MUTED, SYSTEMS, WEAKER
from toonbench.motion.agreement import agreement
from toonbench.networks.curves import CURVES, WIDTH
from toonbench.types import Rows

COLUMNS: tuple[str, ...] = ("test", "group", "case", "value", "low", "high", "clips")
Line = dict[str, str | float | int]
Stored = Mapping[str, Sequence[Mapping[str, Rows]]]  # style to pairs, each case to rows
Values = NDArray[np.float64]

LATE = (2, 4, 6, 12)  # frames
LOST = (0.1, 0.3)  # share of frames
DRAWS = 1000
_JAW = CURVES.index("jaw")
_TRUSTED = ("oracle", "static", "paste")  # the easiest systems to rank
_OUTPUT = slice(0, WIDTH)  # columns of the rows of motion_agreement
_DRIVING = slice(WIDTH, 2 * WIDTH)


def puppet_lines(stored: Stored) -> Iterator[Line]:
    """Target, still, reversed, late, wrong and damaged outputs of each style; which channels a muted jaw lowers; lost faces."""
    for style, pairs in stored.items():
        own = [pair[f"{METRICS[0]}|target"] for pair in pairs]
        target = _values(own)
        yield _line("puppets", style, "target", target)
        yield _line(
            "puppets", style, "static", _values([_output(one, lambda o: np.repeat(o[:1], len(o), 0)) for one in own])
        )
        yield _line("puppets", style, "reversed", _values([_output(one, lambda o: o[::-1]) for one in own]))
        for frames in LATE:
            yield _line("puppets", style, f"late {frames}", _values([_output(one, _late(frames)) for one in own]))
        wrong = _wrong(own)
        yield _line("puppets", style, "wrong driving video", wrong)
        yield _line(
            "puppets", style, "target above wrong", np.where(np.isfinite(target - wrong), target > wrong, np.nan)
        )
        for name, _ in DAMAGES:
            yield _line("puppets", style, name, _values([pair[f"{METRICS[0]}|{name}"] for pair in pairs]))
        for share in LOST:
            yield _line("puppets", style, f"lost {share:g}", _values([_output(one, _losing(share)) for one in own]))
        yield from _muted(style, own, [pair[f"{METRICS[0]}|{MUTED}"] for pair in pairs])


def _muted(style: str, own: Sequence[Rows], muted: Sequence[Rows]) -> Iterator[Line]:
    before, after = (np.array([_best(one) for one in rows]) for rows in (own, muted))
    others = [at for at in range(WIDTH) if at != _JAW]
    yield _line("puppets", style, "jaw", before[:, _JAW])
    yield _line("puppets", style, "jaw, muted", after[:, _JAW])
    yield _line("puppets", style, "others, jaw muted", _means(after[:, others] - before[:, others], axis=1))


def ranking_lines(stored: Stored) -> Iterator[Line]:
    """The value of each system by both metrics, and Kendall's tau of the two orders, with all and with the difficult systems."""
    pairs = [pair for every in stored.values() for pair in every if f"{METRICS[0]}|{SYSTEMS[0]}" in pair]
    if not pairs:
        return
    names = (*SYSTEMS, *(name for name, _ in WEAKER))
    table = np.array(
        [[[_value(metric, pair[f"{metric}|{name}"]) for name in names] for metric in METRICS] for pair in pairs]
    )  # (pairs, metrics, systems)
    for at, metric in enumerate(METRICS):
        for system, name in enumerate(names):
            yield _line("systems", metric, name, table[:, at, system])
    difficult = [at for at, name in enumerate(names) if name not in _TRUSTED]
    for group, chosen in (("all", [*range(len(names))]), ("without oracle, static, paste", difficult)):
        part = table[:, :, chosen]
        draws = np.random.default_rng(0).integers(0, len(part), (DRAWS, len(part)))
        found = [_tau(part[draw]) for draw in draws]
        low, high = _ends(np.array(found))
        yield dict(zip(COLUMNS, ("tau", group, "rig_corr", _tau(part), low, high, len(part)), strict=True))


def copy_lines(curves: Mapping[str, Mapping[str, Rows]]) -> Iterator[Line]:
    """Agreement of each kind of copy with the clip that it was made of, and with other clips."""
    for name in [key for key in next(iter(curves.values()), {}) if key != "photographs"]:
        pairs = [np.concatenate([one[name], one["photographs"]], axis=1) for one in curves.values()]
        yield _line("copies", name, "same clip", _values(pairs))
        yield _line("copies", name, "other clips", _wrong(pairs))
        best = np.array([_best(one) for one in pairs])
        for channel, label in enumerate(CURVES):
            yield _line("copies", name, label, best[:, channel])


def _late(frames: int) -> Callable[[Rows], Rows]:
    return lambda output: output[np.maximum(np.arange(len(output)) - frames, 0)]


def _losing(share: float) -> Callable[[Rows], Rows]:
    def lose(output: Rows) -> Rows:
        lost = np.random.default_rng(0).permutation(len(output))[: round(share * len(output))]
        fewer = output.copy()
        fewer[lost] = np.nan
        return fewer

    return lose


def _output(rows: Rows, changed: Callable[[Rows], Rows]) -> Rows:
    """Rows whose output curves are changed."""
    return np.concatenate([changed(rows[:, _OUTPUT]), rows[:, _DRIVING]], axis=1)


def _best(rows: Rows) -> Values:
    return agreement(rows[:, _DRIVING], rows[:, _OUTPUT]).best


def _values(rows: Sequence[Rows]) -> Values:
    return np.array([agreement(one[:, _DRIVING], one[:, _OUTPUT]).value for one in rows])


def _wrong(rows: Sequence[Rows]) -> Values:
    """The mean value of each output against the driving videos of all others."""
    found = np.full(len(rows), np.nan)
    for at, one in enumerate(rows):
        others = [other for number, other in enumerate(rows) if number != at]
        found[at] = _means(np.array([_against(one, other) for other in others]), axis=0)
    return found


def _against(one: Rows, other: Rows) -> float:
    frames = min(len(one), len(other))
    return agreement(other[:frames, _DRIVING], one[:frames, _OUTPUT]).value


def _value(metric: str, rows: Rows) -> float:
    return float(registry.load_metric(metric).value(rows))


def _tau(table: Values) -> float:
    """Kendall's tau of the two orders of systems, (pairs, 2, systems)."""
    from scipy.stats import kendalltau

    first, second = _means(table, axis=0)
    return float(kendalltau(first, second)[0])  # pyright: ignore[reportArgumentType]


def _means(values: Values, *, axis: int) -> Values:
    """The means of values without NaN; NaN where there are no others."""
    available = np.isfinite(values)
    count = available.sum(axis)
    total = np.where(available, values, 0).sum(axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _ends(draws: Values) -> tuple[float, float]:
    """The 95 % interval of values of resampled clips, without NaN; NaN where there are no others."""
    found = draws[np.isfinite(draws)]
    low, high = np.quantile(found, (0.025, 0.975)) if found.size else (np.nan, np.nan)
    return float(low), float(high)


def _line(test: str, group: str, case: str, values: Values) -> Line:
    """The mean over clips, with the 95 % interval of a bootstrap over clips."""
    found = values[np.isfinite(values)]
    if not found.size:
        return dict(zip(COLUMNS, (test, group, case, *[float("nan")] * 3, 0), strict=True))
    draws = np.random.default_rng(0).integers(0, found.size, (DRAWS, found.size))
    low, high = _ends(found[draws].mean(axis=1))
    return dict(zip(COLUMNS, (test, group, case, float(found.mean()), low, high, found.size), strict=True))
