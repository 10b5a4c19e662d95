"""One update of Recycle-GAN, and the terms of its objective (Bansal et al. 2018). Pictures are (B, 3, H, W) in [-1, 1]."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from toonbench.types import DOMAINS, Domain

from ...fomm.train.losses import discriminator_loss, generator_loss
from ...tuning.loop import Batch, Numbers
from ...tuning.state import TuneState
from ...tuning.update import descend
from ..model import RecycleNetwork
from .config import RecycleConfig

Window = tuple[Tensor, Tensor, Tensor]  # three frames of a clip that follow each other
Windows = dict[Domain, Window]
Terms = dict[str, Tensor]


def other(domain: Domain) -> Domain:
    """The other domain."""
    return DOMAINS[1 - DOMAINS.index(domain)]


def recurrent(network: RecycleNetwork, window: Window, *, domain: Domain) -> Tensor:
    """Mean squared error of the predictor of a domain on its clip."""
    before, now, after = window
    return (network.after[domain](before, now) - after).square().mean()


def recycle(network: RecycleNetwork, translated: Tensor, window: Window, *, domain: Domain) -> Tensor:
    """Mean squared error of a clip's third frame.

    The first two frames, `translated` to the other domain, predict the third one there, which is translated back.
    """
    before, now = translated.chunk(2)
    ahead = network.after[other(domain)](before, now)
    return (network.into[domain](ahead) - window[2]).square().mean()


def generator_terms(
    network: RecycleNetwork, critics: torch.nn.ModuleDict, windows: Windows, *, config: RecycleConfig
) -> tuple[Terms, dict[Domain, Tensor]]:
    """All weighted terms of generators and predictors, and the generated pictures of each domain."""
    terms: Terms = {}
    made: dict[Domain, Tensor] = {}
    for domain, window in windows.items():
        across = other(domain)
        translated = network.into[across](torch.cat(window[:2]))
        made[across] = translated
        terms[f"recurrent_{domain}"] = config.recurrent * recurrent(network, window, domain=domain)
        terms[f"recycle_{domain}"] = config.recycle * recycle(network, translated, window, domain=domain)
        terms[f"adversarial_{across}"] = config.adversarial * generator_loss(critics[across](translated)[1])
    return terms, made


def windows_of(batch: Batch) -> Windows:
    """The windows of a batch, whose frames are called DOMAIN_0, DOMAIN_1 and DOMAIN_2."""
    return {domain: (batch[f"{domain}_0"], batch[f"{domain}_1"], batch[f"{domain}_2"]) for domain in DOMAINS}


def train_step(state: TuneState, batch: Batch) -> Numbers:
    """One update of generators and predictors, then of the discriminators; return the loss and its terms."""
    config, windows = cast("RecycleConfig", state.config), windows_of(batch)
    state.network.train()
    state.critic.requires_grad_(False)
    terms, made = generator_terms(state.network, state.critic, windows, config=config)
    loss = torch.stack([*terms.values()]).sum()
    descend(state.optimiser, state.network, loss, of="generators", group=state.group)
    state.critic.requires_grad_(True)
    scores = [
        discriminator_loss(
            state.critic[domain](torch.cat(window[:2]))[1], state.critic[domain](made[domain].detach())[1]
        )
        for domain, window in windows.items()
    ]
    critic = torch.stack(scores).sum()
    if state.critic_optimiser is not None:
        descend(state.critic_optimiser, state.critic, critic, of="discriminators", group=state.group)
    return {"loss": loss.item(), "critic": critic.item()} | {name: term.item() for name, term in terms.items()}
