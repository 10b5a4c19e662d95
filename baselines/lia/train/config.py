"""Every choice of a training run of LIA, and the named configurations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from toonbench.training.ranges import COUNT, WEIGHT, Range, check_ranges

from ...tuning.config import TuneConfig
from ..model import NetworkConfig

RANGES: Mapping[str, Range] = {"r1": WEIGHT, "r1_every": COUNT, "warp": WEIGHT, "flow_init": WEIGHT}


@dataclass(frozen=True, slots=True, kw_only=True)
class LIAConfig(TuneConfig):
    """A training run of LIA. Its authors published no training code; what their paper leaves open is as in StyleGAN2, whose blocks it has.

    network: sizes. r1, r1_every: gradient penalty of the discriminator, applied every so many steps.
    warp: weight of L1 between the target and the source moved by the flows alone; not in the paper.
    flow_init: factor on the flow heads' initial weights; below 1 the warps start near the identity.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    r1: float = 10.0
    r1_every: int = 16
    warp: float = 0.0
    flow_init: float = 1.0

    def __post_init__(self) -> None:
        TuneConfig.__post_init__(self)  # slots make another class of this one, which `super()` does not find
        check_ranges(self, RANGES)
        if self.size != self.network.size:
            raise ValueError(f"size is {self.size}, and network.size {self.network.size}: they must be equal")

    @property
    def critic_share(self) -> float:
        """See `TuneConfig.critic_share`."""
        return self.r1_every / (self.r1_every + 1) if self.r1 else 1.0


PAPER = LIAConfig(steps=100_000, batch=32, lr=2e-3, betas=(0.0, 0.99), l1=1.0, adversarial=1.0)
"""L1, perceptual and adversarial losses, batches of 32, rate 0.002; the number of steps is ours."""
FINETUNE = LIAConfig(
    name="finetune",
    domains=("cartoon",),
    steps=10_000,
    batch=8,
    lr=2e-4,
    betas=(0.0, 0.99),
    l1=1.0,
    adversarial=1.0,
)
"""Published weights continued on cartoons; the paper of ToonTalker states no number of steps or rate."""
MINI = LIAConfig(
    name="mini",
    network=NetworkConfig(size=64, channels=((4, 64), (8, 64), (16, 64), (32, 48), (64, 16)), style=64, motions=20),
    size=64,
    steps=4500,
    batch=8,
    lr=2e-3,
    betas=(0.5, 0.99),
    decay=0.3,
    ema=0.999,
    l1=20.0,
    levels=4,
    warp=20.0,
    flow_init=0.05,
    perceptual="none",
    gap_growth=1000,
    jitter=0.05,
    checkpoint_every=250,
    sample_every=500,
)

CONFIGS = {"mini": MINI, "finetune": FINETUNE, "paper": PAPER}
