"""Every choice of a training run of DaGAN, and the named configurations."""

from __future__ import annotations

from dataclasses import dataclass, field

from toonbench.training.ranges import COUNT, WEIGHT, check_ranges

from ...first_order_weights import NetworkConfig
from ...fomm.train.config import MINI as FOMM_MINI
from ...fomm.train.config import FirstOrderConfig
from ..depth import DepthConfig

EPOCH = 331  # steps of an epoch of the published training: 424 identities, each 75 times, in batches of 96


@dataclass(frozen=True, slots=True, kw_only=True)
class DaGANConfig(FirstOrderConfig):
    """A training run of DaGAN. The defaults are those of the published vox-adv-256.

    attention: width of the attention's queries and keys.
    kp_distance: weight of the key points' distance term, which is logged only: it is built from signs, and has no gradient.
    depth_constraint: weight of L1 between the depths of the driving frame and of the generated picture; the published training has 0.
    depth_network: sizes of the depth network. depth_sha256: its files' checksums. supervised: what it was trained on with labels.
    """

    network: NetworkConfig = field(default_factory=lambda: NetworkConfig(points=15))
    adversarial: float = 1.0
    attention: int = 32
    kp_distance: float = 10.0
    depth_constraint: float = 0.0
    depth_network: DepthConfig = field(default_factory=DepthConfig)
    depth_sha256: str = ""
    supervised: str = ""

    def __post_init__(self) -> None:
        FirstOrderConfig.__post_init__(self)  # slots make another class of this one, which `super()` does not find
        check_ranges(self, {"attention": COUNT, "kp_distance": WEIGHT, "depth_constraint": WEIGHT})


PAPER = DaGANConfig(steps=150 * EPOCH, batch=96)
"""vox-adv-256: 150 epochs with the discriminator, on eight cards with 12 pictures each."""
FINETUNE = DaGANConfig(name="finetune", domains=("cartoon",), steps=10_000, batch=8, lr=2e-5, freeze_norms=True)
"""Published weights continued on cartoons; the paper of ToonTalker states no number of steps or rate."""
MINI = DaGANConfig(
    name="mini",
    network=FOMM_MINI.network,
    size=FOMM_MINI.size,
    attention=8,
    adversarial=0.0,
    steps=3600,
    batch=FOMM_MINI.batch,
    lr=FOMM_MINI.lr,
    decay=FOMM_MINI.decay,
    ema=FOMM_MINI.ema,
    l1=FOMM_MINI.l1,
    levels=FOMM_MINI.levels,
    warp=FOMM_MINI.warp,
    perceptual=FOMM_MINI.perceptual,
    equivariance_value=FOMM_MINI.equivariance_value,
    equivariance_jacobian=FOMM_MINI.equivariance_jacobian,
    gap_growth=FOMM_MINI.gap_growth,
    jitter=FOMM_MINI.jitter,
    checkpoint_every=FOMM_MINI.checkpoint_every,
    sample_every=FOMM_MINI.sample_every,
)
"""FOMM's mini with depth; its depth network is trained by `scripts/train_puppet_depth.py`."""
MINI_DEPTH = DepthConfig(stem=16, planes=(16, 24, 32, 48), blocks=(1, 1, 1, 1), decoder=(8, 12, 16, 24, 32), classes=2)

CONFIGS = {"mini": MINI, "finetune": FINETUNE, "paper": PAPER}
