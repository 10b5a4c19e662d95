"""Training of Recycle-GAN on one clip of each domain."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from torch import nn

from toonbench.networks.patch_discriminator import PatchDiscriminator
from toonbench.training.clips import TrainingClips, check_clips
from toonbench.training.grids import evenly, grid
from toonbench.training.images import to_pixels, to_tensor
from toonbench.training.sampling import Random
from toonbench.types import DOMAINS, Domain, Frame, ToonbenchError

from ...tuning.loop import Batch, Progress, Recipe, run
from ...tuning.state import TuneState
from ..model import RecycleNetwork
from ..weights_io import export
from .config import RecycleConfig
from .step import other, train_step

COLUMNS = 4  # driving frames of a clip in a picture of progress


def fit(
    config: RecycleConfig,
    clips: TrainingClips,
    out: Path,
    *,
    device: str,
    checkpoint: Path | None = None,
    resume: bool = True,
    on_progress: Progress | None = None,
) -> Path:
    """Train on one clip of each domain; see `baselines.tuning.loop.run`. There are no best weights: no clip is held out.

    Raises ToonbenchError for a `checkpoint`, which this training does not start from, and for more than one clip in a domain.
    """
    if checkpoint is not None:
        raise ToonbenchError(f"--checkpoint {checkpoint}: a pair of clips has new weights; leave it out")
    check_clips(clips, size=config.size, domains=config.domains)
    for domain in DOMAINS:
        _check_pair(clips, domain)
    recipe = Recipe(
        networks=partial(new_networks, config),
        step=train_step,
        samples=samples,
        export=partial(export, size=config.size),
        draw=draw,
    )
    return run(recipe, config, clips=clips, out=out, device=device, resume=resume, on_progress=on_progress)


def _check_pair(clips: TrainingClips, domain: Domain) -> None:
    found = clips[domain].train
    if len(found) != 1 or len(found[0]) < 3:
        frames = f" of {len(found[0])} frames" if len(found) == 1 else ""
        raise ToonbenchError(
            f"there are {len(found)} {domain} training clips{frames}: recycle-gan has one model for a pair of clips; give a folder with "
            "one video of 3 and more frames in real_videos/ and one in cartoon_videos/"
        )


def new_networks(config: RecycleConfig) -> tuple[nn.Module, nn.Module | None]:
    """Generators and predictors, and a discriminator for each domain, with new weights."""
    critics = nn.ModuleDict({domain: PatchDiscriminator(3, widths=config.critic) for domain in DOMAINS})
    return RecycleNetwork(config.network), critics


def draw(state: TuneState, clips: TrainingClips, rng: Random) -> Batch:
    """This process's frames of windows of each clip (`windows_of`), which have half of the batch each."""
    found, group = Batch(), state.group
    for domain in DOMAINS:
        frames = clips[domain].train[0]
        starts = rng.integers(len(frames) - 2, size=state.config.batch // len(DOMAINS))[group.rank :: group.workers]
        found |= {f"{domain}_{at}": to_tensor(frames[starts + at], device=state.device) for at in range(3)}
    return found


@torch.no_grad()
def samples(state: TuneState, clips: TrainingClips) -> tuple[Frame, dict[str, float]]:
    """A picture with two rows for each clip: some of its frames, and these frames in the other domain. No error is measured."""
    rows: list[list[Frame]] = []
    for domain in DOMAINS:
        shown = evenly(clips[domain].train[0], COLUMNS)
        made = state.average.translated(to_tensor(shown, device=state.device), domain=other(domain), driving=domain)
        rows += [list(shown), list(to_pixels(made))]
    return grid(rows), {}
