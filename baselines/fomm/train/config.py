"""Every choice of a training run of FOMM, and the named configurations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from toonbench.networks.hourglass import REDUCTION
from toonbench.networks.patch_discriminator import OFFICIAL_WIDTHS
from toonbench.training.ranges import COUNT, WEIGHT, Range, check_ranges

from ...first_order_weights import NetworkConfig
from ...tuning.config import TuneConfig, check_critic

RANGES: Mapping[str, Range] = {
    **dict.fromkeys(("equivariance_value", "equivariance_jacobian", "feature_matching", "warp"), WEIGHT),
    "critic": COUNT,
}
EPOCH = 795  # steps of an epoch of the published training: 424 identities, each 75 times, in batches of 40


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstOrderConfig(TuneConfig):
    """A training run of FOMM or DaGAN. The defaults are those of the published vox-256.

    network: sizes. critic: widths of the discriminator's blocks.
    equivariance_value, equivariance_jacobian: weights of the key points' and the Jacobians' agreement under a random warp.
    feature_matching: weight of L1 between the discriminator's maps, each of them; used with `adversarial`.
    warp: weight of L1 between the reduced target and the reduced source moved by the dense motion alone; not in the paper.
    freeze_norms: the statistics of batch normalisation stay as they are, which small batches need.
    corners: how pictures are sampled (see `toonbench.networks.first_order`); the published code on today's PyTorch has False.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    critic: tuple[int, ...] = OFFICIAL_WIDTHS
    equivariance_value: float = 10.0
    equivariance_jacobian: float = 10.0
    feature_matching: float = 10.0
    warp: float = 0.0
    freeze_norms: bool = False
    corners: bool = False

    def __post_init__(self) -> None:
        TuneConfig.__post_init__(self)  # slots make another class of this one, which `super()` does not find
        check_ranges(self, RANGES)
        halvings = max(len(self.network.detector), len(self.network.motion)) - 1
        if self.size % (side := REDUCTION << halvings):
            raise ValueError(
                f"size is {self.size}: a multiple of {side} is needed for {halvings + 1} widths of detector and motion"
            )
        if self.adversarial:
            check_critic(self.critic, size=self.size)


PAPER = FirstOrderConfig(steps=100 * EPOCH, batch=40, milestones=(60 * EPOCH, 90 * EPOCH))
"""vox-256: 100 epochs without a discriminator."""
FINETUNE = FirstOrderConfig(
    name="finetune", domains=("cartoon",), steps=10_000, batch=8, lr=2e-5, adversarial=1.0, freeze_norms=True
)
"""Published weights continued on cartoons, with the losses of vox-adv-256; the paper of ToonTalker states no number of steps or rate."""
MINI_NETWORK = NetworkConfig(
    points=10, detector=(16, 32, 64, 64), motion=(16, 32, 64, 64), generator=(16, 32, 64), residuals=3
)
MINI = FirstOrderConfig(
    name="mini",
    network=MINI_NETWORK,
    size=64,
    steps=4500,
    batch=8,
    lr=1e-3,
    decay=0.3,
    ema=0.999,
    l1=10.0,
    levels=4,
    warp=10.0,
    perceptual="none",
    equivariance_value=5.0,
    equivariance_jacobian=5.0,
    gap_growth=1000,
    jitter=0.05,
    checkpoint_every=250,
    sample_every=500,
)

CONFIGS = {"mini": MINI, "finetune": FINETUNE, "paper": PAPER}
