"""Networks that measure: construction without warnings, weights from a file, and the same numbers on every machine."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from toonbench.types import Frames, ToonbenchError
from toonbench.weights.tensors import UnreadableTensors, first_line, named_tensors, read_content

if TYPE_CHECKING:
    from torch import Tensor, nn

Network = TypeVar("Network", bound="nn.Module")
Built = TypeVar("Built")
FETCH = "fetch the file again, with toonbench weights fetch"


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
    """No gradients; one thread of the CPU, since sums in another order are other bytes; a GPU repeats itself, without TF32.

    TF32's 10 bits of mantissa would shift the values.
    """
    import torch

    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("highest")
    try:
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
            if torch.device(device).type == "cuda"
            else nullcontext(),
        ):
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)


@contextmanager
def quiet(*messages: str) -> Generator[None]:
    """Third-party code that warns of its own calls, by the beginnings of its messages (regular expressions)."""
    with warnings.catch_warnings():
        for message in messages:
            warnings.filterwarnings("ignore", message=message)
        yield


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.pth` or `.safetensors` file by name, on the CPU; nothing in it is executed.

    Raises ToonbenchError if the file is absent, damaged or holds anything else.
    """
    try:
        return named_tensors(read_content(path))
    except UnreadableTensors as error:
        raise ToonbenchError(f"weights '{path}' cannot be read: {error.with_advice(FETCH)}") from error


def built(build: Callable[[], Built], path: Path) -> Built:
    """What `build` makes of the file's tensors; a ToonbenchError names the file if they are not that network's."""
    try:
        return build()
    except (RuntimeError, KeyError, ValueError) as error:
        raise _unreadable(path, first_line(error)) from error


def _unreadable(path: Path, reason: str) -> ToonbenchError:
    return ToonbenchError(f"weights '{path}' cannot be read ({reason[:200]}): {FETCH}")


def picture_batch(frames: Frames, *, device: str) -> Tensor:
    """(n, height, width, 3) uint8 to (n, 3, height, width) float32, 0 to 255, channels last in memory: a third faster."""
    import numpy as np
    import torch

    array = np.ascontiguousarray(frames)
    if not array.flags.writeable:  # PyTorch has no read-only tensors and warns of sharing one
        array = array.copy()
    return torch.from_numpy(array).to(device).permute(0, 3, 1, 2).float()


def in_batches(frames: Frames, device: str) -> list[Frames]:
    """Frames one by one on the CPU, where larger batches save nothing and one frame's bytes could depend on the others; otherwise 16."""
    size = 1 if device == "cpu" else 16
    return [frames[at : at + size] for at in range(0, len(frames), size)]
