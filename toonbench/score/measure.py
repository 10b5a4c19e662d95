"""From videos to rows: each video is decoded once and measured with every metric, chunk by chunk."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from toonbench import lint
from toonbench.chunks import Measuring, cut_truth
from toonbench.data import read_motion
from toonbench.data.clips import count_frames, iter_chunks, read_source
from toonbench.pool import IN_PROCESS, Pool
from toonbench.score.availability import (
    applicable,
    claim_weights,
    failed_name,
    load,
    needs_reference,
    rows_name,
    unavailable,
)
from toonbench.score.features import ALL, FIRST, dataset_features, evenly
from toonbench.score.parts import Chunk, PairLinter, Parts
from toonbench.score.reading import Reading
from toonbench.store import Run, reason_of
from toonbench.types import Frame, GroundTruth, Metric, Need, Pair, Rows, Sample, Task, ToonbenchError

log = logging.getLogger(__name__)
LINT = f"lint@{lint.VERSION}"  # the name of the linter's rows
LINT_PIXELS = f"lint-pixels@{lint.VERSION}"  # the same without the column that runs the landmark network


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One pair to measure: its video, and the metrics whose rows are not stored yet."""

    run: Run
    pair: Pair
    video: Reading
    metrics: tuple[str, ...]
    task: Task
    device: str
    lint: str


def measure(
    run: Run,
    pairs: Sequence[Pair],
    *,
    task: Task,
    metrics: Sequence[str],
    video_of: Callable[[str], Reading | Path] | None = None,
    pool: Pool = IN_PROCESS,
) -> None:
    """Measure every pair that has a video, and store the rows that are missing. Each video is decoded once for all metrics.

    The task's first `skip` frames are left out, except where the video has only one frame. Metrics that this machine cannot measure
    (`unavailable`) are left out; another machine may measure them.
    """
    reading_of = functools.partial(_reading, video_of or run.video)
    able = [name for name in metrics if not unavailable(load(name))]
    for name in able:
        claim_weights(run, load(name))
    todo: list[Job] = []
    for pair in pairs:
        todo_metrics = {
            rows_name(load(n)): n for n in able if not _done(run, pair, load(n))
        }  # one of those that share rows
        lint_rows = _lint_rows(run, pair, able)
        if (todo_metrics or lint_rows) and (made := reading_of(pair.id)).path.exists():
            names = tuple(todo_metrics.values())
            todo.append(
                Job(run=run, pair=pair, video=made, metrics=names, task=task, device=pool.device, lint=lint_rows)
            )
    pool.map(_measure_pair, todo, title="scoring")


def _reading(video_of: Callable[[str], Reading | Path], pair: str) -> Reading:
    made = video_of(pair)
    return made if isinstance(made, Reading) else Reading(path=made)


def lint_row(run: Run, pair: str) -> Rows | None:
    """The linter's row of a pair, None if it was not measured."""
    rows = run.read_rows(LINT, pair)
    return run.read_rows(LINT_PIXELS, pair) if rows is None else rows


def _lint_rows(run: Run, pair: Pair, metrics: Sequence[str]) -> str:
    """The name of the linter's rows that are needed and missing, or an empty string.

    Whether the landmark network is steered matters only where motion is measured; other runs do not need the network.
    """
    if run.rows(LINT, pair.id).exists():
        return ""
    has_motion = pair.target is not None and pair.target.motion is not None
    if not has_motion or any("motion" in load(name).needs for name in metrics):
        return LINT
    return "" if run.rows(LINT_PIXELS, pair.id).exists() else LINT_PIXELS


def unfinished(run: Run, pairs: Sequence[Pair], *, metrics: Sequence[str]) -> list[str]:
    """The pairs that have neither rows for every metric nor a recorded failure: pairs of other shards, or not measured yet."""
    able = [metric for metric in map(load, metrics) if not unavailable(metric)]
    return [
        pair.id
        for pair in pairs
        if not run.failure(pair.id).exists()
        and not all(_done(run, pair, m) or run.failure(failed_name(m, pair.id)).exists() for m in able)
    ]


def _done(run: Run, pair: Pair, metric: Metric) -> bool:
    return not applicable(metric, pair) or run.rows(rows_name(metric), pair.id).exists()


def _measure_pair(job: Job) -> None:
    """Measure one pair with the linter and every requested metric. A failure is recorded, and the next run tries again."""
    metrics = [load(name, device=job.device) for name in job.metrics]
    try:
        measured = _measured(job, metrics)
    except ToonbenchError as error:
        job.run.fail(job.pair.id, stage="measure", reason=str(error))
        return
    job.run.clear_failure(job.pair.id)
    for one in measured:
        one.write()


def _measured(job: Job, metrics: Sequence[Metric]) -> list[_Measured]:
    """Measure the whole video with every metric. Raises ToonbenchError if its length or size does not fit its clips."""
    pair, source = job.pair, read_source(job.pair.source)
    parts = Parts(pair, job.video, source=source, skip=job.task.skip)
    truth = _read_truth(pair) if any("motion" in metric.needs for metric in metrics) else None
    found = [_Measured(job, metric) for metric in metrics]
    linter = PairLinter(_linted(job), job.video, source=source) if job.lint else None
    chosen = functools.cache(functools.partial(_chosen, job))
    start = 0
    for chunk in parts.chunks():
        if linter:
            linter.add(chunk)
        if not parts.fit(chunk):
            continue
        skip = parts.skip(chunk) if start == 0 else 0
        sample = _sample(pair, chunk, source=source, skip=skip, start=start)
        if truth is not None and not parts.beyond(truth):
            sample = replace(sample, ground_truth=cut_truth(truth, parts.frames - len(sample.generated), parts.frames))
        for one in found:
            one.add(sample, first=parts.frames - len(sample.generated), chosen=chosen)
        start += len(sample.generated)
    if linter:
        job.run.write_rows(job.lint, pair.id, linter.row())
    parts.check(truth)
    return found


