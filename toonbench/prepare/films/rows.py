"""Rows of the tables of a data set of films."""

from __future__ import annotations

from dataclasses import asdict

from toonbench.data.table import CANDIDATES, Row
from toonbench.prepare.films.cutting import Job
from toonbench.prepare.films.fates import Fate, quality_of


def failure_row(job: Job, reason: str) -> Row:
    """The row of a film that cannot be used."""
    film = job.film
    return {
        "id": film.id,
        "file": film.original,
        "domain": film.domain,
        "kind": "video",
        "identity": "",
        "reason": reason,
    }


def candidate_row(fate: Fate, job: Job) -> Row:
    """The row of a candidate."""
    one = fate.candidate
    quality = asdict(quality_of(fate.record)) if fate.record else {}
    columns = [column.name for column in CANDIDATES.columns if column.kind is float and column.name != "seconds"]
    return {
        "id": one.id,
        "film": one.film,
        "original": job.film.original,
        "title": job.film.title,
        "domain": job.film.domain,
        "shot": one.shot,
        "first": one.first,
        "last": one.last,
        "seconds": round((one.last - one.first) / fate.facts["fps"], 3),
        "fate": "kept" if fate.kept else "dropped",
        "stage": fate.stage,
        "reason": fate.reason,
        "duplicate_of": fate.duplicate_of,
        "identity": fate.identity,
        "split": fate.split,
        "review": fate.review,
        **{name: float(quality.get(name, float("nan"))) for name in columns},
    }


def clip_row(fate: Fate, job: Job) -> Row:
    """The row of a clip of the data set."""
    one, record, film = fate.candidate, fate.record, job.film
    facts = fate.facts
    squares: list[list[int]] = record["squares"]
    rate = f", resampled from {facts['fps']:.6g} to {record['fps']:.6g} fps" if record["fps"] != facts["fps"] else ""
    how = f"face found by {job.options.detector}, {job.options.crop} square{rate}"
    whence = f"{film.provenance}; " if film.provenance else ""
    return {
        "id": one.id,
        "file": f"clips/{one.id}.mkv",
        "domain": film.domain,
        "kind": "video",
        "identity": fate.identity,
        "identity_by": "review" if fate.renamed else "look",
        "title": film.title,
        "split": fate.split,
        "fps": float(record["fps"]),
        "film_fps": float(facts["fps"]),
        "frames": record["frames"],
        "width": job.options.size,
        "height": job.options.size,
        "provenance": f"{whence}{film.original}, frames {one.first} to {one.last - 1}, {how} (toonbench prepare-cartoon)",
        "licence": film.licence,
        "original": film.original,
        "picture": f"{facts['width']},{facts['height']}",
        "box": ",".join(map(str, squares[0])),
        "first": one.first,
        "detected": round(float(record["quality"]["detected"]), 4),
        "remarks": "the square moves with the face" if len(squares) > 1 else "",
        "sha256": record["sha256"],
    }
