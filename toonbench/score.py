"""From videos to rows, and from rows to results: scoring never imports a method."""

from __future__ import annotations

import csv
import functools
import io
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toonbench import registry, stats, video
from toonbench.data import read_motion
from toonbench.generate import read_frames, read_source
from toonbench.pool import Progress, map_items
from toonbench.store import Run, write_bytes, write_json
from toonbench.types import Metric, Need, Pair, Result, Rows, Sample, ToonbenchError, Truth

log = logging.getLogger(__name__)
SCHEMA = 1
ANY = (-np.inf, np.inf)  # bounds of a metric that names none
ABSENT: dict[Need, str] = {
    "motion": "not measured, for want of exact motion (puppets have it)",
    "target": "not measured, for want of exact targets (puppets and same-identity tasks have them)",
    "driving": "not measured, for want of driving frames",
    "source": "not measured, for want of source frames",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One pair to measure: its video, and the metrics whose rows are not stored yet."""

    run: Run
    pair: Pair
    video: Path
    metrics: tuple[str, ...]
    skip: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """A scored run: a result for each metric, the metrics that did not apply and why, and the pairs without a video."""

    results: tuple[Result, ...]
    skipped: dict[str, str]
    failures: dict[str, str]
    pairs: int


def applicable(metric: Metric, pair: Pair) -> bool:
    """Whether the pair offers what the metric needs (every pair has a source and a driving clip)."""
    if "motion" in metric.needs and (pair.target is None or pair.target.motion is None):
        return False
    return "target" not in metric.needs or pair.target is not None


def measure(
    run: Run,
    pairs: Sequence[Pair],
    *,
    metrics: Sequence[str],
    skip: int = 0,
    video_of: Callable[[str], Path] | None = None,
    workers: int = 1,
    on_progress: Progress | None = None,
) -> None:
    """Store the rows of every pair that has a video and lacks them. Each video is decoded once, whatever the metrics.

    The first `skip` frames (a field of the task) are left out, but never the only frame.
    """
    video_of = video_of or run.video
    todo: list[Job] = []
    for pair in pairs:
        wanted = tuple(
            name for name in metrics if applicable(_metric(name), pair) and not run.rows(name, pair.id).exists()
        )
        if wanted and (path := video_of(pair.id)).exists():
            todo.append(Job(run=run, pair=pair, video=path, metrics=wanted, skip=skip))
    map_items(_measure_pair, todo, workers=workers, on_progress=on_progress)


def unfinished(run: Run, pairs: Sequence[Pair], *, metrics: Sequence[str]) -> list[str]:
    """The pairs that have neither rows for every metric nor a recorded failure: another shard's, or not begun."""
    return [
        pair.id
        for pair in pairs
        if not run.failure(pair.id).exists()
        and any(applicable(_metric(m), pair) and not run.rows(m, pair.id).exists() for m in metrics)
    ]


def reduce(run: Run, pairs: Sequence[Pair], *, metrics: Sequence[str], about: dict[str, Any]) -> Scores:
    """Rows to `scores.csv` and `result.json`: a pure function of the stored rows and the list of pairs."""
    failures = {pair.id: run.reason(pair.id) or "no video" for pair in pairs if not _measured(run, pair, metrics)}
    results: list[Result] = []
    skipped: dict[str, str] = {}
    table: dict[str, dict[str, float]] = {pair.id: {} for pair in pairs}
    for name in metrics:
        metric = _metric(name)
        own = [pair for pair in pairs if applicable(metric, pair)]
        if not own:
            skipped[name] = next(ABSENT[need] for need in ABSENT if need in metric.needs)
            continue
        rows = {pair.id: run.read_rows(name, pair.id) for pair in own}
        values = {pair: _reduce_one(metric, found) for pair, found in rows.items()}
        for pair, value in values.items():
            table[pair][name] = value
        results.append(_result(metric, own, rows=rows, values=values))
    scores = Scores(results=tuple(results), skipped=skipped, failures=failures, pairs=len(pairs))
    write_bytes(run.scores, _csv(pairs, table, metrics=[r.metric for r in results], failures=failures))
    write_json(run.result, {"schema": SCHEMA, **about, **asdict(scores)})
    return scores


@functools.cache
def _metric(name: str) -> Metric:
    return registry.load_metric(name)


def _measured(run: Run, pair: Pair, metrics: Sequence[str]) -> bool:
    own = [name for name in metrics if applicable(_metric(name), pair)]
    return all(run.rows(name, pair.id).exists() for name in own) if own else run.video(pair.id).exists()


def _measure_pair(job: Job) -> None:
    """Measure one pair with every metric asked for; what fails is recorded with its reason."""
    try:
        sample = _read_sample(job)
    except ToonbenchError as error:
        job.run.fail(job.pair.id, stage="measure", reason=str(error))
        return
    for name in job.metrics:
        try:
            rows = _metric(name).measure(sample)
        except Exception as error:
            log.debug("%s of pair %s failed", name, job.pair.id, exc_info=True)
            job.run.fail(f"{job.pair.id}+{name}", stage="measure", reason=f"{name}: {type(error).__name__}: {error}")
            rows = np.full((len(sample.generated), 1), np.nan, np.float32)
        job.run.write_rows(name, job.pair.id, rows)


def _read_sample(job: Job) -> Sample:
    pair = job.pair
    generated = video.read_video(job.video).frames
    needs = frozenset[Need]().union(*(_metric(name).needs for name in job.metrics))
    target = read_frames(pair.target).frames if pair.target and needs & {"target", "motion"} else None
    driving = read_frames(pair.driving).frames if needs & {"driving", "motion"} else None
    for other, clip in ((target, pair.target), (driving, pair.driving)):
        if other is not None and clip is not None and len(other) != len(generated):
            raise ToonbenchError(
                f"{job.video.name} has {len(generated)} frames and {clip.id} has {len(other)}: "
                "write one frame for every driving frame"
            )
    if target is not None and target.shape != generated.shape:
        raise ToonbenchError(
            f"{job.video.name} is {_size(generated.shape)} and its target {_size(target.shape)}: write videos in the source's size"
        )
    truth = _read_truth(pair, frames=len(generated)) if "motion" in needs else None
    skip = min(job.skip, len(generated) - 1)
    return Sample(
        pair=pair,
        generated=generated[skip:],
        source=read_source(pair.source) if "source" in needs else None,
        driving=None if driving is None else driving[skip:],
        target=None if target is None else target[skip:],
        truth=None if truth is None else _from(truth, skip),
    )


def _read_truth(pair: Pair, *, frames: int) -> Truth:
    """The exact motion of the pair's target, known to have as many frames as were generated."""
    target = pair.target
    if target is None or target.motion is None:
        raise ToonbenchError(f"{pair.id} has no exact motion: leave out the metrics that need it")
    truth = read_motion(target.motion, fps=target.fps)
    if len(truth.rig) != frames:
        raise ToonbenchError(
            f"{target.motion.name} tells the motion of {len(truth.rig)} frames and the video has {frames}: "
            "write one frame for every driving frame"
        )
    return truth


def _from(truth: Truth, skip: int) -> Truth:
    return Truth(rig=truth.rig[skip:], landmarks=truth.landmarks[skip:], visible=truth.visible[skip:], fps=truth.fps)


def _size(shape: Sequence[int]) -> str:
    return f"{shape[2]}x{shape[1]}"


def _reduce_one(metric: Metric, rows: Rows | None) -> float:
    return float("nan") if rows is None else float(metric.reduce([rows]))


def _result(metric: Metric, pairs: Sequence[Pair], *, rows: dict[str, Rows | None], values: dict[str, float]) -> Result:
    found = [pair for pair in pairs if rows[pair.id] is not None]
    clusters = [pair.driving.id for pair in found]
    if metric.distribution:
        interval = stats.grouped_jackknife([_present(rows[pair.id]) for pair in found], clusters, metric.reduce,
                                           bounds=getattr(metric, "bounds", ANY))  # fmt: skip
    else:
        interval = stats.cluster_bootstrap(np.array([values[pair.id] for pair in found], np.float64), clusters)
    shares = [_share(rows[pair.id]) for pair in pairs]
    return Result(
        metric=registry.metric_id(metric),
        value=interval.value,
        low=interval.low,
        high=interval.high,
        pairs=len(pairs),
        missing=sum(share == 0 for share in shares),
        clusters=interval.clusters,
        coverage=float(np.mean(shares)),
        higher_is_better=metric.higher_is_better,
        notes=(interval.reason,) if interval.reason else (),
    )


def _present(rows: Rows | None) -> Rows:
    return np.zeros((0, 1), np.float32) if rows is None else rows


def _share(rows: Rows | None) -> float:
    """The share of a pair's frames that could be measured; a failed pair has none."""
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
    return buffer.getvalue().encode()
