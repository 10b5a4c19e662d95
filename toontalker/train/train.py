"""The training loop: stage 1 learns motion from real clips, stage 2 carries it over to cartoons (paper 3.2, 3.3)."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from toonbench import weights
from toonbench.types import Domain, ToonbenchError

from ..generator import Trace
from ..model import DomainNetwork, ToonTalkerNetwork
from ..weights_io import export
from .config import TrainConfig, find_config
from .data import ClipSet, draw_pairs, load_clips, step_rng
from .discriminator import Discriminator
from .losses import (
    PerceptualLoss,
    analogy,
    fooling,
    gradient_l1,
    perceptual_loss,
    pyramid_l1,
    r1_penalty,
    telling_apart,
    warp_l1,
)
from .samples import heldout_error, sample_grid, write_picture
from .state import CHECKPOINT, TrainState, begin_stage2, load_state, new_state, save_state, set_rate, update_average
from .team import Gate, Team, shared_board

Progress = Callable[[int, int], None]  # finished steps, all steps
Numbers = dict[str, float]
Pairs = dict[Domain, tuple[Tensor, Tensor]]  # first and second frames of one clip each, (B, 3, H, W)
WEIGHTS = "weights.safetensors"
VGG_VARIABLE = "TOONTALKER_VGG19"


def train(
    data: Path,
    out: Path,
    *,
    config: str,
    device: str,
    resume: bool = True,
    steps1: int | None = None,
    steps2: int | None = None,
    on_progress: Progress | None = None,
) -> Path:
    """Train on the data set in `data`, writing into `out`; return the exported weights (safetensors).

    `out` receives checkpoint.pt, log.jsonl, samples/*.png and weights.safetensors. With `resume`, a run found in `out`
    goes on from its last checkpoint, as if it had never stopped. `config` is "mini" or "paper"; `steps1` and `steps2`
    replace its numbers of steps. Raises ToonbenchError for an unusable data set or a run of another configuration.
    """
    chosen = find_config(config)
    chosen = replace(
        chosen,
        steps1=chosen.steps1 if steps1 is None else steps1,
        steps2=chosen.steps2 if steps2 is None else steps2,
    )
    return run(chosen, data, out, device=device, resume=resume, on_progress=on_progress)


def run(
    config: TrainConfig, data: Path, out: Path, *, device: str, resume: bool = True, on_progress: Progress | None = None
) -> Path:
    """`train` with a configuration of one's own."""
    out.mkdir(parents=True, exist_ok=True)
    if config.workers == 1:
        _loop(config, data, out, device=device, resume=resume, team=Team(), on_progress=on_progress)
        return out / WEIGHTS
    for name, batch in (("batch1", config.batch1), ("batch2", config.batch2)):
        if batch % config.workers:
            raise ToonbenchError(f"{name} is {batch}, which {config.workers} workers cannot share evenly; change one")
    context = torch.multiprocessing.get_context("spawn")
    board = shared_board(config.workers, _gradient_size(config))
    gate = context.Barrier(config.workers)
    others = [
        context.Process(target=_work, args=(config, data, out, device, resume, rank, board, gate), daemon=True)
        for rank in range(1, config.workers)
    ]
    for other in others:
        other.start()
    team = Team(rank=0, workers=config.workers, board=board, gate=gate)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        _loop(config, data, out, device=device, resume=resume, team=team, on_progress=on_progress)
    finally:
        torch.set_num_threads(threads)
        for other in others:
            other.terminate()
            other.join()
    return out / WEIGHTS


def _work(
    config: TrainConfig, data: Path, out: Path, device: str, resume: bool, rank: int, board: Tensor, gate: Gate
) -> None:
    torch.set_num_threads(1)
    threading.Thread(target=_follow_parent, daemon=True).start()
    try:
        _loop(config, data, out, device=device, resume=resume, team=Team(rank, config.workers, board, gate))
    except ToonbenchError:  # the leader meets the same and tells it
        gate.abort()


def _follow_parent() -> None:
    """End this worker with the process that started it, even if that one was killed."""
    parent = torch.multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _gradient_size(config: TrainConfig) -> int:
    with torch.device("meta"):
        network, critic = DomainNetwork(config.network), Discriminator(config.network)
    return 2 * sum(p.numel() for module in (network, critic) for p in module.parameters())


def _loop(
    config: TrainConfig,
    data: Path,
    out: Path,
    *,
    device: str,
    resume: bool,
    team: Team,
    on_progress: Progress | None = None,
) -> None:
    domains: tuple[Domain, ...] = ("real", "cartoon") if config.steps2 else ("real",)
    clips = load_clips(data, size=config.network.size, domains=domains)
    perceptual = _perceptual(config, device)
    going_on = resume and (out / CHECKPOINT).is_file()
    state = load_state(config, device, out) if going_on else new_state(config, device)
    team.meet()  # all have read the checkpoint before the first writes another
    total, first, began = config.steps1 + config.steps2, state.step, time.monotonic()
    if team.leads:
        trim_log(out, state.step)
    while state.step < total:
        if state.step == config.steps1:
            begin_stage2(state)
        set_rate(state)
        numbers = train_step(state, clips, perceptual, team=team)
        state.step += 1
        if not team.leads:
            continue
        update_average(state)
        last = state.step == total
        if last or state.step % config.log_every == 0:
            log(out, state, numbers | {"seconds_per_step": (time.monotonic() - began) / (state.step - first)})
        if last or state.step % config.sample_every == 0:
            look(state, clips, out)
        if last or state.step % config.checkpoint_every == 0:
            save_state(state, out)
        if on_progress is not None:
            on_progress(state.step, total)
    if team.leads:
        notes = {"training": config.to_dict(), "steps": state.step}
        export(state.average, out / WEIGHTS, notes=notes)


def _perceptual(config: TrainConfig, device: str) -> PerceptualLoss | None:
    loss = perceptual_loss(config.perceptual, weights=vgg19_file() if config.perceptual == "vgg19" else None)
    return loss.to(device) if isinstance(loss, torch.nn.Module) else loss


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
    state: TrainState, clips: dict[Domain, ClipSet], perceptual: PerceptualLoss | None, *, team: Team
) -> Numbers:
    """One update of everything that learns in the present stage; every random choice comes from the step's number."""
    config, network = state.config, state.network
    rng = step_rng(config, state.step, rank=team.rank)
    torch.manual_seed(int(rng.integers(2**63)))
    domains: tuple[Domain, ...] = ("real",) if state.stage == 1 else ("real", "cartoon")
    batch = (config.batch1 if state.stage == 1 else config.batch2) // team.workers
    pairs: Pairs = {
        d: draw_pairs(clips[d].train, rng, batch=batch, config=config, step=state.step, device=state.device)
        for d in domains
    }

    state.critics.requires_grad_(False)
    network.train()
    terms, fakes = generator_terms(network, pairs, config, perceptual)
    if state.critics:
        wanted = [fooling(state.critics[domain](fake)) for domain, fake in fakes]
        terms["adversarial"] = config.adversarial * torch.stack(wanted).sum()
    loss = torch.stack([term for name, term in terms.items() if not name.startswith("size_")]).sum()
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    team.average(network.parameters())
    state.optimiser.step()

    if state.critic_optimiser is not None:
        terms["critic"] = critic_step(state, pairs, fakes, team=team)
    network.eval()
    return {"loss": loss.item()} | {name: term.item() for name, term in terms.items()}


def generator_terms(
    network: ToonTalkerNetwork,
    pairs: Pairs,
    config: TrainConfig,
    perceptual: PerceptualLoss | None,
) -> tuple[dict[str, Tensor], list[tuple[Domain, Tensor]]]:
    """All weighted terms but the adversarial one (Eq. 11, 12), and the images that one judges.

    `pairs` holds (source, driving) frames of one clip per domain. With two domains each also plays the other's
    analogy: its source is moved as the other's pair moved. Names that begin with `size_` are watched, not minimised.
    """
    terms: dict[str, Tensor] = {}
    fakes: list[tuple[Domain, Tensor]] = []
    both: tuple[tuple[Domain, Domain], ...] = (("cartoon", "real"), ("real", "cartoon"))
    sources = {domain: network.source(first, domain) for domain, (first, _) in pairs.items()}
    driving = {domain: network.motion(second, domain) for domain, (_, second) in pairs.items()}
    for domain, (first, wanted) in pairs.items():
        trace: Trace = {}
        made = network.absolute(sources[domain], driving[domain], domain=domain, trace=trace)
        terms[f"l1_{domain}"] = config.l1 * pyramid_l1(made, wanted, levels=config.levels)
        if config.warp:
            fields = [value for name, value in trace.items() if name.endswith(".flow_skip")]
            terms[f"warp_{domain}"] = config.warp * warp_l1(first, wanted, fields)
        if config.gradient:
            terms[f"gradient_{domain}"] = config.gradient * gradient_l1(made, wanted)
        if perceptual is not None:
            terms[f"perceptual_{domain}"] = config.weight_perceptual * perceptual(made, wanted)
        fakes.append((domain, made))
        moved = driving[domain] - sources[domain].from_reference
        terms[f"size_motion_{domain}"] = moved.detach().abs().mean()
        terms[f"size_code_{domain}"] = driving[domain].detach().std(0, unbiased=False).mean()
    if len(pairs) == 2:
        for of, by in both:
            start, end = sources[by].from_reference, driving[by]
            made = network.relative(sources[of], end, start=start, domain=of)
            loss = analogy(
                network.motion(made, of),
                sources[of].from_reference,
                start,
                end,
                detach_driving=config.detach_driving,
            )
            terms[f"analogy_{by}_to_{of}"] = config.motion * loss
            fakes.append((of, made))
    return terms, fakes


def critic_step(
    state: TrainState,
    pairs: Pairs,
    fakes: list[tuple[Domain, Tensor]],
    *,
    team: Team,
) -> Tensor:
    """One update of the discriminators, with the gradient penalty every `r1_every` steps."""
    config, optimiser = state.config, state.critic_optimiser
    if optimiser is None:
        return torch.zeros(())
    state.critics.requires_grad_(True)
    loss = torch.zeros((), device=state.device)
    for domain, fake in fakes:
        loss = loss + telling_apart(state.critics[domain](pairs[domain][1]), state.critics[domain](fake.detach()))
    if config.r1 and state.step % config.r1_every == 0:
        for domain, (_, real) in pairs.items():
            real = real.detach().requires_grad_(True)
            loss = loss + config.r1 * config.r1_every * r1_penalty(state.critics[domain](real), real)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    team.average(state.critics.parameters())
    optimiser.step()
    return loss.detach()


def log(out: Path, state: TrainState, numbers: Numbers) -> None:
    """Append one line to log.jsonl."""
    line = {"step": state.step, "stage": 1 if state.step <= state.config.steps1 else 2} | numbers
    with (out / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({key: round(value, 6) for key, value in line.items()}) + "\n")


def trim_log(out: Path, step: int) -> None:
    """Drop the lines of steps after `step`: a killed run may have logged what its checkpoint does not hold."""
    path = out / "log.jsonl"
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(line for line in lines if json.loads(line)["step"] <= step), encoding="utf-8")


def look(state: TrainState, clips: dict[Domain, ClipSet], out: Path) -> None:
    """Held-out pictures and errors of the averaged weights."""
    second = state.step > state.config.steps1
    domains: tuple[Domain, ...] = ("real", "cartoon") if second else ("real",)
    pairs: list[tuple[Domain, Domain]] = [("real", "real")]
    if second:
        pairs = [("cartoon", "real"), ("real", "cartoon"), ("cartoon", "cartoon")]
    state.average.eval()
    log(out, state, heldout_error(state.average, clips, domains, state.device))
    folder = out / "samples"
    folder.mkdir(exist_ok=True)
    write_picture(folder / f"{state.step:07d}.png", sample_grid(state.average, clips, pairs, state.device))
