"""Every choice of a training run of Recycle-GAN, and the named configurations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from toonbench.training.ranges import COUNT, WEIGHT, Range, check_ranges
from toonbench.types import DOMAINS

from ...tuning.config import TuneConfig, check_critic
from ..model import NetworkConfig

RANGES: Mapping[str, Range] = {"recurrent": WEIGHT, "recycle": WEIGHT, "critic": COUNT}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecycleConfig(TuneConfig):
    """A training run. Weights of terms are the paper's; sizes and schedule of the predictors are ours.

    network: sizes. critic: widths of the discriminators' blocks. recurrent, recycle: weights of these terms.
    `batch` is the number of windows of three frames of both clips together. Frames are neither mirrored nor recoloured.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    critic: tuple[int, ...] = (64, 128, 256, 512)
    recurrent: float = 10.0
    recycle: float = 10.0

    def __post_init__(self) -> None:
        TuneConfig.__post_init__(self)  # slots make another class of this one, which `super()` does not find
        check_ranges(self, RANGES)
        if set(self.domains) != set(DOMAINS):
            raise ValueError(f"domains is {', '.join(self.domains)}: one clip of each is needed, {', '.join(DOMAINS)}")
        side = max(4, 2 ** len(self.network.predictor))
        if self.size % side or self.workers != 1:
            raise ValueError(
                f"size is {self.size} and workers {self.workers}: a multiple of {side} (for {len(self.network.predictor)} widths of the "
                "predictor), and one process are needed"
            )
        check_critic(self.critic, size=self.size)


PAPER = RecycleConfig(steps=40_000, batch=2, adversarial=1.0, perceptual="none", flip=False, jitter=0.0)
"""CycleGAN's generators; the number of steps is ours."""
MINI = RecycleConfig(
    name="mini",
    network=NetworkConfig(generator=16, residuals=3, predictor=(16, 32, 64, 64)),
    critic=(16, 32, 64),
    size=64,
    steps=2000,
    batch=4,
    lr=5e-4,
    ema=0.99,
    adversarial=1.0,
    perceptual="none",
    flip=False,
    jitter=0.0,
    checkpoint_every=250,
    sample_every=500,
)

CONFIGS = {"mini": MINI, "paper": PAPER}
