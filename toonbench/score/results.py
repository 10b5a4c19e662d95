"""From rows to results: a pure function of the stored rows."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from toonbench import lint, registry
from toonbench.score.availability import (
    ABSENT,
    Skip,
    applicable,
    claimed_weights,
    failed_name,
    load,
    needs_reference,
    rows_name,
    unavailable,
)
from toonbench.score.features import ReferenceRows, evenly, reference_rows
from toonbench.score.measure import lint_row
from toonbench.score.stored import SCHEMA, with_checksum
from toonbench.stats.intervals import Interval
from toonbench.stats.summary import pair_value, summarise
from toonbench.store import Run, write_bytes, write_json
from toonbench.text import ESCAPE
from toonbench.types import Clip, Metric, Pair, Result, Rows, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """A scored run: a result for each metric, the metrics left out and why, and the pairs without a video.

    `warnings` are the findings of the linter; `caveats` must be printed with every number of this data.
    """

    results: tuple[Result, ...]
    skipped: dict[str, Skip]
    failures: dict[str, str]
    pairs: int
    warnings: tuple[lint.Finding, ...] = field(default=())
    caveats: tuple[str, ...] = field(default=())


def reduce(
    run: Run,
    pairs: Sequence[Pair],
    *,
    task: Task,
    metrics: Sequence[str],
    clips: Sequence[Clip] = (),
    about: dict[str, Any],
    caveats: Sequence[str] = (),
) -> Scores:
    """Compute `scores.csv` and `result.json`: a pure function of the stored rows and the list of pairs.

    `clips` are those of the data set, for a task whose reference is the source domain.
    """
    able = [metric for metric in map(load, metrics) if not unavailable(metric)]
    failures = {pair.id: run.reason(pair.id) or "no video" for pair in pairs if not _measured(run, pair, able)}
    results: list[Result] = []
    skipped: dict[str, Skip] = {}
    table: dict[str, dict[str, float]] = {pair.id: {} for pair in pairs}
    for name in metrics:
        metric = load(name)
        own = [pair for pair in pairs if applicable(metric, pair)]
        if reason := _left_out(run, metric, own):
            skipped[name] = reason
            continue
        values = pair_values(run, metric, own)
        for pair, value in values.items():
            table[pair][name] = value
        results.append(_result(run, metric, own, values=values, task=task, clips=clips))
    linted = ((pair.id, lint_row(run, pair.id)) for pair in pairs)
    warnings = lint.findings({pair: rows for pair, rows in linted if rows is not None})
    scores = Scores(
        results=tuple(results),
        skipped=skipped,
        failures=failures,
        pairs=len(pairs),
        warnings=warnings,
        caveats=tuple(caveats),
    )
    columns = [name for name in metrics if any(name in row for row in table.values())]
    write_bytes(run.scores, _csv(pairs, table, metrics=columns, failures=failures))
    used = {name: sha for m in metrics if m not in skipped for name, sha in claimed_weights(run, load(m)).items()}
    write_json(run.result, with_checksum({"schema": SCHEMA, **about, "weights": used, **asdict(scores)}))
    return scores


def pair_values(run: Run, metric: Metric, pairs: Sequence[Pair]) -> dict[str, float]:
    """Each pair's own number, NaN where it was not measured; empty for a metric whose number exists only for the whole set."""
    if metric.aggregate == "corpus" and needs_reference(metric):
        return {}
    return {pair.id: pair_value(metric, run.read_rows(rows_name(metric), pair.id)) for pair in pairs}


def _left_out(run: Run, metric: Metric, own: Sequence[Pair]) -> Skip | None:
    """Why the metric has no result, or None. Rows that another machine measured need no weights on this one."""
    if not own:
        need, reason = next((need, reason) for need, reason in ABSENT.items() if need in metric.needs)
        return Skip(kind="data", missing=(need,), reason=reason)
    if (skip := unavailable(metric)) and not any(run.rows(rows_name(metric), pair.id).exists() for pair in own):
        return skip
    return None


def _measured(run: Run, pair: Pair, metrics: Sequence[Metric]) -> bool:
    """Whether at least one metric measured the pair. A metric that failed on it is missing in that metric only."""
    own = [metric for metric in metrics if applicable(metric, pair)]
    if not own:
        return lint_row(run, pair.id) is not None and not run.failure(pair.id).exists()
    return any(run.rows(rows_name(metric), pair.id).exists() for metric in own)


