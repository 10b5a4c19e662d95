"""The training loop: stage 1 learns motion from real clips, stage 2 transfers it to cartoons (paper 3.2, 3.3)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from toonbench import weights
from toonbench.networks.discriminator import Discriminator
from toonbench.networks.vgg19 import PerceptualLoss
from toonbench.training.adversarial import discriminator_loss, generator_loss, r1_penalty
from toonbench.training.checkpoint import CHECKPOINT, open_folder
from toonbench.training.clips import TrainingClips, check_clips
from toonbench.training.ema import ema_decay, update_average
from toonbench.training.grids import write_grid
from toonbench.training.log import append_log, trim_log
from toonbench.training.processes import ProcessGroup, run_processes
from toonbench.training.sampling import draw_pairs, step_rng
from toonbench.types import Domain, ToonbenchError

from ..generator import Trace
from ..model import DomainNetwork, ToonTalkerNetwork
from ..weights_io import export
from .config import TrainConfig, find_config
from .losses import analogy, gradient_l1, perceptual_loss, pyramid_l1, warp_l1
from .samples import heldout_error, sample_grid
from .state import TrainState, begin_stage2, load_state, new_state, save_state, set_rate

Progress = Callable[[int, int], None]  # finished steps, all steps
Numbers = dict[str, float]
Pairs = dict[Domain, tuple[Tensor, Tensor]]  # first and second frames of one clip each, (B, 3, H, W)
WEIGHTS = "weights.safetensors"
VGG_VARIABLE = "TOONTALKER_VGG19"


def train(
    clips: TrainingClips,
    out: Path,
    *,
    config: str,
    device: str,
    resume: bool = True,
    steps1: int | None = None,
    steps2: int | None = None,
    on_progress: Progress | None = None,
) -> Path:
    """Train on `clips`, writing into `out`; return the exported weights (safetensors).

    `out` receives checkpoint.pt, log.jsonl, samples/*.png and weights.safetensors. With `resume`, a run found in `out`
    resumes from its last checkpoint, with the same result as an unbroken run. `config` is "mini" or "paper"; `steps1` and
    `steps2` replace its numbers of steps. Raises ToonbenchError for unusable clips and for a run of another configuration.
    """
    chosen = find_config(config)
    chosen = replace(
        chosen,
        steps1=chosen.steps1 if steps1 is None else steps1,
        steps2=chosen.steps2 if steps2 is None else steps2,
    )
    return run(chosen, clips, out, device=device, resume=resume, on_progress=on_progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What all processes of a run know."""

    config: TrainConfig
    clips: TrainingClips
    out: Path
    device: str
    resume: bool


def run(
    config: TrainConfig,
    clips: TrainingClips,
    out: Path,
    *,
    device: str,
    resume: bool = True,
    on_progress: Progress | None = None,
) -> Path:
    """`train` with any configuration."""
    for name, batch in (("batch1", config.batch1), ("batch2", config.batch2)):
        if batch % config.workers:
            raise ToonbenchError(f"{name} is {batch}, which {config.workers} workers cannot share evenly; change one")
    domains: tuple[Domain, ...] = ("real", "cartoon") if config.steps2 else ("real",)
    check_clips(clips, size=config.network.size, domains=domains)
    open_folder(out)
    job = _Job(config=config, clips=clips, out=out, device=device, resume=resume)
    lead = partial(_loop, job, on_progress=on_progress)
    run_processes(lead, partial(_loop, job), workers=config.workers, values=_gradient_size(config))
    return out / WEIGHTS


def _gradient_size(config: TrainConfig) -> int:
    sizes = config.network
    with torch.device("meta"):
        network, critic = DomainNetwork(sizes), Discriminator(sizes.size, sizes.table)
    return 2 * sum(p.numel() for module in (network, critic) for p in module.parameters())


def _loop(job: _Job, group: ProcessGroup, *, on_progress: Progress | None = None) -> None:
    config, out, device = job.config, job.out, job.device
    perceptual = _perceptual(config, device)
    resumes = job.resume and (out / CHECKPOINT).is_file()
    state = load_state(config, device, out) if resumes else new_state(config, device)
    group.barrier()  # all have read the checkpoint before the first writes another
    total, first, began = config.steps1 + config.steps2, state.step, time.monotonic()
    if group.leads:
        trim_log(out, step=state.step)
    while state.step < total:
        if state.step == config.steps1:
            begin_stage2(state)
        set_rate(state)
        numbers = train_step(state, job.clips, perceptual, group=group)
        state.step += 1
        if not group.leads:
            continue
        update_average(state.average, state.network, decay=ema_decay(config.ema, state.step))
        last = state.step == total
        if last or state.step % config.log_every == 0:
            log(out, state, numbers | {"seconds_per_step": (time.monotonic() - began) / (state.step - first)})
        if last or state.step % config.sample_every == 0:
            write_samples(state, job.clips, out)
        if last or state.step % config.checkpoint_every == 0:
            save_state(state, out)
        if on_progress is not None:
            on_progress(state.step, total)
    if group.leads:
        notes = {"training": config.to_dict(), "steps": state.step}
        export(state.average, out / WEIGHTS, notes=notes)


def _perceptual(config: TrainConfig, device: str) -> PerceptualLoss | None:
    loss = perceptual_loss(config.perceptual, weights=vgg19_file() if config.perceptual == "vgg19" else None)
    return loss.to(device) if loss is not None else None


def vgg19_file() -> Path | None:
    """The file that TOONTALKER_VGG19 names, or else the fetched weights `vgg19`; None where there is neither.

    Raises ToonbenchError for fetched weights that are damaged.
    """
    if file := os.environ.get(VGG_VARIABLE):
        return Path(file)
    try:
        return weights.path("vgg19")
    except weights.WeightsMissing:
        return None


def train_step(
    state: TrainState, clips: TrainingClips, perceptual: PerceptualLoss | None, *, group: ProcessGroup
) -> Numbers:
    """One update of everything that learns in this stage; every random choice comes from the step's number."""
    config, network = state.config, state.network
    rng = step_rng(config.seed, state.step, group.rank)
    torch.manual_seed(int(rng.integers(2**63)))
    domains: tuple[Domain, ...] = ("real",) if state.stage == 1 else ("real", "cartoon")
    batch = (config.batch1 if state.stage == 1 else config.batch2) // group.workers
    pairs: Pairs = {
        domain: draw_pairs(
            clips[domain].train,
            rng,
            batch=batch,
            step=state.step,
            growth=config.gap_growth,
            flip=config.flip,
            jitter=config.jitter,
            device=state.device,
        )
        for domain in domains
    }

    state.critics.requires_grad_(False)
    network.train()
    terms, fakes = generator_terms(network, pairs, config, perceptual)
    if state.critics:
        losses = [generator_loss(state.critics[domain](fake)) for domain, fake in fakes]
        terms["adversarial"] = config.adversarial * torch.stack(losses).sum()
    loss = torch.stack([term for name, term in terms.items() if not name.startswith("size_")]).sum()
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    group.all_reduce(network.parameters())
    state.optimiser.step()

    if state.critic_optimiser is not None:
        terms["critic"] = critic_step(state, pairs, fakes, group=group)
    network.eval()
    return {"loss": loss.item()} | {name: term.item() for name, term in terms.items()}


def generator_terms(
    network: ToonTalkerNetwork,
    pairs: Pairs,
    config: TrainConfig,
    perceptual: PerceptualLoss | None,
) -> tuple[dict[str, Tensor], list[tuple[Domain, Tensor]]]:
    """All weighted terms except the adversarial one (Eq. 11, 12), and the images that the discriminators receive.

    `pairs` holds (source, driving) frames of one clip per domain. With two domains, the source of each is also moved as
    the pair of the other moved, for the analogy. Terms whose names begin with `size_` are logged and not minimised.
    """
    terms: dict[str, Tensor] = {}
    fakes: list[tuple[Domain, Tensor]] = []
    both: tuple[tuple[Domain, Domain], ...] = (("cartoon", "real"), ("real", "cartoon"))
    sources = {domain: network.source(first, domain) for domain, (first, _) in pairs.items()}
    driving = {domain: network.motion(second, domain) for domain, (_, second) in pairs.items()}
    for domain, (first, target) in pairs.items():
        trace: Trace = {}
        generated = network.absolute(sources[domain], driving[domain], domain=domain, trace=trace)
        terms[f"l1_{domain}"] = config.l1 * pyramid_l1(generated, target, levels=config.levels)
        if config.warp:
            fields = [value for name, value in trace.items() if name.endswith(".flow_skip")]
            terms[f"warp_{domain}"] = config.warp * warp_l1(first, target, fields)
        if config.gradient:
            terms[f"gradient_{domain}"] = config.gradient * gradient_l1(generated, target)
        if perceptual is not None:
            terms[f"perceptual_{domain}"] = config.weight_perceptual * perceptual(generated, target)
        fakes.append((domain, generated))
        moved = driving[domain] - sources[domain].from_reference
        terms[f"size_motion_{domain}"] = moved.detach().abs().mean()
        terms[f"size_code_{domain}"] = driving[domain].detach().std(0, unbiased=False).mean()
    if len(pairs) == 2:
        for of, by in both:
            start, end = sources[by].from_reference, driving[by]
            generated = network.relative(sources[of], end, start=start, domain=of)
            loss = analogy(
                network.motion(generated, of),
                sources[of].from_reference,
                start,
                end,
                detach_driving=config.detach_driving,
            )
            terms[f"analogy_{by}_to_{of}"] = config.motion * loss
            fakes.append((of, generated))
    return terms, fakes


def critic_step(
    state: TrainState,
    pairs: Pairs,
    fakes: list[tuple[Domain, Tensor]],
    *,
    group: ProcessGroup,
) -> Tensor:
    """One update of the discriminators, with the gradient penalty every `r1_every` steps."""
    config, optimiser = state.config, state.critic_optimiser
    if optimiser is None:
        return torch.zeros(())
    state.critics.requires_grad_(True)
    loss = torch.zeros((), device=state.device)
    for domain, fake in fakes:
        critic = state.critics[domain]
        loss = loss + discriminator_loss(critic(pairs[domain][1]), critic(fake.detach()))
    if config.r1 and state.step % config.r1_every == 0:
        for domain, (_, real) in pairs.items():
            real = real.detach().requires_grad_(True)
            loss = loss + config.r1 * config.r1_every * r1_penalty(state.critics[domain](real), real)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    group.all_reduce(state.critics.parameters())
    optimiser.step()
    return loss.detach()


def log(out: Path, state: TrainState, numbers: Numbers) -> None:
    """Append the numbers of the present step to the log."""
    append_log(out, {"step": state.step, "stage": 1 if state.step <= state.config.steps1 else 2} | numbers)


def write_samples(state: TrainState, clips: TrainingClips, out: Path) -> None:
    """Held-out pictures and errors of the averaged weights."""
    second = state.step > state.config.steps1
    domains: tuple[Domain, ...] = ("real", "cartoon") if second else ("real",)
    pairs: list[tuple[Domain, Domain]] = [("real", "real")]
    if second:
        pairs = [("cartoon", "real"), ("real", "cartoon"), ("cartoon", "cartoon")]
    state.average.eval()
    log(out, state, heldout_error(state.average, clips, domains=domains, device=state.device))
    write_grid(out, sample_grid(state.average, clips, pairs=pairs, device=state.device), step=state.step)
