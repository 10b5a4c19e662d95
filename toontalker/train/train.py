"""The training loop: stage 1 learns motion from real clips, stage 2 transfers it to cartoons (paper 3.2, 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from toonbench.networks.vgg19 import PerceptualLoss
from toonbench.training.checkpoint import BEST, WEIGHTS, begin_run, newest_checkpoint, run_folder
from toonbench.training.clips import TrainingClips, check_clips, origin_of, resumed_clips
from toonbench.training.ema import ema_decay, update_average
from toonbench.training.grids import write_grid
from toonbench.training.log import Clock, append_log
from toonbench.training.perceptual import perceptual_network
from toonbench.training.processes import ProcessGroup, run_processes, shares
from toonbench.training.stability import out_of_memory, saved_batch
from toonbench.training.trained_on import KEY
from toonbench.types import Domain, ToonbenchError
from toonbench.weights.checkpoints import file_digest

from ..config import Paired
from ..weights_io import export
from .config import TrainConfig, find_config
from .paired import check_supervision
from .samples import heldout_error, sample_grid
from .state import TrainState, begin_stage2, load_state, new_state, save_state, set_rate, start_from
from .step import BadBatch, Numbers, train_step

Progress = Callable[[int, int], None]  # finished steps, all steps


def train(
    clips: TrainingClips,
    out: Path,
    *,
    config: str,
    device: str,
    resume: bool = True,
    ablation: str = "",
    overrides: Sequence[str] = (),
    paired: Paired = "",
    checkpoint: Path | None = None,
    on_progress: Progress | None = None,
) -> Path:
    """Train on `clips`, writing into `out`; return the exported weights (safetensors).

    `out` receives checkpoint.pt, log.jsonl, timing.jsonl, samples/*.png, weights.safetensors, and best.safetensors: the weights with
    the least error on held-out clips in the last stage. With `resume`, a run found in `out` resumes from its last checkpoint, with
    the same result as an unbroken run. `config`, `ablation`, `overrides` and `paired` choose the configuration (`find_config`). Both
    domains start from the weights of `checkpoint`, if given.
    Raises ToonbenchError for unusable clips, for a run of another configuration, and where a loss is not finite.
    """
    chosen = find_config(config, ablation=ablation, overrides=overrides, paired=paired)
    if checkpoint is not None:
        chosen = replace(chosen, start=file_digest(checkpoint))
    return run(chosen, clips, out, device=device, resume=resume, start=checkpoint, on_progress=on_progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What all processes of a run know."""

    config: TrainConfig
    clips: TrainingClips
    out: Path
    device: str
    resume: bool
    start: Path | None


def run(
    config: TrainConfig,
    clips: TrainingClips,
    out: Path,
    *,
    device: str,
    resume: bool = True,
    start: Path | None = None,
    on_progress: Progress | None = None,
) -> Path:
    """`train` with any configuration; new states take the weights of the file `start`."""
    for name, batch in (("batch1", config.batch1), ("batch2", config.batch2)):
        shares(batch, of=name, workers=config.workers)
    check_clips(clips, size=config.network.size, domains=_domains(config))
    check_supervision(clips, config, domains=_domains(config))
    job = _Job(config=config, clips=clips, out=out, device=device, resume=resume, start=start)
    lead = partial(_loop, job, on_progress=on_progress)
    with run_folder(out, resume=resume):
        run_processes(lead, partial(_loop, job), workers=config.workers, device=device)
    return out / WEIGHTS


def _loop(job: _Job, group: ProcessGroup, *, on_progress: Progress | None = None) -> None:
    config, out, device = job.config, job.out, job.device
    perceptual = _perceptual(config, device)
    resumes = job.resume and newest_checkpoint(out) is not None
    state = load_state(config, device, out) if resumes else new_state(config, device)
    if job.start is not None and not resumes:
        start_from(state, job.start)
    state.origin |= origin_of(job.clips, domains=_domains(config))
    if group.leads:
        state.clips = resumed_clips(state.clips, job.clips, domains=_domains(config))
    group.barrier()  # all have read the checkpoint before the first writes another
    total = config.steps1 + config.steps2
    clock = Clock(state.step, total)
    if group.leads:
        begin_run(out, resumes=resumes, step=state.step)
    while state.step < total:
        if state.step == config.steps1:
            begin_stage2(state)
        set_rate(state)
        try:
            numbers = train_step(state, job.clips, perceptual, group=group)
        except BadBatch as bad:
            raise _not_finite(bad, state, out, rank=group.rank) from bad
        except (RuntimeError, MemoryError) as error:
            raise _out_of_memory(error, state) from error
        state.step += 1
        last = state.step == total
        logs = last or state.step % config.log_every == 0
        if logs:
            numbers = group.mean(numbers)
        if not group.leads:
            continue
        update_average(state.average, state.network, decay=ema_decay(config.ema, state.step))
        if logs:
            log(out, state, numbers)
            clock.append(out, step=state.step)
        if last or state.step % config.sample_every == 0:
            write_samples(state, job.clips, out)
        if last or state.step % config.checkpoint_every == 0:
            save_state(state, out)
        if on_progress is not None:
            on_progress(state.step, total)
    if group.leads:
        export(state.average, out / WEIGHTS, notes=_notes(state))


def _domains(config: TrainConfig) -> tuple[Domain, ...]:
    return ("real", "cartoon") if config.steps2 else ("real",)


def _notes(state: TrainState) -> dict[str, Any]:
    """What exported weights state about themselves."""
    return {"training": state.config.to_dict(), "steps": state.step, KEY: state.origin.to_dict()}


def _not_finite(bad: BadBatch, state: TrainState, out: Path, *, rank: int) -> ToonbenchError:
    batch = {
        f"{domain}_{name}": images
        for domain, pair in bad.pairs.items()
        for name, images in zip(("source", "driving"), pair, strict=True)
    }
    return saved_batch(out, batch, bad.terms, step=state.step + 1, rank=rank, why=str(bad))


def _out_of_memory(error: Exception, state: TrainState) -> Exception:
    """What to lower if the memory was too small; otherwise the error itself."""
    batch = f"batch{state.stage}"
    lower = {batch: getattr(state.config, batch), "network.size": state.config.network.size}
    return out_of_memory(error, step=state.step + 1, device=state.device, lower=lower)


def _perceptual(config: TrainConfig, device: str) -> PerceptualLoss | None:
    network = perceptual_network(config.perceptual)
    return None if network is None else PerceptualLoss(network).to(device)


def log(out: Path, state: TrainState, numbers: Numbers) -> None:
    """Append the numbers of the present step to the log."""
    append_log(out, {"step": state.step, "stage": 1 if state.step <= state.config.steps1 else 2} | numbers)


def write_samples(state: TrainState, clips: TrainingClips, out: Path) -> None:
    """Held-out pictures and errors of the averaged weights, which are kept as BEST where the errors are the least of the stage."""
    second = state.step > state.config.steps1
    domains: tuple[Domain, ...] = ("real", "cartoon") if second else ("real",)
    pairs: list[tuple[Domain, Domain]] = [("real", "real")]
    if second:
        pairs = [("cartoon", "real"), ("real", "cartoon"), ("cartoon", "cartoon")]
    state.average.eval()
    errors = heldout_error(state.average, clips, domains=domains, device=state.device)
    log(out, state, errors)
    error = sum(errors[f"heldout_{domain}"] for domain in domains) / len(domains)
    if error < state.least_error:
        state.least_error = error
        export(state.average, out / BEST, notes=_notes(state) | {"heldout": error})
    write_grid(out, sample_grid(state.average, clips, pairs=pairs, device=state.device), step=state.step)
