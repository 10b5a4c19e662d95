"""Ranges of the numbers of a training configuration, and networks of sizes that cannot be built."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from toonbench.types import ToonbenchError
from toonbench.weights.checkpoints import BUILDING
from toonbench.weights.tensors import first_line

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`; `below` leaves `high` itself out."""

    low: float = 0
    high: float = math.inf
    below: bool = False

    def __contains__(self, value: float) -> bool:
        return self.low <= value and (value < self.high if self.below else value <= self.high)

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"{self.low} or more"
        return f"{self.low} to {'less than ' if self.below else ''}{self.high}"


LARGEST = 2**31 - 1
COUNT = Range(1, LARGEST)
STEPS = Range(0, 10**12)
WEIGHT = Range()
SHARE = Range(0, 1)
DECAY = Range(0, 1, below=True)
SEED = Range(0, 2**63 - 1)


def check_ranges(config: DataclassInstance, ranges: Mapping[str, Range]) -> None:
    """Raise ValueError, naming the field, for a number out of its range; of a list, each number is checked."""
    for name, allowed in ranges.items():
        value: Any = getattr(config, name)
        numbers = cast("tuple[float, ...]", value) if isinstance(value, tuple) else (value,)
        if any(number not in allowed for number in numbers):
            needed = f"{allowed.low} or more" if min(numbers) < allowed.low else allowed
            raise ValueError(f"{name} is {value}: {needed} is needed")


def check_levels(levels: int, *, size: int) -> None:
    """Raise ValueError unless images of `size` px have so many levels, each half as large as the one before."""
    if levels > size.bit_length():
        raise ValueError(f"levels is {levels}: images of {size} px have at most {size.bit_length()}")


@contextmanager
def building(name: str, *, sizes: object) -> Generator[None]:
    """Raise ToonbenchError where a network of the configuration `name` with these sizes cannot be built, or does not fit into memory."""
    try:
        yield
    except (*BUILDING, MemoryError) as error:
        raise ToonbenchError(
            f"--config {name}: its network cannot be built ({first_line(error)}) with the sizes {sizes}: change them with --set"
        ) from error
