"""Laws of tasks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from toonbench import registry
from toonbench.tasks import draw_pairs, fingerprint
from toonbench.tasks.lock import catalogue
from toonbench.testing.laws import only_if
from toonbench.types import DOMAINS, Clip, Pair, Task

NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class TaskSubject:
    """A task under check, registered as `name`."""

    task: Task
    name: str

    @cached_property
    def clips(self) -> list[Clip]:
        """A catalogue larger than the paper's tasks need, and clips that belong to other splits."""
        clips = catalogue()
        return [*clips, *(replace(clip, id=f"{clip.id}-train", split="train") for clip in clips[::100])]

    @cached_property
    def pairs(self) -> list[Pair]:
        """The pairs that the task draws from the catalogue."""
        return draw_pairs(self.task, self.clips)


def declares_itself(subject: TaskSubject) -> str:
    """The task declares its name, version, domains, sizes and purpose."""
    task = subject.task
    if wrong := _wrong_types(task):
        return wrong
    faults = [
        (task.name != subject.name, f"its name is '{task.name}' and it is registered as '{subject.name}'"),
        (not NAME.fullmatch(task.name), f"its name '{task.name}' is not fit for a folder"),
        (task.version < 1, f"its version is {task.version}; use 1 or more"),
        (
            not {task.source, task.driving} <= set(DOMAINS),
            f"its domains are {task.source} and {task.driving}; use {' or '.join(DOMAINS)}",
        ),
        (task.videos < 1 or task.images < 0, f"{task.videos} videos and {task.images} images draw no pairs"),
        (task.skip < 0, f"skip is {task.skip}; use 0 or more"),
        (task.motion not in ("relative", "absolute"), f"its motion is '{task.motion}'; use relative or absolute"),
        (not task.about, "`about` is empty; describe the purpose in one sentence"),
    ]
    return "; ".join(text for wrong, text in faults if wrong)


def _wrong_types(task: Task) -> str:
    """The fields of a wrong type, each with the value and what is allowed."""
    numbers = dict.fromkeys(("version", "videos", "images", "skip"), int)
    expected = {**dict.fromkeys(("name", "source", "driving", "motion", "about"), str), **numbers, "metrics": tuple}
    words = {str: "a text", int: "a whole number", tuple: "a tuple of names of metrics"}
    wrong = {name: words[kind] for name, kind in expected.items() if not isinstance(getattr(task, name), kind)}
    return "; ".join(f"{name} is {getattr(task, name)!r}; use {use}" for name, use in wrong.items())


def its_metrics_exist(subject: TaskSubject) -> str:
    """The task names at least one metric, and every metric that it names is registered at that version."""
    if not subject.task.metrics:
        return "it names no metric"
    for name in subject.task.metrics:
        registry.load_metric(name)
    return ""


def draws_pairs_of_its_domains(subject: TaskSubject) -> str:
    """The task draws unique pairs of test clips of its domains, no more than it declares."""
    task, pairs = subject.task, subject.pairs
    most = task.videos * max(1, task.images)
    if not 0 < len(pairs) <= most or len({pair.id for pair in pairs}) != len(pairs):
        return f"it draws {len(pairs)} pairs, {len({pair.id for pair in pairs})} of them different; {most} at most are declared"
    if any(pair.source.domain != task.source or pair.driving.domain != task.driving for pair in pairs):
        return "it draws pairs of domains that it does not declare"
    if any(clip.split != "test" for pair in pairs for clip in (pair.source, pair.driving)):
        return "it draws clips that do not belong to the test split"
    return (
        ""
        if all(NAME.fullmatch(pair.id.replace("~", "-")) for pair in pairs)
        else "ids of pairs are not fit for file names"
    )


def order_of_clips(subject: TaskSubject) -> str:
    """The task draws the same pairs in every order of the clips."""
    same = _ids(draw_pairs(subject.task, subject.clips[::-1])) == _ids(subject.pairs)
    return "" if same else "the pairs change when the clips come in another order"


def pairs_repeat(subject: TaskSubject) -> str:
    """The fingerprint repeats when the pairs are drawn again, and changes with the version."""
    task, pairs = subject.task, subject.pairs
    if fingerprint(task, draw_pairs(task, subject.clips)) != fingerprint(task, pairs):
        return "the fingerprint changes when the pairs are drawn again"
    same = fingerprint(replace(task, version=task.version + 1), pairs) == fingerprint(task, pairs)
    return "the fingerprint does not change with the version" if same else ""


def identities(subject: TaskSubject) -> str:
    """A same-identity task pairs each clip with itself; every other task pairs clips of different identities only."""
    if subject.task.images == 0:
        only_if(subject.task.source == subject.task.driving, "its domains differ, so that no clip can drive itself")
        own = all(pair.source.id == pair.driving.id and pair.target is not None for pair in subject.pairs)
        return (
            "" if own else "a pair of this same-identity task has another source than its driving video, or no target"
        )
    same = any(pair.source.identity == pair.driving.identity for pair in subject.pairs)
    return "a source is driven by a video of the same identity" if same else ""


def smaller_data(subject: TaskSubject) -> str:
    """A smaller data set gives fewer pairs, and no error."""
    few = [clip for clip in subject.clips if clip.id.endswith(("0001", "0002", "0003"))]
    pairs = draw_pairs(subject.task, few)
    return "" if 0 < len(pairs) <= len(subject.pairs) else f"{len(few)} clips give {len(pairs)} pairs"


def _ids(pairs: Sequence[Pair]) -> list[str]:
    return [pair.id for pair in pairs]


TASK_BASICS = (declares_itself,)
TASK_LAWS = (
    *TASK_BASICS,
    its_metrics_exist,
    draws_pairs_of_its_domains,
    order_of_clips,
    pairs_repeat,
    identities,
    smaller_data,
)
