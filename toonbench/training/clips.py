"""Training clips in memory, loaded from the clips of a data set that is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toonbench.types import DOMAINS, Clip, Domain, Frame, Frames, ToonbenchError
from toonbench.video import iter_frames

HELD_OUT = 20  # one in so many identities is held out


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipNeeds:
    """The clips that a method trains on: `size` is the side of their frames in pixels."""

    size: int = 256
    domains: tuple[Domain, ...] = DOMAINS


@dataclass(frozen=True, slots=True)
class ClipSet:
    """Clips of one domain, each uint8 (frames, size, size, 3) RGB: those to train on, and those held out."""

    train: tuple[Frames, ...]
    heldout: tuple[Frames, ...]


TrainingClips = Mapping[Domain, ClipSet]


def load_clips(
    clips: Sequence[Clip], *, size: int, domains: Sequence[Domain] = DOMAINS, alone: bool = False
) -> dict[Domain, ClipSet]:
    """Read the videos of the split `train`, resized to `size` x `size` with an area filter.

    One in twenty identities, at least one, is held out for samples. `alone` accepts a domain with one identity, whose clips
    serve for training and for samples. Raises ToonbenchError for a clip that cannot be used, and where a domain has fewer
    than two clips or identities, or none.
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
    return {domain: _load(own[domain], domain, size, alone=alone) for domain in domains}


def check_clips(clips: TrainingClips, *, size: int, domains: Sequence[Domain]) -> None:
    """Raises ToonbenchError where a domain has no clips, or where they have another size than `size`."""
    for domain in domains:
        if domain not in clips:
            raise ToonbenchError(f"there are no {domain} training clips; needed are {' and '.join(domains)}")
        for clip in (*clips[domain].train, *clips[domain].heldout):
            if clip.shape[1:3] != (size, size):
                height, width = clip.shape[1:3]
                raise ToonbenchError(f"a {domain} training clip has {width} x {height} px; {size} x {size} is needed")


def _load(clips: Sequence[Clip], domain: Domain, size: int, *, alone: bool) -> ClipSet:
    if broken := [clip for clip in clips if clip.problem]:
        raise ToonbenchError(
            f"{len(broken)} of {len(clips)} {domain} training clips cannot be used, for example '{broken[0].id}': "
            f"{broken[0].problem}"
        )
    identities = [clip.identity or str(clip.path) for clip in clips]
    names = sorted(set(identities))
    chosen = set(names[:: max(2, min(HELD_OUT, len(names)))])
    train: list[Frames] = []
    heldout: list[Frames] = []
    for clip, identity in zip(clips, identities, strict=True):
        frames = _read(clip.path, size=size)
        if len(frames) > 1:
            (heldout if identity in chosen else train).append(frames)
    if alone and bool(train) != bool(heldout):
        train = heldout = train or heldout
    if not train or not heldout:
        raise ToonbenchError(
            f"the {domain} training clips show {len(names)} identities in clips of two and more frames: "
            f"{'one' if alone else 'two'} or more identities are needed"
        )
    return ClipSet(tuple(train), tuple(heldout))


def _read(path: Path, *, size: int) -> Frames:
    return np.stack([_resized(frame, size) for frame in iter_frames(path)])


def _resized(frame: Frame, size: int) -> Frame:
    from PIL import Image

    if frame.shape[:2] == (size, size):
        return frame
    return np.asarray(Image.fromarray(frame).resize((size, size), Image.Resampling.BOX))
