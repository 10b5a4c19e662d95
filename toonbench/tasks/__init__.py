"""The five protocols of the paper, one file for each, and the functions that draw their pairs."""

from toonbench.tasks.draw import (
    draw_pairs,
    fingerprint,
    needed_clips,
    pair_seed,
    pairs_with_targets,
    shard_of,
    with_clips,
)
from toonbench.tasks.standard import STANDARD_TASKS

__all__ = [
    "STANDARD_TASKS",
    "draw_pairs",
    "fingerprint",
    "needed_clips",
    "pair_seed",
    "pairs_with_targets",
    "shard_of",
    "with_clips",
]
