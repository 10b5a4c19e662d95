"""Every choice of a training run, with those that the paper leaves open; every checkpoint holds a copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from toonbench.training.overrides import with_overrides
from toonbench.training.perceptual import Perceptual
from toonbench.training.ranges import COUNT, DECAY, SEED, SHARE, STEPS, WEIGHT, Range, check_levels, check_ranges
from toonbench.types import CHANNELS, ToonbenchError

from ..config import NetworkConfig, Paired

Precision = Literal["float32", "bf16"]
RANGES: Mapping[str, Range] = {
    **dict.fromkeys(("batch1", "batch2", "levels", "r1_every", "synthetic_every", "workers"), COUNT),
    **dict.fromkeys(("checkpoint_every", "sample_every", "log_every"), COUNT),
    **dict.fromkeys(("steps1", "steps2", "gap_growth"), STEPS),
    **dict.fromkeys(("lr1", "lr2", "plain_lr", "motion_rate", "l1", "gradient", "warp", "weight_perceptual"), WEIGHT),
    **dict.fromkeys(("motion", "adversarial", "supervision", "clip", "r1", "jitter", "flow_init"), WEIGHT),
    **dict.fromkeys(("sharp", "readout", "rest", "regions", "landmarks", "openings"), WEIGHT),
    **dict.fromkeys(("betas", "ema"), DECAY),
    "decay": SHARE,
    "seed": SEED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """A training run. The defaults are the paper's (section 4.1). "Open" marks what the paper does not state.

    name, ablation, overrides: what the user chose to arrive at these values; see `find_config`.
    paired: what training knows beyond clips (docs/paired_training.md): ground-truth motion or targets; nothing for ToonTalker.
    supervision: weight of the encoders' error on ground-truth motion, or factor on the terms of targets; used with `paired`.
    steps1, batch1, lr1: stage 1, real clips only, reconstruction.
    steps2, batch2, lr2: stage 2, both domains, reconstruction and analogy.
    plain_lr: factor on the rate of layers without equalised weights (transformers, plain convolutions); open.
    decay: last share of each stage over which the rate falls linearly to a tenth; open.
    betas, ema: Adam's, and the decay of the averaged weights that are exported; open.
    l1, levels: weight of L1, and the number of image scales (full, half, ...) it is averaged over; the paper has 1, 1.
    gradient: weight of L1 between image gradients; not in the paper.
    warp: weight of L1 between the target and the source image moved by the flows alone; not in the paper.
    sharp: weight of L1 between the generated image and the source moved by the flows alone, which learn nothing from it; not in the paper.
    perceptual, weight_perceptual: which features, and lambda_per.
    synthetic: whether stage 2 generates images with the motion of the other domain; without, Eq. 12 is L_rec of both domains alone.
    synthetic_every: in every how many steps of stage 2 it does so; the analogy constraint then counts so many times. Open.
    motion: lambda_m of the analogy constraint (Eq. 9). detach_driving: no gradient into the driving side of it; open.
    adversarial: weight of the generator's adversarial terms (Eq. 10 to 12), 0 trains without discriminators.
    precision: bf16 computes the networks in bfloat16 (autocast); weights and optimisers stay float32. Open.
    clip: the largest norm of the gradients of the generators, and of the discriminators; 0 does not limit it. Open.
    r1, r1_every: gradient penalty of the discriminators, applied every so many steps; open.
    flip, jitter: mirrored clips, and the strength of colour changes, both shared by the frames of a clip; open.
    gap_growth: steps over which the largest gap between a pair's frames grows from 2 to the whole clip (small
        motion teaches to copy detail, large motion alone teaches to blur); 0 draws any two frames. Open.
    workers: processes that share each batch evenly, one thread each; for CPUs. `accelerate launch` decides their number itself.
    flow_init: factor on the flow heads' initial weights; below 1 the warps start near the identity. Open.
    motion_rate: factor on the rate of the motion encoders. Open.
    readout, rest, regions, landmarks, openings: weights of terms that need labels, which only puppets have and the paper does not use
        (`toontalker.train.guidance`): the rig in the first channels of the motion descriptors, and nothing in the others (what the
        encoder of one domain adds there has no meaning for the decoder of the other), L1 in boxes around eyes and mouth, the flows at
        the landmarks, and the openings of eyes and mouth that the flows show. 0 trains without labels.
    start: sha256 of the weights that both domains start from, if not from new ones.
    """

    name: str = "paper"
    ablation: str = ""
    overrides: tuple[str, ...] = ()
    paired: Paired = ""
    supervision: float = 1.0
    network: NetworkConfig = field(default_factory=NetworkConfig)
    seed: int = 0
    steps1: int = 450_000
    batch1: int = 64
    lr1: float = 5e-4
    steps2: int = 10_000
    batch2: int = 8
    lr2: float = 1e-4
    plain_lr: float = 1.0
    decay: float = 0.0
    betas: tuple[float, float] = (0.5, 0.999)
    ema: float = 0.999
    l1: float = 1.0
    levels: int = 1
    gradient: float = 0.0
    warp: float = 0.0
    sharp: float = 0.0
    perceptual: Perceptual = "vgg19"
    weight_perceptual: float = 10.0
    synthetic: bool = True
    synthetic_every: int = 1
    motion: float = 20.0
    detach_driving: bool = False
    adversarial: float = 1.0
    precision: Precision = "float32"
    clip: float = 0.0
    r1: float = 10.0
    r1_every: int = 16
    flip: bool = True
    jitter: float = 0.1
    gap_growth: int = 0
    flow_init: float = 1.0
    motion_rate: float = 1.0
    readout: float = 0.0
    rest: float = 0.0
    regions: float = 0.0
    landmarks: float = 0.0
    openings: float = 0.0
    start: str = ""
    workers: int = 1
    checkpoint_every: int = 1000
    sample_every: int = 1000
    log_every: int = 50

    def __post_init__(self) -> None:
        check_ranges(self, RANGES)
        check_levels(self.levels, size=self.network.size)
        if self.paired and self.guided:
            raise ValueError(
                "readout, rest, regions, landmarks and openings are for ToonTalker, and paired training has labels of its own: set "
                "them to 0"
            )

    @property
    def guided(self) -> bool:
        """Whether terms need labels of the clips."""
        return max(self.readout, self.rest, self.regions, self.landmarks, self.openings) > 0

    def to_dict(self) -> dict[str, Any]:
        """For checkpoints and model cards; `from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """Inverse of `to_dict`, after a round trip through JSON or a checkpoint."""
        fields: dict[str, Any] = dict(values)
        fields["network"] = NetworkConfig.from_dict(values["network"])
        fields |= {name: tuple(values[name]) for name in ("betas", "overrides") if name in values}
        return cls(**fields)


MINI = TrainConfig(
    name="mini",
    network=NetworkConfig(
        size=64,
        channels=((4, 64), (8, 64), (16, 64), (32, 48), (64, 16)),
        style=64,
        heads=4,
        feedforward=128,
        dropout=0.0,
    ),
    steps1=5500,
    batch1=8,
    lr1=2.5e-3,
    steps2=3500,
    batch2=4,
    lr2=1.5e-3,
    plain_lr=0.25,
    decay=0.3,
    betas=(0.5, 0.99),
    l1=60.0,
    levels=4,
    warp=60.0,
    perceptual="none",
    adversarial=0.0,
    motion=4.0,
    detach_driving=True,
    gap_growth=1500,
    flow_init=0.05,
    workers=2,
    checkpoint_every=250,
    sample_every=250,
)

MINI_PUPPETS = replace(
    MINI,
    name="mini-puppets",
    lr2=2.5e-3,
    motion_rate=4.0,
    sharp=60.0,
    readout=30.0,
    rest=30.0,
    regions=20.0,
    landmarks=150.0,
    openings=300.0,
    synthetic_every=4,
)
"""The mini with terms that need labels: for puppets."""

CONFIGS = {"mini": MINI, "mini-puppets": MINI_PUPPETS, "paper": TrainConfig()}

ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "no-analogy": {"synthetic": False},
    "lambda-0": {"motion": 0.0},
    "lambda-20": {"motion": 20.0},
    "lambda-40": {"motion": 40.0},
    "lambda-100": {"motion": 100.0},
    "mlp": {"network.queries": "mlp"},
    "no-backward": {"network.backward": False},
    "no-sft": {"network.refine": False},
}
"""The paper's ablated models (section 4.4, Tables 5 to 7) as changes of the full model's fields; lambda-20 is the paper's full model."""


PAIRED: Mapping[str, Mapping[str, Any]] = {
    "labels": {"synthetic": False, "motion": 0.0, "network.rig": len(CHANNELS)},
    "pairs": {"synthetic": False, "motion": 0.0, "network.rig": 0},
    "": {"network.rig": 0},
}
"""Paired training as changes of ToonTalker's fields: neither kind has the analogy constraint."""


def find_config(name: str, *, ablation: str = "", overrides: Sequence[str] = (), paired: Paired = "") -> TrainConfig:
    """The configuration called `name`, changed into the ablated model `ablation`, with the fields that `overrides` set (`key=value`).

    `paired` is the kind of paired training, which has no ablated models.

    An ablation `lambda-40` may be written `40`. Raises ToonbenchError for unknown names, for fields that the ablation decides, and
    where `lambda-0` would have the objective of `no-analogy`.
    """
    if name not in CONFIGS:
        raise ToonbenchError(f"--config {name}: unknown; choose one of {', '.join(CONFIGS)}")
    ablation = f"lambda-{ablation}" if f"lambda-{ablation}" in ABLATIONS else ablation
    if ablation and ablation not in ABLATIONS:
        raise ToonbenchError(f"--ablation {ablation}: unknown; choose one of {', '.join(ABLATIONS)}")
    if paired and CONFIGS[name].guided:
        raise ToonbenchError(
            f"--config {name}: its labels within a domain are ToonTalker's; paired training takes --config mini or paper"
        )
    if ablation and paired:
        raise ToonbenchError(
            f"--ablation {ablation}: it is an ablated ToonTalker, and paired training has none: leave it out"
        )
    fixed = dict.fromkeys(PAIRED[paired], "paired training decides it, and it cannot be set")
    fixed |= dict.fromkeys(ABLATIONS.get(ablation, {}), f"--ablation {ablation} decides it; leave one of the two out")
    fixed |= dict.fromkeys(
        ("name", "ablation", "overrides", "paired", "start"), "it names the user's choice, and cannot be set"
    )
    decided = {**PAIRED[paired], **ABLATIONS.get(ablation, {})}
    own = {key: value for key, value in decided.items() if "." not in key}
    inner = {key.partition(".")[2]: value for key, value in decided.items() if "." in key}
    config = CONFIGS[name]
    config = replace(config, ablation=ablation, paired=paired, network=replace(config.network, **inner), **own)
    config = replace(with_overrides(config, overrides, fixed=fixed), overrides=tuple(sorted(overrides)))
    if ablation == "lambda-0" and not config.adversarial:
        raise ToonbenchError(
            f"--ablation lambda-0 without adversarial losses is no-analogy: --config {name} has adversarial = 0; add "
            "--set adversarial=1, or give --ablation no-analogy"
        )
    return config
