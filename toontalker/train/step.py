"""One step of training: the batch, the objective (paper Eq. 11, 12), and the updates of generators and discriminators."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import Tensor

from toonbench.networks.vgg19 import PerceptualLoss
from toonbench.training.adversarial import discriminator_loss, generator_loss, r1_penalty
from toonbench.training.clips import TrainingClips
from toonbench.training.processes import ProcessGroup
from toonbench.training.sampling import draw_pairs, seed_networks, step_rng
from toonbench.training.stability import NotFinite, differentiate
from toonbench.types import Domain

from ..generator import Trace
from ..model import Source, ToonTalkerNetwork
from .config import TrainConfig
from .guidance import Labels, guidance_terms
from .losses import analogy, reconstruction_terms
from .paired import BOTH, NOTHING, Fakes, Pairs, Supervision, codes, draw_supervised, supervision_terms
from .state import TrainState

Numbers = dict[str, float]


class BadBatch(Exception):
    """A batch whose loss or gradient is not finite: the pairs and the terms of the loss. No weight was changed by it."""

    def __init__(self, why: str, *, pairs: Pairs, terms: Numbers) -> None:
        super().__init__(why)
        self.pairs = pairs
        self.terms = terms


def draw_batch(state: TrainState, clips: TrainingClips, *, group: ProcessGroup) -> Pairs:
    """This process's pairs of the coming step. Every random choice, also of the step, comes from the step's number."""
    config = state.config
    rng = step_rng(config.seed, state.step, 0)
    seed_networks(rng, rank=group.rank)
    domains: tuple[Domain, ...] = ("real",) if state.stage == 1 else ("real", "cartoon")
    return {
        domain: draw_pairs(
            clips[domain].train,
            rng,
            batch=config.batch1 if state.stage == 1 else config.batch2,
            step=state.step,
            growth=config.gap_growth,
            flip=config.flip,
            jitter=config.jitter,
            device=state.device,
            part=(group.rank, group.workers),
        )
        for domain in domains
    }


def train_step(
    state: TrainState, clips: TrainingClips, perceptual: PerceptualLoss | None, *, group: ProcessGroup
) -> Numbers:
    """One update of everything that learns in this stage. Raises BadBatch, before any update, where a number is not finite."""
    config, network = state.config, state.network
    if config.paired or config.guided:
        pairs, extra = draw_supervised(state, clips, group=group)
    else:
        pairs, extra = draw_batch(state, clips, group=group), NOTHING
    state.critics.requires_grad_(False)
    network.train()
    with precision(config, state.device):
        synthetic = state.step % config.synthetic_every == 0
        terms, fakes = generator_terms(network, pairs, config, perceptual, extra=extra, synthetic=synthetic)
        if state.critics:
            terms["adversarial"] = config.adversarial * adversarial_term(state, fakes)
    loss = objective(terms)
    state.optimiser.zero_grad(set_to_none=True)
    try:
        differentiate(loss, network.parameters(), group=group, largest=config.clip, of="generators")
        if state.critic_optimiser is not None:
            terms["critic"] = critic_gradients(state, pairs, fakes, group=group)
    except NotFinite as error:
        raise BadBatch(str(error), pairs=pairs, terms={name: term.item() for name, term in terms.items()}) from error
    state.optimiser.step()
    if state.critic_optimiser is not None:
        state.critic_optimiser.step()
    network.eval()
    return {"loss": loss.item()} | {name: term.item() for name, term in terms.items()}


def precision(config: TrainConfig, device: str) -> AbstractContextManager[object]:
    """The context in which networks compute in the configured precision."""
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16, enabled=config.precision == "bf16")


def objective(terms: dict[str, Tensor]) -> Tensor:
    """The sum that is minimised: all terms but the sizes that are logged only."""
    return torch.stack([term.float() for name, term in terms.items() if not name.startswith("size_")]).sum()


def adversarial_term(state: TrainState, fakes: Fakes) -> Tensor:
    """The adversarial terms of Eq. 10 to 12, of reconstructed and of synthetic images, each with the same weight."""
    return torch.stack([generator_loss(state.critics[domain](fake)) for domain, fake in fakes]).sum()


def generator_terms(
    network: ToonTalkerNetwork,
    pairs: Pairs,
    config: TrainConfig,
    perceptual: PerceptualLoss | None,
    *,
    extra: Supervision = NOTHING,
    synthetic: bool = True,
) -> tuple[dict[str, Tensor], Fakes]:
    """All weighted terms except the adversarial one (Eq. 11, 12), and the images that the discriminators receive.

    `pairs` holds (source, driving) frames of one clip per domain. With two domains, the source of each is also moved as
    the pair of the other moved, unless the configuration is without synthetic images or the step (`synthetic`) is. Paired training
    knows more of the pairs.
    Terms whose names begin with `size_` are logged and not minimised.
    """
    terms: dict[str, Tensor] = {}
    fakes: Fakes = []
    encoded = codes(network, pairs, extra)
    sources, driving = encoded.sources, encoded.driving
    for domain, (first, target) in pairs.items():
        trace: Trace = {}
        generated = network.absolute(sources[domain], driving[domain], domain=domain, trace=trace).float()
        found = reconstruction_terms(first, generated, target, trace=trace, config=config, perceptual=perceptual)
        if config.guided:
            labels = Labels(encoded.descriptors[domain], extra.rigs[domain], extra.landmarks[domain])
            found |= guidance_terms(generated, target, labels, trace=trace, config=config)
        terms |= {f"{name}_{domain}": term for name, term in found.items()}
        fakes.append((domain, generated))
        moved = driving[domain] - sources[domain].from_reference
        terms[f"size_motion_{domain}"] = moved.detach().abs().mean()
        terms[f"size_code_{domain}"] = driving[domain].detach().std(0, unbiased=False).mean()
    if len(pairs) == 2 and config.synthetic and synthetic:
        for of, by in BOTH:
            generated, distance = synthetic_terms(network, sources, driving, of=of, by=by, config=config)
            if distance is not None:
                terms[f"analogy_{by}_to_{of}"] = config.synthetic_every * config.motion * distance
            fakes.append((of, generated))
    more, generated = supervision_terms(
        network, pairs, extra, sources=sources, driving=driving, config=config, perceptual=perceptual
    )
    return terms | more, fakes + generated


def synthetic_terms(
    network: ToonTalkerNetwork,
    sources: dict[Domain, Source],
    driving: dict[Domain, Tensor],
    *,
    of: Domain,
    by: Domain,
    config: TrainConfig,
) -> tuple[Tensor, Tensor | None]:
    """The source of domain `of`, moved as the pair of domain `by` moved (Eq. 6, 7), and the analogy distance (Eq. 8, 9).

    The distance is None where its weight is 0.
    """
    start, end = sources[by].from_reference, driving[by]
    generated = network.relative(sources[of], end, start=start, domain=of).float()
    if not config.motion:
        return generated, None
    w_g, w_s = network.motion(generated, of), sources[of].from_reference
    return generated, analogy(w_g, w_s, start, end, detach_driving=config.detach_driving)


def critic_gradients(state: TrainState, pairs: Pairs, fakes: Fakes, *, group: ProcessGroup) -> Tensor:
    """The gradients of the discriminators, with the gradient penalty every `r1_every` steps; return their loss."""
    config = state.config
    state.critics.requires_grad_(True)
    loss = torch.zeros((), device=state.device)
    with precision(config, state.device):
        for domain, fake in fakes:
            critic = state.critics[domain]
            loss = loss + discriminator_loss(critic(pairs[domain][1]), critic(fake.detach()))
    if config.r1 and state.step % config.r1_every == 0:
        for domain, (_, real) in pairs.items():
            real = real.detach().requires_grad_(True)
            loss = loss + config.r1 * config.r1_every * r1_penalty(state.critics[domain](real), real)
    if state.critic_optimiser is not None:
        state.critic_optimiser.zero_grad(set_to_none=True)
    differentiate(loss, state.critics.parameters(), group=group, largest=config.clip, of="discriminators")
    return loss.detach()
