"""From videos to rows: each video is decoded once and measured with every metric, chunk by chunk."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from toonbench import lint
from toonbench.chunks import Measuring, chunk_frames, cut_truth
from toonbench.data import read_motion
from toonbench.data.clips import count_frames, file_chunks, iter_chunks, read_source
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
from toonbench.store import Run, reason_of
from toonbench.types import Frame, Frames, GroundTruth, Metric, Need, Pair, Rows, Sample, Task, ToonbenchError

log = logging.getLogger(__name__)
LINT = f"lint@{lint.VERSION}"  # the name of the linter's rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One pair to measure: its video, and the metrics whose rows are not stored yet."""

    run: Run
    pair: Pair
    video: Path
    metrics: tuple[str, ...]
    task: Task
    device: str


def measure(
    run: Run,
    pairs: Sequence[Pair],
    *,
    task: Task,
    metrics: Sequence[str],
    video_of: Callable[[str], Path] | None = None,
    pool: Pool = IN_PROCESS,
) -> None:
    """Measure every pair that has a video, and store the rows that are missing. Each video is decoded once for all metrics.

    The task's first `skip` frames are left out, except where the video has only one frame. Metrics that this machine cannot measure
    (`unavailable`) are left out; another machine may measure them.
    """
    video_of = video_of or run.video
    able = [name for name in metrics if not unavailable(load(name))]
    for name in able:
        claim_weights(run, load(name))
    todo: list[Job] = []
    for pair in pairs:
        todo_metrics = {
            rows_name(load(n)): n for n in able if not _done(run, pair, load(n))
        }  # one of those that share rows
        if (todo_metrics or not run.rows(LINT, pair.id).exists()) and (path := video_of(pair.id)).exists():
            todo.append(
                Job(run=run, pair=pair, video=path, metrics=tuple(todo_metrics.values()), task=task, device=pool.device)
            )
    pool.map(_measure_pair, todo, title="scoring")


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
    parts = _Parts(job=job, source=source)
    truth = _read_truth(pair) if any("motion" in metric.needs for metric in metrics) else None
    found = [_Measured(job, metric) for metric in metrics]
    linter = None if job.run.rows(LINT, pair.id).exists() else _Linter(job, source)
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
            one.add(sample, first=parts.frames - len(sample.generated), chosen=parts.chosen)
        start += len(sample.generated)
    if linter:
        linter.write()
    parts.check(truth)
    return found


class _Measured:
    """One metric and its rows of one pair, chunk by chunk. If the metric raises, only its own rows are missing."""

    def __init__(self, job: Job, metric: Metric) -> None:
        self._job, self._metric = job, metric
        self._measuring = Measuring(metric)
        self._error: Exception | None = None
        self._features: dict[tuple[Need, str], Rows] = {}
        try:
            self._features = _features(job, metric)
        except Exception as error:
            log.debug("%s of pair %s failed", metric.name, job.pair.id, exc_info=True)
            self._error = error

    def add(self, sample: Sample, *, first: int, chosen: Callable[[int], Sequence[int]]) -> None:
        """Measure a chunk whose first frame is number `first` of its clip."""
        if self._error is not None:
            return
        try:
            if needs_reference(self._metric):
                frames = sample.generated[_inside(chosen(first - sample.start), sample)]
                sample = Sample(pair=sample.pair, generated=frames, start=sample.start)
            else:
                sample = replace(sample, features=self._of_chunk(first, len(sample.generated)))
            if len(sample.generated):
                self._measuring.add(sample)
        except Exception as error:
            log.debug("%s of pair %s failed", self._metric.name, sample.pair.id, exc_info=True)
            self._error = error

    def write(self) -> None:
        """Store the rows, or the reason of the failure."""
        run, failure = self._job.run, failed_name(self._metric, self._job.pair.id)
        try:
            if self._error is not None:
                raise self._error
            rows = self._measuring.rows()
        except Exception as error:
            log.debug("%s of pair %s failed", self._metric.name, self._job.pair.id, exc_info=True)
            run.fail(failure, stage="measure", reason=reason_of(error))
        else:
            run.write_rows(rows_name(self._metric), self._job.pair.id, rows)
            run.clear_failure(failure)

    def _of_chunk(self, first: int, count: int) -> dict[tuple[Need, str], Rows]:
        return {
            key: rows if key[0] == "source" else rows[first : first + count] for key, rows in self._features.items()
        }


def _inside(chosen: Sequence[int], sample: Sample) -> list[int]:
    """The chosen measured frames that are in this chunk, counted from its first one."""
    frames = chosen if isinstance(chosen, range) else frozenset(chosen)
    return [at for at in range(len(sample.generated)) if sample.start + at in frames]


Chunk: TypeAlias = "tuple[Frames | None, Frames | None, Frames | None]"  # generated, driving, target


