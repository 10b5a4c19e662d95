"""Draw the pairs of a task from a data set, determined by a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace

from toonbench.registry import load_task
from toonbench.types import Clip, Motion, Pair, Task, ToonbenchError

Targets = Mapping[tuple[str, str, Motion], Clip]  # (source id, driving id, motion) -> target


def draw_pairs(task: Task, clips: Iterable[Clip], *, targets: Targets | None = None, seed: int = 0) -> list[Pair]:
    """The pairs of `task` on test `clips`, sorted by driving video.

    Videos and sources are sorted by a hash of (seed, domain, id), so that both domains' lists are the same in
    every task, do not depend on the order of `clips`, and change little when clips are added. The first
    `task.videos` drive; each takes the next `task.images` sources, so that no source repeats before all were used once.
    If `targets` has targets for a driving video, its sources are chosen among those with a target.
    A smaller data set gives fewer pairs. Raises ToonbenchError if it has no videos, no sources or no pairs.
    """
    clips = [clip for clip in clips if clip.split == "test"]
    videos = _shuffled((c for c in clips if c.kind == "video" and c.domain == task.driving), seed)[: task.videos]
    if not videos:
        raise ToonbenchError(
            f"task {task.id} needs {task.driving} videos, but the data has none: add some, or choose another task"
        )
    if task.images == 0:
        return [Pair(id=clip.id, source=clip, driving=clip, target=clip) for clip in videos]
    sources = _sources(task, clips, seed)
    targets = targets or {}
    pairs: list[Pair] = []
    place = 0
    for video in videos:
        with_target = [source for source in sources if (source.id, video.id, task.motion) in targets]
        chosen = _next_sources(with_target or sources, video, start=0 if with_target else place, count=task.images)
        place += task.images
        for source in chosen:
            target = targets.get((source.id, video.id, task.motion))
            pairs.append(Pair(id=f"{source.id}~{video.id}", source=source, driving=video, target=target))
    if not pairs:
        raise ToonbenchError(_no_pairs(task, videos=videos, sources=sources))
    return pairs


def _no_pairs(task: Task, *, videos: Sequence[Clip], sources: Sequence[Clip]) -> str:
    """Why no pair could be drawn, and what to do."""
    people = sorted({clip.identity or clip.id for clip in (*videos, *sources)})
    return (
        f"task {task.id} has no pairs: its driving videos ({len(videos)}) and sources ({len(sources)}) all show {people[0]!r}, "
        "and it needs another identity as the source: add sources, or state who is who in metadata.csv"
    )


def pairs_with_targets(
    clips: Sequence[Clip], *, tasks: Sequence[str], sources: int = 0, seed: int = 0
) -> list[tuple[str, str]]:
    """The (source id, driving id) of every pair that the named cross-identity tasks with relative motion draw from `clips`.

    `sources` above 0 replaces the tasks' own number of sources for each driving video. Where no clip is a test clip, all clips are used,
    and every video drives.
    """
    test = any(clip.split == "test" for clip in clips)
    own = clips if test else [replace(clip, split="test") for clip in clips]
    drawn = [
        draw_pairs(
            replace(task, images=sources or task.images, videos=task.videos if test else len(own)), own, seed=seed
        )
        for task in map(load_task, tasks)
        if task.images and task.motion == "relative"
    ]
    return sorted({(pair.source.id, pair.driving.id) for pairs in drawn for pair in pairs})


def needed_clips(task: Task, pairs: Sequence[Pair], clips: Sequence[Clip]) -> set[str]:
    """The ids of the clips that pairs, and the reference images of their task, consist of."""
    used = {clip.id for pair in pairs for clip in (pair.source, pair.driving)}
    whole = task.reference.images == "domain"
    return used | {clip.id for clip in clips if whole and clip.domain == task.source}


def with_clips(pairs: Sequence[Pair], clips: Sequence[Clip]) -> list[Pair]:
    """The pairs with the clips of these ids."""
    by_id = {clip.id: clip for clip in clips}
    return [
        replace(
            pair,
            source=by_id[pair.source.id],
            driving=by_id[pair.driving.id],
            target=None if pair.target is None else by_id[pair.target.id],
        )
        for pair in pairs
    ]


def fingerprint(task: Task, pairs: Sequence[Pair]) -> str:
    """A sha256 over the task's fields and the ids of its pairs; it changes with either of them."""
    lines = [repr(sorted(asdict(task).items()))]
    lines += [f"{pair.id}|{pair.source.id}|{pair.driving.id}|{pair.target.id if pair.target else ''}" for pair in pairs]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def shard_of(pairs: Sequence[Pair], shard: tuple[int, int]) -> list[Pair]:
    """Part `i` of `n` (counted from 1) of the pairs, chosen by a hash of the id only."""
    index, count = shard
    return [pair for pair in pairs if _hash(pair.id) % count == index - 1]


def pair_seed(seed: int, pair: Pair) -> int:
    """The random seed of one pair, in [0, 2**31), independent of the order and machine of generation."""
    return _hash(f"{seed}|{pair.id}") % 2**31


def _sources(task: Task, clips: Sequence[Clip], seed: int) -> list[Clip]:
    """Images of the source domain, or its videos (their first frames) if it has no images."""
    own = [clip for clip in clips if clip.domain == task.source]
    sources = _shuffled((c for c in own if c.kind == "image"), seed) or _shuffled(
        (c for c in own if c.kind == "video"), seed
    )
    if not sources:
        raise ToonbenchError(
            f"task {task.id} needs {task.source} images, but the data has none: add some, or choose another task"
        )
    return sources


def _next_sources(sources: Sequence[Clip], driving: Clip, *, start: int, count: int) -> list[Clip]:
    """`count` different sources from `start` on, cyclically, without those of the driving video's identity."""
    turn = [sources[(start + step) % len(sources)] for step in range(len(sources))]
    others = [
        source
        for source in turn
        if source.id != driving.id and (not source.identity or source.identity != driving.identity)
    ]
    return others[:count]


def _shuffled(clips: Iterable[Clip], seed: int) -> list[Clip]:
    return sorted(clips, key=lambda clip: (_hash(f"{seed}|{clip.domain}|{clip.id}"), clip.id))


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
