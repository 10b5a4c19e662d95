"""Sizes of the network, of the official one by default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, get_args

from toonbench.networks.image_encoder import OFFICIAL_CHANNELS

Queries = Literal["transformer", "mlp"]
Paired = Literal["", "labels", "pairs"]  # the kind of paired training; empty is ToonTalker
LARGEST = 65_536  # width or number of parts


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """Sizes of one domain network. `channels` holds (resolution, channels) rows; those above `size` are unused.

    size: image side in pixels, a power of two, at least 64 (the third backward block reads the 64 x 64 map).
    style: width of styles, motion descriptors and tokens; channels at 4 and 16 must equal it, as they serve as tokens.
    motions: K, the number of embeddings in the motion base.
    dropout: on attention weights, in training.
    queries: what computes motion codes from the motion base and a descriptor; "mlp" is the paper's ablation (Table 7).
    backward, refine: whether there are a backward transformer and the SFT blocks; without is the paper's ablation.
    rig: channels of the rig that stands between an image and its motion code, in paired training with labels; ToonTalker has 0.
    """

    size: int = 256
    channels: tuple[tuple[int, int], ...] = OFFICIAL_CHANNELS
    style: int = 512
    motions: int = 20
    heads: int = 8
    feedforward: int = 512
    dropout: float = 0.1
    queries: Queries = "transformer"
    backward: bool = True
    refine: bool = True
    rig: int = 0

    def __post_init__(self) -> None:
        for name in ("style", "motions", "heads", "feedforward"):
            if not 1 <= getattr(self, name) <= LARGEST:
                raise ValueError(f"{name} is {getattr(self, name)}: 1 to {LARGEST} is needed")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}: 0 to less than 1 is needed")
        table = dict(self.channels)
        if (
            self.size < 64
            or self.size & (self.size - 1)
            or any(not 0 < table.get(side, 0) <= LARGEST for side in self.sides)
        ):
            raise ValueError(
                f"size {self.size}: a power of two from 64 with a row in channels {sorted(table)} is needed"
            )
        if table[4] != self.style or table[16] != self.style:
            raise ValueError(f"channels at 4 and 16 are {table[4]} and {table[16]}: both must equal style {self.style}")
        if self.style % self.heads:
            raise ValueError(f"style {self.style} is not a multiple of heads {self.heads}")
        if self.queries not in get_args(Queries):
            raise ValueError(f"queries {self.queries!r} is unknown: choose one of {', '.join(get_args(Queries))}")

    @property
    def table(self) -> dict[int, int]:
        """Channels by resolution."""
        return dict(self.channels)

    @property
    def sides(self) -> list[int]:
        """Resolutions 4, 8, ..., size."""
        return [4 << step for step in range(self.size.bit_length() - 2)]

    @property
    def latents(self) -> int:
        """Styles per image: 14 at 256 px."""
        return 2 * (self.size.bit_length() - 1) - 2

    def to_dict(self) -> dict[str, object]:
        """For JSON; `from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> NetworkConfig:
        """Inverse of `to_dict`, after JSON made lists of the tuples."""
        rows = values["channels"]
        if not isinstance(rows, list | tuple):
            raise ValueError(f"channels must be a list of rows, not {rows!r}")
        channels = tuple((int(side), int(count)) for side, count in rows)
        return cls(**{**values, "channels": channels})  # pyright: ignore[reportArgumentType]
