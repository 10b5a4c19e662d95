"""Generate pairs with a method: one lossless video for each pair, or a recorded failure."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from toonbench import registry, video
from toonbench.chunks import whole_clip
from toonbench.data.clips import iter_chunks, read_source
from toonbench.pool import IN_PROCESS, Pool
from toonbench.store import Run, reason_of
from toonbench.tasks import pair_seed
from toonbench.types import (
    ChunkMethod,
    Domain,
    Frame,
    Frames,
    Method,
    Motion,
    Pair,
    ProgramFailed,
    TargetMethod,
    ToonbenchError,
)

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

    def checkpoint_facts(self) -> dict[str, str]:
        """What the method states about its weights (`Method.checkpoint`); empty if it has none."""
        facts: object = getattr(self.load(), "checkpoint", None)
        return {str(key): str(value) for key, value in facts.items()} if isinstance(facts, Mapping) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One pair to generate."""

    run: Run
    pair: Pair
    method: MethodSpec
    motion: Motion
    seed: int


def generate_pairs(
    run: Run,
    pairs: Sequence[Pair],
    *,
    method: MethodSpec,
    motion: Motion,
    seed: int = 0,
    pool: Pool = IN_PROCESS,
) -> dict[str, str]:
    """Generate the missing videos of `pairs`; return the failures, pair id to reason.

    A failed pair is tried again on the next call. Bytes do not depend on `pool`, order or interruptions. A method with
    `animate_chunks` needs the memory of one chunk, other methods that of a whole clip.
    Raises ToonbenchError only for errors that stop the whole run: a full disk, a method that cannot be built.
    """
    todo = [
        Job(run=run, pair=pair, method=method, motion=motion, seed=pair_seed(seed, pair))
        for pair in pairs
        if not run.video(pair.id).exists()
    ]
    reasons = pool.map(_generate_pair, todo, title="generating")
    return {job.pair.id: reason for job, reason in zip(todo, reasons, strict=True) if reason}


@functools.lru_cache(maxsize=2)
def _load(spec: MethodSpec) -> Method | TargetMethod:
    method = registry.load_method(spec.name, device=spec.device, checkpoint=spec.checkpoint)
    if spec.device == "cpu" and "torch" in sys.modules:
        import torch

        torch.set_num_threads(1)  # the order of sums changes bytes: pairs run in parallel, one pair does not
    return method


def _generate_pair(job: Job) -> str:
    """Generate one pair and write its video; return the reason of a failure, or an empty string."""
    method = job.method.load()
    try:
        chunks, fps = _chunks(method, job)
    except Exception as error:  # noqa: BLE001 - any exception of a method is the failure of its pair
        return _fail(job, error)
    try:
        video.write_lossless_chunks(job.run.video(job.pair.id), chunks, fps=fps)
    except _MethodFailed as error:
        return _fail(job, error.__cause__ or error)
    job.run.clear_failure(job.pair.id)
    return ""


def _fail(job: Job, error: BaseException) -> str:
    log.debug("pair %s failed", job.pair.id, exc_info=error)
    reason = reason_of(error)
    if isinstance(error, ProgramFailed):
        reason = f"{reason}; log: {job.run.keep_log(job.pair.id, error.log)}"
    job.run.fail(job.pair.id, stage="generate", reason=reason)
    return reason


class _MethodFailed(Exception):
    """The method or its input failed while the video was written; `__cause__` holds the exception."""


class _Counted:
    """The chunks that a method reads, with a count of their frames."""

    def __init__(self, chunks: Iterator[Frames]) -> None:
        self._chunks = chunks
        self.frames = 0

    def __iter__(self) -> Iterator[Frames]:
        for chunk in self._chunks:
            self.frames += len(chunk)
            yield chunk


def _chunks(method: Method | TargetMethod, job: Job) -> tuple[Iterator[Frames], float]:
    """The method's checked frames for a pair, and their frames per second."""
    pair = job.pair
    source = read_source(pair.source)
    guide = pair.target if isinstance(method, TargetMethod) else pair.driving
    if guide is None:
        raise ToonbenchError(
            f"{method.name} needs a target and this pair has none: use puppets or a same-identity task"
        )
    given = _Counted(iter_chunks(guide))
    return _checked(_made(method, job, source, given), given, like=source), video.probe(guide.path).fps


def _made(method: Method | TargetMethod, job: Job, source: Frame, given: _Counted) -> Iterator[Any]:
    """The method's chunks as it yields them; one chunk from a method that takes whole clips."""
    if isinstance(method, TargetMethod):
        whole = whole_clip(given, user=f"method {method.name}")
        return iter([method.animate_target(source, whole, seed=job.seed)])
    options = Options(
        motion=job.motion,
        seed=job.seed,
        source_domain=job.pair.source.domain,
        driving_domain=job.pair.driving.domain,
    )
    return _animated(method, source, given, options)


def _animated(method: Method | ChunkMethod, source: Frame, given: _Counted, options: Options) -> Iterator[Any]:
    if isinstance(method, ChunkMethod):
        return iter(method.animate_chunks(source, iter(given), **options))
    return iter([method.animate(source, whole_clip(given, user=f"method {method.name}"), **options)])


def animate(
    method: Method | ChunkMethod, source: Frame, driving: Iterator[Frames], options: Options
) -> Iterator[Frames]:
    """The checked frames of a source and driving chunks, without a run. Raises what the method raises, and ToonbenchError for
    frames of another number or size.
    """
    given = _Counted(driving)
    try:
        yield from _checked(_animated(method, source, given, options), given, like=source)
    except _MethodFailed as error:
        raise error.__cause__ or error from None


class Options(TypedDict):
    """The arguments of a method other than the frames."""

    motion: Motion
    seed: int
    source_domain: Domain
    driving_domain: Domain


def _checked(made: Iterator[Any], given: _Counted, *, like: Frame) -> Iterator[Frames]:
    """The chunks of a method. They must be uint8 of the source's size, with one frame for each given frame."""
    count = 0
    try:
        for chunk in made:
            good = isinstance(chunk, np.ndarray) and chunk.dtype == np.uint8 and chunk.ndim == 4
            if not good or chunk.shape[1:] != like.shape:
                raise _wrong(chunk, expected=(given.frames, *like.shape))
            count += len(chunk)
            if len(chunk):
                yield chunk
        for _ in given:  # a method that stopped early
            pass
        if count != given.frames:
            raise ToonbenchError(
                f"the method returned {count} frames; it must return uint8 {(given.frames, *like.shape)}"
            )
    except GeneratorExit:
        raise
    except Exception as error:
        raise _MethodFailed from error


def _wrong(chunk: Any, *, expected: tuple[int, ...]) -> ToonbenchError:
    found = f"{chunk.dtype} {chunk.shape}" if isinstance(chunk, np.ndarray) else type(chunk).__name__
    return ToonbenchError(f"the method returned {found}; it must return uint8 {expected}")