def _linted(job: Job) -> Pair:
    """The pair for the linter, which runs the landmark network where the target has ground-truth motion."""
    target = job.pair.target
    return replace(job.pair, target=replace(target, motion=None)) if target and job.lint == LINT_PIXELS else job.pair


def _chosen(job: Job, skip: int) -> Sequence[int]:
    """The indexes of the measured frames that corpus metrics use, by the task's rule."""
    count = job.task.reference.frames
    return evenly(count_frames(job.pair.driving) - skip, count) if count else range(2**62)


class _Measured:
    """One metric and its rows of one pair, chunk by chunk. If the metric raises, only its own rows are missing."""

    def __init__(self, job: Job, metric: Metric) -> None:
        self._job, self._metric = job, metric
        self._measuring: Measuring | None = None
        self._error: Exception | None = None
        self._features: dict[tuple[Need, str], Rows] = {}
        try:
            self._measuring = Measuring(metric)
            self._features = _features(job, metric)
        except Exception as error:  # noqa: BLE001 - any exception of a metric is its failure on this pair
            self._failed(error)

    def add(self, sample: Sample, *, first: int, chosen: Callable[[int], Sequence[int]]) -> None:
        """Measure a chunk whose first frame is number `first` of its clip."""
        if self._measuring is None:
            return
        try:
            if needs_reference(self._metric):
                frames = sample.generated[_inside(chosen(first - sample.start), sample)]
                sample = Sample(pair=sample.pair, generated=frames, start=sample.start)
            else:
                sample = replace(sample, features=self._of_chunk(first, len(sample.generated)))
            if len(sample.generated):
                self._measuring.add(sample)
        except Exception as error:  # noqa: BLE001 - any exception of a metric is its failure on this pair
            self._failed(error)

    def write(self) -> None:
        """Store the rows, or the reason of the failure."""
        run, failure = self._job.run, failed_name(self._metric, self._job.pair.id)
        rows = self._rows()
        if self._error is not None or rows is None:
            run.fail(failure, stage="measure", reason=reason_of(self._error or ToonbenchError("not measured")))
        else:
            run.write_rows(rows_name(self._metric), self._job.pair.id, rows)
            run.clear_failure(failure)

    def _rows(self) -> Rows | None:
        """All rows of the clip; None if the metric failed."""
        if self._measuring is None:
            return None
        try:
            return self._measuring.rows()
        except Exception as error:  # noqa: BLE001 - any exception of a metric is its failure on this pair
            self._failed(error)
            return None

    def _failed(self, error: Exception) -> None:
        """Keep the reason, and release the frames that the metric kept."""
        log.debug("%s of pair %s failed", self._metric.name, self._job.pair.id, exc_info=error)
        self._error, self._measuring = error.with_traceback(None), None

    def _of_chunk(self, first: int, count: int) -> dict[tuple[Need, str], Rows]:
        return {
            key: rows if key[0] == "source" else rows[first : first + count] for key, rows in self._features.items()
        }


def _inside(chosen: Sequence[int], sample: Sample) -> list[int]:
    """The chosen measured frames that are in this chunk, counted from its first one."""
    frames = chosen if isinstance(chosen, range) else frozenset(chosen)
    return [at for at in range(len(sample.generated)) if sample.start + at in frames]


def _sample(pair: Pair, chunk: Chunk, *, source: Frame, skip: int, start: int) -> Sample:
    """A chunk as metrics receive it, without its first `skip` frames."""
    generated, driving, target = (None if part is None else part[skip:] for part in chunk)
    frames = np.empty((0, *source.shape), np.uint8) if generated is None else generated
    return Sample(pair=pair, generated=frames, source=source, driving=driving, target=target, start=start)


def _features(job: Job, metric: Metric) -> dict[tuple[Need, str], Rows]:
    """Features of the pair's source, target and driving video for a metric that uses them, stored for all methods."""
    found: dict[tuple[Need, str], Rows] = {}
    pair = job.pair
    if "source" in metric.features_of:
        found["source", metric.features] = dataset_features(
            job.run, metric, pair.source, part=FIRST, read=lambda: iter([read_source(pair.source)[None]])
        )
    for need, clip in (("target", pair.target), ("driving", pair.driving)):
        if need in metric.features_of and clip is not None:
            found[need, metric.features] = dataset_features(
                job.run, metric, clip, part=ALL, read=functools.partial(iter_chunks, clip)
            )
    return found


def _read_truth(pair: Pair) -> GroundTruth:
    """The ground-truth motion of the pair's target."""
    target = pair.target
    if target is None or target.motion is None:
        raise ToonbenchError(f"{pair.id} has no ground-truth motion: leave out the metrics that need it")
    return read_motion(target.motion, fps=target.fps)
