"""Training of Recycle-GAN on one clip of each domain."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from toonbench.networks.patch_discriminator import PatchDiscriminator
from toonbench.training.checkpoint import newest_checkpoint, open_folder, remove_checkpoints
from toonbench.training.clips import TrainingClips, check_clips, origin_of
from toonbench.training.ema import ema_decay, update_average
from toonbench.training.grids import evenly, grid, write_grid
from toonbench.training.images import to_pixels, to_tensor
from toonbench.training.log import Clock, append_log, trim_log
from toonbench.training.sampling import Random, seed_networks, step_rng
from toonbench.training.stability import NotFinite, out_of_memory, saved_batch
from toonbench.training.trained_on import KEY
from toonbench.types import DOMAINS, Domain, Frames, ToonbenchError

from ...tuning.loop import Progress
from ...tuning.state import TuneState, load_state, new_state, save_state, set_rate
from ..model import RecycleNetwork
from ..weights_io import export
from .config import RecycleConfig
from .step import Windows, other, train_step

WEIGHTS = "weights.safetensors"
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
    """Train on one clip of each domain, writing into `out` what `baselines.tuning.loop.run` writes, but no best weights.

    Raises ToonbenchError for a `checkpoint`, which this training does not start from, and for more than one clip in a domain.
    """
    if checkpoint is not None:
        raise ToonbenchError(f"--checkpoint {checkpoint}: a pair of clips has new weights; leave it out")
    check_clips(clips, size=config.size, domains=config.domains)
    pair: dict[Domain, Frames] = {domain: _only(clips, domain) for domain in DOMAINS}
    open_folder(out)
    resumes = resume and newest_checkpoint(out) is not None
    networks = partial(new_networks, config)
    state = load_state(config, device, out, networks) if resumes else new_state(config, device, networks)
    state.origin |= origin_of(clips, domains=config.domains)
    if not resumes:
        remove_checkpoints(out)
    trim_log(out, step=state.step)
    clock = Clock(state.step, config.steps)
    while state.step < config.steps:
        set_rate(state)
        numbers = _step(state, pair, out)
        state.step += 1
        update_average(state.average, state.network, decay=ema_decay(config.ema, state.step))
        last = state.step == config.steps
        if last or state.step % config.log_every == 0:
            append_log(out, {"step": state.step} | numbers)
            clock.append(out, step=state.step)
        if last or state.step % config.sample_every == 0:
            write_samples(state, pair, out)
        if last or state.step % config.checkpoint_every == 0:
            save_state(state, out)
        if on_progress is not None:
            on_progress(state.step, config.steps)
    notes = {"training": dataclasses.asdict(config), "steps": state.step, KEY: state.origin.to_dict()}
    export(state.average, out / WEIGHTS, notes, size=config.size)
    return out / WEIGHTS


def _only(clips: TrainingClips, domain: Domain) -> Frames:
    found = clips[domain].train
    if len(found) != 1 or len(found[0]) < 3:
        frames = f" of {len(found[0])} frames" if len(found) == 1 else ""
        raise ToonbenchError(
            f"there are {len(found)} {domain} training clips{frames}: recycle-gan has one model for a pair of clips; give a folder with "
            "one video of 3 and more frames in real_videos/ and one in cartoon_videos/"
        )
    return found[0]


def new_networks(config: RecycleConfig) -> tuple[nn.Module, nn.Module | None]:
    """Generators and predictors, and a discriminator for each domain, with new weights."""
    critics = nn.ModuleDict({domain: PatchDiscriminator(3, widths=config.critic) for domain in DOMAINS})
    return RecycleNetwork(config.network), critics


def draw(pair: dict[Domain, Frames], rng: Random, *, batch: int, device: str) -> Windows:
    """`batch` windows of three frames of each clip."""
    found: Windows = {}
    for domain, frames in pair.items():
        starts = rng.integers(len(frames) - 2, size=batch)
        first, second, third = (to_tensor(frames[starts + step], device=device) for step in range(3))
        found[domain] = (first, second, third)
    return found


def _step(state: TuneState, pair: dict[Domain, Frames], out: Path) -> dict[str, float]:
    """One update. Every random choice, also of the step, comes from the step's number."""
    config = state.config
    rng = step_rng(config.seed, state.step)
    seed_networks(rng, rank=0)
    windows = draw(pair, rng, batch=config.batch // len(DOMAINS), device=state.device)
    try:
        return train_step(state, windows)
    except NotFinite as bad:
        batch = {f"{domain}_{at}": frames for domain, window in windows.items() for at, frames in enumerate(window)}
        raise saved_batch(out, batch, {}, step=state.step + 1, rank=0, why=str(bad)) from bad
    except RuntimeError as error:
        raise out_of_memory(error, step=state.step + 1, device=state.device, lower={"batch": config.batch}) from error


@torch.no_grad()
def write_samples(state: TuneState, pair: dict[Domain, Frames], out: Path) -> None:
    """A picture with two rows for each clip: some of its frames, and these frames in the other domain."""
    state.average.eval()
    rows: list[list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]] = []
    for domain, frames in pair.items():
        shown = evenly(frames, COLUMNS)
        made = state.average.translated(to_tensor(shown, device=state.device), domain=other(domain), driving=domain)
        rows += [list(shown), list(to_pixels(made))]
    write_grid(out, grid(rows), step=state.step)
