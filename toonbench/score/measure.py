"""Each video decoded once and measured with every metric: videos to rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toonbench import video
from toonbench.data import read_motion
from toonbench.generate import read_frames, read_source
from toonbench.pool import Progress, map_items
from toonbench.score.ready import applicable, lacking, load, rows_name
from toonbench.score.real import evenly, real_features
from toonbench.store import Run
from toonbench.types import Frames, Metric, Need, Pair, Rows, Sample, Task, ToonbenchError, Truth

log = logging.getLogger(__name__)


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
    (`lacking`) are left for another. `device` is where networks run.
    """
    video_of = video_of or run.video
    able = [name for name in metrics if not lacking(load(name))]
    todo: list[Job] = []
    for pair in pairs:
        wanted = {rows_name(load(n)): n for n in able if not _done(run, pair, load(n))}  # once for those who share rows
        if wanted and (path := video_of(pair.id)).exists():
            todo.append(Job(run=run, pair=pair, video=path, metrics=tuple(wanted.values()), task=task, device=device))
    map_items(_measure_pair, todo, workers=workers, on_progress=on_progress)


def unfinished(run: Run, pairs: Sequence[Pair], *, metrics: Sequence[str]) -> list[str]:
    """The pairs that have neither rows for every metric nor a recorded failure: another shard's, or not begun."""
    able = [metric for metric in map(load, metrics) if not lacking(metric)]
    return [
        pair.id
        for pair in pairs
        if not run.failure(pair.id).exists() and not all(_done(run, pair, metric) for metric in able)
    ]


def _done(run: Run, pair: Pair, metric: Metric) -> bool:
    return not applicable(metric, pair) or run.rows(rows_name(metric), pair.id).exists()


def _measure_pair(job: Job) -> None:
    """Measure one pair with every metric asked for; what fails is recorded with its reason."""
    metrics = [load(name, device=job.device) for name in job.metrics]
    try:
        sample = _read_sample(job, metrics)
    except ToonbenchError as error:
        job.run.fail(job.pair.id, stage="measure", reason=str(error))
        return
    for metric in metrics:
        try:
            rows = _rows(metric, sample, task=job.task)
        except Exception as error:
            log.debug("%s of pair %s failed", metric.name, job.pair.id, exc_info=True)
            reason = f"{metric.name}: {type(error).__name__}: {error}"
            job.run.fail(f"{job.pair.id}+{metric.name}", stage="measure", reason=reason)
            rows = np.full((len(sample.generated), 1), np.nan, np.float32)
        job.run.write_rows(rows_name(metric), job.pair.id, rows)


def _rows(metric: Metric, sample: Sample, *, task: Task) -> Rows:
    if not metric.distribution or not hasattr(metric, "features"):
        return metric.measure(sample)
    chosen = evenly(len(sample.generated), task.reference.frames)
    return metric.measure(Sample(pair=sample.pair, generated=sample.generated[chosen]))


def _read_sample(job: Job, metrics: Sequence[Metric]) -> Sample:
    pair = job.pair
    generated = video.read_video(job.video).frames
    needs = frozenset[Need]().union(*(metric.needs for metric in metrics))
    source = read_source(pair.source)
    target = read_frames(pair.target).frames if pair.target and needs & {"target", "motion"} else None
    driving = read_frames(pair.driving).frames if needs & {"driving", "motion"} else None
    _check_shapes(job, generated, source=source, target=target, driving=driving)
    truth = _read_truth(pair, frames=len(generated)) if "motion" in needs else None
    known = _known(job, metrics, source=source, target=target)
    skip = min(job.task.skip, len(generated) - 1)
    return Sample(
        pair=pair,
        generated=generated[skip:],
        source=source,
        driving=None if driving is None else driving[skip:],
        target=None if target is None else target[skip:],
        truth=None if truth is None else _from(truth, skip),
        known={key: rows if key[0] == "source" else rows[skip:] for key, rows in known.items()},
    )


def _check_shapes(
    job: Job, generated: Frames, *, source: Frames, target: Frames | None, driving: Frames | None
) -> None:
    pair = job.pair
    for other, clip in ((target, pair.target), (driving, pair.driving)):
        if other is not None and clip is not None and len(other) != len(generated):
            raise ToonbenchError(
                f"{job.video.name} has {len(generated)} frames and {clip.id} has {len(other)}: "
                "write one frame for every driving frame"
            )
    for what, other in (("target", target), ("source", source[None])):
        if other is not None and other.shape[1:] != generated.shape[1:]:
            raise ToonbenchError(
                f"{job.video.name} is {_size(generated)} and its {what} {_size(other)}: write videos in the source's size"
            )


def _known(
    job: Job, metrics: Sequence[Metric], *, source: Frames, target: Frames | None
) -> dict[tuple[Need, str], Rows]:
    """Features of the pair's real frames for the metrics that compare with them, stored for the next method."""
    known: dict[tuple[Need, str], Rows] = {}
    for metric in metrics:
        describes: frozenset[Need] = getattr(metric, "describes", frozenset[Need]())
        if "source" in describes:
            known["source", metric.features] = real_features(  # pyright: ignore[reportAttributeAccessIssue]
                job.run, metric, job.pair.source, part="first", read=lambda: source[None]
            )
        if "target" in describes and target is not None and job.pair.target is not None:
            known["target", metric.features] = real_features(  # pyright: ignore[reportAttributeAccessIssue]
                job.run, metric, job.pair.target, part="", read=lambda frames=target: frames
            )
    return known


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


def _size(frames: Frames) -> str:
    return f"{frames.shape[2]}x{frames.shape[1]}"
