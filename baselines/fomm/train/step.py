"""One update of FOMM or DaGAN: the generator and the key point detector, then the discriminator where there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from toonbench.networks.first_order import KeyPoints, Trace
from toonbench.networks.hourglass import REDUCTION
from toonbench.networks.thin_plate import random_warp
from toonbench.training.reconstruction import pyramid_l1

from ...first_order import Encoded, Network
from ...tuning.loop import Batch, Numbers
from ...tuning.perceptual import PyramidPerceptual
from ...tuning.state import TuneState
from ...tuning.update import descend
from .config import FirstOrderConfig
from .losses import (
    discriminator_loss,
    equivariance_jacobian,
    equivariance_value,
    feature_matching,
    generator_loss,
    with_heat_maps,
)

Terms = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Made:
    """Generated pictures, with the key points of their driving frames, and their sources: pictures, and as the network encodes them."""

    pictures: Tensor
    driving: KeyPoints
    sources: Tensor
    encoded: Encoded

    @property
    def source(self) -> KeyPoints:
        """The key points of the sources."""
        return self.encoded.points


Extra = Callable[
    [Network, Tensor, Made], Terms
]  # a method's further terms, of driving frames and what was generated for them


def no_terms(_network: Network, _driving: Tensor, _made: Made) -> Terms:
    """FOMM has no further terms."""
    return {}


def train_step(
    state: TuneState,
    batch: Batch,
    *,
    perceptual: PyramidPerceptual | None,
    extra: Extra = no_terms,
) -> Numbers:
    """See `baselines.tuning.loop.Recipe.step`; `perceptual` is None without a perceptual loss. Terms `log_*` are not minimised.

    The originals have an optimiser each for generator and detector, with the same settings: one for both does the same.
    """
    config: FirstOrderConfig = state.config  # pyright: ignore[reportAssignmentType]
    source, driving = batch["source"] / 2.0 + 0.5, batch["driving"] / 2.0 + 0.5
    set_mode(state.network, config)
    terms, made = generator_terms(state.network, source, driving, config=config, perceptual=perceptual)
    terms |= extra(state.network, driving, made)
    if state.critic is not None:
        state.critic.requires_grad_(False)
        terms |= adversarial_terms(state.critic, driving, made, config=config)
    loss = torch.stack([term for name, term in terms.items() if not name.startswith("log_")]).sum()
    descend(state.optimiser, state.network, loss, of="generator", group=state.group)
    if state.critic is not None:
        terms["critic"] = critic_step(state, driving, made)
    return {"loss": loss.item()} | {name: term.item() for name, term in terms.items()}


def set_mode(network: Any, config: FirstOrderConfig) -> None:
    """Training mode for all that learns; networks that only measure stay in eval mode."""
    network.train(not config.freeze_norms)
    for part in network.children():
        if not any(parameter.requires_grad for parameter in part.parameters()):
            part.eval()


def generator_terms(
    network: Network,
    source: Tensor,
    driving: Tensor,
    *,
    config: FirstOrderConfig,
    perceptual: PyramidPerceptual | None,
) -> tuple[Terms, Made]:
    """All weighted terms except those of the discriminator, for pictures in [0, 1]."""
    trace: Trace = {}
    encoded = network.source(source)
    points = network.key_points(driving)
    generated = network.render(encoded, points, trace=trace)
    terms = reconstruction_terms(generated, driving, config=config, perceptual=perceptual)
    if config.warp:
        terms["warp"] = config.warp * warp_l1(encoded.small, driving, trace["deformation"], corners=config.corners)
    if config.equivariance_value or config.equivariance_jacobian:
        warp = random_warp(len(driving), device=driving.device)
        warped = network.key_points(warp.picture(driving, corners=config.corners))
        terms["equivariance_value"] = config.equivariance_value * equivariance_value(points, warped, warp)
        terms["equivariance_jacobian"] = config.equivariance_jacobian * equivariance_jacobian(points, warped, warp)
    return terms, Made(generated, points, source, encoded)


def reconstruction_terms(
    generated: Tensor, target: Tensor, *, config: FirstOrderConfig, perceptual: PyramidPerceptual | None
) -> Terms:
    """The weighted terms between generated pictures and their targets."""
    terms: Terms = {}
    if config.l1:
        terms["l1"] = config.l1 * pyramid_l1(generated, target, levels=config.levels)
    if perceptual is not None:
        terms["perceptual"] = config.weight_perceptual * perceptual(generated, target)
    return terms


def warp_l1(small: Tensor, driving: Tensor, places: Tensor, *, corners: bool) -> Tensor:
    """L1 between the reduced source `small`, moved to `places` (B, h, w, 2), and the driving frame, averaged to its size."""
    moved = F.grid_sample(small, places, padding_mode="border", align_corners=corners)
    return (moved - F.avg_pool2d(driving, REDUCTION)).abs().mean()


def adversarial_terms(critic: Any, driving: Tensor, made: Made, *, config: FirstOrderConfig) -> Terms:
    """The generator's adversarial term, and feature matching."""
    maps, scores = critic(with_heat_maps(made.pictures, made.driving))
    real, _ = critic(with_heat_maps(driving, made.driving))
    return {
        "adversarial": config.adversarial * generator_loss(scores),
        "feature_matching": config.feature_matching * feature_matching(real, maps),
    }


def critic_step(state: TuneState, driving: Tensor, made: Made) -> Tensor:
    """One update of the discriminator, by the picture and the key points that the generator's step computed."""
    state.critic.requires_grad_(True)
    real = state.critic(with_heat_maps(driving, made.driving))[1]
    loss = discriminator_loss(real, state.critic(with_heat_maps(made.pictures.detach(), made.driving))[1])
    if state.critic_optimiser is not None:
        descend(state.critic_optimiser, state.critic, loss, of="discriminator", group=state.group)
    return loss.detach()


def reconstruct(network: Network, source: Tensor, driving: Tensor) -> Tensor:
    """Sources moved as driving frames of the same clips show (absolute motion), (B, 3, H, W) in [-1, 1]."""
    encoded = network.source(source / 2.0 + 0.5)
    return network.render(encoded, network.key_points(driving / 2.0 + 0.5)) * 2.0 - 1.0
