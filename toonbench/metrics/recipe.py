"""Recipe weights: a network's parameters made from their names alone, the same on every machine, without any download.

With them a network measures nothing, but its arithmetic can be compared with stored values (goldens, doctor) and its
metric can run in tests.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


def recipe_state(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """A state dict of `state`'s keys, shapes and types, filled by this rule.

    Weights of rank two and more: `numpy.random.default_rng(crc32("prefix:key"))`, standard normal / sqrt(fan in), where
    fan in is the product of all lengths but the first; cast to float32. Biases and running means 0, running variances
    and the scales of normalisations 1, counts of batches 0. `load_state_dict` takes the result.
    """
    return {key: _filled(key, tensor, prefix=prefix) for key, tensor in state.items()}


def _filled(key: str, tensor: Tensor, *, prefix: str) -> Tensor:
    import torch

    shape, leaf = tuple(tensor.shape), key.rsplit(".", 1)[-1]
    if leaf in ("bias", "running_mean", "num_batches_tracked"):
        return torch.zeros(shape, dtype=tensor.dtype)
    if len(shape) < 2 or leaf == "running_var":
        return torch.ones(shape, dtype=tensor.dtype)
    draws = np.random.default_rng(zlib.crc32(f"{prefix}:{key}".encode())).standard_normal(shape)
    return torch.from_numpy((draws / math.sqrt(math.prod(shape[1:]))).astype(np.float32)).to(tensor.dtype)
