"""One update of LIA (Wang et al. 2022): the generator, then the discriminator where there is one. Pictures are in [-1, 1]."""

from __future__ import annotations

import torch
from torch import Tensor

from toonbench.training.adversarial import discriminator_loss, generator_loss, r1_penalty
from toonbench.training.reconstruction import flow_l1, pyramid_l1

from ...tuning.loop import Batch, Numbers
from ...tuning.perceptual import PyramidPerceptual
from ...tuning.state import TuneState
from ...tuning.update import descend
from ..model import LIANetwork, Trace
from .config import LIAConfig

Terms = dict[str, Tensor]


def train_step(state: TuneState, batch: Batch, *, perceptual: PyramidPerceptual | None) -> Numbers:
    """See `baselines.tuning.loop.Recipe.step`; `perceptual` is None without a perceptual loss."""
    config: LIAConfig = state.config  # pyright: ignore[reportAssignmentType]
    source, driving = batch["source"], batch["driving"]
    state.network.train()
    terms, generated = generator_terms(state.network, source, driving, config=config, perceptual=perceptual)
    if state.critic is not None:
        state.critic.requires_grad_(False)
        terms["adversarial"] = config.adversarial * generator_loss(state.critic(generated))
    loss = torch.stack(list(terms.values())).sum()
    descend(state.optimiser, state.network, loss, of="generator", group=state.group)
    if state.critic is not None:
        terms["critic"] = critic_step(state, driving, generated.detach(), config=config)
    return {"loss": loss.item()} | {name: term.item() for name, term in terms.items()}


def generator_terms(
    network: LIANetwork,
    source: Tensor,
    driving: Tensor,
    *,
    config: LIAConfig,
    perceptual: PyramidPerceptual | None,
) -> tuple[Terms, Tensor]:
    """All weighted terms except that of the discriminator, and the generated pictures."""
    trace: Trace | None = {} if config.warp else None
    directions = network.dec.direction.orthonormal()
    generated = network.render(network.source(source), network.enc.steps(driving), directions=directions, trace=trace)
    terms: Terms = {"l1": config.l1 * pyramid_l1(generated, driving, levels=config.levels)}
    if perceptual is not None:
        terms["perceptual"] = config.weight_perceptual * perceptual(generated / 2.0 + 0.5, driving / 2.0 + 0.5)
    if trace is not None:
        fields = [value for name, value in trace.items() if name.endswith(".flow_skip")]
        terms["warp"] = config.warp * flow_l1(source, driving, fields)
    return terms, generated


def critic_step(state: TuneState, driving: Tensor, generated: Tensor, *, config: LIAConfig) -> Tensor:
    """One update of the discriminator, with the gradient penalty every `r1_every` steps."""
    state.critic.requires_grad_(True)
    loss = discriminator_loss(state.critic(driving), state.critic(generated))
    if config.r1 and state.step % config.r1_every == 0:
        real = driving.detach().requires_grad_(True)
        loss = loss + config.r1 * config.r1_every * r1_penalty(state.critic(real), real)
    if state.critic_optimiser is not None:
        descend(state.critic_optimiser, state.critic, loss, of="discriminator", group=state.group)
    return loss.detach()


def reconstruct(network: LIANetwork, source: Tensor, driving: Tensor) -> Tensor:
    """Sources moved as driving frames of the same clips show (absolute motion), (B, 3, H, W) in [-1, 1]."""
    directions = network.dec.direction.orthonormal()
    return network.render(network.source(source), network.enc.steps(driving), directions=directions)
