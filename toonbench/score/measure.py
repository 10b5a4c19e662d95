"""Each video decoded once and measured with every metric: videos to rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from toonbench import lint, video
from toonbench.chunks import cut_truth
from toonbench.data import read_motion
from toonbench.data.clips import read_frames, read_source
from toonbench.pool import Progress, map_items
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
    device: str = "cpu",
    workers: int = 1,
    on_progress: Progress | None = None,
) -> None:
    """Store the rows of every pair that has a video and lacks them. Each video is decoded once, whatever the metrics.

    The task's first `skip` frames are left out, but never the only frame. Metrics that this machine cannot measure
    (`unavailable`) are left for another. `device` is where networks run.
    """
    video_of = video_of or run.video
    able = [name for name in metrics if not unavailable(load(name))]
    for name in able:
        claim_weights(run, load(name))
    todo: list[Job] = []
    for pair in pairs:
        wanted = {rows_name(load(n)): n for n in able if not _done(run, pair, load(n))}  # once for those who share rows
        if (wanted or not run.rows(LINT, pair.id).exists()) and (path := video_of(pair.id)).exists():
            todo.append(Job(run=run, pair=pair, video=path, metrics=tuple(wanted.values()), task=task, device=device))
    map_items(_measure_pair, todo, workers=workers, on_progress=on_progress)


def unfinished(run: Run, pairs: Sequence[Pair], *, metrics: Sequence[str]) -> list[str]:
    """The pairs that have neither rows for every metric nor a recorded failure: another shard's, or not begun."""
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
    """Measure one pair with the linter and every metric asked for; what fails is recorded, and tried again next time."""
    metrics = [load(name, device=job.device) for name in job.metrics]
    try:
        frames = _read(job)
        if not job.run.rows(LINT, job.pair.id).exists():
            job.run.write_rows(LINT, job.pair.id, _lint(job, frames))
        sample = _sample(job, metrics, frames)
    except ToonbenchError as error:
        job.run.fail(job.pair.id, stage="measure", reason=str(error))
        return
    job.run.clear_failure(job.pair.id)
    for metric in metrics:
        failure = failed_name(metric, job.pair.id)
        try:
            rows = _rows(job, metric, sample, frames)
        except Exception as error:
            log.debug("%s of pair %s failed", metric.name, job.pair.id, exc_info=True)
            job.run.fail(failure, stage="measure", reason=reason_of(error))
        else:
            job.run.write_rows(rows_name(metric), job.pair.id, rows)
            job.run.clear_failure(failure)


def _rows(job: Job, metric: Metric, sample: Sample, frames: _Read) -> Rows:
    if not needs_reference(metric):
        skipped = len(frames.generated) - len(sample.generated)
        return metric.measure(replace(sample, features=_features(job, metric, frames, skip=skipped)))
    chosen = evenly(len(sample.generated), job.task.reference.frames)
    return metric.measure(Sample(pair=sample.pair, generated=sample.generated[chosen]))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """The whole clips of a pair."""

    generated: Frames
    source: Frame
    driving: Frames
    target: Frames | None


def _read(job: Job) -> _Read:
    pair = job.pair
    driving = read_frames(pair.driving).frames
    same = pair.target is pair.driving
    return _Read(
        generated=video.read_video(job.video).frames,
        source=read_source(pair.source),
        driving=driving,
        target=driving if same else read_frames(pair.target).frames if pair.target else None,
    )


def _lint(job: Job, frames: _Read) -> Rows:
    try:
        return lint.measure(
            job.pair, job.video, generated=frames.generated, source=frames.source, driving=frames.driving,
            target=frames.target,
        )  # fmt: skip
    except Exception:  # the linter only warns: what it cannot look at is scored all the same
        log.debug("the linter failed on pair %s", job.pair.id, exc_info=True)
        return np.full((1, 1), np.nan, np.float32)


def _sample(job: Job, metrics: Sequence[Metric], frames: _Read) -> Sample:
    _check_shapes(job, frames)
    pair, needs = job.pair, frozenset[Need]().union(*(metric.needs for metric in metrics))
    truth = _read_truth(pair, frames=len(frames.generated)) if "motion" in needs else None
    skip = min(job.task.skip, len(frames.generated) - 1)
    return Sample(
        pair=pair,
        generated=frames.generated[skip:],
        source=frames.source,
        driving=frames.driving[skip:],
        target=None if frames.target is None else frames.target[skip:],
        ground_truth=None if truth is None else cut_truth(truth, skip),
    )


def _check_shapes(job: Job, frames: _Read) -> None:
    pair, generated = job.pair, frames.generated
    for other, clip in ((frames.target, pair.target), (frames.driving, pair.driving)):
        if other is not None and clip is not None and len(other) != len(generated):
            raise ToonbenchError(
                f"{job.video.name} has {len(generated)} frames and {clip.id} has {len(other)}: "
                "write one frame for every driving frame"
            )
    for what, other in (("target", frames.target), ("source", frames.source[None])):
        if other is not None and other.shape[1:] != generated.shape[1:]:
            raise ToonbenchError(
                f"{job.video.name} is {_size(generated)} and its {what} {_size(other)}: write videos in the source's size"
            )


def _features(job: Job, metric: Metric, frames: _Read, *, skip: int) -> dict[tuple[Need, str], Rows]:
    """Features of the pair's real frames for a metric that compares with them, stored for the next method."""
    known: dict[tuple[Need, str], Rows] = {}
    pair, target = job.pair, frames.target
    if "source" in metric.features_of:
        known["source", metric.features] = dataset_features(
            job.run, metric, pair.source, part=FIRST, read=lambda: frames.source[None]
        )
    if "target" in metric.features_of and target is not None and pair.target is not None:
        features = dataset_features(job.run, metric, pair.target, part=ALL, read=lambda: target)
        known["target", metric.features] = features[skip:]
    return known


def _read_truth(pair: Pair, *, frames: int) -> GroundTruth:
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


def _size(frames: Frames) -> str:
    return f"{frames.shape[2]}x{frames.shape[1]}"
