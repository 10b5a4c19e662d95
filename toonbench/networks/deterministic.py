"""Deterministic test weights: a network's parameters made from their names alone, the same on every machine, without any download.

With them a network measures nothing, but its arithmetic can be compared with stored values (goldens, doctor) and its
metric can run in tests. Features for the goldens of the Fréchet distance are made in the same way.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Values = NDArray[np.float64]


def deterministic_state(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
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


def deterministic_features(case: str, *, counts: tuple[int, int], width: int, kind: str) -> tuple[Values, Values]:
    """Two sets of features, (counts[0], width) and (counts[1], width) float64, like those of a network: correlated and not negative.

    `kind`: "relu" for two distributions, "same" for the same set twice, "shift" for the first moved by 1/8. Every set is
    rectified: 16 factors of weight 1/4 and own noise, scaled by (1 + noise²) / 4 in each value, plus an offset.
    """

    def made(tag: str, count: int, offset: float) -> Values:
        mix = _bell(f"frechet:{width}:{tag}:mix", (16, width))[0] * 0.25
        scale = 0.25 + _bell(f"frechet:{width}:scale", (width,))[0] ** 2 * 0.25
        factors, noise = _bell(f"frechet:{case}:{tag}", (count, 16), (count, width))
        return np.maximum((factors @ mix + noise) * scale + 0.25 + offset, 0.0)

    first = made("a", counts[0], 0.0)
    if kind == "same":
        return first, first.copy()
    return first, first + 0.125 if kind == "shift" else made("b", counts[1], 0.0625)


def _bell(seed: str, *shapes: tuple[int, ...]) -> list[Values]:
    """Arrays of nearly normal numbers drawn one after another, the same on every machine: sums of four 16-bit integers."""
    draws = np.random.default_rng(zlib.crc32(seed.encode()))
    return [(draws.integers(0, 65536, (4, *shape)).sum(0) - 131070).astype(np.float64) / 32768.0 for shape in shapes]
