"""The training loop of the baselines; most learn from two frames of a clip, one to move and one to become."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from toonbench.training.checkpoint import BEST, WEIGHTS, begin_run, newest_checkpoint, run_folder
from toonbench.training.clips import TrainingClips, check_clips, origin_of, resumed_clips
from toonbench.training.ema import ema_decay, update_average
from toonbench.training.grids import write_grid
from toonbench.training.log import Clock, append_log
from toonbench.training.processes import ProcessGroup, run_processes, shares
from toonbench.training.sampling import Random, draw_pairs, seed_networks, step_rng
from toonbench.training.stability import NotFinite, out_of_memory, saved_batch
from toonbench.training.trained_on import KEY, TrainedOn
from toonbench.types import ToonbenchError

from .config import TuneConfig
from .samples import Samples
from .state import NewNetworks, TuneState, load_state, new_state, save_state, set_rate

Numbers = dict[str, float]
Batch = dict[str, Tensor]
Progress = Callable[[int, int], None]  # finished steps, all steps


def draw(state: TuneState, clips: TrainingClips, rng: Random) -> Batch:
    """This process's sources and driving frames of a step, (batch, 3, size, size) each; every domain has an equal share."""
    config = state.config
    pairs = [
        draw_pairs(
            clips[domain].train,
            rng,
            batch=config.batch // len(config.domains),
            step=state.step,
            growth=config.gap_growth,
            flip=config.flip,
            jitter=config.jitter,
            device=state.device,
            part=(state.group.rank, state.group.workers),
        )
        for domain in config.domains
    ]
    return {
        "source": torch.cat([source for source, _ in pairs]),
        "driving": torch.cat([driving for _, driving in pairs]),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What is a method's own in a training run. Pictures are (B, 3, size, size) in [-1, 1].

    networks: the network and the discriminator, or None for it. step: one update by a batch; it returns the loss and its terms.
    samples: shows progress (`baselines.tuning.samples.Samples`). export: writes a network with facts about its training.
    origin: the clips that the weights were trained on before. draw: this process's share of the batch of a step.
    """

    networks: NewNetworks
    step: Callable[[TuneState, Batch], Numbers]
    samples: Samples
    export: Callable[[nn.Module, Path, Mapping[str, Any]], None]
    origin: TrainedOn = field(default_factory=TrainedOn)
    draw: Callable[[TuneState, TrainingClips, Random], Batch] = draw


def run(
    recipe: Recipe,
    config: TuneConfig,
    *,
    clips: TrainingClips,
    out: Path,
    device: str,
    resume: bool = True,
    on_progress: Progress | None = None,
) -> Path:
    """Train on `clips`, writing into `out`; return the exported weights (safetensors).

    `out` receives checkpoint.pt, log.jsonl, timing.jsonl, samples/*.png, weights.safetensors, and, from methods that measure errors on
    held-out clips, best.safetensors: the weights with the least error. With `resume`, a run found in `out` resumes from its last
    checkpoint, with the same result as an unbroken run. Raises ToonbenchError for unusable clips, for a run of another configuration, for
    too little memory, and for a loss that is not finite (its batch is saved).
    """
    domains = len(config.domains)
    if config.batch % domains:
        raise ToonbenchError(f"batch is {config.batch}, which {domains} domains cannot share evenly")
    shares(config.batch // domains, of="batch of a domain", workers=config.workers)
    check_clips(clips, size=config.size, domains=config.domains)
    job = _Job(recipe=recipe, config=config, clips=clips, out=out, device=device, resume=resume)
    lead = partial(_loop, job, on_progress=on_progress)
    with run_folder(out, resume=resume):
        run_processes(lead, partial(_loop, job), workers=config.workers, device=device)
    return out / WEIGHTS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What all processes of a run know."""

    recipe: Recipe
    config: TuneConfig
    clips: TrainingClips
    out: Path
    device: str
    resume: bool


def _loop(job: _Job, group: ProcessGroup, *, on_progress: Progress | None = None) -> None:
    config, out = job.config, job.out
    state = begin(job.recipe, config, out, device=job.device, resume=job.resume, group=group)
    state.origin |= origin_of(job.clips, domains=config.domains)
    if group.leads:
        state.clips = resumed_clips(state.clips, job.clips, domains=config.domains)
    clock = Clock(state.step, config.steps)
    while state.step < config.steps:
        set_rate(state)
        numbers = _step(job.recipe, state, job.clips, out)
        state.step += 1
        last = state.step == config.steps
        logs = last or state.step % config.log_every == 0
        if logs:
            numbers = group.mean(numbers)
        if not group.leads:
            continue
        update_average(state.average, state.network, decay=ema_decay(config.ema, state.step))
        if logs:
            append_log(out, {"step": state.step} | numbers)
            clock.append(out, step=state.step)
        if last or state.step % config.sample_every == 0:
            write_samples(state, job.clips, out, job.recipe)
        if last or state.step % config.checkpoint_every == 0:
            save_state(state, out)
        if on_progress is not None:
            on_progress(state.step, config.steps)
    if group.leads:
        job.recipe.export(state.average, out / WEIGHTS, _notes(state))


def _step(recipe: Recipe, state: TuneState, clips: TrainingClips, out: Path) -> Numbers:
    """One update. Every random choice, also of the step, comes from the step's number."""
    config, batch = state.config, Batch()
    rng = step_rng(config.seed, state.step)
    seed_networks(rng, rank=state.group.rank)
    try:
        batch = recipe.draw(state, clips, rng)
        return recipe.step(state, batch)
    except NotFinite as bad:
        raise saved_batch(out, batch, {}, step=state.step + 1, rank=state.group.rank, why=str(bad)) from bad
    except (RuntimeError, MemoryError) as error:
        raise out_of_memory(error, step=state.step + 1, device=state.device, lower={"batch": config.batch}) from error


def begin(
    recipe: Recipe, config: TuneConfig, out: Path, *, device: str, resume: bool, group: ProcessGroup
) -> TuneState:
    """The state of the checkpoint in `out`, or a new one, whose folder then has no checkpoint of an earlier run."""
    resumes = resume and newest_checkpoint(out) is not None
    if resumes:
        state = load_state(config, device, out, recipe.networks)
    else:
        state = new_state(config, device, recipe.networks)
        state.origin = recipe.origin
    state.group = group
    group.barrier()  # all have read the checkpoint before the first writes another
    if group.leads:
        begin_run(out, resumes=resumes, step=state.step)
    return state


def write_samples(state: TuneState, clips: TrainingClips, out: Path, recipe: Recipe) -> None:
    """A picture and errors of the averaged weights, which are kept as BEST where the errors are the least so far."""
    state.average.eval()
    picture, errors = recipe.samples(state, clips)
    if errors:
        append_log(out, {"step": state.step} | errors)
        domains = state.config.domains
        error = sum(errors[f"heldout_{domain}"] for domain in domains) / len(domains)
        if error < state.least_error:
            state.least_error = error
            recipe.export(state.average, out / BEST, _notes(state) | {"heldout": error})
    write_grid(out, picture, step=state.step)


def _notes(state: TuneState) -> dict[str, Any]:
    """What exported weights state about themselves."""
    return {"training": dataclasses.asdict(state.config), "steps": state.step, KEY: state.origin.to_dict()}
