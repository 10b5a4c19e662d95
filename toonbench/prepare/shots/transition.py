"""A change from one shot to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["cut", "dissolve", "wipe", "fade_black", "fade_white"]
KINDS: tuple[Kind, ...] = ("cut", "dissolve", "wipe", "fade_black", "fade_white")
OVERLAPS = frozenset({"dissolve", "wipe"})  # kinds in which both shots are seen at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A change of shots in the frames [start, end); of a cut, both are the first frame of the new shot.

    score: how clear it is; at least 1 for one that was accepted.
    by: what found it.
    """

    kind: Kind
    start: int
    end: int
    score: float
    by: str

    @property
    def middle(self) -> int:
        """The boundary as one frame: the first frame that belongs to the new shot."""
        return (self.start + self.end + 1) // 2 if self.end > self.start else self.start
