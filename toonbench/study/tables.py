"""An analysis as tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

from toonbench.report.table import Cell, Column, Row, Table
from toonbench.stats.intervals import Interval
from toonbench.study.analyse import Agreement, Analysis, Part, Preference

ASKED = {
    "overall": "Which video is best?",
    "motion": "motion: which one moves like the driving video?",
    "identity": "identity: which one stays like the source?",
    "quality": "quality: which one looks better?",
}


def tables(analysis: Analysis) -> list[Table]:
    """A table for each part, and one of metrics."""
    found = [_preferences(part) for part in analysis.parts]
    return [*found, _metrics(analysis)] if analysis.metrics else found


def summary(analysis: Analysis) -> list[str]:
    """What was collected, and what is left out, in lines."""
    kept = [one for one in analysis.raters if not one.excluded]
    lines = [f"{len(kept)} of {len(analysis.raters)} raters, {sum(one.votes for one in kept)} votes with catch trials"]
    for one in analysis.raters:
        if one.excluded:
            lines.append(
                f"excluded: rater {one.rater[:8]} (sheet {one.sheet}) passed {one.passed} of {one.catches} catch trials"
            )
    if unchecked := sum(not one.catches for one in kept):
        lines.append(f"{unchecked} raters answered no catch trial, and are included")
    if shared := len(analysis.raters) - len({one.sheet for one in analysis.raters}):
        lines.append(f"{shared} raters had the number of another one, and so the same order of questions and videos")
    if analysis.duplicated:
        lines.append(f"{analysis.duplicated} votes were stored twice, and count once")
    if analysis.changed:
        lines.append(f"{analysis.changed} votes were changed later; the last one counts")
    if analysis.unreadable:
        lines.append(f"{analysis.unreadable} lines cannot be read, as where a process was killed; they are ignored")
    return lines


def _preferences(part: Part) -> Table:
    pairs = part.kind == "pair"
    columns = [Column(name="chosen %", better="higher", places=1)]
    columns += [Column(name="strength", better="higher", places=2)] if pairs else []
    group = {name: at for at, names in enumerate(part.groups) for name in names}
    several = len(part.groups) > 1
    rows = [
        Row(
            name=one.method,
            cells=_cells(one, pairs=pairs),
            section=f"group {group[one.method] + 1}" if several else "",
        )
        for one in sorted(part.methods, key=lambda one: (group.get(one.method, 0), _order(one)))
    ]
    return Table(
        key=f"study-{part.kind}-{part.attribute}",
        title=f"{'Two alternatives' if pairs else 'Best of several'}, {ASKED.get(part.attribute, part.attribute)}",
        columns=(*columns, Column(name="shown", places=0)),
        rows=tuple(rows),
        caption=tuple(_caption(part)),
        notes=(NOT_CONNECTED,) if several else (),
    )


NOT_CONNECTED = "No votes connect the groups of methods: strengths of different groups cannot be compared."


def _order(one: Preference) -> tuple[float, str]:
    value = one.strength.value if math.isfinite(one.strength.value) else one.rate.value
    return (-value if math.isfinite(value) else math.inf, one.method)


def _cells(one: Preference, *, pairs: bool) -> tuple[Cell, ...]:
    strength = [_cell(one.strength)] if pairs else []
    return (_cell(one.rate, factor=100), *strength, Cell(value=float(one.shown)))


def _cell(interval: Interval, *, factor: float = 1) -> Cell:
    if math.isnan(interval.value):
        return Cell(reason=interval.reason or "no votes")
    value, low, high = (factor * one for one in (interval.value, interval.low, interval.high))
    return Cell(value=value, low=low, high=high, note=interval.reason)


def _caption(part: Part) -> Sequence[str]:
    share = f"{100 * part.undecided / part.votes:.1f} % cannot decide" if part.votes else "no votes"
    alpha = "undefined" if math.isnan(part.alpha) else f"{part.alpha:.3f}"
    lines = [f"{part.votes} votes of {part.raters} raters; {share}; Krippendorff's alpha {alpha}."]
    if part.kind == "pair":
        lines.append("Strength: logarithm of Davidson's model, Bradley and Terry's with ties; the mean is 0.")
    return [*lines, "Intervals: 95 %, over raters."]


def _metrics(analysis: Analysis) -> Table:
    parts = dict.fromkeys((one.kind, one.attribute) for one in analysis.metrics)
    by_metric: dict[str, dict[tuple[str, str], Agreement]] = {}
    for one in analysis.metrics:
        by_metric.setdefault(one.metric, {})[one.kind, one.attribute] = one
    columns = [
        Column(name=name, group=attribute, places=places)
        for _, attribute in parts
        for name, places in (("rank corr.", 2), ("followed %", 1))
    ]
    rows = [
        Row(name=metric, cells=tuple(cell for part in parts for cell in _agreement_cells(found[part])))
        for metric, found in by_metric.items()
    ]
    return Table(
        key="study-metrics",
        title="Metrics and people",
        head="metric",
        columns=tuple(columns),
        rows=tuple(rows),
        caption=(
            "Rank corr.: Spearman's, over methods, of the metric's number (better is higher) and people's preference.",
            "Followed: share of decided votes for the video that is best by the metric's value of the pair; 95 % over raters.",
            "A metric that says nothing follows 50 % of the votes on two videos, and 25 % of those on four.",
        ),
    )


def _agreement_cells(one: Agreement) -> tuple[Cell, Cell]:
    return Cell(value=one.correlation, reason=one.reason), _cell(one.followed, factor=100)
