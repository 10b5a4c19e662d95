"""The choices that the trainings of the baselines share; every checkpoint holds a copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from toonbench.networks.patch_discriminator import smallest_side
from toonbench.training.clips import ClipNeeds
from toonbench.training.overrides import with_overrides
from toonbench.training.perceptual import Perceptual
from toonbench.training.ranges import COUNT, DECAY, SEED, SHARE, STEPS, WEIGHT, Range, check_levels, check_ranges
from toonbench.types import DOMAINS, Domain, ToonbenchError

LOWEST = 0.1  # of the rate, at the end of `decay`
RANGES: Mapping[str, Range] = {
    **dict.fromkeys(("batch", "levels", "workers", "checkpoint_every", "sample_every", "log_every"), COUNT),
    **dict.fromkeys(("steps", "gap_growth", "milestones"), STEPS),
    **dict.fromkeys(("lr", "l1", "weight_perceptual", "adversarial", "jitter"), WEIGHT),
    **dict.fromkeys(("betas", "ema"), DECAY),
    "decay": SHARE,
    "seed": SEED,
    "size": Range(8, 4096),
}
STATED: tuple[str, ...] = ("name", "overrides", "start", "supervised", "depth_sha256", "depth_network")


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneConfig:
    """A training run.

    name: of the configuration. size: side of the pictures in pixels. domains: whose clips it learns from, in equal shares.
    overrides: fields that the user set, as `key=value`.
    start: sha256 of the checkpoint that the weights were taken from; empty for new weights.
    steps, batch, lr, betas: number of steps, pictures per step, and Adam's settings.
    milestones: steps after which the rate is a tenth of what it was.
    decay: last share of the steps over which it falls linearly to a tenth.
    workers: processes that share each batch evenly, one thread each; for CPUs. `accelerate launch` decides their number itself. Batch
        normalisation (FOMM, DaGAN) uses the statistics of each process's share.
    ema: decay of the averaged weights, which are exported; 0 exports the last weights.
    l1, levels: weight of L1, and the number of image scales (full, half, ...) that it is averaged over.
    perceptual, weight_perceptual: which features are compared, and their weight.
    adversarial: weight of the generator's adversarial term; 0 trains without a discriminator.
    flip, jitter: mirrored clips, and the strength of colour changes, both shared by the frames of a clip.
    gap_growth: steps over which the gap between a pair's frames grows from 2 to the whole clip; 0 draws any two frames.
    """

    name: str = "paper"
    size: int = 256
    domains: tuple[Domain, ...] = DOMAINS
    overrides: tuple[str, ...] = ()
    start: str = ""
    seed: int = 0
    steps: int = 1
    batch: int = 1
    workers: int = 1
    lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    milestones: tuple[int, ...] = ()
    decay: float = 0.0
    ema: float = 0.0
    l1: float = 0.0
    levels: int = 1
    perceptual: Perceptual = "vgg19"
    weight_perceptual: float = 10.0
    adversarial: float = 0.0
    flip: bool = True
    jitter: float = 0.1
    gap_growth: int = 0
    checkpoint_every: int = 1000
    sample_every: int = 1000
    log_every: int = 50

    def __post_init__(self) -> None:
        check_ranges(self, RANGES)
        check_levels(self.levels, size=self.size)
        if not self.domains or len({*self.domains}) < len(self.domains):
            raise ValueError(f"domains is {list(self.domains)}: one of {', '.join(DOMAINS)}, or both, is needed")

    def rate(self, step: int) -> float:
        """The learning rate of the step after `step` finished ones."""
        rate = self.lr * 0.1 ** sum(step >= milestone for milestone in self.milestones)
        if self.decay:
            left = 1.0 - step / max(1, self.steps)
            rate *= max(LOWEST, min(1.0, left / self.decay))
        return rate

    @property
    def critic_share(self) -> float:
        """The share of the discriminator's steps without a regularising step; its rate and betas are adapted by it."""
        return 1.0


def check_critic(widths: Sequence[int], *, size: int) -> None:
    """Raise ValueError unless a discriminator of patches with these widths has a score for pictures of `size` px."""
    if not widths or size < smallest_side(widths):
        raise ValueError(f"critic is {widths}: 1 or more widths are needed, and {size} px have a score for few only")


Config = TypeVar("Config", bound=TuneConfig)


def find_config(configs: Mapping[str, Config], name: str, *, overrides: Sequence[str] = ()) -> Config:
    """The configuration called `name` with the fields that `overrides` set (`key=value`). Raises ToonbenchError for unknown ones."""
    if name not in configs:
        raise ToonbenchError(f"--config {name}: unknown; choose one of {', '.join(configs)}")
    fixed = dict.fromkeys(STATED, "it is stated by the training, and cannot be set")
    return replace(with_overrides(configs[name], overrides, fixed=fixed), overrides=tuple(sorted(overrides)))


def needs(configs: Mapping[str, Config], name: str, *, overrides: Sequence[str] = ()) -> ClipNeeds:
    """The clips that a run of this configuration needs."""
    config = find_config(configs, name, overrides=overrides)
    return ClipNeeds(size=config.size, domains=config.domains)
