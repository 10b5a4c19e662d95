"""Training clips, loaded from the clips of data sets that are open."""

from __future__ import annotations

import functools
import hashlib
import logging
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toonbench.training.stored import Found, in_memory, on_disk
from toonbench.training.trained_on import TrainedOn, trained_on
from toonbench.types import DOMAINS, Clip, Domain, Frame, Frames, ToonbenchError
from toonbench.video import iter_frames

log = logging.getLogger(__name__)
HELD_OUT = 20  # one in so many identities is held out
FEW = 10  # identities of a domain, below which a line warns
WHO: Mapping[Domain, str] = {"real": "people", "cartoon": "characters"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipNeeds:
    """The clips that a method trains on: `size` is the side of their frames in pixels.

    `labels` and `targets`: it also needs their ground-truth motion, or targets across the domains (`toonbench.data.supervision`).
    """

    size: int = 256
    domains: tuple[Domain, ...] = DOMAINS
    labels: bool = False
    targets: bool = False


@dataclass(frozen=True, slots=True)
class TargetClips:
    """Targets of the domain whose clips they belong to: its characters, moved as training clips of the other domain, by their numbers.

    `frames` are as those of clips: a character in its own pose first, and then moved as the driving clip moved since its first frame.
    """

    driving: tuple[int, ...] = ()
    frames: Sequence[Frames] = ()


@dataclass(frozen=True, slots=True)
class ClipSet:
    """Clips of one domain, each uint8 (frames, size, size, 3) RGB: those to train on, and those held out.

    `origin` knows the training clips again, and is stored with the weights. `identities` is the number of people or characters in the
    training clips. `skipped` are clips that cannot be used, with the reason. `names` are the ids of the training clips. `rigs`, the
    ground-truth motion of each (frames, channels), `landmarks` of each (frames, 70, 2), in parts of the image's sides, and `targets` are
    there for methods that need them.
    """

    train: Sequence[Frames]
    heldout: Sequence[Frames]
    origin: TrainedOn = field(default_factory=TrainedOn)
    identities: int = 0
    skipped: Mapping[str, str] = field(default_factory=dict[str, str])
    names: tuple[str, ...] = ()
    rigs: tuple[NDArray[np.float32], ...] = ()
    landmarks: tuple[NDArray[np.float32], ...] = ()
    targets: TargetClips = field(default_factory=TargetClips)


TrainingClips = Mapping[Domain, ClipSet]


def load_clips(
    clips: Sequence[Clip], *, size: int, domains: Sequence[Domain] = DOMAINS, alone: bool = False, data: str = ""
) -> dict[Domain, ClipSet]:
    """`load_sets` of one data set with the id `data`, in memory."""
    return load_sets({data: clips}, size=size, domains=domains, alone=alone)


def load_sets(
    sets: Mapping[str, Sequence[Clip]],
    *,
    size: int,
    domains: Sequence[Domain] = DOMAINS,
    alone: bool = False,
    cache: Path | None = None,
) -> dict[Domain, ClipSet]:
    """Read the videos of the split `train` of data sets, by id, resized to `size` x `size` with an area filter.

    With the folder `cache`, their frames are stored in it, and memory does not grow with them; the next training uses them again.
    One in twenty identities, at least one, is held out for samples. `alone` accepts a domain with one identity, whose clips
    serve for training and for samples. A clip that cannot be read, or that has one frame, is skipped.
    Raises ToonbenchError where a domain has fewer than two clips or identities, or none.
    """
    own = {domain: {data: _training(clips, domain) for data, clips in sets.items()} for domain in domains}
    least = 1 if alone else 2
    for domain, some in own.items():  # before any is read
        if (count := sum(map(len, some.values()))) < least:
            more = "one or more is needed" if alone else "two or more are needed"
            raise ToonbenchError(
                f"{count} {domain} training clips: {more}; put videos into {domain}_videos, or make some with "
                "`toonbench make-puppets --split train --out DIR`, or give a further data set that has them"
            )
    return {domain: _load(own[domain], domain, size, alone=alone, cache=cache) for domain in domains}


def _training(clips: Sequence[Clip], domain: Domain) -> list[Clip]:
    return [clip for clip in clips if clip.kind == "video" and clip.split == "train" and clip.domain == domain]


def skipped_lines(clips: TrainingClips) -> list[str]:
    """For each domain with clips that were skipped, a line with their number, the names of the first three, and a reason."""
    return [_skipped(domain, some.skipped) for domain, some in clips.items() if some.skipped]


def few_lines(clips: TrainingClips) -> list[str]:
    """For each domain with fewer than FEW identities, a line with their number and that of the clips."""
    return [
        f"few {domain} identities: {some.identities} in {len(some.train)} training clips, and {len(some.heldout)} clips for samples; "
        f"weights that learn from fewer than {FEW} often fail on other faces: add clips of other {WHO[domain]}"
        for domain, some in clips.items()
        if some.identities < FEW
    ]


def origin_of(clips: TrainingClips, *, domains: Sequence[Domain]) -> TrainedOn:
    """The training clips of these domains."""
    found = TrainedOn()
    for domain in domains:
        found |= clips[domain].origin
    return found


def resumed_clips(before: Mapping[str, str], clips: TrainingClips, *, domains: Sequence[Domain]) -> dict[str, str]:
    """A checksum of the training clips of each domain, given those of the checkpoint `before`.

    A warning is logged for a domain with other clips than before: the run does not end like an unbroken one.
    """
    found = {domain: _checksum(clips[domain]) for domain in domains}
    for domain in domains:
        if before.get(domain, found[domain]) != found[domain]:
            log.warning(
                "the %s training clips are not those of the checkpoint: the run resumes with them, and its weights are not those of a run "
                "with either; give the same --data, or another --out",
                domain,
            )
    return {**before, **found}


def _checksum(clips: ClipSet) -> str:
    parts = [f"{len(clip)}" for clip in clips.train] + [mark.hex() for mark in sorted(clips.origin.marks)]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def check_clips(clips: TrainingClips, *, size: int, domains: Sequence[Domain]) -> None:
    """Raises ToonbenchError where a domain has no clips, or where they have another size than `size`."""
    for domain in domains:
        if domain not in clips:
            raise ToonbenchError(f"there are no {domain} training clips; needed are {' and '.join(domains)}")
        for clip in (*clips[domain].train, *clips[domain].heldout):
            if clip.shape[1:3] != (size, size):
                height, width = clip.shape[1:3]
                raise ToonbenchError(f"a {domain} training clip has {width} x {height} px; {size} x {size} is needed")


def read_all(clips: Sequence[Clip], *, size: int, cache: Path | None) -> Found:
    """The frames of clips, resized to `size` x `size` with an area filter, in memory or in the folder `cache`."""
    read = partial(_frames, size=size)
    return in_memory(clips, read) if cache is None else on_disk(clips, read, size=size, cache=cache)


def _load(sets: Mapping[str, Sequence[Clip]], domain: Domain, size: int, *, alone: bool, cache: Path | None) -> ClipSet:
    owned = [(data, clip) for data, some in sets.items() for clip in some]
    clips = [clip for _, clip in owned]
    found = read_all(clips, size=size, cache=cache)
    skipped = {clips[number].id: reason for number, reason in found.skipped.items()}
    people = {number: clips[number].identity or str(clips[number].path) for number in found.numbers}
    names = sorted({*people.values()})
    chosen = set(names[:: max(2, min(HELD_OUT, len(names)))])
    train, heldout = ({number for number in people if (people[number] in chosen) == out} for out in (False, True))
    if alone and bool(train) != bool(heldout):
        train = heldout = train or heldout
    if not train or not heldout:
        reason = f" ({_skipped(domain, skipped)})" if skipped else ""
        raise ToonbenchError(
            f"the {domain} training clips show {len(names)} identities in clips of two and more frames: "
            f"{'one' if alone else 'two'} or more identities are needed{reason}"
        )
    used = {data: [owned[number][1] for number in sorted(train) if owned[number][0] == data] for data in sets}
    origins = [trained_on(some, data=data) for data, some in used.items()]
    return ClipSet(
        found.part(train),
        found.part(heldout),
        origin=functools.reduce(operator.or_, origins, TrainedOn()),
        identities=len({people[number] for number in train}),
        skipped=skipped,
        names=tuple(clips[number].id for number in sorted(train)),
    )


def _frames(clip: Clip, *, size: int) -> Iterator[Frame]:
    """The frames of a clip in order, with the pixels of `video.FrameReader`, which does not notice a truncated file."""
    return (_resized(frame, size) for frame in iter_frames(clip.path))


def _skipped(domain: Domain, skipped: Mapping[str, str]) -> str:
    names = [*skipped]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{len(names)} {domain} training clips are skipped: {', '.join(names[:3])}{more} ({skipped[names[0]]})"


def _resized(frame: Frame, size: int) -> Frame:
    from PIL import Image

    if frame.shape[:2] == (size, size):
        return frame
    return np.asarray(Image.fromarray(frame).resize((size, size), Image.Resampling.BOX))
