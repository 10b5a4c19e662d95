"""The five protocols of the paper, a file each, and how pairs are drawn for them."""

from toonbench.tasks.draw import draw_pairs, fingerprint, pair_seed, shard_of, wanted_targets
from toonbench.tasks.standard import STANDARD_TASKS

__all__ = ["STANDARD_TASKS", "draw_pairs", "fingerprint", "pair_seed", "shard_of", "wanted_targets"]
