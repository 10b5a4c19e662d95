"""From a task and a data set to its pairs: the same for everyone, from a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace

from toonbench.registry import load_task
from toonbench.types import Clip, Motion, Pair, Task, ToonbenchError

Targets = Mapping[tuple[str, str, Motion], Clip]  # (source id, driving id, motion) -> exact answer


def draw_pairs(task: Task, clips: Iterable[Clip], *, targets: Targets | None = None, seed: int = 0) -> list[Pair]:
    """The pairs of `task` on test `clips`, sorted by driving video.

    Videos and sources are put in the order of a hash of (seed, domain, id), so that both domains' lists are the same in
    every task, do not depend on the order of `clips`, and change little when clips are added. The first
    `task.videos` drive; each takes the next `task.images` sources, so that no source comes twice before all came once.
    Where `targets` holds exact answers to a driver, it takes its sources from those that have one.
    A data set that holds fewer gives fewer. Raises ToonbenchError when it holds none.
    """
    clips = [clip for clip in clips if clip.split == "test"]
    drivers = _shuffled((c for c in clips if c.kind == "video" and c.domain == task.driving), seed)[: task.videos]
    if not drivers:
        raise ToonbenchError(
            f"task {task.id} needs {task.driving} videos and the data has none: add some, or choose another task"
        )
    if task.images == 0:
        return [Pair(id=clip.id, source=clip, driving=clip, target=clip) for clip in drivers]
    sources = _sources(task, clips, seed)
    answers = targets or {}
    pairs: list[Pair] = []
    place = 0
    for driver in drivers:
        answered = [source for source in sources if (source.id, driver.id, task.motion) in answers]
        chosen = _next_sources(answered or sources, driver, start=0 if answered else place, count=task.images)
        place += task.images
        for source in chosen:
            target = answers.get((source.id, driver.id, task.motion))
            pairs.append(Pair(id=f"{source.id}~{driver.id}", source=source, driving=driver, target=target))
    return pairs


def wanted_targets(
    clips: Sequence[Clip], *, tasks: Sequence[str], sources: int = 0, seed: int = 0
) -> list[tuple[str, str]]:
    """The (source id, driving id) of every pair that the named cross-identity tasks with relative motion draw from `clips`.

    `sources` above 0 replaces the tasks' own number of sources for each driving video.
    """
    drawn = [
        draw_pairs(replace(task, images=sources or task.images), clips, seed=seed)
        for task in map(load_task, tasks)
        if task.images and task.motion == "relative"
    ]
    return sorted({(pair.source.id, pair.driving.id) for pairs in drawn for pair in pairs})


def fingerprint(task: Task, pairs: Sequence[Pair]) -> str:
    """A sha256 over the task's fields and the ids of its pairs: it changes when either does."""
    lines = [repr(sorted(asdict(task).items()))]
    lines += [f"{pair.id}|{pair.source.id}|{pair.driving.id}|{pair.target.id if pair.target else ''}" for pair in pairs]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def shard_of(pairs: Sequence[Pair], shard: tuple[int, int]) -> list[Pair]:
    """The part `i` of `n` (counted from 1) of the pairs; by hash of the id, so that it depends on nothing else."""
    index, count = shard
    return [pair for pair in pairs if _hash(pair.id) % count == index - 1]


def pair_seed(seed: int, pair: Pair) -> int:
    """The random seed of one pair, in [0, 2**31), the same in whatever order and place it is made."""
    return _hash(f"{seed}|{pair.id}") % 2**31


def _sources(task: Task, clips: Sequence[Clip], seed: int) -> list[Clip]:
    """Images of the source domain; where there is none, the first frames of its videos."""
    own = [clip for clip in clips if clip.domain == task.source]
    sources = _shuffled((c for c in own if c.kind == "image"), seed) or _shuffled(
        (c for c in own if c.kind == "video"), seed
    )
    if not sources:
        raise ToonbenchError(
            f"task {task.id} needs {task.source} images and the data has none: add some, or choose another task"
        )
    return sources


def _next_sources(sources: Sequence[Clip], driver: Clip, *, start: int, count: int) -> list[Clip]:
    """`count` different sources from `start` on, round and round, none of the driver's own identity."""
    turn = [sources[(start + step) % len(sources)] for step in range(len(sources))]
    others = [
        source
        for source in turn
        if source.id != driver.id and (not source.identity or source.identity != driver.identity)
    ]
    return others[:count]


def _shuffled(clips: Iterable[Clip], seed: int) -> list[Clip]:
    return sorted(clips, key=lambda clip: (_hash(f"{seed}|{clip.domain}|{clip.id}"), clip.id))


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
