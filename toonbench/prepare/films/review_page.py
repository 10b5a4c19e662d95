"""The review page: one static HTML file with the contact sheets of all clips. It loads nothing from the network.

Keys keep, drop, rename and merge; the decisions are kept by the browser, and saved as `review.json`, which the next run reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toonbench.prepare.films.review import Review
from toonbench.store import write_bytes

if TYPE_CHECKING:
    from toonbench.prepare.films.cutting import Job
    from toonbench.prepare.films.fates import Fate

PAGE = "review.html"


def write_page(out: Path, fates: Sequence[Fate], jobs: Mapping[str, Job], review: Review) -> None:
    """Write the page of a data set. Every clip that was cut is on it, kept ones and dropped ones."""
    clips = [_entry(fate, jobs[fate.candidate.film]) for fate in fates if fate.record]
    decisions = {name: {"keep": one.keep, "identity": one.identity} for name, one in review.clips.items()}
    data = {"name": out.resolve().name, "clips": clips, "decisions": decisions}
    template = (files("toonbench.prepare.films") / "review_page.html").read_text(encoding="utf-8")
    write_bytes(out / PAGE, template.replace('"TOONBENCH DATA"', _script(data), 1).encode())


def _entry(fate: Fate, job: Job) -> dict[str, Any]:
    one, record = fate.candidate, fate.record
    quality = record["quality"]
    return {
        "id": one.id,
        "film": job.film.original,
        "title": job.film.title,
        "first": one.first,
        "last": one.last - 1,
        "seconds": round(record["frames"] / record["fps"], 2),
        "kept": fate.kept,
        "stage": fate.stage,
        "reason": fate.reason,
        "identity": fate.identity,
        "split": fate.split,
        "face": round(quality["face_pixels"]),
        "sharpness": round(quality["sharpness"], 2),
    }


def _script(data: Any) -> str:
    """JSON that is safe inside a script element: no character of it can end the element."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
