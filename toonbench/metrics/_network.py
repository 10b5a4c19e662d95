"""Networks that measure: quiet construction, weights from a file or from the recipe, and the same numbers everywhere."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from toonbench.metrics.shared import one_thread
from toonbench.types import Frames, ToonbenchError

if TYPE_CHECKING:
    from torch import Tensor, nn

Network = TypeVar("Network", bound="nn.Module")


def laid_out(network: Network) -> Network:
    """The network as it runs fastest on one thread of a CPU: channels last in memory, every convolution by oneDNN.

    Left to itself, PyTorch takes a plain matrix product for 1 x 1 kernels and small pictures on one thread, which is
    slower and returns channels first. Values change by 2e-6 of the largest; on a GPU nothing changes.
    """
    import torch

    for part in network.modules():
        if type(part) is torch.nn.Conv2d and part.padding_mode == "zeros" and not isinstance(part.padding, str):
            setattr(part, "forward", functools.partial(_convolve, part))  # noqa: B010
    return network.to(memory_format=torch.channels_last)


def _convolve(layer: nn.Conv2d, x: Tensor) -> Tensor:
    import torch

    if x.device.type != "cpu" or x.dtype != torch.float32 or not torch.backends.mkldnn.is_available():
        return torch.nn.Conv2d.forward(layer, x)
    convolve: Any = torch.mkldnn_convolution  # pyright: ignore
    return convolve(x, layer.weight, layer.bias, layer.padding, layer.stride, layer.dilation, layer.groups)


@contextmanager
def measuring(device: str) -> Generator[None]:
    """No gradients; one thread of the CPU, or a GPU without TF32, whose 10 bits of mantissa would shift the values."""
    import torch

    with one_thread():
        if torch.device(device).type != "cuda":
            yield
            return
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield


@contextmanager
def quiet(*messages: str) -> Generator[None]:
    """Third-party code that warns of its own calls, by the beginnings of its messages (regular expressions)."""
    with warnings.catch_warnings():
        for message in messages:
            warnings.filterwarnings("ignore", message=message)
        yield


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a weight file, which is never unpickled.

    Raises ToonbenchError if it holds anything else.
    """
    import torch

    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged zip, pickle or header: any of a dozen types
        kind = type(error).__name__
        raise ToonbenchError(f"weights '{path}' cannot be read ({kind}): fetch the file again") from error
    if not isinstance(state, dict) or not all(isinstance(one, torch.Tensor) for one in state.values()):
        raise ToonbenchError(f"weights '{path}' are not a state dict of tensors: fetch the file again")
    return dict(state)


def picture_batch(frames: Frames, *, device: str) -> Tensor:
    """(n, height, width, 3) uint8 to (n, 3, height, width) float32, 0 to 255, channels last in memory: a third faster."""
    import numpy as np
    import torch

    array = np.ascontiguousarray(frames)
    if not array.flags.writeable:  # PyTorch has no read-only tensors and warns of sharing one
        array = array.copy()
    return torch.from_numpy(array).to(device).permute(0, 3, 1, 2).float()
