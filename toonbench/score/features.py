"""Features of data set frames: extracted once, stored for all methods and tasks of a data set.

    OUT/<data>/features/<features>/weights.json                     the weights they were made with
    OUT/<data>/features/<features>/<part>/<clip>~<checksum>.npy     one row for each frame of that part of a clip

A part is `all` frames, the `first` one (the source image), or a number of evenly spaced frames. `-256x256-bicubic` follows if the
frames were resized to the size of the other sources. The checksum is the start of the file's: a changed clip gets new features.
"""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toonbench.data.clips import count_frames, iter_chunks, read_source
from toonbench.pool import IN_PROCESS, Pool
from toonbench.score.availability import load, needs_reference, unavailable
from toonbench.store import Run, read_array, reason_of, write_array
from toonbench.types import Clip, Frames, Metric, Pair, Reference, Rows, Task

log = logging.getLogger(__name__)
Size = tuple[int, int]  # width, height
WORTH = 64  # frames: extracting fewer takes less time than loading the networks in another process
ALL, FIRST = "all", "first"  # parts of a clip


def evenly(total: int, count: int) -> list[int]:
    """`count` indexes out of `total`, evenly spaced and centred; all if `count` is 0 or not below `total`."""
    if count <= 0 or count >= total:
        return list(range(total))
    return [(2 * i + 1) * total // (2 * count) for i in range(count)]


def dataset_features(run: Run, metric: Metric, clip: Clip, *, part: str, read: Callable[[], Iterator[Frames]]) -> Rows:
    """The features of a part of a data set clip: the stored ones, or new ones from the frames that `read` returns."""
    path = _path(run, metric, clip, part)
    stored = read_array(path)
    if stored is None:
        stored = np.concatenate([np.asarray(metric.extract_features(chunk), np.float32) for chunk in read()])
        write_array(path, stored)
    return stored


def extract_references(
    run: Run,
    pairs: Sequence[Pair],
    *,
    task: Task,
    clips: Sequence[Clip],
    metrics: Sequence[str],
    pool: Pool = IN_PROCESS,
) -> None:
    """Extract the features of every reference image that `reduce` needs and that is not stored yet."""
    jobs: dict[Path, _Job] = {}
    for name in metrics:
        metric = load(name)
        if not needs_reference(metric) or unavailable(metric):
            continue
        for image in reference_images(task.reference, pairs, clips):
            path = _path(run, metric, image.clip, image.part)
            if not path.exists():
                jobs[path] = _Job(run=run, metric=name, image=image, resize=task.reference.resize, device=pool.device)
    frames = sum(job.image.frames or job.image.clip.frames for job in jobs.values())
    pool.at_most(frames // WORTH).map(_extract, list(jobs.values()), title="extracting features")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRows:
    """The rows of the task's reference, one item for each image, and the ids of images that could not be measured."""

    rows: list[Rows]
    lost: tuple[str, ...] = ()


def reference_rows(
    run: Run, metric: Metric, pairs: Sequence[Pair], *, task: Task, clips: Sequence[Clip]
) -> ReferenceRows:
    """The stored rows of the task's reference for a distribution metric; none for other metrics."""
    if not needs_reference(metric):
        return ReferenceRows(rows=[])
    images = reference_images(task.reference, pairs, clips)
    found = [(image, read_array(_path(run, metric, image.clip, image.part), lazy=True)) for image in images]
    return ReferenceRows(
        rows=[rows for _, rows in found if rows is not None],
        lost=tuple(image.clip.id for image, rows in found if rows is None),
    )


@dataclass(frozen=True, slots=True)
class Image:
    """The part of a clip that belongs to the reference. It is resized to `size`, or not if that is None."""

    clip: Clip
    part: str
    frames: int
    size: Size | None


def reference_images(reference: Reference, pairs: Sequence[Pair], clips: Sequence[Clip]) -> list[Image]:
    """The reference images of the task's pairs, each once, in the order of their ids."""
    sources = {pair.source.id: pair.source for pair in pairs}
    sizes = Counter((clip.width, clip.height) for clip in sources.values() if clip.width and clip.height)
    common = max(sizes, key=lambda size: (sizes[size], size)) if sizes else None
    if reference.images == "sources":
        return [_image(clip, 1, common, resize=reference.resize) for _, clip in sorted(sources.items())]
    domains = {clip.domain for clip in sources.values()}
    own = sorted((clip for clip in clips if clip.domain in domains and clip.split == "test"), key=lambda clip: clip.id)
    counts = [1 if clip.kind == "image" else reference.frames for clip in own]
    return [_image(clip, count, common, resize=reference.resize) for clip, count in zip(own, counts, strict=True)]


def _image(clip: Clip, frames: int, common: Size | None, *, resize: str) -> Image:
    part = {0: ALL, 1: FIRST}.get(frames, str(frames))
    if common is None or (clip.width, clip.height) in (common, (0, 0)):
        return Image(clip, part, frames, None)
    return Image(clip, f"{part}-{common[0]}x{common[1]}-{resize}", frames, common)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    run: Run
    metric: str
    image: Image
    resize: str
    device: str


def _extract(job: _Job) -> None:
    """Extract the features of a reference image or clip. A failure is recorded, and the next run tries again."""
    name = f"reference+{job.image.clip.id}"
    read = functools.partial(_read, job.image, resize=job.resize)
    try:
        dataset_features(job.run, load(job.metric, device=job.device), job.image.clip, part=job.image.part, read=read)
    except Exception as error:
        log.debug("reference image %s failed", job.image.clip.id, exc_info=True)
        job.run.fail(name, stage="measure", reason=reason_of(error))
    else:
        job.run.clear_failure(name)


def _read(image: Image, *, resize: str) -> Iterator[Frames]:
    """The frames of a reference image in chunks."""
    if image.frames == 1:
        chunks = iter([read_source(image.clip)[None]])
    elif image.frames:
        chunks = _chosen(image.clip, evenly(count_frames(image.clip), image.frames))
    else:
        chunks = iter_chunks(image.clip)
    size = image.size
    yield from chunks if size is None else (resized(chunk, size, resize=resize) for chunk in chunks)


def _chosen(clip: Clip, indices: Sequence[int]) -> Iterator[Frames]:
    start = 0
    for chunk in iter_chunks(clip):
        own = [at - start for at in indices if start <= at < start + len(chunk)]
        start += len(chunk)
        if own:
            yield chunk[own]


def resized(frames: Frames, size: Size, *, resize: str) -> Frames:
    """Resize frames to (width, height) with a filter of Pillow, which is antialiased."""
    from PIL import Image as Pillow

    how = Pillow.Resampling[resize.upper()]
    return np.stack([np.asarray(Pillow.fromarray(frame).resize(size, how)) for frame in frames])


def _path(run: Run, metric: Metric, clip: Clip, part: str) -> Path:
    return run.features / metric.features / part / f"{clip.id}~{clip.sha256[:8]}.npy"
