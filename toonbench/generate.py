"""Every pair of a task through a method: one lossless video each, or a recorded failure."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toonbench import registry, video
from toonbench.data.clips import read_frames, read_source
from toonbench.pool import Progress, map_items
from toonbench.store import Run, reason_of
from toonbench.tasks import pair_seed
from toonbench.types import Frames, Method, Motion, Pair, TargetMethod, ToonbenchError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodSpec:
    """How to build a method, in this process or in a worker."""

    name: str
    device: str = "cpu"
    checkpoint: Path | None = None

    def load(self) -> Method | TargetMethod:
        """The method, built once in each process."""
        return _load(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One pair to generate."""

    run: Run
    pair: Pair
    method: MethodSpec
    motion: Motion
    seed: int


def generate(
    run: Run,
    pairs: Sequence[Pair],
    *,
    method: MethodSpec,
    motion: Motion,
    seed: int = 0,
    workers: int = 1,
    on_progress: Progress | None = None,
) -> dict[str, str]:
    """Make what is missing of `pairs`; return the failures, pair id to reason.

    A failed pair is tried again on the next call. Bytes do not depend on `workers`, order or interruptions.
    Raises ToonbenchError only for what stops the whole run: a full disk, a method that cannot be built.
    """
    todo = [
        Job(run=run, pair=pair, method=method, motion=motion, seed=pair_seed(seed, pair))
        for pair in pairs
        if not run.video(pair.id).exists()
    ]
    reasons = map_items(_generate_pair, todo, workers=workers, on_progress=on_progress)
    return {job.pair.id: reason for job, reason in zip(todo, reasons, strict=True) if reason}


@functools.lru_cache(maxsize=2)
def _load(spec: MethodSpec) -> Method | TargetMethod:
    method = registry.load_method(spec.name, device=spec.device, checkpoint=spec.checkpoint)
    if spec.device == "cpu" and "torch" in sys.modules:
        import torch

        torch.set_num_threads(1)  # sums in another order are other bytes: parallel by pair, never inside one
    return method


def _generate_pair(job: Job) -> str:
    """Generate one pair and write it; return why it failed, or an empty string."""
    method = job.method.load()
    try:
        frames, fps = _animate(method, job)
    except Exception as error:
        log.debug("pair %s failed", job.pair.id, exc_info=True)
        reason = reason_of(error)
    else:
        video.write_lossless(job.run.video(job.pair.id), frames, fps=fps)
        job.run.clear_failure(job.pair.id)
        return ""
    job.run.fail(job.pair.id, stage="generate", reason=reason)
    return reason


def _animate(method: Method | TargetMethod, job: Job) -> tuple[Frames, float]:
    pair = job.pair
    source = read_source(pair.source)
    if isinstance(method, TargetMethod):
        if pair.target is None:
            raise ToonbenchError(
                f"{method.name} needs an exact target and this pair has none: use puppets or a same-identity task"
            )
        target = read_frames(pair.target)
        frames: Any = method.animate_target(source, target.frames, seed=job.seed)
        expected, fps = target.frames.shape, target.fps
    else:
        driving = read_frames(pair.driving)
        frames = method.animate(
            source,
            driving.frames,
            motion=job.motion,
            seed=job.seed,
            source_domain=pair.source.domain,
            driving_domain=pair.driving.domain,
        )
        expected, fps = (len(driving.frames), *source.shape), driving.fps
    if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8 or frames.shape != expected:
        seen = f"{frames.dtype} {frames.shape}" if isinstance(frames, np.ndarray) else type(frames).__name__
        raise ToonbenchError(f"the method returned {seen}; it must return uint8 {tuple(expected)}")
    return frames, fps