class _Parts:
    """The video of a pair, its driving video and its target, in chunks of the same frames."""

    def __init__(self, *, job: Job, source: Frame) -> None:
        self._job, self._source = job, source
        self._counts = {"generated": 0, "driving": 0, "target": 0}
        self._wrong_size = ""

    @property
    def frames(self) -> int:
        """The number of generated frames that were read."""
        return self._counts["generated"]

    def chunks(self) -> Iterator[Chunk]:
        """All frames. A part that is shorter than the others is None after its end."""
        pair, size = self._job.pair, chunk_frames(*self._source.shape[:2])
        first, same = self._job.task.skip, pair.target is pair.driving
        streams = (
            file_chunks(self._job.video, first=first, size=size),
            iter_chunks(pair.driving, first=first, size=size),
            iter(()) if same or pair.target is None else iter_chunks(pair.target, first=first, size=size),
        )
        for generated, driving, target in itertools.zip_longest(*streams):
            chunk = (generated, driving, driving if same else target)
            for name, part in zip(self._counts, chunk, strict=True):
                self._counts[name] += 0 if part is None else len(part)
            yield chunk

    def fit(self, chunk: Chunk) -> bool:
        """Whether everything read so far has one length and the source's size."""
        generated, _, target = chunk
        if generated is not None and not self._wrong_size:
            self._wrong_size = self._size_error(generated, target)
        return not self._wrong_size and not self._length_error()

    def skip(self, chunk: Chunk) -> int:
        """How many frames at the beginning are not measured: the task's `skip`, but never all frames."""
        frames = 0 if chunk[0] is None else len(chunk[0])
        return min(self._job.task.skip, frames - 1)

    def chosen(self, skip: int) -> Sequence[int]:
        """The indexes of the measured frames that corpus metrics use, by the task's rule."""
        count = self._job.task.reference.frames
        if not count:
            return range(2**62)
        return evenly(count_frames(self._job.pair.driving) - skip, count)

    def beyond(self, truth: GroundTruth) -> bool:
        """Whether more frames were read than the ground-truth motion has."""
        return self.frames > len(truth.rig)

    def check(self, truth: GroundTruth | None) -> None:
        """Raise ToonbenchError if the video does not have the length and size of its clips."""
        if error := self._length_error() or self._wrong_size:
            raise ToonbenchError(error)
        target = self._job.pair.target
        if truth is not None and target is not None and target.motion and len(truth.rig) != self.frames:
            raise ToonbenchError(
                f"{target.motion.name} has motion for {len(truth.rig)} frames and the video has {self.frames} frames: "
                "write one frame for every driving frame"
            )

    def _length_error(self) -> str:
        pair, name = self._job.pair, self._job.video.name
        for what, clip in (("target", pair.target), ("driving", pair.driving)):
            if clip is not None and self._counts[what] != self.frames:
                return (
                    f"{name} has {self.frames} frames and {clip.id} has {self._counts[what]}: "
                    "write one frame for every driving frame"
                )
        return ""

    def _size_error(self, generated: Frames, target: Frames | None) -> str:
        for what, other in (("target", target), ("source", self._source[None])):
            if other is not None and other.shape[1:] != generated.shape[1:]:
                return (
                    f"{self._job.video.name} is {_size(generated)} and its {what} {_size(other)}: "
                    "write videos in the source's size"
                )
        return ""


def _sample(pair: Pair, chunk: Chunk, *, source: Frame, skip: int, start: int) -> Sample:
    """A chunk as metrics receive it, without its first `skip` frames."""
    generated, driving, target = (None if part is None else part[skip:] for part in chunk)
    frames = np.empty((0, *source.shape), np.uint8) if generated is None else generated
    return Sample(pair=pair, generated=frames, source=source, driving=driving, target=target, start=start)


class _Linter:
    """The linter's row of one pair; the linter only warns: a video that it cannot measure is scored nevertheless."""

    def __init__(self, job: Job, source: Frame) -> None:
        self._job = job
        self._linter: lint.Linter | None = lint.Linter(job.pair, job.video, source=source)

    def add(self, chunk: Chunk) -> None:
        """Pass the next frames to the linter."""
        if self._linter is None:
            return
        generated, driving, target = chunk
        try:
            self._linter.add(generated=generated, driving=driving, target=target)
        except Exception:
            log.debug("the linter failed on pair %s", self._job.pair.id, exc_info=True)
            self._linter = None

    def write(self) -> None:
        """Store the row, NaN where the linter failed."""
        rows = np.full((1, 1), np.nan, np.float32)
        if self._linter is not None:
            try:
                rows = self._linter.row()
            except Exception:
                log.debug("the linter failed on pair %s", self._job.pair.id, exc_info=True)
        self._job.run.write_rows(LINT, self._job.pair.id, rows)


def _features(job: Job, metric: Metric) -> dict[tuple[Need, str], Rows]:
    """Features of the pair's source and target for a metric that uses them, stored for all methods."""
    found: dict[tuple[Need, str], Rows] = {}
    pair = job.pair
    if "source" in metric.features_of:
        found["source", metric.features] = dataset_features(
            job.run, metric, pair.source, part=FIRST, read=lambda: iter([read_source(pair.source)[None]])
        )
    if "target" in metric.features_of and (target := pair.target) is not None:
        found["target", metric.features] = dataset_features(
            job.run, metric, target, part=ALL, read=lambda: iter_chunks(target)
        )
    return found


def _read_truth(pair: Pair) -> GroundTruth:
    """The ground-truth motion of the pair's target."""
    target = pair.target
    if target is None or target.motion is None:
        raise ToonbenchError(f"{pair.id} has no ground-truth motion: leave out the metrics that need it")
    return read_motion(target.motion, fps=target.fps)


def _size(frames: Frames) -> str:
    return f"{frames.shape[2]}x{frames.shape[1]}"
