"""Training clips in memory, loaded from the clips of a data set that is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toonbench.training.trained_on import TrainedOn, trained_on
from toonbench.types import DOMAINS, Clip, Domain, Frame, Frames, ToonbenchError
from toonbench.video import iter_frames

HELD_OUT = 20  # one in so many identities is held out


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
class TargetClip:
    """A target of the domain whose clips it belongs to: its character, moved as the training clip number `driving` of the other domain.

    `frames` are as those of a clip: the character in its own pose first, and then moved as the driving clip moved since its first frame.
    """

    driving: int
    frames: Frames


@dataclass(frozen=True, slots=True)
class ClipSet:
    """Clips of one domain, each uint8 (frames, size, size, 3) RGB: those to train on, and those held out.

    `origin` knows the training clips again, and is stored with the weights. `skipped` are clips that cannot be used, with the reason.
    `names` are the ids of the training clips. `rigs`, the ground-truth motion of each (frames, channels), and `targets` are there for
    methods that need them.
    """

    train: tuple[Frames, ...]
    heldout: tuple[Frames, ...]
    origin: TrainedOn = field(default_factory=TrainedOn)
    skipped: Mapping[str, str] = field(default_factory=dict[str, str])
    names: tuple[str, ...] = ()
    rigs: tuple[NDArray[np.float32], ...] = ()
    targets: tuple[TargetClip, ...] = ()


TrainingClips = Mapping[Domain, ClipSet]


def load_clips(
    clips: Sequence[Clip], *, size: int, domains: Sequence[Domain] = DOMAINS, alone: bool = False, data: str = ""
) -> dict[Domain, ClipSet]:
    """Read the videos of the split `train` of the data set with the id `data`, resized to `size` x `size` with an area filter.

    One in twenty identities, at least one, is held out for samples. `alone` accepts a domain with one identity, whose clips
    serve for training and for samples. A clip that cannot be read, or that has one frame, is skipped.
    Raises ToonbenchError where a domain has fewer than two clips or identities, or none.
    """
    training = [clip for clip in clips if clip.kind == "video" and clip.split == "train"]
    own = {domain: [clip for clip in training if clip.domain == domain] for domain in domains}
    least = 1 if alone else 2
    for domain, some in own.items():  # before any is read
        if len(some) < least:
            more = "one or more is needed" if alone else "two or more are needed"
            raise ToonbenchError(
                f"{len(some)} {domain} training clips: {more}; put videos into {domain}_videos, or make some with "
                "`toonbench make-puppets --split train --out DIR`"
            )
    return {domain: _load(own[domain], domain, size, alone=alone, data=data) for domain in domains}


def skipped_lines(clips: TrainingClips) -> list[str]:
    """For each domain with clips that were skipped, a line with their number, the names of the first three, and a reason."""
    return [_skipped(domain, some.skipped) for domain, some in clips.items() if some.skipped]


def origin_of(clips: TrainingClips, *, domains: Sequence[Domain]) -> TrainedOn:
    """The training clips of these domains."""
    found = TrainedOn()
    for domain in domains:
        found |= clips[domain].origin
    return found


def check_clips(clips: TrainingClips, *, size: int, domains: Sequence[Domain]) -> None:
    """Raises ToonbenchError where a domain has no clips, or where they have another size than `size`."""
    for domain in domains:
        if domain not in clips:
            raise ToonbenchError(f"there are no {domain} training clips; needed are {' and '.join(domains)}")
        for clip in (*clips[domain].train, *clips[domain].heldout):
            if clip.shape[1:3] != (size, size):
                height, width = clip.shape[1:3]
                raise ToonbenchError(f"a {domain} training clip has {width} x {height} px; {size} x {size} is needed")


def _load(clips: Sequence[Clip], domain: Domain, size: int, *, alone: bool, data: str) -> ClipSet:
    found, skipped = _read_all(clips, size)
    names = sorted({clip.identity or str(clip.path) for clip, _ in found})
    chosen = set(names[:: max(2, min(HELD_OUT, len(names)))])
    parts: dict[bool, list[tuple[Clip, Frames]]] = {True: [], False: []}
    for clip, frames in found:
        parts[(clip.identity or str(clip.path)) in chosen].append((clip, frames))
    heldout, train = parts[True], parts[False]
    if alone and bool(train) != bool(heldout):
        train = heldout = train or heldout
    if not train or not heldout:
        reason = f" ({_skipped(domain, skipped)})" if skipped else ""
        raise ToonbenchError(
            f"the {domain} training clips show {len(names)} identities in clips of two and more frames: "
            f"{'one' if alone else 'two'} or more identities are needed{reason}"
        )
    return ClipSet(
        tuple(frames for _, frames in train),
        tuple(frames for _, frames in heldout),
        origin=trained_on([clip for clip, _ in train], data=data),
        skipped=skipped,
        names=tuple(clip.id for clip, _ in train),
    )


def _read_all(clips: Sequence[Clip], size: int) -> tuple[list[tuple[Clip, Frames]], dict[str, str]]:
    """The clips that can be used, with their frames, and the reasons of the others by name."""
    found: list[tuple[Clip, Frames]] = []
    skipped: dict[str, str] = {}
    for clip in clips:
        try:
            frames = read_frames(clip.path, size=size) if not clip.problem else None
        except (ToonbenchError, OSError) as error:
            skipped[clip.id] = str(error)
            continue
        if frames is None or len(frames) < 2:
            skipped[clip.id] = clip.problem or "it has one frame"
        else:
            found.append((clip, frames))
    return found, skipped


def _skipped(domain: Domain, skipped: Mapping[str, str]) -> str:
    names = [*skipped]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{len(names)} {domain} training clips are skipped: {', '.join(names[:3])}{more} ({skipped[names[0]]})"


def read_frames(path: Path, *, size: int) -> Frames:
    """The frames of a video, resized to `size` x `size` with an area filter."""
    return np.stack([_resized(frame, size) for frame in iter_frames(path)])


def _resized(frame: Frame, size: int) -> Frame:
    from PIL import Image

    if frame.shape[:2] == (size, size):
        return frame
    return np.asarray(Image.fromarray(frame).resize((size, size), Image.Resampling.BOX))