def _result(
    run: Run, metric: Metric, pairs: Sequence[Pair], *, values: dict[str, float], task: Task, clips: Sequence[Clip]
) -> Result:
    stored = [run.read_rows(rows_name(metric), pair.id, lazy=metric.aggregate == "corpus") for pair in pairs]
    images = reference_rows(run, metric, pairs, task=task, clips=clips)
    rows, reference = stored, images.rows
    if task.reference.equal and reference:
        rows, reference = equal_sets(stored, reference)
    summary = summarise(
        metric,
        rows,
        driving=[pair.driving.id for pair in pairs],
        sources=[pair.source.id for pair in pairs],
        reference=reference,
    )
    shares = [share_measured(one) for one in stored]
    notes = [
        *_why(metric, summary.printed), *_faults(run, metric, pairs), *_foreign(metric, pairs), *_without(images)
    ]  # fmt: skip
    notes += [
        f"{registry.metric_id(metric)}: {one}" for one in metric.cautions([one for one in stored if one is not None])
    ]
    if metric.remark and np.isfinite(summary.printed.value):
        notes.append(f"{registry.metric_id(metric)}: {metric.remark}")
    unranked = metric.unranked({pair.source.domain for pair in pairs})
    if unranked and np.isfinite(summary.printed.value):
        notes.append(f"{registry.metric_id(metric)} does not rank methods: {unranked}")
    return Result(
        metric=registry.metric_id(metric),
        value=summary.printed.value,
        low=summary.printed.low,
        high=summary.printed.high,
        measured=summary.measured.value,
        measured_low=summary.measured.low,
        measured_high=summary.measured.high,
        pairs=len(pairs),
        missing=missing_pairs(metric, shares, [values.get(pair.id, math.nan) for pair in pairs]),
        clusters=summary.printed.clusters,
        coverage=float(np.mean(shares)),
        higher_is_better=metric.higher_is_better,
        notes=tuple(notes),
        details=metric.details([one for one in rows if one is not None], reference),
        unranked=unranked,
    )


def missing_pairs(metric: Metric, shares: Sequence[float], values: Sequence[float]) -> int:
    """The number of pairs without a value; for pooled counts and corpus metrics, of pairs without a measured frame."""
    if metric.aggregate in ("corpus", "events", "proportion"):
        return sum(share == 0 for share in shares)
    return sum(not math.isfinite(value) for value in values)


def _without(images: ReferenceRows) -> list[str]:
    """A note if images of the reference are missing."""
    if not images.lost:
        return []
    return [
        f"{len(images.lost)} of {len(images.lost) + len(images.rows)} reference images could not be measured (for example "
        f"{images.lost[0]}): do not compare this number with one that has them"
    ]


def _why(metric: Metric, interval: Interval) -> list[str]:
    """Why there is no interval, in words common to all metrics; or why there is no value, with the metric's name."""
    if interval.reason and np.isnan(interval.value):
        return [f"{registry.metric_id(metric)}: {interval.reason}"]
    return [interval.reason] if interval.reason else []


def _faults(run: Run, metric: Metric, pairs: Sequence[Pair]) -> list[str]:
    """The most frequent failure of the metric itself, for example weights that cannot be read."""
    name = registry.metric_id(metric)
    reasons = [reason for pair in pairs if (reason := run.reason(failed_name(metric, pair.id)))]
    if not reasons:
        return []
    reason, _ = Counter(reasons).most_common(1)[0]
    return [
        f"{name}: {len(reasons)} of {len(pairs)} pairs could not be measured; score again to retry ({' '.join(reason.split())})"
    ]


def _foreign(metric: Metric, pairs: Sequence[Pair]) -> list[str]:
    """A note if the characters are of a domain that the metric's network was not made for."""
    foreign = sorted({pair.source.domain for pair in pairs} - metric.calibrated)
    made = (
        "photo-calibrated"
        if metric.calibrated == frozenset({"real"})
        else f"calibrated on {' and '.join(sorted(metric.calibrated))} faces"
    )
    return [
        f"{registry.metric_id(metric)} is {made} and these characters are {one}: read it together with other metrics"
        for one in foreign
    ]


def equal_sets(rows: Sequence[Rows | None], reference: Sequence[Rows]) -> tuple[list[Rows | None], list[Rows]]:
    """The measured rows of both sets. The larger set is evenly thinned to the size of the smaller; None stays None."""
    given = [one for one in rows if one is not None]
    measured = [[one[np.isfinite(one).all(axis=1)] for one in some] for some in (given, reference)]
    number = min(sum(map(len, some)) for some in measured)
    thinned = iter(_thin(measured[0], number))
    return [None if one is None else next(thinned) for one in rows], _thin(measured[1], number)


def _thin(rows: Sequence[Rows], number: int) -> list[Rows]:
    starts = np.cumsum([0, *map(len, rows)])
    chosen = np.asarray(evenly(int(starts[-1]), number), np.int64)
    return [
        one[chosen[(chosen >= a) & (chosen < b)] - a] for one, a, b in zip(rows, starts[:-1], starts[1:], strict=True)
    ]


def share_measured(rows: Rows | None) -> float:
    """The share of a pair's frames that could be measured; 0 for a failed pair."""
    return 0.0 if rows is None or len(rows) == 0 else float(np.isfinite(rows).all(axis=1).mean())


def _csv(
    pairs: Sequence[Pair], table: dict[str, dict[str, float]], *, metrics: Sequence[str], failures: dict[str, str]
) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["pair", "source", "driving", *metrics, "failure"])
    for pair in pairs:
        values = ["" if np.isnan(v := table[pair.id].get(name, np.nan)) else repr(v) for name in metrics]
        writer.writerow([pair.id, pair.source.id, pair.driving.id, *values, failures.get(pair.id, "")])
    return buffer.getvalue().encode(errors=ESCAPE)
