"""The video of each pair in a folder: which of its files, and how it is read, by what the files' headers state."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from toonbench import video
from toonbench.data.clips import count_frames, decoded_frames, read_source
from toonbench.data.folder import file_sha256
from toonbench.pool import IN_PROCESS, Pool
from toonbench.score.fit import (
    Expected,
    How,
    Probe,
    Region,
    can_show_face,
    can_show_picture,
    expected_numbers,
    fits,
    rates_differ,
    reading_for,
)
from toonbench.score.names import naming_of
from toonbench.score.outputs import Assigned, Candidate, assign, list_outputs, rule_in_words, shortened, shown
from toonbench.score.reading import Reading
from toonbench.types import Clip, Pair, ToonbenchError
from toonbench.video.coding import Loss, coding

ORDER: Mapping[Loss, int] = {"lossless": 2, "unknown": 1, "lossy": 0}
WORTH = 64  # files for each further process
COMPARED = 8  # videos whose first frame decides whether they show the face or the whole picture
CLEAR = 0.9  # the smaller of two differences from the source, as a share of the larger, that decides
VERY_CLEAR = 0.5  # the same where the videos have the source's size


@dataclass(frozen=True, slots=True, kw_only=True)
class Videos:
    """The video of each pair. `about` is stored in the result, `line` is printed, and `notes` are printed with the numbers."""

    readings: Mapping[str, Reading]
    about: Mapping[str, Any] = field(default_factory=dict[str, Any])
    line: str = ""
    notes: tuple[str, ...] = ()

    @property
    def revision(self) -> str:
        """A checksum of the files, and of how they are read where that changes pixels."""
        digest = hashlib.sha256()
        for pair, reading in self.readings.items():
            digest.update(f"{pair}:{_checksum(reading.files)}\n".encode())
            if facts := reading.facts:
                digest.update(f"{pair}|{facts}\n".encode())
        return digest.hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class _Job:
    """A candidate to probe; picklable for worker processes."""

    candidate: Candidate
    folder: Path
    pair: Pair

    @property
    def path(self) -> Path:
        return self.folder / self.candidate.item.path


@dataclass(frozen=True, slots=True)
class _Probed:
    """A candidate, what it states, and what its pair expects."""

    job: _Job
    probe: Probe
    expected: Expected

    def reading(self, how: How, region: Region) -> Reading:
        pictures = self.job.candidate.item.pictures
        return reading_for(self.job.path, pictures, probe=self.probe, expected=self.expected, how=how, region=region)


def find_videos(
    folder: Path, pairs: Sequence[Pair], clips: Sequence[Clip], *, how: How | None = None, pool: Pool = IN_PROCESS
) -> Videos:
    """Find the video of each pair in a folder. Raises ToonbenchError where names or files are ambiguous."""
    how = how or How()
    assigned = assign(list_outputs(folder), naming_of(pairs, clips), names=how.names, panels=how.panel != (1, 1))
    jobs = [_Job(one, folder, pair) for pair in pairs for one in assigned.candidates.get(pair.id, ())]
    by_pair: dict[str, list[_Probed]] = {}
    for probed in pool.at_most(len(jobs) // WORTH).map(_probe, jobs, title="reading headers"):
        by_pair.setdefault(probed.job.pair.id, []).append(probed)
    chosen = {pair: _best(candidates, how) for pair, candidates in by_pair.items()}
    region = how.region if how.region != "auto" else _region([*chosen.values()], how)
    readings = {pair: one.reading(how, region) for pair, one in chosen.items()}
    notes = _notes(readings, chosen)
    about = _about(chosen, assigned, notes=notes)
    several = sum(len(candidates) > 1 for candidates in by_pair.values())
    return Videos(readings=readings, about=about, notes=notes, line=_line(about, pairs=len(pairs), several=several))


def _probe(job: _Job) -> _Probed:
    """What the header of a candidate states. A video that cannot be read has a `problem`; scoring reports it."""
    expected = Expected(size=(0, 0))
    try:
        expected = _expected(job.pair)
        probe = _pictures(job) if job.candidate.item.pictures else _header(job.path)
        if rates_differ(probe, expected) and probe.frames != expected.frames:
            clip = Clip(id=job.path.name, path=job.path, domain="real")
            probe = replace(probe, frames=decoded_frames(clip))
    except ToonbenchError as error:
        probe = Probe(problem=str(error))
    return _Probed(job, probe, expected)


def _expected(pair: Pair) -> Expected:
    source, driving = pair.source, pair.driving
    size = (source.width, source.height)
    if not all(size):
        height, width, _ = read_source(source).shape
        size = (width, height)
    width, height = expected_numbers(source.picture, 2)
    left, top, side = expected_numbers(source.box, 3)
    fps = driving.fps or video.probe(driving.path).fps
    return Expected(size=size, frames=count_frames(driving), fps=fps, picture=(width, height), box=(left, top, side))


def _header(path: Path) -> Probe:
    info, coded = video.probe(path), coding(path)
    palette = coded.codec in ("gif", "apng") or coded.pixel_format in ("pal8", "p")
    return Probe(size=(info.width, info.height), frames=info.frames, fps=info.fps, loss=coded.loss, palette=palette)


def _pictures(job: _Job) -> Probe:
    names = job.candidate.item.pictures
    first = job.path / names[0]
    height, width, _ = video.read_image(first).shape
    return Probe(size=(width, height), frames=len(names), loss=coding(first).loss)


def _best(candidates: Sequence[_Probed], how: How) -> _Probed:
    """The candidate to measure: one that can be scored, lossless, of the expected size and length, named exactly.

    Raises ToonbenchError if two are equally good and differ.
    """
    ranks = {at: _rank(one, how) for at, one in enumerate(candidates)}
    top = max(ranks.values())
    best = [candidates[at] for at, rank in ranks.items() if rank == top]
    if len(best) > 1 and len({_checksum(one.reading(how, "face").files) for one in best}) > 1:
        names = " and ".join(shown(one.job.candidate.item.path) for one in best[:2])
        raise ToonbenchError(
            f"{best[0].job.folder} has {len(best)} equally good videos for {best[0].job.pair.id}, {names}: keep one, or give --names"
        )
    return best[0]


def _rank(one: _Probed, how: How) -> tuple[int, ...]:
    probe, expected, candidate = one.probe, one.expected, one.job.candidate
    return (
        fits(probe, expected, how),
        candidate.kind == "concat",
        not probe.palette,
        ORDER[probe.loss],
        probe.size == expected.size,
        probe.frames == expected.frames,
        candidate.exact,
    )


def _region(chosen: Sequence[_Probed], how: How) -> Region:
    """Whether the videos show faces or whole pictures, where their sizes allow both: the one nearer to the source decides."""
    both = [
        one
        for one in chosen
        if not one.probe.problem
        and can_show_face(one.probe, one.expected, how.panel)
        and can_show_picture(one.probe, one.expected, how.panel)
    ]
    if not both:
        return "auto"
    face, picture = (sum(_difference(one, how, region) for one in both[:COMPARED]) for region in ("face", "picture"))
    if all(one.probe.size == one.expected.size for one in both):
        return "picture" if picture < VERY_CLEAR * face else "face"
    if CLEAR * face < picture < face / CLEAR:
        raise ToonbenchError(
            f"{len(both)} videos of {both[0].probe.size[0]}x{both[0].probe.size[1]}, for example {both[0].job.path.name}, can show "
            "the face or the whole picture: give --region face or --region picture"
        )
    return "picture" if picture < face else "face"


def _difference(one: _Probed, how: How, region: Region) -> float:
    """The mean difference of the first frame from the source."""
    try:
        frame = next(one.reading(how, region).frames())
    except ToonbenchError:
        return 0.0
    return float(np.abs(frame.astype(np.float32) - read_source(one.job.pair.source)).mean())


def _notes(readings: Mapping[str, Reading], chosen: Mapping[str, _Probed]) -> tuple[str, ...]:
    """How videos were read that were not measured as they are, one line for each way."""
    ways: Counter[str] = Counter()
    for pair, reading in readings.items():
        probe, expected = chosen[pair].probe, chosen[pair].expected
        width, height = probe.size
        size = f"{expected.size[0]}x{expected.size[1]}"
        if reading.panel != (1, 1):
            ways[f"are strips of {reading.panel[1]} panels; panel {reading.panel[0]} was measured"] += 1
        if reading.square:
            ways[f"are whole pictures of {width}x{height}; the source's square was cut and brought to {size}"] += 1
        elif reading.size:
            ways[f"are {width}x{height} and were reduced to {size} by area averaging"] += 1
        if reading.rate:
            rates = f"{reading.rate.own:.4g} frames per second and their driving videos {reading.rate.driving:.4g}"
            ways[f"have {rates}; frames were matched by time"] += 1
    return tuple(f"{count} of {len(readings)} videos {way}" for way, count in ways.items())


def _about(chosen: Mapping[str, _Probed], assigned: Assigned, *, notes: Sequence[str]) -> dict[str, Any]:
    """The field `videos` of the result."""
    candidates = {pair: one.job.candidate for pair, one in chosen.items()}
    return {
        "rules": dict(Counter(one.template for one in candidates.values())),
        "files": {pair: shown(one.item.path) for pair, one in candidates.items()},
        "lossy": sum(one.probe.loss == "lossy" for one in chosen.values()),
        "left_out": dict(assigned.left_out),
        "unassigned": list(assigned.unassigned[:COMPARED]),
        "unassigned_count": len(assigned.unassigned),
        "notes": list(notes),
    }


def _line(about: Mapping[str, Any], *, pairs: int, several: int) -> str:
    """What was chosen by which rule, in one line."""
    how = ", ".join(f"{count} {rule_in_words(rule)}" for rule, count in about["rules"].items())
    parts = [f"{len(about['files'])} of {pairs} pairs have a video" + (f" ({how})" if how else "")]
    if several:
        parts.append(f"{several} pairs have several files, of which the best was taken (lossless first)")
    if about["left_out"]:
        parts.append("left out: " + ", ".join(f"{count} {kind}" for kind, count in sorted(about["left_out"].items())))
    if about["unassigned"]:
        count = about["unassigned_count"]
        parts.append(f"{count} belong to no pair: {shortened(about['unassigned'], of=count)}")
    return "; ".join(parts)


def _checksum(files: Sequence[Path]) -> str:
    """The sha256 of a file, or of the checksums of several."""
    sums = [file_sha256(path) for path in files]
    return sums[0] if len(sums) == 1 else hashlib.sha256("\n".join(sums).encode()).hexdigest()
