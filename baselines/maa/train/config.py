"""Every choice of a training run of MAA, and the named configurations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from toonbench.training.ranges import WEIGHT, Range, check_ranges
from toonbench.types import DOMAINS

from ...fomm.train.config import MINI as FOMM_MINI
from ...fomm.train.config import PAPER as FOMM_PAPER
from ...fomm.train.config import FirstOrderConfig

RANGES: Mapping[str, Range] = dict.fromkeys(("cyclic", "angles", "appearance"), WEIGHT)


@dataclass(frozen=True, slots=True, kw_only=True)
class MAAConfig(FirstOrderConfig):
    """A training run of MAA. The paper's values are not known; all weights are ours.

    cyclic: factor on the reconstruction terms of sources that were driven by the other domain and back.
    angles: weight of the shape-invariant motion adaptation.
    appearance: weight of the structure-guided appearance consistency. patch: the side of the pictures by that of its patches.
    """

    cyclic: float = 1.0
    angles: float = 1.0
    appearance: float = 10.0
    patch: int = 8

    def __post_init__(self) -> None:
        FirstOrderConfig.__post_init__(self)  # slots make another class of this one, which `super()` does not find
        check_ranges(self, RANGES)
        if set(self.domains) != set(DOMAINS):
            raise ValueError(f"domains is {', '.join(self.domains)}: MAA learns from both, {', '.join(DOMAINS)}")
        if self.network.points < 3:
            raise ValueError(f"network.points is {self.network.points}: an angle needs 3 or more")
        if not 1 <= self.patch <= self.size // 4:
            raise ValueError(
                f"patch is {self.patch}: 1 to {self.size // 4} is needed, for patches of 4 and more pixels"
            )


def _like(base: FirstOrderConfig, *, steps: int) -> MAAConfig:
    own: dict[str, Any] = {field.name: getattr(base, field.name) for field in fields(base)} | {"steps": steps}
    return MAAConfig(**own)


PAPER = _like(FOMM_PAPER, steps=FOMM_PAPER.steps)
"""FOMM's published schedule: what the paper of MAA says about its own is not known."""
MINI = _like(FOMM_MINI, steps=1500)
"""FOMM's mini, in fewer steps: each makes three pictures instead of one."""

CONFIGS = {"mini": MINI, "paper": PAPER}
