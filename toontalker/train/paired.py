"""What paired training adds to a step: ground-truth motion of the pairs (`labels`), or targets across the domains (`pairs`).

Network sizes, steps and the terms within a domain are those of the unpaired training; the analogy constraint is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from toonbench.networks.vgg19 import PerceptualLoss
from toonbench.training.clips import TrainingClips
from toonbench.training.processes import ProcessGroup
from toonbench.training.rigs import Landmarks, Rig, mirrored, mirrored_points
from toonbench.training.sampling import Drawn, Part, Random, draw_places, pictures_at, seed_networks, share, step_rng
from toonbench.types import Domain, ToonbenchError

from ..generator import Trace
from ..model import RigNetwork, Source, ToonTalkerNetwork, scaled_rig
from .config import TrainConfig
from .losses import reconstruction_terms
from .state import TrainState

Pairs = dict[Domain, tuple[Tensor, Tensor]]  # first and second frames of one clip each, (B, 3, H, W)
Fakes = list[tuple[Domain, Tensor]]  # generated images, with the domain whose discriminator receives them
BOTH: tuple[tuple[Domain, Domain], ...] = (
    ("cartoon", "real"),
    ("real", "cartoon"),
)  # of the source, of the driving video


@dataclass(frozen=True, slots=True)
class Supervision:
    """What supervised training knows of a batch: the rigs of both frames of each pair (B, channels), their landmarks (B, 70, 2), in
    parts of the image's sides, and pairs of frames of targets.

    The targets of a domain are its characters, moved as the pairs of the other domain moved.
    """

    rigs: Pairs = field(default_factory=dict[Domain, "tuple[Tensor, Tensor]"])
    landmarks: Pairs = field(default_factory=dict[Domain, "tuple[Tensor, Tensor]"])
    targets: Pairs = field(default_factory=dict[Domain, "tuple[Tensor, Tensor]"])


NOTHING = Supervision()


def check_supervision(clips: TrainingClips, config: TrainConfig, *, domains: tuple[Domain, ...]) -> None:
    """Raise ToonbenchError for clips without what the paired training of this configuration needs."""
    how = "load them with `toonbench.data.supervision.supervised`"
    for domain in domains:
        labels = config.paired == "labels" or config.guided
        if labels and len(clips[domain].rigs) != len(clips[domain].train):
            raise ToonbenchError(
                f"the {domain} training clips have no ground-truth motion, which this training needs: {how}"
            )
        if config.paired == "pairs" and len(domains) > 1 and not clips[domain].targets.frames:
            raise ToonbenchError(
                f"there are no {domain} targets of the training clips, which this training needs: {how}"
            )


def draw_supervised(state: TrainState, clips: TrainingClips, *, group: ProcessGroup) -> tuple[Pairs, Supervision]:
    """This process's pairs of the coming step with what supervises them. Every random choice comes from the step's number."""
    config = state.config
    rng = step_rng(config.seed, state.step, 0)
    seed_networks(rng, rank=group.rank)
    batch, part = config.batch1 if state.stage == 1 else config.batch2, (group.rank, group.workers)
    pairs: Pairs = {}
    extra = Supervision()
    if config.paired == "pairs" and state.stage == 2:
        for of, by in BOTH:
            pairs[by], extra.targets[of] = _targets(state, clips, rng, of=of, by=by, batch=batch, part=part)
        return pairs, extra
    domains: tuple[Domain, ...] = ("real",) if state.stage == 1 else ("real", "cartoon")
    for domain in domains:
        places = _places(state, [len(clip) for clip in clips[domain].train], rng, batch=batch)
        pairs[domain] = pictures_at(
            clips[domain].train, places, rng, jitter=config.jitter, device=state.device, part=part
        )
        own = share(places, part)
        if config.paired == "labels" or config.guided:
            extra.rigs[domain] = _rigs(clips[domain].rigs, own, device=state.device)
        if config.guided:
            extra.landmarks[domain] = _landmarks(clips[domain].landmarks, own, device=state.device)
    return pairs, extra


def _rigs(rigs: Sequence[Rig], places: Sequence[Drawn], *, device: str) -> tuple[Tensor, Tensor]:
    """The rigs of both frames of each pair, scaled."""
    ends = ([rigs[one.clip][one.first] for one in places], [rigs[one.clip][one.second] for one in places])
    shown = [
        np.stack([mirrored(rig) if one.mirrored else rig for rig, one in zip(end, places, strict=True)]) for end in ends
    ]
    first, second = (scaled_rig(torch.from_numpy(rig).to(device)) for rig in shown)
    return first, second


def _landmarks(clips: Sequence[Landmarks], places: Sequence[Drawn], *, device: str) -> tuple[Tensor, Tensor]:
    """The landmarks of both frames of each pair."""
    ends = ([clips[one.clip][one.first] for one in places], [clips[one.clip][one.second] for one in places])
    shown = [
        np.stack([mirrored_points(p) if one.mirrored else p for p, one in zip(end, places, strict=True)])
        for end in ends
    ]
    first, second = (torch.from_numpy(points).to(device) for points in shown)
    return first, second


def _places(state: TrainState, lengths: list[int], rng: Random, *, batch: int) -> list[Drawn]:
    config = state.config
    return draw_places(lengths, rng, batch=batch, step=state.step, growth=config.gap_growth, flip=config.flip)


def _targets(
    state: TrainState, clips: TrainingClips, rng: Random, *, of: Domain, by: Domain, batch: int, part: Part
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Pairs of frames of clips of domain `by`, and the same frames of a target of domain `of` for each."""
    targets = clips[of].targets
    places = _places(state, [len(frames) for frames in targets.frames], rng, batch=batch)
    driving = [clips[by].train[number] for number in targets.driving]
    jitter, device = state.config.jitter, state.device
    return (
        pictures_at(driving, places, rng, jitter=jitter, device=device, part=part),
        pictures_at(targets.frames, places, rng, jitter=jitter, device=device, part=part),
    )


