"""A prepared data set against what is known about its films: shots, tracks, crops, splits. `prepare-cartoon --check` prints it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from toonbench.data.table import CLIPS, FILMS
from toonbench.prepare.accuracy import (
    Counts,
    GroundTruth,
    TrackCounts,
    compare,
    compare_tracks,
    read_tracks,
    read_truth,
    total,
)
from toonbench.prepare.films import cutting
from toonbench.prepare.films.curation import Curation
from toonbench.prepare.films.cutting import Job
from toonbench.prepare.films.files import list_films
from toonbench.prepare.shots.transition import Transition
from toonbench.prepare.splits import leaks
from toonbench.types import ToonbenchError

SUFFIXES = (".gt.json", ".json")
GRADUAL = ("dissolve", "wipe", "fade")


@dataclass(slots=True)
class Checked:
    """Sums over the films that have a truth: changes of shots by kind, clips over two shots, tracks."""

    films: int = 0
    shots: dict[str, Counts] = field(default_factory=dict[str, Counts])
    clips: int = 0
    over_two: list[str] = field(default_factory=list[str])
    tracks: TrackCounts = field(default_factory=TrackCounts)
    tracked: int = 0


def check_run(raw: Path, out: Path, truth: Path, *, options: Curation) -> list[str]:
    """The lines of a report. `truth` is the folder of `make-films`, a folder of labelled JSON files, or one such file.

    Raises ToonbenchError if no film has a truth.
    """
    films = list_films(raw, domain=options.domain, out=out)
    jobs = [Job(film=film, root=films.root, out=out, options=options) for film in films.found]
    checked = Checked()
    for job in jobs:
        path = truth_of(job, truth)
        if path is not None and (facts := job.read("film.json")) and not facts["reason"]:
            _add(checked, job, path)
    if not checked.films:
        raise ToonbenchError(
            f"{truth} states nothing about these films: give the folder of `toonbench make-films`, or JSON files called as the films are"
        )
    return list(report(checked, out))


def truth_of(job: Job, truth: Path) -> Path | None:
    """The file that states the truth about a film, or None."""
    if truth.is_file():
        return truth
    if FILMS.is_in(truth):
        for row in FILMS.read(truth):
            if Path(row["file"]).name == job.film.path.name:
                return truth / row["truth"]
    names = [f"{stem}{suffix}" for stem in (job.film.path.stem, job.film.path.name) for suffix in SUFFIXES]
    places = [truth, truth / "truth", (truth / job.film.path).parent]
    return next((place / name for place in places for name in names if (place / name).is_file()), None)


def _add(checked: Checked, job: Job, path: Path) -> None:
    truth = read_truth(path)
    record = job.read("shots.json") or {}
    transitions = [Transition(**one) for one in record.get("transitions", [])]
    checked.films += 1
    checked.shots = total([checked.shots, compare(transitions, truth)])
    clips = [one for one in cutting.candidates(job) if not one.fault]
    checked.clips += len(clips)
    checked.over_two += [one.id for one in clips if over_two_shots(one.first, one.last, truth)]
    if tracks := read_tracks(path):
        checked.tracked += 1
        checked.tracks += compare_tracks([one.track for one in clips], tracks, truth)


def over_two_shots(first: int, last: int, truth: GroundTruth) -> bool:
    """Whether the frames [first, last) show two shots: a cut is inside, or a frame of a gradual change is."""
    for change in truth.changes:
        if change.start == change.end:
            if first < change.start < last:
                return True
        elif first < change.end and change.start < last:
            return True
    return False


def report(checked: Checked, out: Path) -> Iterator[str]:
    """The lines of the report."""
    yield f"compared with the truth of {checked.films} films:"
    for kind, count in sorted(checked.shots.items()):
        yield f"  {kind}: {_line(count)}"
    gradual = _sum([count for kind, count in checked.shots.items() if kind in GRADUAL])
    yield f"  gradual changes together: {_line(gradual)}"
    yield f"  all changes of shots: {_line(_sum([count for kind, count in checked.shots.items() if kind != 'drawing']))}"
    wrong = f", for example {checked.over_two[0]}" if checked.over_two else ""
    yield f"  {len(checked.over_two)} of {checked.clips} clips show frames of two shots{wrong}"
    if checked.tracked:
        yield from (f"  {line}" for line in checked.tracks.lines())
    rows = CLIPS.read(out)
    found = leaks(rows)
    yield f"  leaks between train and test: {found.titles} titles, {found.identities} identities"


def _line(count: Counts) -> str:
    f1 = "no F1" if count.f1 is None else f"F1 {count.f1:.3f}"
    return f"{count.found} found, {count.missed} missed, {count.false} false; {f1}"


def _sum(counts: Sequence[Counts]) -> Counts:
    whole = Counts()
    for count in counts:
        whole += count
    return whole
