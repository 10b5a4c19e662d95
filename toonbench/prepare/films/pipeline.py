"""From films to a data set: the stages of each film, then what is decided over all clips.

OUT/metadata.parquet  clips/*.mkv    the data set, with split, title and identity
    candidates.parquet               every part of a film that was considered, with its fate and the reason
    failures.parquet                 films that cannot be used, and why
    manifest.json                    films, frames and squares of every clip: `toonbench rebuild` makes the same clips from it
    about.json  README.md            notes and options; the data card
    review.html  review/             contact sheets; `review.json`, which the page saves, is read by the next run
    films/  dropped/                 records of the stages, which an interrupted run resumes from; clips that were cut and dropped
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toonbench.data.table import ABOUT, CANDIDATES, CLIPS, FAILURES
from toonbench.pool import IN_PROCESS, Pool
from toonbench.prepare.films import cutting
from toonbench.prepare.films.curation import Curation
from toonbench.prepare.films.cutting import Job
from toonbench.prepare.films.fates import Fate, decide
from toonbench.prepare.films.files import Films, list_films
from toonbench.prepare.films.manifest import write_manifest
from toonbench.prepare.films.review import Review, read_review
from toonbench.prepare.films.rows import candidate_row, clip_row, failure_row
from toonbench.prepare.output import own_folder
from toonbench.prepare.shots import second
from toonbench.store import write_json
from toonbench.types import ToonbenchError

STAGES: tuple[tuple[str, Callable[[Job], str]], ...] = (
    ("finding shots", cutting.find_shots),
    ("finding faces", cutting.find_faces),
    ("cutting clips", cutting.cut_clips),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curated:
    """What a run made: counts and notes; the tables are in the folder."""

    out: Path
    films: int
    failed: tuple[tuple[str, str], ...]
    fates: tuple[Fate, ...]
    notes: tuple[str, ...]

    @property
    def kept(self) -> list[Fate]:
        """The clips of the data set."""
        return [one for one in self.fates if one.kept]


def prepare_films(
    raw: Path, out: Path, *, options: Curation | None = None, review: Path | None = None, pool: Pool = IN_PROCESS
) -> Curated:
    """Make a data set in `out` from the films in `raw`, which is a folder or one file. A second run continues the first one.

    review: the decisions of a person; `out/review.json` if that exists. A film that cannot be used is recorded. Raises ToonbenchError if
    there are no films, if `out` has another data set, is in use or cannot be written, or if the review is of another one.
    """
    options = options or Curation()
    with own_folder(out, command="prepare-cartoon"):
        films = list_films(raw, domain=options.domain, out=out)
        jobs = [Job(film=film, root=films.root, out=out, options=options) for film in films.found]
        decisions = read_review(review or out / "review.json", needed=review is not None)
        failed = _run_stages(jobs, pool)
        sound = [job for job in jobs if job.film.id not in failed]
        fates, notes = decide(sound, options, decisions)
        _place_files(sound, fates)
        return _write(out, films, jobs, failed, fates, notes, decisions)


def _run_stages(jobs: Sequence[Job], pool: Pool) -> dict[str, str]:
    """Run the stages over all films, and return why films cannot be used, by their ids.

    Several processes take whole films, so that they start once and wait for no other film between stages.
    """
    failed: dict[str, str] = {}
    whole = pool.workers > 1 and len(jobs) > 1
    for title, stage in (("preparing films", _every_stage),) if whole else STAGES:
        sound = [job for job in jobs if job.film.id not in failed]
        reasons = pool.map(stage, sound, title=title)
        failed |= {job.film.id: reason for job, reason in zip(sound, reasons, strict=True) if reason}
    return failed


def _every_stage(job: Job) -> str:
    """Run all stages of one film; why it cannot be used, or an empty string."""
    return next((reason for _, stage in STAGES if (reason := stage(job))), "")


def _place_files(jobs: Sequence[Job], fates: Sequence[Fate]) -> None:
    """Clips of the data set are in clips/, other clips that were cut in dropped/."""
    of = {job.film.id: job for job in jobs}
    for fate in fates:
        job = of[fate.candidate.film]
        inside, outside = job.clip(fate.candidate.id), job.dropped(fate.candidate.id)
        source, target = (outside, inside) if fate.kept else (inside, outside)
        if not target.is_file() and source.is_file():
            try:
                target.parent.mkdir(exist_ok=True)
                source.replace(target)
            except OSError as error:
                raise ToonbenchError(f"{target} cannot be written ({error}): free space, and run again") from error
    if jobs:
        _remove_stale(jobs[0].out, {fate.candidate.id for fate in fates if fate.kept})


def _remove_stale(out: Path, kept: set[str]) -> None:
    """Remove the clips of earlier options, which no candidate of this run has."""
    for path in (out / "clips").glob("*.mkv"):
        if path.stem not in kept:
            path.unlink()


def _write(
    out: Path,
    films: Films,
    jobs: Sequence[Job],
    failed: Mapping[str, str],
    fates: Sequence[Fate],
    notes: Sequence[str],
    decisions: Review,
) -> Curated:
    from toonbench.prepare.films.data_card import write_card
    from toonbench.prepare.films.review_page import write_page

    options = jobs[0].options
    by_id = {job.film.id: job for job in jobs}
    lines = [*films.remarks, *_film_notes(by_id, failed), *notes, *missing_parts(options)]
    CANDIDATES.write(out, [candidate_row(fate, by_id[fate.candidate.film]) for fate in fates])
    FAILURES.write(out, [failure_row(by_id[name], reason) for name, reason in failed.items()])
    CLIPS.write(out, [clip_row(fate, by_id[fate.candidate.film]) for fate in fates if fate.kept])
    write_json(out / ABOUT, {"notes": lines, "options": options.to_json(), "films": len(jobs)})
    write_manifest(out, [job for job in jobs if job.film.id not in failed], fates)
    made = Curated(out=out, films=len(jobs), failed=tuple(failed.items()), fates=tuple(fates), notes=tuple(lines))
    write_page(out, fates, by_id, decisions)
    write_card(out, fates, by_id, notes=lines)
    return made


def missing_parts(options: Curation) -> list[str]:
    """What is missed because a package or weights are missing, one line each."""
    from toonbench.prepare.detectors import missing_detectors

    lines = [] if second.is_available() else [second.MISSED]
    if options.detector == "fused":
        lines += [f"the detector {name} is left out: {reason}" for name, reason in missing_detectors().items()]
    return lines


def _film_notes(jobs: Mapping[str, Job], failed: Mapping[str, str]) -> list[str]:
    lines: list[str] = []
    for name, job in jobs.items():
        if name not in failed:
            lines += [f"{job.film.original}: {note}" for note in cutting.facts_of(job)["notes"]]
    return lines
