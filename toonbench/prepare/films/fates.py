"""What becomes of each candidate: faults, near-duplicates, identities, the decisions of a person, splits. Pure functions over records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from toonbench.data.table import Row
from toonbench.prepare.duplicates import Fingerprint, find_duplicates
from toonbench.prepare.films import cutting
from toonbench.prepare.films.curation import Candidate, Curation
from toonbench.prepare.films.cutting import Job
from toonbench.prepare.films.review import Review
from toonbench.prepare.identities import Appearance, identify
from toonbench.prepare.quality import Quality, fault_of
from toonbench.prepare.shots.film import Shot
from toonbench.prepare.splits import split, split_notes
from toonbench.prepare.tracks import no_track


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """A candidate with what became of it.

    facts: of its film's file. record: of its clip, empty if it was not cut.
    stage, reason: why it was dropped; both are empty for a clip of the data set.
    group: the name of its group of near-duplicates, or an empty string.
    """

    candidate: Candidate
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    record: Mapping[str, Any] = field(default_factory=dict[str, Any])
    stage: str = ""
    reason: str = ""
    duplicate_of: str = ""
    group: str = ""
    identity: str = ""
    split: str = ""
    review: str = ""
    renamed: bool = False

    @property
    def kept(self) -> bool:
        """Whether it is a clip of the data set."""
        return not self.stage

    def dropped(self, stage: str, reason: str, *, duplicate_of: str = "") -> Fate:
        """The same candidate, dropped."""
        return replace(self, stage=stage, reason=reason, duplicate_of=duplicate_of)


def decide(jobs: Sequence[Job], options: Curation, review: Review) -> tuple[list[Fate], list[str]]:
    """The fates of all candidates of all films, in order, and notes. Raises ToonbenchError for the review of another data set."""
    fates = [fate for job in jobs for fate in film_fates(job)]
    titles = {job.film.id: job.film.title for job in jobs}
    review.check(fate.candidate.id for fate in fates)
    fates = [reviewed(fate, review) for fate in fates]
    fates = without_duplicates(fates)
    fates = with_identities(fates, titles, review)
    return with_splits(fates, titles, options)


def film_fates(job: Job) -> list[Fate]:
    """The candidates of one film with the faults of their tracks and of their clips, and its shots without a face."""
    limits = job.options.limits
    fates: list[Fate] = []
    found, facts = cutting.candidates(job), cutting.facts_of(job)
    for one in found:
        if one.fault:
            fates.append(Fate(candidate=one, facts=facts, stage="tracks", reason=one.fault))
            continue
        record = job.read(f"cut/{one.id}.json") or {}
        fate = Fate(candidate=one, facts=facts, record=record)
        fault = fault_of(quality_of(record), limits)
        fates.append(fate.dropped("quality", fault) if fault else fate)
    with_faces = {track.shot for track in cutting.tracks_of(job)}
    for number, shot in enumerate(cutting.shots_of(job)):
        if number not in with_faces:
            fates.append(replace(_without_face(job, number, shot), facts=facts))
    return sorted(fates, key=lambda fate: (fate.candidate.first, fate.candidate.id))


def quality_of(record: Mapping[str, Any]) -> Quality:
    """The quality of a clip from its record, where null is a value that could not be measured."""
    return Quality(**{name: float("nan") if value is None else value for name, value in record["quality"].items()})


def _without_face(job: Job, number: int, shot: Shot) -> Fate:
    name = f"{job.film.id}--{shot.start:06d}-{shot.end - 1:06d}-shot"
    first, last = (shot.first, shot.last) if shot.last > shot.first else (shot.start, shot.end)
    track = no_track(number, first, last)
    one = Candidate(id=name, film=job.film.id, shot=number, first=first, last=last, track=track)
    if shot.last <= shot.first:
        return Fate(
            candidate=one,
            stage="shots",
            reason="all of its frames belong to changes of shots",
        )
    return Fate(candidate=one, stage="faces", reason="no face was found in this shot")


def reviewed(fate: Fate, review: Review) -> Fate:
    """The fate after a person's decision: what was cut may be kept in spite of a fault, and anything dropped."""
    decision = review.clips.get(fate.candidate.id)
    if decision is None or not decision.keep:
        return fate
    fate = replace(fate, review=decision.keep)
    if decision.keep == "drop":
        return fate.dropped("review", "dropped in the review")
    return replace(fate, stage="", reason="") if fate.record else fate


def without_duplicates(fates: Sequence[Fate]) -> list[Fate]:
    """Of each group of near-duplicates one is kept: one that a person keeps, otherwise the longest, with the largest face, the first."""
    of = {fate.candidate.id: fate for fate in fates}
    prints = {name: Fingerprint.from_json(fate.record["fingerprint"]) for name, fate in of.items() if fate.kept}
    for group in find_duplicates(prints):
        ranked = sorted(group, key=lambda name: _rank(of[name]))
        of |= {name: replace(of[name], group=ranked[0]) for name in group}
        for name in ranked[1:]:
            if of[name].review != "keep":
                reason = f"near-duplicate of {ranked[0]}"
                of[name] = of[name].dropped("duplicates", reason, duplicate_of=ranked[0])
    return [of[fate.candidate.id] for fate in fates]


def _rank(fate: Fate) -> tuple[int, int, float, str]:
    quality = quality_of(fate.record)
    return (fate.review != "keep", -fate.record["frames"], -quality.face_pixels, fate.candidate.id)


def with_identities(fates: Sequence[Fate], titles: Mapping[str, str], review: Review) -> list[Fate]:
    """Who each kept clip shows: those of one title that look alike, unless a person names them."""
    looks = {fate.candidate.id: Appearance.from_json(fate.record["look"]) for fate in fates if fate.kept}
    of = {fate.candidate.id: titles[fate.candidate.film] for fate in fates if fate.kept}
    names = identify(looks, titles=of)
    named: list[Fate] = []
    for fate in fates:
        decision = review.clips.get(fate.candidate.id)
        chosen = decision.identity if decision else ""
        own = chosen or names.get(fate.candidate.id, "")
        named.append(replace(fate, identity=own if fate.kept else "", renamed=bool(chosen) and fate.kept))
    return named


def with_splits(fates: Sequence[Fate], titles: Mapping[str, str], options: Curation) -> tuple[list[Fate], list[str]]:
    """The kept clips in train and test: no title (or, by choice, no identity) and no near-duplicate is in both."""
    rows: list[Row] = [
        {
            "id": fate.candidate.id,
            "title": titles[fate.candidate.film],
            "identity": fate.identity,
            "duplicates": fate.group,
        }
        for fate in fates
        if fate.kept
    ]
    share = 1 - options.test_share
    parts = split(rows, share=share, seed=options.seed, by=options.split_by)
    notes = split_notes(rows, parts, share=share, by=options.split_by) if rows else []
    return [replace(fate, split=parts.get(fate.candidate.id, "")) for fate in fates], notes


def counts(fates: Sequence[Fate]) -> list[tuple[str, int]]:
    """How many candidates each stage dropped, in the order of the stages, and how many are kept."""
    order = ("shots", "faces", "tracks", "quality", "duplicates", "review")
    dropped = Counter(fate.stage for fate in fates if not fate.kept)
    return [*((stage, dropped[stage]) for stage in order if dropped[stage]), ("kept", sum(fate.kept for fate in fates))]
