"""The five protocols of the paper, a file each, and how pairs are drawn for them."""

from toonbench.tasks.draw import draw_pairs, fingerprint, pair_seed, shard_of, wanted_targets

__all__ = ["draw_pairs", "fingerprint", "pair_seed", "shard_of", "wanted_targets"]
