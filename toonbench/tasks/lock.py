"""Fingerprints of the registered tasks: `tasks.lock` fixes the pairs of each version of a task permanently."""

from __future__ import annotations

from pathlib import Path

from toonbench.registry import load_task, names
from toonbench.tasks.draw import draw_pairs, fingerprint
from toonbench.types import DOMAINS, Clip

LOCK = Path(__file__).parent / "tasks.lock"


def current() -> dict[str, str]:
    """Each task's fingerprint, `name@version` to sha256, for a synthetic catalogue larger than any task needs."""
    tasks = [load_task(name) for name in names("tasks")]
    return {task.id: fingerprint(task, draw_pairs(task, catalogue())) for task in tasks}


def catalogue() -> list[Clip]:
    """473 real and 55 cartoon test videos, as in the paper, and 1,000 images of each domain."""
    clips: list[Clip] = []
    for domain, videos in zip(DOMAINS, (473, 55), strict=True):
        for number in range(videos):
            clips.append(_clip(f"{domain}-video-{number:04d}", domain=domain, kind="video"))
        for number in range(1000):
            clips.append(_clip(f"{domain}-image-{number:04d}", domain=domain, kind="image"))
    return clips


def _clip(name: str, *, domain: str, kind: str) -> Clip:
    return Clip(id=name, path=Path(name), domain=domain, kind=kind, identity=name)  # pyright: ignore[reportArgumentType]