@dataclass(frozen=True, slots=True)
class Codes:
    """The encoded first frames of the pairs, the motion codes of the second ones, and the motion descriptors of both."""

    sources: dict[Domain, Source]
    driving: dict[Domain, Tensor]
    descriptors: Pairs


def codes(network: ToonTalkerNetwork, pairs: Pairs, extra: Supervision) -> Codes:
    """Encode the pairs. Given rigs are the codes of a `RigNetwork`, which has no descriptors."""
    if isinstance(network, RigNetwork) and extra.rigs:
        rigged: dict[Domain, Source] = {
            name: network.source(first, name, rig=extra.rigs[name][0]) for name, (first, _) in pairs.items()
        }
        return Codes(rigged, {name: second for name, (_, second) in extra.rigs.items()}, {})
    found = Codes({}, {}, {})
    for name, (first, second) in pairs.items():
        encoder = network.domain(name).enc2
        found.descriptors[name] = one, other = encoder.vector(first), encoder.vector(second)
        found.sources[name] = network.encoded(first, one, name)
        found.driving[name] = network.from_reference(other, name)
    return found


def supervision_terms(
    network: ToonTalkerNetwork,
    pairs: Pairs,
    extra: Supervision,
    *,
    sources: dict[Domain, Source],
    driving: dict[Domain, Tensor],
    config: TrainConfig,
    perceptual: PerceptualLoss | None,
) -> tuple[dict[str, Tensor], Fakes]:
    """The weighted terms of supervision, and the images that are generated for targets.

    `reading`: the mean squared error of the rigs that the encoders read in the pairs. `target_*`: the terms of reconstruction of a
    target's second frame, from its first frame, moved as the pair of the other domain moved.
    """
    terms: dict[str, Tensor] = {}
    fakes: Fakes = []
    for domain, rigs in extra.rigs.items() if config.paired == "labels" else ():
        read = network.motion(torch.cat(pairs[domain]), domain)
        terms[f"reading_{domain}"] = config.supervision * (read - torch.cat(rigs)).square().mean()
    for of, by in BOTH if extra.targets else ():
        first, target = extra.targets[of]
        trace: Trace = {}
        start, end = sources[by].from_reference, driving[by]
        generated = network.relative(network.source(first, of), end, start=start, domain=of, trace=trace).float()
        found = reconstruction_terms(first, generated, target, trace=trace, config=config, perceptual=perceptual)
        terms |= {f"target_{name}_{by}_to_{of}": config.supervision * term for name, term in found.items()}
        fakes.append((of, generated))
    return terms, fakes
