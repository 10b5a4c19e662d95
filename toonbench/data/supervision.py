"""What a training may know beyond clips: their ground-truth motion, and targets across the domains. Only puppets have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toonbench.data.folder import Dataset
from toonbench.data.motion import read_motion
from toonbench.training.clips import ClipNeeds, ClipSet, TargetClips, TrainingClips, read_all
from toonbench.training.rigs import Rig
from toonbench.training.trained_on import trained_on
from toonbench.types import Clip, Domain, Frames, ToonbenchError
from toonbench.video import probe


def supervised(clips: TrainingClips, data: Dataset, *, needs: ClipNeeds, cache: Path | None = None) -> TrainingClips:
    """The clips, with what `needs` asks for beyond them; frames are stored in `cache`. Raises ToonbenchError for data without it."""
    found = with_labels(clips, data.clips, root=str(data.root)) if needs.labels else clips
    return with_targets(found, data, size=needs.size, cache=cache) if needs.targets else found


def with_labels(clips: TrainingClips, listed: Sequence[Clip], *, root: str) -> TrainingClips:
    """The clips with the ground-truth motion of each. Raises ToonbenchError where it is missing or has another number of frames."""
    by_id = {clip.id: clip for clip in listed}
    names = [name for some in clips.values() for name in some.names]
    without = [name for name in names if by_id[name].motion is None]
    if without:
        raise ToonbenchError(
            f"{root}: {len(without)} of {len(names)} training clips have no ground-truth motion (the first: {without[0]}), which this "
            "training needs and only puppets have: make some with `toonbench make-puppets --split train --out DIR`"
        )
    found: dict[Domain, ClipSet] = {}
    for domain, some in clips.items():
        read = [_labels(by_id[name], frames=len(frames)) for name, frames in zip(some.names, some.train, strict=True)]
        found[domain] = replace(some, rigs=tuple(rig for rig, _ in read), landmarks=tuple(points for _, points in read))
    return found


def _labels(clip: Clip, *, frames: int) -> tuple[Rig, NDArray[np.float32]]:
    """The rig (frames, channels) of a clip, and its landmarks (frames, 70, 2) in parts of the image's sides."""
    path = clip.motion or Path()
    truth = read_motion(path, fps=clip.fps)
    if len(truth.rig) != frames:
        raise ToonbenchError(
            f"{path}: the ground-truth motion has {len(truth.rig)} frames, and the clip {frames}; make the data set again"
        )
    info = probe(clip.path) if not clip.width or not clip.height else clip
    return truth.rig, (truth.landmarks / np.array([info.width, info.height])).astype(np.float32)


def with_targets(clips: TrainingClips, data: Dataset, *, size: int, cache: Path | None = None) -> TrainingClips:
    """The clips with the targets of relative motion across their domains whose driving video is a training clip.

    Those whose source is a held-out clip are left out. Their sources count as trained on. With the folder `cache`, frames are stored in it.
    Raises ToonbenchError where a domain has none, and for a target that cannot be used.
    """
    found: dict[Domain, ClipSet] = {}
    by_id = {clip.id: clip for clip in data.clips}
    for domain, some in clips.items():
        chosen = _usable(clips, data, by_id, domain=domain)
        if not chosen:
            raise ToonbenchError(
                f"{data.root} has no {domain} targets of its training clips, which this training needs and only puppets have: make "
                "some with `toonbench make-puppets --split train --tasks real2cartoon cartoon2real --out DIR`"
            )
        read = read_all([target for _, _, target in chosen], size=size, cache=cache)
        for number, reason in read.skipped.items():
            raise ToonbenchError(
                f"the target {chosen[number][2].id} cannot be used ({reason}): make the data set again"
            )
        for (driving, _, target), frames in zip(chosen, read.frames, strict=True):
            if len(frames) != len(driving[1]):
                raise ToonbenchError(
                    f"{target.path}: the target has {len(frames)} frames, and its driving video {len(driving[1])}; make the data set again"
                )
        targets = TargetClips(tuple(driving[0] for driving, _, _ in chosen), read.frames)
        sources = {source.id: source for _, source, _ in chosen}
        origin = some.origin | trained_on([*sources.values()], data=data.id)
        found[domain] = replace(some, targets=targets, origin=origin)
    return found


Target = tuple[tuple[int, Frames], Clip, Clip]  # number and frames of the driving clip, source, target


def _usable(clips: TrainingClips, data: Dataset, by_id: Mapping[str, Clip], *, domain: Domain) -> list[Target]:
    """The targets of a domain that training may see, sorted by source and driving video."""
    used = {name for some in clips.values() for name in some.names}
    driving = {
        name: (number, some.train[number])
        for other, some in clips.items()
        for number, name in enumerate(some.names)
        if other != domain
    }
    return [
        (driving[name], by_id[source], target)
        for (source, name, motion), target in sorted(data.targets.items())
        if name in driving and target.domain == domain and motion == "relative"
        if by_id[source].kind == "image" or source in used
    ]
