"""What is written below a table: how its numbers came about, from the stored results and rows alone."""

from __future__ import annotations

import math
from collections.abc import Iterable

from toonbench import registry
from toonbench.report.entries import Entry
from toonbench.report.table import Column
from toonbench.report.task_runs import TaskRuns, pairs_of, short, sizes
from toonbench.types import Task, ToonbenchError

IMAGES = "reference images"  # of the details of FID and KID


def protocols(runs: Iterable[TaskRuns]) -> list[str]:
    """How the numbers of each task came about, a line for each task with runs."""
    lines = [protocol(one) for one in runs]
    return [line for line in lines if line]


def metric_versions(columns: Iterable[Column], runs: Iterable[TaskRuns]) -> str:
    """The metrics with their versions, and the number of reference images that those of whole sets have."""
    names = [one.metric if one.metric.startswith(one.name) else f"{one.name} is {one.metric}" for one in columns]
    counts = dict.fromkeys(
        int(result.details[IMAGES])
        for one in runs
        for entry in one.entries
        for result in entry.results.values()
        if math.isfinite(result.details.get(IMAGES, math.nan))
    )
    images = f"; {' and '.join(map(str, counts))} reference images" if counts else ""
    return f"Metrics: {', '.join(dict.fromkeys(names))}{images}."


def checkpoints(runs: Iterable[TaskRuns]) -> list[str]:
    """The weights of the methods, with file and sha256."""
    found = {
        f"{entry.method}: {facts['file']} ({facts.get('variant', '')}), sha256 {facts.get('sha256', '')[:8]}"
        for one in runs
        for entry in one.entries
        if (facts := entry.checkpoint).get("file")
    }
    return [f"Weights: {'; '.join(sorted(found))}."] if found else []


def remarks(runs: Iterable[TaskRuns], metrics: Iterable[str]) -> tuple[str, ...]:
    """Caveats, runs of other pairs, and why metrics of the table have no ranks."""
    found: list[str] = []
    shown = tuple(metrics)
    for one in runs:
        found += [str(caveat) for entry in one.entries for caveat in entry.stored.get("caveats", ())]
        found += [*one.left_out, *one.without_ranks(shown)]
    return tuple(dict.fromkeys(found))


def protocol(runs: TaskRuns) -> str:
    """How the numbers of a task came about, in one line, from the stored results and rows."""
    first = runs.first
    if first is None:
        return ""
    about = first.stored
    pairs = about["pairs"]
    clusters = max((one.clusters for one in first.results.values()), default=0)
    parts = [
        f"{runs.task} on {runs.entries[0].data}: {_counted(pairs, 'pair')}, {_counted(clusters, 'driving video')}",
        *_videos(first),
        *_task_facts(runs.task),
        *(f"limit {about['limit']}" for _ in range(about["limit"] is not None)),
        f"seed {about['seed']}, pairs {short(about['pairs_fingerprint'])}, data {short(about['data_fingerprint'])}",
    ]
    return f"{'; '.join(parts)}."


def _task_facts(task: str) -> list[str]:
    """Motion and first frame of a task's current version; nothing for another version."""
    try:
        rule: Task = registry.load_task(task)
    except ToonbenchError:
        return []
    first = f"the first {rule.skip if rule.skip > 1 else 'frame'} generated and not measured"
    return [f"{rule.motion} motion", first if rule.skip else "the first frame measured, too"]


def _videos(entry: Entry) -> list[str]:
    """Size and frames of the clips, from the rows that the linter stored of each video."""
    rows = [row for pair in pairs_of(entry) if (row := sizes(entry, pair))]
    found = sorted({(row["width"], row["height"]) for row in rows})
    frames = sorted({row["frames"] for row in rows})
    parts: list[str] = []
    if len(found) == 1:
        parts.append(f"{found[0][0]} × {found[0][1]} px")
    elif found:
        parts.append(f"{len(found)} sizes, {found[0][0]} × {found[0][1]} to {found[-1][0]} × {found[-1][1]} px")
    if frames:
        span = str(frames[0]) if len(frames) == 1 else f"{frames[0]} to {frames[-1]}"
        parts.append(f"{span} frames per clip")
    return parts


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
